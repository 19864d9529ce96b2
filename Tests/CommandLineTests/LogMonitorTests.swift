import Foundation
import Testing

/// Who follows a log, and who waits for its proofs, as processes.
@Suite("A log's monitor, and those who wait for a proof, by the command line", .timeLimit(.minutes(20)))
struct LogMonitorTests {
    private let place: Workplace

    init() throws {
        place = try Workplace()
        try place.write(SmallSurvey.csv, to: "survey.csv")
        #expect(try place.parley("site", "init").status == 0)
        for (name, approval) in [("survey", "automatic"), ("asked", "owner")] {
            try place.write(
                SmallSurvey.manifest(name, population: name, epsilon: 100, approval: approval), to: "\(name).yaml")
            let added = try place.parley("data", "add", "survey.csv", "--manifest", "\(name).yaml", "--yes")
            #expect(added.status == 0, "\(added.all)")
        }
        try place.write(try place.parley("user", "add", "ruth", "--role", "researcher").output, to: "ruth.token")
    }

    private func serve(port: Int = 0) throws -> Workplace.Server {
        let server = try place.serve(port: port)
        #expect(try place.parley("login", server.url, "--token-file", "ruth.token").status == 0)
        return server
    }

    private func key() throws -> String {
        try place.parley("site", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func ask(_ url: String, _ dataset: String = "survey") throws -> String {
        let asked = try place.parley(
            "ask", dataset, "SELECT COUNT(*) FROM \(dataset)", "--epsilon", "0.5", "--url", url)
        return String(try #require(asked.all.firstMatch(of: #/[Rr]equest ([0-9a-f]{32})/#)?.1, "\(asked.all)"))
    }

    private func monitor(_ url: String) throws -> Workplace.Finished {
        try place.parley("log", "monitor", url, "--key", key(), "--state", "seen.json", "--once")
    }

    private func copy(_ from: String, _ to: String) throws {
        try? FileManager.default.removeItem(atPath: place.path(to))
        try FileManager.default.copyItem(atPath: place.path(from), toPath: place.path(to))
    }

    /// Waits until the release is in the log that is served.
    private func prove(_ request: String, _ url: String) throws {
        let proven = try place.parley("receipt", "prove", request, "--url", url, "--output", "a.tlog-proof")
        #expect(proven.status == 0, "\(proven.all)")
    }

    @Test(
        "A monitor keeps each piece of evidence, tells the site and what it answered, and shows it again to the newest copy until another log is begun"
    )
    func evidence() throws {
        var server = try serve()
        let port = try #require(server.url.split(separator: ":").last.flatMap { Int($0) })
        let url = server.url
        try prove(try ask(url), url)
        let first = try monitor(url)
        #expect(first.status == 0 && first.output.contains("followed from here on"), "\(first.all)")
        try copy("parley-site", "old")
        try prove(try ask(url), url)
        let second = try monitor(url)
        #expect(second.status == 0 && second.output.contains("2 new: they go on from"), "\(second.all)")
        let third = try monitor(url)
        #expect(third.status == 0 && third.output.contains("none new"), "\(third.all)")
        server.kill()
        try copy("parley-site", "newest")

        // Put back whole, it answers something else: as many entries, of another history.
        try copy("old", "parley-site")
        server = try serve(port: port)
        _ = try ask(url)
        let end = Date(timeIntervalSinceNow: 60)
        var shown = ""
        while shown.firstMatch(of: #/released +2/#) == nil, Date() < end {
            shown = try place.parley("log", "verify", url, "--key", key()).output
        }
        var split = try monitor(url)
        #expect(split.errors.contains("two histories"), "\(split.all)")
        #expect(split.status == 4 && split.errors.contains("The site was told, and stops"), "\(split.all)")
        #expect(
            split.errors.contains("--accept-restore") && split.errors.contains("seen.json.evidence"), "\(split.all)")
        let kept = try place.read("seen.json.evidence")
        split = try monitor(url)
        #expect(split.status == 4, "\(split.all)")
        #expect(try place.read("seen.json.evidence") == kept)
        server.kill()

        // The newest copy knows nothing of what was answered meanwhile.
        try copy("newest", "parley-site")
        server = try serve(port: port)
        let again = try monitor(url)
        #expect(again.status == 4 && again.errors.contains("seen.json.evidence"), "\(again.all)")
        server.kill()
        let accepted = try place.parley("verify", "--accept-restore", "--yes")
        #expect(accepted.status == 0, "\(accepted.all)")
        server = try serve(port: port)
        let ended = try monitor(url)
        #expect(ended.status == 4 && ended.errors.contains("begun another log"), "\(ended.all)")
        try FileManager.default.removeItem(atPath: place.path("seen.json"))
        let followed = try monitor(url)
        #expect(followed.status == 0, "\(followed.all)")
        server.kill()

        // A copy from before the second log was begun: whoever follows that one finds it out.
        try copy("newest", "parley-site")
        server = try serve(port: port)
        let back = try monitor(url)
        #expect(back.status == 4 && back.errors.contains("had ended"), "\(back.all)")
        #expect(back.errors.contains("The site was told, and stops"), "\(back.all)")
        #expect(try place.read("seen.json.evidence") == kept)
        #expect(FileManager.default.fileExists(atPath: place.path("seen.json.evidence.2")))
        server.kill()
        let goesOn = try place.parley("verify", "--accept-restore", "--yes")
        #expect(goesOn.status == 0, "\(goesOn.all)")
        #expect(try place.parley("log", "key").output.contains("/3+"))
    }

    @Test("A log that stays behind, though its site says otherwise, is told, and called so after some looks")
    func behind() throws {
        let server = try serve()
        try prove(try ask(server.url), server.url)
        try copy("parley-site/log", "stale")
        try prove(try ask(server.url), server.url)
        #expect(try monitor(server.url).status == 0)
        server.kill()
        let stale = try StaleLog(folder: place.path("stale"))
        let found = try monitor("http://127.0.0.1:\(stale.port)")
        #expect(found.status == 4 && found.errors.contains("went back"), "\(found.all)")
        #expect(found.errors.contains("It is looked at again") && found.errors.contains("leads to what was seen"))
        #expect(FileManager.default.fileExists(atPath: place.path("seen.json.evidence")))
    }

    @Test(
        "Who hears nothing is held to what it showed; a fork that grows is one piece of evidence; a full disk hides nothing"
    )
    func deaf() throws {
        var server = try serve()
        let port = try #require(server.url.split(separator: ":").last.flatMap { Int($0) })
        let url = server.url
        try prove(try ask(url), url)
        try copy("parley-site", "old")
        try prove(try ask(url), url)
        #expect(try monitor(url).status == 0)
        server.kill()
        try copy("old", "parley-site")
        server = try serve(port: port)
        for count in 2...3 {
            _ = try ask(url)
            let end = Date(timeIntervalSinceNow: 60)
            var shown = ""
            while !shown.contains(try Regex("released +\(count)")), Date() < end {
                shown = try place.parley("log", "verify", url, "--key", key()).output
            }
            try copy("parley-site/log", "fork\(count)")
        }
        server.kill()

        let files = {
            try FileManager.default.contentsOfDirectory(atPath: place.path("")).filter { $0.contains(".evidence") }
        }
        for (folder, posts) in [("fork2", StaleLog.Posts.closed), ("fork2", .hanging), ("fork3", .closed)] {
            let deaf = try StaleLog(folder: place.path(folder), posts: posts)
            let found = try monitor("http://127.0.0.1:\(deaf.port)")
            #expect(found.status == 4 && found.errors.contains("two histories"), "\(found.all)")
            #expect(found.errors.contains("The site could not be told"), "\(found.all)")
            #expect(try files() == ["seen.json.evidence"])
        }

        try FileManager.default.removeItem(atPath: place.path("seen.json.evidence"))
        let deaf = try StaleLog(folder: place.path("fork2"), posts: .closed)
        let command = [
            Workplace.executable, "log", "monitor", "http://127.0.0.1:\(deaf.port)", "--key", try key(), "--state",
            "seen.json", "--once",
        ]
        // No file may grow, as on a full disk; what is said goes through a pipe.
        let full = try place.run(
            ["/bin/bash", "-o", "pipefail", "-c", #"(trap '' XFSZ; ulimit -f 0; exec "$@") 2>&1 | cat"#, "bash"]
                + command)
        #expect(full.status == 4 && full.output.contains("two histories"), "\(full.all)")
        #expect(full.output.contains("The evidence could not be kept"), "\(full.all)")
        #expect(!full.output.contains("pairs of checkpoints are in"), "\(full.all)")
        #expect(try files() == [])
    }

    @Test("A monitor outlives a site that is gone: that is said once, and when it is there again")
    func outage() throws {
        var server = try serve()
        let port = try #require(server.url.split(separator: ":").last.flatMap { Int($0) })
        let url = server.url
        for name in ["out", "err"] { try place.write("", to: name) }
        let monitor = try place.start(
            ["log", "monitor", url, "--key", key(), "--state", "seen.json", "--interval", "1"],
            output: FileHandle(forWritingAtPath: place.path("out")) as Any,
            errors: FileHandle(forWritingAtPath: place.path("err")) as Any)
        func wait(_ file: String, _ words: String) throws {
            let end = Date(timeIntervalSinceNow: 120)
            while try !place.read(file).contains(words), Date() < end { Thread.sleep(forTimeInterval: 0.2) }
            let said = try place.read("out") + place.read("err")
            #expect(try place.read(file).contains(words), "\(said)")
        }
        try wait("out", "followed from here on")
        server.kill()
        try wait("err", "cannot be looked at")
        Thread.sleep(forTimeInterval: 4)
        server = try serve(port: port)
        try wait("out", "is there again")
        _ = try ask(url)
        try wait("out", "released, request")
        #expect(try place.read("err").matches(of: /cannot be looked at/).count == 1)
        #expect(monitor.isRunning)
        monitor.killAndWait()
        let gone = try place.parley(
            "log", "monitor", "http://127.0.0.1:\(SeveralSites.freePort())", "--key", key(), "--state", "x", "--once")
        #expect(gone.status == 1, "\(gone.all)")
        server.kill()
    }

    @Test("Nothing is waited for that does not come, and who waits is told for whom")
    func waiting() throws {
        let server = try serve()
        let (url, day) = (server.url, "86400")
        let request = try ask(url)
        let witnesses = try ["north", "river"].map { name in
            try place.parley("log", "witness", "--state", name, "--name", "\(name).example", "--show-key").output
        }
        try place.write(
            "witness north \(witnesses[0])witness river \(witnesses[1])group outside all north river\nquorum outside\n",
            to: "policy")
        func prove(_ id: String, _ options: String...) throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "receipt", "prove", id, "--url", url, "--output", "p.tlog-proof"] + options)
        }
        let unknown = try prove(String(repeating: "0", count: 32), "--wait", day)
        #expect(unknown.status == 1 && unknown.errors.contains("there is no request"), "\(unknown.all)")
        let pending = try ask(url, "asked")
        let waits = try prove(pending, "--wait", day)
        #expect(waits.status == 3 && waits.errors.contains("waits for an owner's approval"), "\(waits.all)")
        #expect(try place.parley("deny", pending, "--reason", "no", "--site", "parley-site").status == 0)
        let denied = try prove(pending, "--wait", day)
        #expect(denied.status == 1 && denied.errors.contains("is denied"), "\(denied.all)")

        let words = "0 of 2 witnesses of the quorum have cosigned; missing: north, river"
        let unmet = try prove(request, "--policy", "policy", "--wait", "2")
        #expect(unmet.status == 5 && unmet.errors.contains("Waiting") && unmet.errors.contains(words), "\(unmet.all)")
        #expect(unmet.errors.contains("--policy policy"), "\(unmet.all)")
        #expect(!FileManager.default.fileExists(atPath: place.path("p.tlog-proof")))
        let asked = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "0.5", "--url", url, "--format", "json",
            "--proof", "p.tlog-proof", "--policy", "policy")
        #expect(asked.status == 5 && asked.errors.contains(words), "\(asked.all)")
        #expect(asked.errors.contains("parley receipt prove"), "\(asked.all)")
        #expect((try? JSONSerialization.jsonObject(with: Data(asked.output.utf8))) != nil, "\(asked.output)")
        #expect(!FileManager.default.fileExists(atPath: place.path("p.tlog-proof")))

        func verify(_ options: String...) throws -> Workplace.Finished {
            try place.run([Workplace.executable, "log", "verify", url] + options)
        }
        let late = try verify("--key", key(), "--policy", "policy", "--wait", "2")
        #expect(late.status == 1 && late.errors.contains("Waiting") && late.errors.contains(words), "\(late.all)")
        let other = Data(repeating: 7, count: 32).base64EncodedString()
        #expect(try verify("--key", other, "--policy", "policy", "--wait", day).status == 1)
        let keyless = try verify("--policy", "policy", "--wait", day)
        #expect(keyless.status == 1 && keyless.errors.contains("The policy accepts no log"), "\(keyless.all)")
        // Of a type of key that nothing here verifies.
        let bytes = Data([6] + [UInt8](repeating: 9, count: 1312)).base64EncodedString()
        try place.write("witness new w.example+01020304+\(bytes)\nquorum new\n", to: "never")
        #expect(try verify("--key", key(), "--policy", "never", "--wait", day).status == 1)
        server.kill()
    }

    @Test("A witness shows its key while it runs, says that it runs already, and warns where it was told of no log")
    func witness() throws {
        try place.write("", to: "err")
        let port = SeveralSites.freePort()
        let witness = try place.start(
            ["log", "witness", "--state", "w", "--name", "w.example", "--port", "\(port)"],
            errors: FileHandle(forWritingAtPath: place.path("err")) as Any)
        let end = Date(timeIntervalSinceNow: 60)
        while try !place.read("err").contains("told of no log"), Date() < end { Thread.sleep(forTimeInterval: 0.1) }
        #expect(try place.read("err").contains("told of no log"))
        let shown = try place.parley("log", "witness", "--state", "w", "--show-key")
        #expect(shown.status == 0 && shown.output.hasPrefix("w.example+"), "\(shown.all)")
        let again = try place.parley("log", "witness", "--state", "w", "--port", "\(port)")
        #expect(again.status == 1 && again.errors.contains("a witness runs in w"), "\(again.all)")
        #expect(!again.errors.contains("--output"), "\(again.all)")
        witness.killAndWait()
    }
}
