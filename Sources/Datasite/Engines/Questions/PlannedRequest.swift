import DatasiteProtocol
import DifferentialPrivacy
import Governance
import Query
import Tables

/// A question with its plan, and the datasets that it reads: from the catalogue alone (docs/privacy.md, rule 5).
struct PlannedRequest: Sendable {
    let request: AskRequest
    let plan: Plan
    let asked: Catalogue.Entry
    /// The datasets that the question reads, in the plan's order.
    let entries: [Catalogue.Entry]
    let lookups: [Catalogue.Entry]
    let digest: String
    /// The catalogue's version that it was planned on.
    let catalogueVersion: Int64

    /// The longest question, in bytes.
    static let largestQuestion = 64 << 10

    var charge: PrivacyLoss { plan.charge }
    let regime: LossRegime
    var policies: [Policy] { entries.compactMap(\.policy) }

    /// The populations whose ledgers it draws on, once each.
    var populations: [Int64] {
        entries.compactMap(\.population).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// `lookupRows`: the number of rows of a public lookup table.
    init(
        _ request: AskRequest, in catalogue: Catalogue,
        lookupRows: (Catalogue.Entry) throws -> Int = { $0.manifest.capacityRows }
    ) throws {
        guard request.sql.utf8.count <= Self.largestQuestion else {
            throw Problem.tooLarge("a question has at most \(Self.largestQuestion >> 10) KiB")
        }
        guard let asked = catalogue.datasets[request.dataset] else {
            throw catalogue.absent(request.dataset)
        }
        guard let policy = asked.policy, !asked.isLookup else {
            throw Problem.invalidQuestion("\(request.dataset) is a public lookup table", hint: "join it in a question")
        }
        let question = try Self.question(request)
        let lookups = catalogue.datasets.values.filter(\.isLookup).sorted { $0.manifest.name < $1.manifest.name }
        let partners = catalogue.datasets.values
            .filter { $0.version != asked.version && $0.policy?.regime.kind == policy.regime.kind }
            .sorted { $0.manifest.name < $1.manifest.name }
        let described = try lookups.map {
            LookupDescription(
                name: $0.manifest.name, schema: $0.manifest.schema, keyColumn: $0.manifest.lookupKey ?? 0,
                capacityRows: try lookupRows($0))
        }
        var plan = try Self.plan(question, [asked] + partners, described, policy.regime, policy.allowedAggregates)
        let used = try plan.datasets.map { name in
            guard let entry = catalogue.datasets[name] else { throw Problem.absent("there is no dataset \(name)") }
            return entry
        }
        guard used.contains(where: { $0.version == asked.version }) else {
            throw Problem.invalidQuestion(
                "the question does not read \(request.dataset)", hint: "FROM \(request.dataset)")
        }
        // Both owners' lists of aggregates bind a question that joins their tables.
        let allowed = used.compactMap(\.policy).reduce(policy.allowedAggregates) {
            $0.intersection($1.allowedAggregates)
        }
        if allowed != policy.allowedAggregates {
            plan = try Self.plan(question, [asked] + partners, described, policy.regime, allowed)
        }
        self.request = request
        self.asked = asked
        self.plan = plan
        // The order of the plan is the order of its columns.
        entries = used
        self.lookups = try plan.lookups.map { name in
            guard let entry = catalogue.datasets[name] else { throw Problem.absent("there is no lookup table \(name)") }
            return entry
        }
        catalogueVersion = catalogue.version
        regime = policy.regime
        digest = request.digest(datasetVersion: asked.version)
        guard plan.charge.kind == policy.regime.kind, plan.charge.amount >= 0, plan.charge.delta >= 0 else {
            throw Problem.unavailable("the plan's charge is not in the policy's unit of loss")
        }
    }

    private static func plan(
        _ question: Question, _ datasets: [Catalogue.Entry], _ lookups: [LookupDescription], _ regime: LossRegime,
        _ allowed: Set<AggregateFunction>
    ) throws -> Plan {
        let context = PlanningContext(
            datasets: datasets.map(\.description), lookups: lookups, regime: regime, allowed: allowed)
        do { return try Planner.plan(question, in: context) } catch {
            throw Problem.invalidQuestion(error.message, hint: error.hint, position: error.position)
        }
    }

    private static func question(_ request: AskRequest) throws -> Question {
        let budget: QuestionBudget
        switch (request.epsilon, request.rho, request.error) {
        case (.some(let epsilon), nil, nil): budget = .epsilon(epsilon)
        case (nil, .some(let rho), nil): budget = .rho(rho)
        case (nil, nil, .some(let error)): budget = .error(relative: error.relative, groupSize: error.groupSize)
        default: throw Problem.invalidRequest("give exactly one of epsilon, rho and error")
        }
        return Question(
            sql: request.sql, budget: budget, selectionDelta: request.selectionDelta,
            groupsPerUnit: request.groupsPerUnit, rowsPerGroup: request.rowsPerGroup)
    }
}

/// A name that a caller wrote, made fit for an error: cut, and without control characters.
enum DisplayedName {
    static func of(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(64).map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) }
        return "\u{201C}\(String(visible))\u{201D}"
    }
}

extension Catalogue {
    /// There is no dataset of that name: the one that was probably meant, or where to look.
    func absent(_ name: String) -> Problem {
        let nearest = NameSuggestion.nearest(to: name, among: datasets.keys.sorted())
        return .absent(
            "there is no dataset \(DisplayedName.of(name))",
            hint: nearest.map { "did you mean \($0)? `parley data list` names all" } ?? "`parley data list` names all")
    }
}
