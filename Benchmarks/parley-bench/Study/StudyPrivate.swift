import DifferentialPrivacy
import Federation
import Foundation
import Learning
import Secrets

/// What is spent on one epsilon: the noise that hospitals share, and the noise of one who trains alone.
struct StudyPromise {
    let epsilon: Double
    /// The rates of hospitals that add noise of their own: averaged, and alone.
    let (localRate, aloneRate): (Float, Float)
    /// Distributed noise among the hospitals.
    let plan: FederatedPlan
    /// Of the honest hospitals' shares together, over the sensitivity.
    let multiplier: Double
    /// The deviation of all shares over that of the honest ones.
    let allOverHonest: Double
    /// What a hospital needs that adds all of the noise itself. Nobody can void its rounds: it has no spare ones, and the tighter accountant knows its noise.
    let aloneMultiplier: Double

    private typealias Numbers = StudyPlans.Private

    /// - Parameters:
    ///   - place: Of the epsilon among ``StudyPlans``'s.
    ///   - rows: Of all hospitals together.
    init(_ place: Int, rows: Int, parameters: Int) throws {
        let epsilon = Numbers.epsilons[place]
        self.epsilon = epsilon
        (localRate, aloneRate) = (Numbers.localRates[place], Numbers.aloneRates[place])
        let noise = SharedNoise(clippingNorm: Numbers.clip, noiseMultiplier: 1, samplingRate: 1, capacity: rows)
        var plan = FederatedPlan(
            name: "study", strategy: .fedSGD(rate: Double(Numbers.rate)),
            aggregation: .distributedNoise(threshold: StudyPlans.threshold, colluders: StudyPlans.colluders),
            rounds: Numbers.rounds, spareRounds: Numbers.spareRounds, least: StudyPlans.threshold,
            parameterCount: parameters, noise: noise, work: Data(repeating: 0, count: 32), leastSeconds: 30)
        let accountant = try RenyiAccountant()
        let event = try plan.event()
        multiplier = try Calibration.leastNoise(
            epsilon: epsilon, delta: Numbers.delta, tolerance: 1e-3, by: accountant
        ) { event.withDeviation(times: $0) }
        plan.noise?.noiseMultiplier = multiplier
        self.plan = plan
        allOverHonest = (Double(StudyPlans.hospitals) / Double(try plan.shares().honest)).squareRoot()
        // What is charged, of the plan as it is.
        var ledger = accountant
        try ledger.compose(plan.event())
        guard try ledger.epsilon(delta: Numbers.delta).upper <= epsilon else {
            throw BenchmarkError(reason: "the plan's epsilon is above \(epsilon)")
        }
        aloneMultiplier = try TrainingPrivacy.leastNoise(
            epsilon: epsilon, delta: Numbers.delta, of: [noise.privacy(steps: Numbers.rounds, dimension: parameters)])
    }

    /// The promise of so many steps with the same clipping norm and another noise, on so many rows.
    func privacy(multiplier: Double, rows: Int, steps: Int) throws -> TrainingPrivacy {
        let noise = SharedNoise(
            clippingNorm: Numbers.clip, noiseMultiplier: multiplier, samplingRate: 1, capacity: rows)
        return try noise.privacy(steps: steps, dimension: plan.parameterCount)
    }
}

extension PrivacyEvent {
    /// Steps of Skellam noise whose deviation is so many times as large.
    fileprivate func withDeviation(times factor: Double) -> PrivacyEvent {
        guard case .repeated(.poissonSampled(let rate, .skellam(let l1, let squared, let variance)), let times) = self
        else { return self }
        // Rounded down: the plan with this multiplier has at least as much.
        let step = PrivacyEvent.skellam(
            l1Sensitivity: l1, sensitivitySquared: squared, variance: (variance * factor * factor).nextDown)
        return .repeated(.poissonSampled(rate: rate, step), times: times)
    }
}

/// Private training. Noise is the system's: seeds fix the rest.
extension StudyHospitals {
    private typealias Numbers = StudyPlans.Private

    private func plan(rate: Float, steps: Int, averaging: Float?) throws -> TrainingPlan {
        try TrainingPlan(
            model: rows.model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: rate,
            steps: steps, classWeights: StudyPlans.classWeights, averaging: averaging)
    }

    private func alone(
        _ promise: StudyPromise, _ examples: Examples, multiplier: Double, rate: Float
    ) throws -> [Float] {
        let plan = try plan(rate: rate, steps: Numbers.rounds, averaging: Numbers.averaging)
        let privacy = try promise.privacy(multiplier: multiplier, rows: examples.count, steps: plan.steps)
        var random = SecureRandom()
        var run = try PrivateTrainingRun(
            plan: plan, privacy: privacy, examples: examples, parameters: begun, threads: threads)
        for _ in 0..<plan.steps { run.step(using: &random) }
        return rows.model.trained(run.state.result)
    }

    /// DP-SGD on all rows in one place, with the noise that honest shares come to: times a factor.
    func central(_ promise: StudyPromise, noise factor: Double = 1) throws -> [Float] {
        try alone(promise, rows.train, multiplier: promise.multiplier * factor, rate: Numbers.rate)
    }

    /// Each hospital by itself, with the noise that it needs.
    func alone(_ promise: StudyPromise) throws -> [[Float]] {
        try parts.map {
            try alone(promise, $0, multiplier: promise.aloneMultiplier, rate: promise.aloneRate)
        }
    }

    /// Each round is one step, whose noise is the sum of the hospitals' shares.
    func together(_ promise: StudyPromise, rate: Float = StudyPlans.Private.rate) throws -> [Float] {
        var plan = promise.plan
        plan.strategy = .fedSGD(rate: Double(rate))
        // The server takes the steps: a rate of its own has no part in them.
        let local = try self.plan(rate: rate, steps: plan.rounds + plan.spareRounds, averaging: nil)
        let works = try parts.map { part in
            try PrivateLocalTraining(plan, training: local, examples: part, parameters: begun, threads: threads)
        }
        return try trained(plan, works, averaging: Numbers.averaging).averaged
    }

    /// PriMIA's way (Kaissis et al. 2021): each hospital trains with all of the noise that it needs, and models are averaged.
    func withLocalNoise(_ promise: StudyPromise) throws -> [Float] {
        let localSteps = Numbers.localSteps
        let local = try plan(rate: promise.localRate, steps: localSteps, averaging: nil)
        var random = SecureRandom()
        var trained = Trained(rows.model.trained(begun))
        for round in 0..<Numbers.rounds / localSteps {
            let before = try rows.model.parameters(begun, trained: trained.last)
            var mean = [Double](repeating: 0, count: trained.last.count)
            for (place, part) in parts.enumerated() {
                let privacy = try promise.privacy(
                    multiplier: promise.aloneMultiplier, rows: part.count, steps: localSteps)
                var run = try PrivateTrainingRun(
                    plan: local, privacy: privacy, examples: part, parameters: before, threads: threads)
                for _ in 0..<localSteps { run.step(using: &random) }
                let after = rows.model.trained(run.state.result)
                for index in mean.indices { mean[index] += share(place) * Double(after[index]) }
            }
            trained.take(mean.map { Float($0) }, round: round + 1, averaging: Numbers.averaging)
        }
        return trained.averaged
    }
}
