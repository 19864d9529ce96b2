public import DatasiteProtocol
import Foundation
import Learning
public import Marketplace
import Tables
public import TransparencyLog

/// Rows that were opened to a referee: the document of the engine `opened-rows`. A receipt's answer digest is SHA-256 over these bytes as sent. It prints nothing of the rows.
public struct ReleasedRows: Sendable, Hashable, Codable {
    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version.
    public var version: String
    /// The task whose declaration is disputed.
    public var task: Digest256
    /// What drew the rows: SHA-256 of the checkpoint.
    public var checkpoint: Digest256
    /// What the bytes of a row mean, in JSON: part of the commitment to the letter.
    public var columns: String
    /// How many rows the half has, and the root over them.
    public var head: TreeHead
    /// The rows, in the order of their places.
    public var rows: [OpenedRow]
    /// What it cost.
    public var charge: DatasiteProtocol.Loss
    /// What must be known of it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// Whether these are the rows that were drawn, of those that the sponsor committed to: all that a referee has to believe of a sponsor's datasite is then that nothing is wrong with
    /// the rows themselves.
    ///
    /// - Parameters:
    ///   - commitment: What the task's terms hold.
    ///   - draw: By which checkpoint, and how many, as the referee knows it: from the market's log.
    /// - Throws: `OpenedRowsError`.
    public func verify(commitment: Digest256, draw: OpenedRows.Draw) throws(OpenedRowsError) {
        try OpenedRows.verify(rows, columns: Array(columns.utf8), head: head, commitment: commitment, draw: draw)
    }

    // MARK: What is in them

    /// The rows as a table: their places, each column's values, and each array's numbers one by one.
    ///
    /// - Throws: A `Problem`: they are no rows of such columns.
    public var table: (columns: [String], rows: [[Scalar]]) {
        get throws {
            let read = try OpenedContents(self)
            let names = read.schema.arrays.flatMap { array in (0..<array.count).map { "\(array.name).\($0)" } }
            return (
                ["row"] + read.schema.columns.map(\.name) + names,
                zip(rows, read.rows).map { opened, row in
                    [.integer(Int64(opened.index))] + row.values.map(AnswerEncoding.scalar)
                        + zip(read.schema.arrays, row.arrays).flatMap(OpenedContents.numbers)
                }
            )
        }
    }

    /// On how many of the rows that have a label a model is right: as `evaluation-final` counts, without noise.
    ///
    /// - Parameters:
    ///   - data: What goes in, and the label, as ``DatasiteProtocol/EvaluationRequest`` has it.
    ///   - model: The architecture, in JSON.
    ///   - weights: The bytes of a file of safetensors.
    /// - Throws: A `Problem`: what is wrong in the model, or in what goes in.
    public func measure(data: String, model: String, weights: [UInt8]) throws -> (right: Int, rows: Int) {
        let read = try OpenedContents(self)
        let section = try TrainingDatasetSection(YAMLValue.document(data))
        let columns = TrainingColumns(schema: read.schema)
        let features = try columns.features(section)
        let (label, target) = try columns.label(section.label, .crossEntropy)
        guard case .classes(let classes) = target else {
            throw Problem.invalidRequest("`label`: \(section.label) has no declared domain, so that no answer is right")
        }
        let sent = try SentModel(model, weights, features, classes: classes, rowsPerUnit: 1, on: dataset)
        do {
            let examples = try read.examples(features, label)
            let right = try sent.model.rightRows(of: examples, sent.parameters, together: sent.model.rowsTogether)
            return (right.count { $0 }, right.count)
        } catch { throw Problem.invalidRequest("\(error)") }
    }
}

extension ReleasedRows: CustomReflectable, CustomStringConvertible {
    /// The name alone.
    public var description: String { "ReleasedRows" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What opened rows hold, read again.
private struct OpenedContents {
    let schema: Schema
    let rows: [(values: [Value], arrays: [[UInt8]])]

    init(_ released: ReleasedRows) throws {
        let schema: Schema
        do { schema = try CommittedColumns(reading: released.columns).schema } catch {
            throw Problem.invalidRequest("the columns of the opened rows cannot be read")
        }
        let contents = RowContents(
            columns: Array(schema.columns.indices), arrays: Array(schema.arrays.indices), of: schema)
        rows = try released.rows.map { row in
            guard let read = contents.row([UInt8](row.content)) else {
                throw Problem.invalidRequest("an opened row does not have the columns that it should have")
            }
            return read
        }
        self.schema = schema
    }

    static func numbers(_ schema: ArraySchema, _ bytes: [UInt8]) -> [Scalar] {
        switch schema.element {
        case .uint8: bytes.map { .integer(Int64($0)) }
        case .float32:
            bytes.withUnsafeBytes { buffer in
                (0..<schema.count).map { place in
                    let bits = UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self))
                    return .real(Double(Float(bitPattern: bits)))
                }
            }
        }
    }

    /// Those that have a label, as ``LearnedRows`` has them of a table.
    func examples(_ features: TrainingFeatures, _ label: ColumnInput) throws -> Examples {
        let labelled = rows.compactMap { row in
            label.code(row.values[label.column]).map { (row: row, label: Int32($0)) }
        }
        let targets = Targets.labels(labelled.map(\.label))
        if let array = features.array {
            let declared = schema.arrays[array]
            let numbers = try DataArray(
                shape: [labelled.count] + declared.shape, type: declared.element == .uint8 ? .unsigned8 : .float32,
                bytes: labelled.flatMap { $0.row.arrays[array] })
            return try Examples(
                numbers, rowShape: features.rowShape, scaling: features.scaling, targets: targets)
        }
        var inputs: [Float] = []
        for (row, _) in labelled {
            for input in features.columns {
                let code = input.code(row.values[input.column])
                if case .oneOf(let domain) = input.form {
                    inputs += domain.indices.map { code == Float($0) ? 1 : 0 }
                } else {
                    inputs.append(code ?? .nan)
                }
            }
        }
        return try Examples(
            inputs: Tensor(shape: [labelled.count] + features.rowShape, values: inputs), targets: targets)
    }
}
