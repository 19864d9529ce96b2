import Datasite
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Learning

/// One run of the demonstration of predictions on shares: a dealer, a company's datasite and a hospital's command, each a process of its own.
final class PredictSession {
    private let folder: String
    private let archive: String
    private let port: Int
    private let processes: DemonstrationProcesses
    private var narration = Narration()

    init(folder: String, archive: String, port: Int) {
        (self.folder, self.archive, self.port) = (folder, archive, port)
        processes = DemonstrationProcesses(folder: folder)
    }

    private var dealer: String { "http://127.0.0.1:\(port)" }
    private var company: String { "http://127.0.0.1:\(port + 1)" }
    private static let images = 10

    func run() async throws {
        let started = ContinuousClock.now
        defer { processes.killAll() }
        narration.say(
            "A company has a model that reads chest X-rays; a hospital has X-rays. Neither shows the other what it has, and the readings come out all the same."
        )
        try train()
        try dealing()
        try await serving()
        let shown = try await predict()
        try settle()
        narration.heading("What came of it")
        let terminal = narration.terminal
        terminal.write(shown.table.render(on: terminal))
        guard shown.wrong.isEmpty else {
            throw Failure(
                "The labels of the images \(shown.wrong) differ although the margin is larger than the error's bound.")
        }
        let seconds = started.duration(to: .now) / .seconds(1)
        terminal.line("\nEvery step held, in \(NumberText.fixed(seconds, decimals: 0)) s.")
    }

    // MARK: the company

    private static let plan = """
        version: 1
        name: chest
        description: Chest X-rays of children, 28x28 pixels, 0 normal and 1 pneumonia. Not for clinical use.
        data:
          format: npz
          file: ARCHIVE
          train: {inputs: train_images, labels: train_labels}
          validation: {inputs: val_images, labels: val_labels}
          classes: 2
          shape: [1, 28, 28]
          scale: {bounds: [0, 255]}
        model:
          layers:
            - {kind: convolution, outputs: 8, kernel: 5}
            - {kind: relu}
            - {kind: max-pool, window: 2}
            - {kind: convolution, outputs: 16, kernel: 5}
            - {kind: relu}
            - {kind: max-pool, window: 2}
            - {kind: flatten}
            - {kind: linear, outputs: 64}
            - {kind: relu}
            - {kind: linear, outputs: 2}
        loss: cross-entropy
        optimizer: {kind: adam, rate: 0.001}
        batch: 64
        epochs: 3
        metrics: [accuracy, roc-auc]
        seed: 3
        threads: 2
        """

    private func train() throws {
        narration.heading("The company trains its model, on images of its own")
        let name = URL(filePath: archive).lastPathComponent
        try SavedFile.write(Array(Self.plan.replacing("ARCHIVE", with: name).utf8), to: "\(folder)/chest.yaml")
        let arguments = [
            "train", "\(folder)/chest.yaml", "--data", URL(filePath: archive).deletingLastPathComponent().path,
            "--output", "\(folder)/model",
        ]
        narration.command("parley \(processes.shown(arguments))")
        try processes.call(arguments)
        guard
            let last = try String(contentsOfFile: "\(folder)/model/curves.jsonl", encoding: .utf8).split(
                separator: "\n"
            ).last
        else { throw Failure("The training left no curve.") }
        struct Point: Decodable { var validation: [String: Double] }
        let area = try JSONDecoder().decode(Point.self, from: Data(last.utf8)).validation["roc-auc"] ?? 0
        narration.say(
            "On images that it did not train on it tells pneumonia with an AUC of \(NumberText.fixed(area, decimals: 3))."
        )
        guard area > 0.9 else { throw Failure("The model learned too little: an AUC of \(area).") }
    }

    // MARK: the dealer

    private func dealing() throws {
        narration.heading("A dealer, who is neither of the two")
        narration.say(
            "It makes random numbers for both, and sees no message, image, weight or reading. Together with one of the two it would see everything: so it is a notary's, say, and both must trust it not to collude."
        )
        narration.command("parley dealer create dealer")
        try processes.call(["dealer", "create", "\(folder)/dealer"])
        try Datasite.create(at: "\(folder)/company", name: "company")
        let site = try Datasite(path: "\(folder)/company")
        defer { try? site.close() }
        let key = site.description.publicKey
        narration.command("parley dealer admit dealer company \"$(parley site key --site company)\"")
        try processes.call(["dealer", "admit", "\(folder)/dealer", "company", key])
        try processes.serve(
            ["dealer", "serve", "\(folder)/dealer", "--port", String(port)], named: "dealer", narrating: narration)
    }

    // MARK: the company's datasite

    private static let manifest = """
        name: scans
        title: Chest X-rays that the model was made from
        description: One row is one image; 28x28 pixels (PneumoniaMNIST).
        population: children
        unit: {column: patient, rows: 1}
        capacity: {rows: 5000}
        columns:
          - {name: patient, type: integer, bounds: [0, 10000]}
          - {name: pneumonia, type: integer, bounds: [0, 1]}
        policy: POLICY
        """

    private func policy(_ prediction: String) -> String {
        "{loss: pure, total: {epsilon: 1}, engines: {questions: {}\(prediction)}}"
    }

    private func serving() async throws {
        narration.heading("The company's datasite, which predicts for whom its policy allows")
        let site = try Datasite(path: "\(folder)/company")
        let classes = try ArchivedArrays.read(archive, ["train_labels"])[0].labels(classes: 2)
        let csv = "patient,pneumonia\n" + classes.enumerated().map { "\($0),\($1)\n" }.joined()
        try SavedFile.write(Array(csv.utf8), to: "\(folder)/scans.csv")
        let manifest = Self.manifest.replacing("POLICY", with: policy(""))
        try SavedFile.write(Array(manifest.utf8), to: "\(folder)/scans.yaml")
        narration.command("parley data add scans.csv --manifest scans.yaml --site company")
        _ = try site.addDataset(file: "\(folder)/scans.csv", manifestText: manifest)
        narration.say(
            "The model gets a mask from the dealer, for as long as its weights stay the same. Images of the archive's validation part, taken for public, say how large activations are:"
        )
        let arguments = [
            "model", "add", "chest", "--of", "scans", "--model", "\(folder)/model/weights.safetensors", "--range",
            "0,255",
            "--calibrate", "\(archive):val_images", "--output", "scores", "--dealer", dealer, "--site",
            "\(folder)/company",
        ]
        narration.command("parley \(processes.shown(arguments))")
        try site.close()
        narration.terminal.write(try processes.call(arguments))
        let again = try Datasite(path: "\(folder)/company")
        let version = try again.servedModel("chest").version
        let rule =
            ", prediction: {model: chest, version: \(version), rows: 32, uses: 1000, uses-per-researcher: 100, approval: automatic}"
        narration.command("parley data policy scans policy.yaml --site company")
        narration.terminal.line(
            "  prediction: {model: chest, version: \(version), rows: 32, uses: 1000, uses-per-researcher: 100, approval: automatic}"
        )
        try again.setPolicy(of: "scans", policyText: policy(rule))
        try PrivateFile.write(Array(try again.addUser("hana", role: .researcher).utf8), to: "\(folder)/hana.token")
        try again.close()
        try processes.serve(
            ["serve", "--site", "\(folder)/company", "--port", String(port + 1)], named: "company", narrating: narration
        )
    }

    // MARK: the hospital

    private struct Shown {
        var table: TextTable
        /// Images whose labels differ although they should not.
        var wrong: [Int]
    }

    private struct Predicted: Decodable {
        var labels: [Int]
        var scores: [[Double]]?
        var errorBound: Double
        var bytes: Int
        var rounds: Int
        var onlineSeconds: Double
        var dealingSeconds: Double
    }

    private func predict() async throws -> Shown {
        narration.heading("The hospital has ten images read")
        try processes.call(["login", company, "--token-file", "\(folder)/hana.token"])
        let rows = "\(archive):test_images"
        let common = ["scans", rows, "--rows", "0,\(Self.images)", "--dealer", dealer]
        narration.command("parley mpc check scans --dealer \(dealer)")
        narration.terminal.write(try processes.call(["mpc", "check", "scans", "--dealer", dealer]))
        narration.command("parley predict \(processes.shown(common)) --explain")
        narration.terminal.write(try processes.call(["predict"] + common + ["--explain"]))
        narration.say(
            "What both are dealt can be dealt beforehand. One session more is opened by the dealer, so that both see whether it deals rightly:"
        )
        let preparing = ["prepare", "scans", "--dealer", dealer, "--rows", String(Self.images), "--checks", "1"]
        narration.command("parley \(processes.shown(preparing))")
        narration.terminal.write(try processes.call(preparing))
        narration.command("parley predict \(processes.shown(common)) --peek")
        narration.terminal.write(try processes.call(["predict"] + common + ["--peek"]))
        let text = try processes.call(["predict"] + common + ["--json"])
        let predicted = try JSONDecoder().decode(Predicted.self, from: Data(text.utf8))
        let clear = try ModelFiles.scores(
            architecture: "\(folder)/model/architecture.json", weights: "\(folder)/model/weights.safetensors",
            rows: rows,
            range: 0...255)
        let truth = try ArchivedArrays.read(archive, ["test_labels"])[0].labels(classes: 2)
        var table = TextTable([
            .init(title: "image", alignsRight: true), .init(title: "on shares", alignsRight: true),
            .init(title: "in the clear", alignsRight: true), .init(title: "scores differ by", alignsRight: true),
            .init(title: "label", alignsRight: true),
        ])
        var wrong: [Int] = []
        for row in 0..<Self.images {
            let (own, scores) = (predicted.scores?[row] ?? [], clear[row])
            let label = scores.indices.max { scores[$0] < scores[$1] } ?? 0
            let difference = zip(own, scores).map { abs($0 - Double($1)) }.max() ?? .infinity
            let margin = Double(abs(scores[0] - scores[1]))
            if difference > predicted.errorBound
                || (predicted.labels[row] != label && margin > 2 * predicted.errorBound)
            {
                wrong.append(row)
            }
            table.append([
                String(row), String(predicted.labels[row]), String(label), NumberText.significant(difference),
                String(truth[row]),
            ])
        }
        narration.say(
            "Online: \(predicted.rounds) rounds, \(ByteText.of(predicted.bytes)) both ways, \(NumberText.fixed(predicted.onlineSeconds * 1_000, decimals: 0)) ms for \(Self.images) images; what was dealt before took \(NumberText.fixed(predicted.dealingSeconds, decimals: 1)) s."
        )
        return Shown(table: table, wrong: wrong)
    }

    // MARK: the end

    private func settle() throws {
        narration.heading("What the company has of it")
        let site = try Datasite(path: "\(folder)/company")
        defer { try? site.close() }
        let released = try site.requests(as: .localOwner, state: "released")
        guard released.count == 2, try site.verify().isSound else {
            throw Failure("The company's journal should hold two predictions, and be sound.")
        }
        narration.command("parley requests --site company")
        for request in released { narration.terminal.line("  \(request.id)  \(request.charge.chargeText)") }
        narration.say(
            "Two releases are in its journal and its log, \(2 * Self.images) uses of 100 are counted, and no image or reading is anywhere in its folder."
        )
    }
}
