import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Tables

/// What a computation on shares comes to at this site: from request, manifest and policy alone.
struct ComputationTask: Sendable {
    /// The most rounds, and the most bytes that a site brings in one: what is larger is refused.
    static let (mostRounds, mostRoundBytes) = (100_000, 64 << 20)
    /// The most rows of a site, numbers in all rows, and rows in all steps together.
    static let (mostRows, mostNumbers, mostRowSteps) = (1 << 18, 1 << 21, 1 << 20)
    /// The most numbers in all rows in all steps together.
    static let mostNumberSteps = 1 << 24

    /// A plan, and what comes of it.
    enum Plan: Sendable {
        case linear(LinearPlan)
        case logistic(LogisticPlan)

        var program: Program {
            switch self {
            case .linear(let plan): plan.program
            case .logistic(let plan): plan.program
            }
        }

        var noise: JointNoise? {
            switch self {
            case .linear(let plan): plan.noise
            case .logistic(let plan): plan.noise
            }
        }

        var digest: [UInt8] {
            switch self {
            case .linear(let plan): plan.task.digest
            case .logistic(let plan): plan.task.digest
            }
        }

        func inputs(of party: ComputingParty, _ rows: OwnerRows?) throws(SecureStatisticsError) -> [RingTensor] {
            switch self {
            case .linear(let plan): try plan.inputs(of: party, rows)
            case .logistic(let plan): try plan.inputs(of: party, rows)
            }
        }

        /// nil: noise left nothing that has a solution.
        func result(_ outputs: [RingTensor]) -> (intercept: Double, coefficients: [Double])? {
            switch self {
            case .linear(let plan): (try? plan.model(outputs)).map { ($0.intercept, $0.coefficients) }
            case .logistic(let plan): (try? plan.model(outputs)).map { ($0.intercept, $0.coefficients) }
            }
        }
    }

    let request: ComputationRequest
    let entry: Catalogue.Entry
    /// With whom.
    let rounds: AllowedRounds
    let plan: Plan
    /// Which party this site is.
    let party: ComputingParty
    /// The columns of its rows, the response's last; none where it brings no rows.
    let columns: [ColumnInput]
    let cost: ThreePartyCost

    /// How many rows it brings at most.
    var rows: Int { request.rows[rounds.index] }

    /// - Parameter site: This site's public key.
    init(_ request: ComputationRequest, site: Data, in catalogue: Catalogue) throws {
        self.request = request
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
        try Self.check(request, rule, policy)
        columns =
            request.rows[rounds.index] == 0
            ? [] : try Self.columns(request, rule, entry.manifest, at: rounds.index)
        plan = try Self.plan(request)
        do throws(ComputationError) { cost = try plan.program.threePartyCostWithAbort() } catch {
            throw Problem.invalidRequest("\(error)")
        }
        guard cost.rounds < Self.mostRounds, mostBytes <= Self.mostRoundBytes else {
            throw Problem.tooLarge(
                "it takes \(cost.rounds) rounds of up to \(mostBytes) bytes a site, and at most \(Self.mostRounds) of \(Self.mostRoundBytes >> 20) MiB are allowed: ask with fewer rows, columns or steps"
            )
        }
    }

    /// The most bytes that a site brings in a round.
    var mostBytes: Int {
        SealedRoundsParticipant.mostBytes(sites: rounds.roster.count, messages: [cost.largestMessage])
    }

    private static func check(_ request: ComputationRequest, _ rule: ComputationRule, _ policy: Policy) throws {
        guard rule.analyses.contains(where: { $0.rawValue == request.analysis.rawValue }) else {
            throw Problem.forbidden(
                "the owner's policy does not allow a \(request.analysis.rawValue)",
                hint: "it allows \(rule.analyses.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        guard request.steps <= rule.steps else {
            throw Problem.forbidden("the owner's policy allows at most \(rule.steps) steps")
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
        let rows = request.rows.reduce(0) { $0.addingReportingOverflow(max(0, $1)).partialValue }
        guard request.rows.allSatisfy({ (0...Self.mostRows).contains($0) }),
            rows * request.features.count <= Self.mostNumbers, rows * max(1, request.steps) <= Self.mostRowSteps,
            rows * (request.features.count + 1) * max(1, request.steps) <= Self.mostNumberSteps
        else {
            throw Problem.tooLarge(
                "\(rows) rows of \(request.features.count) columns in \(request.steps) steps: at most \(Self.mostRows) rows of a site, \(Self.mostNumbers) numbers, and \(Self.mostRowSteps) rows or \(Self.mostNumberSteps) numbers in all steps together"
            )
        }
        guard request.analysis == .linear || request.steps >= 2 else {
            throw Problem.invalidRequest("a logistic regression takes 2 steps at least")
        }
        guard request.analysis == .logistic || request.steps == 1 && request.rate == 1 else {
            throw Problem.invalidRequest("a linear regression has no steps: 'steps' and 'rate' are 1")
        }
    }

    private static func columns(
        _ request: ComputationRequest, _ rule: ComputationRule, _ manifest: Manifest, at place: Int
    ) throws -> [ColumnInput] {
        guard request.rows[place] == manifest.capacityUnits else {
            throw Problem.invalidRequest(
                "'rows' says \(request.rows[place]) of this site, and it declares a capacity of \(manifest.capacityUnits) units",
                hint: "ask the site for its dataset again")
        }
        return try (request.features + [request.response]).enumerated().map { position, asked in
            // Whoever has no response is not in it.
            let missing: Float = position == request.features.count ? .nan : 0.5
            guard rule.columns?.contains(asked.name) ?? true else {
                throw Problem.forbidden(
                    "the owner's policy does not let \(DisplayedName.of(asked.name)) go into a computation",
                    hint: "it names \((rule.columns ?? []).sorted().prefix(100).joined(separator: ", "))")
            }
            guard let index = manifest.schema.columns.firstIndex(where: { $0.name == asked.name }) else {
                throw Problem.invalidRequest(
                    "there is no column \(DisplayedName.of(asked.name))",
                    hint: manifest.schema.columns.map(\.name).prefix(100).joined(separator: ", "))
            }
            let column = manifest.schema.columns[index]
            guard let (lower, upper) = column.computedBounds else {
                throw Problem.invalidRequest(
                    "\(column.name) is neither a number with bounds or a domain nor true or false",
                    hint: "columns of the types integer, real and boolean; its owner may declare `bounds`")
            }
            guard (asked.lower, asked.upper) == (lower, upper) else {
                throw Problem.conflict(
                    "this site declares \(column.name) from \(ShortNumber.text(lower)) to \(ShortNumber.text(upper)), and the request from \(ShortNumber.text(asked.lower)) to \(ShortNumber.text(asked.upper))",
                    hint: "all sites must declare what goes in alike: their owners may agree on bounds")
            }
            if column.type == .boolean {
                return ColumnInput(column: index, form: .oneOf([.boolean(false), .boolean(true)]))
            }
            return ColumnInput(column: index, form: .number(lower: lower, upper: upper, missing: missing))
        }
    }

    private static func plan(_ request: ComputationRequest) throws -> Plan {
        do throws(SecureStatisticsError) {
            var features: [ColumnBounds] = []
            for column in request.features {
                features.append(try ColumnBounds(column.name, column.lower, column.upper))
            }
            let response = try ColumnBounds(request.response.name, request.response.lower, request.response.upper)
            let rows = zip(ComputingParty.three, request.rows).filter { $0.1 != 0 }
            let table = try JointTable(
                features: features, response: response,
                rowsOf: Dictionary(rows.map { ($0, $1) }, uniquingKeysWith: { first, _ in first }))
            var privacy: JointPrivacy?
            if let rho = request.rho { privacy = try JointPrivacy(rho: rho, delta: 1e-9) }
            switch request.analysis {
            case .linear:
                return .linear(
                    try LinearPlan(
                        LinearTask(
                            table: table, ridge: request.ridge, privacy: privacy, setting: .threeParties,
                            recipients: ComputingParty.three)))
            case .logistic:
                return .logistic(
                    try LogisticPlan(
                        LogisticTask(
                            table: table, epochs: request.steps, rate: request.rate, ridge: request.ridge,
                            privacy: privacy, setting: .threeParties, recipients: ComputingParty.three)))
            }
        } catch { throw Problem.invalidRequest("\(error)") }
    }

    /// What the greetings of all sites are bound to.
    var digest: Data {
        AllowedRounds.digest(
            "parley joint computation 1\n",
            of: [request.dataset, hexadecimal(plan.digest), hexadecimal(plan.program.digest)])
    }

    /// What all sites must agree on.
    var agreement: ComputationAgreement {
        ComputationAgreement(
            task: hexadecimal(plan.digest), program: hexadecimal(plan.program.digest), rounds: 1 + cost.rounds,
            mostBytes: mostBytes, bytes: cost.bytes)
    }

    /// This site's rows: of each unit the first of its keyed order, where that one has a response.
    func ownRows(_ table: Table) -> OwnerRows? {
        guard let label = columns.last else { return nil }
        let features = columns.dropLast()
        let found = table.examples(inputs: Array(features), label: label, rowsPerUnit: 1)
        let width = features.reduce(0) { $0 + $1.width }
        let count = found.units.count
        var (columns, start): ([[Double]], Int) = ([], 0)
        for (feature, asked) in zip(features, request.features) {
            let values = (0..<count).map { row in
                let first = Double(found.inputs[row * width + start])
                // Of false and true, how far it is true: between them where it is missing.
                return feature.width == 1 ? first : (1 - first + Double(found.inputs[row * width + start + 1])) / 2
            }
            columns.append(values.map(asked.scaled))
            start += feature.width
        }
        let response =
            found.labels.map { $0.map(Double.init) }
            ?? (found.values ?? []).map { request.response.scaled(Double($0)) }
        return OwnerRows(features: columns, response: response)
    }

    // MARK: What leaves

    /// What is said of the computation to whoever decides, and with what comes of it.
    var promise: String {
        let whose =
            rows == 0
            ? "This site brings no rows, and computes with the two others"
            : "One row of each unit goes in, as shares that no other site can read: up to \(rows) of this site"
        return whose + "; coefficients become known to the owners of all three sites and whoever asked."
    }

    /// What the coefficients are of.
    var model: String {
        let rows = "\(request.rows.reduce(0, +)) declared rows"
        let ridge =
            "columns scaled to -1 and 1 by their bounds, a missing one in their middle, and \(ShortNumber.text(request.ridge)) times the \(rows) added for each coefficient and the intercept"
        return request.analysis == .linear
            ? "Least squares of \(ridge)."
            : "\(request.steps) steps of length \(ShortNumber.text(request.rate)) down the mean loss over the \(rows), from 0: of \(ridge). Whether more steps would lead further is not said."
    }

    var outputPrivacy: String? {
        request.rho == nil && rows > 0
            ? "the coefficients become known to the owners of all three sites and whoever asked, without noise" : nil
    }

    /// What the noise promises, and what it costs.
    var noiseNote: String? {
        plan.noise.map { noise in
            "Each owner adds the whole noise by itself, so that one honest owner suffices: of \(noise.owners.count) owners the deviation is \(ShortNumber.text((100 * noise.deviationFactor).rounded() / 100)) times as large as one alone would need. It is for one person's row; who has rows at two sites loses at both. "
                + "Noise beyond what its shares hold would be cut there: the probability is below 2^-60."
        }
    }
}

extension ComputationRequest.Column {
    /// What a part of the way from the lower to the upper bound is.
    func scaled(_ part: Double) -> Double { lower + part * (upper - lower) }
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
