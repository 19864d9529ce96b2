/// The numbers of rows in public bins, each with exact noise, empty bins too.
///
/// Privacy: a unit has rows in at most k bins, at most m in each: L1 sensitivity k m, squared L2 sensitivity k m^2
/// (`Sensitivity`); see `IntegerNoise`. Every bin is released, so that which are empty stays hidden.
public struct PrivateHistogram: Sendable {
    /// The number of bins.
    public let bins: Int
    /// The noise on each count.
    public let noise: IntegerNoise

    /// Throws unless there are from 1 to 2^31 bins, as many rows of a unit in a bin, and from 1 to `bins` bins of a
    /// unit, and noise for that loss exists.
    public init(
        bins: Int, binsPerUnit: Int = 1, rowsPerUnitAndBin: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard (1...(1 << 31)).contains(bins) else { throw .parameter("bins", expected: "a number from 1 to 2^31") }
        guard (1...bins).contains(binsPerUnit) else {
            throw .parameter("bins per unit", expected: "a number from 1 to that of the bins")
        }
        let rows = UInt128(try IntegerNoise.check(rowsPerUnit: rowsPerUnitAndBin))
        self.bins = bins
        noise = try IntegerNoise(
            l1Sensitivity: UInt128(binsPerUnit) * rows, l2SensitivitySquared: UInt128(binsPerUnit) * rows * rows,
            loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy counts; throws unless there is one for each bin.
    public func release<R: RandomNumberGenerator>(
        _ counts: [Int64], using generator: inout R
    ) throws(MechanismError) -> [Int64] {
        guard counts.count == bins else { throw .parameter("counts", expected: "one for each bin") }
        var noisy = counts.map { ExactSum.clamp(Int128($0)) }
        noise.add(to: &noisy, using: &generator)
        return noisy
    }

    /// The variance of each count.
    public var variance: Double { noise.variance }

    /// How far each count may be from its true value, with that confidence for the one bin.
    public func halfWidth(confidence: Double) -> Double {
        Double(noise.halfWidth(confidence: confidence))
    }

    /// How far any count may be from its true value, with that confidence for all bins at once (the union bound).
    public func simultaneousHalfWidth(confidence: Double) -> Double {
        Double(noise.halfWidth(confidence: 1 - (1 - confidence) / Double(bins)))
    }
}

/// Public bins of equal width between bounds.
public struct EqualBins: Sendable, Hashable {
    /// The lower edge of the first bin.
    public let lower: Double
    /// The upper edge of the last bin.
    public let upper: Double
    /// The number of bins.
    public let count: Int

    /// Throws unless the bounds are finite and rising and there are from 1 to 2^31 bins.
    public init(lower: Double, upper: Double, count: Int) throws(MechanismError) {
        guard lower.isFinite && upper.isFinite && lower < upper && (upper - lower).isFinite else {
            throw .parameter("bounds", expected: "finite numbers, the lower one below the upper one")
        }
        guard (1...(1 << 31)).contains(count) else { throw .parameter("bins", expected: "a number from 1 to 2^31") }
        self.lower = lower
        self.upper = upper
        self.count = count
    }

    /// The lower edge of a bin; `edge(count)` is the upper bound.
    public func edge(_ bin: Int) -> Double {
        bin == count ? upper : lower + (upper - lower) * (Double(bin) / Double(count))
    }

    /// The bin of a value, clipped to the bounds; nil for NaN and the infinities. A bin holds its lower edge, the last
    /// one its upper edge too.
    public func bin(_ value: Double) -> Int? {
        guard value.isFinite else { return nil }
        let position = (min(max(value, lower), upper) - lower) / (upper - lower) * Double(count)
        return min(max(Int(position), 0), count - 1)
    }

    /// The number of values in each bin.
    public func counts(_ values: some Sequence<Double>) -> [Int64] {
        var counts = [Int64](repeating: 0, count: count)
        for value in values {
            if let bin = bin(value) { counts[bin] += 1 }
        }
        return counts
    }
}
