public import ArgumentParser
public import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation

struct TallyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tally", abstract: "Count something over many devices, none of which shows what it says.",
        discussion: """
            Each device splits its number into two shares, one for each of two aggregators, with a proof that the number is valid. Neither learns it unless both work together; each adds all the noise that privacy needs to its sum, and gives it out once, to the collector. All parties have the same plan.

              parley devices tally key leader.key                            # each of leader, helper and collector: prints what the plan names
              parley devices tally plan plan.yaml                            # what it would tell, and how exactly
              parley devices tally serve plan.yaml --key helper.key --port 8901
              parley devices tally serve plan.yaml --key leader.key --port 8900
              parley devices tally report plan.yaml --state ./device --value 42
              parley devices tally collect plan.yaml --key collector.key
            """,
        subcommands: [
            TallyKeyCommand.self, TallyPlanCommand.self, TallyServeCommand.self, TallyReportCommand.self,
            TallyCollectCommand.self,
        ])

    static func plan(_ file: String) async throws -> TallyPlan {
        try await naming(file) { try TallyDocument(try readText(file)).plan }
    }
}

struct TallyKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make the key of a leader, a helper or a collector, and print its public half.")

    @Argument(help: "The private key; it is made where it is not there.", completion: .file()) var file: String

    func run() throws { Terminal.output.line(try TallyKey(file: file, makes: true).identity.text) }
}

struct TallyPlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Say what a plan would tell, how exactly, and to whom.")

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Flag(help: "Print the plan in JSON, as an app reads it (TallyPlan).") var json = false

    func run() async throws {
        let plan = try await TallyCommand.plan(plan)
        guard !json else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Terminal.output.line(String(decoding: try encoder.encode(plan), as: UTF8.self))
        }
        for line in try TallyView(plan).words { Terminal.output.line(line) }
    }
}

struct TallyServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Be the leader or the helper of a tally: whose key it is, the plan says.",
        discussion: """
            The two run on machines of two parties that do not work together against devices. Devices send to the leader, and the leader asks the helper. Killed at any moment, the same command goes on.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(help: ArgumentHelp("The leader's or the helper's private key.", valueName: "file"), completion: .file())
    var key: String
    @Option(
        help: ArgumentHelp(
            "Where shares and state are kept (default: named as the plan and the role).", valueName: "folder"),
        completion: .directory)
    var run: String?
    @OptionGroup var listening: ListeningOptions
    @Option(
        help: ArgumentHelp(
            "At a leader: trust the certificate authorities in this PEM file for the helper.", valueName: "file"),
        completion: .file())
    var ca: String?

    func run() async throws {
        let plan = try await TallyCommand.plan(plan)
        let key = try TallyKey(file: key)
        let role = plan.leader.identity == key.identity ? TallyRole.leader : .helper
        let folder = run ?? "\(plan.name)-\(role)"
        let running = try await naming(self.plan) { try TallyRun(at: folder, plan: plan, key: key) }
        let interrupted = AsyncStream<Void>.makeStream()
        let interrupting = Task {
            await Interruption.wait()
            interrupted.continuation.finish()
        }
        defer { interrupting.cancel() }
        let configuration = listening.configuration
        let serving = Task {
            defer { interrupted.continuation.finish() }
            try await serveTally(configuration, run: running) { _ in
                Terminal.output.line(
                    role == .leader
                        ? "Devices report with: parley devices tally report PLAN --state FOLDER --value VALUE"
                        : "The helper waits for the leader.")
            }
        }
        let working = Task {
            if role == .leader {
                try await Self.lead(
                    running, DevicesClient(url: plan.helper.url, options: ClientOptions(certificateAuthority: ca)))
            } else {
                try await Self.watch(running)
            }
        }
        for await _ in interrupted.stream {}
        working.cancel()
        serving.cancel()
        if case .failure(let error) = await serving.result, !(error is CancellationError) { throw error }
        if case .failure(let error) = await working.result, !(error is CancellationError) { throw error }
        guard running.progress.isOver else {
            throw Failure("The tally is not over: \(Self.words(running.progress)).", next: "The same command goes on.")
        }
    }

    /// Gives the helper what there is to do, until the batch is summed.
    private static func lead(_ run: TallyRun, _ helper: DevicesClient) async throws {
        var (told, pause) = (run.progress, 1.0)
        while !Task.isCancelled {
            // A full disk may have room again before the next second.
            try? await run.tick()
            do {
                guard let job = try await run.nextJob() else {
                    tell(run.progress, &told)
                    if run.progress.isOver { return }
                    await run.waitForNews(atMost: .seconds(1))
                    continue
                }
                let reply = try await helper.exchange(job.frame, largest: run.task.jobBytes, timeout: .seconds(120))
                try await run.take(reply, to: job)
                pause = 1
            } catch {
                let what =
                    switch error {
                    case let error as TransportError: error.detail
                    case let problem as Problem: problem.detail
                    default: "what the helper says is refused: \(error)"
                    }
                Terminal.diagnostics.line(PrintableText.escape("\(what); trying again"))
                try await Task.sleep(for: .seconds(pause))
                pause = min(2 * pause, 60)
            }
        }
    }

    private static func watch(_ run: TallyRun) async throws {
        var told = run.progress
        while !Task.isCancelled {
            tell(run.progress, &told)
            if told.isOver { return }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private static func tell(_ now: TallyRun.Progress, _ told: inout TallyRun.Progress) {
        guard now != told || now.isOver else { return }
        Terminal.output.line(words(now) + (now.isCollected ? "; the collector may read it (Ctrl-C ends)" : ""))
        told = now
    }

    private static func words(_ progress: TallyRun.Progress) -> String {
        let counts =
            "\(NumberText.integer(progress.taken)) reports, \(NumberText.integer(progress.counted)) counted, \(NumberText.integer(progress.dropped)) dropped"
        if let void = progress.void { return "\(counts); there is no result: \(void.words)" }
        if progress.isCollected { return "\(counts); the sum is given out" }
        return progress.isOpen ? counts : "\(counts); no more are taken"
    }
}

struct TallyReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Say this device's number, once, to both aggregators in shares.",
        discussion: """
            The plan is this device's own copy: whose keys stand in it decides who could learn the number together. What was said once is sent again as it was, whatever --value is then.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What this device says: yes or no; a number (the nearest that the plan allows counts); a bucket's word; numbers with commas between.",
            valueName: "value"))
    var value: String?
    @Option(
        help: ArgumentHelp("Or: rows of this device's own (CSV), which stay here.", valueName: "file"),
        completion: .file())
    var data: String?
    @Option(help: ArgumentHelp("The column of --data that says it.", valueName: "name")) var column: String?
    @Option(help: "What is taken of the column: sum, mean, min, max, last, or rows (how many).")
    var take = TallyColumn.Statistic.last
    @Option(
        help: ArgumentHelp("Where this device keeps its key and what it said.", valueName: "folder"),
        completion: .directory)
    var state: String
    @Option(help: ArgumentHelp("The enroller's signature on this device's key.", valueName: "signature"))
    var certificate: String?
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?
    @OptionGroup var patience: PatienceOptions

    func validate() throws {
        guard (value == nil) == (data != nil), (data == nil) == (column == nil) else {
            throw ValidationError("Say what this device says: --value VALUE, or --data FILE --column NAME.")
        }
    }

    func run() async throws {
        let plan = try await TallyCommand.plan(plan)
        let part = try TallyPart(plan, path: state, certificate: certificate)
        if part.hasReported {
            Terminal.diagnostics.line("This device has said something before: that is what is sent.")
        }
        let report = try part.report(try said(plan.measure))
        let client = try DevicesClient(url: plan.leader.url, options: ClientOptions(certificateAuthority: ca))
        let reply = try await patience.patiently {
            try await client.exchange(report, largest: TallyDevice.largestReply)
        }
        if let refusal = try part.take(reply) { throw Failure("The report is not taken: \(refusal.words).") }
        Terminal.output.line("The report is taken.")
    }

    private func said(_ measure: TallyPlan.Measure) throws -> TallyValue {
        if let data, let column { return try TallyColumn(column, file: data).value(take, for: measure) }
        return try Self.value(value ?? "", for: measure)
    }

    /// - Throws: A `Failure`, without the value.
    static func value(_ text: String, for measure: TallyPlan.Measure) throws -> TallyValue {
        func number(_ text: Substring) throws -> Double {
            guard let number = Double(text.trimmingCharacters(in: .whitespaces)), number.isFinite else {
                throw Failure("--value: expected a number, as the plan's measure is one.")
            }
            return number
        }
        switch measure {
        case .count:
            switch text.lowercased() {
            case "yes", "true", "1": return .flag(true)
            case "no", "false", "0": return .flag(false)
            default: throw Failure("--value: expected yes or no, as the plan counts.")
            }
        case .sum, .histogram(.bounds): return .number(try number(text[...]))
        case .histogram(.words): return .word(text)
        case .vector: return .numbers(try text.split(separator: ",").map(number))
        }
    }
}

extension TallyColumn.Statistic: ExpressibleByArgument {}

struct TallyCollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Read a tally's result: both sums, put together.",
        discussion: "Waits until the batch has ended. The result is the same whenever it is read.")

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(help: ArgumentHelp("The collector's private key.", valueName: "file"), completion: .file())
    var key: String
    @Flag(help: "Print the result in JSON.") var json = false
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let plan = try await TallyCommand.plan(plan)
        let collector = try TallyCollector(TallyTask(plan), key: TallyKey(file: key))
        let client = try DevicesClient(url: plan.leader.url, options: ClientOptions(certificateAuthority: ca))
        var isTold = false
        while true {
            let question = Array(try collector.question())
            let reply = try await patience.patiently {
                try await client.exchange(question, largest: collector.largestReply)
            }
            switch try collector.take(Data(reply)) {
            case .result(let result):
                let view = TallyView(plan)
                return json ? Terminal.output.line(try view.json(result)) : view.show(result, on: .output)
            case .void(let refusal): throw Failure("There is no result, and will be none: \(refusal.words).")
            case .open(let seconds):
                if !isTold {
                    Terminal.diagnostics.line(
                        "Reports are taken for \(NumberText.significant(seconds)) seconds more at most; waiting.")
                }
                isTold = true
                try await Task.sleep(for: .seconds(min(max(seconds / 10, 1), 60)))
            case .working: try await Task.sleep(for: .seconds(1))
            }
        }
    }
}
