import Secrets
import Testing

@testable import Tables

@Suite("Two halves of a table's units, which a key divides")
struct TableHalvesTests {
    private let schema = Schema(columns: [
        ColumnSchema(name: "person", type: .text), ColumnSchema(name: "value", type: .integer),
    ])

    private func key(_ byte: UInt8 = 7, _ population: String = "people") -> ClusteringKey {
        ClusteringKey(siteSecret: [UInt8](repeating: byte, count: 32), population: population)
    }

    /// By the unit's name, or where rows are units by the value: in which half it is.
    private func halves(_ rows: [[Value]], unit: Int?, _ key: ClusteringKey, column: Int) throws -> [String: Bool] {
        let table = try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: unit, rowsPerUnit: 10, key: key))
        let second = table.secondHalf(key)
        var found: [String: Bool] = [:]
        for index in 0..<table.unitCount {
            let row = table.rows(ofUnit: index).lowerBound
            found["\(table.value(column, row))"] = second[index]
        }
        return found
    }

    private func people(_ numbers: some Sequence<Int>) -> [[Value]] {
        numbers.flatMap { number in (0...number % 3).map { [.text("p\(number)"), .integer(Int64($0))] } }
    }

    @Test("A unit stays where it is when others come and go, in another table too, and a key decides where")
    func stable() throws {
        let all = try halves(people(0..<400), unit: 0, key(), column: 0)
        let fewer = try halves(people(stride(from: 0, to: 400, by: 3)), unit: 0, key(), column: 0)
        #expect(fewer.allSatisfy { all[$0.key] == $0.value } && fewer.count == 134)
        let other = try halves(people(0..<400), unit: 0, key(8), column: 0)
        let elsewhere = try halves(people(0..<400), unit: 0, key(7, "others"), column: 0)
        for changed in [other, elsewhere] {
            // Binomial of 400 and 1/2: outside of 140 to 260 once in 10^9.
            #expect((140...260).contains(changed.count { all[$0.key] != $0.value }))
        }
        #expect((140...260).contains(all.count { $0.value }))
    }

    @Test("Where each row is a unit, what it holds decides, and neither its place nor the other rows")
    func rows() throws {
        func rows(_ numbers: some Sequence<Int>) -> [[Value]] {
            numbers.map { [$0 % 7 == 0 ? .null : .text("t\($0)"), .integer(Int64($0))] }
        }
        let all = try halves(rows(0..<400), unit: nil, key(), column: 1)
        let fewer = try halves(rows((0..<400).filter { $0 % 5 != 0 }.reversed()), unit: nil, key(), column: 1)
        #expect(fewer.count == 320 && fewer.allSatisfy { all[$0.key] == $0.value })
        #expect((140...260).contains(all.count { $0.value }))
        // The same text with other numbers is in both halves.
        let alike = try halves((0..<400).map { [.text("same"), .integer(Int64($0))] }, unit: nil, key(), column: 1)
        #expect((140...260).contains(alike.count { $0.value }))
    }
}
