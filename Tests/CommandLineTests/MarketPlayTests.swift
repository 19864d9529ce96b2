import Foundation
import Testing

/// A served market, in which each party acts from a folder of its own, as processes.
@Suite("A market, served and used", .timeLimit(.minutes(10)))
struct MarketPlayTests {
    private final class Play {
        let place: Workplace
        private(set) var url = ""
        private(set) var server: BegunProcess?
        private let port: Int

        init(_ place: Workplace) throws {
            self.place = place
            port = Int.random(in: 20_000..<32_000)
            try serve()
        }

        func serve(_ more: String...) throws {
            server = try place.start(
                ["market", "serve", place.path("market"), "--port", "\(port)", "--newcomers", "100"] + more)
            url = "http://127.0.0.1:\(port)"
            for _ in 0..<200 {
                if try place.run(["/bin/sh", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).status == 0 { return }
                if try place.run(["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).status == 0 { return }
                Thread.sleep(forTimeInterval: 0.05)
            }
        }

        func kill() { server?.killAndWait() }

        func asks(_ party: String, _ arguments: String...) throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "market"] + arguments,
                environment: ["XDG_CONFIG_HOME": place.path("home-\(party)")])
        }

        /// What must be done.
        @discardableResult
        func does(_ party: String, _ arguments: String..., location: SourceLocation = #_sourceLocation) throws -> String
        {
            let done = try place.run(
                [Workplace.executable, "market"] + arguments,
                environment: ["XDG_CONFIG_HOME": place.path("home-\(party)")])
            #expect(done.status == 0, "\(party) \(arguments): \(done.all)", sourceLocation: location)
            return done.output
        }

        func waits(for stage: String, of task: String) throws {
            for _ in 0..<120 {
                if try does("sue", "show", url, task).contains(stage) { return }
                Thread.sleep(forTimeInterval: 0.5)
            }
            Issue.record("the task was never \(stage)")
        }
    }

    private func opened() throws -> Play {
        let place = try Workplace()
        let made = try place.parley("market", "create", place.path("market"), "--operator", "clerk")
        #expect(made.status == 0, "\(made.all)")
        let play = try Play(place)
        try play.does("clerk", "enter", play.url, "--as", "clerk", "--key-file", place.path("market.key"))
        return play
    }

    @Test("A task is played by commands, over a server that is killed in between; a copy without a key proves it")
    func played() throws {
        let play = try opened()
        let place = play.place
        for party in ["sue", "ada", "olga", "omar", "rae", "rex", "rob", "pia"] {
            try play.does(party, "enter", play.url, "--as", party)
            try play.does("clerk", "credit", party, "1000000")
        }
        var terms = try play.does("sue", "terms")
        for (long, short) in [
            ("\"openWithin\": \"1d\"", "\"openWithin\": \"6s\""), ("\"proposals\": \"2d\"", "\"proposals\": \"4s\""),
            ("\"reveal\": \"1d\"", "\"reveal\": \"6s\""), ("\"training\": \"14d\"", "\"training\": \"60s\""),
            ("\"revealDelay\": \"1h\"", "\"revealDelay\": \"1s\""),
            ("\"checkpoint\": \"1d\"", "\"checkpoint\": \"5s\""), ("\"challenge\": \"3d\"", "\"challenge\": \"8s\""),
        ] {
            #expect(terms.contains(long))
            terms = terms.replacing(long, with: short)
        }
        try place.write(terms, to: "terms.json")
        let drafted = try play.does("sue", "draft", place.path("terms.json"))
        let task = String(try #require(drafted.firstMatch(of: #/Task ([0-9a-f]{64})/#)?.1).prefix(8))
        try play.does("sue", "fund", task)
        try play.does("sue", "open", task)
        try place.write("{}", to: "proposal.json")
        try play.does("ada", "propose", task, place.path("proposal.json"))
        // Too early: it stays hers to show.
        let early = try play.asks("ada", "reveal", task)
        #expect(early.status == 1 && early.errors.contains("expected"), "\(early.all)")
        for owner in ["olga", "omar"] { try play.does(owner, "join", task, "owner") }
        try play.does("pia", "join", task, "provider")
        // Whatever was answered is there again.
        play.kill()
        try play.serve()
        for _ in 0..<60 {
            if try play.asks("ada", "reveal", task).status == 0 { break }
            Thread.sleep(forTimeInterval: 0.5)
        }
        try play.waits(for: "training", of: task)
        try play.does(
            "ada", "authorise", task, "--proposal", "0", "--provider", "pia", "--limit", "4000", "--within", "1h")
        try place.write("receipt", to: "receipt")
        try play.does("pia", "deliver", task, "0", "--units", "250000000", "--receipt", place.path("receipt"))
        try play.does("ada", "begin-round", task, "--from", "1")
        for owner in ["olga", "omar"] {
            try place.write("update of \(owner)", to: owner)
            try play.does(owner, "update", task, "0", place.path(owner))
        }
        try play.does("ada", "close-round", task, "0")
        for owner in ["olga", "omar"] { try play.does(owner, "reveal", task) }
        try place.write("weights", to: "weights")
        let model = try play.does(
            "ada", "finish-round", task, "0", place.path("weights"), "--receipts", place.path("receipt"))
        #expect(model.contains("node 2 of the tree"))
        // A proposal that goes on from a model is bound to its place, too.
        try place.write("{ }", to: "better.json")
        let nowhere = try play.asks("ada", "propose", task, place.path("better.json"), "--below", "9")
        #expect(nowhere.status == 1 && nowhere.errors.contains("no node 9"), "\(nowhere.all)")
        try play.does("ada", "propose", task, place.path("better.json"), "--below", "2")
        let twice = try play.asks("ada", "propose", task, place.path("better.json"), "--below", "2")
        #expect(twice.status == 1 && twice.errors.contains("it is proposal 1"), "\(twice.all)")
        for _ in 0..<20 {
            if try play.asks("ada", "reveal", task).status == 0 { break }
            Thread.sleep(forTimeInterval: 0.25)
        }
        let unshown = try play.asks("ada", "reveal", task)
        #expect(unshown.errors.contains("Nothing of ada's waits"), "\(unshown.all)")
        try play.does("ada", "ask-score", task, "2")
        let mistyped = try play.asks("sue", "score", task, "0", "90")
        #expect(mistyped.status == 1 && mistyped.errors.contains("stands for ever"), "\(mistyped.all)")
        try play.does("sue", "score", task, "0", "0.865")
        let rotated = try play.does("olga", "rotate-key")
        #expect(rotated.contains("olga acts under"))
        try place.write(
            #"{"finals": [{"node": 2, "score": 0.87}], "contributions": [{"owner": "olga", "score": 0.4, "error": 0.02}, {"owner": "omar", "score": 0.2, "error": 0.02}]}"#,
            to: "verdict.json")
        try play.does("sue", "declare", task, place.path("verdict.json"))
        try play.waits(for: "challenge", of: task)
        try play.does("olga", "dispute", task)
        for referee in ["rae", "rex"] { try play.does(referee, "vote", task, "0", "rejected") }
        try play.waits(for: "settled", of: task)
        // Whoever watches keeps no other command waiting.
        let watching = try place.start(command: [
            "/usr/bin/env", "XDG_CONFIG_HOME=\(place.path("home-olga"))", Workplace.executable, "market", "watch",
        ])
        #expect(try play.does("olga", "claim", task).contains("40,000 were paid to olga"))
        #expect(try play.does("olga", "watch", "--from", "0", "--once", "--task", task).contains("olga claims 40,000"))
        watching.killAndWait()
        #expect(try play.does("olga", "claim", task).contains("paid already"))
        // How far she verified is kept, and saves time alone: damaged, it is found again.
        let wallets = place.path("home-olga/parley/markets")
        let market = try #require(FileManager.default.contentsOfDirectory(atPath: wallets).first { $0.count == 16 })
        let verified = "home-olga/parley/markets/\(market)/verified"
        #expect(try place.read(verified).contains("\"count\":"))
        try place.write("{", to: verified)
        try play.does("olga", "watch", "--once")
        #expect(try place.read(verified).contains("\"count\":"))
        let paid = try play.does("rob", "payouts", play.url, task)
        for line in ["ada", "olga", "omar", "pia"] { #expect(paid.contains(line)) }

        let copied = try place.parley("market", "copy", play.url, place.path("copy"))
        #expect(copied.status == 0, "\(copied.all)")
        #expect(try place.parley("market", "verify", place.path("copy")).status == 0)
        #expect(try place.parley("market", "tree", place.path("copy"), task).output.contains("0.865 *"))
    }

    @Test("What was signed and did not arrive goes on at the next command, once; a refusal says why")
    func interrupted() throws {
        let play = try opened()
        try play.does("olga", "enter", play.url, "--as", "olga")
        try play.does("clerk", "credit", "olga", "1000")
        let much = try play.asks("olga", "withdraw", "5000")
        #expect(much.status == 1 && much.errors.contains("The market would refuse"), "\(much.all)")
        play.kill()
        let gone = try play.asks("olga", "withdraw", "300")
        #expect(gone.status != 0, "\(gone.all)")
        try play.serve()
        // The same again, and once more: two withdrawals, whatever arrived before.
        #expect(try play.does("olga", "withdraw", "300").contains("700 left"))
        #expect(try play.does("olga", "withdraw", "300").contains("400 left"))
        let stranger = try play.asks("eva", "withdraw", "1", "--as", "eva")
        #expect(stranger.status == 1 && stranger.errors.contains("No market was entered yet"), "\(stranger.all)")
        let taken = try play.asks("eva", "enter", play.url, "--as", "olga")
        #expect(taken.status == 1 && taken.errors.contains("another key"), "\(taken.all)")
        let key = try play.asks("eva", "enter", play.url, "--as", "eva", "--key", String(repeating: "1", count: 64))
        #expect(key.status == 4, "\(key.all)")
    }

    @Test("Of two commands that make one name's key at once, both have the same; odd names are none")
    func race() throws {
        let play = try opened()
        for turn in 0..<6 {
            let name = "n\(turn)"
            let both = try (0..<2).map { _ in
                try play.place.start(command: [
                    "/usr/bin/env", "XDG_CONFIG_HOME=\(play.place.path("home-race"))", Workplace.executable, "market",
                    "enter", play.url, "--as", name,
                ])
            }
            for process in both { process.waitUntilExit() }
            #expect(both.contains { $0.terminationStatus == 0 }, "turn \(turn)")
            try play.does("race", "enter", play.url, "--as", name)
        }
        for name in ["..", ".", "-a", ""] {
            #expect(try play.asks("odd", "enter", play.url, "--as", name).status == 64, "\(name)")
        }
    }

    @Test(
        "Witnesses cosign a market's log, whoever asks for them takes nothing else, and a folder that is put back stops"
    )
    func witnessed() throws {
        let place = try Workplace()
        #expect(try place.parley("market", "create", place.path("market"), "--operator", "clerk").status == 0)
        try FileManager.default.copyItem(atPath: place.path("market"), toPath: place.path("old"))
        let shown = try place.parley("log", "witness", "--state", "w", "--name", "witness.example.org", "--show-key")
        let key = try #require(shown.output.split(separator: "\n").last)
        let audit = try place.parley("market", "verify", place.path("market"), "--log-key")
        let log = try #require(
            audit.output.firstMatch(of: #/parley\.market\/[0-9a-f]{64}\+[0-9a-f]{8}\+[A-Za-z0-9+\/=]+/#)?.0)
        let port = Int.random(in: 20_000..<32_000)
        _ = try place.start(["log", "witness", "--state", "w", "--port", "\(port)", "--log", String(log)])
        try place.write("witness w \(key) http://127.0.0.1:\(port)\nquorum w\n", to: "policy")
        try place.write("witness v \(key)\ngroup g 1 v\nquorum g\n", to: "same")
        let play = try Play(place)
        // Nobody cosigned yet, where no policy is served.
        play.kill()
        try play.serve("--policy", place.path("policy"))
        let copied = try place.parley("market", "copy", play.url, place.path("copy"), "--policy", place.path("same"))
        #expect(copied.status == 0, "\(copied.all)")
        try play.does("olga", "enter", play.url, "--as", "olga")
        let again = try place.parley("market", "copy", play.url, place.path("copy"), "--policy", place.path("same"))
        #expect(again.status == 0 && again.output.contains("New entries: "), "\(again.all)")
        // The whole folder as it was before: the witness has seen more.
        play.kill()
        try FileManager.default.removeItem(atPath: place.path("market"))
        try FileManager.default.moveItem(atPath: place.path("old"), toPath: place.path("market"))
        try play.serve("--policy", place.path("policy"))
        var refused = Workplace.Finished(status: 0, output: "", errors: "")
        for _ in 0..<40 {
            refused = try play.asks("eva", "enter", play.url, "--as", "eva")
            if refused.status != 0 { break }
            Thread.sleep(forTimeInterval: 0.25)
        }
        #expect(refused.status != 0 && refused.all.contains("takes nothing"), "\(refused.all)")
    }
}
