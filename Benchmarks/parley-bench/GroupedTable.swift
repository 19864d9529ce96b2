import Foundation
import Secrets

/// The benchmark's table: 1e7 rows of 1e5 units; each unit has 10 groups of 1000, drawn by Zipf popularity; values are
/// min(100, Gamma(2, 15) (0.5 + (g mod 7) / 6)). Each row belongs to a random unit, so that units have 100 rows on average.
struct GroupedTable {
    static let groups = 1000
    let units: Int
    let rows: Int

    static let benchmark = GroupedTable(units: 100_000, rows: 10_000_000)

    /// Exact answers, over all rows.
    struct Truth {
        var counts = [Int](repeating: 0, count: GroupedTable.groups)
        var sums = [Double](repeating: 0, count: GroupedTable.groups)
    }

    /// What the owner declares of so many rows and units.
    static func manifest(rows: Int, units: Int) -> String {
        """
        name: grouped
        title: Benchmark table
        description: Units in 1000 groups
        population: benchmark
        unit: {column: unit, rows: 200, groups: 10, rows-per-group: 20}
        capacity: {rows: \(rows), units: \(units)}
        policy: {loss: zcdp, delta: 2e-6, total: {rho: 0.44}, aggregates: all, approval: automatic}
        columns:
          - {name: unit, type: integer, nullable: false, description: the unit}
          - {name: g, type: integer, nullable: false, description: the group}
          - {name: v, type: real, bounds: [0, 100], nullable: false, description: the value}
        """
    }

    /// Calls `body` with unit, group and value, row by row, the same rows whenever it is called.
    func forEachRow(_ body: (_ unit: Int, _ group: Int, _ value: Double) -> Void) {
        var generator = SeededGenerator(seed: 2026)
        let choices = unitGroups(&generator)
        for _ in 0..<rows {
            let unit = Int(generator.next() % UInt64(units))
            let group = Int(choices[unit * 10 + Int(generator.next() % 10)])
            let gamma = -15 * (log(uniform(&generator)) + log(uniform(&generator)))
            body(unit, group, min(100, gamma * (0.5 + Double(group % 7) / 6)))
        }
    }

    func truth() -> Truth {
        var truth = Truth()
        forEachRow { _, group, value in
            truth.counts[group] += 1
            truth.sums[group] += value
        }
        return truth
    }

    /// Writes the table as CSV, `copies` times with other units in each; returns its bytes.
    func write(to path: String, copies: Int = 1) throws -> Int {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        defer { try? file.close() }
        // What follows the unit, row after row: drawn once, since drawing takes longer than writing.
        var rest: [UInt8] = []
        var ends: [Int] = []
        var owners: [Int] = []
        forEachRow { unit, group, value in
            append(group, value, to: &rest)
            ends.append(rest.count)
            owners.append(unit)
        }
        var buffer = Array("unit,g,v\n".utf8)
        var written = 0
        for copy in 0..<copies {
            var start = 0
            for (end, owner) in zip(ends, owners) {
                append(owner + copy * units, to: &buffer)
                buffer.append(contentsOf: rest[start..<end])
                start = end
                if buffer.count > 1 << 20 {
                    try file.write(contentsOf: buffer)
                    written += buffer.count
                    buffer.removeAll(keepingCapacity: true)
                }
            }
        }
        try file.write(contentsOf: buffer)
        return written + buffer.count
    }

    /// Group and value with four decimals, to the end of the row.
    private func append(_ group: Int, _ value: Double, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: ","))
        append(group, to: &buffer)
        buffer.append(UInt8(ascii: ","))
        let scaled = Int((value * 10_000).rounded())
        append(scaled / 10_000, to: &buffer)
        buffer.append(UInt8(ascii: "."))
        let fraction = scaled % 10_000
        for divisor in [1000, 100, 10, 1] { buffer.append(UInt8(ascii: "0") + UInt8(fraction / divisor % 10)) }
        buffer.append(UInt8(ascii: "\n"))
    }

    private func unitGroups(_ generator: inout SeededGenerator) -> [UInt16] {
        var cumulative: [Double] = []
        var total = 0.0
        for group in 0..<Self.groups {
            total += 1 / Double(group + 1)
            cumulative.append(total)
        }
        var choices: [UInt16] = []
        choices.reserveCapacity(units * 10)
        for _ in 0..<units {
            var own: [UInt16] = []
            while own.count < 10 {
                let target = uniform(&generator) * total
                var low = 0
                var high = Self.groups - 1
                while low < high {
                    let middle = (low + high) / 2
                    if cumulative[middle] < target { low = middle + 1 } else { high = middle }
                }
                if !own.contains(UInt16(low)) { own.append(UInt16(low)) }
            }
            choices += own
        }
        return choices
    }

    /// Uniform in (0, 1].
    private func uniform(_ generator: inout SeededGenerator) -> Double {
        Double((generator.next() >> 11) + 1) * 0x1p-53
    }

    private func append(_ number: Int, to buffer: inout [UInt8]) {
        buffer.append(contentsOf: String(number).utf8)
    }
}
