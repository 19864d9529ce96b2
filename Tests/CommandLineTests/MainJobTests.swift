import DatasiteProtocol
import Foundation
import Testing

/// The main job through the built program, as an owner and a researcher do it.
@Suite("The command line, end to end")
struct MainJobTests {
    private static let question = "SELECT arm, COUNT(*) AS n, AVG(visits) AS mean FROM survey GROUP BY arm"

    /// A site with the small survey on it, and a researcher's token in `ana.token`.
    static func makeSite(_ place: Workplace, manifest: String = SmallSurvey.manifest()) throws {
        try place.write(SmallSurvey.csv, to: "survey.csv")
        try place.write(manifest, to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        let added = try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes")
        #expect(added.status == 0, "\(added.all)")
        let user = try place.parley("user", "add", "ana", "--role", "researcher")
        #expect(user.status == 0, "\(user.all)")
        #expect(user.output.hasPrefix("parley_"))
        try place.write(user.output, to: "ana.token")
    }

    static func logIn(_ place: Workplace, _ server: Workplace.Server) throws {
        let login = try place.parley("login", server.url, "--token-file", "-", input: try place.read("ana.token"))
        #expect(login.status == 0, "\(login.all)")
        #expect(login.output.contains("as ana (researcher)"))
    }

    @Test("A table is put on a site with two commands; an outsider asks it, and proves later what she was told")
    func mainJob() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        let server = try place.serve()
        try Self.logIn(place, server)
        #expect(try place.parley("whoami").output.contains("ana (researcher)"))
        // The folder here is the owner's; a researcher names the URL.
        let list = try place.parley("data", "list", "--url", server.url)
        #expect(list.output.contains("A small survey"), "\(list.all)")
        let show = try place.parley("data", "show", "survey", "--url", server.url)
        #expect(show.output.contains("Visits to a doctor."))
        #expect(show.output.contains("Mock rows"))

        let dry = try place.parley("ask", "survey", Self.question, "--epsilon", "8", "--dry-run")
        #expect(dry.status == 0, "\(dry.all)")
        #expect(dry.output.contains("ε 8"))
        #expect(dry.output.contains("Nothing was spent."))
        let mock = try place.parley("ask", "survey", Self.question, "--mock", "--format", "json")
        let mockAnswer = try JSONDecoder().decode(Answer.self, from: Data(mock.output.utf8))
        #expect(mockAnswer.mock)
        #expect(mockAnswer.rows.count == 2)

        let asked = try place.parley(
            "ask", "survey", Self.question, "--epsilon", "8", "--format", "json", "--receipt", "receipt.json",
            "--answer", "answer.json")
        #expect(asked.status == 0, "\(asked.all)")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(asked.output.utf8))
        #expect(answer.rows.map { $0[0].value } == [.text("even"), .text("odd")])
        #expect(asked.output == (try place.read("answer.json")) + "\n")
        try checkReceipts(place, server)

        let budget = try place.parley("budget", "--url", server.url)
        #expect(budget.output.contains("ε 8"), "\(budget.all)")
        let audit = try place.parley("audit")
        #expect(audit.output.contains("released"))
        #expect(audit.output.contains("ana"))
        #expect(try place.parley("history").output.contains("released"))
        #expect(try place.parley("verify").status == 0)
        #expect(server.interrupt() == 0)
    }

    private func checkReceipts(_ place: Workplace, _ server: Workplace.Server) throws {
        let whoami = try place.parley("whoami").output
        let key = try #require(whoami.firstMatch(of: /key +(\S+) \(pinned\)/)).1
        let valid = try place.parley(
            "receipt", "verify", "receipt.json", "--answer", "answer.json", "--key", String(key))
        #expect(valid.status == 0, "\(valid.all)")
        #expect(valid.output.contains("ε 8"))
        try place.write(try place.read("answer.json").replacing("even", with: "evil"), to: "forged.json")
        let forged = try place.parley(
            "receipt", "verify", "receipt.json", "--answer", "forged.json", "--key", String(key))
        #expect(forged.status == 1)
        let otherKey = Data(repeating: 7, count: 32).base64EncodedString()
        #expect(try place.parley("receipt", "verify", "receipt.json", "--key", otherKey).status == 1)
        let kept = try place.parley("receipts")
        #expect(kept.output.contains("valid"), "\(kept.all)")
    }

    @Test("Formats: CSV has the ends of each interval, a plot draws bars, and a piped result holds nothing else")
    func formats() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        let server = try place.serve()
        try Self.logIn(place, server)
        let csv = try place.parley("ask", "survey", Self.question, "--epsilon", "1", "--format", "csv").output
        let lines = csv.split(separator: "\r\n")
        #expect(lines.first == "arm,n,n_lower,n_upper,n_flags,mean,mean_lower,mean_upper,mean_flags")
        #expect(lines.count == 3)
        let plot = try place.parley("ask", "survey", Self.question, "--epsilon", "20", "--plot").output
        #expect(plot.contains("█"))
        #expect(plot.contains("●"))
        #expect(!plot.contains("\u{1B}"))
        let shell = try place.parley(
            "shell", "survey",
            input:
                "\\epsilon 1\n\\dry SELECT COUNT(*) FROM survey\nSELECT COUNT(*)\nFROM survey;\nSELECT x FROM;\n\\budget\n\\quit\n"
        )
        // One of its questions was wrong: a script that feeds the shell must see that.
        #expect(shell.status == 1)
        #expect(shell.output.contains("Nothing was spent."))
        #expect(shell.output.contains("Charged ε 1"), "\(shell.all)")
        #expect(shell.errors.contains("error:"))
        #expect(shell.output.contains("Population people"))
    }

    @Test("A question over budget, a wrong question and a stranger are refused with status 1 and the next step")
    func refusals() throws {
        let place = try Workplace()
        try Self.makeSite(place, manifest: SmallSurvey.manifest(epsilon: 2))
        let server = try place.serve()
        let stranger = try place.parley("ask", "survey", Self.question, "--epsilon", "1", "--url", server.url)
        #expect(stranger.status == 1)
        #expect(stranger.errors.contains("parley login"))
        try Self.logIn(place, server)
        let over = try place.parley("ask", "survey", Self.question, "--epsilon", "3")
        #expect(over.status == 1)
        #expect(over.errors.contains("error:"), "\(over.all)")
        let wrong = try place.parley(
            "ask", "survey", "SELECT arms, COUNT(*) FROM survey GROUP BY arms", "--epsilon", "1")
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("line 1: SELECT arms"), "\(wrong.all)")
        #expect(wrong.errors.contains("^"))
        #expect(try place.parley("ask", "survey", Self.question).status == 64)
        #expect(try place.parley("ask", "survey", Self.question, "--error", "2%").status == 64)
        #expect(try place.parley("nonsense").status == 64)
        #expect(try place.parley("user", "revoke", "ana").status == 0)
        let revoked = try place.parley("ask", "survey", Self.question, "--epsilon", "1")
        #expect(revoked.status == 1)
        #expect(try place.parley("audit").output.contains("refused"))
    }

    @Test("Where owners approve, a question waits with status 3, and its answer is there after the approval")
    func approval() throws {
        let place = try Workplace()
        try Self.makeSite(place, manifest: SmallSurvey.manifest(approval: "owner"))
        let server = try place.serve()
        try Self.logIn(place, server)
        let asked = try place.parley("ask", "survey", Self.question, "--epsilon", "1")
        #expect(asked.status == 3, "\(asked.all)")
        let id = String(try #require(asked.errors.firstMatch(of: /Request (\S+) waits/)).1)
        #expect(try place.parley("history", id).status == 3)
        let pending = try place.parley("requests", "--pending")
        #expect(pending.output.contains(id))
        let approved = try place.parley("approve", id)
        #expect(approved.status == 0, "\(approved.all)")
        let answer = try place.parley("history", id)
        #expect(answer.status == 0, "\(answer.all)")
        #expect(answer.output.contains("even"))

        let second = try place.parley("ask", "survey", Self.question, "--epsilon", "1")
        let denied = String(try #require(second.errors.firstMatch(of: /Request (\S+) waits/)).1)
        try place.write(try place.parley("user", "add", "olga", "--role", "owner").output, to: "olga.token")
        let denial = try place.parley(
            "deny", denied, "--reason", "not now", "--url", server.url, "--token-file", "olga.token")
        #expect(denial.status == 0, "\(denial.all)")
        let refused = try place.parley("history", denied)
        #expect(refused.status == 1)
        #expect(refused.output.contains("not now"))
    }

    @Test("A draft manifest is refused until the owner has set what only she can know")
    func draft() throws {
        let place = try Workplace()
        try place.write(SmallSurvey.csv, to: "survey.csv")
        #expect(try place.parley("site", "init").status == 0)
        let draft = try place.parley("data", "describe", "survey.csv")
        #expect(draft.status == 0, "\(draft.all)")
        #expect(draft.output.contains("visits"))
        try place.write(draft.output, to: "draft.yaml")
        let added = try place.parley("data", "add", "survey.csv", "--manifest", "draft.yaml")
        #expect(added.status == 1)
        #expect(try place.parley("data", "list").output.contains("no datasets"))
    }

    @Test("One server a site; a folder that others may enter is refused")
    func oneServer() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        let server = try place.serve()
        let second = try place.parley("serve", "--port", "0")
        #expect(second.status == 1, "\(second.all)")
        server.kill()
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.path("parley-site"))
        let wide = try place.parley("user", "list")
        #expect(wide.status == 1)
        #expect(wide.errors.contains("0700") || wide.errors.contains("700"), "\(wide.all)")
    }

    @Test("A pinned key that changes is not accepted in silence")
    func pinnedKey() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        let server = try place.serve()
        try Self.logIn(place, server)
        let path = place.path("home/.config/parley/logins.json")
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        let key = try #require(text.firstMatch(of: /"publicKey" : "([^"]+)"/)).1
        let other = Data(repeating: 7, count: 32).base64EncodedString()
        try text.replacing(key, with: other).write(toFile: path, atomically: false, encoding: .utf8)
        let asked = try place.parley("ask", "survey", Self.question, "--epsilon", "1", "--format", "csv")
        #expect(asked.status == 1)
        #expect(!asked.output.contains("even"))
        let login = try place.parley("login", server.url, "--token-file", "ana.token")
        #expect(login.status == 1)
        #expect(login.errors.contains("--accept-new-key"))
        #expect(try place.parley("login", server.url, "--token-file", "ana.token", "--accept-new-key").status == 0)
    }
}
