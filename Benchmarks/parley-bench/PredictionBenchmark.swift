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
        try await residual(program)
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
        for comparison in [ComparisonForm.oneRound, .twoRounds] {
            var generator = SeededGenerator(seed: 1)
            let parameters = model.initialParameters(using: &generator)
            let name = "lenet" + (comparison == .oneRound ? "" : "_two_rounds")
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: true, output: .label, comparison: comparison)
            let served = try serve(
                model, parameters, name: name, comparison == .oneRound ? [] : ["--two-rounds"], program)
            defer { served.end() }
            for (rows, runs) in [(1, 7), (32, 3)] {
                let pixels = (0..<rows * 784).map { _ in Float.random(in: 0...1, using: &generator) }
                let clear = try prepared.clear(pixels, rows: rows)
                try await measure(
                    "prediction_\(name)_batch_\(rows)", served.client, pixels, rows: rows, runs: runs, of: "randhie",
                    served.dealer
                ) { $0.labels == clear.labels }
            }
        }
    }

    /// A dealer and a datasite with a model, as processes.
    private struct Served {
        let client: DatasiteClient
        let dealer: ServedProcess
        let site: ServedProcess

        func end() {
            site.end()
            dealer.end()
        }
    }

    /// - Parameter options: Of `parley model add`, as the model was prepared here.
    private func serve(
        _ model: Model, _ parameters: Parameters, name: String, _ options: [String], _ program: String
    ) throws -> Served {
        let files = workplace.path(name)
        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
        try Data(Architecture.json(model)).write(to: URL(filePath: files + "/architecture.json"))
        try Data(SafeTensors.write(parameters)).write(to: URL(filePath: files + "/weights.safetensors"))

        let demonstration = try DemonstrationSite(workplace, name: "predicting_" + name)
        let folder = try DealerFolder.create(at: workplace.path("dealer_" + name))
        let site = try Datasite(path: demonstration.path)
        guard let key = Data(base64Encoded: site.description.publicKey) else {
            throw BenchmarkError(reason: "a site without a key")
        }
        try folder.admit("site", key: key)
        let dealer = try ServedProcess(program, ["dealer", "serve", workplace.path("dealer_" + name), "--port", "0"])
        _ = try workplace.output(
            of: program,
            [
                "model", "add", name, "--of", "randhie", "--model", files + "/weights.safetensors", "--non-negative",
                "--dealer", dealer.url, "--site", demonstration.path,
            ] + options)
        let added = try site.servedModel(name)
        try site.setPolicy(
            of: "randhie",
            policyText:
                "{loss: zcdp, delta: 1e-6, total: {rho: 100000}, engines: {prediction: {model: \(name), version: \(added.version), rows: 64, uses: 1000000, uses-per-researcher: 1000000, approval: automatic}}}"
        )
        try site.close()
        let served = try ServedProcess(program, ["serve", "--site", demonstration.path, "--port", "0"])
        return Served(
            client: try DatasiteClient(url: served.url, token: demonstration.token), dealer: dealer, site: served)
    }

    // MARK: ResNet-18

    /// Weights that nobody trained, on the test images of PneumoniaMNIST, as they are and enlarged: whether scores are within the estimate of what the model says in floating point.
    private func residual(_ program: String) async throws {
        guard let archive = Self.archive else {
            reportSkipped("prediction_resnet18", "there is no shared/data/pneumoniamnist")
            return
        }
        let images = try ArchivedArrays.read(archive, ["test_images"])[0].floats().map { $0 / 255 }
        for (side, count, batch) in [(28, 100, 10), (224, 3, 1)] {
            let shape = side == 28 ? [1, 28, 28] : [3, side, side]
            let model = try Models.resNet18(inputShape: shape, classes: side == 28 ? 2 : 1000, normalization: .batch)
            var generator = SeededGenerator(seed: 18)
            let parameters = model.initialParameters(using: &generator)
            let size = shape.reduce(1, *)
            let values = (0..<count + 2).flatMap { Self.enlarged(images[$0 * 784..<($0 + 1) * 784], shape) }
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: true,
                calibration: Array(values.suffix(2 * size)), output: .scores, comparison: .twoRounds, threads: 2)
            let name = "resnet18_\(side)"
            let rows = workplace.path(name + ".npy")
            try Self.numpy(Array(values.suffix(2 * size)), [2] + shape).write(to: URL(filePath: rows))
            let served = try serve(
                model, parameters, name: name, ["--two-rounds", "--output", "scores", "--calibrate", rows], program)
            defer { served.end() }
            let exact = try model.predict(
                Tensor(shape: [count] + shape, values: Array(values.prefix(count * size))), parameters)
            let classes = prepared.terms.classes
            let about = try await served.client.prediction(of: "randhie")
            let weights = try await served.client.maskedWeights(of: about)
            let calls = try DealerClient(url: served.dealer.url)
            var (online, dealing, error, cost) = ([Double](), [Double](), 0.0, ComputationCost())
            for first in stride(from: 0, to: count, by: batch) {
                let outcome = try await served.client.predict(
                    Array(values[first * size..<(first + batch) * size]), rows: batch, with: about, weights: weights,
                    dealer: calls, directory: workplace.folder.path)
                online.append(outcome.online / .seconds(1))
                dealing.append(outcome.dealing / .seconds(1))
                cost = outcome.cost
                for (row, scores) in (outcome.results.scores ?? []).enumerated() {
                    for (place, score) in scores.enumerated() {
                        error = max(error, abs(score - Double(exact.values[(first + row) * classes + place])))
                    }
                }
            }
            let dealt = try prepared.terms.program(rows: batch).cost.correlationBytesToFirst
            report(
                name,
                [
                    ("cold_disk_s", try coldSeconds(dealt)),
                    ("images", Double(count)), ("images_at_a_time", Double(batch)),
                    ("online_s_an_image", online.reduce(0, +) / Double(count)),
                    ("online_s_slowest", online.max() ?? .nan),
                    ("dealing_s_an_image", dealing.reduce(0, +) / Double(count)),
                    ("dealt_mb_an_image_each", Double(dealt) / 1e6 / Double(batch)),
                    ("mb_an_image_both_ways", Double(cost.bytes) / 1e6 / Double(batch)),
                    ("rounds", Double(cost.rounds)),
                    ("error_estimate", prepared.terms.errorBound), ("largest_error", error),
                    ("within_estimate", error <= prepared.terms.errorBound ? 1 : 0),
                ])
        }
    }

    /// How long so many bytes take from the disk, in order, when no page of them is in memory.
    private func coldSeconds(_ count: Int) throws -> Double {
        let path = workplace.path("cold")
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        guard let file = FileHandle(forUpdatingAtPath: path) else { throw BenchmarkError(reason: "no file at \(path)") }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let piece = Data((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 167) })
        for _ in 0..<max(1, count >> 20) { try file.write(contentsOf: piece) }
        try file.synchronize()
        #if os(Linux)
            guard posix_fadvise(file.fileDescriptor, 0, 0, POSIX_FADV_DONTNEED) == 0 else { return .nan }
        #else
            return .nan
        #endif
        try file.seek(toOffset: 0)
        let start = wallSeconds()
        while let read = try file.read(upToCount: 4 << 20), !read.isEmpty {}
        return wallSeconds() - start
    }

    /// As NumPy stores an array of float32.
    private static func numpy(_ values: [Float], _ shape: [Int]) -> Data {
        let extents = shape.map(String.init).joined(separator: ", ")
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(extents)), }"
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        let length = UInt16(header.utf8.count)
        return Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, UInt8(length & 255), UInt8(length >> 8)])
            + Data(header.utf8)
            + values.withUnsafeBytes { Data($0) }
    }

    /// Each pixel as often as it takes.
    private static func enlarged(_ image: ArraySlice<Float>, _ shape: [Int]) -> [Float] {
        let (side, start) = (shape[1], image.startIndex)
        let scaled = (0..<side * side).map { image[start + $0 / side * 28 / side * 28 + $0 % side * 28 / side] }
        return (0..<shape[0]).flatMap { _ in scaled }
    }

    private static var archive: String? {
        let path = Workplace.repository.deletingLastPathComponent().appending(
            path: "shared/data/pneumoniamnist/pneumoniamnist_full.npz"
        ).path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    private func measure(
        _ name: String, _ client: DatasiteClient, _ values: [Float], rows: Int, runs: Int, of dataset: String,
        _ dealer: ServedProcess, check: (PredictionResults) -> Bool
    ) async throws {
        let served = try await client.prediction(of: dataset)
        let program = try PredictionTerms(bytes: Array(served.terms)).program(rows: 1)
        let weights = try await client.maskedWeights(of: served)
        let calls = try DealerClient(url: served.dealer.url)
        var (online, whole, dealing, cpu): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        var (cost, isRight) = (ComputationCostFigures(), true)
        for _ in 0..<runs {
            let before = (dealer.processorSeconds, ContinuousClock.now)
            let prepared = try await client.prepare(
                rows: rows, with: served, dealer: calls, in: .memory(workplace.folder.path))
            await prepared.close(calls, served)
            cpu.append(dealer.processorSeconds - before.0)
            let asked = ContinuousClock.now
            dealing.append((asked - before.1) / .seconds(1))
            let outcome = try await client.predict(
                values, rows: rows, with: served, weights: weights, dealer: calls, directory: workplace.folder.path,
                prepared: prepared)
            whole.append((ContinuousClock.now - asked) / .milliseconds(1))
            online.append(outcome.online / .milliseconds(1))
            cost = ComputationCostFigures(
                bytes: outcome.cost.bytes, rounds: outcome.cost.rounds, dealt: program.cost.correlationBytesToFirst)
            isRight = isRight && check(outcome.results)
        }
        report(
            name,
            [
                ("online_ms", online.min() ?? .nan), ("online_median_ms", median(online)),
                ("request_ms", whole.min() ?? .nan), ("request_median_ms", median(whole)),
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
        guard let archive = Self.archive else {
            reportSkipped("prediction_pneumonia", "there is no shared/data/pneumoniamnist")
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
