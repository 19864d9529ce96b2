import DifferentialPrivacy
import Secrets
import Testing

@testable import Learning

/// A small classification problem, made from a seed.
struct Problem {
    let model: Model
    let examples: Examples

    init(rows: Int, seed: UInt64 = 1, unitRows: Int = 1) throws {
        var generator = SeededGenerator(seed: seed)
        model = try Model(inputShape: [4]) {
            Linear(8)
            ReLU()
            Linear(3)
        }
        var (values, labels): ([Float], [Int32]) = ([], [])
        for _ in 0..<rows {
            let label = generator.index(below: 3)
            labels.append(Int32(label))
            values += (0..<4).map { ($0 == label ? 2 : 0) + generator.normal() * 0.5 }
        }
        let units = stride(from: 0, to: rows, by: unitRows).map { $0..<min(rows, $0 + unitRows) }
        examples = try Examples(
            inputs: Tensor(shape: [rows, 4], values: values), targets: .labels(labels), units: units)
    }

    func plan(steps: Int, optimizer: Optimizer = .gradientDescent(momentum: 0.9), chunk: Int = 16) throws
        -> TrainingPlan
    {
        var plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: optimizer, learningRate: 0.1, steps: steps)
        plan.chunkRows = chunk
        return plan
    }
}

@Suite("Training, plain")
struct TrainingRunTests {
    @Test("The same seed gives the same weights to the bit, on one thread and three, and after a stop in between")
    func repeatable() throws {
        let problem = try Problem(rows: 203)
        for optimizer in [Optimizer.gradientDescent(momentum: 0.9), .adam(weightDecay: 0.01, isDecoupled: true)] {
            let plan = try problem.plan(steps: 25, optimizer: optimizer)
            func run(threads: Int, stop: Int?) throws -> [[Float]] {
                var run = try TrainingRun(
                    plan: plan, examples: problem.examples, batchRows: 64, seed: 7, threads: threads)
                for _ in 0..<(stop ?? 25) { _ = try run.step() }
                if let stop {
                    let state = try TrainingState(
                        plan, run.state.parameters, optimizer: run.state.optimizer, step: run.state.step)
                    run = try TrainingRun(
                        plan: plan, examples: problem.examples, batchRows: 64, seed: 7, threads: threads, state: state)
                    for _ in stop..<25 { _ = try run.step() }
                }
                return run.state.parameters.tensors.map(\.values)
            }
            let once = try run(threads: 1, stop: nil)
            #expect(try run(threads: 3, stop: nil) == once)
            #expect(try run(threads: 2, stop: 11) == once)
            let other = try TrainingRun(plan: plan, examples: problem.examples, batchRows: 64, seed: 8)
            #expect(other.state.parameters.tensors.map(\.values) != once)
        }
    }

    @Test("The loss falls")
    func learns() throws {
        let problem = try Problem(rows: 300)
        var run = try TrainingRun(plan: problem.plan(steps: 60), examples: problem.examples, batchRows: 50, seed: 3)
        let first = try run.step()
        for _ in 1..<59 { _ = try run.step() }
        #expect(try run.step() < 0.2 * first)
    }

    @Test("A loss that is no number is told with its step and layer, and the state stays as it was")
    func notANumber() throws {
        let problem = try Problem(rows: 50)
        var plan = try problem.plan(steps: 40, optimizer: .gradientDescent())
        plan.learningRate = 1e30
        var run = try TrainingRun(plan: plan, examples: problem.examples, batchRows: 50, seed: 3)
        var seen: ModelError?
        var before = run.state.step
        for _ in 0..<40 where seen == nil {
            before = run.state.step
            do { _ = try run.step() } catch { seen = error }
        }
        guard case .notANumber(let step, let layer) = try #require(seen) else {
            Issue.record("\(String(describing: seen))")
            return
        }
        #expect(step == before)
        #expect(run.state.step == before)
        #expect(layer.contains("linear"))
    }
}

@Suite("Training, private")
struct PrivateTrainingRunTests {
    func privacy(_ problem: Problem, noise: Double = 1, rate: Double = 0.2, steps: Int = 10) throws -> TrainingPrivacy {
        try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: noise, samplingRate: rate, steps: steps,
            capacity: problem.examples.units.count, dimension: problem.model.trainableCount)
    }

    func run(_ problem: Problem, _ privacy: TrainingPrivacy) throws -> PrivateTrainingRun {
        var generator = SeededGenerator(seed: 5)
        return try PrivateTrainingRun(
            plan: problem.plan(steps: privacy.steps), privacy: privacy, examples: problem.examples,
            parameters: problem.model.initialParameters(using: &generator))
    }

    @Test("The grid is so fine that rounding adds at most a thousandth to the sensitivity, which it covers")
    func grid() throws {
        for dimension in [1, 2, 67, 101_770, 11_700_000] {
            for clipping in [Clipping.fixed(0.3), .adaptive(from: 1, countDeviation: 5)] {
                let privacy = try TrainingPrivacy(
                    clipping: clipping, noiseMultiplier: 1.3, samplingRate: 0.1, steps: 1, capacity: 1000,
                    dimension: dimension)
                let gradient = privacy.gradientSteps + Double(dimension).squareRoot()
                let count = privacy.countSteps
                #expect(privacy.sensitivitySquared >= gradient * gradient + count * count)
                #expect(
                    privacy.sensitivitySquared <= 1.003
                        * (privacy.gradientSteps * privacy.gradientSteps + count * count))
                #expect(privacy.sigma * privacy.sigma >= 1.69 * privacy.sensitivitySquared)
                if count > 0 { #expect(abs(privacy.sigma / count / 5 - 1) < 0.05) }
            }
        }
    }

    /// The false-alarm rate is below 1e-6: 10,000 normal draws, a bound of 6 standard deviations of their mean square.
    @Test("A step's noise has the deviation that is accounted for, also on an empty sample")
    func noiseLaw() throws {
        let problem = try Problem(rows: 30)
        let run = try run(problem, privacy(problem, noise: 2))
        var generator = SeededGenerator(seed: 11)
        let empty = run.clippedSum([], using: &generator)
        var (sum, count) = (0.0, 0)
        while count < 10_000 {
            let noisy = run.noisy(empty, using: &generator).gradients.joined()
            for value in noisy {
                let steps = Double(value) * run.privacy.expectedUnits / (run.clippingNorm / run.privacy.gradientSteps)
                sum += steps * steps
                count += 1
            }
        }
        let ratio = sum / Double(count) / (run.privacy.sigma * run.privacy.sigma)
        #expect(abs(ratio - 1) < 6 * (2 / Double(count)).squareRoot())
    }

    @Test("One unit, however extreme its rows, moves the rounded sum by at most the sensitivity")
    func sensitivity() throws {
        for scale: Float in [1e-3, 1, 1e6, 1e30] {
            let problem = try Problem(rows: 40, unitRows: 4)
            let inputs = problem.examples.inputs(Array(0..<40))
            var values = inputs.values
            for index in 0..<16 { values[index] *= scale }
            let examples = try Examples(
                inputs: Tensor(shape: [40, 4], values: values), targets: problem.examples.targets,
                units: problem.examples.units)
            let privacy = try privacy(problem)
            var generator = SeededGenerator(seed: 5)
            let run = try PrivateTrainingRun(
                plan: problem.plan(steps: 10), privacy: privacy, examples: examples,
                parameters: problem.model.initialParameters(using: &generator))
            let all = run.clippedSum(Array(0..<10), using: &generator)
            let others = run.clippedSum(Array(1..<10), using: &generator)
            var square = 0.0
            for (one, other) in zip(all.sums.joined(), others.sums.joined()) {
                let step =
                    Double(Int64(clamping: Double(one) / (run.clippingNorm / privacy.gradientSteps)))
                    - Double(Int64(clamping: Double(other) / (run.clippingNorm / privacy.gradientSteps)))
                square += step * step
            }
            #expect(square <= privacy.sensitivitySquared)
            if scale == 1e6 { #expect(square > 0.9 * privacy.sensitivitySquared) }
        }
    }

    @Test("A unit whose gradient is no number counts as zero: the sum is what it is without it, to the bit")
    func notANumber() throws {
        let problem = try Problem(rows: 40, unitRows: 4)
        var values = problem.examples.inputs(Array(0..<40)).values
        values[5 * 16 + 3] = .nan
        values[7 * 16] = .infinity
        let examples = try Examples(
            inputs: Tensor(shape: [40, 4], values: values), targets: problem.examples.targets,
            units: problem.examples.units)
        var generator = SeededGenerator(seed: 5)
        let run = try PrivateTrainingRun(
            plan: problem.plan(steps: 10, chunk: 4), privacy: privacy(problem), examples: examples,
            parameters: problem.model.initialParameters(using: &generator))
        let all = run.clippedSum(Array(0..<10), using: &generator)
        let others = run.clippedSum([0, 1, 2, 3, 4, 6, 8, 9], using: &generator)
        #expect(all.sums == others.sums)
    }

    @Test("What is accounted is the steps' events, and the accountants agree on it")
    func accounting() throws {
        let problem = try Problem(rows: 30)
        let privacy = try privacy(problem, noise: 1, rate: 0.01, steps: 1000)
        var loss = try PrivacyLossAccountant()
        try loss.compose(privacy.event)
        var continuous = try PrivacyLossAccountant()
        try continuous.compose(.poissonSampled(rate: 0.01, .gaussian(noiseMultiplier: 1)), times: 1000)
        let (ours, theirs) = try (loss.epsilon(delta: 1e-5).upper, continuous.epsilon(delta: 1e-5).upper)
        #expect(abs(ours - theirs) < 0.01 * theirs)
    }

    @Test(
        "Adaptive clipping goes to the quantile, from above and from below, and its count is paid for in the same vector"
    )
    func adaptive() throws {
        let problem = try Problem(rows: 400)
        for first in [0.01, 100] {
            let privacy = try TrainingPrivacy(
                clipping: .adaptive(from: first, quantile: 0.7, rate: 0.3, countDeviation: 2), noiseMultiplier: 1,
                samplingRate: 0.5, steps: 150, capacity: 400, dimension: problem.model.trainableCount)
            var plan = try problem.plan(steps: 150, optimizer: .gradientDescent())
            plan.learningRate = 1e-6
            var generator = SeededGenerator(seed: 5)
            var run = try PrivateTrainingRun(
                plan: plan, privacy: privacy, examples: problem.examples,
                parameters: problem.model.initialParameters(using: &generator))
            for _ in 0..<150 { run.step(using: &generator) }
            let within = run.clippedSum(Array(0..<400), using: &generator).within
            #expect((240...320).contains(within), "from \(first)")
        }
    }

    @Test("Calibrated noise reaches the epsilon that is wanted, and a hundredth less does not")
    func calibrated() throws {
        let privacy = try TrainingPrivacy.calibrated(
            epsilon: 3, delta: 1e-5, clipping: .fixed(1), samplingRate: 1024 / 60_000, steps: 2_000, capacity: 60_000,
            dimension: 101_770)
        func epsilon(_ noise: Double) throws -> Double {
            let privacy = try TrainingPrivacy(
                clipping: .fixed(1), noiseMultiplier: noise, samplingRate: 1024 / 60_000, steps: 2_000,
                capacity: 60_000,
                dimension: 101_770)
            var accountant = try PrivacyLossAccountant()
            try accountant.compose(privacy.event)
            return try accountant.epsilon(delta: 1e-5).upper
        }
        #expect(try epsilon(privacy.noiseMultiplier) <= 3)
        #expect(try epsilon(privacy.noiseMultiplier * 0.99) > 3)
    }
}
