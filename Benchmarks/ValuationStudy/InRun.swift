public import Marketplace
import Secrets

/// One who takes part in a run.
public struct Participant: Sendable {
    /// What it does in each round.
    public enum Conduct: Sendable, Hashable {
        /// Trains on its rows.
        case honest
        /// Sends zeros.
        case zero
        /// Sends a random direction of the clipping norm.
        case random
        /// Sends the step before again; in the first round, where there is none, zeros.
        case stale
        /// Trains, and sends the opposite.
        case flipped
        /// Trains, and sends so many times its update.
        case scaled(Float)
        /// Sends what the participant at a place sends.
        case copy(of: Int)
    }

    /// What it trains on.
    public let rows: Rows
    /// Its weight, before the division by all.
    public let weight: Double
    /// What it does.
    public let conduct: Conduct

    /// Who takes part; the weight is the number of rows where none is given.
    public init(_ rows: Rows, _ conduct: Conduct = .honest, weight: Double? = nil) {
        self.rows = rows
        self.conduct = conduct
        self.weight = weight ?? Double(rows.count)
    }
}

/// A run in which contributions are measured by the protocol itself, shares and all.
public struct InRun {
    /// How the sponsor values.
    public struct Valuation: Sendable {
        /// How many of the steps before her vector is projected away from.
        public var neutralised = 1
        /// Parts of her rows.
        public var folds = 5
        /// A session's name.
        public var session = Digest256.sha256(Array("study".utf8))

        /// As the marketplace does.
        public init() {}
    }

    /// By participant.
    public let report: ContributionReport
    /// By participant, in their order.
    public let scores: [Double]
    /// Their standard errors.
    public let errors: [Double]
    /// Part of the updates that were clipped.
    public let clipped: Double
    /// On the sponsor's rows, in the end.
    public let loss: Double, accuracy: Double

    /// Runs the plan.
    ///
    /// - Throws: `ValuationError`.
    public init(
        _ participants: [Participant], validation: Rows, plan: Plan = .study, valuation: Valuation = Valuation(),
        seed: UInt64
    ) throws(ValuationError) {
        var random = SeededGenerator(seed: seed)
        let terms = try ValuationTerms(
            session: valuation.session, dimension: Softmax.dimension, folds: valuation.folds, rounds: plan.rounds,
            updateNorm: Double(plan.clippingNorm), gradientNorm: 2)
        let names = participants.indices.map(Self.name)
        let dealer = CorrelationDealer(terms: terms)
        var sponsors: [InnerProductSponsor] = []
        var owners: [InnerProductOwner] = []
        for name in names {
            let (sponsor, owner) = try dealer.deal(to: name)
            sponsors.append(try InnerProductSponsor(terms: terms, correlation: sponsor))
            owners.append(try InnerProductOwner(terms: terms, correlation: owner))
        }
        let weights = participants.map { $0.weight / participants.reduce(0) { $0 + $1.weight } }
        let size = validation.count / valuation.folds
        let parts = (0..<valuation.folds).map { validation.part($0 * size..<($0 + 1) * size) }
        var model = Softmax()
        var steps: [Softmax] = []
        var stepGains = [Double](repeating: 0, count: valuation.folds)
        var clippedCount = 0
        for round in 0..<plan.rounds {
            let updates = Self.updates(participants, model, steps.last, plan, &random)
            clippedCount += updates.count { $0.squaredNorm > plan.clippingNorm * plan.clippingNorm }
            let clipped = updates.map(plan.clipped)
            var step = Softmax()
            for (update, weight) in zip(clipped, weights) { step.add(update, times: plan.serverRate * Float(weight)) }
            let known = steps.suffix(valuation.neutralised).map(\.vector)
            let vectors = parts.map { part in
                let gradients = DataValue.quadrature.map { point in
                    var place = model
                    place.add(step, times: Float(point.place))
                    return place.gradient(part).vector
                }
                return DataValue.neutralised(DataValue.descent(gradients), against: known)
            }
            let moved = step.vector
            for (fold, vector) in vectors.enumerated() {
                stepGains[fold] += zip(vector, moved).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
            for place in participants.indices {
                let factor = plan.serverRate * Float(weights[place])
                let masked = try sponsors[place].begin(round: round, vectors: vectors.map { $0.map { factor * $0 } })
                try sponsors[place].take(try owners[place].answer(masked, update: clipped[place].vector))
            }
            model.add(step, times: 1)
            steps.append(step)
        }
        var totals: [PartyName: [Double]] = [:]
        for place in participants.indices { totals[names[place]] = try sponsors[place].open(owners[place].open()) }
        let tolerance = Double(plan.rounds * participants.count) * terms.roundingError
        report = try ContributionReport(totals: totals, steps: stepGains, tolerance: tolerance)
        let byName = Dictionary(uniqueKeysWithValues: report.contributions.map { ($0.owner, $0) })
        scores = names.map { byName[$0]?.score.value ?? 0 }
        errors = names.map { byName[$0]?.error.value ?? 0 }
        clipped = Double(clippedCount) / Double(plan.rounds * participants.count)
        (loss, accuracy) = model.score(validation)
    }

    /// The name of the participant at a place.
    public static func name(_ place: Int) -> PartyName {
        guard let name = PartyName("owner\(place)") else { preconditionFailure("a name") }
        return name
    }

    private static func updates(
        _ participants: [Participant], _ model: Softmax, _ before: Softmax?, _ plan: Plan,
        _ random: inout SeededGenerator
    ) -> [Softmax] {
        var updates: [Softmax] = []
        for participant in participants {
            var update = Softmax()
            switch participant.conduct {
            case .zero: break
            case .honest: update = plan.update(model, participant.rows)
            case .stale: if let before { update.add(before, times: 10) }
            case .flipped: update.add(plan.update(model, participant.rows), times: -1)
            case .scaled(let factor): update.add(plan.update(model, participant.rows), times: factor)
            case .copy(let place): update = updates[place]
            case .random:
                update = Softmax((0..<Softmax.dimension).map { _ in Float(Cast.normal(&random)) })
            }
            updates.append(update)
        }
        return updates
    }
}
