import DatasiteProtocol
import Foundation
import Governance
import Query
import Tables

/// A manifest's text, read: what it declares, and how a file is to be matched with it.
struct ManifestDocument: Sendable {
    var manifest: Manifest
    /// How its files are read.
    var form = FileForm()

    /// Reads and checks a manifest.
    ///
    /// - Parameters:
    ///   - isStored: Whether it was accepted before: it is then read by the rules of that time.
    ///   - engines: The kinds of work that its policy may name; nil: any.
    /// - Throws: a `Problem` (`invalid-manifest`) that names line, column and key of each part that is wrong.
    init(_ text: String, isStored: Bool = false, engines: EngineNames? = nil) throws {
        try self.init(YAMLValue.document(text), isStored: isStored, engines: engines)
    }

    /// The same, of a text that was read already.
    init(_ root: YAMLValue, isStored: Bool = false, engines: EngineNames? = nil) throws {
        try root.refuseUnset()
        let keys = try root.mapping([
            "name", "title", "description", "population", "kind", "key", "unit", "weight", "capacity", "policy",
            "columns", "arrays", "ignore", "lookup", "rows-per-key", "missing", "numbers", "encoding",
        ])
        func required(_ key: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw root.problem("the key `\(key)` is missing") }
            return value
        }
        let isLookup = try Self.isLookup(keys, root)
        // What `reading` gives in place of a part that is wrong is never used: `refuse` ends it.
        var problems = ManifestProblems()
        let listed = try problems.reading { try required("columns").sequence() } ?? []
        let fields = try problems.reading { try FieldForm(reading: keys) } ?? FieldForm()
        var schema = Schema(
            columns: try listed.compactMap { column in
                try problems.reading { try ColumnReader.column(column, fields: fields, isStored: isStored) }
            },
            arrays: try (problems.reading { try keys["arrays"]?.sequence() ?? [] } ?? []).compactMap { array in
                try problems.reading { try ArrayReader.array(array) }
            })
        schema.completeComputed()
        // Columns are looked up by name: where one cannot be read, others seem to be missing.
        let areNamed = problems.isEmpty
        let name = try problems.reading { try required("name").text("a name") } ?? ""
        let title = try problems.reading { try keys["title"]?.text("a title") ?? name } ?? ""
        let description = try problems.reading { try keys["description"]?.text("a description") ?? "" } ?? ""
        form.ignored = try problems.reading { try Self.ignored(keys["ignore"]) } ?? .rest
        form.encoding = try problems.reading { try keys["encoding"].map(Self.encoding) } ?? nil
        manifest = Manifest(
            name: name, title: title, description: description, population: "", schema: schema, unit: .ofLookup,
            capacityRows: 1 << 24, capacityUnits: 1 << 24, policy: nil)
        if isLookup {
            for key in ["population", "unit", "weight", "capacity", "policy"] {
                _ = try problems.reading {
                    if let value = keys[key] { throw value.problem("a public lookup table has none") }
                }
            }
            manifest.rowsPerKey = try problems.reading { try Self.rowsPerKey(keys) } ?? 1
            if areNamed { manifest.lookupKey = try problems.reading { try Self.lookupKey(keys, schema, root) } }
        } else {
            manifest.population =
                try problems.reading { try required("population").text("the people protected, a name") } ?? ""
            (manifest.capacityRows, manifest.capacityUnits) =
                try problems.reading { try Self.capacity(required("capacity")) } ?? (0, 0)
            manifest.policy = try problems.reading { try PolicyReader.policy(required("policy"), engines: engines) }
            if areNamed {
                manifest.unit = try problems.reading { try Self.unit(required("unit"), schema) } ?? .ofLookup
                manifest.weightColumn =
                    try problems.reading { try keys["weight"].map { try Self.weight($0, schema) } } ?? nil
            }
        }
        try problems.refuse()
        if isStored { manifest.schema.clipDomains() }
        let declared = manifest.problems(isStored: isStored)
        guard declared.isEmpty else {
            throw ManifestError.problem(declared.map { "`\($0.path)`: \($0.message)" }.joined(separator: "; "))
        }
    }

    /// `kind: lookup` with `key: column`, or `lookup: {key: column}`.
    private static func isLookup(_ keys: [String: YAMLValue], _ root: YAMLValue) throws -> Bool {
        let kind = try keys["kind"]?.text("private or lookup") ?? (keys["lookup"] == nil ? "private" : "lookup")
        guard kind == "private" || kind == "lookup" else {
            throw (keys["kind"] ?? root).problem("expected private or lookup")
        }
        if kind == "private", let key = keys["lookup"] ?? keys["key"] ?? keys["rows-per-key"] {
            throw key.problem("only a lookup table has a key", hint: "say `kind: lookup`")
        }
        return kind == "lookup"
    }

    /// `rows-per-key: N`, beside `key` or in `lookup: {...}`: for a table from films to genres, the most genres of a film.
    private static func rowsPerKey(_ keys: [String: YAMLValue]) throws -> Int {
        let inner = try keys["lookup"].flatMap { try $0.mapping(["key", "rows-per-key"])["rows-per-key"] }
        return try (inner ?? keys["rows-per-key"])?.integer("the most rows that one key may have") ?? 1
    }

    private static func lookupKey(_ keys: [String: YAMLValue], _ schema: Schema, _ root: YAMLValue) throws -> Int {
        let key = try keys["lookup"].map { try $0.mapping(["key", "rows-per-key"])["key"] ?? $0 } ?? keys["key"]
        guard let key else { throw root.problem("a lookup table needs `key`: the column by which its rows are found") }
        return try column(key, schema)
    }

    private static func column(_ value: YAMLValue, _ schema: Schema) throws -> Int {
        let name = try value.text("a column's name")
        guard let index = schema.columns.firstIndex(where: { $0.name == name }) else {
            throw value.problem("there is no column `\(name)`")
        }
        return index
    }

    private static func unit(_ value: YAMLValue, _ schema: Schema) throws -> UnitDeclaration {
        if !value.isMapping {
            guard try value.text("a mapping, or the word row") == "row" else {
                throw value.problem("expected {column: NAME, rows: N, groups: N}, or the word row")
            }
            return UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1)
        }
        let keys = try value.mapping(["column", "rows", "groups", "rows-per-group"])
        guard let columnKey = keys["column"] else {
            throw value.problem("the key `column` is missing", hint: "or say `unit: row` if each row is one")
        }
        guard let rows = keys["rows"] else {
            throw value.problem("the key `rows` is missing: the most rows that one unit may have")
        }
        let rowsPerUnit = try rows.integer("the most rows that one unit may have")
        return UnitDeclaration(
            column: try column(columnKey, schema), rowsPerUnit: rowsPerUnit,
            groupsPerUnit: try keys["groups"]?.integer("the most groups that one unit may be in") ?? rowsPerUnit,
            rowsPerGroup: try keys["rows-per-group"]?.integer())
    }

    private static func weight(_ value: YAMLValue, _ schema: Schema) throws -> Int {
        guard value.isMapping else { return try column(value, schema) }
        guard let name = try value.mapping(["column"])["column"] else {
            throw value.problem("the key `column` is missing")
        }
        return try column(name, schema)
    }

    private static func capacity(_ value: YAMLValue) throws -> (Int, Int) {
        let keys = try value.mapping(["rows", "units"])
        guard let rows = keys["rows"] else {
            throw value.problem("the key `rows` is missing: the most rows that the table may ever hold")
        }
        let rowCount = try rows.integer("the most rows that the table may ever hold")
        return (rowCount, try keys["units"]?.integer("the most units that the table may ever hold") ?? rowCount)
    }

    static func encoding(_ value: YAMLValue) throws -> TextEncoding {
        guard let encoding = TextEncoding(named: try value.text("an encoding")) else {
            throw value.problem(
                "there is no such encoding here",
                hint: "encodings are \(TextEncoding.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return encoding
    }

    private static func ignored(_ value: YAMLValue?) throws -> IgnoredColumns {
        guard let value else { return .named([]) }
        if value.isSequence { return .named(Set(try value.sequence().map { try $0.text("a column's name") })) }
        guard try value.text("a list of columns, or the word rest") == "rest" else {
            throw value.problem("expected a list of columns, or the word rest")
        }
        return .rest
    }
}

extension Schema {
    /// Columns that are computed of arrays stand behind the others, and lie where their arrays' numbers do unless said.
    fileprivate mutating func completeComputed() {
        columns = columns.filter { $0.computed == nil } + columns.filter { $0.computed != nil }
        for (index, column) in columns.enumerated() where column.lowerBound == nil {
            guard let computed = column.computed, let array = arrays.first(where: { $0.name == computed.array }),
                array.lowerBound < array.upperBound
            else { continue }
            let bounds = computed.bounds(array)
            (columns[index].lowerBound, columns[index].upperBound) = (bounds.lowerBound, bounds.upperBound)
        }
    }

    /// Manifests that were accepted before could name values outside the bounds: in tables they are the bound.
    fileprivate mutating func clipDomains() {
        for index in columns.indices {
            var column = columns[index]
            column.resolution = nil
            var seen: Set<Value> = []
            columns[index].domain = column.domain?.map(column.bounded).filter { seen.insert($0).inserted }
            columns[index].other = column.other.map(column.bounded)
        }
    }
}

extension UnitDeclaration {
    /// A lookup table protects nobody.
    static let ofLookup = UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1)
}
