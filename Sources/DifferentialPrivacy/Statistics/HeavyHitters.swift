/// The frequent items of a large public domain, with noisy counts: a search down the tree of their prefixes.
///
/// An item is a number of `bits` bits. Level by level, every child of the prefixes that are left gets a noisy count,
/// children that nobody has too, and those below `threshold` are dropped. No delta is needed, as the domain is public,
/// and the work is bounded by `mostSurvivors`, whatever the data.
///
/// Privacy: each of a unit's at most k items is in one node of each of h levels. A level's noisy counts are for nodes
/// that earlier levels' released ones chose, so that levels compose adaptively: L1 sensitivity h k, squared L2
/// sensitivity at most h k^2 in all (`IntegerNoise`); thresholds are post-processing.
public struct HeavyHitters: Sendable {
    /// An item's length in bits.
    public let bits: Int
    /// How many bits longer the prefixes of a level are than those of the level before.
    public let bitsPerLevel: Int
    /// The most items of one privacy unit.
    public let itemsPerUnit: Int
    /// At most this many prefixes are left of each level: those of the largest noisy counts.
    public let mostSurvivors: Int
    /// The noise on each count.
    public let noise: IntegerNoise
    /// The least noisy count that is kept: the least for which, with probability 1 - `falseAlarms`, no node that nobody
    /// is in would be kept on any level (a union bound over all nodes that can be looked at).
    public let threshold: Int64

    /// A frequent item.
    public struct Item: Sendable, Hashable {
        /// The item: its bits, the first one the most significant.
        public let value: UInt64
        /// Its noisy number of occurrences.
        public let noisyCount: Int64
    }

    /// Throws unless there are from 1 to 64 bits, from 1 to 16 of them a level, as many items of a unit as 1 to 2^31, from
    /// 1 to 2^16 survivors, `falseAlarms` is from 2^-60 to 1, and noise for that loss exists.
    public init(
        bits: Int, bitsPerLevel: Int = 8, itemsPerUnit: Int = 1, mostSurvivors: Int = 1024,
        falseAlarms: Double = 0.01, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard (1...64).contains(bits) else { throw .parameter("bits", expected: "a number from 1 to 64") }
        guard (1...16).contains(bitsPerLevel) else {
            throw .parameter("bits per level", expected: "a number from 1 to 16")
        }
        guard (1...(1 << 16)).contains(mostSurvivors) else {
            throw .parameter("survivors", expected: "a number from 1 to 2^16")
        }
        guard falseAlarms >= 0x1p-60 && falseAlarms < 1 else {
            throw .parameter("false alarms", expected: "a probability from 2^-60 to 1")
        }
        let levels = (bits - 1) / bitsPerLevel + 1
        let noise = try IntegerNoise(
            rowsPerUnit: itemsPerUnit, rowL1: UInt128(levels), rowL2Squared: UInt128(levels), loss: loss)
        let nodes = Double(levels * mostSurvivors << bitsPerLevel)
        self.bits = bits
        self.bitsPerLevel = bitsPerLevel
        self.itemsPerUnit = itemsPerUnit
        self.mostSurvivors = mostSurvivors
        self.noise = noise
        threshold = Self.least { noise.upperTail($0) * nodes <= falseAlarms }
    }

    /// The least positive number for which a condition holds that, once true, stays true.
    private static func least(_ holds: (Int64) -> Bool) -> Int64 {
        var (low, high): (Int64, Int64) = (1, 1)
        while !holds(high) { (low, high) = (high + 1, 2 * high) }
        while low < high {
            let middle = low + (high - low) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return high
    }

    /// What happens in one search, all levels together.
    public var event: PrivacyEvent { noise.event }

    /// The number of levels.
    public var levels: Int { (bits - 1) / bitsPerLevel + 1 }

    /// An item of at least that many occurrences is found with that confidence (as long as fewer than `mostSurvivors`
    /// prefixes compete): the noise of each of its levels is no further below zero.
    public func detectableCount(confidence: Double) -> Int64 {
        threshold + noise.halfWidth(confidence: 1 - (1 - confidence) / Double(levels))
    }

    /// The frequent items, rising. `items`: how often each occurs; values beyond the domain and counts that are not
    /// positive are left out.
    public func release<R: RandomNumberGenerator>(
        _ items: [UInt64: Int64], using generator: inout R
    ) -> [Item] {
        let domain = SortedItems(items, bits: bits)
        var survivors = [Item(value: 0, noisyCount: 0)]
        var remaining = bits
        while remaining > 0 {
            let step = min(bitsPerLevel, remaining)
            remaining -= step
            var kept: [Item] = []
            for prefix in survivors {
                for digit in 0..<UInt64(1) << UInt64(step) {
                    let child = prefix.value << UInt64(step) | digit
                    let count = domain.count(prefix: child, suffixBits: remaining)
                    let noisy = noise.add(to: count, using: &generator)
                    if noisy >= threshold { kept.append(Item(value: child, noisyCount: noisy)) }
                }
            }
            survivors = largest(kept)
        }
        return survivors
    }

    private func largest(_ items: [Item]) -> [Item] {
        guard items.count > mostSurvivors else { return items }
        let best = items.sorted { ($1.noisyCount, $0.value) < ($0.noisyCount, $1.value) }
        return best.prefix(mostSurvivors).sorted { $0.value < $1.value }
    }
}

/// Items in order, with the number of occurrences before each.
private struct SortedItems {
    private let values: [UInt64]
    private let before: [Int64]

    init(_ items: [UInt64: Int64], bits: Int) {
        let kept = items.filter { $0.value > 0 && (bits == 64 || $0.key >> UInt64(bits) == 0) }
        values = kept.keys.sorted()
        var before = [Int64(0)]
        // Each is clipped, not their sums: fewer than 2^30 items fit in memory, and differences stay exact.
        for value in values { before.append(before[before.count - 1] + min(kept[value] ?? 0, 1 << 32)) }
        self.before = before
    }

    /// The occurrences of items that begin with the prefix.
    func count(prefix: UInt64, suffixBits: Int) -> Int64 {
        let first = prefix << UInt64(suffixBits)
        let last = first | ((UInt64(1) << UInt64(suffixBits)) - 1)
        let end = last == .max ? values.count : position(last + 1)
        return before[end] - before[position(first)]
    }

    /// The number of items below the value.
    private func position(_ value: UInt64) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
