import Secrets
import Tables

/// A small table with columns of every kind, and dependences that a forest can hold.
enum MadeTable {
    static let schema = Schema(columns: [
        ColumnSchema(name: "person", type: .text, isNullable: false),
        ColumnSchema(
            name: "ward", type: .text, domain: [.text("east"), .text("west"), .text("north")], other: .text("north")),
        ColumnSchema(name: "smoker", type: .boolean, isNullable: false),
        ColumnSchema(name: "visits", type: .integer, isNullable: false, lowerBound: 0, upperBound: 9),
        ColumnSchema(name: "cost", type: .real, lowerBound: 0, upperBound: 10_000, resolution: 1),
        ColumnSchema(name: "day", type: .date, lowerBound: 10_000, upperBound: 10_364),
        ColumnSchema(name: "seen", type: .timestamp, lowerBound: 1e9, upperBound: 1.1e9),
        ColumnSchema(name: "country", type: .text, isNullable: false, domain: [.text("nowhere")]),
        ColumnSchema(name: "note", type: .text),
        ColumnSchema(name: "weight", type: .real),
    ])

    static func plan(_ rowsPerUnit: Int = 3) -> IngestPlan {
        IngestPlan(
            schema: schema, unitColumn: 0, rowsPerUnit: rowsPerUnit,
            key: ClusteringKey(siteSecret: Array("a secret for tests".utf8), population: "made"), onError: .null)
    }

    static func rows(_ count: Int, seed: UInt64 = 7) -> [[Value]] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { row in
            let number = Int64(generator.next() % 10)
            let ward = number < 4 ? "east" : number < 7 ? "west" : "south"
            return [
                .text("p\(row / 3)"), generator.next() % 20 == 0 ? .null : .text(ward), .boolean(number > 5),
                .integer(number), .real(Double(number * number * 100)), .date(10_000 + 36 * number),
                .timestamp(1_000_000_000 + 10_000_000 * number), .text("nowhere"), .text("private words"), .real(70),
            ]
        }
    }

    static func table(_ count: Int, rowsPerUnit: Int = 3) throws -> Table {
        try Table(rows: rows(count), plan: plan(rowsPerUnit))
    }
}
