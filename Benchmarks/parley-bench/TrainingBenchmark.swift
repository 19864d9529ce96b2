import DifferentialPrivacy
import Learning
import Secrets

/// Samples a second of training on one thread, plain and private, with and without the noise.
struct TrainingBenchmark {
    /// One model with made-up rows.
    struct Workload {
        let name: String
        let model: Model
        let batch: Int
        let classes: Int
        /// Steps that are timed.
        let steps: Int
    }

    static func workloads() throws -> [Workload] {
        [
            Workload(name: "mlp", model: try Models.multilayerPerceptron(), batch: 1024, classes: 10, steps: 40),
            Workload(
                name: "cnn", model: try Models.mnistConvolutions(activation: .relu), batch: 256, classes: 10, steps: 10),
            Workload(name: "resnet18", model: try Models.resNet18(), batch: 8, classes: 1000, steps: 2),
        ]
    }

    func run(only names: [String] = []) throws {
        for workload in try Self.workloads() where names.isEmpty || names.contains(workload.name) {
            try plain(workload)
            try secret(workload)
        }
    }

    private func examples(_ workload: Workload) throws -> Examples {
        var generator = SeededGenerator(seed: 1)
        let size = workload.model.inputShape.reduce(1, *)
        let values = (0..<workload.batch * size).map { _ in Float(generator.next() >> 40) * 0x1p-24 }
        return try Examples(
            inputs: Tensor(shape: [workload.batch] + workload.model.inputShape, values: values),
            targets: .labels((0..<workload.batch).map { Int32($0 % workload.classes) }))
    }

    private func plan(_ workload: Workload) throws -> TrainingPlan {
        try TrainingPlan(
            model: workload.model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: 0.01,
            steps: workload.steps + 1)
    }

    private func plain(_ workload: Workload) throws {
        var run = try TrainingRun(
            plan: plan(workload), examples: examples(workload), batchRows: workload.batch, seed: 1)
        _ = try run.step()
        let start = processorSeconds()
        for _ in 0..<workload.steps { _ = try run.step() }
        let seconds = processorSeconds() - start
        report(
            "training_plain_\(workload.name)",
            [
                ("batch", Double(workload.batch)), ("samples_per_s", Double(workload.batch * workload.steps) / seconds),
                ("peak_mb", peakMegabytes()),
            ])
    }

    /// With rate 1, so that each step takes all rows.
    private func secret(_ workload: Workload) throws {
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 1, samplingRate: 1, steps: workload.steps + 1,
            capacity: workload.batch,
            dimension: workload.model.trainableCount)
        var generator = SecureRandom()
        var run = try PrivateTrainingRun(
            plan: plan(workload), privacy: privacy, examples: examples(workload),
            parameters: workload.model.initialParameters(using: &generator))
        run.step(using: &generator)
        let start = processorSeconds()
        for _ in 0..<workload.steps { run.step(using: &generator) }
        let seconds = processorSeconds() - start
        var noise = [Int64](repeating: 0, count: privacy.dimension)
        let law = try DiscreteGaussian(sigma: privacy.sigma)
        let draws = max(1, 2_000_000 / privacy.dimension)
        let noiseSeconds = time { for _ in 0..<draws { law.add(to: &noise, using: &generator) } } / Double(draws)
        let samples = Double(workload.batch * workload.steps)
        report(
            "training_private_\(workload.name)",
            [
                ("batch", Double(workload.batch)), ("samples_per_s", samples / seconds),
                ("samples_per_s_without_noise", samples / (seconds - noiseSeconds * Double(workload.steps))),
                ("noise_ns_per_parameter", noiseSeconds / Double(privacy.dimension) * 1e9),
                ("peak_mb", peakMegabytes()),
            ])
    }
}
