public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import SyntheticData
import Tables

/// What an owner asks for: a synthetic table of a dataset.
public struct SynthesisRequest: Sendable, Hashable {
    /// The dataset's name.
    public var dataset: String
    /// An epsilon or a rho: there is no error to reach.
    public var budget: Budget
    /// nil: the noisy number of the dataset's rows.
    public var rows: Int?
    /// Of each unit only so many rows count; nil: the manifest's bound.
    public var rowsPerUnit: Int?
    /// The columns to synthesise; nil: all that have a declared domain or bounds.
    public var columns: [String]?

    /// A request by its parts; what is left out is as the manifest has it.
    public init(
        dataset: String, budget: Budget, rows: Int? = nil, rowsPerUnit: Int? = nil,
        columns: [String]? = nil
    ) {
        self.dataset = dataset
        self.budget = budget
        self.rows = rows
        self.rowsPerUnit = rowsPerUnit
        self.columns = columns
    }

    /// How it stands in the journal and among the requests.
    var words: String {
        var words = "SYNTHETIC TABLE OF \(dataset)"
        if let rows { words += ", \(rows) rows" }
        if let rowsPerUnit { words += ", \(rowsPerUnit) rows of a unit" }
        if let columns { words += ", columns \(columns.joined(separator: ", "))" }
        return words
    }

    /// As it is stored: columns in one order, so that the same request is the same bytes.
    var body: [UInt8] {
        get throws {
            guard budget.isFinite else { throw Problem.invalidRequest("epsilon and rho are finite numbers") }
            var request = self
            request.columns = columns?.sorted()
            return try AnswerEncoding.bytes(request)
        }
    }
}

extension SynthesisRequest: Codable {
    private enum Key: String, CodingKey { case dataset, rows, rowsPerUnit, columns }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        self.init(
            dataset: try members.decode(String.self, forKey: .dataset), budget: try Budget(from: decoder),
            rows: try members.decodeIfPresent(Int.self, forKey: .rows),
            rowsPerUnit: try members.decodeIfPresent(Int.self, forKey: .rowsPerUnit),
            columns: try members.decodeIfPresent([String].self, forKey: .columns))
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Key.self)
        try members.encode(dataset, forKey: .dataset)
        try budget.encode(to: encoder)
        try members.encodeIfPresent(rows, forKey: .rows)
        try members.encodeIfPresent(rowsPerUnit, forKey: .rowsPerUnit)
        try members.encodeIfPresent(columns, forKey: .columns)
    }
}

/// What was released: all of it is public.
public struct SynthesisReport: Sendable, Hashable {
    /// The request's id.
    public var request: String
    /// What it cost.
    public var charge: Loss
    /// How many rows the table has.
    public var rows: Int
    /// The pairs of columns whose dependence the table has.
    public var pairs: [[String]]
    /// Columns whose values are made up from the manifest, each with the reason.
    public var madeUp: [String]
    /// How many rows it would have if a synthetic table could be as large; nil: as many as it has.
    public var wantedRows: Int?
}

extension Datasite {
    /// Releases a synthetic table of a dataset, charged to its population's ledger, and has mock answers come from it.
    ///
    /// The charge is reserved durably before the first row is read and stays whatever happens after (docs/privacy.md, rules 7
    /// and 8). After a crash the same request completes under the charge that it has: nothing of it had left. A new
    /// version of the dataset goes back to made-up rows.
    ///
    /// - Parameter onCharge: Told, before the first row is read, the request's id, what is charged for good from here on, and
    ///   whether an earlier run that was cut short had already charged it.
    /// - Throws: a `Problem`: `over-budget` if the population's budget does not suffice.
    public func synthesize(
        _ request: SynthesisRequest,
        onCharge: @escaping @Sendable (_ request: String, _ charge: Loss, _ isResumed: Bool) -> Void = { _, _, _ in }
    ) async throws -> SynthesisReport {
        let submission = Submission(
            engine: SynthesisWork.self, body: try request.body, resumesSame: true, onCharge: onCharge)
        guard case .released(let bytes, _) = try await submit(submission, as: Self.localOwner) else {
            throw Problem.conflict("the synthetic table waits for approval")
        }
        let document = try JSONDecoder().decode(SyntheticDocument.self, from: Data(bytes))
        return SynthesisReport(
            request: document.answer.request, charge: document.answer.charge, rows: document.answer.rows.count,
            pairs: document.pairs, madeUp: document.madeUp, wantedRows: document.wantedRows)
    }
}

/// A synthetic table as it is stored: an answer, and what it was made from.
struct SyntheticDocument: Codable, Sendable {
    var answer: Answer
    /// The pairs of columns whose dependence was measured.
    var pairs: [[String]]
    /// Columns whose values are made up from the manifest, each with the reason.
    var madeUp: [String]
    /// How many rows it would have if it could be as large.
    var wantedRows: Int?

    private enum CodingKeys: CodingKey { case pairs, madeUp, wantedRows }

    init(answer: Answer, pairs: [[String]], madeUp: [String], wantedRows: Int?) {
        self.answer = answer
        self.pairs = pairs
        self.madeUp = madeUp
        self.wantedRows = wantedRows
    }

    /// Beside the answer's own members, so that whoever reads an answer reads it too.
    init(from decoder: any Decoder) throws {
        answer = try Answer(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        pairs = try container.decodeIfPresent([[String]].self, forKey: .pairs) ?? []
        madeUp = try container.decodeIfPresent([String].self, forKey: .madeUp) ?? []
        wantedRows = try container.decodeIfPresent(Int.self, forKey: .wantedRows)
    }

    func encode(to encoder: any Encoder) throws {
        try answer.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(pairs, forKey: .pairs)
        try container.encode(madeUp, forKey: .madeUp)
        try container.encodeIfPresent(wantedRows, forKey: .wantedRows)
    }
}
