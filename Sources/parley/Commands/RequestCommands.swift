import ArgumentParser
import DatasiteProtocol

struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "List what was asked, and what waits for approval.")

    @OptionGroup var options: PlaceOptions
    @OptionGroup var page: PageOptions
    @Flag(help: "Only those that wait for an owner's approval.") var pending = false

    func run() async throws {
        let place = try options.place()
        let (page, pending) = (page, pending)
        let requests = try await place.requests(state: pending ? "pending" : nil, page: page)
        page.show(requests, none: pending ? "Nothing waits for approval." : "Nothing has been asked yet.")
    }
}

struct ApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve a request; the last approval needed runs it.",
        discussion: "You decide on the question and its cost; nobody sees an answer before it is released.")

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The request's id, from: parley requests") var id: String

    func run() async throws {
        let place = try options.place()
        let id = id
        let request = try await place.approve(id)
        RequestView.show(request)
    }
}

struct DenyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deny", abstract: "Deny a request; nothing is charged.")

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The request's id, from: parley requests") var id: String
    @Option(help: "Why; the researcher reads it.") var reason: String

    func run() async throws {
        let place = try options.place()
        let (id, reason) = (id, reason)
        let request = try await place.deny(id, reason: reason)
        RequestView.show(request)
    }
}

/// Which part of a long list.
struct PageOptions: ParsableArguments {
    @Option(
        parsing: .unconditional, help: "Show at most that many, the newest first (up to 1000).",
        transform: WholeNumberText.parse)
    var limit = 1000
    @Option(help: ArgumentHelp("Show those older than this request.", valueName: "id")) var before: String?

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 1000.") }
    }

    /// The table, and how to go on where it may not be all.
    func show(_ requests: [RequestSummary], none: String) {
        guard let last = requests.last else {
            Terminal.output.line(before == nil ? none : "There are no older ones.")
            return
        }
        Terminal.output.write(RequestView.table(requests).render(on: .output))
        if requests.count == limit {
            Terminal.diagnostics.line(
                "Only \(NumberText.integer(limit)) are shown; for older ones: --before \(PrintableText.escape(last.id))"
            )
        }
    }
}

/// Requests as people read them.
enum RequestView {
    static func table(_ requests: [RequestSummary]) -> TextTable {
        TextTable(
            titles: ["id", "when", "who", "dataset", "state", "cost", "question"],
            rows: requests.map { request in
                [
                    request.id, request.created, request.researcher, request.dataset, state(request),
                    request.charge.shortText, oneLine(request.sql),
                ]
            })
    }

    static func show(_ request: RequestSummary) {
        let reason = request.reason.map { ": " + PrintableText.escape($0) } ?? ""
        Terminal.output.line("Request \(PrintableText.escape(request.id)) is \(state(request))\(reason).")
    }

    static func state(_ request: RequestSummary) -> String {
        guard request.state == "pending" else { return request.state }
        return "pending (\(request.approvals.count) of \(request.approvalsNeeded) approvals)"
    }

    static func oneLine(_ sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
