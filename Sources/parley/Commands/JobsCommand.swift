import ArgumentParser
import Datasite
import DatasiteProtocol

struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "See what is under way, and follow, cancel or resume it.",
        discussion: """
            parley jobs
            parley jobs --all --json
            parley jobs follow 45ba2653c2419ec74af7e327e50679c8
            parley jobs cancel 45ba2653c2419ec74af7e327e50679c8
            parley jobs resume 45ba2653c2419ec74af7e327e50679c8

            A job is a request, or a table that is being added. A researcher sees her own requests; an owner all jobs. One \
            that is shown as interrupted was cut short with the process that computed it: resumed, it is completed under \
            the charge that it has.
            """,
        subcommands: [JobsList.self, JobsFollow.self, JobsCancel.self, JobsResume.self],
        defaultSubcommand: JobsList.self)
}

struct JobsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what is under way or was cut short, the newest first.")

    @OptionGroup var options: PlaceOptions
    @Flag(help: "List what has ended too.") var all = false
    @Flag(help: "As JSON.") var json = false

    func run() async throws {
        let place = try options.place()
        let jobs = try await place.jobs(all: all)
        if json { return try Terminal.output.json(jobs) }
        guard !jobs.isEmpty else {
            return Terminal.output.line(all ? "There were no jobs yet." : "Nothing is under way.")
        }
        Terminal.output.write(JobView.table(jobs).render(on: .output))
    }
}

struct JobsFollow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "Show what becomes of a request, until it ends.")

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The request's id, from: parley jobs") var id: String
    @Flag(help: "As JSON, an event a line.") var json = false

    func run() async throws {
        let place = try options.place()
        let state = try await Following(json ? .json : .statesAndSteps).follow(place.events(of: id))
        guard let state, ![.denied, .lapsed, .cancelled].contains(state) else { throw ExitStatus.failed }
        if state != .released {
            Terminal.diagnostics.line(
                "  Complete it under its charge with: parley jobs resume \(PrintableText.escape(id))")
            throw ExitStatus.failed
        }
    }
}

struct JobsCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Withdraw a request that waits, stop one that runs, or stop adding a table.",
        discussion: """
            What a waiting request held is given back. One that is being computed stays charged: rows may have been read. \
            A table that is being added is not added. What has ended cannot be cancelled.
            """)

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The job's id, from: parley jobs") var id: String
    @Flag(help: "As JSON.") var json = false

    func run() async throws {
        let place = try options.place()
        let job = try await place.cancel(id)
        if json { return try Terminal.output.json(job) }
        JobView.show(job)
    }
}

struct JobsResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Complete a request that was cut short, under the charge that it has.",
        discussion: """
            Nothing more is charged. The answer of a question is then read with: parley history ID, by whoever asked. A \
            synthetic table is released by it: mock answers on its dataset come from it from then on.
            """)

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The request's id, from: parley jobs") var id: String
    @Flag(help: "As JSON.") var json = false

    func run() async throws {
        let place = try options.place()
        let before = try await place.request(id)
        let isTable = before.engine == "synthetic-tables"
        let dataset = PrintableText.escape(before.dataset)
        if isTable, before.state == "reserved" {
            Terminal.diagnostics.line(
                "Completing the synthetic table of \(dataset) under its charge, \(before.charge.chargeText): nothing more is charged."
            )
        }
        try await place.complete(id)
        if json { return try Terminal.output.json(try await place.request(id)) }
        Terminal.output.line("Job \(PrintableText.escape(id)) is \(JobState.released.rawValue).")
        if isTable {
            Terminal.output.line(
                "Mock answers on \(dataset) come from its newest synthetic table; see it with: parley data synthetic \(dataset)"
            )
        }
    }
}

/// Jobs as people read them.
enum JobView {
    static func table(_ jobs: [JobSummary]) -> TextTable {
        TextTable(
            [
                .init(title: "id"), .init(title: "since"), .init(title: "who"), .init(title: "dataset"),
                .init(title: "what", isCut: true), .init(title: "state"), .init(title: "how far"),
            ],
            rows: jobs.map { job in
                [
                    job.id, job.begun, job.who, job.dataset,
                    job.kind == .request ? RequestView.oneLine(job.words) : "\(job.kind.rawValue) a table",
                    job.state.rawValue, far(job),
                ]
            })
    }

    static func show(_ job: JobSummary) {
        let reason = job.state.isFinal ? job.doing.map { ": " + PrintableText.escape($0) } ?? "" : ""
        Terminal.output.line("Job \(PrintableText.escape(job.id)) is \(job.state.rawValue)\(reason).")
    }

    private static func far(_ job: JobSummary) -> String {
        if let rows = job.rowsRead {
            let percent = NumberText.fixed((job.share ?? 0) * 100, decimals: 0)
            return "\(NumberText.integer(rows)) rows read" + (job.state == .running ? ", \(percent) %" : "")
        }
        guard job.state == .running else { return "" }
        return "step \(min(job.step + 1, job.steps)) of \(job.steps)" + (job.doing.map { ": \($0)" } ?? "")
    }
}
