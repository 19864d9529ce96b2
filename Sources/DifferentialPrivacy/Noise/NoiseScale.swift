/// The scales that the noise mechanisms take.
enum NoiseScale {
    /// From 2^-20 (below which a draw is zero for all practical purposes) to 2^40.
    static let range = 0x1p-20...0x1p40

    static func check(_ scale: Double, _ name: String) throws(MechanismError) -> Dyadic {
        guard range.contains(scale), let exact = Dyadic(scale) else {
            throw .parameter(name, expected: "a number from 2^-20 to 2^40")
        }
        return exact
    }

    /// The least scale from `estimate` on for which the condition holds, up to rounding; throws outside the range.
    static func least(
        from estimate: Double, _ name: String, where isEnough: (Double) throws(MechanismError) -> Bool
    ) throws(MechanismError) -> Double {
        var scale = max(estimate, range.lowerBound)
        while scale <= range.upperBound {
            if try isEnough(scale) { return scale }
            scale = scale.nextUp
        }
        throw .parameter(name, expected: "a loss that noise of scale 2^40 can give")
    }
}
