import Secrets

/// What one step of private training takes one thread at most, without the noise: measured on made-up rows, so that all of it is public.
public struct PrivateStepCost: Sendable, Hashable {
    /// Nanoseconds of a row, in a chunk of as many as are computed together.
    public let row: Double
    /// Nanoseconds of a chunk, beside its rows' own.
    public let chunk: Double
    /// Nanoseconds of what is done once a step: rounding, the optimiser, the average.
    public let step: Double

    /// What was measured before.
    public init(row: Double, chunk: Double, step: Double) {
        (self.row, self.chunk, self.step) = (row, chunk, step)
    }

    /// Takes a few chunks' time.
    ///
    /// - Parameters:
    ///   - plan: Its chunks are those of the run.
    ///   - rowsPerUnit: The most rows of a unit.
    ///   - nanoseconds: The processor's time that a computation takes this thread.
    /// - Throws: What does not fit together.
    public init(
        measuring plan: TrainingPlan, rowsPerUnit: Int, nanoseconds: (() -> Void) -> Double
    ) throws(ModelError) {
        var generator = SecureRandom()
        let parameters = plan.model.initialParameters(using: &generator)
        func chunk(rows: Int, rowsPerUnit: Int) -> Double {
            let made = plan.madeUp(rows: rows, using: &generator)
            guard let examples = try? Examples(inputs: made.inputs, targets: made.targets) else { return .infinity }
            let units = Chunks.ranges(rows, size: rowsPerUnit)
            // The first run of a chunk brings the weights to where they are quick to reach: of several the shortest counts, unless it is long.
            var best = Double.infinity
            for turn in 0..<3 where turn == 0 || best < 2e8 {
                best = min(
                    best,
                    nanoseconds {
                        let batch = plan.batch(of: examples, Array(0..<rows), keys: made.rowKeys)
                        var total = ClippedTotal(plan.model)
                        total.add(
                            ClippedSum.measure((plan.model, plan.loss, parameters), batch, units: units, bound: 1))
                    })
            }
            return best
        }
        // Where several rows are one unit, its norm needs the products of all pairs of them.
        let rows = max(rowsPerUnit, plan.chunkRows)
        self.chunk = chunk(rows: 1, rowsPerUnit: 1)
        row = chunk(rows: rows, rowsPerUnit: rowsPerUnit) / Double(rows)
        var state = try TrainingState(plan, parameters)
        let gradients = plan.model.declarations.map { declaration in
            [Float](repeating: 0.5, count: declaration.isTrainable ? declaration.shape.product : 0)
        }
        let once = nanoseconds { state.take(gradients, plan) }
        step = 2 * once + Double(plan.model.trainableCount) * 10
    }
}

extension TrainingPlan {
    /// Rows of the model's shape that nobody's data are in.
    func madeUp(rows: Int, using generator: inout some RandomNumberGenerator) -> Batch {
        let count = rows * model.inputShape.product
        let inputs = Tensor(
            shape: [rows] + model.inputShape,
            values: (0..<count).map { _ in Float(generator.next() >> 40) * 0x1p-24 })
        let outputs = model.outputShape.product
        let targets: Targets =
            switch loss {
            case .crossEntropy: .labels((0..<rows).map { Int32($0 % max(1, outputs)) })
            default: .values(Tensor(shape: [rows, outputs], repeating: 0.5))
            }
        return Batch(
            inputs: inputs, targets: targets, weights: nil, rowKeys: (0..<rows).map { _ in generator.next() })
    }
}
