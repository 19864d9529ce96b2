import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "What you asked; with an id, that answer again, at no cost.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var page: PageOptions
    @Argument(help: "A request's id.") var id: String?

    func run() async throws {
        let connection = try connection.connect()
        guard let id else { return try await list(connection) }
        try await show(id, connection, output)
    }

    private func list(_ connection: Connection) async throws {
        let requests = try await connection.client.requests(before: page.before, limit: page.limit)
        page.show(requests, none: "You have not asked anything yet.")
    }

    private func show(_ id: String, _ connection: Connection, _ output: OutputOptions) async throws {
        let request = try await connection.client.request(id)
        guard request.engine != "training" else {
            throw Failure(
                "Request \(PrintableText.escape(id)) asked for a model, not for an answer.",
                next: "Fetch it with: parley train PLAN --request \(PrintableText.escape(id))")
        }
        guard !EvaluationRequest.Part.allCases.contains(where: { $0.engine == request.engine }) else {
            throw Failure(
                "Request \(PrintableText.escape(id)) measured a model, and its answer is no table.",
                next:
                    "Read it with: parley evaluate \(PrintableText.escape(request.dataset)) --request \(PrintableText.escape(id))"
            )
        }
        guard request.engine != OpenedRowsRequest.engine else {
            throw Failure(
                "Request \(PrintableText.escape(id)) opened rows to a referee, and its answer is no table.",
                next:
                    "Read them with: parley market rows MARKET TASK \(PrintableText.escape(request.dataset)) --request \(PrintableText.escape(id))"
            )
        }
        guard request.state != "released" || ["questions", "federated-questions"].contains(request.engine) else {
            // No table: as it was let out.
            let work = try await connection.client.work(id)
            return Terminal.output.write(String(decoding: work.bytes, as: UTF8.self) + "\n")
        }
        switch request.state {
        // What was charged and cut short is computed now, under the same charge.
        case "released", "reserved":
            try Asking(connection: connection, output: output).show(try await connection.client.answer(id))
        case "pending":
            RequestView.show(request)
            throw ExitStatus.pending
        default:
            RequestView.show(request)
            throw ExitStatus.failed
        }
    }
}
