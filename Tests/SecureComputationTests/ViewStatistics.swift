#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Chi-square tests of what a party sees over many runs: each word's lowest and highest byte, and those of the differences and sums of each two words. Masks that serve twice make a difference
/// or a sum the same in all runs; a missing mask makes a word so.
struct ViewStatistics {
    /// By feature, how often each byte came.
    private(set) var counts: [[Double]] = []
    private(set) var runs = 0.0

    mutating func add(_ view: [UInt64]) {
        let bytes = Self.features(view)
        if counts.isEmpty { counts = [[Double]](repeating: [Double](repeating: 0, count: 256), count: bytes.count) }
        for (feature, byte) in bytes.enumerated() { counts[feature][Int(byte)] += 1 }
        runs += 1
    }

    private static func features(_ view: [UInt64]) -> [UInt8] {
        var bytes: [UInt8] = []
        func add(_ word: UInt64) { bytes += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 56)] }
        for (place, word) in view.enumerated() {
            add(word)
            for other in view[..<place] {
                add(word &- other)
                add(word &+ other)
            }
        }
        return bytes
    }

    /// That words are uniform and independent of each other in pairs: the least p of all features, times their number.
    var uniformity: Double {
        smallest(
            counts.map { counts in
                let expected = runs / 256
                return counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
            })
    }

    /// That two collections of equally many views are of one distribution.
    func homogeneity(with other: ViewStatistics) -> Double {
        smallest(
            zip(counts, other.counts).map { ours, theirs in
                zip(ours, theirs).reduce(0) {
                    $0 + ($1.0 + $1.1 == 0 ? 0 : ($1.0 - $1.1) * ($1.0 - $1.1) / ($1.0 + $1.1))
                }
            })
    }

    private func smallest(_ statistics: [Double]) -> Double {
        let p = statistics.map(Self.tail).min() ?? 1
        return min(1, p * Double(statistics.count))
    }

    /// The upper tail of chi-square with 255 degrees of freedom (Wilson and Hilferty 1931).
    static func tail(_ statistic: Double) -> Double {
        let spread = 2.0 / (9 * 255)
        let deviation = (cbrt(statistic / 255) - (1 - spread)) / spread.squareRoot()
        return 0.5 * erfc(deviation / 2.0.squareRoot())
    }
}
