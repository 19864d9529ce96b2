import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Foundation

/// One run of the demonstration: an owner sets up a datasite, a researcher asks it through the real HTTP client.
struct DemonstrationSession {
    private let example: String
    private let siteFolder: String
    private let tokenFile: String
    private var narration = Narration()

    init(folder: String, example: String) throws {
        self.example = example
        siteFolder = folder + "/site"
        tokenFile = folder + "/ana.token"
    }

    private static let columns = [
        "zper", "plan", "coins", "idp", "year", "income", "female", "meddol", "mdvis", "binexp",
    ]

    mutating func run(staysOpen: Bool) async throws {
        let started = ContinuousClock.now
        try Datasite.create(at: siteFolder, name: "Demonstration")
        let site = try Datasite(path: siteFolder)
        do {
            try await serve(site, token: try setUp(site), since: started, staysOpen: staysOpen)
        } catch {
            try site.close()
            throw error
        }
        // Before the folder is removed: SQLite takes its files away when it closes, and both at once fail.
        try site.close()
    }

    private mutating func serve(
        _ site: Datasite, token: String, since started: ContinuousClock.Instant, staysOpen: Bool
    ) async throws {
        let server = try await RunningServer.start(site)
        do {
            let connection = try Connection(
                url: server.url, token: token, certificateAuthority: nil, publicKey: site.description.publicKey)
            try await converse(connection)
        } catch {
            await server.stop()
            throw error
        }
        let seconds = started.duration(to: .now) / .seconds(1)
        narration.terminal.line("\nEvery step held, in \(NumberText.fixed(seconds, decimals: 1)) s.")
        if staysOpen { await stayOpen(server) }
        await server.stop()
    }

    /// What the owner does.
    private mutating func setUp(_ site: Datasite) throws -> String {
        narration.say(
            "A data owner puts a table on a datasite; a researcher, who cannot see a row of it, asks questions.")
        narration.heading("The owner's side")
        narration.command("parley site init \(siteFolder)")
        narration.command("parley data add \(example)/randhie.csv.gz --manifest \(example)/manifest.yaml")
        let report = try site.addDataset(file: example + "/randhie.csv.gz", manifestText: try text("manifest.yaml"))
        narration.say(
            "\(NumberText.integer(report.rows)) person-years of \(NumberText.integer(report.units ?? 0)) people: the owner sees that, nobody else."
        )
        narration.command("parley data add \(example)/plans.csv --manifest \(example)/plans.yaml")
        _ = try site.addDataset(file: example + "/plans.csv", manifestText: try text("plans.yaml"))
        narration.command("parley user add ana --role researcher > \(tokenFile)")
        let token = try site.addUser("ana", role: .researcher)
        try PrivateFile.write(Array(token.utf8), to: tokenFile)
        narration.command("parley serve --port 0")
        return token
    }

    private func text(_ name: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: example + "/" + name) else {
            throw Failure("Cannot read \(example)/\(name).")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// What the researcher does, over HTTP.
    private mutating func converse(_ connection: Connection) async throws {
        narration.say("Listening on \(connection.url).")
        let detail = try await catalogue(connection)
        try await dictionary(detail, connection)
        try await preview(connection)
        var last: ReleasedAnswer?
        for question in DemonstrationQuestion.all { last = try await ask(question, connection) }
        try await budget(connection)
        try await overspend(connection)
        if let last { try verify(last, connection) }
    }

    private mutating func catalogue(_ connection: Connection) async throws -> DatasetDetail {
        narration.heading("The catalogue")
        narration.command("parley data list")
        let datasets = try await connection.client.datasets()
        guard datasets.count == 2 else { throw Failure("The catalogue should list two datasets.") }
        narration.terminal.write(CatalogueView.table(datasets).render(on: narration.terminal))
        return try await connection.client.dataset("randhie").detail()
    }

    private mutating func dictionary(_ detail: DatasetDetail, _ connection: Connection) async throws {
        narration.heading("The dictionary, and rows that are made up from it")
        narration.command("parley data show randhie")
        let view = CatalogueView(detail: detail)
        narration.terminal.write(view.dictionary(limitedTo: Self.columns).render(on: narration.terminal))
        narration.say(
            "… and \(detail.columns.count - Self.columns.count) more columns. Mock rows, from the dictionary alone:")
        guard !detail.mockRows.isEmpty else { throw Failure("There should be mock rows.") }
        view.showMockRows(on: narration.terminal, columns: Self.columns)
    }

    private mutating func preview(_ connection: Connection) async throws {
        guard let question = DemonstrationQuestion.all.first else { return }
        narration.heading("What would a question cost, and how precise would it be?")
        narration.command("parley ask randhie \"…\" --epsilon \(NumberText.significant(question.epsilon)) --dry-run")
        let preview = try await connection.client.preview(request(question))
        PreviewView(preview: preview).show(on: narration.terminal)
    }

    private mutating func ask(_ question: DemonstrationQuestion, _ connection: Connection) async throws
        -> ReleasedAnswer
    {
        narration.heading(question.title)
        narration.command(
            "parley ask randhie \"\(RequestView.oneLine(question.sql))\" --epsilon \(NumberText.significant(question.epsilon))"
        )
        let key = UUID().uuidString.lowercased()
        guard case .released(let released) = try await connection.client.ask(request(question), idempotencyKey: key)
        else {
            throw Failure("The question should have been answered at once.")
        }
        let table = AnswerTable(released.answer)
        narration.terminal.write(table.render(on: narration.terminal))
        let holds = question.agrees(estimates(of: released.answer))
        narration.published(question.published, holds: holds)
        guard holds else { throw Failure("“\(question.title)” did not come out as published.") }
        return released
    }

    private func request(_ question: DemonstrationQuestion) -> AskRequest {
        AskRequest(dataset: "randhie", sql: question.sql, budget: .epsilon(question.epsilon))
    }

    private func estimates(of answer: Answer) -> [String: [Double]] {
        var result: [String: [Double]] = [:]
        for row in answer.rows {
            let keys = answer.columns.indices.filter { answer.columns[$0].isKey }.map { row[$0].value.text }
            let values = answer.columns.indices.filter { !answer.columns[$0].isKey }.map {
                row[$0].value.number ?? .nan
            }
            result[keys.joined(separator: ", ")] = values
        }
        return result
    }

    private mutating func budget(_ connection: Connection) async throws {
        narration.heading("What is left of the budget")
        narration.command("parley budget")
        let reports = try await connection.client.budget()
        guard !reports.isEmpty else { throw Failure("There should be a ledger.") }
        for report in reports { BudgetView.show(report, on: narration.terminal) }
    }

    private mutating func overspend(_ connection: Connection) async throws {
        narration.heading("A question that would overspend is refused")
        let sql = "SELECT COUNT(*) FROM randhie"
        narration.command("parley ask randhie \"\(sql)\" --epsilon 3")
        do {
            _ = try await connection.client.ask(
                AskRequest(dataset: "randhie", sql: sql, budget: .epsilon(3)),
                idempotencyKey: UUID().uuidString.lowercased())
        } catch let problem as Problem where problem.kind == .overBudget {
            report(problem, on: narration.terminal)
            return
        }
        throw Failure("The question should have been refused.")
    }

    /// Offline: with the key that the owner's folder showed, not one that came over the wire.
    private mutating func verify(_ released: ReleasedAnswer, _ connection: Connection) throws {
        narration.heading("The receipt of the last answer, verified offline")
        guard let key = connection.pinnedKey else { throw Failure("There is no pinned key.") }
        narration.command("parley receipt verify receipt.json --answer answer.json --key \(key)")
        let verifier = try ReceiptVerifier(publicKey: key)
        try verifier.verify(released.receipt, answer: released.bytes)
        let body = released.receipt.body
        narration.say(
            "Valid: request \(body.request), charged \(released.receipt.chargeText), entry \(body.journalIndex) of the journal."
        )
        var forged = released.bytes
        forged[forged.count / 2] ^= 1
        do {
            try verifier.verify(released.receipt, answer: forged)
        } catch ReceiptError.wrongAnswer {
            narration.say("The same receipt with one bit of the answer changed: refused.")
            return
        }
        throw Failure("A forged answer passed for the real one.")
    }

    private func stayOpen(_ server: RunningServer) async {
        let terminal = narration.terminal
        terminal.line(
            """

            The datasite goes on running. In another terminal:

              parley login \(server.url) --token-file \(tokenFile)
              parley data show randhie
              parley ask randhie "SELECT female, AVG(mdvis) FROM randhie GROUP BY female" --epsilon 0.2 --plot
              parley audit --site \(siteFolder)

            Ctrl-C ends it and removes \(siteFolder).
            """)
        await Interruption.wait()
        terminal.line()
    }
}
