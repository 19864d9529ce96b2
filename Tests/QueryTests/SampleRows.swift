import Secrets
import Tables

@testable import Query

/// Made-up rows for the tests' manifest.
enum SampleRows {
    /// What a plan reads: the first table's rows, joined with the second's where it reads both.
    static func source(_ plan: Plan, _ visits: [[Value]], _ clinics: [[Value]]) throws -> RowSource {
        let left = try table(Fixtures.visits, visits)
        guard plan.datasets.count > 1 else { return .table(left) }
        return .join(
            left, try table(Fixtures.clinics, clinics), leftRows: plan.rowsPerUnit[0], rightRows: plan.rowsPerUnit[1])
    }

    static let key = ClusteringKey(siteSecret: Array(repeating: 7, count: 32), population: "people")

    static func table(_ dataset: DatasetDescription, _ rows: [[Value]]) throws -> Table {
        try Table(
            rows: rows,
            plan: IngestPlan(
                schema: dataset.schema, unitColumn: dataset.unit.column, rowsPerUnit: Contribution.rows(dataset),
                key: key))
    }

    /// `units` people with up to 8 rows each (more than may enter), with extreme and missing values among them.
    static func visits(units: Int, _ random: inout SeededGenerator) -> [[Value]] {
        (0..<units).flatMap { unit -> [[Value]] in
            (0..<Int.random(in: 1...8, using: &random)).map { _ in
                [
                    .text("p\(unit)"),
                    .text(["free", "25 %", "50 %", "95 %"].randomElement(using: &random) ?? "free"),
                    .integer(Int64.random(in: 0...99, using: &random)), real(&random),
                    .integer(Int64.random(in: 0...50, using: &random)),
                    Bool.random(using: &random) ? .null : .text("c\(Int.random(in: 0...5, using: &random))"),
                    [.null, .boolean(true), .boolean(false)].randomElement(using: &random) ?? .null,
                    .date(Int64.random(in: 0...1_095, using: &random)),
                    .real([0.5, 1, 2.25, 4, 90, -3].randomElement(using: &random) ?? 1),
                    real(&random), .integer([Int64.max, -5, 0, 12].randomElement(using: &random) ?? 0),
                ]
            }
        }
    }

    private static func real(_ random: inout SeededGenerator) -> Value {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .null
        case 1: .real(1e300)
        case 2: .real(-1e9)
        case 3: .real(1_000)
        default: .real(Double(Int.random(in: 0...1_000_000, using: &random)) / 1_000)
        }
    }

    static func clinics(units: Int, _ random: inout SeededGenerator) -> [[Value]] {
        (0..<units).flatMap { unit -> [[Value]] in
            (0..<Int.random(in: 0...3, using: &random)).map { _ in [.text("p\(unit)"), real(&random)] }
        }
    }

    static func lookup() throws -> LookupTable {
        try LookupTable(
            schema: Fixtures.plans.schema, keyColumn: 0,
            rows: [
                [.text("free"), .text("free"), .real(0)], [.text("25 %"), .text("shared"), .real(0.25)],
                [.text("95 %"), .text("shared"), .real(0.95)],
            ])
    }
}
