import DatasiteProtocol
import Foundation
import Governance
import Learning
import Synchronization
import Tables

/// What files hold of a table's arrays, and of those of its columns that are no part of the table's own file.
///
/// Rows of a table are put into another order, and some may be dropped. Which numbers belong to a row is told by a text that goes with it as a
/// column more: of images the file's name, of arrays in one file a keyed digest of the row's own numbers. Both follow from the row alone, so that a
/// unit's rows and their order stay what they are whoever else is in the table (docs/privacy.md, rule 11); a row's number in its file would not.
struct ArrayInputs {
    /// The column of a table that names each row's images.
    static let fileColumn = "file"
    /// The name of the column of digests: nothing that a manifest may declare.
    private static let digestColumn = "array digest\u{1}"

    /// What each row's line gets behind its end.
    let appended: AppendedFields?
    /// Columns that come from files of arrays.
    let ownColumns: Set<String>
    private let hasTable: Bool
    private let schema: Schema
    private let sources: [ArraySource]
    private let found: Remarks
    private let places: [String: Int]

    /// - Parameters:
    ///   - hasTable: Whether a file of the table's own holds its other columns.
    ///   - key: Of the table's rows.
    ///   - check: Throws where the reading shall end.
    /// - Throws: A `Problem` that names the array, what arrived and what would be right.
    init(_ files: [ArrayFile], of manifest: Manifest, hasTable: Bool, key: ClusteringKey, check: () throws -> Void)
        throws
    {
        let schema = manifest.schema
        try Self.checkNames(files, schema, hasTable: hasTable)
        var reader = ArrayFileReader()
        let found = Remarks()
        sources = try schema.arrays.map { array in
            try check()
            let file = files.first { $0.name == array.name }
            let (source, outside) = try reader.source(file ?? ArrayFile(name: array.name, path: ""), as: array)
            found.add(outside, "numbers of \(array.name) outside its bounds are stored as the bound")
            return source
        }
        self.found = found
        guard hasTable || !sources.contains(where: \.isFolder) else {
            throw Problem.invalidData(
                "nothing says which image belongs to which row",
                hint: "give a table whose column `\(Self.fileColumn)` names each row's file in the folder")
        }
        if sources.contains(where: \.isFolder), schema.index(of: Self.fileColumn) != nil {
            throw Problem.invalidManifest(
                "`columns`: `\(Self.fileColumn)` names each row's image, and is no column of the table: declared, it would be cut or mapped",
                hint: "list it under `ignore`")
        }
        var rows: [(name: String, count: Int)] = zip(schema.arrays, sources).compactMap { array, source in
            source.rows.map { (array.name, $0) }
        }
        var fields: [(name: String, texts: [String])] = []
        for file in files where !schema.arrays.contains(where: { $0.name == file.name }) {
            guard let column = schema.columns.first(where: { $0.name == file.name }) else { continue }
            try check()
            let texts = try reader.column(file, as: column)
            found.add(texts.count { $0.isEmpty }, "numbers of \(file.name) are none (NaN), and become nothing")
            fields.append((file.name, texts))
            rows.append((file.name, texts.count))
        }
        if let first = rows.first, let other = rows.first(where: { $0.count != first.count }) {
            throw Problem.invalidData(
                "\(first.name) has \(first.count) rows, and \(other.name) \(other.count)",
                hint: "files of the same rows, in the same order")
        }
        ownColumns = Set(fields.map(\.name))
        var places: [String: Int] = [:]
        if let count = rows.first?.count {
            let digests = try Self.digests(sources, rows: count, key, check)
            for (row, digest) in digests.enumerated() where places[digest] == nil { places[digest] = row }
            fields.append((Self.digestColumn, digests))
            appended = AppendedFields(names: fields.map(\.name), rows: count, texts: fields.map(\.texts))
        } else {
            appended = nil
        }
        (self.hasTable, self.schema, self.places) = (hasTable, schema, places)
    }

    /// nil: the manifest declares no arrays, and no files of any are given.
    static func of(
        _ files: [ArrayFile], _ manifest: Manifest, hasTable: Bool, key: ClusteringKey, check: () throws -> Void
    ) throws -> ArrayInputs? {
        if files.isEmpty, manifest.schema.arrays.isEmpty {
            guard hasTable else { throw Problem.invalidRequest("no file is given", hint: "name the table's file") }
            return nil
        }
        return try ArrayInputs(files, of: manifest, hasTable: hasTable, key: key, check: check)
    }

    private static func checkNames(_ files: [ArrayFile], _ schema: Schema, hasTable: Bool) throws {
        let arrays = schema.arrays.map(\.name)
        let names = files.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw Problem.invalidRequest("\(DisplayedName.of(twice)) is given two files", hint: "one file an array")
        }
        let columns = schema.columns.filter { $0.computed == nil }.map(\.name)
        let known = arrays + columns
        if let stranger = names.first(where: { !known.contains($0) }) {
            throw Problem.invalidManifest(
                "there is no array or column \(DisplayedName.of(stranger))",
                hint: arrays.isEmpty ? "declare it under `arrays`" : "arrays are \(arrays.joined(separator: ", "))")
        }
        if let missing = arrays.first(where: { !names.contains($0) }) {
            throw Problem.invalidRequest("the array \(missing) has no file", hint: "--array \(missing)=FILE")
        }
        if !hasTable, let missing = columns.first(where: { !names.contains($0) }) {
            throw Problem.invalidRequest(
                "the column \(missing) has no file", hint: "give a table that has it, or --array \(missing)=FILE")
        }
    }

    /// Of each row a digest of its numbers in every file.
    private static func digests(
        _ sources: [ArraySource], rows: Int, _ key: ClusteringKey, _ check: () throws -> Void
    ) throws -> [String] {
        try (0..<rows).map { row in
            if row % 4_096 == 0 { try check() }
            return sources.compactMap { source in
                source.isFolder ? nil : source.withRow(row) { key.array($0) }
            }.joined(separator: ".")
        }
    }

    // MARK: The table

    /// The manifest's schema, and behind its columns those that say which numbers are a row's.
    var ingested: Schema {
        var schema = Schema(columns: schema.columns.filter { $0.computed == nil })
        // Numbers of files are written as such, whatever the table's own file has.
        for index in schema.columns.indices where ownColumns.contains(schema.columns[index].name) {
            schema.columns[index].form = FieldForm()
        }
        return Schema(columns: schema.columns + hidden)
    }

    private var hidden: [ColumnSchema] {
        var columns: [ColumnSchema] = []
        if sources.contains(where: \.isFolder) {
            columns.append(ColumnSchema(name: Self.fileColumn, type: .text, maximumBytes: 4_096))
        }
        if appended != nil { columns.append(ColumnSchema(name: Self.digestColumn, type: .text, maximumBytes: 1_024)) }
        return columns
    }

    /// The manifest's columns that the table's own file has, and its column of file names.
    func inTable(_ document: ManifestDocument) -> ManifestDocument {
        var document = document
        document.manifest.schema = Schema(
            columns: ingested.columns.filter { !ownColumns.contains($0.name) && $0.name != Self.digestColumn })
        return document
    }

    /// What the owner should know, when all is read.
    var remarks: [String] {
        found.all
            + schema.arrays.compactMap { array in
                let shape = array.shape
                guard shape.count == 3, shape[0] > 4, (1...4).contains(shape[2]) else { return nil }
                return
                    "\(array.name) has \(shape[0]) channels of \(shape[1])x\(shape[2]): if the channels are last in its files, "
                    + "declare `shape: [\(shape[2]), \(shape[0]), \(shape[1])]`, and they are turned"
            }
    }

    /// Counts of what was not as declared, for the owner alone.
    private final class Remarks: Sendable {
        private let counts = Mutex<[(words: String, count: Int)]>([])

        func add(_ count: Int, _ words: String) {
            guard count > 0 else { return }
            counts.withLock { counts in
                if let place = counts.firstIndex(where: { $0.words == words }) {
                    counts[place].count += count
                } else {
                    counts.append((words, count))
                }
            }
        }

        var all: [String] { counts.withLock { $0.map { "\($0.count) \($0.words)" } } }
    }

    /// Whether the table's file had as many rows as the arrays.
    func check(_ report: IngestReport) throws {
        guard let appended else { return }
        let given = hasTable ? appended.given.count : appended.rows
        if appended.rows != report.rowsRead || given != report.rowsRead {
            throw IngestError.rowsDiffer(arrays: appended.rows, table: report.rowsRead)
        }
    }

    /// Writes the arrays in the order of a table's rows.
    ///
    /// - Parameters:
    ///   - table: Of the schema ``ingested``.
    ///   - sink: Takes an array's next bytes.
    ///   - progress: Told the part that is written.
    /// - Returns: For each column that is computed of an array its values, row after row.
    func write(
        _ table: Table, to sink: (TablePart, [UInt8]) throws -> Void, progress: (Double) throws -> Void
    ) throws -> [[Double]] {
        let columns = ingested.columns
        let statistics = schema.columns.compactMap(\.computed)
        var computed = [[Double]](repeating: [], count: statistics.count)
        let total = max(1, table.rowCount * sources.count)
        for (index, source) in sources.enumerated() {
            let name = source.isFolder ? Self.fileColumn : Self.digestColumn
            let array = schema.arrays[index]
            let ofThis = statistics.indices.filter { statistics[$0].array == array.name }
            func compute(_ numbers: UnsafeRawBufferPointer) {
                for place in ofThis { computed[place].append(statistics[place].value(of: numbers, array.element)) }
            }
            guard let column = columns.firstIndex(where: { $0.name == name }) else { continue }
            var block: [UInt8] = []
            for row in 0..<table.rowCount {
                if row % 256 == 0 { try progress(Double(index * table.rowCount + row) / Double(total)) }
                let text = table.text(column: column, row: row)
                if source.isFolder {
                    guard let text else {
                        throw IngestError.array("a row of \(array.name) names no file")
                    }
                    let image = try source.image(text)
                    block += image.bytes
                    image.bytes.withUnsafeBytes(compute)
                    found.add(image.outside, "numbers of \(array.name) outside its bounds are stored as the bound")
                } else {
                    guard let text, let place = places[text] else {
                        throw IngestError.array("a row of \(array.name) was lost")
                    }
                    source.withRow(place) { numbers in
                        block += numbers
                        compute(numbers)
                    }
                }
                if block.count >= 1 << 20 {
                    try sink(.array(index), block)
                    block.removeAll(keepingCapacity: true)
                }
            }
            try sink(.array(index), block)
        }
        return computed
    }

    /// What is stored of a table that was assembled with the columns of ``ingested``: those that files have, and the arrays.
    func description(_ assembled: TableDescription) -> TableDescription {
        var description = assembled
        description.columns = Array(description.columns.prefix(schema.columns.count { $0.computed == nil }))
        description.arrays = schema.arrays.count
        return description
    }

    /// Writes the columns that are computed of arrays, behind the others.
    ///
    /// - Parameters:
    ///   - values: What ``write(_:to:progress:)`` gave.
    ///   - description: What the table is without them.
    /// - Returns: What it is with them.
    func writeComputed(
        _ values: [[Double]], of description: TableDescription, to sink: (TablePart, [UInt8]) throws -> Void
    ) throws -> TableDescription {
        var description = description
        for (column, values) in zip(schema.columns.filter { $0.computed != nil }, values) {
            let (bytes, stored) = column.stored(values)
            try sink(.column(description.columns.count), bytes)
            description.columns.append(stored)
        }
        return description
    }
}
