import ArgumentParser
import DatasiteProtocol

struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests",
        abstract: "List what was asked, and what waits for approval; with an id, one request whole.",
        discussion: """
            parley requests --pending
            parley requests 45ba2653c2419ec74af7e327e50679c8

            An owner who decides sees who asks, what for, the question, its cost, the error to expect, and the answer \
            that it has on mock rows. Then: parley approve ID, or parley deny ID --reason "...". To be told when a \
            request waits, see: parley serve --help
            """)

    @OptionGroup var options: PlaceOptions
    @OptionGroup var page: PageOptions
    @Flag(help: "Only those that wait for an owner's approval.") var pending = false
    @Argument(help: "A request's id: show it whole.") var id: String?

    func run() async throws {
        let place = try options.place()
        if let id { return ReviewView(review: try await place.review(id)).show(on: .output) }
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

/// One request whole, for the owner who decides.
struct ReviewView {
    let review: RequestReview

    func show(on terminal: Terminal) {
        let request = review.request
        let rows = [
            ["request", request.id], ["asked", "\(request.created) by \(request.researcher)"],
            ["what for", request.purpose ?? "(not said)"], ["kind of work", request.engine ?? ""],
            ["dataset", request.dataset],
            ["costs", request.isCharged == false ? "nothing" : request.charge.chargeText],
            ["state", RequestView.state(request) + (request.reason.map { ": \($0)" } ?? "")],
        ]
        terminal.write(TextTable(titles: ["", ""], rows: rows).render(on: terminal))
        terminal.line()
        for line in request.sql.split(whereSeparator: \.isNewline) { terminal.paragraph(String(line)) }
        if let problem = review.problem {
            terminal.line()
            terminal.line(terminal.styled("It cannot be planned at present: ", .yellow) + PrintableText.escape(problem))
        }
        if !review.columns.isEmpty {
            terminal.line()
            terminal.write(PreviewView.table(review.columns).render(on: terminal))
        }
        showNotes(review.notes, on: terminal)
        guard let mock = review.mock else { return }
        terminal.line()
        terminal.line(terminal.styled("On mock rows, not from the data, the answer would be:", .yellow))
        terminal.write(AnswerTable(mock).render(on: terminal))
        showNotes(Array(mock.notes.prefix(1)), on: terminal)
    }

    private func showNotes(_ notes: [String], on terminal: Terminal) {
        for note in notes { terminal.paragraph(note, .dim) }
    }
}

/// Requests as people read them.
enum RequestView {
    static func table(_ requests: [RequestSummary]) -> TextTable {
        TextTable(
            [
                .init(title: "id"), .init(title: "when"), .init(title: "who"), .init(title: "dataset"),
                .init(title: "state"), .init(title: "cost"), .init(title: "question", isCut: true),
            ],
            rows: requests.map { request in
                [
                    request.id, request.created, request.researcher, request.dataset, state(request),
                    cost(request), oneLine(request.sql),
                ]
            })
    }

    /// What was denied, lapsed or withdrawn costs nothing.
    static func cost(_ request: RequestSummary) -> String {
        request.isCharged == false ? "none" : request.charge.meaningText
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
