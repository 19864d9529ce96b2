import Crypto
import DifferentialPrivacy
import Federation
import Foundation
import Learning
import Marketplace
import Secrets
import Synchronization

/// A round of the market: steps of private training by all owners, with masks and shares of the noise; each owner's updates are valued on the way, on shares.
struct MarketTraining {
    /// What an owner does.
    enum Conduct: Sendable {
        /// Trains on her images.
        case trains(Examples)
        /// Has no images, and sends zeros.
        case ridesFree
        /// Has no images, and sends a part of the step that everybody saw.
        case copies
    }

    /// Numbers of the plan that stand in the task's rules.
    struct Numbers {
        var steps: Int
        var noiseMultiplier: Double
        /// Declared of all owners together.
        var capacity: Int
        /// Clips the sponsor's vectors.
        var gradientNorm: Double
        var folds: Int
    }

    let model: Model
    let base: Parameters
    let plan: FederatedPlan
    let training: TrainingPlan
    let numbers: Numbers
    private let privacy: TrainingPrivacy

    /// Three quarters of the images are of pneumonia: taken for public.
    static let classWeights: [Float] = [1.9, 0.67]
    static let delta = 1e-4

    init(_ proposal: MarketProposal, model: Model, base: Parameters, owners: Int, colluders: Int, numbers: Numbers)
        throws
    {
        (self.model, self.base, self.numbers) = (model, base, numbers)
        plan = FederatedPlan(
            name: proposal.title, strategy: .fedSGD(rate: proposal.rate),
            aggregation: .distributedNoise(threshold: owners, colluders: colluders), rounds: numbers.steps,
            spareRounds: 0, least: owners, parameterCount: model.trained(base).count,
            noise: SharedNoise(
                clippingNorm: proposal.clip, noiseMultiplier: numbers.noiseMultiplier, samplingRate: 1,
                capacity: numbers.capacity),
            work: Data(SHA256.hash(data: Data(proposal.description.utf8))), leastSeconds: 30)
        training = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: Float(proposal.rate),
            steps: numbers.steps, classWeights: Self.classWeights)
        privacy = try plan.privacy()
    }

    /// What owners are charged: as if all shares of the noise but an owner's own were known. An owner's update is private by itself then, and whatever is computed of it, the sum and what she
    /// contributed, is post-processing.
    func charge() throws -> PrivacyEvent {
        let l1 = Sensitivity.l1(l2Squared: privacy.sensitivitySquared, dimension: plan.parameterCount)
        let step = try plan.shares().share.event(
            l1Sensitivity: l1, sensitivitySquared: privacy.sensitivitySquared)
        return .repeated(.poissonSampled(rate: privacy.samplingRate, step), times: privacy.steps)
    }

    /// What an owner's update moves the model by, of her integers.
    private func update(_ integers: [Int64]) -> [Float] {
        guard case .fedSGD(let rate) = plan.strategy else { return [] }
        return privacy.meanGradient(ofSum: integers).map { -Float(rate) * $0 }
    }

    /// The public norm of updates: the clipped sum of as many images as are declared of an owner, and what noise comes to.
    private func updateNorm(owners: Int) throws -> Double {
        guard case .fedSGD(let rate) = plan.strategy, let noise = plan.noise else { return 0 }
        let share = try plan.shares().share.variance.squareRoot()
        let step = Double(privacy.meanGradient(ofSum: [1])[0])
        let random = share * step * Double(plan.parameterCount).squareRoot()
        return rate * (noise.clippingNorm / Double(owners) + 1.5 * random)
    }

    // MARK: a run

    /// What one owner sent, step by step.
    final class Sent: Sendable {
        private let kept = Mutex<[[Int64]]>([])
        var integers: [[Int64]] { kept.withLock { $0 } }
        func keep(_ integers: [Int64]) { kept.withLock { $0.append(integers) } }

        /// A digest of all of it: what the owner commits to.
        var content: Digest256 {
            var hash = SHA256()
            for step in integers { step.withUnsafeBytes { hash.update(bufferPointer: $0) } }
            return Digest256(Array(hash.finalize())) ?? .sha256([])
        }
    }

    private struct OwnerWork: LocalWork {
        let sent: Sent
        var trains: PrivateLocalTraining?
        let copies: Bool
        /// The model before the step before.
        var before: [Float]?
        /// What an integer moves the model by.
        let unit: Float

        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            var integers = [Int64](repeating: 0, count: model.weights.count)
            if trains != nil,
                case .integers(let own)? = try trains?.update(of: model, in: header, carried: carried).update
            {
                integers = own
            } else if copies, let before {
                for place in integers.indices {
                    integers[place] = Int64(((model.weights[place] - before[place]) / (5 * unit)).rounded())
                }
            }
            before = model.weights
            sent.keep(integers)
            return (.integers(integers), carried)
        }
    }

    /// What came of a round.
    struct Outcome {
        /// The trained weights.
        let weights: [Float]
        /// By owner.
        let sent: [Sent]
        /// The sponsor's and the owners' sides of the valuation.
        let valuation: Valuation
    }

    /// A valuation that is not yet opened.
    struct Valuation {
        let terms: ValuationTerms
        var sponsors: [InnerProductSponsor]
        var owners: [InnerProductOwner]
        /// By part: the sponsor's own inner product with the model's steps.
        var steps: [Double]

        /// Opens the totals: by owner and part.
        mutating func opened() throws -> [[Double]] {
            var all: [[Double]] = []
            for place in owners.indices {
                let share = owners[place].open()
                all.append(try sponsors[place].open(share))
            }
            return all
        }
    }

    /// Trains, and values.
    ///
    /// - Parameters:
    ///   - weights: Where the model begins.
    ///   - validation: The sponsor's rows, behind the frozen layers.
    ///   - names: The owners', in the order of what they do.
    func run(
        from weights: [Float], _ conducts: [Conduct], names: [PartyName], session: Digest256, validation: Examples,
        progress: (Int) -> Void
    ) throws -> Outcome {
        let unit = update([1])[0]
        let works = try conducts.map { conduct in
            var trains: PrivateLocalTraining?
            var copies = false
            switch conduct {
            case .trains(let examples):
                trains = try PrivateLocalTraining(
                    plan, training: training, examples: examples, parameters: base, threads: 2)
            case .ridesFree: break
            case .copies: copies = true
            }
            return OwnerWork(sent: Sent(), trains: trains, copies: copies, unit: unit)
        }
        var random = SecureRandom()
        let policy = FederationPolicy(ways: [.distributedNoise], leastHonest: 3, leastColluders: 2)
        var run = try Simulator(
            plan: plan, policy: policy, identities: works.map { _ in Curve25519.Signing.PrivateKey() }, works: works,
            weights: weights, seed: random.next())
        var valuation = try begin(names, session)
        let folds = try folds(of: validation)
        var (before, previous) = (weights, [Float]?.none)
        while !run.coordinator.isOver, !run.isSilent {
            let round = run.coordinator.model.round
            run.run(everybody: false, rounds: round + 1)
            guard run.coordinator.model.round > round else { continue }
            let after = run.coordinator.model.weights
            let updates = works.map { update($0.sent.integers[round]) }
            try value(
                &valuation, round: round, from: before, to: after, previous: previous, updates: updates, folds: folds)
            (previous, before) = (zip(after, before).map { $0 - $1 }, after)
            progress(round + 1)
        }
        guard run.coordinator.phase == .finished else {
            throw Failure("The training ended after \(run.coordinator.model.round) steps.")
        }
        return Outcome(weights: before, sent: works.map(\.sent), valuation: valuation)
    }

    // MARK: the valuation

    private func begin(_ names: [PartyName], _ session: Digest256) throws -> Valuation {
        let terms = try ValuationTerms(
            session: session, dimension: plan.parameterCount, folds: numbers.folds, rounds: numbers.steps,
            updateNorm: updateNorm(owners: names.count), gradientNorm: numbers.gradientNorm)
        // Whoever deals sees no vector: the clerk.
        let dealer = CorrelationDealer(terms: terms)
        let dealt = try names.map { try dealer.deal(to: $0) }
        return Valuation(
            terms: terms,
            sponsors: try dealt.map { try InnerProductSponsor(terms: terms, correlation: $0.sponsor) },
            owners: try dealt.map { try InnerProductOwner(terms: terms, correlation: $0.owner) },
            steps: [Double](repeating: 0, count: numbers.folds))
    }

    /// The sponsor's rows in parts.
    private func folds(of validation: Examples) throws -> [Examples] {
        try (0..<numbers.folds).map { fold in
            try validation.selecting((0..<validation.count).filter { $0 % numbers.folds == fold })
        }
    }

    /// The gradient of the rows' mean loss.
    private func gradient(_ examples: Examples, at weights: [Float]) throws -> [Float] {
        var run = try TrainingRun(
            plan: training, examples: examples, batchRows: examples.count, seed: 0, threads: 2,
            parameters: model.parameters(base, trained: weights))
        var gradient: [Float] = []
        _ = try run.step { gradient = $0 }
        return gradient
    }

    private func value(
        _ valuation: inout Valuation, round: Int, from before: [Float], to after: [Float], previous: [Float]?,
        updates: [[Float]], folds: [Examples]
    ) throws {
        let moved = zip(after, before).map { $0 - $1 }
        var vectors: [[Float]] = []
        for (fold, rows) in folds.enumerated() {
            let gradients = try DataValue.quadrature.map { point in
                try gradient(rows, at: zip(before, moved).map { $0 + Float(point.place) * $1 })
            }
            let neutral = DataValue.neutralised(DataValue.descent(gradients), against: previous.map { [$0] } ?? [])
            let vector = DataValue.clipped(neutral, to: valuation.terms.gradientNorm)
            vectors.append(vector)
            valuation.steps[fold] += zip(vector, moved).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        for place in updates.indices {
            let asked = try valuation.sponsors[place].begin(round: round, vectors: vectors)
            try valuation.sponsors[place].take(valuation.owners[place].answer(asked, update: updates[place]))
        }
    }
}
