import Secrets

@testable import Tables

/// What tests may see and nobody else: a table's rows as values, with their unit.
extension Table {
    func storedRows() -> [(unit: Int, row: [Value])] {
        (0..<unitCount).flatMap { unit in
            rows(ofUnit: unit).map { row in (unit, columns.indices.map { value($0, row) }) }
        }
    }

    /// The rows of each unit in stored order, by the unit's value (or by the unit's number where each row is one).
    func rowsByUnit() -> [Value: [[Value]]] {
        var result: [Value: [[Value]]] = [:]
        for (unit, row) in storedRows() {
            result[unitColumn.map { row[$0] } ?? .integer(Int64(unit)), default: []].append(row)
        }
        return result
    }
}

let testKey = ClusteringKey(siteSecret: Array(0..<32), population: "people")

func column(_ name: String, _ type: ValueType, nullable: Bool = true) -> ColumnSchema {
    ColumnSchema(name: name, type: type, isNullable: nullable)
}

/// Random numbers for tests.
struct Dice {
    var generator: SeededGenerator

    init(_ seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.count))
    }

    mutating func chance(_ percent: Int) -> Bool { int(1...100) <= percent }

    mutating func pick<T>(_ values: [T]) -> T { values[int(0...values.count - 1)] }

    mutating func shuffle<T>(_ values: [T]) -> [T] {
        var values = values
        for place in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(place, int(0...place)) }
        return values
    }

    mutating func value(_ type: ValueType, nulls: Int = 15) -> Value {
        if chance(nulls) { return .null }
        switch type {
        case .integer: return .integer(chance(5) ? pick([Int64.max, -Int64.max, 1 << 40]) : Int64(int(-20...20)))
        case .real: return .real(chance(5) ? pick([1e300, -1e300, 0.1, 1e-300]) : Double(int(-40...40)) / 4)
        case .text:
            return .text(
                pick(["", "a", "b", "ab", "Ab", " b ", "é", "日本", "12", "-1.5", "true", "2020-02-29", "%", "a_b"]))
        case .boolean: return .boolean(chance(50))
        case .date: return .date(Int64(int(-800_000...3_000_000)))
        case .timestamp: return .timestamp(Int64(int(-10_000_000_000...10_000_000_000)))
        }
    }
}
