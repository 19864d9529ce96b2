import DatasiteProtocol
import Foundation
import Governance
import Tables

/// What types a file's columns have: those that read all of it. Read by the readers that load it, so that what is drafted
/// loads; of the values nothing is kept.
struct FileSurvey {
    /// One reading of the file: each column as that type, until one of its values is none.
    private struct Reading {
        var type: ValueType
        var form: FieldForm
        /// Columns that are still read, by their place among all; and what was seen in each.
        var alive: [Int]
        var seen: [ColumnSurvey]
        /// What was seen before the present worker.
        var before: [ColumnSurvey]
        var worker: IngestWorker?
    }

    struct Column {
        var name: String
        /// The types that read every value.
        var types: Set<ValueType> = []
        var hasValues = false
    }

    private(set) var columns: [Column]
    /// Names in the file that are no columns of the draft: an index without a name, or one that differs in case alone.
    private(set) var ignored: [String] = []
    private(set) var form: FileForm
    let fields: FieldForm
    private(set) var notes: [String] = []
    private let file: String
    private static let suggestedBytes = 16 << 20

    init(_ file: String, form: FileForm, fields: FieldForm) throws {
        self.file = file
        self.fields = fields
        self.form = form
        columns = []
        if let parquet = try FileColumns.parquet(file) {
            let kept = Set(keep(parquet.columns.map(\.name)))
            columns = parquet.columns.filter { $0.type != nil && kept.contains($0.name) }.map { column in
                Column(name: column.name, types: Set([column.type].compactMap(\.self)), hasValues: true)
            }
            for column in parquet.columns where column.type == nil && kept.contains(column.name) {
                ignored.append(column.name)
                notes.append("\(column.name) is left out, since such columns are not read: \(column.words)")
            }
            guard !columns.isEmpty else { throw Problem.invalidData("the file has no columns that are read") }
            return
        }
        var start = try FileColumns.beginning(of: file, bytes: 1 << 20, form)
        guard !start.text.isEmpty else { throw Problem.invalidData("the file is empty") }
        if form.encoding == nil, FileColumns.isWestern(start.text, isCut: !start.isWhole) {
            self.form.encoding = .windows1252
            notes.append(
                "the file is not UTF-8: drafted as Windows-1252 (Latin-1), which fits any bytes; look at its accents")
            start = try FileColumns.beginning(of: file, bytes: 1 << 20, self.form)
        }
        try FileColumns.requireText(start.text, isCut: !start.isWhole)
        columns = keep(try names(start.text, start.format)).map { Column(name: $0) }
        guard !columns.isEmpty else { throw Problem.invalidData("the file has no columns") }
        guard columns.count <= Manifest.Limits.columns else {
            throw Problem.invalidData(
                "the file has \(columns.count) columns; a manifest declares at most \(Manifest.Limits.columns)",
                hint: "keep those that questions are about")
        }
        self.form.ignored = .named(Set(ignored))
        try readAll(isCSV: start.format != .ndjson)
    }

    /// The names in the file: of the first line, or of all objects' members.
    private func names(_ start: [UInt8], _ format: IngestOptions.Format) throws -> [String] {
        if case .csv(let csv) = format {
            let names = try FileColumns.header(start, csv, namesRows: true)
            try FileColumns.refuseValues(names)
            return names
        }
        let names = try memberNames()
        guard !names.isEmpty else { throw Problem.invalidData("no line is a JSON object") }
        for (index, name) in names.enumerated() where FileColumns.isValue(name) || name.isEmpty {
            throw Problem.invalidData(
                "member \(index + 1) of the objects is named by a number, a date or nothing: its name may be a value",
                hint: "write each row as an object whose names are the columns'")
        }
        return names
    }

    /// Of the whole file: what first comes late is a column too.
    private func memberNames() throws -> [String] {
        var options = IngestOptions()
        options.form = form
        var names: [String] = []
        var seen: Set<String> = []
        do {
            var reader = try BlockReader(file: file, schema: Schema(columns: []), options: options)
            let buffer = BlockBuffer()
            while names.count <= Manifest.Limits.columns, let range = try reader.next(into: buffer) {
                for name in NDJSONLayout.names(in: buffer.contents(range), most: Manifest.Limits.columns + 1)
                where seen.insert(name).inserted { names.append(name) }
            }
        } catch let error as IngestError {
            throw Problem.invalidData("\(error)")
        }
        return names
    }

    /// The names of the draft's columns; what is left out is noted.
    private mutating func keep(_ names: [String]) -> [String] {
        var kept: [String] = []
        var folded: [String: String] = [:]
        for (index, name) in names.enumerated() {
            if name.isEmpty {
                notes.append("the first column has no name, as the row numbers that R and pandas write: it is left out")
                ignored.append(name)
            } else if name.utf8.count > Manifest.Limits.columnNameBytes {
                notes.append(
                    "column \(index + 1) is left out: its name has more than \(Manifest.Limits.columnNameBytes) bytes")
                ignored.append(name)
            } else if let other = folded[name.lowercased()] {
                notes.append("the columns \(other) and \(name) differ in case alone: the second is left out")
                ignored.append(name)
            } else {
                kept.append(name)
                folded[name.lowercased()] = name
            }
        }
        return kept
    }

    // MARK: - Reading

    private func schema(_ reading: Reading) -> Schema {
        Schema(
            columns: reading.alive.map { index in
                var column = ColumnSchema(name: columns[index].name, type: reading.type)
                column.form = reading.form
                return column
            })
    }

    private func reading(_ type: ValueType, _ form: FieldForm, _ alive: [Int]) -> Reading {
        let seen = Array(repeating: ColumnSurvey(), count: columns.count)
        return Reading(type: type, form: form, alive: alive, seen: seen, before: seen)
    }

    private func plan(_ schema: Schema) -> IngestPlan {
        var plan = IngestPlan(
            schema: schema, unitColumn: nil, rowsPerUnit: 1,
            key: ClusteringKey(siteSecret: Array(repeating: 0, count: 32), population: ""), onError: .null)
        plan.isSurvey = true
        return plan
    }

    /// Reads blocks until one of the readings is not wanted any more, or so many bytes are read.
    private func read(_ readings: inout [Reading], bytes: Int, textBlocks: Int) throws -> RowError? {
        var options = IngestOptions()
        options.form = form
        let all = Schema(columns: columns.map { ColumnSchema(name: $0.name, type: .text) })
        var irregular: RowError?
        var lines = 0
        do {
            var reader = try BlockReader(file: file, schema: all, options: options)
            let buffer = BlockBuffer()
            var (left, blocks) = (bytes, 0)
            lines = reader.headerLines
            // Rows that are longer than all that is looked at, one huge text, are not read once for each type.
            while left > 0, let range = try reader.next(into: buffer), range.count <= max(left, options.blockBytes) {
                var blockLines = 0
                for index in readings.indices where !readings[index].alive.isEmpty {
                    if readings[index].type == .text, blocks >= textBlocks { continue }
                    let result = look(&readings[index], at: range, of: buffer, as: reader.rowFormat)
                    if result.isBroken, let error = result.refusal(.null, linesBefore: lines) {
                        throw IngestError.brokenRow(error)
                    }
                    if irregular == nil, var error = result.wrong.first(where: { $0.column == nil }) {
                        error.line += lines + 1
                        irregular = error
                    }
                    blockLines = result.lines
                }
                lines += blockLines
                left -= range.count
                blocks += 1
            }
        } catch let error as IngestError {
            throw Problem.invalidData("\(error == .rowTooLong(line: 0) ? .rowTooLong(line: lines + 1) : error)")
        }
        return irregular
    }

    /// Reads a block as one type, and gives up the columns that are none of it.
    private func look(
        _ reading: inout Reading, at range: Range<Int>, of buffer: BlockBuffer, as format: RowFormat
    ) -> BlockResult {
        let schema = schema(reading)
        let worker = reading.worker ?? IngestWorker(plan(schema))
        reading.worker = worker
        let result = worker.read(range, of: buffer.bytes, as: Self.format(format, reading.alive, schema))
        let surveys = worker.surveys
        for (place, index) in reading.alive.enumerated() {
            reading.seen[index] = reading.before[index]
            reading.seen[index].merge(surveys[place])
        }
        // A column's codes are no numbers; what a text cannot be is known at the end.
        let wrong = reading.alive.filter { reading.seen[$0].wrong > 0 || reading.seen[$0].codes > 0 }
        if !wrong.isEmpty, reading.type != .text {
            let gone = Set(wrong)
            reading.alive.removeAll { gone.contains($0) }
            (reading.worker, reading.before) = (nil, reading.seen)
        }
        return result
    }

    private static func format(_ format: RowFormat, _ alive: [Int], _ schema: Schema) -> RowFormat {
        switch format {
        case .csv(var layout):
            var places: [Int: Int] = [:]
            for (place, index) in alive.enumerated() { places[index] = place }
            layout.columns = layout.columns.map { $0.flatMap { places[$0] } }
            return .csv(layout)
        case .ndjson: return .ndjson(NDJSONLayout(schema: schema, ignored: .rest))
        }
    }

    private mutating func readAll(isCSV: Bool) throws {
        let all = Array(columns.indices)
        var readings = ValueType.allCases.map { reading($0, fields, all) }
        // Any text of a CSV file is one: only whether the header is a row is asked of them.
        let irregular = try read(&readings, bytes: .max, textBlocks: isCSV ? 1 : .max)
        if let irregular {
            notes.append(
                "\(irregular): `data add` refuses the file there, unless you say --on-error null or skip-unit")
        }
        for reading in readings {
            for index in columns.indices {
                let seen = reading.seen[index]
                if reading.type == .text {
                    columns[index].hasValues = columns[index].hasValues || seen.values > 0
                    if seen.wrong == 0 { columns[index].types.insert(.text) }
                } else if reading.alive.contains(index) {
                    columns[index].hasValues = columns[index].hasValues || seen.values > 0
                    columns[index].types.insert(reading.type)
                }
            }
        }
        if isCSV, let texts = readings.first(where: { $0.type == .text }),
            2 * texts.seen.count(where: \.hasName) > columns.count
        {
            throw FileColumns.noHeader("most of its cells occur in the rows below")
        }
        for column in columns where column.types.isEmpty {
            notes.append(
                "\(column.name) holds lists, objects, or texts beside numbers: no type reads it, and it is left out")
            ignored.append(column.name)
        }
        columns.removeAll { $0.types.isEmpty }
        guard !columns.isEmpty else {
            throw Problem.invalidData("no type reads any of the file's columns", hint: notes.first)
        }
        if isCSV, columns.count == 1, columns[0].name.contains(" ") {
            notes.append(
                "the file has a single column, and its name has blanks: values are separated by commas, semicolons, tabs "
                    + "or bars, not by blanks")
        }
        try suggest()
    }

    // MARK: - What would make more of a column

    /// What people write for nothing.
    private static let markers = [
        "NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "None", "none", "nil", "NaN", "nan", ".", "..", "-", "--",
        "?",
        "missing", "\\N", "<NA>", "NaT", "-9", "-99", "-999", "-9999",
    ]

    /// Tells the owner alone what her texts might be: what only looks like a number is not drafted as one.
    private mutating func suggest() throws {
        let texts = columns.indices.filter { columns[$0].hasValues && columns[$0].type == .text }
        let numbers = columns.indices.filter { [.integer, .real].contains(columns[$0].type) }
        var marked = fields
        marked.missing += Self.markers
        let types: [ValueType] = [.integer, .real, .boolean, .date, .timestamp]
        var readings = types.map { reading($0, marked, texts) }
        for (point, thousands) in [(",", nil), (",", "."), (".", ","), (".", "'"), (".", " ")] as [(String, String?)] {
            var form = marked
            (form.decimalPoint, form.thousands) = (point.utf8.first ?? 0, thousands?.utf8.first)
            if form != marked { readings.append(reading(.real, form, texts)) }
        }
        readings.append(reading(.real, marked, numbers))
        _ = try read(&readings, bytes: Self.suggestedBytes, textBlocks: 0)
        for index in texts { suggest(readings.filter { $0.alive.contains(index) && $0.seen[index].values > 0 }, index) }
        guard let last = readings.last else { return }
        for index in numbers {
            let codes = Self.markers(last, index, fields)
            if !codes.isEmpty {
                notes.append(
                    "\(columns[index].name) holds numbers that often stand for a missing value; if they do, say "
                        + codes.joined(separator: " "))
            }
        }
    }

    /// What a column of texts might be: the first reading, or each form of numbers where several fit.
    private mutating func suggest(_ found: [Reading], _ index: Int) {
        guard let first = found.first else { return }
        var forms = first.type == .real && !first.form.hasPlainNumbers ? found : [first]
        // Separators that no value needs are no other reading.
        if let plain = forms.first(where: { $0.form.thousands == nil }) {
            forms.removeAll { $0.form.thousands != nil && $0.form.decimalPoint == plain.form.decimalPoint }
        }
        let options = forms.map { Self.options($0, index, fields) }.filter { !$0.isEmpty }
        let name = columns[index].name
        if options.count > 1 {
            notes.append(
                "\(name) would be \(first.type.rawValue) with \(options.joined(separator: ", or another number with ")): the file "
                    + "does not tell which; say to `data describe` what it means")
        } else if let only = options.first {
            notes.append(
                "\(name) would be \(first.type.rawValue) with \(only): say so to `data describe` if that is what the file means"
            )
        }
    }

    /// What the owner would say to `data describe` for that reading.
    private static func options(_ reading: Reading, _ index: Int, _ fields: FieldForm) -> String {
        var options = markers(reading, index, fields)
        let form = reading.form
        func said(_ byte: UInt8) -> String {
            byte == 0x20 || byte == 0x27
                ? "\"\(Character(Unicode.Scalar(byte)))\"" : "\(Character(Unicode.Scalar(byte)))"
        }
        if form.decimalPoint != fields.decimalPoint { options.append("--decimal \(said(form.decimalPoint))") }
        if form.thousands != fields.thousands, let thousands = form.thousands {
            options.append("--thousands \(said(thousands))")
        }
        return options.joined(separator: " ")
    }

    private static func markers(_ reading: Reading, _ index: Int, _ fields: FieldForm) -> [String] {
        reading.seen[index].missing.sorted().filter { $0 >= fields.missing.count }
            .map { "--missing=\(reading.form.missing[$0])" }
    }
}

extension FileSurvey.Column {
    /// The narrowest type that all values have.
    var type: ValueType {
        guard hasValues else { return .text }
        let order: [ValueType] = [.integer, .real, .boolean, .date, .timestamp]
        return order.first(where: types.contains) ?? .text
    }
}
