import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import Marketplace
import MarketplaceStore
import TransparencyLog

struct MarketRowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows",
        abstract:
            "As a referee: have validation rows of a sponsor's datasite opened, and judge what she declared by them.",
        discussion: """
            Whoever disputes a declaration says that its scores are not true. The log's checkpoint behind the declaration draws rows, \(OpenedRows.least) unless you say more; the sponsor's \
            datasite opens them to you under its owner's policy, once she has approved. They are verified: the checkpoint drew them, and they are among those to which the task's terms \
            were committed when it was funded. With a model they are measured, and the declared score is tested. All referees of a task ask for as many rows and get the same ones.

              parley market rows ./market 3fa8 xrays --key KEY --output rows.csv
              parley market rows ./market 3fa8 xrays --key KEY --output rows.csv --model model/weights.safetensors --features image --label ill
              parley market rows ./market 3fa8 xrays --key KEY --request ID --model model/weights.safetensors --tolerance 0.02     # fetched again, at no cost

            The test: were the share on all rows within --tolerance of what was declared (noise moved it, too), rows like these would speak against it with a probability of at most \
            --false-alarm. Rows are somebody's data: keep the file to yourself, and delete it when you have voted. Exit status 4: these are not the rows, or they speak against \
            the declared score.
            """)

    @OptionGroup var choice: MarketTaskChoice
    @Argument(help: "The dataset at the sponsor's datasite.") var dataset: String
    @Option(help: "How many rows: as many as the task's other referees ask for.") var rows = OpenedRows.least
    @Option(
        help: ArgumentHelp("Write the rows to this new file (CSV), for you alone.", valueName: "file"),
        completion: .file()) var output: String?
    @OptionGroup var model: ModelOptions
    @Option(help: "Whose declared score is tested (default: the winner's).") var node: Int?
    @Option(help: "How far the declared score may be from the share on all rows (default: the task's step).")
    var tolerance: Double?
    @Option(help: "How often an honest declaration may be doubted, at most.") var falseAlarm = 0.001
    @Option(help: ArgumentHelp("Fetch rows that were asked for before.", valueName: "id")) var request: String?
    @Option(help: "Say what for: owners who decide read it.") var purpose: String?
    @Option(help: "Names this request, so that repeating it after a failure is charged once (default: a random one).")
    var idempotencyKey: String?
    @Flag(help: "Wait for the owner's decision.") var follow = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard output != nil || model.model != nil else {
            throw ValidationError(
                "Say what to do with the rows: --output rows.csv, --model weights.safetensors, or both.")
        }
        guard (OpenedRows.least...10_000_000).contains(rows) else {
            throw ValidationError("--rows is \(OpenedRows.least) at least: fewer decide nothing.")
        }
        guard tolerance.map({ (0..<1).contains($0) }) ?? true, falseAlarm > 0, falseAlarm < 1 else {
            throw ValidationError("--tolerance is a share from 0, --false-alarm a probability above 0, both below 1.")
        }
        if let output, FileManager.default.fileExists(atPath: output) {
            throw ValidationError("\(output) is there already: name another file.")
        }
    }

    func run() async throws {
        let (audit, task) = try await choice.read()
        let proof: DrawProof
        do { proof = try audit.drawProof(of: task) } catch {
            throw Failure(PrintableText.escape("Nothing draws rows of this task: \(error)."))
        }
        guard let checkpoint = task.checkpoint else { return }
        // What is missing is told before anything is asked.
        let sent = model.model == nil ? nil : try await model.request(on: dataset, budget: .epsilon(1))
        let declared = sent == nil ? nil : try final(task)
        let connection = try connection.connect()
        let opened = try await opened(proof, connection)
        guard let released = try? JSONDecoder().decode(ReleasedRows.self, from: Data(opened)) else {
            throw Failure("What the datasite sent cannot be read as opened rows.")
        }
        do throws(OpenedRowsError) {
            try released.verify(
                commitment: task.terms.goal.validation,
                draw: .init(task: task.id, checkpoint: checkpoint, count: rows))
        } catch {
            throw Failure(
                "The datasite did not show the rows that were drawn: \(error).",
                next:
                    "Its receipt is evidence against the sponsor: parley receipts. --rows is what you asked for then.",
                status: ExitStatus.contradicted)
        }
        let terminal = Terminal.output
        terminal.paragraph(
            "\(NumberText.integer(released.rows.count)) of \(NumberText.integer(Int64(clamping: released.head.size))) rows: drawn by the checkpoint \(checkpoint.hex.prefix(16)), and among those "
                + "to which the task was committed at funding.")
        if let output { try save(released, to: output) }
        guard let sent, let declared else { return }
        try judge(try measured(released, sent), declared, task)
    }

    /// The score that is tested.
    private func final(_ task: MarketTask) throws -> Verdict.Final {
        let node = node ?? task.declaration?.winner
        let finals = task.declaration?.verdict?.finals ?? []
        guard let final = finals.first(where: { $0.node == node }) else {
            throw Failure(
                "No final score is declared for \(node.map { "node \($0)" } ?? "a winner").",
                next: finals.isEmpty
                    ? nil : "There are scores for: --node \(finals.map { "\($0.node)" }.joined(separator: ", ")).")
        }
        return final
    }

    // MARK: Asking

    private func opened(_ proof: DrawProof, _ connection: Connection) async throws -> [UInt8] {
        if let request { return try kept(try await connection.client.work(request), connection) }
        try KeptReceipts().prepare()
        let key = idempotencyKey ?? UUID().uuidString.lowercased()
        do {
            switch try await connection.client.submit(
                engine: OpenedRowsRequest.engine, OpenedRowsRequest(dataset: dataset, rows: rows, proof: proof),
                purpose: purpose, idempotencyKey: key)
            {
            case .released(let released): return try kept(released, connection)
            case .pending(let summary): return try await wait(for: summary, connection)
            }
        } catch let error as TransportError where error.mayHaveBeenCharged {
            report(error)
            Terminal.diagnostics.line(
                "  It may have been answered and charged. Ask again with --idempotency-key \(key): it is charged once.")
            throw ExitStatus.failed
        }
    }

    private func wait(for summary: RequestSummary, _ connection: Connection) async throws -> [UInt8] {
        let id = PrintableText.escape(summary.id)
        Terminal.diagnostics.line("Request \(id) waits for \(summary.approvalsNeeded) owner(s) to approve it.")
        Terminal.diagnostics.line("  Read the rows then with --request \(id)")
        guard follow else { throw ExitStatus.pending }
        switch try await Following().follow(connection.client.events(of: summary.id)) {
        case .released, .interrupted, .failed: return try kept(try await connection.client.work(summary.id), connection)
        default: throw ExitStatus.failed
        }
    }

    /// The receipt is kept whatever the rows are: false ones are evidence.
    private func kept(_ released: ReleasedWork, _ connection: Connection) throws -> [UInt8] {
        guard released.receipt.body.engine == OpenedRowsRequest.engine else {
            let id = PrintableText.escape(released.receipt.body.request)
            throw Failure("Request \(id) opened no rows.", next: "Read its answer with: parley history \(id)")
        }
        try KeptReceipts().keep(.init(url: connection.url, receipt: released.receipt, answer: released.bytes))
        return released.bytes
    }

    // MARK: What comes

    private func save(_ released: ReleasedRows, to output: String) throws {
        let table = try released.table
        let lines =
            [CommaSeparated.line(table.columns.map(CommaSeparated.text))]
            + table.rows.map { CommaSeparated.line($0.map(Self.text)) }
        try PrivateFile.write(Array(lines.joined().utf8), to: output)
        Terminal.output.line(
            "\(PrintableText.escape(output)): \(NumberText.integer(table.rows.count)) rows, for you alone")
    }

    private static func text(_ value: Scalar) -> String? {
        switch value {
        case .null: nil
        case .boolean(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): CommaSeparated.text(text)
        }
    }

    private func measured(_ released: ReleasedRows, _ sent: EvaluationRequest) throws -> (right: Int, rows: Int) {
        guard let weights = Data(base64Encoded: sent.weights) else { throw Failure("The weights cannot be read.") }
        return try released.measure(data: sent.data, model: sent.model, weights: [UInt8](weights))
    }

    private func judge(_ found: (right: Int, rows: Int), _ declared: Verdict.Final, _ task: MarketTask) throws {
        let terminal = Terminal.output
        guard
            let test = DeclaredScoreTest(
                right: found.right, rows: found.rows, declared: declared.score.value,
                tolerance: tolerance ?? task.terms.goal.step.value, falseAlarm: falseAlarm)
        else {
            throw Failure(
                "A share of right answers, from 0 to 1, is what rows are tested by: none was declared, or no row has a label."
            )
        }
        func percent(_ share: Double) -> String { "\(NumberText.fixed(100 * share, decimals: 1)) %" }
        terminal.line(
            "Right on \(NumberText.integer(test.right)) of \(NumberText.integer(test.rows)): accuracy \(percent(test.share)), standard error \(percent(test.standardError))."
        )
        terminal.line("Declared for node \(declared.node): \(percent(test.declared)).")
        let content = task.tree.nodes[declared.node].content
        terminal.paragraph(
            "Node \(declared.node) is \(content) in the market: see that your file is that model, as the task's rules say.",
            .dim)
        let rule =
            "were the accuracy on all rows within \(percent(test.tolerance)) of it, rows would speak against it as these do with a probability of at most \(NumberText.significant(test.probability)); "
            + "below \(NumberText.significant(test.falseAlarm)) it is not believed"
        guard test.isPlausible else {
            terminal.paragraph("NOT PLAUSIBLE: \(rule).", .bold)
            throw ExitStatus.contradicted
        }
        terminal.paragraph("Plausible: \(rule).")
    }
}
