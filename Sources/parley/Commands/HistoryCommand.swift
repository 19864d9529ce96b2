import ArgumentParser
import DatasiteClient
import DatasiteProtocol

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "What you asked; with an id, that answer again, at no cost.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "A request's id.") var id: String?

    func run() async throws {
        let connection = try connection.connect()
        guard let id else { return try await list(connection) }
        try await show(id, connection, output)
    }

    private func list(_ connection: Connection) async throws {
        let requests = try await connection.client.requests()
        guard !requests.isEmpty else {
            Terminal.output.line("You have not asked anything yet.")
            return
        }
        Terminal.output.write(RequestView.table(requests).render(on: .output))
    }

    private func show(_ id: String, _ connection: Connection, _ output: OutputOptions) async throws {
        let request = try await connection.client.request(id)
        switch request.state {
        case "released":
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
