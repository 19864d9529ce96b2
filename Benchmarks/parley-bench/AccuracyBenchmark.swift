import Datasite
import DifferentialPrivacy
import Foundation
import Learning
import Secrets

/// How well private training does at (3, 1e-5) on MNIST and Fashion-MNIST: one committed configuration each, for three seeds, whose
/// numbers were chosen on 6,000 training rows that were held out, never on test rows.
///
/// Fashion-MNIST is Debian's `dataset-fashion-mnist`; MNIST lies beside the repository where the team works. What is absent is skipped.
struct AccuracyBenchmark {
    private struct Configuration {
        let name: String
        let folders: [String]
        let model: Model
        let batch: Double
        let epochs: Double
        let learningRate: Float
        let clippingNorm: Double
        let averaging: Float
        /// Whether a noisy mean is taken off the features first, at a price that is part of the epsilon.
        var isCentred = false
        /// What a byte of an image is scaled to: from here to 1.
        var black: Float = 0
    }

    private static let mnist = ["../shared/data/mnist"]
    private static let fashion = ["/usr/share/datasets/fashion-mnist"]

    private static func configurations() throws -> [Configuration] {
        let scattering = try Model(inputShape: [1, 28, 28]) {
            Scattering()
            GroupNormalization(groups: 27)
            Flatten()
            Linear(10, name: "linear")
        }.training(only: ["linear."])
        let network = try Models.mnistConvolutions()
        // Few values, and none of them behind a hidden layer: noise grows with their number.
        let normalized = try Model(inputShape: [1, 28, 28]) {
            Convolution(16, kernel: 5, stride: 2, padding: 2)
            GroupNormalization(groups: 4)
            Tanh()
            MaxPool(2, stride: 1)
            Convolution(32, kernel: 3, padding: 1)
            GroupNormalization(groups: 4)
            Tanh()
            MaxPool(2)
            Flatten()
            Linear(10)
        }
        return [
            Configuration(
                name: "mnist_scattering", folders: mnist, model: scattering, batch: 8192, epochs: 60, learningRate: 8,
                clippingNorm: 0.1, averaging: 0.99),
            Configuration(
                name: "mnist_network", folders: mnist, model: network, batch: 4096, epochs: 40, learningRate: 8,
                clippingNorm: 0.1, averaging: 0.99),
            Configuration(
                name: "fashion_scattering", folders: fashion, model: scattering, batch: 8192, epochs: 60,
                learningRate: 16, clippingNorm: 0.1, averaging: 0.99, isCentred: true),
            Configuration(
                name: "fashion_network", folders: fashion, model: normalized, batch: 2048, epochs: 20,
                learningRate: 2, clippingNorm: 1, averaging: 0.99, black: -1),
        ]
    }

    func run(only names: [String] = []) throws {
        for configuration in try Self.configurations() where names.isEmpty || names.contains(configuration.name) {
            try run(configuration)
        }
        for plan in Self.plans where names.isEmpty || names.contains(plan) { try run(plan: plan) }
    }

    /// Plans of `Examples/training`, as they stand.
    private static let plans = ["pneumoniamnist", "pneumoniamnist-epsilon-8", "pneumoniamnist-epsilon-3"]
    private static let pneumonia = "../shared/data/pneumoniamnist"

    /// Trains by a plan three times; without privacy by the seeds 1 to 3.
    private func run(plan: String) throws {
        let name = "accuracy_\(plan.replacing("-", with: "_"))"
        guard FileManager.default.fileExists(atPath: Self.pneumonia) else {
            return reportSkipped(name, "there is no \(Self.pneumonia)")
        }
        let text = try String(
            contentsOf: Workplace.repository.appending(path: "Examples/training/\(plan).yaml"), encoding: .utf8)
        let workplace = try Workplace()
        defer { workplace.remove() }
        var (promise, areas, accuracies) = (TrainingPromise?.none, [Double](), [Double]())
        let start = wallSeconds()
        for seed in 1...3 {
            let seeded = text.contains("\nprivacy:") ? nil : UInt64(seed)
            let training = try Training(planText: text, dataFolder: Self.pneumonia, seed: seeded)
            promise = try training.facts().promise
            let metrics = try training.run(into: workplace.path("\(plan)-\(seed)")).metrics.filter { $0.rows == "test" }
            areas.append(metrics.first { $0.metric == .rocAUC }?.value ?? .nan)
            accuracies.append(metrics.first { $0.metric == .accuracy }?.value ?? .nan)
        }
        var figures: [(String, Double)] = []
        if let promise { figures = [("epsilon", promise.epsilon), ("noise_multiplier", promise.noiseMultiplier)] }
        figures += [("roc_auc", areas.reduce(0, +) / 3), ("least_roc_auc", areas.min() ?? .nan)]
        figures += [("accuracy", accuracies.reduce(0, +) / 3), ("seconds_a_run", (wallSeconds() - start) / 3)]
        report(name, figures)
    }

    private func run(_ configuration: Configuration) throws {
        let name = "accuracy_\(configuration.name)"
        guard let folder = configuration.folders.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            return reportSkipped(name, "there is no \(configuration.folders[0])")
        }
        let train = try examples(folder, "train", black: configuration.black)
        let test = try examples(folder, "t10k", black: configuration.black)
        var randomness = SecureRandom()
        let parameters = configuration.model.initialParameters(using: &randomness)
        let behind = try configuration.model.withoutFrozenLayers(train, parameters, threads: 2)
        let tested = try configuration.model.withoutFrozenLayers(test, parameters, threads: 2)
        let rate = configuration.batch / Double(train.count)
        let steps = Int((configuration.epochs / rate).rounded())
        // Normalised features of so many values have at most this norm.
        let features = behind.model.inputShape.reduce(1, *)
        let mean =
            configuration.isCentred
            ? try FeatureMean(
                features: features, capacity: train.count, norm: Double(features).squareRoot(), noiseMultiplier: 20)
            : nil
        let privacy = try calibrated(
            TrainingPrivacy(
                clipping: .fixed(configuration.clippingNorm), noiseMultiplier: 1, samplingRate: rate, steps: steps,
                capacity: train.count, dimension: behind.model.trainableCount), beside: mean?.privacy)
        let plan = try TrainingPlan(
            model: behind.model, loss: .crossEntropy, optimizer: .gradientDescent(momentum: 0.9),
            learningRate: configuration.learningRate, steps: steps, averaging: configuration.averaging)
        var accuracies: [Double] = []
        let start = wallSeconds()
        for seed in 0..<3 {
            // The weights' beginning alone is seeded: noise and samples are the system's.
            var generator = SeededGenerator(seed: UInt64(seed))
            var (examples, unseen) = (behind.examples, tested.examples)
            if let mean {
                let released = try mean.release(examples, using: &randomness)
                examples = try FeatureMean.removed(released, from: examples)
                unseen = try FeatureMean.removed(released, from: unseen)
            }
            var run = try PrivateTrainingRun(
                plan: plan, privacy: privacy, examples: examples,
                parameters: behind.model.initialParameters(using: &generator), threads: 2)
            for _ in 0..<steps { run.step(using: &randomness) }
            accuracies.append(
                try Evaluation(plan, run.state.result, on: unseen, threads: 2).value(.accuracy))
        }
        var accountant = try PrivacyLossAccountant()
        try accountant.compose(privacy.event)
        if let mean { try accountant.compose(mean.privacy.event) }
        report(
            name,
            [
                ("epsilon", try accountant.epsilon(delta: 1e-5).upper), ("noise_multiplier", privacy.noiseMultiplier),
                ("steps", Double(steps)), ("accuracy", accuracies.reduce(0, +) / 3),
                ("least", accuracies.min() ?? .nan),
                ("seconds_a_run", (wallSeconds() - start) / 3),
            ])
    }

    /// The same training with the least noise with which it and the mean together hold (3, 1e-5).
    ///
    /// - Parameter training: With noise 1.
    private func calibrated(_ training: TrainingPrivacy, beside mean: TrainingPrivacy?) throws -> TrainingPrivacy {
        let noise = try Calibration.leastNoise(
            epsilon: 3, delta: 1e-5, tolerance: 1e-3, by: PrivacyLossAccountant()
        ) { noise in
            let step = PrivacyEvent.discreteGaussian(
                sensitivitySquared: training.sensitivitySquared, sigma: noise * training.sigma)
            let steps = PrivacyEvent.repeated(
                .poissonSampled(rate: training.samplingRate, step), times: training.steps)
            return .composition([steps] + [mean?.event].compactMap { $0 })
        }
        return try TrainingPrivacy(
            clipping: training.clipping, noiseMultiplier: noise, samplingRate: training.samplingRate,
            steps: training.steps, capacity: training.capacity, dimension: training.dimension)
    }

    private func examples(_ folder: String, _ part: String, black: Float) throws -> Examples {
        func bytes(_ name: String) throws -> [UInt8] { try inflated("\(folder)/\(part)-\(name).gz") }
        let images = try bytes("images-idx3-ubyte").dropFirst(16)
        let labels = try bytes("labels-idx1-ubyte").dropFirst(8)
        return try Examples(
            bytes: Array(images), rowShape: [1, 28, 28], targets: .labels(labels.map { Int32($0) }),
            scale: (1 - black) / 255,
            offset: black)
    }

    private func inflated(_ file: String) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", file]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Array(bytes)
    }
}
