/// Sorted values of a public grid, each put at a place of its own on a finer one, so that ranks have places too where
/// many values are equal.
///
/// A grid point is divided into 2^bits places; its k-th value (k = 1, 2, ...) takes the place that van der Corput's
/// sequence gives to k modulo 2^bits: the half, the quarter, three quarters, ... The places of c values are thus the
/// first c of one sequence: a value more adds a place and moves none, so that neighbouring tables have neighbouring
/// places.
struct RefinedRanks: Sendable {
    let points: Int
    /// A grid point's places, as a power of two.
    let bits: Int
    private let indices: [Int]
    /// The number of values below each occupied grid point, and of all.
    private let below: [Int]

    /// On a grid of at most 2^40 points, places are numbers of 60 bits.
    static let defaultBits = 20
    static let mostPoints = 1 << 40

    /// Throws unless `indices` are rising points of the grid, counts are positive and at most 2^31 in all.
    init(
        indices: [Int], counts: [Int64], points: Int, bits: Int = RefinedRanks.defaultBits
    ) throws(MechanismError) {
        guard indices.count == counts.count else { throw .parameter("counts", expected: "as many as indices") }
        var next = 0
        var below = [0]
        below.reserveCapacity(counts.count + 1)
        var total = 0
        for (index, count) in zip(indices, counts) {
            guard index >= next && index < points else {
                throw .parameter("indices", expected: "rising points of the grid")
            }
            guard count > 0 && count <= 1 << 31 - Int64(total) else {
                throw .parameter("counts", expected: "positive numbers, at most 2^31 in all")
            }
            next = index + 1
            total += Int(count)
            below.append(total)
        }
        self.points = points
        self.indices = indices
        self.below = below
        self.bits = bits
    }

    /// The number of values.
    var count: Int { below[below.count - 1] }

    /// The number of places.
    var places: UInt64 { UInt64(points) << UInt64(bits) }

    /// The gap of a rank r: the places y with exactly r values below them, the value at y not counted.
    struct Gap: Sendable {
        var first: UInt64
        var width: UInt64
    }

    /// The gaps of those ranks, which lie within 0...count.
    func gaps(_ ranks: ClosedRange<Int>) -> [Gap] {
        // The places of the values from number lowerBound - 1 to upperBound, where they exist.
        let values = max(0, ranks.lowerBound - 1)..<min(count, ranks.upperBound + 1)
        let sorted = sortedPlaces(values)
        return ranks.map { rank in
            let first = rank == 0 ? 0 : sorted[rank - 1 - values.lowerBound] + 1
            let end = rank == count ? places : sorted[rank - values.lowerBound] + 1
            return Gap(first: first, width: end - first)
        }
    }

    /// The places of the values with those numbers, in rising order.
    private func sortedPlaces(_ values: Range<Int>) -> [UInt64] {
        var result: [UInt64] = []
        guard !values.isEmpty else { return result }
        result.reserveCapacity(values.count)
        var block = blockOf(values.lowerBound)
        while result.count < values.count {
            let inBlock = max(values.lowerBound, below[block])..<min(values.upperBound, below[block + 1])
            appendPlaces(inBlock.lowerBound - below[block]..<inBlock.upperBound - below[block], block, to: &result)
            block += 1
        }
        return result
    }

    /// The occupied grid point of a value's number.
    private func blockOf(_ value: Int) -> Int {
        var (low, high) = (0, indices.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if below[middle + 1] > value { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func appendPlaces(_ values: Range<Int>, _ block: Int, to result: inout [UInt64]) {
        let count = UInt64(below[block + 1] - below[block])
        let digits = min(bits, UInt64.bitWidth - count.leadingZeroBitCount)
        let base = UInt64(indices[block]) << UInt64(bits)
        var passed = 0
        for slot in 0..<UInt64(1) << UInt64(digits) where passed < values.upperBound {
            let number = digits == 0 ? 0 : Self.reversed(slot, digits)
            let multiplicity = Int(Self.occurrences(of: number, among: count, period: 1 << UInt64(digits)))
            let taken =
                max(passed, values.lowerBound)..<max(values.lowerBound, min(passed + multiplicity, values.upperBound))
            if taken.lowerBound < taken.upperBound {
                let place = base + slot << UInt64(bits - digits)
                result.append(contentsOf: repeatElement(place, count: taken.count))
            }
            passed += multiplicity
        }
    }

    private static func reversed(_ slot: UInt64, _ digits: Int) -> UInt64 {
        var (rest, result) = (slot, UInt64(0))
        for _ in 0..<digits {
            result = result << 1 | rest & 1
            rest >>= 1
        }
        return result
    }

    /// How many of 1...count are `number` modulo the period.
    private static func occurrences(of number: UInt64, among count: UInt64, period: UInt64) -> UInt64 {
        if number == 0 { return count / period }
        return count >= number ? (count - number) / period + 1 : 0
    }
}
