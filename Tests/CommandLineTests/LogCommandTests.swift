import Foundation
import Testing

/// The log of a served site, its witness and its readers, as processes.
@Suite("The log by the command line", .timeLimit(.minutes(20)))
struct LogCommandTests {
    private struct Served {
        let place: Workplace
        let server: Workplace.Server
        let key: String
    }

    private func serve(_ place: Workplace, witness: String = "") throws -> Served {
        try place.write(SmallSurvey.csv, to: "survey.csv")
        #expect(try place.parley("site", "init").status == 0)
        try place.write(SmallSurvey.manifest("survey", population: "people", epsilon: 100), to: "survey.yaml")
        let added = try place.parley("data", "add", "survey.csv", "--manifest", "survey.yaml", "--yes")
        #expect(added.status == 0, "\(added.all)")
        try place.write(try place.parley("user", "add", "ruth", "--role", "researcher").output, to: "ruth.token")
        if !witness.isEmpty {
            try place.write(witness, to: "parley-site/parley.yaml")
            #expect(chmod(place.path("parley-site/parley.yaml"), 0o600) == 0)
        }
        let server = try place.serve()
        #expect(try place.parley("login", server.url, "--token-file", "ruth.token").status == 0)
        let key = try place.parley("site", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
        return Served(place: place, server: server, key: key)
    }

    private func ask(_ served: Served) throws -> String {
        let asked = try served.place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", served.server.url)
        #expect(asked.status == 0, "\(asked.all)")
        return String(try #require(asked.all.firstMatch(of: #/request ([0-9a-f]{32})/#)?.1))
    }

    @Test("An answer is proved, the log verified, followed and exported; what was changed is found")
    func reading() throws {
        let served = try serve(Workplace())
        let (place, url, key) = (served.place, served.server.url, served.key)
        let request = try ask(served)
        let proven = try place.parley("receipt", "prove", request, "--url", url, "--output", "a.tlog-proof")
        #expect(proven.status == 0 && proven.output.contains("of the site's log"), "\(proven.all)")
        let verified = try place.parley("receipt", "verify", "a.tlog-proof", "--key", key)
        #expect(verified.status == 0 && verified.output.contains("No witness of yours cosigned it"), "\(verified.all)")
        let text = try place.read("a.tlog-proof")
        try place.write(text.replacing("index 4", with: "index 3"), to: "b.tlog-proof")
        let wrong = try place.parley("receipt", "verify", "b.tlog-proof", "--key", key)
        #expect(wrong.status != 0 && wrong.errors.contains("not valid"), "\(wrong.all)")
        let other = Data(repeating: 7, count: 32).base64EncodedString()
        #expect(try place.parley("receipt", "verify", "a.tlog-proof", "--key", other).status != 0)

        for source in [url, "parley-site"] {
            let all = try place.parley("log", "verify", source, "--key", key)
            #expect(all.status == 0 && all.output.contains("entries lead to the signed root"), "\(all.all)")
        }
        let first = try place.parley("log", "monitor", url, "--key", key, "--state", "seen.json", "--once")
        #expect(first.status == 0 && first.output.contains("followed from here on"), "\(first.all)")
        _ = try ask(served)
        Thread.sleep(forTimeInterval: 2.5)
        let next = try place.parley("log", "monitor", url, "--key", key, "--state", "seen.json", "--once")
        #expect(
            next.status == 0 && next.output.contains("reserved, request ") && next.output.contains("released"),
            "\(next.all)")

        let exported = try place.parley("log", "export", url, "--from", "2", "--to", "5", "--output", "range.json")
        #expect(exported.status == 0, "\(exported.all)")
        let range = try place.parley("log", "verify", "range.json", "--key", key)
        #expect(range.status == 0 && range.output.contains("none left out"), "\(range.all)")
        try place.write(try place.read("range.json").replacing("released", with: "approved"), to: "changed.json")
        #expect(try place.parley("log", "verify", "changed.json", "--key", key).status != 0)
        served.server.kill()

        let entry = place.path("parley-site/log/tile/entries")
        let bundle = try #require(
            try FileManager.default.contentsOfDirectory(atPath: entry).first { $0.hasSuffix(".p") })
        let file = try #require(
            try FileManager.default.contentsOfDirectory(atPath: entry + "/" + bundle).sorted {
                Int($0) ?? 0 < Int($1) ?? 0
            }.last)
        let path = "parley-site/log/tile/entries/\(bundle)/\(file)"
        try place.write(try place.read(path).replacing("reserved", with: "approved"), to: path)
        #expect(try place.parley("log", "verify", "parley-site", "--key", key).status != 0)
        #expect(try place.parley("log", "fsck").status != 0)
        let repaired = try place.parley("log", "fsck", "--repair")
        #expect(repaired.status == 0, "\(repaired.all)")
        #expect(try place.parley("log", "verify", "parley-site", "--key", key).status == 0)
        let words = try place.parley("log", "explain", "4")
        #expect(words.status == 0 && words.output.contains("datasets: survey"), "\(words.all)")
        #expect(try place.parley("log", "explain", "999").status != 0)
    }

    @Test("A witness cosigns; a site that is put back whole stops at its start, and its owner goes on with a new log")
    func witnessed() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let shown = try place.parley("log", "witness", "--state", "w", "--name", "witness.example.org", "--show-key")
        #expect(shown.status == 0, "\(shown.all)")
        let key = shown.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let served = try serve(
            place, witness: "witnesses: [{key: \"\(key)\", url: \"http://127.0.0.1:\(port)\"}]\n")
        let logKey = try place.parley("log", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let witness = try place.start(["log", "witness", "--state", "w", "--port", "\(port)", "--log", logKey])
        try place.write("witness w \(key)\nquorum w\n", to: "policy")
        // The answer leaves at once; whoever asks for its proof, with a policy, waits for the witness.
        let asked = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", served.server.url, "--proof",
            "a.tlog-proof", "--policy", "policy", "--format", "json")
        #expect(asked.status == 0 && asked.errors.contains("Cosigned by w"), "\(asked.all)")
        #expect((try? JSONSerialization.jsonObject(with: Data(asked.output.utf8))) != nil, "\(asked.output)")
        let request = try ask(served)
        let proven = try place.parley(
            "receipt", "prove", request, "--url", served.server.url, "--output", "b.tlog-proof", "--policy", "policy",
            "--wait", "60")
        #expect(proven.status == 0 && proven.output.contains("Cosigned by w"), "\(proven.all)")
        try place.write("witness w \(key)\nwitness v \(key)\nquorum v\n", to: "wrong")
        let unread = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", served.server.url, "--proof",
            "c.tlog-proof", "--policy", "wrong")
        #expect(unread.status != 0 && unread.errors.contains("wrong: "), "\(unread.all)")
        #expect(
            try place.parley("receipt", "verify", "a.tlog-proof", "--key", served.key, "--policy", "policy").status == 0
        )
        try FileManager.default.copyItem(atPath: place.path("parley-site"), toPath: place.path("backup"))
        _ = try ask(served)
        // The witness has seen it.
        let end = Date(timeIntervalSinceNow: 60)
        while Date() < end {
            let verified = try place.parley(
                "log", "verify", served.server.url, "--key", served.key, "--policy", "policy")
            if verified.status == 0,
                verified.output.contains("released") && verified.output.firstMatch(of: #/released +3/#) != nil
            {
                break
            }
            Thread.sleep(forTimeInterval: 0.5)
        }
        served.server.kill()
        try FileManager.default.removeItem(atPath: place.path("parley-site"))
        try FileManager.default.moveItem(atPath: place.path("backup"), toPath: place.path("parley-site"))
        let again = try place.serve()
        #expect(try place.parley("login", again.url, "--token-file", "ruth.token").status == 0)
        var refused = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", again.url)
        while refused.status == 0, Date() < end + 60 {
            Thread.sleep(forTimeInterval: 0.5)
            refused = try place.parley(
                "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", again.url)
        }
        #expect(refused.status != 0 && refused.errors.contains("others hold a checkpoint"), "\(refused.all)")
        again.kill()
        let accepted = try place.parley("verify", "--accept-restore", "--yes")
        #expect(
            accepted.status == 0 && accepted.output.replacing("\n", with: " ").contains("a new log is begun"),
            "\(accepted.all)")
        #expect(try place.parley("log", "key").output.contains("/2+"))
        witness.killAndWait()
    }

    @Test("A researcher who had a proof finds out that the whole folder was put back, and the site stops")
    func client() throws {
        let served = try serve(Workplace())
        let (place, url) = (served.place, served.server.url)
        let first = try ask(served)
        func prove(_ request: String, _ url: String) throws -> Workplace.Finished {
            try place.parley("receipt", "prove", request, "--url", url, "--output", "a.tlog-proof", "--wait", "20")
        }
        #expect(try prove(first, url).status == 0)
        try FileManager.default.copyItem(atPath: place.path("parley-site"), toPath: place.path("backup"))
        let second = try prove(try ask(served), url)
        #expect(second.status == 0, "\(second.all)")
        served.server.kill()
        try FileManager.default.removeItem(atPath: place.path("parley-site"))
        try FileManager.default.moveItem(atPath: place.path("backup"), toPath: place.path("parley-site"))
        let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
        let again = try place.serve(port: port)
        #expect(again.url == url)
        let found = try prove(first, url)
        #expect(found.status != 0 && found.errors.contains("The log went back"), "\(found.all)")
        let refused = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", url)
        #expect(refused.status != 0 && refused.errors.contains("others hold a checkpoint"), "\(refused.all)")
        again.kill()
        // The proofs are good for ever after.
        #expect(try place.parley("receipt", "verify", "a.tlog-proof", "--key", served.key).status == 0)
    }

    @Test("Whom to trust must be said, and a policy is read with its lines")
    func refusals() throws {
        let place = try Workplace()
        #expect(try place.parley("log", "verify", "nowhere").status != 0)
        let key = Data(repeating: 7, count: 32).base64EncodedString()
        let nowhere = try place.parley("log", "verify", "nowhere", "--key", key)
        #expect(nowhere.status != 0 && nowhere.errors.contains("has no file checkpoint"), "\(nowhere.all)")
        try place.write("quorum all of them\n", to: "policy")
        let policy = try place.parley("log", "verify", "nowhere", "--key", key, "--policy", "policy")
        #expect(policy.status != 0, "\(policy.all)")
        let witness = try place.parley("log", "witness", "--state", "w", "--show-key")
        #expect(witness.status != 0 && witness.errors.contains("--name"), "\(witness.all)")
    }
}
