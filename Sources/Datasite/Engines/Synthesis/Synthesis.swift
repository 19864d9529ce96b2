public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import SyntheticData
import Tables

/// What an owner asks for: a synthetic table of a dataset. Exactly one of `epsilon` and `rho`.
public struct SynthesisRequest: Sendable, Hashable {
    public var dataset: String
    public var epsilon: Double?
    public var rho: Double?
    /// nil: the noisy number of the dataset's rows.
    public var rows: Int?
    /// Of each unit only so many rows count; nil: the manifest's bound.
    public var rowsPerUnit: Int?
    /// The columns to synthesise; nil: all that have a declared domain or bounds.
    public var columns: [String]?

    public init(
        dataset: String, epsilon: Double? = nil, rho: Double? = nil, rows: Int? = nil, rowsPerUnit: Int? = nil,
        columns: [String]? = nil
    ) {
        self.dataset = dataset
        self.epsilon = epsilon
        self.rho = rho
        self.rows = rows
        self.rowsPerUnit = rowsPerUnit
        self.columns = columns
    }

    /// How it stands in the journal and among the requests.
    fileprivate var words: String {
        var words = "SYNTHETIC TABLE OF \(dataset)"
        if let rows { words += ", \(rows) rows" }
        if let rowsPerUnit { words += ", \(rowsPerUnit) rows of a unit" }
        if let columns { words += ", columns \(columns.sorted().joined(separator: ", "))" }
        return words
    }
}

/// What was released: all of it is public.
public struct SynthesisReport: Sendable, Hashable {
    public var request: String
    public var charge: Loss
    public var rows: Int
    /// The pairs of columns whose dependence the table has.
    public var pairs: [[String]]
    /// Columns whose values are made up from the manifest, each with the reason.
    public var madeUp: [String]
}

extension Datasite {
    /// Releases a synthetic table of a dataset, charged to its population's ledger, and has mock answers come from it.
    ///
    /// The charge is reserved durably before the first row is read and stays whatever happens after (docs/privacy.md, rules 7
    /// and 8). After a crash the same request completes under the charge that it has: nothing of it had left. A new
    /// version of the dataset goes back to made-up rows.
    ///
    /// - Parameter onCharge: Told, before the first row is read, what is charged for good from here on, and whether an
    ///   earlier run that was cut short had already charged it.
    /// - Throws: a `Problem`: `over-budget` if the population's budget does not suffice.
    public func synthesize(
        _ request: SynthesisRequest, onCharge: @Sendable (_ charge: Loss, _ isResumed: Bool) -> Void = { _, _ in }
    ) async throws -> SynthesisReport {
        try requireSound()
        do {
            let planned = try PlannedSynthesis(request, in: try catalogue())
            let (id, isResumed) = try await commit.perform { try planned.reserve(in: &$0) }
            onCharge(
                LossWords.wire(planned.charge, conversionDelta: planned.policy.regime.conversionDelta), isResumed)
            // The journal tells when it was charged and when it was released: between them lies a public time.
            let start = scans.begin(at: clock.instant(), planned.slot)
            let (release, end) = try await engines.run { try self.compute(id, planned) }
            await clock.sleepUntil(planned.slot.departure(start: start, end: end))
            return try await planners.run { try self.store(release, planned) }
        } catch { throw Problem.storage(error) }
    }

    /// On an engine thread.
    private func compute(
        _ id: String, _ planned: PlannedSynthesis
    ) throws -> (Release<SyntheticTable>, end: Duration) {
        let table = try table(planned.entry)
        var reservation: Reservation?
        try read { (db: Database) -> Void in reservation = try Ledger.reservation(of: id, in: db) }
        guard let reservation else { throw Problem.conflict("another process has released this synthetic table") }
        let grant = try grant(
            reservation, synthesis: planned.synthesis, charge: planned.charge, table: table)
        let outcome = try SynthesisEngine.run(grant)
        do { return (try ReleaseGate.open(outcome), clock.instant()) } catch {
            try withhold(id, of: planned.request.dataset)
            throw Problem.unavailable("the synthetic table was withheld: its events are not covered by its charge")
        }
    }

    /// Stores the table as a release and as the source of mock answers, in one transaction.
    private func store(_ release: Release<SyntheticTable>, _ planned: PlannedSynthesis) throws -> SynthesisReport {
        let rows = planned.rows(release)
        let answer = planned.answer(release, rows)
        let entry = ReleaseEntry(
            request: release.request, loss: release.loss, digest: planned.digest, dataset: planned.request.dataset,
            version: planned.entry.version, populations: [planned.population], guarantees: answer.guarantees,
            answer: try AnswerEncoding.bytes(answer), key: signingKey, site: name)
        let preview = rows.prefix(SyntheticMock.previewRows).map { $0.map(AnswerEncoding.scalar) }
        let isStored = try write { context in
            guard try entry.store(in: &context) != nil else { return false }
            try context.db.execute(
                sql: "INSERT OR REPLACE INTO synthetic VALUES (?, ?, ?)",
                arguments: [
                    entry.version, entry.request,
                    String(decoding: try JSONEncoder().encode(Array(preview)), as: UTF8.self),
                ])
            try Meta.catalogueChanged(context.db)
            return true
        }
        guard isStored else { throw Problem.conflict("another process has released this synthetic table") }
        return SynthesisReport(
            request: entry.request, charge: answer.charge, rows: rows.count, pairs: release.answer.pairs,
            madeUp: planned.madeUp(release))
    }
}

/// A request for a synthetic table with what it costs: from the catalogue alone (docs/privacy.md, rule 5).
struct PlannedSynthesis: Sendable {
    let request: SynthesisRequest
    let body: AskRequest
    let entry: Catalogue.Entry
    let policy: Policy
    let population: Int64
    let synthesis: SyntheticData
    let charge: PrivacyLoss
    let digest: String
    let catalogueVersion: Int64

    init(_ request: SynthesisRequest, in catalogue: Catalogue) throws {
        guard let entry = catalogue.datasets[request.dataset] else { throw catalogue.absent(request.dataset) }
        guard let policy = entry.policy, let population = entry.population, !entry.isLookup else {
            throw Problem.invalidRequest("\(request.dataset) is a public lookup table: it needs no synthetic one")
        }
        charge = try Self.charge(request, policy)
        let manifest = entry.manifest
        do throws(SyntheticDataError) {
            synthesis = try SyntheticData(
                schema: manifest.schema, unitColumn: manifest.unit.column, rowsPerUnit: manifest.unit.rowsPerUnit,
                options: .init(
                    rows: request.rows, rowsPerUnit: request.rowsPerUnit, columns: request.columns.map(Set.init)))
            try synthesis.check(budget: charge)
        } catch {
            throw Problem.invalidRequest("\(error)")
        }
        body = AskRequest(
            dataset: request.dataset, sql: request.words, epsilon: request.epsilon, rho: request.rho)
        digest = body.digest(datasetVersion: entry.version)
        catalogueVersion = catalogue.version
        self.request = request
        self.entry = entry
        self.policy = policy
        self.population = population
    }

    /// Ample for two scans that count every pair of columns of the declared capacity, and for fitting the model: what
    /// the last takes follows from noisy numbers.
    var slot: TimeSlot {
        let columns = Int64(entry.manifest.schema.columns.count)
        let rows = Int64(min(entry.manifest.capacityRows, 1 << 32))
        let perRow = 100 * columns + 3 * min(columns * columns, 16_384)
        return TimeSlot(bound: .milliseconds(700) + .nanoseconds(perRow / 4) * Int(rows))
    }

    /// Under zCDP an epsilon means the largest rho that converts to at most it (docs/privacy.md, rule 6).
    private static func charge(_ request: SynthesisRequest, _ policy: Policy) throws -> PrivacyLoss {
        let isPure = policy.regime.kind == .pure
        do throws(MechanismError) {
            switch (request.epsilon, request.rho) {
            case (.some(let epsilon), nil) where epsilon > 0 && epsilon.isFinite:
                return isPure
                    ? try PrivacyLoss(roundingDownEpsilon: epsilon)
                    : try PrivacyLoss(
                        roundingDownRho: Conversion.rho(epsilon: epsilon, delta: policy.regime.conversionDelta))
            case (nil, .some(let rho)) where !isPure && rho > 0 && rho.isFinite:
                return try PrivacyLoss(roundingDownRho: rho)
            default: break
            }
        } catch {
            throw Problem.invalidRequest("\(error)")
        }
        throw Problem.invalidRequest(
            isPure ? "give an epsilon above 0" : "give exactly one of epsilon and rho, above 0")
    }

    /// The request that a crash cut short, or a new one with its charge: inside the transaction.
    func reserve(in context: inout WriteContext) throws -> (id: String, isResumed: Bool) {
        let db = context.db
        guard try Meta.integer(db, "catalogue") == catalogueVersion else {
            throw Problem.conflict("the datasite is being changed", hint: "try again in a moment")
        }
        if let id = try String.fetchOne(
            db,
            sql: """
                SELECT id FROM requests WHERE researcher = ? AND digest = ? AND version = ? AND state = 'reserved'
                    AND lost = 0 ORDER BY number LIMIT 1
                """, arguments: [Datasite.localOwner.name, digest, entry.version])
        {
            return (id, true)
        }
        do { try Ledger.charge(charge, population: population, researcher: nil, in: context) } catch {
            guard let exceeded = error as? Ledger.Exceeded else { throw error }
            throw Problem.overBudget(
                "the synthetic table costs \(LossWords.text(charge)), more than is left to \(exceeded.scope.words) of the "
                    + "budget of \(exceeded.population)",
                hint: "`parley budget` says what is left; ask for a smaller epsilon, or raise the total")
        }
        return (try store(in: &context), false)
    }

    private func store(in context: inout WriteContext) throws -> String {
        let id = ReserveAttempt.newID()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try context.db.execute(
            sql: """
                INSERT INTO requests (id, researcher, digest, dataset, version, body, kind, amount, delta, population, state,
                    approvals_needed, created)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', 0, ?)
                """,
            arguments: [
                id, Datasite.localOwner.name, digest, request.dataset, entry.version,
                String(decoding: try encoder.encode(body), as: UTF8.self), charge.kind.rawValue, charge.amount,
                charge.delta, population, context.now,
            ])
        try context.journal(
            JournalEntry(
                action: .reserved, actor: Datasite.localOwner.name, time: context.now, dataset: request.dataset,
                request: id, populations: [population], loss: charge, detail: request.words))
        return id
    }

    // MARK: What is stored

    /// The rows, with what was left out made up from the manifest, as mock rows otherwise are.
    func rows(_ release: Release<SyntheticTable>) -> [[Value]] {
        var rows = release.answer.rows
        let names = Set(release.answer.leftOut.map(\.name))
        let columns = entry.manifest.schema.columns.indices.filter {
            names.contains(entry.manifest.schema.columns[$0].name)
        }
        MockData(entry.manifest).fill(columns, of: &rows)
        return rows
    }

    func madeUp(_ release: Release<SyntheticTable>) -> [String] {
        release.answer.leftOut.map { "\($0.name): \($0.reason)" }
    }

    func answer(_ release: Release<SyntheticTable>, _ rows: [[Value]]) -> Answer {
        let regime = policy.regime
        var notes = ["A synthetic table: drawn from a model of noisy counts; no row is anybody's."]
        let pairs = release.answer.pairs.map { $0.joined(separator: " with ") }
        notes.append(
            pairs.isEmpty
                ? "Columns are independent of each other."
                : "Dependences come from these pairs of columns alone: \(pairs.joined(separator: ", ")).")
        let madeUp = madeUp(release)
        if !madeUp.isEmpty { notes.append("Made up from the manifest alone: \(madeUp.joined(separator: "; ")).") }
        return Answer(
            request: release.request, dataset: request.dataset, version: entry.version, sql: body.sql,
            charge: LossWords.wire(release.loss, conversionDelta: regime.conversionDelta),
            columns: entry.manifest.schema.columns.map {
                Answer.Column(name: $0.name, type: $0.type.rawValue, isKey: true)
            },
            rows: rows.map { $0.map { Answer.Cell(value: AnswerEncoding.scalar($0)) } }, notes: notes,
            guarantees: AnswerEncoding.guarantees(
                release.loss, regime: regime, unit: [entry.boundsWords], approvals: [Datasite.localOwner.name]),
            mock: false, nonce: Nonce.new())
    }
}
