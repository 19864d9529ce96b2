import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation
import Learning

struct DevicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "Train one model at devices that come and go, or count over them.",
        discussion: """
            One side serves a plan with a section `devices`, and each device that may takes part: it checks in, receives plan and weights, trains on its own rows, and reports.

              parley devices serve plan.yaml --data ./held-out --run keyboard --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem
              parley devices join https://devices.example.org:8900 --data ./mine --state ./device
            """,
        subcommands: [
            DevicesServeCommand.self, DevicesJoinCommand.self, DevicesEnrolCommand.self, TallyCommand.self,
        ])
}

struct DevicesServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Coordinate devices: admit them in cycles, and take their reports.",
        discussion: """
            The plan names files as for `parley train`; here they are rows of your own, on which each cycle's model is measured (`test` or `validation`). Killed at any moment, the same command goes on.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(
        help: ArgumentHelp("Where rows of your own are, to measure by.", valueName: "folder"), completion: .directory)
    var data: String
    @Option(
        help: ArgumentHelp("Where the run is kept (default: named as the plan).", valueName: "folder"),
        completion: .directory)
    var run: String?
    @Option(
        help: ArgumentHelp(
            "Only devices whose key this one signed take part (parley devices enrol --key).", valueName: "key"))
    var enroller: String?
    @OptionGroup var rounds: RoundsOptions

    func run() async throws {
        let text = try readText(plan)
        let (data, enroller) = (data, enroller)
        let folder = try await naming(plan) { [run] in try run ?? ReleasedModelFiles.name(ofPlan: text) }
        let rows = try await naming(plan) { try HeldOutRows(planText: text, dataFolder: data) }
        if !DeviceRun.exists(at: folder) {
            try await naming(plan) { try DeviceRun.create(at: folder, planText: text, rows: rows, enroller: enroller) }
        } else {
            Terminal.diagnostics.line("Going on with the run in \(PrintableText.escape(folder)).")
        }
        let (news, continuation) = AsyncStream<DeviceRun.Progress>.makeStream()
        let running = try DeviceRun(at: folder) { continuation.yield($0) }
        guard running.description.plan == text, running.description.enroller == enroller else {
            throw Failure(
                "\(folder) holds the run of another plan, or of another enroller.",
                next: "Name another folder with --run.")
        }
        continuation.yield(running.progress)
        let interrupted = Task {
            await Interruption.wait()
            continuation.finish()
        }
        let (configuration, coordinator) = (rounds.configuration, rounds.coordinator)
        let serving = Task {
            defer { continuation.finish() }
            try await serveDevices(configuration, run: running) { port in
                Terminal.output.line(
                    "Devices join with: parley devices join \(coordinator) --data FOLDER --state FOLDER")
                _ = port
            }
        }
        // Between cycles, who has come is all that there is to see.
        let looking = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(2))
                continuation.yield(running.progress)
            }
        }
        defer {
            interrupted.cancel()
            looking.cancel()
        }
        let progress = Progress("Training at devices")
        defer { progress.finish() }
        var (told, waiting) = (-1, ContinuousClock.now)
        for await now in news {
            if now.cycle != told {
                progress.finish()
                Self.say(now, try rows.measure(now.weights))
                (told, waiting) = (now.cycle, .now)
            }
            let words =
                "cycle \(now.cycle + 1): \(now.counts.accepted) devices admitted and \(now.counts.counted) reports counted in all"
            progress.update(Double(now.cycle) / Double(now.cycles), doing: words)
            if !Terminal.diagnostics.isTerminal, waiting.duration(to: .now) > .seconds(30) {
                Terminal.diagnostics.line("\(words); waiting for devices")
                waiting = .now
            }
            if now.phase == .finished || now.phase == .aborted {
                looking.cancel()
                progress.finish()
                let files = try running.write()
                if now.phase == .finished {
                    Terminal.output.line("In \(PrintableText.escape(folder)): \(files.joined(separator: ", "))")
                }
                // Devices that were thanked come again behind their rest, and learn that it is over.
                let plan = running.description.cycles
                let seconds = min(plan.mostRetrySeconds, plan.cycleSeconds * Double(plan.restCycles + 1)) + 5
                Terminal.diagnostics.line(
                    "The run is over; devices are told so for \(NumberText.significant(seconds)) seconds more (Ctrl-C ends it now)."
                )
                let over = Task {
                    try await Task.sleep(for: .seconds(seconds))
                    continuation.finish()
                }
                defer { over.cancel() }
                for await _ in news {}
                break
            }
        }
        serving.cancel()
        if case .failure(let error) = await serving.result, !(error is CancellationError) { throw error }
        let last = running.progress
        guard last.phase == .finished else {
            throw Failure(
                "The run is at cycle \(last.cycle) of \(last.cycles), \(last.attempts) begun.",
                next: last.phase == .aborted
                    ? "No more cycles may be begun: more `spare-cycles`, or fewer `reports`, bear more drop-outs."
                    : "The same command goes on.")
        }
    }

    private static func say(_ now: DeviceRun.Progress, _ measured: [(metric: Metric, value: Double?)]) {
        let metrics = measured.map { "\($0.metric.rawValue) \($0.value.map { NumberText.significant($0) } ?? "none")" }
        Terminal.output.line(
            (["cycle \(now.cycle) of \(now.cycles), \(now.attempts) begun"] + metrics).joined(separator: ", "))
    }
}

struct DevicesJoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Take part with rows of one's own, until the run is over.",
        discussion: """
            The rows never leave: an update does, which the coordinator sees. The plan is the coordinator's: what it would do here is said, and asked about, before the first time. What is remembered (a key, the last cycle) lies in --state.
            """)

    @Argument(help: "Where the coordinator is.") var url: String
    @Option(help: ArgumentHelp("Where the plan's files are.", valueName: "folder"), completion: .directory) var data:
        String
    @Option(
        help: ArgumentHelp("Where this device keeps its key and state.", valueName: "folder"), completion: .directory)
    var state: String
    @Option(help: ArgumentHelp("The enroller's signature on this device's key.", valueName: "signature"))
    var certificate: String?
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?
    @Option(parsing: .unconditional, help: "How full the battery is, from 0 to 1.") var battery = 1.0
    @Flag(help: "The network costs by amount.") var metered = false
    @OptionGroup var patience: PatienceOptions
    @Flag(help: "Print this device's public key, and do nothing.") var showKey = false
    @OptionGroup var confirmation: ConfirmationOptions

    func validate() throws {
        guard (0...1).contains(battery) else {
            throw ValidationError("--battery says how full it is, from 0 to 1: 0.3 is 30 %.")
        }
    }

    func run() async throws {
        if showKey { return Terminal.output.line(try DevicePart.publicKey(at: state)) }
        let client = try DevicesClient(url: url, options: ClientOptions(certificateAuthority: ca))
        let bytes = try await patience.patiently { try await client.description() }
        let description = try DeviceRun.Description(reading: bytes)
        // Nothing of a coordinator's plan is done before the owner knows of it.
        if try !DevicePart.hasAgreed(to: description, at: state) {
            try confirmation.confirm(Consequences(touched: description.words))
            try DevicePart.agree(to: description, at: state)
        }
        let part = try DevicePart(description, dataFolder: data, path: state, certificate: certificate)
        let conditions = DeviceConditions(
            battery: battery, isCharging: false, isUnmetered: !metered, isIdle: true, download: 1e12, upload: 1e12)
        let largest = (1 << 20) + 32 * description.cycles.parameterCount
        while !part.isOver {
            guard let frame = try part.next(conditions) else {
                throw Failure(
                    "This device may not take part as it is.", next: "The plan's `requirements` say how it must be.")
            }
            // What it made is sent again as it is.
            let reply = try await patience.patiently { try await client.exchange(frame, largest: largest) }
            let (thanked, seconds) = (part.thanked, min(try part.take(reply), 86_400))
            if part.thanked > thanked { Terminal.diagnostics.line("Report \(part.thanked) of this device is counted.") }
            if seconds >= 10, !part.isOver {
                Terminal.diagnostics.line("It asks again in \(NumberText.significant(seconds.rounded())) seconds.")
            }
            try await Task.sleep(for: .seconds(seconds))
        }
        Terminal.output.line("The run is over; \(part.thanked) reports of this device were counted.")
    }
}

/// How long somebody who cannot be reached is tried.
struct PatienceOptions: ParsableArguments {
    @Option(
        name: .customLong("give-up-after"),
        help: ArgumentHelp("Give up when nobody has answered for so long (default: never).", valueName: "seconds"))
    var seconds: Double?

    func validate() throws {
        guard seconds.map({ $0 >= 0 && $0 <= 1e9 }) ?? true else {
            throw ValidationError("--give-up-after: expected from 0 to 1e9 seconds.")
        }
    }

    /// Tries again while the other side cannot be reached: it may be begun again.
    func patiently<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        var pause = 1.0
        let begun = ContinuousClock.now
        while true {
            let passing: String
            do { return try await body() } catch let error as TransportError where error.mayPass {
                passing = error.detail
            } catch let problem as Problem
                where [.busy, .siteUnavailable, .tooManyQuestions, .timeout, .internalError].contains(problem.kind)
            { passing = problem.detail }
            if let seconds, begun.duration(to: .now) + .seconds(pause) > .seconds(seconds) {
                throw Failure(
                    "\(PrintableText.escape(passing)); given up.", next: "The same command goes on where it was.")
            }
            Terminal.diagnostics.line(PrintableText.escape("\(passing); trying again"))
            try await Task.sleep(for: .seconds(pause))
            pause = min(2 * pause, 60)
        }
    }
}

struct DevicesEnrolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enrol", abstract: "Say that a device is one: sign its key, apart from whoever coordinates.",
        discussion: """
              parley devices enrol --key enroller.key                      # makes the key, and prints its public half for: devices serve --enroller
              parley devices enrol --key enroller.key DEVICE-KEY           # prints the certificate for: devices join --certificate
            """)

    @Option(
        help: ArgumentHelp("The enroller's private key; it is made where it is not there.", valueName: "file"),
        completion: .file())
    var key: String
    @Argument(help: "A device's public key, from: parley devices join --show-key") var device: String?

    func run() throws {
        let enroller = try DeviceEnroller(keyFile: key)
        Terminal.output.line(try device.map(enroller.certificate) ?? enroller.publicKey)
    }
}
