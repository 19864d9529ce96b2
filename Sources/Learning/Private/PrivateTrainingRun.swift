import DifferentialPrivacy

/// Training that is private to each unit.
///
/// Noise, samples and the rows' own randomness come from the generator; nothing of it is kept. A step that is done again after
/// a crash is drawn anew, which is sound as long as nothing of its first draw was seen (docs/privacy.md, rule 29).
public struct PrivateTrainingRun: Sendable {
    /// How it is trained.
    public let plan: TrainingPlan
    /// What is promised.
    public let privacy: TrainingPrivacy
    /// What has been learned so far: private already.
    public private(set) var state: TrainingState
    /// The bound of the next step: public, since it follows from noisy counts.
    public private(set) var clippingNorm: Double
    /// The L2 norm of the last step's noisy mean gradient; 0 before the first.
    public private(set) var gradientNorm = 0.0
    private let examples: Examples
    private let threads: Int
    private let noise: DiscreteGaussian
    private let sample: UnitSample

    /// A run from its beginning, or from where one of the same plan stood.
    ///
    /// - Parameters:
    ///   - parameters: What weights begin as: public.
    ///   - state: Where to go on; nil: at the beginning.
    ///   - clippingNorm: Of the next step, where it goes on; nil: as the policy begins.
    ///   - threads: How many compute.
    /// - Throws: What does not fit together; layers that let one unit's gradient depend on others.
    public init(
        plan: TrainingPlan, privacy: TrainingPrivacy, examples: Examples, parameters: Parameters,
        state: TrainingState? = nil, clippingNorm: Double? = nil, threads: Int = 1
    ) throws {
        try plan.check(examples)
        if let layer = plan.model.coupling.first {
            throw ModelError.couplesRows(layer: layer.layer, instead: layer.instead)
        }
        guard privacy.dimension == plan.model.trainableCount else {
            throw ModelError.data(
                "noise for \(privacy.dimension) values",
                expected: "\(plan.model.trainableCount), as many as are trained")
        }
        guard plan.steps == privacy.steps else {
            throw ModelError.data("\(plan.steps) steps", expected: "\(privacy.steps), as many as are paid for")
        }
        self.plan = plan
        self.privacy = privacy
        self.examples = examples
        self.threads = max(1, threads)
        self.state = try state ?? TrainingState(plan, parameters)
        self.clippingNorm = clippingNorm ?? privacy.clipping.first
        guard self.clippingNorm >= 0x1p-60, self.clippingNorm <= 0x1p60 else {
            throw ModelError.data("the stored clipping norm", expected: "a positive number, from 2^-60 to 2^60")
        }
        noise = try DiscreteGaussian(sigma: privacy.sigma)
        sample = UnitSample(rate: privacy.samplingRate)
    }

    /// Takes one step: sample, bounded sum, noise, and what the optimiser makes of it.
    ///
    /// - Precondition: Fewer steps were taken than are paid for.
    public mutating func step(using generator: inout some RandomNumberGenerator) {
        precondition(state.step < privacy.steps, "no more steps are taken than are paid for")
        let noisy = release(using: &generator)
        gradientNorm = noisy.gradients.joined().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        state.take(noisy.gradients, plan)
        clippingNorm = privacy.norm(after: clippingNorm, noisyCount: noisy.count)
    }

    /// All that a step learns of the examples: the noisy sum, over the expected number of units, and the noisy counting value.
    func release(using generator: inout some RandomNumberGenerator) -> (gradients: [[Float]], count: Int64) {
        let units = sample.draw(of: examples.units.count, using: &generator)
        return noisy(clippedSum(units, using: &generator), using: &generator)
    }

    /// The sum of the units' gradients, each bounded.
    func clippedSum(_ units: [Int], using generator: inout some RandomNumberGenerator) -> ClippedTotal {
        let chunks = bins(units, using: &generator).flatMap(chunks)
        let keys = chunks.map { chunk in chunk.rows.map { _ in generator.next() } }
        var total = ClippedTotal(plan.model)
        Chunks.compute(chunks.count, threads: threads) { [plan, state, examples, clippingNorm] index in
            let batch = plan.batch(of: examples, chunks[index].rows, keys: keys[index])
            return ClippedSum.measure(
                (plan.model, plan.loss, state.parameters), batch, units: chunks[index].units, bound: clippingNorm)
        } merge: { part in
            total.add(part)
        }
        return total
    }

    private struct Chunk: Sendable {
        /// Of the examples.
        var rows: [Int] = []
        /// Of the chunk.
        var units: [Range<Int>] = []
    }

    /// Units in bins, each in one that it draws by itself. A unit that is absent so changes the rounding of its own bin's sum, whose units
    /// are few, and not of all that come behind it. How many bins there are is public; a bin of the expected size fills three quarters of a chunk.
    private func bins(_ units: [Int], using generator: inout some RandomNumberGenerator) -> [[Int]] {
        let bins = Int((privacy.expectedUnits / (0.75 * Double(max(1, plan.chunkRows)))).rounded(.up))
        // No more bins than fill memory with nothing.
        var result = [[Int]](repeating: [], count: max(1, min(1 << 20, bins)))
        for unit in units { result[generator.index(below: result.count)].append(unit) }
        return result
    }

    /// Units one after the other, as many together as the rows of a chunk are.
    private func chunks(_ units: [Int]) -> [Chunk] {
        var chunks: [Chunk] = []
        for unit in units {
            let rows = examples.units[unit]
            if chunks.isEmpty || chunks[chunks.count - 1].rows.count + rows.count > plan.chunkRows {
                chunks.append(Chunk())
            }
            let first = chunks[chunks.count - 1].rows.count
            chunks[chunks.count - 1].units.append(first..<first + rows.count)
            chunks[chunks.count - 1].rows += rows
        }
        return chunks
    }

    /// The sum on the grid, with noise, over the expected number of units; and the counting value with its noise.
    func noisy(
        _ sum: ClippedTotal, using generator: inout some RandomNumberGenerator
    ) -> (gradients: [[Float]], count: Int64) {
        let gradients = sum.sums.map { values in
            privacy.noisyMean(values, norm: clippingNorm, noise, using: &generator)
        }
        guard case .adaptive = privacy.clipping else { return (gradients, 0) }
        var count = [Int64(sum.within) * Int64(privacy.countSteps)]
        noise.add(to: &count, using: &generator)
        return (gradients, count[0])
    }
}

extension Int64 {
    /// The nearest integer, the even one between two; no number is 0, and what is beyond is the bound.
    init(clamping value: Double) {
        guard !value.isNaN else {
            self = 0
            return
        }
        self = Int64(exactly: Swift.max(-0x1p62, Swift.min(0x1p62, value.rounded(.toNearestOrEven)))) ?? 0
    }
}
