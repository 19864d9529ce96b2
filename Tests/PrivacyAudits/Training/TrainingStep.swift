import DifferentialPrivacy

@testable import Learning

/// One step of private training under audit: what leaves, in steps of the noise's grid, from the examples that it holds and randomness.
/// Its state, if it has any, is the order in which it takes units.
protocol TrainingStep {
    mutating func release(using random: inout AuditRandom) -> [Double]
}

/// Units of one row each, whose gradients are aimed: -2 y x^T, before they are bounded.
struct AuditedExamples {
    var units: [(x: [Float], y: Float)]
    var inputs: Int
    var clippingNorm = 1.0
    var noiseMultiplier = 1.0
    var samplingRate = 1.0
    /// Rows that are computed together.
    var chunkRows = 64

    /// A unit whose gradient is so large in one direction.
    static func unit(_ direction: Int, of inputs: Int, size: Float) -> (x: [Float], y: Float) {
        ((0..<inputs).map { $0 == direction ? 1 : 0 }, -size / 2)
    }

    var zeros: Parameters { Parameters(names: ["0.weight"], tensors: [Tensor(shape: [1, inputs])]) }

    func examples() throws -> Examples {
        try Examples(
            inputs: Tensor(shape: [units.count, inputs], values: units.flatMap(\.x)),
            targets: .values(Tensor(shape: [units.count, 1], values: units.map(\.y))))
    }

    func run(steps: Int = 1) throws -> PrivateTrainingRun {
        let model = try Model(inputShape: [inputs]) { Linear(1, hasBias: false) }
        var plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 1, steps: steps)
        plan.chunkRows = chunkRows
        let privacy = try TrainingPrivacy(
            clipping: .fixed(clippingNorm), noiseMultiplier: noiseMultiplier, samplingRate: samplingRate, steps: steps,
            capacity: 8, dimension: inputs)
        return try PrivateTrainingRun(plan: plan, privacy: privacy, examples: examples(), parameters: zeros)
    }

    /// What the accountant says of one step, at deltas that so many draws can see.
    func claim() throws -> PrivacyClaim {
        var accountant = try PrivacyLossAccountant()
        try accountant.compose(try run().privacy.stepEvent)
        return PrivacyClaim(
            points: try [0.1, 1e-2, 1e-3].map { .init(epsilon: try accountant.epsilon(delta: $0).upper, delta: $0) })
    }
}

/// The step as it is.
struct TrueStep: TrainingStep {
    let run: PrivateTrainingRun

    init(_ examples: AuditedExamples) throws { run = try examples.run() }

    mutating func release(using random: inout AuditRandom) -> [Double] {
        let unit = run.clippingNorm / run.privacy.gradientSteps / run.privacy.expectedUnits
        return run.release(using: &random).gradients.joined().map { Double($0) / unit }
    }
}

/// Steps with the mistakes that are made.
struct BrokenStep: TrainingStep {
    enum Mistake: String, CaseIterable {
        case noiseHalved
        /// The mean's norm is bounded, and noise is for one unit's part of a sum.
        case clipsTheAverage
        /// The sum of a few units is bounded at once, as for one unit.
        case clipsMicroBatches
        /// Sums of several parts of a batch are added, and noise is scaled as if their mean were taken.
        case noiseNotScaledWithAccumulation
        /// A shuffled order is taken in equal parts, and accounted as Poisson sampling.
        case shuffles
    }

    let mistake: Mistake
    private let run: PrivateTrainingRun
    private let units: Int
    private let examples: AuditedExamples
    private var order: [Int] = []

    init(_ mistake: Mistake, _ examples: AuditedExamples) throws {
        self.mistake = mistake
        self.examples = examples
        run = try examples.run()
        units = examples.units.count
    }

    mutating func release(using random: inout AuditRandom) -> [Double] {
        let parts = 2
        var sigma = run.privacy.sigma
        var sum: [Double] = []
        switch mistake {
        case .noiseHalved:
            sigma /= 2
            sum = clipped(sample(using: &random).map { [$0] })
        case .clipsTheAverage:
            let sample = sample(using: &random)
            sum = clipped([sample]).map { $0 * Double(sample.count) }
        case .clipsMicroBatches:
            let sample = sample(using: &random)
            sum = clipped(
                stride(from: 0, to: sample.count, by: parts).map { Array(sample[$0..<min(sample.count, $0 + parts)]) })
        case .noiseNotScaledWithAccumulation:
            sigma /= Double(parts)
            sum = clipped(sample(using: &random).map { [$0] })
        case .shuffles:
            let size = Int(run.privacy.samplingRate * Double(units))
            if order.count < size {
                order = Array(0..<units).shuffled(using: &random)
            }
            sum = clipped(order.prefix(size).map { [$0] })
            order.removeFirst(size)
        }
        let scale = run.privacy.gradientSteps / run.clippingNorm
        var steps = sum.map { Int64(clamping: $0 * scale) }
        (try? DiscreteGaussian(sigma: sigma))?.add(to: &steps, using: &random)
        return steps.map(Double.init)
    }

    private func sample(using random: inout AuditRandom) -> [Int] {
        UnitSample(rate: run.privacy.samplingRate).draw(of: units, using: &random)
    }

    /// The sum of the groups' gradients, each group's bounded.
    private func clipped(_ groups: [[Int]]) -> [Double] {
        var sum = [Double](repeating: 0, count: examples.inputs)
        for group in groups {
            var gradient = [Double](repeating: 0, count: examples.inputs)
            for unit in group {
                let (x, y) = examples.units[unit]
                for index in x.indices { gradient[index] -= 2 * Double(y) * Double(x[index]) }
            }
            let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let factor = norm > 0 ? min(1, 0.99 * examples.clippingNorm / norm) : 0
            for index in sum.indices { sum[index] += factor * gradient[index] }
        }
        return sum
    }
}
