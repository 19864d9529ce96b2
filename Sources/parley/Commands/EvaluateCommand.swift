public import ArgumentParser
import Datasite
import DatasiteClient
public import DatasiteProtocol
import Foundation

extension EvaluationRequest.Part: ExpressibleByArgument {}

struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model on rows of a datasite that you do not see.",
        discussion: """
            You send the model; the datasite counts how many of its rows the model is right about, with noise, and charges it. A key of the site divides \
            people into two halves. While you work on a model you get feedback of one half: the best share of right answers so far, in steps, which moves \
            only where your model is better by more than a step (the Ladder), so that guessing does not climb it. At the end you ask for the final, once a \
            model: noisy counts of the other half. The owner's policy says how many of each are yours.

              parley evaluate visits --model income/weights.safetensors --epsilon 0.5
              parley evaluate visits --model income/weights.safetensors --epsilon 0.5 --dry-run     # cost, noise; nothing is spent
              parley evaluate visits --model weights.safetensors --architecture architecture.json --features age,ward --label ill --epsilon 0.5
              parley evaluate visits --model income/weights.safetensors --part final --epsilon 1 --json
              parley evaluate visits --request ID                                                     # that answer again, at no cost

            Beside weights that `parley train` left lie the architecture and the plan, which says what goes in.
            """)

    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @OptionGroup var files: ModelOptions
    @Option(
        help: "feedback: the best so far, of one half of the table; final: noisy counts of the other, once a model.")
    var part: EvaluationRequest.Part = .feedback
    @Option(parsing: .unconditional, help: "Spend at most that epsilon.") var epsilon: Double?
    @Option(parsing: .unconditional, help: "Spend that rho (datasets under zcdp or renyi).") var rho: Double?
    @Option(help: "Say what the model is for: owners who decide read it.") var purpose: String?
    @Option(help: ArgumentHelp("Fetch the answer of a request that was made before.", valueName: "id")) var request:
        String?
    @Option(help: "Names this request, so that repeating it after a failure is charged once (default: a random one).")
    var idempotencyKey: String?
    @Flag(help: "Where an owner has to approve it, wait for her decision.") var follow = false
    @Flag(help: "Show cost and noise, and spend nothing.") var dryRun = false
    @Flag(help: "Print JSON: the answer's exact bytes, over which its receipt is.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard request == nil else {
            guard files.model == nil, !dryRun else {
                throw ValidationError("--request fetches what was asked before: leave out --model and --dry-run.")
            }
            return
        }
        guard files.model != nil else {
            throw ValidationError(
                "Say which model: --model weights.safetensors, or --request ID for an earlier answer.")
        }
        guard [epsilon, rho].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Say what it may cost: --epsilon 0.5 or --rho 0.01.")
        }
        guard [epsilon, rho].allSatisfy({ $0.map { $0 > 0 && $0.isFinite } ?? true }) else {
            throw ValidationError("--epsilon and --rho are positive numbers.")
        }
    }

    func run() async throws {
        let connection = try connection.connect()
        if let request { return try await fetch(request, connection) }
        let asked = try await files.request(on: dataset, budget: rho.map { .rho($0) } ?? .epsilon(epsilon ?? 0))
        if dryRun { return try await preview(asked, connection) }
        try KeptReceipts().prepare()
        let key = idempotencyKey ?? UUID().uuidString.lowercased()
        do {
            switch try await connection.client.submit(
                engine: part.engine, asked, purpose: purpose, idempotencyKey: key)
            {
            case .released(let released): try show(released, connection)
            case .pending(let summary): try await wait(for: summary, connection)
            }
        } catch let error as TransportError where error.mayHaveBeenCharged {
            report(error)
            Terminal.diagnostics.line(
                "  It may have been answered and charged. Ask again with --idempotency-key \(key): it is charged once.")
            throw ExitStatus.failed
        }
    }

    // MARK: What comes

    private func preview(_ asked: EvaluationRequest, _ connection: Connection) async throws {
        let preview = try await connection.client.preview(engine: part.engine, asked, purpose: purpose)
        guard !json else { return try Terminal.output.json(preview) }
        let terminal = Terminal.output
        terminal.line(PrintableText.escape(preview.sql))
        for note in preview.notes { terminal.line("  \(PrintableText.escape(note))") }
        terminal.line("Charge: \(preview.charge.chargeText); you could still spend \(preview.available.chargeText).")
        terminal.line("It \(PrintableText.escape(preview.decision)). Nothing was spent.")
    }

    private func wait(for summary: RequestSummary, _ connection: Connection) async throws {
        let id = PrintableText.escape(summary.id)
        Terminal.diagnostics.line(
            "Request \(id) waits for \(summary.approvalsNeeded) owner(s) to approve it; its cost is held.")
        Terminal.diagnostics.line(
            "  Read the answer then with: parley evaluate \(PrintableText.escape(dataset)) --request \(id)")
        guard follow else { throw ExitStatus.pending }
        switch try await Following().follow(connection.client.events(of: summary.id)) {
        // What was charged and cut short is computed now, under the same charge.
        case .released, .interrupted, .failed: try await fetch(summary.id, connection)
        default: throw ExitStatus.failed
        }
    }

    private func fetch(_ id: String, _ connection: Connection) async throws {
        try show(try await connection.client.work(id), connection)
    }

    /// It is shown first: it is paid for, whatever becomes of its receipt's file.
    private func show(_ released: ReleasedWork, _ connection: Connection) throws {
        let engines = EvaluationRequest.Part.allCases.map(\.engine)
        guard engines.contains(released.receipt.body.engine) else {
            throw Failure(
                "Request \(PrintableText.escape(released.receipt.body.request)) measured no model.",
                next: "Read its answer with: parley history \(PrintableText.escape(released.receipt.body.request))")
        }
        let answer = try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(released.bytes))
        if json { Terminal.output.json(released.bytes) } else { EvaluationView.show(answer, on: .output) }
        try KeptReceipts().keep(.init(url: connection.url, receipt: released.receipt, answer: released.bytes))
    }
}

/// An evaluation in words.
private enum EvaluationView {
    static func show(_ answer: ReleasedEvaluation, on terminal: Terminal) {
        if let feedback = answer.feedback { show(feedback, on: terminal) }
        if let counts = answer.final { show(counts, answer, on: terminal) }
        terminal.line("Charged \(answer.charge.chargeText).")
        for note in answer.notes { terminal.line(terminal.styled(PrintableText.escape(note), .dim)) }
    }

    private static func show(_ feedback: ReleasedEvaluation.Feedback, on terminal: Terminal) {
        let step = NumberText.significant(feedback.step)
        switch (feedback.best, feedback.isImproved) {
        case (let best?, true): terminal.line("Better than before: the best accuracy so far is \(percent(best)).")
        case (let best?, false):
            terminal.line("Not better by more than \(step): the best accuracy so far is \(percent(best)).")
        case (nil, _): terminal.line("Nothing is told yet: the noise leaves no accuracy above \(step).")
        }
        terminal.line("It was your evaluation number \(NumberText.integer(feedback.number)).")
    }

    private static func show(
        _ counts: ReleasedEvaluation.Final, _ answer: ReleasedEvaluation, on terminal: Terminal
    ) {
        if let share = counts.share, let error = counts.standardError, let noise = counts.noiseError {
            terminal.line(
                "Accuracy \(percent(share)), standard error \(percent(error)), of which the noise's is \(percent(noise))."
            )
        } else {
            terminal.line("The noise leaves no share: it is larger than the number of rows.")
        }
        terminal.line(
            "\(NumberText.integer(counts.right)) right of \(NumberText.integer(counts.rows)) rows; noise of standard deviation "
                + "\(NumberText.significant(answer.noiseDeviation)) on right and wrong ones each.")
    }

    private static func percent(_ share: Double) -> String { "\(NumberText.fixed(share * 100, decimals: 1)) %" }
}
