import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Secrets
import Tables

/// A question in SQL: planned from the catalogue alone (docs/privacy.md, rule 5), answered with noise.
struct QuestionWork: EngineWork {
    static let engine: EngineName = "questions"
    static let noun = "the question"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = true

    let request: AskRequest
    let plan: Plan
    /// The dataset that was asked, another that it joins, and lookup tables.
    let assets: [Catalogue.Entry]
    let asked: Catalogue.Entry
    let regime: LossRegime

    /// The longest question, in bytes.
    static let largestQuestion = 64 << 10

    var charge: Charge { Charge(loss: plan.charge) }
    var unit: AskedUnit { request.budget.unit }
    var askedError: Double? { if case .error(let relative, _) = request.budget { relative } else { nil } }
    var bound: PlanBound { plan.bound }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        try self.init(try JSONDecoder().decode(AskRequest.self, from: Data(body)), in: knowledge)
    }

    init(_ request: AskRequest, in knowledge: PublicKnowledge) throws {
        let catalogue = knowledge.catalogue
        guard request.sql.utf8.count <= Self.largestQuestion else {
            throw Problem.tooLarge("a question has at most \(Self.largestQuestion >> 10) KiB")
        }
        guard let asked = catalogue.datasets[request.dataset] else {
            throw catalogue.absent(request.dataset)
        }
        guard let policy = asked.policy, !asked.isLookup else {
            throw Problem.invalidQuestion("\(request.dataset) is a public lookup table", hint: "join it in a question")
        }
        let question = Self.question(request)
        let lookups = catalogue.datasets.values.filter(\.isLookup).sorted { $0.manifest.name < $1.manifest.name }
        let partners = catalogue.datasets.values
            .filter { $0.version != asked.version && $0.policy?.regime.kind == policy.regime.kind }
            .sorted { $0.manifest.name < $1.manifest.name }
        let described = try lookups.map { entry in
            let table = try knowledge.lookup(entry)
            return LookupDescription(
                name: entry.manifest.name, schema: entry.manifest.schema, keyColumn: entry.manifest.lookupKey ?? 0,
                rowsPerKey: entry.manifest.rowsPerKey, capacityRows: table?.rowCount ?? entry.manifest.capacityRows,
                domains: table?.domains ?? [])
        }
        var plan = try Self.plan(
            question, of: [asked] + partners, lookups: described, regime: policy.regime,
            allowed: policy.allowedAggregates)
        let used = try plan.datasets.map { name in
            guard let entry = catalogue.datasets[name] else { throw Problem.absent("there is no dataset \(name)") }
            return entry
        }
        guard used.contains(where: { $0.version == asked.version }) else {
            throw Problem.invalidQuestion(
                "the question does not read \(request.dataset)", hint: "FROM \(SQLName.written(request.dataset))")
        }
        // Both owners' lists of aggregates bind a question that joins their tables.
        let allowed = used.compactMap(\.policy).reduce(policy.allowedAggregates) {
            $0.intersection($1.allowedAggregates)
        }
        if allowed != policy.allowedAggregates {
            plan = try Self.plan(
                question, of: [asked] + partners, lookups: described, regime: policy.regime, allowed: allowed)
        }
        self.request = request
        self.asked = asked
        self.plan = plan
        regime = policy.regime
        assets =
            try [asked] + used.filter { $0.version != asked.version }
            + plan.lookups.map { name in
                guard let entry = catalogue.datasets[name] else {
                    throw Problem.absent("there is no lookup table \(name)")
                }
                return entry
            }
    }

    private static func plan(
        _ question: Question, of datasets: [Catalogue.Entry], lookups: [LookupDescription], regime: LossRegime,
        allowed: Set<AggregateFunction>
    ) throws -> Plan {
        let context = PlanningContext(
            datasets: datasets.map(\.description), lookups: lookups, regime: regime, allowed: allowed)
        do { return try Planner.plan(question, in: context) } catch {
            throw Problem.invalidQuestion(error.message, hint: error.hint, position: error.position)
        }
    }

    private static func question(_ request: AskRequest) -> Question {
        Question(
            sql: request.sql, budget: request.budget, selectionDelta: request.selectionDelta,
            groupsPerUnit: request.groupsPerUnit, rowsPerGroup: request.rowsPerGroup,
            boundingShares: request.boundingShares == true, isSimultaneous: request.simultaneous)
    }

    // MARK: What is stored and computed

    /// The request as it is stored: with `boundingShares` always. What was stored before there were any does not have it, was
    /// planned without them, and so is completed under the charge that it had.
    static func body(_ request: AskRequest) throws -> [UInt8] {
        guard request.budget.isFinite, request.selectionDelta?.isFinite ?? true else {
            throw Problem.invalidRequest("epsilon, rho, error and delta are finite numbers")
        }
        var stored = request
        stored.boundingShares = request.boundingShares ?? true
        return try AnswerEncoding.bytes(stored)
    }

    /// The same bytes as for `POST /v1/ask`, where the purpose is a member of the question.
    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        var question = try AskRequest(request)
        guard question.purpose == nil else {
            throw Problem.invalidRequest("'request.purpose': the purpose stands beside the request, as 'purpose'")
        }
        question.purpose = purpose
        return try body(question)
    }

    private static func request(_ body: [UInt8]) -> AskRequest? {
        try? JSONDecoder().decode(AskRequest.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String { request(body)?.sql ?? "" }

    /// As version 1 of receipts has it, so that a researcher computes it from her own request.
    static func digest(_ body: [UInt8], version: String) -> String {
        request(body)?.digest(datasetVersion: version) ?? ""
    }

    /// Exact aggregates live and end inside `Plan.measure`; what comes back is noisy.
    func run(
        _ grant: borrowing Grant<QuestionWork>, using randomness: inout SecureRandom
    ) -> Measured<NoisyAnswer, SecureRandom>? {
        var tables: [String: Tables.Table] = [:]
        var lookups: [LookupTable] = []
        for (asset, opened) in zip(assets, grant.tables) {
            switch opened {
            case .table(let table): tables[asset.manifest.name] = table
            case .lookup(let lookup): lookups.append(lookup)
            }
        }
        guard let source = source({ tables[$0] }) else { return nil }
        return plan.measure(source, lookups: lookups, using: &randomness)
    }

    /// The rows of the plan, in its order; for a join, each side bounded as the plan says. nil: a table is not there.
    func source(_ table: (String) throws -> Tables.Table?) rethrows -> RowSource? {
        let tables = try plan.datasets.compactMap(table)
        switch tables.count {
        case plan.datasets.count where tables.count == 1: return .table(tables[0])
        case plan.datasets.count where tables.count == 2:
            return .join(tables[0], tables[1], leftRows: plan.rowsPerUnit[0], rightRows: plan.rowsPerUnit[1])
        default: return nil
        }
    }

    func review(at site: Datasite) throws -> WorkReview {
        var review = WorkReview(columns: plan.columns.map(\.message), notes: plan.notes)
        do { review.mock = try site.mockAnswer(self, try site.catalogue()) } catch let problem as Problem {
            review.notes.append("There is no mock answer: \(problem.detail).")
        }
        return review
    }

    func document(_ release: Release<NoisyAnswer>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try AnswerEncoding.bytes(
            Answer(
                request: release.request, dataset: request.dataset, version: asked.version, sql: request.sql,
                charge: terms.charge, columns: AnswerEncoding.columns(release.answer),
                rows: AnswerEncoding.rows(release.answer), bounding: AnswerEncoding.bounding(release.answer),
                notes: release.answer.notes + terms.timeNotes, guarantees: terms.guarantees, mock: false,
                nonce: Nonce.new()))
    }
}
