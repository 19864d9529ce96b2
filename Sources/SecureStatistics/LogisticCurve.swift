internal import SecureComputation

/// The logistic function less a half, by straight lines whose slopes are multiples of 1/64, level where it is within the error of its end. One comparison serves all of them.
///
/// Knots are integers, so that all parties make the same program whatever their mathematical library. A test measures the errors.
public enum LogisticCurve: Int, Sendable, Hashable {
    /// Ten knots, within 0.0045: of a dealer's key all knots are served.
    case fine = 0
    /// Six knots, within 0.0093: three parties pay for each knot.
    case coarse = 1

    /// The largest distance from the logistic function.
    public var error: Double { self == .fine ? 0.0045 : 0.0093 }

    /// Bits behind the point of a slope.
    static let slopeBits = 6
    /// Bits behind the point of a knot.
    static let knotBits = 12

    /// Slopes from the middle outwards, in 64ths, and where each ends.
    private var pieces: (slopes: [Int64], ends: [Int64]) {
        switch self {
        case .fine: ([16, 13, 8, 4, 1], [2103, 5507, 8859, 13216, 22144])
        case .coarse: ([15, 8, 2], [4652, 9972, 19338])
        }
    }

    /// The curve of a value of at least twelve bits behind the point; the result has six bits more, and is at most a half.
    func applied(
        to value: Value, fractionBits: Int, in builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        let (slopes, ends) = pieces
        let scale = Int64(1) << Int64(fractionBits - Self.knotBits)
        let knots = (ends.reversed().map { -$0 } + ends).map { $0 * scale }
        return try builder.piecewiseLinear(
            value, knots: knots, slopes: [0] + slopes.reversed() + slopes.dropFirst() + [0],
            start: -(Int64(1) << Int64(fractionBits + Self.slopeBits - 1)))
    }

    /// In the clear.
    func callAsFunction(_ x: Double) -> Double {
        let (slopes, ends) = pieces
        var (height, start) = (0.0, 0.0)
        for (slope, end) in zip(slopes, ends) {
            let end = Double(end) / Double(1 << Self.knotBits)
            height += Double(slope) / 64 * max(min(abs(x), end) - start, 0)
            start = end
        }
        return x < 0 ? -height : height
    }
}
