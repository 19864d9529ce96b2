import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import SyntheticData
import Tables

/// A synthetic table: planned from manifest and budget alone, made from noisy marginals; mock answers come from it.
struct SynthesisWork: EngineWork {
    static let engine: EngineName = "synthetic-tables"
    static let noun = "the synthetic table"
    static let roles: Set<Role> = [.owner]
    static let isAllowedUnlessSaid = true

    let request: SynthesisRequest
    let entry: Catalogue.Entry
    let synthesis: SyntheticData
    /// Epsilon or rho.
    let budget: PrivacyLoss

    var assets: [Catalogue.Entry] { [entry] }
    var unit: AskedUnit { request.budget.unit }
    var charge: Charge { Charge(loss: entry.policy?.regime.charge(planned: budget) ?? budget) }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let request = try JSONDecoder().decode(SynthesisRequest.self, from: Data(body))
        let catalogue = knowledge.catalogue
        guard let entry = catalogue.datasets[request.dataset] else { throw catalogue.absent(request.dataset) }
        guard let policy = entry.policy, entry.population != nil, !entry.isLookup else {
            throw Problem.invalidRequest("\(request.dataset) is a public lookup table: it needs no synthetic one")
        }
        budget = try policy.regime.planned(request.budget)
        let manifest = entry.manifest
        do throws(SyntheticDataError) {
            synthesis = try Self.planned(request, manifest)
            try synthesis.check(budget: budget)
        } catch {
            throw Problem.invalidRequest("\(error)")
        }
        self.request = request
        self.entry = entry
    }

    static func planned(
        _ request: SynthesisRequest, _ manifest: Manifest
    ) throws(SyntheticDataError) -> SyntheticData {
        try SyntheticData(
            schema: manifest.schema, unitColumn: manifest.unit.column, rowsPerUnit: manifest.unit.rowsPerUnit,
            options: .init(
                rows: request.rows, rowsPerUnit: request.rowsPerUnit, columns: request.columns.map(Set.init)))
    }

    /// Ample for two scans that count every pair of columns of the declared capacity, and for fitting the model, which
    /// takes less than a second: how long exactly follows from noisy numbers.
    var bound: PlanBound {
        PlanBound(
            work: steps.reduce(Work()) { $0 + $1.work }, memory: synthesis.largestMemory + documentMemory)
    }

    /// The rows with what is made up, the answer's cells, their JSON on the way to bytes, and the bytes as they are stored.
    private var documentMemory: Double {
        let texts = entry.manifest.schema.columns.reduce(0.0) { $0 + Self.largestText($1) }
        let row = 64 + Self.cellMemory * Double(entry.manifest.schema.columns.count) + Self.textCopies * texts
        return Double(synthesis.largestRowCount) * row
    }

    /// Bytes of one cell in all these forms, beside its text: measured, and rounded up.
    private static let cellMemory = 1_000.0
    /// How often a text of a cell stands there, escaped.
    private static let textCopies = 12.0

    /// Of the values that a synthetic table may have: the domain's, or those that are made up.
    private static func largestText(_ column: ColumnSchema) -> Double {
        let domain = (column.domain ?? []) + [column.other].compactMap(\.self)
        let longest = domain.reduce(32) { longest, value in
            if case .text(let text) = value { max(longest, text.utf8.count) } else { longest }
        }
        return Double(longest)
    }

    /// One for each ``SyntheticData/Phase``.
    var steps: [WorkStep] {
        SyntheticData.Phase.allCases.map { phase in
            switch phase {
            case .columns: WorkStep("counting the columns", Work([.probe: rows * columns]))
            case .pairs: WorkStep("counting pairs of columns", Work([.step: rows * pairs]))
            case .model: WorkStep("fitting the model and drawing rows", Work([.scan: 2_800]))
            }
        }
    }

    private var columns: Double { Double(entry.manifest.schema.columns.count) }
    private var rows: Double { Double(min(entry.manifest.capacityRows, 1 << 32)) }
    private var pairs: Double { min(columns * columns, 16_384) }

    static func words(_ body: [UInt8]) -> String {
        (try? JSONDecoder().decode(SynthesisRequest.self, from: Data(body)))?.words ?? ""
    }

    func run(
        _ grant: borrowing Grant<SynthesisWork>, using randomness: inout SecureRandom
    ) -> Measured<SyntheticTable, SecureRandom>? {
        guard case .table(let table) = grant.tables[0] else { return nil }
        // What it could refuse was checked when it was planned.
        let track = grant.track
        return try? synthesis.measure(from: table, budget: budget, using: &randomness) { track.finish($0.rawValue) }
    }

    func document(_ release: Release<SyntheticTable>, _ terms: ReleaseTerms) throws -> [UInt8] {
        var notes = ["A synthetic table: drawn from a model of noisy counts; no row is anybody's."]
        if let wanted = release.answer.wantedRows {
            notes.append(
                "It has \(release.answer.rows.count) rows of \(wanted): a synthetic table has at most "
                    + "\(SyntheticData.Limits.rows) rows, and \(SyntheticData.Limits.values) values. Its counts and sums are "
                    + "smaller by that much.")
        }
        let pairs = release.answer.pairs.map { $0.joined(separator: " with ") }
        notes.append(
            pairs.isEmpty
                ? "Columns are independent of each other."
                : "Dependences come from these pairs of columns alone: \(pairs.joined(separator: ", ")).")
        let madeUp = release.answer.leftOut.map { "\($0.name): \($0.reason)" }
        if !madeUp.isEmpty { notes.append("Made up from the manifest alone: \(madeUp.joined(separator: "; ")).") }
        let answer = Answer(
            request: release.request, dataset: request.dataset, version: entry.version, sql: request.words,
            charge: terms.charge,
            columns: entry.manifest.schema.columns.map {
                Answer.Column(name: $0.name, type: $0.type.rawValue, isKey: true)
            },
            rows: madeRows(release).map { $0.map { Answer.Cell(value: AnswerEncoding.scalar($0)) } }, notes: notes,
            guarantees: terms.guarantees, mock: false, nonce: Nonce.new())
        return try AnswerEncoding.bytes(
            SyntheticDocument(
                answer: answer, pairs: release.answer.pairs, madeUp: madeUp, wantedRows: release.answer.wantedRows))
    }

    /// Mock answers come from it now.
    func record(_ release: Release<SyntheticTable>, in context: inout WriteContext) throws {
        let preview = madeRows(release).prefix(SyntheticMock.previewRows).map { $0.map(AnswerEncoding.scalar) }
        try context.db.execute(
            sql: "INSERT OR REPLACE INTO synthetic VALUES (:version, :request, :preview)",
            arguments: [
                "version": entry.version, "request": release.request,
                "preview": String(decoding: try JSONEncoder().encode(Array(preview)), as: UTF8.self),
            ])
        try Meta.catalogueChanged(context.db)
    }

    /// The rows, with what was left out made up from the manifest, as mock rows otherwise are.
    private func madeRows(_ release: Release<SyntheticTable>) -> [[Value]] {
        var rows = release.answer.rows
        let names = Set(release.answer.leftOut.map(\.name))
        let columns = entry.manifest.schema.columns.indices.filter {
            names.contains(entry.manifest.schema.columns[$0].name)
        }
        MockData(entry.manifest).fill(columns, of: &rows)
        return rows
    }

}
