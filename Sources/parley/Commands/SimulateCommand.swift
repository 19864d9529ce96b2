import ArgumentParser
import Datasite
import DatasiteProtocol
import Federation
import Foundation
import Learning

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Train together on your own files, divided among made-up participants.",
        discussion: """
            Tries a plan with a section `federation` before anybody is asked: the rows of the plan's files are divided among participants, who train \
            together as they would over a network, with the same messages, masks and noise, in simulated time.

              parley simulate plan.yaml --data ./pneumoniamnist --dry-run
              parley simulate plan.yaml --data ./pneumoniamnist --participants 3 --compare --output together
              parley simulate plan.yaml --data ./pneumoniamnist --label-skew 0.7 --message-loss 0.05 --crashes 0.02

            Nobody is protected from anybody here: all rows lie in this process. What is told of privacy is what the plan would promise.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(help: ArgumentHelp("Where the plan's files are.", valueName: "folder"), completion: .directory)
    var data: String
    @Option(
        parsing: .unconditional, help: "Among how many the rows are divided (default: 3).",
        transform: WholeNumberText.parse)
    var participants = 3
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The part of each label that one participant has, from 0 (evenly divided) to below 1.", valueName: "part"))
    var labelSkew = 0.0
    @Option(parsing: .unconditional, help: ArgumentHelp("With which probability a message is lost.", valueName: "part"))
    var messageLoss = 0.0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "With which probability a participant, or the coordinator, is killed at a message.", valueName: "part"))
    var crashes = 0.0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "With which probability a participant ends for good, at each message: a round takes 2 to 7 of each.",
            valueName: "part"))
    var dropOuts = 0.0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The part of the participants that takes ten times as long.", valueName: "part"))
    var stragglers = 0.0
    @Flag(help: "Also train on all rows in one place, and at each participant alone.") var compare = false
    @Option(
        help: ArgumentHelp("Where the model, its curve and the plan go (default: nowhere).", valueName: "folder"),
        completion: .directory)
    var output: String?
    @Flag(help: "Only read and check; say what would be run.") var dryRun = false
    @Option(parsing: .unconditional, help: "Instead of the plan's seed.") var seed: UInt64?
    @Option(parsing: .unconditional, help: "Instead of the plan's number of threads.", transform: WholeNumberText.parse)
    var threads: Int?

    func validate() throws {
        for (name, value) in [
            ("label-skew", labelSkew), ("message-loss", messageLoss), ("crashes", crashes), ("drop-outs", dropOuts),
            ("stragglers", stragglers),
        ] where !(value >= 0 && value < 1) {
            throw ValidationError("--\(name) is from 0 to below 1.")
        }
        guard (2...65_535).contains(participants) else { throw ValidationError("--participants is from 2 to 65535.") }
        guard threads.map({ (1...256).contains($0) }) ?? true else {
            throw ValidationError("--threads is from 1 to 256.")
        }
    }

    private var circumstances: FederatedSimulation.Circumstances {
        var circumstances = FederatedSimulation.Circumstances()
        (circumstances.participants, circumstances.labelSkew) = (participants, labelSkew)
        circumstances.compares = compare
        circumstances.conditions.loss = messageLoss
        (circumstances.conditions.participantCrash, circumstances.conditions.coordinatorCrash) = (crashes, crashes)
        (circumstances.conditions.dropOut, circumstances.conditions.stragglers) = (dropOuts, stragglers)
        return circumstances
    }

    func run() async throws {
        let text = try readText(plan)
        let (circumstances, seed, threads, data) = (circumstances, seed, threads, data)
        let simulation = try await naming(plan) {
            try await Interruption.watching { check in
                try withoutActuallyEscaping(check) { check in
                    try FederatedSimulation(
                        planText: text, dataFolder: data, circumstances: circumstances, seed: seed, threads: threads,
                        check: check)
                }
            }
        }
        Self.show(simulation.facts)
        guard !dryRun else { return }
        let progress = Progress("Training together")
        defer { progress.finish() }
        do {
            let output = output
            let report = try await naming(plan) {
                try await Interruption.watching { check in
                    try simulation.run(into: output, check: check) { round in
                        progress.update(Double(round.number) / Double(round.rounds), doing: Self.text(round))
                    }
                }
            }
            progress.finish()
            Self.show(report, simulation.facts, in: output)
        } catch is CancellationError {
            throw Failure("Stopped.", next: "A simulation keeps nothing: begin again.")
        }
    }

    private static func show(_ facts: FederatedSimulation.Facts) {
        let terminal = Terminal.output
        let plan = facts.plan
        let rows =
            facts.rows.count <= 12
            ? facts.rows.map { NumberText.integer($0) }.joined(separator: ", ")
            : "\(NumberText.integer(facts.rows.min() ?? 0)) to \(NumberText.integer(facts.rows.max() ?? 0))"
        terminal.line(
            "\(plan.name): \(NumberText.integer(facts.rows.count)) participants with \(rows) rows; \(NumberText.integer(facts.parameters)) parameters"
        )
        terminal.line(
            "\(plan.strategy.kind.rawValue), \(plan.aggregation.way.words)\(thresholds(plan)); \(NumberText.integer(plan.rounds)) rounds"
                + (plan.spareRounds > 0 ? " and \(NumberText.integer(plan.spareRounds)) spare ones" : "")
                + (plan.strategy.kind == .fedBuff ? "" : ", void below \(NumberText.integer(plan.least)) updates"))
        guard let promise = facts.promise else { return }
        let unit = promise.unit == "row" ? "each row" : "each \(PrintableText.escape(promise.unit))"
        terminal.line(
            "Each round draws every unit with probability \(NumberText.significant(promise.samplingRate)), of \(NumberText.integer(promise.units)) at all participants "
                + "(taken for public).")
        terminal.line(
            "Noise multiplier \(NumberText.significant(promise.noiseMultiplier)) without the shares of those who may collude or leave, "
                + "\(NumberText.significant(promise.wholeMultiplier)) with all of them.")
        terminal.line(
            "Would be differentially private for \(unit) at one participant: epsilon \(NumberText.significant(promise.epsilon)) at delta "
                + "\(NumberText.significant(promise.delta)), over all rounds, spare ones too, by Rényi divergences.")
        terminal.line(
            "Who has rows at m participants: m squared times the divergence. Metrics are exact, and outside of it.")
    }

    private static func thresholds(_ plan: FederatedPlan) -> String {
        switch plan.aggregation {
        case .plain: ""
        case .masked(let threshold, let colluders), .distributedNoise(let threshold, let colluders):
            " (opened by \(threshold), \(colluders) may collude)"
        }
    }

    private static func text(_ round: FederatedSimulation.Round) -> String {
        let values = round.validation.map {
            ", \($0.metric.rawValue) \($0.value.map { NumberText.significant($0) } ?? "none")"
        }
        let void = round.attempts - round.number
        return
            "round \(round.number) of \(round.rounds)\(void > 0 ? " (\(void) void)" : "")\(values.joined()), \(Int(round.seconds)) s simulated"
    }

    private static func show(
        _ report: FederatedSimulation.Report, _ facts: FederatedSimulation.Facts, in folder: String?
    ) {
        let terminal = Terminal.output
        let outcomes = report.outcomes
        let metrics = outcomes.first?.metrics.map(\.metric) ?? []
        var table = TextTable(
            [.init(title: "trained")] + metrics.map { .init(title: $0.rawValue, alignsRight: true) })
        for outcome in outcomes {
            table.append(
                [outcome.name] + outcome.metrics.map { $0.value.map { NumberText.fixed($0, decimals: 4) } ?? "none" })
        }
        if metrics.isEmpty {
            terminal.line("Nothing was measured: `data` names no rows to test or validate on.")
        } else {
            terminal.write(table.render(on: terminal))
        }
        let network = report.network
        terminal.line(
            "Simulated: \(NumberText.integer(Int(network.seconds))) s, \(NumberText.integer(network.messages)) messages, \(NumberText.integer(network.lost)) lost, "
                + "\(NumberText.integer(network.killed)) times somebody was killed, \(NumberText.integer(network.left)) left; \(NumberText.integer(network.void)) rounds were void."
        )
        if report.cutEntries > 0, let grid = facts.plan.grid {
            terminal.line(
                "\(NumberText.integer(report.cutEntries)) entries of updates lay beyond the range of \(NumberText.significant(grid.range)) and were cut to it: a larger "
                    + "`federation.range` loses nothing of them.")
        }
        if let folder { terminal.line("In \(PrintableText.escape(folder)): \(report.files.joined(separator: ", "))") }
    }
}
