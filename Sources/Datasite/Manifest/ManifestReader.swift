import DatasiteProtocol
import Foundation
import Governance
import Query
import Tables

/// A manifest's text, read: what it declares, and how a file is to be matched with it.
struct ManifestDocument: Sendable {
    /// Which columns of a file may be left out of the manifest.
    enum Ignored: Sendable, Hashable {
        case named(Set<String>)
        case rest
    }

    var manifest: Manifest
    var ignored: Ignored

    /// Reads and checks a manifest.
    ///
    /// - Throws: a `Problem` (`invalid-manifest`) that names line, column and key.
    init(_ text: String) throws {
        let root = try YAMLValue.document(text)
        let keys = try root.mapping([
            "name", "title", "description", "population", "kind", "key", "unit", "weight", "capacity", "policy",
            "columns", "ignore", "lookup",
        ])
        func required(_ key: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw root.problem("the key `\(key)` is missing") }
            return value
        }
        let columns = try required("columns").sequence().map(ColumnReader.column)
        let schema = Schema(columns: columns)
        let name = try required("name").text("a name")
        let lookupKey = try Self.lookupKey(keys, schema, root)
        if lookupKey != nil {
            for key in ["population", "unit", "weight", "capacity", "policy"] {
                if let value = keys[key] { throw value.problem("a public lookup table has none") }
            }
        }
        let unit = lookupKey == nil ? try Self.unit(required("unit"), schema) : UnitDeclaration.ofLookup
        let capacity = lookupKey == nil ? try Self.capacity(required("capacity"), unit) : (1 << 24, 1 << 24)
        manifest = Manifest(
            name: name, title: try keys["title"]?.text("a title") ?? name,
            description: try keys["description"]?.text("a description") ?? "",
            population: lookupKey == nil ? try required("population").text("the people protected, a name") : "",
            schema: schema, unit: unit,
            weightColumn: try keys["weight"].map { try Self.weight($0, schema) }, capacityRows: capacity.0,
            capacityUnits: capacity.1, policy: lookupKey == nil ? try PolicyReader.policy(required("policy")) : nil,
            lookupKey: lookupKey)
        ignored = try Self.ignored(keys["ignore"])
        let problems = manifest.problems()
        guard problems.isEmpty else {
            throw ManifestError.problem(problems.map { "`\($0.path)`: \($0.message)" }.joined(separator: "; "))
        }
    }

    /// `kind: lookup` with `key: column`, or `lookup: {key: column}`.
    private static func lookupKey(
        _ keys: [String: YAMLValue], _ schema: Schema, _ root: YAMLValue
    ) throws -> Int? {
        let kind = try keys["kind"]?.text("private or lookup") ?? (keys["lookup"] == nil ? "private" : "lookup")
        guard kind == "private" || kind == "lookup" else {
            throw (keys["kind"] ?? root).problem("expected private or lookup")
        }
        let key = try keys["lookup"].map { try $0.mapping(["key"])["key"] ?? $0 } ?? keys["key"]
        guard kind == "lookup" else {
            if let key { throw key.problem("only a lookup table has a key", hint: "say `kind: lookup`") }
            return nil
        }
        guard let key else { throw root.problem("a lookup table needs `key`: the column that it is unique on") }
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

    private static func capacity(_ value: YAMLValue, _ unit: UnitDeclaration) throws -> (Int, Int) {
        let keys = try value.mapping(["rows", "units"])
        guard let rows = keys["rows"] else {
            throw value.problem("the key `rows` is missing: the most rows that the table may ever hold")
        }
        let rowCount = try rows.integer("the most rows that the table may ever hold")
        return (rowCount, try keys["units"]?.integer("the most units that the table may ever hold") ?? rowCount)
    }

    private static func ignored(_ value: YAMLValue?) throws -> Ignored {
        guard let value else { return .named([]) }
        if value.isSequence { return .named(Set(try value.sequence().map { try $0.text("a column's name") })) }
        guard try value.text("a list of columns, or the word rest") == "rest" else {
            throw value.problem("expected a list of columns, or the word rest")
        }
        return .rest
    }
}

extension UnitDeclaration {
    /// A lookup table protects nobody.
    static let ofLookup = UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1)
}
