import Tables

/// Chooses the integer grid of a sum from public numbers alone (docs/privacy.md, rules 5 and 17): fine against the noise, and
/// coarse enough that no sum over the declared capacity leaves 64 bits.
struct GridChoice {
    var capacityRows: Int

    /// The declared bounds and the type of what is summed.
    var bounds: Bounds
    var type: ValueType

    private var width: Double { bounds.upper - bounds.lower }

    /// The middle of the bounds on a grid of about a thousandth of their width, so that sums and sums of squares on
    /// different steps share it.
    var center: Double {
        let unit = Self.powerOfTwo(atMost: width / 1_024)
        let step = type == .integer ? Swift.max(1, unit) : unit
        return ((bounds.lower / 2 + bounds.upper / 2) / step).rounded(.toNearestOrEven) * step
    }

    func largest(isCentred: Bool) -> Double {
        let origin = isCentred ? center : 0
        return Swift.max(abs(bounds.lower - origin), abs(bounds.upper - origin))
    }

    /// The grid for a sum whose noise will be about `noise` in the unit of the values.
    func sum(isCentred: Bool, noise: Double) throws(QueryError) -> FixedPointGrid {
        try grid(
            isCentred: isCentred, noise: noise, magnitude: sumLimit, least: noise / QuestionLimits.noiseInSteps)
    }

    /// The grid for a sum of squares whose noise will be about `noise` in squared units.
    func squares(noise: Double) throws(QueryError) -> FixedPointGrid {
        // A step changes a square by at most twice the largest value times the step.
        let largest = largest(isCentred: true)
        return try grid(
            isCentred: true, noise: noise / (2 * largest), magnitude: sumLimit.squareRoot(),
            least: (noise / QuestionLimits.noiseInSteps).squareRoot())
    }

    /// The largest integer that a row may add: `largest * capacityRows < 2^62`, with room for rounding.
    var sumLimit: Double { 0x1p61 / Double(Swift.max(1, capacityRows)) }

    /// - Parameters:
    ///   - magnitude: the largest integer that a value may become.
    ///   - least: the least step for which the noise, in steps, can still be drawn.
    private func grid(
        isCentred: Bool, noise: Double, magnitude: Double, least: Double
    ) throws(QueryError) -> FixedPointGrid {
        let largest = largest(isCentred: isCentred)
        // Noise so large that a grid on which it can be drawn has no room for the values.
        guard least < (isCentred ? width : largest) / 0x1p12 || (type == .integer && least <= 1) else {
            throw Channel.tooMuchNoise
        }
        // Rounding each row by half a step, all the same way, moves a full table's sum by half the noise at most.
        let rows = Swift.min(Swift.max(Double(capacityRows), 0x1p12), 0x1p26)
        let fine = Self.powerOfTwo(atMost: Swift.min(noise / rows, width / 0x1p12))
        let coarse = Self.powerOfTwo(atLeast: Swift.max(largest / (magnitude - 1), least))
        var step = Swift.max(fine, coarse)
        if type == .integer { step = Swift.max(step, 1) }
        if type == .integer, coarse <= 1 { step = 1 }
        guard step.isFinite, step >= 0x1p-900, step <= 0x1p300, magnitude > 2,
            !isCentred || step <= Swift.max(Self.powerOfTwo(atMost: width / 1_024), type == .integer ? 1 : 0)
        else {
            throw QueryError(
                "the declared capacity and bounds are too large for an exact sum",
                hint: "CLAMP the expression to tighter bounds.")
        }
        return FixedPointGrid(
            lower: bounds.lower, upper: bounds.upper, center: isCentred ? center : 0, step: step)
    }

    static func powerOfTwo(atMost value: Double) -> Double {
        guard value > 0, value.isFinite else { return value.isFinite ? 0x1p-1000 : 0x1p1000 }
        return Double(sign: .plus, exponent: value.exponent, significand: 1)
    }

    static func powerOfTwo(atLeast value: Double) -> Double {
        let below = powerOfTwo(atMost: value)
        return below < value ? below * 2 : below
    }
}
