import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import SecureComputation
import SecureStatistics
import Tables

/// What a computation on shares comes to at this site: from request, manifest and policy alone.
struct ComputationTask: Sendable {
    /// The most rounds, and the most bytes that a site brings in one: what is larger is refused.
    static let (mostRounds, mostRoundBytes) = (100_000, 64 << 20)
    /// The most rows of a site.
    static let mostRows = 1 << 18

    let asked: AskedComputation
    let entry: Catalogue.Entry
    /// With whom.
    let rounds: AllowedRounds
    let plan: any ComputationPlan
    /// Which party this site is.
    let party: ComputingParty

    var request: any SealedComputation { asked.request }
    /// How many rows it brings at most.
    var rows: Int { request.rows[rounds.index] }

    /// - Parameter site: This site's public key.
    init(_ asked: AskedComputation, site: Data, in catalogue: Catalogue) throws {
        self.asked = asked
        let request = asked.request
        guard let entry = catalogue.datasets[request.dataset] else { throw catalogue.absent(request.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidRequest("\(request.dataset) is a public lookup table: nobody's privacy is in it")
        }
        self.entry = entry
        let engineRule = policy.rule(
            for: ComputationWork.engine, isAllowedUnlessSaid: ComputationWork.isAllowedUnlessSaid)
        rounds = try AllowedRounds(
            request.invitation, at: site, rule: engineRule?.federation,
            what: "\(entry.manifest.name) is not computed with", engine: ComputationWork.engine)
        guard let rule = engineRule?.computation, let party = ComputingParty(rawValue: rounds.index) else {
            throw Problem.forbidden("\(entry.manifest.name) is not computed with: its owner's policy does not say how")
        }
        self.party = party
        try Self.check(asked, rule, policy)
        let place = ComputationPlace(manifest: entry.manifest, rule: rule, index: rounds.index, party: party)
        switch asked {
        case .regression(let request): plan = try RegressionPlan(request, rule, at: place)
        case .join(let request): plan = try JoinPlan(request, at: place)
        }
        guard plan.cost.rounds < Self.mostRounds, mostBytes <= Self.mostRoundBytes else {
            throw Problem.tooLarge(
                "it takes \(plan.cost.rounds) rounds of up to \(mostBytes) bytes a site, and at most \(Self.mostRounds) of \(Self.mostRoundBytes >> 20) MiB are allowed: ask with fewer rows, columns or steps"
            )
        }
    }

    /// The most bytes that a site brings in a round.
    var mostBytes: Int {
        SealedRoundsParticipant.mostBytes(sites: rounds.roster.count, messages: [plan.cost.largestMessage])
    }

    private static func check(_ asked: AskedComputation, _ rule: ComputationRule, _ policy: Policy) throws {
        let request = asked.request
        guard rule.analyses.contains(asked.analysis) else {
            throw Problem.forbidden(
                "the owner's policy does not allow \(asked.analysis.withArticle)",
                hint: "it allows \(rule.analyses.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        guard request.rho != nil || rule.allowsExact else {
            throw Problem.forbidden(
                "the owner's policy allows results with noise alone", hint: "say which loss: 'rho', from 0.001 to 1 say"
            )
        }
        guard request.rho == nil || policy.regime.kind != .pure else {
            throw Problem.invalidRequest(
                "results have Gaussian noise, and the dataset's policy counts pure epsilon",
                hint: "its owner would have to declare it under `loss: zcdp`")
        }
        // A program is made to plan, and a stranger chooses what it is of.
        guard request.rows.allSatisfy({ (0...mostRows).contains($0) }) else {
            throw Problem.tooLarge("'rows' are from 0 to \(mostRows) of each site")
        }
    }

    /// What the greetings of all sites are bound to.
    var digest: Data {
        AllowedRounds.digest(
            "parley joint computation 1\n",
            of: [request.dataset, hexadecimal(plan.digest), hexadecimal(plan.program.digest)]
                + (plan.join.map { [hexadecimal($0.program.digest)] } ?? []))
    }

    /// What all sites must agree on.
    var agreement: ComputationAgreement {
        ComputationAgreement(
            task: hexadecimal(plan.digest), program: hexadecimal(plan.program.digest), rounds: 1 + plan.cost.rounds,
            mostBytes: mostBytes, bytes: plan.cost.bytes)
    }

    // MARK: What leaves

    var outputPrivacy: String? {
        guard rows > 0 else { return "nothing of this site's rows: it brought none, and computed alone" }
        return request.rho == nil
            ? "\(plan.whatBecomes) known to the owners of all three sites and whoever asked, without noise" : nil
    }

    /// What the noise promises, and what it costs.
    var noiseNote: String? {
        plan.noise.map { noise in
            "Each owner adds the whole noise by itself, so that one honest owner suffices: of \(noise.owners.count) owners the deviation is \(ShortNumber.text((100 * noise.deviationFactor).rounded() / 100)) times as large as one alone would need. "
                + (plan.join == nil
                    ? "It is for one person's row; who has rows at two sites loses at both. "
                    : "It is for one person, whose rows at both sites count as one: she loses rho once, and both sites are charged it. ")
                + "Noise beyond what its shares hold would be cut there: the probability is below 2^-60."
        }
    }
}

/// Where a computation is planned.
struct ComputationPlace {
    let manifest: Manifest
    let rule: ComputationRule
    /// This site's place.
    let index: Int
    let party: ComputingParty

    /// - Throws: A `Problem`: the request says another capacity than this site declares.
    func checkCapacity(_ rows: Int) throws {
        guard rows == manifest.capacityUnits else {
            throw Problem.invalidRequest(
                "'rows' says \(rows) of this site, and it declares a capacity of \(manifest.capacityUnits) units",
                hint: "ask the site for its dataset again")
        }
    }

    /// A column that may go in.
    func column(_ name: String) throws -> (index: Int, schema: ColumnSchema) {
        guard manifest.unit.column.map({ manifest.schema.columns[$0].name }) != name else {
            throw Problem.forbidden(
                "\(DisplayedName.of(name)) names whom this site protects, and does not go into a computation",
                hint: "joins are on it; ask for other columns")
        }
        guard rule.columns?.contains(name) ?? true else {
            throw Problem.forbidden(
                "the owner's policy does not let \(DisplayedName.of(name)) go into a computation",
                hint: "it names \((rule.columns ?? []).sorted().prefix(100).joined(separator: ", "))")
        }
        return try declared(name)
    }

    /// A column of the table.
    func declared(_ name: String) throws -> (index: Int, schema: ColumnSchema) {
        guard let index = manifest.schema.columns.firstIndex(where: { $0.name == name }) else {
            throw Problem.invalidRequest(
                "there is no column \(DisplayedName.of(name))",
                hint: manifest.schema.columns.map(\.name).prefix(100).joined(separator: ", "))
        }
        return (index, manifest.schema.columns[index])
    }

    /// A column of numbers that may go in, declared as the request says.
    func column(_ name: String, from lower: Double, to upper: Double, alike: String) throws -> (
        index: Int, schema: ColumnSchema
    ) {
        let (index, column) = try column(name)
        guard let bounds = column.computedBounds else {
            throw Problem.invalidRequest(
                "\(column.name) is neither a number with bounds or a domain nor true or false",
                hint: "columns of the types integer, real and boolean; its owner may declare `bounds`")
        }
        guard (lower, upper) == bounds else {
            throw Problem.conflict(
                "this site declares \(column.name) from \(ShortNumber.text(bounds.0)) to \(ShortNumber.text(bounds.1)), and the request from \(ShortNumber.text(lower)) to \(ShortNumber.text(upper))",
                hint: alike)
        }
        return (index, column)
    }
}

extension ComputationRule.Analysis {
    fileprivate var withArticle: String { self == .joined ? rawValue : "a \(rawValue)" }
}

extension ColumnSchema {
    /// Between what its values lie, as numbers; nil: they are none, or it is not declared.
    var computedBounds: (Double, Double)? {
        switch type {
        case .boolean: return (0, 1)
        case .integer, .real:
            let numbers = (domain ?? []).compactMap { value -> Double? in
                switch value {
                case .integer(let number): Double(number)
                case .real(let number): number
                default: nil
                }
            }
            guard let lower = lowerBound ?? numbers.min(), let upper = upperBound ?? numbers.max(), lower < upper
            else { return nil }
            return (lower, upper)
        case .text, .date, .timestamp: return nil
        }
    }
}
