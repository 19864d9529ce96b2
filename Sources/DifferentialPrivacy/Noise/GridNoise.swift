/// Exact noise on real numbers: values are rounded to a public grid, a power of two chosen from the noise, and get
/// integer noise there. What leaves is a multiple of the step, so its last digits say nothing (Mironov 2012).
///
/// Privacy. Let one unit change a vector of `count` real numbers by at most `l1Sensitivity` and `l2Sensitivity`. Rounding
/// each to the nearest multiple of the step moves it by at most half a step, on either neighbour, so that the rounded
/// vectors differ by at most `l1Sensitivity / step + count` steps in L1, and `l2Sensitivity / step + sqrt(count)` in L2
/// norm. That enlarged sensitivity, rounded up to a whole number, is what `IntegerNoise` is made for and what the event
/// says. Clamping to the range of integers brings neighbours no further apart.
///
/// The sensitivities are of the numbers as they are given: whoever computes them in floating point from many rows must
/// include that rounding, which can exceed it by orders of magnitude (Casacuberta, Shoate, Vadhan and Wagaman 2022).
/// Where rows can be rounded before they are added up, no enlargement is needed: `ValueGrid` and the mechanisms on it.
public struct GridNoise: Sendable {
    /// The distance of neighbouring outputs: a power of two.
    public let step: Double
    /// The vector's length.
    public let count: Int
    /// The noise, in steps.
    public let noise: IntegerNoise

    /// How much finer the step is than the noise, and the enlargement than the sensitivity: 2^-10.
    private static let fineness = 10

    /// The least noise for which the whole vector costs at most `loss` (pure: by the L1, zCDP: by the L2 sensitivity).
    /// Throws unless the sensitivities are positive and finite, the L2 one at most the L1 one, the count from 1 to 2^31,
    /// and the loss positive and large enough for a scale of at most 2^40 steps.
    public init(
        l1Sensitivity: Double, l2Sensitivity: Double, count: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard l1Sensitivity.isFinite && l2Sensitivity > 0 && l2Sensitivity <= l1Sensitivity else {
            throw .parameter("sensitivity", expected: "positive numbers, the L2 one at most the L1 one")
        }
        guard (1...(1 << 31)).contains(count) else { throw .parameter("count", expected: "a number from 1 to 2^31") }
        try loss.checkIsBudget()
        let dimension = Double(count)
        let isPure = loss.kind == .pure
        let sensitivity = isPure ? l1Sensitivity : l2Sensitivity
        let enlargement = isPure ? dimension : dimension.squareRoot().nextUp
        let scale = isPure ? sensitivity / loss.value : sensitivity / (2 * loss.value).squareRoot()
        step = try Self.step(finerThan: min(scale, sensitivity / enlargement))
        let l1 = OutwardRounding.up(l1Sensitivity / step) + dimension
        let l2 = OutwardRounding.up(l2Sensitivity / step + dimension.squareRoot())
        guard l1 <= 0x1p63 else { throw .parameter("sensitivity", expected: "fewer than 2^63 steps") }
        noise = try IntegerNoise(
            l1Sensitivity: UInt128(l1.rounded(.up)), l2SensitivitySquared: UInt128((l2 * l2).rounded(.up)), loss: loss)
        self.count = count
    }

    /// For one real number of that sensitivity.
    public init(sensitivity: Double, loss: PrivacyLoss) throws(MechanismError) {
        try self.init(l1Sensitivity: sensitivity, l2Sensitivity: sensitivity, loss: loss)
    }

    /// The greatest power of two that is at most 2^-10 of a length: of public numbers alone.
    static func step(finerThan length: Double) throws(MechanismError) -> Double {
        let expected = "a number whose grid has a step above 2^-1022"
        guard length.isNormal else { throw .parameter("sensitivity", expected: expected) }
        let step = Double(sign: .plus, exponent: Int(length.exponent) - fineness, significand: 1)
        guard step.isNormal else { throw .parameter("sensitivity", expected: expected) }
        return step
    }

    /// What happens when a vector is released once.
    public var event: PrivacyEvent { noise.event }

    /// The variance of one output about its true value: the noise's, and at most a quarter of a squared step.
    public var variance: Double { (noise.variance + 0.25) * step * step }

    /// An h with P(|output - true value| <= h) >= confidence.
    public func halfWidth(confidence: Double) -> Double {
        (Double(noise.halfWidth(confidence: confidence)) + 0.5) * step
    }

    /// The noisy numbers. NaN counts as zero (docs/privacy.md, rule 12, gives it no part in an aggregate), infinities and
    /// what is beyond 2^62 steps as that bound. Throws unless there are `count` values.
    public func release<R: RandomNumberGenerator>(
        _ values: [Double], using generator: inout R
    ) throws(MechanismError) -> [Double] {
        guard values.count == count else { throw .parameter("values", expected: "as many as the noise was made for") }
        var steps = values.map(nearest)
        noise.add(to: &steps, using: &generator)
        return steps.map { Double($0) * step }
    }

    private func nearest(_ value: Double) -> Int64 {
        guard !value.isNaN else { return 0 }
        return Int64(min(max((value / step).rounded(), -0x1p62), 0x1p62))
    }
}
