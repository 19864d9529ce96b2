import Crypto
public import DatasiteProtocol
import Foundation
import Governance
public import Marketplace
import Tables
import TransparencyLog

/// What the bytes of committed rows mean: some columns of a table, then some of its arrays, as the manifest declares them. It is part of the commitment, so that nobody gives the same
/// rows another meaning.
struct CommittedColumns: Codable, Sendable, Hashable {
    struct Column: Codable, Sendable, Hashable {
        var name: String
        var type: ValueType
        var lower: Double?
        var upper: Double?
        var domain: [Scalar]?
        /// What a value outside the domain counts as.
        var other: Scalar?
        /// Of a text.
        var bytes: Int?
    }

    struct Array: Codable, Sendable, Hashable {
        var name: String
        var shape: [Int]
        var type: String
        var lower: Double
        var upper: Double
    }

    var columns: [Column] = []
    var arrays: [Array] = []

    /// - Throws: A `Problem`: there is no such column, or none is named.
    init(_ names: [String], of schema: Schema) throws {
        guard !names.isEmpty, Set(names).count == names.count else {
            throw Problem.invalidRequest("name the columns that may be opened, each once")
        }
        for name in names {
            if let column = schema.columns.first(where: { $0.name == name }) {
                columns.append(
                    Column(
                        name: name, type: column.type, lower: column.lowerBound, upper: column.upperBound,
                        domain: column.domain?.map(AnswerEncoding.scalar),
                        other: column.other.map(AnswerEncoding.scalar),
                        bytes: column.type == .text ? column.maximumBytes : nil))
            } else if let array = schema.arrays.first(where: { $0.name == name }) {
                arrays.append(
                    Array(
                        name: name, shape: array.shape, type: array.element.rawValue, lower: array.lowerBound,
                        upper: array.upperBound))
            } else {
                throw Problem.invalidRequest(
                    "there is no column \(DisplayedName.of(name))",
                    hint: (schema.columns.map(\.name) + schema.arrays.map(\.name)).prefix(100).joined(separator: ", "))
            }
        }
    }

    /// As it was told by a sponsor.
    ///
    /// - Throws: What is wrong in it.
    init(reading text: String) throws {
        self = try JSONDecoder().decode(CommittedColumns.self, from: Data(text.utf8))
        guard arrays.allSatisfy({ ArraySchema.Element(rawValue: $0.type) != nil && Self.isPossible($0.shape) }) else {
            throw Problem.invalidRequest("the columns of the opened rows hold an array that is none")
        }
    }

    private static func isPossible(_ shape: [Int]) -> Bool {
        shape.reduce(1) { product, extent in
            guard extent > 0, product <= 1 << 24 else { return .max }
            return product.multipliedReportingOverflow(by: extent).partialValue
        } <= 1 << 24
    }

    var text: [UInt8] { get throws { try AnswerEncoding.bytes(self) } }

    /// A table's that has these columns alone.
    var schema: Schema {
        Schema(
            columns: columns.map { column in
                ColumnSchema(
                    name: column.name, type: column.type, lowerBound: column.lower, upperBound: column.upper,
                    domain: column.domain?.map { AnswerEncoding.value($0, column.type) },
                    other: column.other.map { AnswerEncoding.value($0, column.type) }, maximumBytes: column.bytes ?? 128
                )
            },
            arrays: arrays.compactMap { array in
                ArraySchema.Element(rawValue: array.type).map {
                    ArraySchema(
                        name: array.name, shape: array.shape, element: $0, lowerBound: array.lower,
                        upperBound: array.upper)
                }
            })
    }
}

/// The rows that a sponsor binds herself to: the half of the units that finals are measured on, in the table's own order (docs/privacy.md, rules 34 and 35).
struct CommittedRows: Sendable {
    let columns: CommittedColumns
    /// What is part of each leaf.
    let text: [UInt8]
    let contents: RowContents

    /// - Throws: A `Problem`: there is no such column.
    init(_ names: [String], of schema: Schema) throws {
        columns = try CommittedColumns(names, of: schema)
        text = try columns.text
        contents = RowContents(
            columns: columns.columns.compactMap { column in
                schema.columns.firstIndex { $0.name == column.name }
            },
            arrays: columns.arrays.compactMap { array in schema.arrays.firstIndex { $0.name == array.name } },
            of: schema)
    }

    /// Every row is hashed, whichever are opened.
    func tree(_ table: Table, _ key: ClusteringKey, secret: Salt) throws -> (tree: ValidationTree, rows: [Int]) {
        let rows = contents.rows(table, units: table.secondHalf(key))
        var tree = ValidationTree(columns: text, secret: secret)
        for row in rows { try tree.append(contents.bytes(table, row: row)) }
        return (tree, rows)
    }
}

extension SiteFolder {
    /// What the salts of a version's committed rows are derived from: the same whenever it is asked, so that nothing but the site's secret is kept for it.
    func commitmentSecret(version: String, columns: [UInt8]) throws -> Salt {
        var code = HMAC<SHA256>(key: SymmetricKey(data: try readRowSecret()))
        code.update(data: Array("parley validation rows 1\n\(version)\n".utf8))
        code.update(data: columns)
        guard let secret = Digest256(Array(code.finalize())) else {
            throw Problem.unavailable("the salts of committed rows cannot be made")
        }
        return Salt(secret)
    }
}

/// What a sponsor puts into the terms of a task before she funds it, and into the policy under which rows are opened.
public struct ValidationCommitment: Sendable, Hashable, Codable {
    /// The dataset.
    public var dataset: String
    /// Of which version: with another, a task's rows cannot be opened any more.
    public var version: String
    /// What is committed to of each row, in this order.
    public var columns: [String]
    /// `validation` of the task's goal.
    public var commitment: Digest256
}

extension Datasite {
    /// Commits to the rows that finals are measured on: the same digest for one version and the same columns, whenever it is asked. It tells nothing of the rows.
    ///
    /// - Parameter columns: What may be opened of a row in a dispute: columns and arrays, of which one is the label.
    /// - Throws: `forbidden` for others than owners; a `Problem` where there is no such dataset or column.
    public func commitValidation(
        of dataset: String, columns names: [String], as identity: Identity
    ) throws -> ValidationCommitment {
        try Self.requireOwner(identity)
        let catalogue = try catalogue()
        guard let entry = catalogue.datasets[dataset] else { throw catalogue.absent(dataset) }
        guard !entry.isLookup else {
            throw Problem.invalidRequest("\(dataset) is a public lookup table: no model is measured on it")
        }
        let rows = try CommittedRows(names, of: entry.manifest.schema)
        let key = ClusteringKey(siteSecret: try folder.readRowSecret(), population: entry.manifest.population)
        let secret = try folder.commitmentSecret(version: entry.version, columns: rows.text)
        return ValidationCommitment(
            dataset: dataset, version: entry.version, columns: names,
            commitment: try rows.tree(try table(entry), key, secret: secret).tree.commitment)
    }
}
