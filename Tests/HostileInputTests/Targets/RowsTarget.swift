import Tables

/// Rows of a file, read at once by one worker and cut in two for two: the table, the counts and the first error are the
/// same. The first byte chooses the policy for wrong rows and the way in which values are separated.
enum RowsTarget {
    static let schema = Schema(columns: [
        ColumnSchema(name: "unit", type: .text, isNullable: false),
        ColumnSchema(name: "number", type: .integer, lowerBound: -5, upperBound: 1_000),
        ColumnSchema(name: "value", type: .real, lowerBound: -3, upperBound: 10, infinityIsBound: true),
        ColumnSchema(name: "flag", type: .boolean),
        ColumnSchema(name: "day", type: .date),
        ColumnSchema(name: "moment", type: .timestamp),
        ColumnSchema(name: "word", type: .text, domain: ["a", "b", "é"].map(Value.text), other: .text("b")),
        ColumnSchema(name: "text", type: .text, maximumBytes: 5),
        ColumnSchema(name: "free", type: .real),
        ColumnSchema(name: "count", type: .integer),
    ])

    /// What becomes of the rows that the workers read: the report and the table's parts.
    static func assemble(_ workers: [IngestWorker], _ plan: IngestPlan) -> (IngestReport, [TablePart: [UInt8]]) {
        var assembler = TableAssembler(workers, plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        let sink: TableAssembler.Sink = { part, bytes in parts[part, default: []] += bytes }
        for partition in (try? assembler.partitions(0..<TableAssembler.partitionCount)) ?? [] {
            try? assembler.write(partition, to: sink)
        }
        _ = try? assembler.finish(to: sink)
        return (assembler.report, parts)
    }

    static func violations(_ input: [UInt8], isCSV: Bool) -> [String] {
        guard let first = input.first else { return [] }
        let rows = Array(input.dropFirst())
        let policy = ErrorPolicy.allCases[Int(first % 3)]
        let csv = CSVFormat(
            delimiter: first & 4 == 0 ? UInt8(ascii: ",") : 0x09, quote: first & 8 == 0 ? UInt8(ascii: "\"") : nil,
            hasHeader: first & 16 != 0, nulls: first & 32 == 0 ? [""] : ["NA", "-"])
        let plan = IngestPlan(
            schema: schema, unitColumn: first & 64 == 0 ? 0 : nil, rowsPerUnit: 2,
            key: ClusteringKey(siteSecret: Array(0..<16), population: "people"), onError: policy)
        var start = 0
        let format: RowFormat
        if isCSV {
            guard let read = try? CSVLayout.reading(ColumnBytes(rows), format: csv, schema: schema) else { return [] }
            start = read.headerBytes
            format = .csv(read.layout)
            guard start <= rows.count else { return ["a header that is longer than the file"] }
        } else {
            format = .ndjson(NDJSONLayout(schema: schema))
        }
        let body = Array(rows[start...])
        // The last choice: parse and no more, for the many runs that a fuzzer wants.
        guard first & 128 == 0 else {
            _ = IngestWorker(plan).read(0..<body.count, of: ColumnBytes(body), as: format)
            return []
        }
        return violations(body, format, plan, quote: isCSV ? csv.quote : nil)
    }

    private static func violations(
        _ rows: [UInt8], _ format: RowFormat, _ plan: IngestPlan, quote: UInt8?
    ) -> [String] {
        let half = ColumnBytes(Array(rows.prefix(rows.count / 2)))
        guard let cut = half.withBytes({ RowBoundary.last(in: $0, quote: quote) }) else {
            _ = Reading([rows], format, plan)
            return []
        }
        let whole = Reading([rows], format, plan)
        let parts = Reading([Array(rows[..<cut]), Array(rows[cut...])], format, plan)
        guard whole.refusal == parts.refusal else { return ["the first error depends on the blocks"] }
        guard whole.refusal == nil else { return [] }
        if whole.report != parts.report { return ["the counts depend on the blocks"] }
        if whole.bytes != parts.bytes { return ["the table depends on the blocks"] }
        return []
    }

    /// What became of a file in blocks, each read by a worker of its own.
    private struct Reading {
        var refusal: RowError?
        var report: IngestReport?
        var bytes: [TablePart: [UInt8]] = [:]

        init(_ blocks: [[UInt8]], _ format: RowFormat, _ plan: IngestPlan) {
            var workers: [IngestWorker] = []
            var lines = 0
            for block in blocks {
                let worker = IngestWorker(plan)
                let result = worker.read(0..<block.count, of: ColumnBytes(block), as: format)
                refusal = result.refusal(plan.onError, linesBefore: lines)
                guard refusal == nil else { return }
                lines += result.lines
                workers.append(worker)
            }
            (report, bytes) = RowsTarget.assemble(workers, plan)
        }
    }
}
