import Secrets

/// Groups one partition's rows by unit, units in the order of their names: finds the distinct units, names each once,
/// and gives each row the place that it has when units follow each other.
final class UnitGrouping {
    private let sorter = HashSorter()
    private let numbers = Scratch<Int32>()
    private let slots = Scratch<Int32>()
    private let words = Scratch<Int64>()
    private let counts = Scratch<Int32>()
    private var unitCount = 0
    private var next: [Int32] = []
    private var digests: [KeyedHash.Digest] = []
    /// Of each unit in order: its name and the end of its rows.
    private(set) var names: [KeyedHash.Digest] = []
    private(set) var ends: [Int64] = []

    /// Groups rows whose units are `units`; writes each row's place.
    func group(
        _ units: UnsafePointer<Int64>, count: Int, into places: UnsafeMutablePointer<Int32>,
        name: (Int64) -> KeyedHash.Digest
    ) {
        numberUnits(units, count)
        digests = (0..<unitCount).map { name(words.start[$0]) }
        sortUnits()
        let numbers = numbers.start
        next.withUnsafeMutableBufferPointer { next in
            for row in 0..<count {
                let unit = Int(numbers[row])
                places[row] = next[unit]
                next[unit] &+= 1
            }
        }
    }

    /// Numbers units in the order of first sight, by a table of open addressing.
    private func numberUnits(_ units: UnsafePointer<Int64>, _ count: Int) {
        numbers.reserve(count)
        words.reserve(count)
        counts.reserve(count)
        let (numbers, words, counts) = (numbers.start, words.start, counts.start)
        var bits = 10
        var found = 0
        var table = emptyTable(bits)
        for row in 0..<count {
            if found > 1 << (bits - 1) {
                bits += 2
                table = emptyTable(bits)
                for unit in 0..<found {
                    table[Self.slot(of: words[unit], in: table, words: words, bits: bits)] = Int32(unit)
                }
            }
            let slot = Self.slot(of: units[row], in: table, words: words, bits: bits)
            var unit = table[slot]
            if unit < 0 {
                unit = Int32(truncatingIfNeeded: found)
                table[slot] = unit
                words[found] = units[row]
                counts[found] = 0
                found += 1
            }
            counts[Int(unit)] &+= 1
            numbers[row] = unit
        }
        unitCount = found
    }

    private func emptyTable(_ bits: Int) -> UnsafeMutablePointer<Int32> {
        slots.reserve(1 << bits)
        slots.start.update(repeating: -1, count: 1 << bits)
        return slots.start
    }

    /// The slot of that unit, or the one that it would take.
    @inline(__always)
    private static func slot(
        of word: Int64, in table: UnsafeMutablePointer<Int32>, words: UnsafeMutablePointer<Int64>, bits: Int
    ) -> Int {
        let mixed = (UInt64(bitPattern: word) ^ UInt64(bitPattern: word) >> 32) &* 0x9e37_79b9_7f4a_7c15
        var slot = Int(truncatingIfNeeded: mixed >> UInt64(64 - bits))
        let mask = 1 << bits - 1
        while table[slot] >= 0, words[Int(table[slot])] != word { slot = (slot + 1) & mask }
        return slot
    }

    private func sortUnits() {
        let count = unitCount
        sorter.reserve(count)
        // The partition's own bits are the same in all: without them the rest is uniform.
        for unit in 0..<count {
            sorter.entries[unit] = HashSorter.Entry(
                hash: digests[unit].first << UInt64(RowPartitions.bits), number: Int32(truncatingIfNeeded: unit))
        }
        sorter.sort(count)
        sorter.forEachTie(count) { tie in
            let sorted = tie.map { sorter.entries[$0].number }.sorted { digests[Int($0)] < digests[Int($1)] }
            for (place, number) in zip(tie, sorted) { sorter.entries[place].number = number }
        }
        names.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        next.append(contentsOf: repeatElement(0, count: count))
        var end = 0
        for place in 0..<count {
            let unit = Int(sorter.entries[place].number)
            next[unit] = Int32(truncatingIfNeeded: end)
            end += Int(counts.start[unit])
            names.append(digests[unit])
            ends.append(Int64(end))
        }
    }
}
