#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How good a model is on rows, measured on given weights.
///
/// It is exact, and so tells of the rows: where they are private, it does not leave without a charge.
public struct Evaluation: Sendable {
    /// The mean loss of a row.
    public let loss: Double
    /// Where the targets are labels.
    public let labels: LabelScores?
    /// Where the targets are values.
    public let values: ValueErrors?

    /// - Parameters:
    ///   - examples: At least one row.
    ///   - threads: How many compute; no result depends on it.
    /// - Throws: What does not fit (`ModelError`); outputs that are no number (`MetricError`).
    public init(_ plan: TrainingPlan, _ parameters: Parameters, on examples: Examples, threads: Int = 1) throws {
        try plan.check(examples)
        try plan.model.check(parameters)
        guard examples.count > 0 else { throw MetricError.mismatch("there are no rows to measure on") }
        let chunks = Chunks.ranges(examples.count, size: plan.chunkRows)
        var (outputs, losses): ([Float], Double) = ([], 0)
        Chunks.compute(chunks.count, threads: threads) { index in
            let rows = Array(chunks[index])
            var pass = ForwardPass(parameters, isTraining: false, saves: false)
            let output = pass.through(plan.model.layers, examples.inputs(rows))
            return (output.values, plan.loss.measure(output, examples.targets.rows(rows)).losses.reduce(0, +))
        } merge: { (values: [Float], sum: Double) in
            outputs += values
            losses += sum
        }
        loss = losses / Double(examples.count)
        switch examples.targets {
        case .labels(let labels):
            let width = plan.model.outputShape.product
            guard plan.loss == .crossEntropy || plan.loss == .binaryCrossEntropy else {
                self.labels = nil
                values = try ValueErrors(
                    targets: labels.map(Double.init), outputs: outputs.map { Self.value($0, plan.loss) })
                return
            }
            self.labels = try LabelScores(
                labels: labels.map(Int.init), scores: Self.probabilities(outputs, width), classes: max(2, width))
            values = nil
        case .values(let tensor):
            labels = nil
            values = try ValueErrors(
                targets: tensor.values.map(Double.init), outputs: outputs.map { Self.value($0, plan.loss) },
                width: plan.model.outputShape.product)
        }
    }

    /// One metric.
    ///
    /// - Throws: That these rows have none, and why.
    public func value(_ metric: Metric) throws(MetricError) -> Double {
        if metric == .loss {
            guard loss.isFinite else { throw .notANumber }
            return loss
        }
        if let labels { return try labels.value(metric) }
        if let values { return try values.value(metric) }
        throw .undefined(metric, reason: "nothing was measured")
    }

    /// What an output stands for.
    private static func value(_ output: Float, _ loss: Loss) -> Double {
        switch loss {
        case .poisson: exp(Double(output))
        case .binaryCrossEntropy: 1 / (1 + exp(-Double(output)))
        case .meanSquared, .crossEntropy: Double(output)
        }
    }

    /// Of labels: from one log odds, or from several values that are not normalised.
    private static func probabilities(_ outputs: [Float], _ width: Int) -> [Double] {
        if width == 1 {
            return outputs.flatMap { output in
                let second = 1 / (1 + exp(-Double(output)))
                return [1 - second, second]
            }
        }
        return stride(from: 0, to: outputs.count, by: width).flatMap { start in
            let own = outputs[start..<start + width].map(Double.init)
            let largest = own.max() ?? 0
            let powers = own.map { exp($0 - largest) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum }
        }
    }
}
