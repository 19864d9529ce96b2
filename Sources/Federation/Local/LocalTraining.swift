internal import DifferentialPrivacy
public import Learning

/// A participant's own training without noise: local steps from the round's weights, by the plan's strategy.
///
/// Seeded: a round that is computed again gives the same update, to the bit, so that runs without secrets can be repeated. Not for rows whose updates must
/// hide what is in them: that is for ``PrivateLocalTraining``.
public struct LocalTraining: LocalWork {
    private let strategy: Strategy
    private let plan: TrainingPlan
    private let examples: Examples
    private let batchRows: Int
    private let seed: UInt64
    private let threads: Int
    private let base: Parameters
    private let personal: PersonalModel?

    /// - Parameters:
    ///   - plan: How local steps are taken: its `steps` are those of a round. With `scaffold`, by gradient descent without momentum.
    ///   - examples: The participant's rows.
    ///   - batchRows: How many a local step takes.
    ///   - seed: The participant's.
    ///   - parameters: Frozen ones are taken from here.
    ///   - personal: What of the model is shared, where layers stay with the participant: they are what is carried.
    /// - Throws: What does not fit together.
    public init(
        strategy: Strategy, plan: TrainingPlan, examples: Examples, batchRows: Int, seed: UInt64,
        parameters: Parameters,
        threads: Int = 1, personal: PersonalModel? = nil
    ) throws {
        if personal != nil {
            // One carries a control variate, and the other takes no steps.
            guard strategy.kind != .scaffold, strategy.kind != .fedSGD else {
                throw ModelError.data(
                    "layers that stay with participants", expected: "a strategy other than fedSGD and scaffold")
            }
        }
        if case .scaffold = strategy {
            guard plan.optimizer == .gradientDescent(), plan.schedule == .constant else {
                throw ModelError.data(
                    "the local optimiser", expected: "with scaffold: sgd without momentum, at a constant rate")
            }
        }
        (self.strategy, self.plan, self.examples) = (strategy, plan, examples)
        (self.batchRows, self.seed, self.threads, base) = (batchRows, seed, threads, parameters)
        self.personal = personal
        _ = try run(parameters, round: 0)
    }

    private func run(_ parameters: Parameters, round: Int) throws -> TrainingRun {
        // A round has the rows of its own order: the stream of its number.
        try TrainingRun(
            plan: plan, examples: examples, batchRows: batchRows, seed: seed &+ UInt64(round) &* 0x9E37_79B9_7F4A_7C15,
            threads: threads, parameters: parameters)
    }

    /// Local steps from the round's weights; with `fedSGD` the gradient of one batch.
    public mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        let before = try personal?.joined(shared: model.weights, own: carried) ?? model.weights
        var run = try run(plan.model.parameters(base, trained: before), round: header.round)
        if case .fedSGD = strategy {
            var gradient: [Float] = []
            _ = try run.step { gradient = $0 }
            return (.numbers(gradient), carried)
        }
        var own: ControlVariate?
        if case .scaffold = strategy { own = ControlVariate(carried, parameters: model.weights.count) }
        let correction = try LocalCorrection(strategy, anchor: before, server: model.server.control, own: own)
        for _ in 0..<plan.steps {
            let weights = plan.model.trained(run.state.parameters)
            var failure: (any Error)?
            _ = try run.step { gradient in
                do { try correction.adjust(gradient: &gradient, weights: weights) } catch { failure = error }
            }
            if let failure { throw failure }
        }
        let after = plan.model.trained(run.state.result)
        if let personal {
            let (shared, own) = try personal.divided(after)
            return (.numbers(zip(shared, model.weights).map { $0 - $1 }), own)
        }
        guard var variate = own else {
            return (.numbers(zip(after, model.weights).map { $0 - $1 }), carried)
        }
        let sent = try variate.renew(
            server: model.server.control, before: model.weights, after: after, steps: plan.steps,
            rate: Double(plan.learningRate))
        return (.numbers(sent), variate.values)
    }
}

/// A participant's part of private training with distributed noise: its clipped sum and its share of the noise, in integers.
///
/// Noise and samples are the system's. Nothing is carried, and nothing but the integers is kept: a round that is computed again is drawn anew, which is sound
/// as long as what was drawn before was not sent (``Participant``).
public struct PrivateLocalTraining: LocalWork {
    private let share: TrainingShare

    /// - Parameters:
    ///   - plan: The federated plan, whose noise and rate are taken.
    ///   - training: The model and loss. Its `steps` are all rounds, spare ones too.
    /// - Throws: What does not fit together; layers that let one unit's gradient depend on others.
    public init(
        _ plan: FederatedPlan, training: TrainingPlan, examples: Examples, parameters: Parameters, threads: Int = 1
    ) throws {
        share = try TrainingShare(
            plan: training, privacy: plan.privacy(), examples: examples, parameters: parameters,
            share: plan.shares().share,
            threads: threads)
    }

    /// A clipped sum over a new sample, and a new share of the noise.
    public mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        var random = SecureRandom()
        return (.integers(try share.integers(weights: model.weights, using: &random)), carried)
    }
}
