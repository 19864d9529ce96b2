import Tables

@testable import Datasite

/// A Parquet file, read by one worker and, its row groups in turn, by two: the table, the counts and the first error are
/// the same. The first byte chooses the policy for wrong rows and whether each row is a unit.
enum ParquetTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first else { return [] }
        let bytes = Array(input.dropFirst())
        let source = ParquetSource(
            byteCount: bytes.count, read: { ColumnBytes(Array(bytes[$0])) }, inflate: ParquetInput.inflate,
            checksum: checksum)
        // A fuzzer wants many runs: a run of one value may stand for millions of rows.
        guard let file = try? ParquetFile(source), file.rowCount <= 100_000 else { return [] }
        let columns = file.columns.compactMap { column in
            column.type.map { ColumnSchema(name: column.name, type: $0, maximumBytes: 40) }
        }
        guard !columns.isEmpty, Set(columns.map { $0.name.lowercased() }).count == columns.count else { return [] }
        let plan = IngestPlan(
            schema: Schema(columns: columns), unitColumn: first & 4 == 0 ? 0 : nil, rowsPerUnit: 2,
            key: ClusteringKey(siteSecret: Array(0..<16), population: "people"),
            onError: ErrorPolicy.allCases[Int(first % 3)])
        guard let layout = try? ParquetLayout(file, schema: plan.schema) else { return [] }
        let (one, two) = (Reading(layout, plan, workers: 1), Reading(layout, plan, workers: 2))
        if one.refusal != two.refusal { return ["the first error depends on the workers"] }
        guard one.refusal == nil else { return [] }
        if one.report != two.report { return ["the counts depend on the workers"] }
        return one.bytes == two.bytes ? [] : ["the table depends on the workers"]
    }

    private struct Reading {
        var refusal: String?
        var report: IngestReport?
        var bytes: [TablePart: [UInt8]] = [:]

        init(_ layout: ParquetLayout, _ plan: IngestPlan, workers count: Int) {
            let workers = (0..<count).map { _ in IngestWorker(plan) }
            var rows = 0
            do {
                for group in 0..<layout.file.rowGroupCount {
                    var part = try workers[group % count].read(rowGroup: group, of: layout)
                    while !part.isWhole { part = try workers[group % count].read(rowGroup: group, of: layout) }
                    if let error = part.result.refusal(plan.onError, linesBefore: rows) { throw error }
                    rows += part.result.lines
                }
            } catch {
                refusal = "\(error)"
                return
            }
            (report, bytes) = RowsTarget.assemble(workers, plan)
        }
    }
}
