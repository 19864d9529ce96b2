import Foundation

@testable import Tables

/// The files that Fixtures/parquet/make.py made, and what it says is in them.
enum ParquetFixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/parquet")

    static let all: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".parquet") }.map { String($0.dropLast(8)) }.sorted()

    /// Those whose rows are read here: this module inflates neither gzip nor zstd, and the datasite's tests read all.
    static let read = all.filter { name in
        !["refused", "encrypted", "unread", "too-large", "gzip", "zstd", "large", "nulls"].contains {
            name.contains($0)
        }
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: name + ".parquet")))
    }

    /// The rows as JSON lines; those of `all` are shared.
    static func lines(_ name: String) throws -> [UInt8] {
        let path = folder.appending(path: name + ".ndjson")
        let isOwn = FileManager.default.fileExists(atPath: path.path)
        return Array(try Data(contentsOf: isOwn ? path : folder.appending(path: "all.ndjson")))
    }

    static func source(_ bytes: [UInt8]) -> ParquetSource {
        ParquetSource(
            byteCount: bytes.count, read: { ColumnBytes(Array(bytes[$0])) }, inflate: { _, _, _ in false },
            checksum: checksum)
    }

    /// CRC-32, a bit at a time.
    @Sendable private static func checksum(_ sum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var sum = ~sum
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
        }
        return ~sum
    }

    static func file(_ bytes: [UInt8]) throws -> ParquetFile { try ParquetFile(source(bytes)) }

    /// The columns that are read, as a draft declares them.
    static func schema(_ file: ParquetFile) -> Schema {
        Schema(columns: file.columns.compactMap { field in field.type.map { column(field.name, $0) } })
    }

    static func plan(_ schema: Schema, _ onError: ErrorPolicy = .refuse) -> IngestPlan {
        IngestPlan(
            schema: schema, unitColumn: schema.columns.isEmpty ? nil : 0, rowsPerUnit: 10, key: testKey,
            onError: onError)
    }

    /// Reads a whole file as the plan says; throws its first wrong row.
    static func table(_ bytes: [UInt8], _ schema: Schema? = nil, _ onError: ErrorPolicy = .refuse) throws -> Table {
        let file = try file(bytes)
        let plan = plan(schema ?? self.schema(file), onError)
        let layout = try ParquetLayout(file, schema: plan.schema)
        let worker = IngestWorker(plan)
        var rows = 0
        for group in 0..<file.rowGroupCount {
            var part = try worker.read(rowGroup: group, of: layout)
            while !part.isWhole { part = try worker.read(rowGroup: group, of: layout) }
            if let error = part.result.refusal(onError, linesBefore: rows) { throw error }
            rows += part.result.lines
        }
        return try Table(assembling: [worker], plan: plan)
    }

    /// The same of JSON lines.
    static func table(lines: [UInt8], _ schema: Schema) throws -> Table {
        let worker = IngestWorker(plan(schema))
        let result = worker.read(0..<lines.count, of: ColumnBytes(lines), as: .ndjson(NDJSONLayout(schema: schema)))
        if let error = result.refusal(.refuse, linesBefore: 0) { throw error }
        return try Table(assembling: [worker], plan: plan(schema))
    }
}
