import Query
import Secrets
import Tables

/// A manifest with a column of every kind, and random rows that keep none of its promises: values beyond their bounds
/// and domains, nulls in columns that have none, both zeros, texts that differ only in normalisation, and the ends of
/// every type.
enum AuditedTable {
    static let columns = Schema(columns: [
        ColumnSchema(name: "u", type: .text, isNullable: false),
        ColumnSchema(name: "k", type: .text, domain: ["a", "b", "é"].map(Value.text), other: .text("b")),
        ColumnSchema(name: "c", type: .text, maximumBytes: 5),
        ColumnSchema(name: "i", type: .integer, lowerBound: -5, upperBound: 7),
        ColumnSchema(name: "big", type: .integer, lowerBound: -0x1p53, upperBound: 0x1p53),
        ColumnSchema(name: "x", type: .real, lowerBound: -3, upperBound: 10, resolution: 0.5, infinityIsBound: true),
        ColumnSchema(name: "wide", type: .real, lowerBound: -1e29, upperBound: 1e29),
        ColumnSchema(name: "b", type: .boolean),
        ColumnSchema(name: "d", type: .date, lowerBound: 0, upperBound: 800),
        ColumnSchema(name: "s", type: .timestamp, lowerBound: 0, upperBound: 1e8),
        ColumnSchema(name: "w", type: .real, lowerBound: 0.5, upperBound: 3),
        ColumnSchema(name: "f", type: .real),
        ColumnSchema(name: "g", type: .integer),
        ColumnSchema(name: "t", type: .timestamp),
    ])

    /// What the question's unit may contribute.
    struct Bounds {
        var rows: Int
        var groups: Int
        var rowsPerGroup: Int?

        static func random(_ random: inout SeededGenerator) -> Bounds {
            let rows = Int.random(in: 1...6, using: &random)
            return Bounds(
                rows: rows, groups: Int.random(in: 1...rows, using: &random),
                rowsPerGroup: Bool.random(using: &random) ? Int.random(in: 1...rows, using: &random) : nil)
        }
    }

    static func description(_ name: String, _ bounds: Bounds) -> DatasetDescription {
        DatasetDescription(
            name: name, schema: columns,
            unit: UnitDeclaration(
                column: 0, rowsPerUnit: bounds.rows, groupsPerUnit: bounds.groups, rowsPerGroup: bounds.rowsPerGroup),
            weightColumn: name == "left_table" ? 10 : nil, capacityRows: 10_000, population: "people")
    }

    static let lookup = LookupDescription(
        name: "kinds",
        schema: Schema(columns: [
            ColumnSchema(name: "k", type: .text, isNullable: false),
            ColumnSchema(name: "kind", type: .text, domain: ["p", "q"].map(Value.text)),
            ColumnSchema(name: "price", type: .real, lowerBound: 0, upperBound: 2),
        ]), keyColumn: 0, capacityRows: 100)

    static func lookupTable() throws -> LookupTable {
        try LookupTable(
            schema: lookup.schema, keyColumn: 0,
            rows: [
                [.text("a"), .text("p"), .real(1)], [.text("b"), .text("q"), .real(1e9)], [.text("zz"), .null, .null],
            ])
    }

    /// The rows of one unit; more than its bound at times.
    static func rows(_ unit: Int, _ bounds: Bounds, _ random: inout SeededGenerator) -> [[Value]] {
        (0..<Int.random(in: 0...bounds.rows + 3, using: &random)).map { _ in row(unit, &random) }
    }

    private static func row(_ unit: Int, _ random: inout SeededGenerator) -> [Value] {
        [.text("person \(unit)")] + columns.columns.dropFirst().map { value($0, &random) }
    }

    private static let integers: [Int64] = [
        0, 1, -1, 2, 3, 7, -5, 8, 100, 86_399, 86_400, 1 << 53, (1 << 53) + 1, .max, -.max, 2_932_896, 2_932_897,
        -719_528, -719_529,
    ]
    private static let reals: [Double] = [
        0, -0.0, 1, 0.5, -3, 10, 2.5, 1e9, -1e29, 1e29, 1e30, 0x1p53, 0x1p63, -0x1p63, 1e308, -1e308,
        .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
        .infinity, -.infinity, .nan, 0.1, 1e15,
    ]
    private static let texts = [
        "a", "b", "\u{e9}", "e\u{301}", "", " a ", "a\u{301}\u{302}\u{303}", "12", "-9223372036854775808", "1e400",
        "1970-01-31", "%", "\\", "ß", "\u{1F468}\u{200D}\u{1F469}", "NaN", "true",
    ]

    private static func value(_ column: ColumnSchema, _ random: inout SeededGenerator) -> Value {
        if Int.random(in: 0..<8, using: &random) == 0 { return .null }
        let isPlain = Int.random(in: 0..<3, using: &random) > 0
        let small = Int64.random(in: -6...9, using: &random)
        let integer = isPlain ? small : integers[Int.random(in: 0..<integers.count, using: &random)]
        switch column.type {
        case .integer: return .integer(integer)
        case .date: return .date(isPlain ? integer * 50 : integer)
        case .timestamp: return .timestamp(isPlain ? integer * 10_000_000 : integer)
        case .boolean: return .boolean(Bool.random(using: &random))
        case .real:
            return .real(
                isPlain ? Double(integer) / 2 : reals[Int.random(in: 0..<reals.count, using: &random)])
        case .text: return .text(texts[Int.random(in: 0..<(isPlain ? 4 : texts.count), using: &random)])
        }
    }

    /// The table of those units' rows, read in an order of its own.
    static func table(
        _ units: [[[Value]]], _ bounds: Bounds, _ random: inout SeededGenerator
    ) throws -> Table {
        try Table(
            rows: units.flatMap(\.self).shuffled(using: &random),
            plan: IngestPlan(
                schema: columns, unitColumn: 0, rowsPerUnit: bounds.rows,
                key: ClusteringKey(siteSecret: Array(0..<16), population: "people"), onError: .null))
    }
}
