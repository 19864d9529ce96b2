/// Bounds for clipping, found on a public logarithmic scale (Wilson, Zhang, Lam, Desfontaines, Simmons-Marengo and Gipson
/// 2020, "ApproxBounds").
///
/// The real numbers are split into bins whose ends are zero and plus and minus the powers of two from `smallest` to
/// `largest`; values beyond the last end count to the last bin, those nearer to zero than the first to the first. Each
/// bin's number of values gets discrete Laplace noise. The bounds are the outer ends of the outermost bins whose noisy
/// number reaches a threshold, chosen from public numbers alone so that no empty bin does, with a stated confidence.
///
/// Privacy: a unit of r values changes the bins by at most r in L1 norm; the bounds are post-processing of the noisy
/// numbers. The bins are public, and empty ones get their noise too. NaN counts nowhere (docs/privacy.md, rule 12).
public struct BoundsDiscovery: Sendable {
    /// The exponents of the powers of two at the ends of bins.
    public let exponents: ClosedRange<Int>
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each bin.
    public let noise: DiscreteLaplace
    /// A bin counts as occupied from this noisy number on.
    public let threshold: Int64

    /// `confidence`: of no empty bin being taken for an occupied one. Throws unless exponents are within -1000...1000,
    /// rows from 1 to 2^31, epsilon is positive, the confidence from 0 to 1, both excluded, and the scale of the noise
    /// from 2^-20 to 2^40.
    public init(
        exponents: ClosedRange<Int>, epsilon: Double, rowsPerUnit: Int = 1, confidence: Double = 1 - 1e-6
    ) throws(MechanismError) {
        guard exponents.lowerBound >= -1000 && exponents.upperBound <= 1000 else {
            throw .parameter("exponents", expected: "from -1000 to 1000")
        }
        guard (1...(1 << 31)).contains(rowsPerUnit) else {
            throw .parameter("rows per unit", expected: "a number from 1 to 2^31")
        }
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive number") }
        guard confidence > 0 && confidence < 1 else {
            throw .parameter("confidence", expected: "a number between 0 and 1")
        }
        self.exponents = exponents
        self.rowsPerUnit = rowsPerUnit
        let noise = try DiscreteLaplace(scale: OutwardRounding.up(Double(rowsPerUnit) / epsilon))
        let outside = (1 - confidence) / Double(2 * exponents.count)
        threshold = leastInteger(in: 1...Int64(170 * noise.scale) + 2) { noise.upperTail($0) <= outside }
        self.noise = noise
    }

    /// What happens: all bins, once.
    public var event: PrivacyEvent { noise.event(sensitivity: Double(rowsPerUnit)) }

    /// The bounds, lower first; nil if no bin is taken for occupied (too few values for so little epsilon).
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, using generator: inout R
    ) -> (lower: Double, upper: Double)? {
        var bins = [Int64](repeating: 0, count: 2 * sideCount)
        for value in values where !value.isNaN { bins[bin(value)] += 1 }
        noise.add(to: &bins, using: &generator)
        guard let first = bins.firstIndex(where: { $0 >= threshold }),
            let last = bins.lastIndex(where: { $0 >= threshold })
        else { return nil }
        return (end(first), end(last + 1))
    }

    /// Bins on each side of zero.
    private var sideCount: Int { exponents.count }

    /// Bin `sideCount + j` holds [2^(e - 1), 2^e) for the j-th exponent e (from 0 for the first, without end for the
    /// last); the negative numbers mirror it.
    private func bin(_ value: Double) -> Int {
        // exponent: floor(log2); of zero and infinity, beyond every range.
        let exponent = value == 0 ? Int.min : value.isInfinite ? Int.max : Int(value.exponent)
        let clamped = min(max(exponent, exponents.lowerBound - 1), exponents.upperBound - 1)
        let side = clamped + 1 - exponents.lowerBound
        return value < 0 ? sideCount - 1 - side : sideCount + side
    }

    /// The lower end of that bin, which is the upper end of the one before.
    private func end(_ bin: Int) -> Double {
        if bin == sideCount { return 0 }
        let side = bin > sideCount ? bin - sideCount - 1 : sideCount - 1 - bin
        let power = Double(sign: .plus, exponent: exponents.lowerBound + side, significand: 1)
        return bin > sideCount ? power : -power
    }
}
