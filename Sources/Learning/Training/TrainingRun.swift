import Secrets

/// Training without privacy, on one's own data, repeatable: the same seed gives the same weights, to the bit, on one kernel
/// path, with any number of threads, and after a stop in between.
///
/// No generator has to be stored: each step's randomness is the stream of its number under the seed.
public struct TrainingRun: Sendable {
    /// How it is trained.
    public let plan: TrainingPlan
    /// What has been learned so far.
    public private(set) var state: TrainingState
    private let examples: Examples
    private let batchRows: Int
    private let seed: UInt64
    private let threads: Int
    /// The order of the rows in the current epoch.
    private var order: [Int] = []
    private var orderedEpoch = -1

    /// Streams of the seed: even ones order epochs, odd ones belong to steps.
    fileprivate enum Stream {
        static func epoch(_ number: Int) -> UInt64 { 2 * UInt64(number) + 2 }
        static func step(_ number: Int) -> UInt64 { 2 * UInt64(number) + 1 }
        static let weights: UInt64 = 0
        /// Odd, and beyond any step.
        static let heldOut = UInt64.max
        static let search = UInt64.max - 2
    }

    /// A run from its beginning, or from where one of the same plan, data and seed stood.
    ///
    /// - Parameters:
    ///   - batchRows: How many rows a step takes; the last of an epoch takes what is left.
    ///   - seed: What weights, order and the rows' own randomness follow from.
    ///   - threads: How many compute; no result depends on it.
    ///   - parameters: What weights begin as; nil: as the model's layers begin.
    ///   - state: Where to go on; nil: at the beginning.
    /// - Throws: What does not fit together.
    public init(
        plan: TrainingPlan, examples: Examples, batchRows: Int, seed: UInt64, threads: Int = 1,
        parameters: Parameters? = nil, state: TrainingState? = nil
    ) throws(ModelError) {
        try plan.check(examples)
        guard examples.count > 0 else { throw .data("the examples", expected: "at least one row") }
        guard batchRows >= 1 else { throw .data("a batch of \(batchRows)", expected: "at least one row") }
        self.plan = plan
        self.examples = examples
        self.batchRows = min(batchRows, examples.count)
        self.seed = seed
        self.threads = max(1, threads)
        if let state {
            self.state = state
        } else if let parameters {
            self.state = try TrainingState(plan, parameters)
        } else {
            self.state = try TrainingState(plan, Self.initialParameters(plan.model, seed: seed))
        }
    }

    /// What a seed's weights begin as.
    public static func initialParameters(_ model: Model, seed: UInt64) -> Parameters {
        var generator = SeededGenerator(key: (seed, 0, 0, 0), stream: Stream.weights)
        return model.initialParameters(using: &generator)
    }

    /// How many steps go once over all rows.
    public var stepsPerEpoch: Int { (examples.count + batchRows - 1) / batchRows }

    /// Takes one step.
    ///
    /// - Parameter adjust: What is done to the mean gradient before the optimiser takes it, in the order of ``Model/trained(_:)``.
    /// - Returns: The mean loss of the step's rows, on the weights before it.
    /// - Throws: ``ModelError/notANumber(step:layer:)``; the state is then the one before the step.
    public mutating func step(adjusting adjust: ((inout [Float]) -> Void)? = nil) throws(ModelError) -> Double {
        let rows = rows(of: state.step)
        var generator = SeededGenerator(key: (seed, 0, 0, 0), stream: Stream.step(state.step))
        let keys = rows.map { _ in generator.next() }
        // Statistics over a batch's rows are those of the whole batch.
        let size = plan.model.coupling.isEmpty ? plan.chunkRows : rows.count
        let chunks = Chunks.ranges(rows.count, size: size)
        var total: PlainGradient?
        Chunks.compute(chunks.count, threads: threads) { [plan, state, examples] index in
            let range = chunks[index]
            let batch = plan.batch(of: examples, Array(rows[range]), keys: Array(keys[range]))
            return PlainGradient.measure((plan.model, plan.loss, state.parameters), batch)
        } merge: { part in
            guard var sum = total else {
                total = part
                return
            }
            total = nil
            sum.losses += part.losses
            sum.firstNotANumber = sum.firstNotANumber ?? part.firstNotANumber
            add(part.sums, to: &sum.sums)
            total = sum
        }
        guard let total else { return 0 }
        if let layer = total.firstNotANumber { throw .notANumber(step: state.step, layer: layer) }
        apply(total, rows: rows.count, adjust)
        return total.losses / Double(rows.count)
    }

    private mutating func apply(_ total: PlainGradient, rows: Int, _ adjust: ((inout [Float]) -> Void)?) {
        var gradients = total.sums.map { $0.scaled(1 / Float(rows)) }
        if let adjust {
            var flat = plan.model.flat(gradients)
            adjust(&flat)
            gradients = plan.model.gradients(flat)
        }
        state.take(gradients, plan)
        for (parameter, values) in total.statistics {
            state.parameters.tensors[parameter].values = values
            state.average?.tensors[parameter].values = values
        }
    }

    private mutating func rows(of step: Int) -> [Int] {
        let epoch = step / stepsPerEpoch
        if epoch != orderedEpoch {
            order = Self.order(examples.count, seed, Stream.epoch(epoch))
            orderedEpoch = epoch
        }
        let first = step % stepsPerEpoch * batchRows
        return Array(order[first..<min(order.count, first + batchRows)])
    }
}

extension TrainingRun {
    fileprivate static func order(_ count: Int, _ seed: UInt64, _ stream: UInt64) -> [Int] {
        var generator = SeededGenerator(key: (seed, 0, 0, 0), stream: stream)
        var order = Array(0..<count)
        for index in order.indices.reversed() where index > 0 {
            order.swapAt(index, generator.index(below: index + 1))
        }
        return order
    }

    /// Rows in an order of the seed's own, apart from all that training draws: the first of them are held out to validate on.
    public static func heldOutOrder(rows: Int, seed: UInt64) -> [Int] { order(rows, seed, Stream.heldOut) }
}

extension TrainingRun {
    /// What trials of a random search draw: for each choice of so many values a value's place, each with the same probability. What was drawn is not drawn
    /// again before everything was. It follows from the seed alone, and the first trials are the same however many there are.
    public static func searchDraws(_ choices: [Int], trials: Int, seed: UInt64) -> [[Int]] {
        var generator = SeededGenerator(key: (seed, 0, 0, 0), stream: Stream.search)
        var combinations = 1
        for count in choices { combinations = min(combinations * count, 1 << 20) }
        var seen: Set<[Int]> = []
        return (0..<trials).map { _ in
            if seen.count == combinations { seen = [] }
            while true {
                let draw = choices.map { generator.index(below: $0) }
                if seen.insert(draw).inserted { return draw }
            }
        }
    }
}

extension [Float] {
    func scaled(_ factor: Float) -> [Float] { map { $0 * factor } }
}
