public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Secrets
import Tables

extension Datasite {
    /// The answer that a question gets on mock data, with the noise that it would have: made up, charged nothing, without
    /// a receipt. Every question that can be planned can be asked so, where its answer is small.
    public func mock(_ request: AskRequest, as identity: Identity) async throws -> [UInt8] {
        let catalogue = try catalogue()
        return try await mocks.admitting(identity.name) {
            // Planned there too: what it costs to refuse a free answer is no other's either.
            try await mocks.run(for: identity.name) {
                try reportingProblems {
                    try AnswerEncoding.bytes(self.mockAnswer(self.question(request, in: catalogue).work, catalogue))
                }
            }
        }
    }

    /// - Throws: A `Problem`: there are no mock rows, or the answer is larger than a mock answer may be.
    func mockAnswer(_ work: QuestionWork, _ catalogue: Catalogue) throws -> Answer {
        let knowledge = PublicKnowledge(catalogue: catalogue) { try self.lookupTable($0) }
        let bound = try work.mockBound(knowledge) { try self.mockTable($0).rowCount }
        try MockLimits().check(bound, limits, threads: engines.threads)
        let source = try work.source { name in
            try work.assets.first { $0.manifest.name == name }.map(mockTable)
        }
        guard let source else { throw Problem.unavailable("there are no mock rows") }
        let lookups = try work.assets.filter(\.isLookup).map(lookupTable)
        let entries = work.assets.filter { !$0.isLookup }
        var randomness = SecureRandom()
        let noisy = work.plan.measure(source, lookups: lookups, using: &randomness).answer
        return Answer(
            request: "mock", dataset: work.request.dataset, version: work.asked.version, sql: work.request.sql,
            charge: work.charge.wire(conversionDelta: work.regime.conversionDelta),
            columns: AnswerEncoding.columns(noisy), rows: Self.marked(AnswerEncoding.rows(noisy), noisy.columns),
            // Where there is no row, the first says why.
            notes: noisy.rows.isEmpty
                ? noisy.notes + entries.map(Self.mockNote) + [Self.noiseNote(work)]
                : entries.map(Self.mockNote) + [Self.noiseNote(work)] + noisy.notes,
            guarantees: Guarantees(
                inputPrivacy: "no private row was read",
                outputPrivacy: entries.allSatisfy { $0.synthetic == nil }
                    ? "the rows are made up from the manifest"
                    : "the rows are of a synthetic table, whose release was charged to the ledger",
                inputVerification: "none", outputVerification: "none", flowGovernance: "open to all"),
            mock: true)
    }

    /// Each estimate says that its interval is of the mock's noise alone: about the data it says nothing, however narrow it is.
    private static func marked(_ rows: [[Answer.Cell]], _ columns: [AnswerColumn]) -> [[Answer.Cell]] {
        rows.map { row in
            zip(row, columns).map { cell, column in
                var cell = cell
                // What bounding leaves out of made-up rows would be read as what it leaves out of the table.
                let told = (cell.flags ?? []).filter { $0 != CellFlag.bounded.rawValue }
                if !column.isKey { cell.flags = told + ["mock"] }
                return cell
            }
        }
    }

    private static func noiseNote(_ work: QuestionWork) -> String {
        "The noise, and so each interval, is that of a question at "
            + "\(work.charge.words(in: .epsilon, QuestionSize(regime: work.regime))): "
            + "it says how precise an answer would be, and not how far these numbers are from the data's."
    }

    /// Says of each dataset what its mock rows are.
    private static func mockNote(_ entry: Catalogue.Entry) -> String {
        guard let synthetic = entry.synthetic else {
            return "Made-up rows of \(entry.manifest.name): these numbers say nothing of the data."
        }
        let source = synthetic.source(conversionDelta: entry.policy?.regime.conversionDelta ?? 0)
        return
            "Rows of \(entry.manifest.name) are of \(source): what is of it resembles the data as far as its noise allows, and "
            + "this answer adds noise of its own."
    }

    private func mockTable(_ entry: Catalogue.Entry) throws -> Tables.Table {
        let opened = try mockTables.opened(entry.synthetic?.request ?? entry.version) {
            .table(try MockData(entry.manifest).table(rows: try entry.synthetic.map { try syntheticRows($0, entry) }))
        }
        guard case .table(let table) = opened else { throw Problem.unavailable("there are no mock rows") }
        return table
    }
}
