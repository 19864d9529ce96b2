/// Declared bounds of a real value, and the public grid on which it is added up: multiples of a power of two.
///
/// A value is clipped to the bounds and rounded to the nearest multiple before anything is added up, so that sums are
/// sums of integers: their sensitivity is exact, and no order of summation or spacing of floating-point numbers shows.
/// NaN and the infinities are null: they do not take part.
public struct ValueGrid: Sendable, Hashable {
    /// Values below become this.
    public let lower: Double
    /// Values above become this.
    public let upper: Double
    /// The distance of neighbouring grid points, a power of two.
    public let step: Double
    /// The lower bound, in steps.
    public let lowest: Int64
    /// The upper bound, in steps.
    public let highest: Int64

    static let defaultBits = 24

    /// Throws unless the bounds are finite and rising, and the step is a power of two that is at most their distance and
    /// at least 2^-53 of the larger bound. Without a step: from 2^-24 to 2^-23 of the distance.
    public init(lower: Double, upper: Double, step: Double? = nil) throws(MechanismError) {
        guard lower.isFinite && upper.isFinite && lower < upper && (upper - lower).isFinite else {
            throw .parameter("bounds", expected: "finite numbers, the lower one below the upper one")
        }
        let step = step ?? Self.step(dividing: upper - lower, bits: Self.defaultBits)
        guard step.isNormal && step > 0 && step.significand == 1 && step <= upper - lower else {
            throw .parameter("step", expected: "a power of two, at most the distance of the bounds")
        }
        guard max(abs(lower), abs(upper)) / step <= 0x1p53 else {
            throw .parameter("step", expected: "at least 2^-53 of the larger bound")
        }
        self.lower = lower
        self.upper = upper
        self.step = step
        lowest = Int64((lower / step).rounded())
        highest = Int64((upper / step).rounded())
        guard lowest < highest else {
            throw .parameter("step", expected: "a power of two, small enough to tell the bounds apart")
        }
    }

    /// The power of two of which the length holds from 2^(bits - 1) to 2^bits.
    private static func step(dividing length: Double, bits: Int) -> Double {
        let exponent = Int(length.exponent) + (length.significand == 1 ? 0 : 1)
        return Double(sign: .plus, exponent: exponent - bits, significand: 1)
    }

    /// The nearest grid point within the bounds, in steps; nil for NaN and the infinities.
    @inlinable
    public func index(_ value: Double) -> Int64? {
        guard value.isFinite else { return nil }
        // Before the division, which may overflow.
        if value <= lower { return lowest }
        if value >= upper { return highest }
        return Int64((value / step).rounded())
    }

    /// The number of steps from bound to bound.
    public var width: Int64 { highest - lowest }

    /// The grid point in the middle, in steps.
    public var centre: Int64 { lowest + width / 2 }

    /// The largest distance from the centre, in steps.
    var radius: Int64 { highest - centre }

    /// The largest magnitude of a grid point, in steps.
    var magnitude: Int64 { max(abs(lowest), abs(highest)) }

    /// The same bounds, with the step doubled until the magnitude that matters is at most `2^bits`, or the step half the
    /// distance of the bounds.
    func coarsened(bits: Int, of magnitude: KeyPath<ValueGrid, Int64>) throws(MechanismError) -> ValueGrid {
        var grid = self
        while grid[keyPath: magnitude] > 1 << bits && grid.step * 4 <= upper - lower {
            grid = try ValueGrid(lower: lower, upper: upper, step: grid.step * 2)
        }
        return grid
    }
}

/// Sums that cannot overflow, and become numbers within ±2^62 before noise is added. Clamping brings neighbours' sums
/// no further apart, so that sensitivities stay.
package struct ExactSum: Sendable {
    private var total: Int128 = 0

    package init() {}

    /// Fewer than 2^64 summands of 64 bits: the sum fits in 128 bits.
    package mutating func add(_ value: Int64) { total += Int128(value) }

    package var clamped: Int64 { Self.clamp(total) }

    static let limit: Int128 = 1 << 62

    static func clamp(_ total: Int128) -> Int64 {
        Int64(truncatingIfNeeded: min(max(total, -limit), limit))
    }
}
