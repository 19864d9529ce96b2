import Datasite
import DatasiteClient
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Learning
import PredictionClient
import Secrets
import SecureComputation

/// Predictions on shares over loopback: `parley dealer serve` and `parley serve` as processes, whoever asks in this one. LeNet with weights that nobody trained, and the demonstration's model on all test images of PneumoniaMNIST.
struct PredictionBenchmark {
    let workplace: Workplace

    func run() async throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "parley").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            reportSkipped("prediction", "there is no parley beside parley-bench: swift build --product parley")
            return
        }
        try await lenet(program)
        try await pneumonia(program)
    }

    // MARK: LeNet

    private func lenet(_ program: String) async throws {
        let model = try Model(inputShape: [1, 28, 28]) {
            Convolution(20, kernel: 5, name: "conv1")
            ReLU()
            MaxPool(2)
            Convolution(50, kernel: 5, name: "conv2")
            ReLU()
            MaxPool(2)
            Flatten()
            Linear(500, name: "fc1")
            ReLU()
            Linear(10, name: "fc2")
        }
        var generator = SeededGenerator(seed: 1)
        let parameters = model.initialParameters(using: &generator)
        let prepared = try PreparedModel(
            model, parameters, inputBound: 1, inputsAreNonNegative: true, output: .label)
        let files = workplace.path("lenet")
        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: false)
        try Data(Architecture.json(model)).write(to: URL(filePath: files + "/architecture.json"))
        try Data(SafeTensors.write(parameters)).write(to: URL(filePath: files + "/weights.safetensors"))
        let demonstration = try DemonstrationSite(workplace, name: "predicting")
        let folder = try DealerFolder.create(at: workplace.path("dealer"))
        let site = try Datasite(path: demonstration.path)
        guard let key = Data(base64Encoded: site.description.publicKey) else { return }
        try folder.admit("site", key: key)
        let dealer = try ServedProcess(program, ["dealer", "serve", workplace.path("dealer"), "--port", "0"])
        defer { dealer.end() }
        _ = try workplace.output(
            of: program,
            [
                "model", "add", "lenet", "--of", "randhie", "--model", files + "/weights.safetensors", "--non-negative",
                "--dealer", dealer.url, "--site", demonstration.path,
            ])
        let added = try site.servedModel("lenet")
        try site.setPolicy(
            of: "randhie",
            policyText:
                "{loss: zcdp, delta: 1e-6, total: {rho: 100000}, engines: {prediction: {model: lenet, version: \(added.version), rows: 64, uses: 1000000, uses-per-researcher: 1000000, approval: automatic}}}"
        )
        try site.close()
        let served = try ServedProcess(program, ["serve", "--site", demonstration.path, "--port", "0"])
        defer { served.end() }
        let client = try DatasiteClient(url: served.url, token: demonstration.token)
        for (rows, runs) in [(1, 7), (32, 2)] {
            let pixels = (0..<rows * 784).map { _ in Float.random(in: 0...1, using: &generator) }
            let clear = try prepared.clear(pixels, rows: rows)
            try await measure(
                "prediction_lenet_batch_\(rows)", client, pixels, rows: rows, runs: runs, of: "randhie", dealer,
                served
            ) { $0.labels == clear.labels }
        }
    }

    private func measure(
        _ name: String, _ client: DatasiteClient, _ values: [Float], rows: Int, runs: Int, of dataset: String,
        _ dealer: ServedProcess, _ site: ServedProcess, check: (PredictionResults) -> Bool
    ) async throws {
        let served = try await client.prediction(of: dataset)
        let program = try PredictionTerms(bytes: Array(served.terms)).program(rows: 1)
        let weights = try await client.maskedWeights(of: served)
        let calls = try DealerClient(url: served.dealer.url)
        var (online, dealing, cpu): ([Double], [Double], [Double]) = ([], [], [])
        var (cost, isRight) = (ComputationCostFigures(), true)
        for _ in 0..<runs {
            let before = (dealer.processorSeconds, site.processorSeconds)
            let outcome = try await client.predict(
                values, rows: rows, with: served, weights: weights, dealer: calls, directory: workplace.folder.path)
            online.append(outcome.online / .milliseconds(1))
            dealing.append(outcome.dealing / .seconds(1))
            cpu.append(dealer.processorSeconds - before.0)
            cost = ComputationCostFigures(
                bytes: outcome.cost.bytes, rounds: outcome.cost.rounds, dealt: program.cost.correlationBytesToFirst)
            isRight = isRight && check(outcome.results)
        }
        report(
            name,
            [
                ("online_ms", online.min() ?? .nan), ("online_median_ms", median(online)),
                ("dealing_s", dealing.min() ?? .nan), ("dealer_cpu_s", cpu.min() ?? .nan),
                ("rounds", Double(cost.rounds)), ("mb_both_ways", Double(cost.bytes) / 1e6),
                ("dealt_mb_each", Double(cost.dealt * rows) / 1e6), ("labels_are_the_twins", isRight ? 1 : 0),
            ])
    }

    private struct ComputationCostFigures {
        var bytes = 0
        var rounds = 0
        var dealt = 0
    }

    // MARK: PneumoniaMNIST

    /// All 624 test images by the demonstration's model, as three processes: labels where the margin is larger than the error's bound, and the area under the curve.
    private func pneumonia(_ program: String) async throws {
        let archive = Workplace.repository.deletingLastPathComponent().appending(
            path: "shared/data/pneumoniamnist/pneumoniamnist_full.npz"
        ).path
        guard FileManager.default.fileExists(atPath: archive) else {
            reportSkipped("prediction_pneumonia", "there is no \(archive)")
            return
        }
        let folder = workplace.path("demonstration")
        _ = try workplace.output(
            of: program, ["demo", "predict", "--data", archive, "--keep", folder, "--port", "\(Self.port)"])
        let dealer = try ServedProcess(program, ["dealer", "serve", folder + "/dealer", "--port", "\(Self.port)"])
        defer { dealer.end() }
        let site = try Datasite(path: folder + "/company")
        let version = try site.servedModel("chest").version
        try site.setPolicy(
            of: "scans",
            policyText:
                "{loss: pure, total: {epsilon: 1}, engines: {prediction: {model: chest, version: \(version), rows: 64, uses: 1000000, uses-per-researcher: 1000000, approval: automatic}}}"
        )
        try site.close()
        let served = try ServedProcess(program, ["serve", "--site", folder + "/company", "--port", "0"])
        defer { served.end() }
        let token = try String(contentsOfFile: folder + "/hana.token", encoding: .utf8)
        let client = try DatasiteClient(
            url: served.url, token: token.trimmingCharacters(in: .whitespacesAndNewlines))
        let about = try await client.prediction(of: "scans")
        let terms = try PredictionTerms(bytes: Array(about.terms))
        let weights = try await client.maskedWeights(of: about)
        let calls = try DealerClient(url: about.dealer.url)
        let (values, count) = try ModelFiles.rows(archive + ":test_images", of: terms.inputShape, range: 0...255)
        let clear = try ModelFiles.scores(
            architecture: folder + "/model/architecture.json", weights: folder + "/model/weights.safetensors",
            rows: archive + ":test_images", range: 0...255)
        let truth = try ArchivedArrays.read(archive, ["test_labels"])[0].labels(classes: 2)
        var scores: [[Double]] = []
        let start = wallSeconds()
        var online = 0.0
        for first in stride(from: 0, to: count, by: 48) {
            let size = min(48, count - first)
            let outcome = try await client.predict(
                Array(values[first * 784..<(first + size) * 784]), rows: size, with: about, weights: weights,
                dealer: calls, directory: workplace.folder.path)
            scores += outcome.results.scores ?? []
            online += outcome.online / .seconds(1)
        }
        let seconds = wallSeconds() - start
        var (beyond, wrong, largest) = (0, 0, 0.0)
        for row in 0..<count {
            let exact = clear[row].map(Double.init)
            let margin = abs(exact[1] - exact[0])
            largest = max(largest, abs(scores[row][0] - exact[0]), abs(scores[row][1] - exact[1]))
            guard margin > 2 * terms.errorBound else { continue }
            beyond += 1
            if (scores[row][1] > scores[row][0]) != (exact[1] > exact[0]) { wrong += 1 }
        }
        let areas = [scores.map { $0[1] - $0[0] }, clear.map { Double($0[1] - $0[0]) }].map { Self.area($0, truth) }
        report(
            "prediction_pneumonia",
            [
                ("images", Double(count)), ("margin_beyond_bound_share", Double(beyond) / Double(count)),
                ("labels_wrong_beyond_bound", Double(wrong)), ("error_bound", terms.errorBound),
                ("largest_error", largest), ("bound_over_largest", terms.errorBound / largest),
                ("auc_on_shares", areas[0]), ("auc_in_the_clear", areas[1]), ("online_s", online),
                ("whole_s", seconds),
            ])
    }

    private static let port = 28_980

    /// The area under the receiver operating characteristic: how often a sick one scores above a healthy one.
    private static func area(_ scores: [Double], _ labels: [Int32]) -> Double {
        let (sick, healthy) = (
            scores.indices.filter { labels[$0] == 1 }, scores.indices.filter { labels[$0] == 0 }
        )
        var wins = 0.0
        for one in sick {
            for other in healthy {
                wins += scores[one] > scores[other] ? 1 : scores[one] == scores[other] ? 0.5 : 0
            }
        }
        return wins / Double(sick.count * healthy.count)
    }
}
