import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation
import Learning

struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a model at a datasite, or on your own files, by a plan.",
        discussion: """
            The plan says what is learned from which dataset or files, and how; it holds no value of theirs.

            At a datasite you see no row: the owner's policy decides, the whole privacy loss is charged before a row is read, and weights, \
            architecture, curves, a model card and a receipt come out.

              parley train plan.yaml --dry-run                     # steps, noise, epsilon, cost; nothing is spent
              parley train plan.yaml --follow
              parley train plan.yaml --request ID                  # fetches it later

            On files of your own the same plan, files and seed give the same weights, and what comes out tells of the rows; with a section \
            `privacy` in the plan weights and curves keep an epsilon instead, and no seed is taken.

              parley train plan.yaml --data ./mnist --dry-run      # shapes, parameters, steps, memory
              parley train plan.yaml --data ./mnist                # into a folder named as the plan
              parley train plan.yaml --data ./mnist --resume       # goes on after Ctrl-C, a crash or a full disk

            It leaves a folder with weights (safetensors), architecture (JSON), curves (JSON lines, SVG), a model card and \
            checkpoints. Ctrl-C ends it after a checkpoint.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(help: ArgumentHelp("Where the plan's files are.", valueName: "folder"), completion: .directory)
    var data: String?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "At a datasite: wait for the model, and show meanwhile how far it is.") var follow = false
    @Option(help: "At a datasite: say what the model is for; owners who decide read it.") var purpose: String?
    @Option(help: ArgumentHelp("At a datasite: fetch the model of a request that was made before.", valueName: "id"))
    var request: String?
    @Option(help: "At a datasite: names this request, so that repeating it after a failure is charged once.")
    var idempotencyKey: String?
    @Option(
        help: ArgumentHelp("Where results go (default: a folder here, named as the plan).", valueName: "folder"),
        completion: .directory)
    var output: String?
    @Flag(help: "Only read and check; say what would be trained.") var dryRun = false
    @Flag(help: "Go on from the folder's last checkpoint.") var resume = false
    @Option(parsing: .unconditional, help: "Instead of the plan's seed.") var seed: UInt64?
    @Option(
        parsing: .unconditional, help: "Instead of the plan's number of threads; no result depends on it.",
        transform: WholeNumberText.parse)
    var threads: Int?

    func validate() throws {
        guard threads.map({ (1...256).contains($0) }) ?? true else {
            throw ValidationError("--threads is from 1 to 256.")
        }
        guard !(dryRun && resume) else { throw ValidationError("--dry-run trains nothing: it has no --resume.") }
    }

    private func trainAtSite(_ text: String) async throws {
        guard try await naming(plan, { try ReleasedModelFiles.isOfDataset(plan: text) }) else {
            throw ValidationError("The plan names files: say where they are with --data FOLDER.")
        }
        let training = SiteTraining(
            connection: try connection.connect(), plan: text, file: plan, output: output, purpose: purpose,
            idempotencyKey: idempotencyKey)
        if dryRun { return try await training.preview() }
        if let request { return try await training.fetch(request) }
        try await training.train(follows: follow)
    }

    func run() async throws {
        let text = try readText(plan)
        guard let data else { return try await trainAtSite(text) }
        let (seed, threads) = (seed, threads)
        if try await naming(plan, { try TrainingSearch.isAsked(ofPlan: text) }) {
            let search = try await naming(plan) {
                try await Interruption.watching { check in
                    try withoutActuallyEscaping(check) { check in
                        try TrainingSearch(planText: text, dataFolder: data, seed: seed, threads: threads, check: check)
                    }
                }
            }
            let command = SearchTraining(search: search, file: plan, folder: output ?? search.name)
            try command.show()
            if !dryRun { try await command.train(resumes: resume) }
            return
        }
        let training = try await naming(plan) {
            try await Interruption.watching { check in
                try withoutActuallyEscaping(check) { check in
                    try Training(planText: text, dataFolder: data, seed: seed, threads: threads, check: check)
                }
            }
        }
        let facts = try training.facts()
        TrainingView.show(facts)
        guard !dryRun else { return }
        let folder = output ?? facts.name
        let progress = Progress("Training")
        defer { progress.finish() }
        let resume = resume
        do {
            let report = try await naming(plan) {
                try await Interruption.watching { check in
                    try training.run(into: folder, resumes: resume, check: check) { now in
                        progress.update(Double(now.step) / Double(now.steps), doing: TrainingView.text(now))
                    } epoch: { point in
                        progress.finish()
                        Terminal.diagnostics.line(TrainingView.text(point))
                    }
                }
            }
            progress.finish()
            TrainingView.show(report, in: folder)
        } catch is CancellationError {
            progress.finish()
            throw Failure(
                "Stopped; the checkpoint is in \(folder).",
                next: "Go on with the same command and --resume. Nothing of what was computed is lost.")
        }
    }
}

/// Training in words.
enum TrainingView {
    /// What there is to learn from.
    static func rows(_ facts: TrainingFacts) -> String {
        let parts = [("validated on", facts.rows.validation), ("tested on", facts.rows.test)].compactMap { name, rows in
            rows.map { ", \(name) \(NumberText.integer($0))" }
        }
        return
            "\(facts.name): \(NumberText.integer(facts.rows.train)) rows of \(extents(facts.inputShape))\(parts.joined())"
    }

    static func show(_ facts: TrainingFacts) {
        let terminal = Terminal.output
        terminal.line(rows(facts))
        var table = TextTable(
            [
                .init(title: "layer"), .init(title: "kind"), .init(title: "a row behind it", alignsRight: true),
                .init(title: "parameters", alignsRight: true),
            ], indent: 2)
        for layer in facts.layers {
            table.append([
                PrintableText.escape(layer.name), layer.kind, extents(layer.shape),
                NumberText.integer(layer.parameters),
            ])
        }
        terminal.write(table.render(on: terminal))
        terminal.line(
            "\(NumberText.integer(facts.parameters)) parameters, \(NumberText.integer(facts.steps.all)) steps "
                + "(\(NumberText.integer(facts.steps.epoch)) an epoch), about \(memory(facts.memory)) beside the rows, "
                + "\(facts.threads) \(facts.threads == 1 ? "thread" : "threads")")
        if let weights = facts.weights {
            terminal.line("It begins with the weights of \(PrintableText.escape(weights)).")
        }
        if !facts.frozen.isEmpty {
            terminal.line("Frozen: \(facts.frozen.map(PrintableText.escape).joined(separator: ", "))")
        }
        if let promise = facts.promise { show(promise) }
    }

    private static func show(_ promise: TrainingPromise) {
        let terminal = Terminal.output
        terminal.line(
            "Each step draws every unit with probability \(NumberText.significant(promise.samplingRate)), about "
                + "\(NumberText.significant(promise.expectedUnits)) of \(NumberText.integer(promise.units)) (taken for public); an epoch draws each "
                + "\(NumberText.significant(promise.coverage)) times on average.")
        terminal.line(
            "Noise multiplier \(NumberText.significant(promise.noiseMultiplier)), clipping norm \(NumberText.significant(promise.clippingNorm))."
        )
        terminal.line(
            "Differentially private: epsilon \(NumberText.significant(promise.epsilon)) at delta \(NumberText.significant(promise.delta)) over all steps, by privacy loss "
                + "distributions. Metrics are exact, and outside of it.")
    }

    static func show(_ report: TrainingReport, in folder: String) {
        let terminal = Terminal.output
        for row in report.metrics {
            let value = row.value.map { NumberText.significant($0) } ?? "none: \(row.reason ?? "")"
            terminal.line("\(row.rows) \(row.metric.rawValue): \(PrintableText.escape(value))")
        }
        terminal.line(
            "Trained \(NumberText.integer(report.steps)) steps; the \(report.chosen.name) weights are those after step "
                + "\(NumberText.integer(report.chosen.step)).")
        terminal.line("In \(PrintableText.escape(folder)): \(report.files.joined(separator: ", "))")
    }

    static func text(_ now: TrainingProgress) -> String {
        let left = now.secondsLeft < 100 ? "\(Int(now.secondsLeft.rounded(.up))) s" : "\(Int(now.secondsLeft / 60)) min"
        let loss = now.loss.map { ", loss \(NumberText.significant($0))" } ?? ", step \(NumberText.integer(now.step))"
        return "epoch \(now.epoch) of \(now.epochs)\(loss), "
            + "\(NumberText.integer(Int(now.rowsPerSecond))) samples/s, \(left) left"
    }

    static func text(_ point: LearningCurve.Point) -> String {
        let values = point.validation.map {
            ", \($0.metric.rawValue) \($0.value.map { NumberText.significant($0) } ?? "none")"
        }
        return "epoch \(point.epoch): training loss \(NumberText.significant(point.trainingLoss))"
            + (values.isEmpty ? "" : "; validation" + values.joined().dropFirst())
    }

    private static func extents(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "x") }

    private static func memory(_ bytes: Int) -> String {
        bytes < 1 << 30
            ? "\(NumberText.integer(max(1, bytes >> 20))) MB"
            : "\(NumberText.fixed(Double(bytes) / 0x1p30, decimals: 1)) GB"
    }
}
