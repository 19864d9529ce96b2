import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation

struct AskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask", abstract: "Ask a dataset a question in SQL, at one site or at several together.",
        usage: """
            parley ask [<options>] <dataset> <sql>
            parley ask [<options>] <site,site,...> <dataset> <sql>
            """,
        discussion: """
            parley ask randhie "SELECT coins, AVG(mdvis) FROM randhie GROUP BY coins" --epsilon 0.5

            See the cost and the expected error first, without spending, with --dry-run; try the question on made-up \
            rows with --mock. Intervals hold the privacy noise only, not the sampling error; those of statistics hold both:

              parley ask trial "SELECT arm, SURVIVAL(days, died, 30) FROM trial GROUP BY arm" --epsilon 1
              parley ask trial "SELECT LOGISTIC_REGRESSION(died, arm, age) FROM trial" --epsilon 1

            Where an owner has to approve it:

              parley ask randhie "SELECT COUNT(*) FROM randhie" --epsilon 0.5 --follow

            Several sites that have a dataset of the same name, declared alike, answer as one: their numbers are added up under secure aggregation, with one \
            noise, and no site's own total is seen by anybody. Sites connect to this command, at an address that their owners' policies name:

              parley ask https://a.example.org,https://b.example.org,https://c.example.org visits "SELECT ward, COUNT(*) FROM visits GROUP BY ward" \\
                  --epsilon 0.5 --address https://questions.example.org:8900 --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var spending: SpendingOptions
    @OptionGroup var output: OutputOptions

    @OptionGroup(title: "Several sites") var together: TogetherOptions

    @Argument(
        help: ArgumentHelp(
            "The dataset and the question (- reads it from standard input); before them, several sites with commas between: URLs that you are logged in to.",
            valueName: "words"), completion: DatasetNames.completion)
    var words: [String] = []

    private var sites: String? { words.count == 3 ? words[0] : nil }
    private var dataset: String { words[words.count - 2] }
    private var sql: String { words[words.count - 1] }

    @Flag(help: "Show cost, noise and expected error of each column, and spend nothing.") var dryRun = false
    @Flag(help: "Answer from made-up rows, at no cost.") var mock = false

    @Option(help: "Say what the answer is for: owners who decide read it, and some datasets ask for it.")
    var purpose: String?
    @Flag(help: "Where an owner has to approve it, wait for her decision and then show the answer.") var wait = false
    @Flag(help: "As --wait, and show meanwhile where the request that waits stands, and how far its computation is.")
    var follow =
        false

    @Option(
        help: ArgumentHelp(
            "Wait, behind the answer, for the proof that it stands in the site's log, for 30 s at most, and save it. Without it the exit status is 5, and parley receipt prove gets it later.",
            valueName: "file"),
        completion: .file())
    var proof: String?
    @Option(
        help: ArgumentHelp(
            "With --proof: which witnesses must have cosigned the log by then (c2sp.org/tlog-policy).",
            valueName: "file"), completion: .file())
    var policy: String?

    @Option(
        help: """
            Names this question, so that repeating it after a failure is charged once. Use a new key for a new \
            question (default: a random one).
            """)
    var idempotencyKey: String?

    func validate() throws {
        guard (2...3).contains(words.count) else {
            throw ValidationError("Say the dataset and the question: parley ask DATASET \"SELECT ...\"")
        }
        try validateSites()
        if dryRun, mock { throw ValidationError("Give either --dry-run or --mock, not both.") }
        if dryRun, output.answer != nil || output.receipt != nil || output.format == .csv || output.plot {
            throw ValidationError(
                "--dry-run has no answer to save or to draw: leave out --answer, --receipt, --plot and --format csv.")
        }
        if mock, output.receipt != nil {
            throw ValidationError("A mock answer has no receipt: nothing is released. Leave out --receipt.")
        }
        guard policy == nil || proof != nil else { throw ValidationError("--policy is of a proof: add --proof FILE.") }
        if proof != nil, dryRun || mock || sites != nil {
            throw ValidationError(
                "--proof is of one site's answer: leave out --dry-run and --mock; of several sites, ask each for its proof afterwards (parley receipt prove REQUEST --url SITE --output FILE)."
            )
        }
        if wait || follow, dryRun || mock {
            throw ValidationError("--wait and --follow wait for an owner; with --dry-run or --mock none decides.")
        }
        if spending.budget == nil, !mock {
            throw ValidationError(
                "Say what the question may cost: --epsilon 0.5, --rho 0.01, or --error 2% --group-size N.")
        }
    }

    private func validateSites() throws {
        guard let sites else {
            if together.isSaid {
                throw ValidationError(
                    "--address, --colluders and such are for several sites: parley ask SITE,SITE,... DATASET \"SELECT ...\""
                )
            }
            return
        }
        guard sites.contains(",") else {
            throw ValidationError(
                "Before the dataset stand several sites, with commas between. For one: parley ask DATASET \"SELECT ...\" --url \(sites)"
            )
        }
        if mock || idempotencyKey != nil || connection.url != nil || spending.selectionDelta != nil {
            throw ValidationError(
                "Several sites are asked without --mock, --url, --selection-delta and --idempotency-key: the same command goes on with what was begun."
            )
        }
    }

    /// Asks several sites.
    private func ask(_ request: AskRequest, of sites: String) async throws {
        let asking = AskingTogether(
            sites: sites, request: request, rounds: together.rounds, colluders: together.colluders ?? 1,
            patience: together.patience ?? TogetherOptions.usualPatience, output: output)
        do { try await asking.run(isDry: dryRun) } catch let problem as Problem {
            report(problem, sql: request.sql)
            throw ExitStatus.failed
        }
    }

    func run() async throws {
        let text = sql == "-" ? try readStandardInput() : sql
        // Only a mock answer, which costs nothing, may go without a budget.
        var request = spending.request(dataset: dataset, sql: text, budget: spending.budget ?? .epsilon(1))
        request.purpose = purpose
        if let sites { return try await ask(request, of: sites) }
        let key = idempotencyKey ?? UUID().uuidString.lowercased()
        let connection = try connection.connect()
        do {
            var asking = Asking(connection: connection, output: output)
            asking.proving = proof.map { Proving(output: $0, policy: policy) }
            try asking.proving?.check()
            if dryRun {
                try await asking.preview(request)
            } else if mock {
                try await asking.mock(request)
            } else {
                let following = wait || follow ? Following(follow ? .statesAndSteps : .nothing) : nil
                let isDone = try await asking.askUnlessInterrupted(request, idempotencyKey: key, following: following)
                guard isDone else {
                    Terminal.diagnostics.line(
                        "  Asked again with --idempotency-key \(key)\n  it is charged once, and gets the same answer.")
                    Interrupts.end()
                }
            }
        } catch let problem as Problem {
            report(problem, sql: text)
            throw ExitStatus.failed
        } catch let error as TransportError where !dryRun && !mock && error.mayHaveBeenCharged {
            report(error)
            Terminal.diagnostics.line(
                "  It may have been answered and charged. Ask again with --idempotency-key \(key): it is charged once;")
            Terminal.diagnostics.line("  or look for it in: parley history")
            throw ExitStatus.failed
        }
    }

    private func readStandardInput() throws -> String {
        guard let data = try FileHandle.standardInput.readToEnd(), let text = String(validating: data, as: UTF8.self)
        else { throw Failure("There is no question (UTF-8 text) on standard input.") }
        return text
    }
}

/// The three ways to put a question, shared by `ask` and `shell`.
struct Asking: Sendable {
    let connection: Connection
    var output: OutputOptions
    /// The proof that is waited for behind the answer; nil: none.
    var proving: Proving?

    func preview(_ request: AskRequest) async throws {
        let preview = try await connection.client.preview(request)
        if output.format == .json {
            try Terminal.output.json(preview)
        } else {
            PreviewView(preview: preview).show(on: .output)
        }
    }

    func mock(_ request: AskRequest) async throws {
        let answer = try await connection.client.mock(request)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(answer))
        try output.save(answerBytes: bytes, receiptBytes: nil)
        AnswerView(answer: answer, bytes: bytes, output: output).show(on: .output)
    }

    /// Whatever could keep an answer from being saved is found before anything is charged.
    ///
    /// - Parameter following: How to wait for the decision of an owner who has to approve it; nil: not at all.
    func ask(_ request: AskRequest, idempotencyKey: String, following: Following? = nil) async throws {
        try KeptReceipts().prepare()
        try output.checkDestinations()
        switch try await connection.client.ask(request, idempotencyKey: idempotencyKey) {
        case .released(let released):
            try show(released)
            try await prove(released)
        case .pending(let pending):
            let id = PrintableText.escape(pending.id)
            Terminal.diagnostics.line(
                "Request \(id) waits for \(pending.approvalsNeeded) owner(s) to approve it; its cost is held.")
            Terminal.diagnostics.line("  Read the answer then with: parley history \(id)")
            guard let following else { throw ExitStatus.pending }
            switch try await following.follow(connection.client.events(of: pending.id)) {
            // What was charged and cut short is computed now, under the same charge.
            case .released, .interrupted, .failed:
                let released = try await connection.client.answer(pending.id)
                try show(released)
                try await prove(released)
            default:
                RequestView.show(try await connection.client.request(pending.id))
                throw ExitStatus.failed
            }
        }
    }

    /// Asks, until Ctrl-C ends the waiting: not the question, so what became of it is said then.
    ///
    /// - Returns: Whether it was not interrupted.
    func askUnlessInterrupted(_ request: AskRequest, idempotencyKey: String, following: Following? = nil) async throws
        -> Bool
    {
        let asked: Void? = try await Interrupts.cancelling {
            try await ask(request, idempotencyKey: idempotencyKey, following: following)
        }
        if asked != nil { return true }
        let terminal = Terminal.diagnostics
        terminal.line()
        for line in await whatBecame(of: request) { terminal.line(line) }
        return false
    }

    /// A request that is under way with the same text is this one. One that has ended may be an earlier one.
    private func whatBecame(of request: AskRequest) async -> [String] {
        let looking = Task { try await connection.client.requests(limit: 10) }
        let limiting = Task {
            try await Task.sleep(for: .seconds(2))
            looking.cancel()
        }
        defer { limiting.cancel() }
        let newest = (try? await looking.value)?.first { $0.dataset == request.dataset && $0.sql == request.sql }
        guard let newest, ["reserved", "pending"].contains(newest.state) else {
            return [
                "Interrupted. The question may have been charged, and is then answered all the same:",
                "  look for it in parley history, and read its answer, at no cost, with: parley history ID",
            ]
        }
        let id = PrintableText.escape(newest.id)
        return newest.state == "reserved"
            ? [
                "Interrupted. The question is charged, and computed all the same.",
                "  Read its answer, at no cost, with: parley history \(id)",
            ]
            : [
                "Interrupted. The question still waits for an owner, and its cost is held.",
                "  Read the answer then with: parley history \(id)",
                "  Withdraw it with: parley jobs cancel \(id)",
            ]
    }

    private func prove(_ released: ReleasedAnswer) async throws {
        guard let proving else { return }
        let request = released.receipt.body.request
        do { try await proving.prove(request, at: .server(connection), saying: .diagnostics) } catch {
            if error is CancellationError { throw error }
            let failure = error as? Failure
            let what = failure?.what ?? (error as? Problem)?.detail ?? "the site cannot be reached."
            throw Failure(
                "The answer was released. \(what)", next: failure?.next ?? proving.later(request),
                status: failure?.status ?? ExitStatus.unproved)
        }
    }

    /// The answer is shown first: it is paid for, whatever becomes of its files.
    func show(_ released: ReleasedAnswer) throws {
        AnswerView(answer: released.answer, bytes: released.bytes, output: output).show(on: .output)
        do {
            try KeptReceipts().keep(
                .init(url: connection.url, receipt: released.receipt, answer: released.bytes))
            try output.save(answerBytes: released.bytes, receiptBytes: released.receiptBytes)
        } catch {
            let id = PrintableText.escape(released.receipt.body.request)
            throw Failure(
                error.what, next: "The answer was released and charged; save it, at no cost, with: parley history \(id)"
            )
        }
    }
}

extension TransportError {
    /// Whether the question may have reached the datasite.
    var mayHaveBeenCharged: Bool {
        switch kind {
        case .timedOut, .interrupted, .notADatasite, .invalidReceipt: true
        case .invalidURL, .unreachable, .untrusted: false
        }
    }
}
