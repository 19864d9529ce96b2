import Dispatch
import Foundation
import Governance
import Query
import Synchronization
import Tables

/// How a file is read. A Parquet file is told by how it begins.
struct IngestOptions: Sendable {
    enum Format: Sendable, Hashable {
        /// By the file's name and beginning: .ndjson, .jsonl, .json (with or without .gz) and what begins with a brace are
        /// NDJSON, .tsv and .tab are separated by tabs, everything else by what its first rows show, unless a
        /// `CSVFormat` is declared.
        case byName(CSVFormat)
        case csv(CSVFormat)
        case ndjson
    }

    var format: Format = .byName(CSVFormat())
    var form = FileForm()
    var onError: ErrorPolicy = .refuse
    /// Threads that parse and sort.
    var threads = max(1, ProcessInfo.processInfo.activeProcessorCount)
    /// Bytes of a file that one thread parses at a time.
    var blockBytes = 1 << 20
    /// A gzipped file may inflate to so many bytes, however small it is.
    var inflatedBytes = 1 << 28
    /// Rows held in memory beyond this many bytes are spilled to the disk.
    var memoryBytes = 1 << 29
    /// About what sorting may take, on all threads.
    var sortingBytes = 3 << 27
    /// Distinct texts, which stay in memory, may take so many bytes.
    var textBytes = 1 << 29
    /// What each row of the file gets behind its own fields; without a file they are the table.
    var appended: AppendedFields?
}

/// How far an ingest is: for the owner.
struct IngestProgress: Sendable, Hashable {
    enum Stage: String, Sendable, Hashable { case reading, sorting, arrays, synchronizing }

    var stage: Stage
    /// The part of the stage that is done, 0 to 1.
    var fraction: Double
    /// Rows that were read so far; of text without a quoted line end, lines.
    var rows: Int

    /// The part of the whole ingest that is done, 0 to 1.
    var share: Double {
        switch stage {
        case .reading: 0.6 * fraction
        case .sorting: 0.6 + 0.3 * fraction
        case .arrays: 0.9 + 0.05 * fraction
        case .synchronizing: 0.95 + 0.05 * fraction
        }
    }
}

/// Why a file became no table. Nothing is left on the disk.
enum IngestError: Error, Hashable {
    /// The file cannot be read: its path and the system's reason.
    case unreadable(path: String, reason: String)
    /// The file is not compressed as it claims.
    case damagedCompression
    case wrongRow(RowError)
    /// Where rows begin is not known from there on.
    case brokenRow(RowError)
    case parquet(ParquetError)
    /// One row is longer than a row may be, or a quote is never closed: the line on which it starts.
    case rowTooLong(line: Int)
    /// More rows or units than the manifest's capacity.
    case overCapacity(what: String, capacity: Int)
    /// The table cannot be written: the system's reason.
    case unwritable(path: String, reason: String)
    case emptyFile
    /// Inflated, the file would be this many times its size: the limit.
    case inflatesTooMuch(limit: Int)
    /// A JSON document in place of lines.
    case isArray
    /// What is no text in the encoding that the file has, or is declared to have.
    case damagedText(encoding: String)
    /// Text columns have more distinct values than memory holds.
    case tooManyTexts
    /// The table's file has another number of rows than files of arrays.
    case rowsDiffer(arrays: Int, table: Int?)
    /// An array's numbers are not as declared: where and what.
    case array(String)
}

extension IngestError {
    /// The next step, where there is one.
    var hint: String? {
        guard case .wrongRow(let error) = self, error.line > 1 else { return nil }
        if error.isNoText {
            return "if the file is Windows-1252 or Latin-1, declare `encoding: windows-1252` in the manifest"
        }
        let epoch = error.isNoTime ? "a number since 1970 is read with `format: epoch-seconds`; else " : ""
        return epoch
            + "mend the file, declare the column otherwise, or say what becomes of such rows: --on-error null (a wrong "
            + "cell becomes nothing) or --on-error skip-unit (its unit's rows are left out)"
    }
}

extension IngestError: CustomStringConvertible {
    var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .damagedCompression: "the file is not whole: its gzip data is damaged or cut off"
        case .wrongRow(let error), .brokenRow(let error): "\(error)"
        case .parquet(let error): "\(error)"
        case .rowTooLong(let line): "line \(line): the row does not end; is a quote never closed?"
        case .overCapacity(let what, let capacity):
            "the file has more \(what) than the manifest's capacity of \(capacity); declare a larger capacity"
        case .unwritable(let path, let reason): "cannot write \(path): \(reason)"
        case .emptyFile: "the file is empty"
        case .inflatesTooMuch(let limit):
            "the file inflates to more than \(limit) times its size: it is damaged, or made to fill the disk; "
                + "if it is neither, inflate it first (gunzip)"
        case .isArray:
            "the file is one JSON list, not an object on each line: write it so first (jq -c '.[]' FILE > FILE.ndjson)"
        case .damagedText(let encoding): "the file is not text in \(encoding), or is cut off"
        case .tooManyTexts:
            "the text columns have too many different values to hold in memory; leave such columns out or name units by number"
        case .rowsDiffer(let rows, let table):
            "the arrays have \(rows) rows, and the table has \(table.map(String.init) ?? "more"): each row of the one belongs to the same row of the other"
        case .array(let what): what
        }
    }
}

/// Reads a file into a table's files in `directory`, which must not exist: it appears whole and synchronised to the disk,
/// or not at all. `directory`'s parent must exist. `base`: a table of the same columns and units whose rows are added too.
///
/// The table does not depend on the order of the file's rows, the number of threads or the size of blocks. Where `progress`
/// throws, the ingest ends with its error.
///
/// - Parameter file: nil: the rows are those of the arrays.
@discardableResult
func ingest(
    file: String?, manifest: Manifest, key: ClusteringKey, into directory: String, options: IngestOptions = .init(),
    arrays: ArrayInputs? = nil, base: Table? = nil, progress: @Sendable (IngestProgress) throws -> Void = { _ in }
) throws -> IngestReport {
    let isLookup = manifest.lookupKey != nil
    var options = options
    options.appended = arrays?.appended
    var plan = IngestPlan(
        schema: arrays?.ingested ?? manifest.schema, unitColumn: isLookup ? nil : manifest.unit.column,
        lookupKey: manifest.lookupKey,
        rowsPerUnit: isLookup ? 1 : manifest.unit.rowsPerUnit, key: key, onError: options.onError)
    plan.base = base
    let writer = try TableWriter(directory: directory)
    do {
        var run = try IngestRun(file: file, plan: plan, options: options, spillingTo: writer.partial)
        if let base { try run.take(base) }
        try run.read(progress)
        let report = try run.assemble(writer, progress)
        if report.rowsKept > manifest.capacityRows {
            throw IngestError.overCapacity(what: "rows", capacity: manifest.capacityRows)
        }
        if !isLookup, report.units > manifest.capacityUnits {
            throw IngestError.overCapacity(what: "units", capacity: manifest.capacityUnits)
        }
        if var description = run.description {
            if let arrays {
                try arrays.check(report)
                let table = try writer.open(description, plan.schema)
                let computed = try arrays.write(table, to: writer.append) { fraction in
                    try progress(IngestProgress(stage: .arrays, fraction: fraction, rows: report.rowsRead))
                }
                let whole = Set(description.parts)
                description = arrays.description(description)
                try writer.discard(whole.subtracting(description.parts))
                // Where columns stood that only said which numbers are a row's.
                description = try arrays.writeComputed(computed, of: description, to: writer.append)
            }
            try progress(IngestProgress(stage: .synchronizing, fraction: 0, rows: report.rowsRead))
            try writer.commit(description)
        }
        try progress(IngestProgress(stage: .synchronizing, fraction: 1, rows: report.rowsRead))
        return report
    } catch {
        writer.abandon()
        throw error
    }
}

/// Runs `body` for each index on the machine's threads and waits for all; results in order.
func concurrently<Result: Sendable>(_ count: Int, _ body: @Sendable (Int) -> Result) -> [Result] {
    if count <= 1 { return (0..<count).map(body) }
    let results = Mutex([Result?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { index in
        let result = body(index)
        results.withLock { $0[index] = result }
    }
    return results.withLock { $0.compactMap { $0 } }
}
