public import DatasiteProtocol
import Foundation
import Governance
public import Marketplace

/// What a referee asks a sponsor's datasite for: the rows that the log's checkpoint drew. It is sent as one object, in which the proof's parts stand beside the dataset.
public struct OpenedRowsRequest: Sendable, Hashable, Codable {
    /// The engine that is asked.
    public static let engine = OpenedRowsWork.engine.rawValue

    /// The dataset.
    public var dataset: String
    /// How many rows: all referees of a task ask for as many. ``Marketplace/OpenedRows/least`` at least; all where there are fewer.
    public var rows: Int
    /// That the sponsor declared, and what drew the rows behind it.
    public var proof: DrawProof

    /// A request, by its parts.
    public init(dataset: String, rows: Int = OpenedRows.least, proof: DrawProof) {
        (self.dataset, self.rows, self.proof) = (dataset, rows, proof)
    }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        dataset = try request.string("dataset")
        rows = Int(clamping: try request.integer("rows"))
        func entry(_ key: String) throws -> [UInt8] {
            let text = try request.string(key)
            guard text.utf8.count <= (SignedEntry.mostBytes + 2) / 3 * 4, let bytes = Data(base64Encoded: text) else {
                throw Problem.invalidRequest(
                    "'\(key)' is no entry", hint: "base64 of at most \(SignedEntry.mostBytes) bytes")
            }
            return [UInt8](bytes)
        }
        func text(_ key: String) throws -> [UInt8] {
            let text = try request.string(key)
            guard text.utf8.count <= DrawProof.mostBytes else {
                throw Problem.tooLarge("'\(key)' has at most \(DrawProof.mostBytes >> 10) KiB")
            }
            try Submission.checkStored(text, as: "'\(key)'")
            return Array(text.utf8)
        }
        proof = DrawProof(
            terms: try entry("terms"),
            funding: .init(entry: try entry("funding"), proof: try text("fundingProof")),
            declaration: .init(entry: try entry("declaration"), proof: try text("declarationProof")),
            drawing: .init(entry: try entry("drawing"), proof: try text("drawingProof")),
            checkpoint: try text("checkpoint"))
        try request.finish()
        try Submission.checkStored(dataset, as: "a name")
    }

    private enum CodingKeys: CodingKey {
        case dataset, rows, terms, funding, fundingProof, declaration, declarationProof, drawing, drawingProof,
            checkpoint
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func entry(_ key: CodingKeys) throws -> [UInt8] { [UInt8](try members.decode(Data.self, forKey: key)) }
        func text(_ key: CodingKeys) throws -> [UInt8] { Array(try members.decode(String.self, forKey: key).utf8) }
        dataset = try members.decode(String.self, forKey: .dataset)
        rows = try members.decode(Int.self, forKey: .rows)
        proof = DrawProof(
            terms: try entry(.terms), funding: .init(entry: try entry(.funding), proof: try text(.fundingProof)),
            declaration: .init(entry: try entry(.declaration), proof: try text(.declarationProof)),
            drawing: .init(entry: try entry(.drawing), proof: try text(.drawingProof)),
            checkpoint: try text(.checkpoint))
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(dataset, forKey: .dataset)
        try members.encode(rows, forKey: .rows)
        func encode(_ entry: [UInt8], _ key: CodingKeys) throws { try members.encode(Data(entry), forKey: key) }
        func encode(text: [UInt8], _ key: CodingKeys) throws {
            try members.encode(String(decoding: text, as: UTF8.self), forKey: key)
        }
        try encode(proof.terms, .terms)
        try encode(proof.funding.entry, .funding)
        try encode(text: proof.funding.proof, .fundingProof)
        try encode(proof.declaration.entry, .declaration)
        try encode(text: proof.declaration.proof, .declarationProof)
        try encode(proof.drawing.entry, .drawing)
        try encode(text: proof.drawing.proof, .drawingProof)
        try encode(text: proof.checkpoint, .checkpoint)
    }

    /// What it draws by, as it says itself; nil where its entries are none.
    var draw: OpenedRows.Draw? {
        guard let entry = try? SignedEntry(journalBytes: proof.drawing.entry),
            case .task(let task, .checkpoint(let checkpoint)) = entry.request.action
        else { return nil }
        return OpenedRows.Draw(task: task, checkpoint: checkpoint, count: rows)
    }
}

extension Datasite {
    /// Opens rows to a referee, as ``submit(_:as:idempotencyKey:)`` does: charges, reads, and gives the stored bytes (``ReleasedRows``) at the end of their time slot; or says that owners
    /// have to approve it, as they do unless the policy says otherwise.
    ///
    /// - Parameters:
    ///   - purpose: What it is for.
    ///   - idempotencyKey: Names the request, so that repeating it after a failure is charged once, and gets the same answer.
    /// - Throws: A `Problem`: what is wrong in the proof, what the policy does not allow, or what is used up.
    public func openRows(
        _ request: OpenedRowsRequest, as identity: Identity, purpose: String? = nil, idempotencyKey: String? = nil
    ) async throws -> AskResult {
        try await submit(
            Submission(
                engine: OpenedRowsWork.self, body: try AnswerEncoding.bytes(request), purpose: purpose,
                key: idempotencyKey), as: identity)
    }
}
