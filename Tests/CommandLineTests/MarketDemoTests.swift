import Foundation
import Testing

@Suite("The marketplace, played", .timeLimit(.minutes(20)))
struct MarketDemoTests {
    private static let archive = URL(filePath: Workplace.package).deletingLastPathComponent().appending(
        path: "shared/data/pneumoniamnist/pneumoniamnist_full.npz"
    ).path

    /// A file of safetensors whose numbers are all zero.
    private static func zeros(like file: Data) -> Data {
        let header = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return file.prefix(8 + header) + Data(count: file.count - 8 - header)
    }

    @Test("A task is played from funding to payout, every invariant holds, and its folder proves itself")
    func played() throws {
        let place = try Workplace()
        let gone = try place.parley("demo", "market", "--data", "nowhere.npz")
        #expect(gone.status == 1 && gone.errors.contains("nowhere.npz cannot be read"), "\(gone.all)")
        guard FileManager.default.fileExists(atPath: Self.archive) else {
            print("skipped: \(Self.archive) is not there, so that no market is played")
            return
        }
        let played = try place.parley("demo", "market", "--data", Self.archive, "--keep", "kept")
        #expect(played.status == 0, "\(played.all)")
        #expect(played.output.contains("Every step held") && !played.output.contains("BROKEN"), "\(played.all)")
        #expect(try place.read("kept/tree.svg").contains("<svg"))
        let again = try place.parley("demo", "market", "--data", Self.archive, "--keep", "kept")
        #expect(again.status == 1 && again.errors.contains("kept cannot be made"), "\(again.all)")

        // Whoever has the folder alone comes to the same.
        let key = try #require(played.output.firstMatch(of: #/--key ([0-9a-f]{64})/#)?.1)
        let verified = try place.parley("market", "verify", "kept/market", "--key", "\(key)")
        #expect(verified.status == 0, "\(verified.all)")
        let other = try place.parley("market", "verify", "kept/market", "--key", String(repeating: "1", count: 64))
        #expect(other.status != 0, "\(other.all)")

        // The third referee asks over the wire, and judges by what comes.
        let task = try #require(
            try place.parley("market", "show", "kept/market").output.firstMatch(
                of: #/^([0-9a-f]{16})/#.anchorsMatchLineEndings())?.1)
        let token = try place.parley("user", "add", "rob", "--role", "researcher", "--site", "kept/sue")
        #expect(token.status == 0, "\(token.all)")
        try place.write(token.output, to: "rob.token")
        let server = try place.serve(site: "kept/sue")
        defer { server.kill() }
        func rows(_ more: String...) throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "market", "rows", "kept/market", "\(task)", "validation", "--key", "\(key)"]
                    + more
                    + ["--url", server.url, "--token-file", place.path("rob.token")])
        }
        let asked = try rows("--output", "rows.csv", "--purpose", "dispute 0")
        #expect(asked.status == 3, "\(asked.all)")
        let id = try #require(asked.all.firstMatch(of: #/Request (\w+) waits/#)?.1)
        #expect(try place.parley("approve", "\(id)", "--site", "kept/sue").status == 0)
        let saved = try rows("--output", "rows.csv", "--request", "\(id)")
        #expect(saved.status == 0 && saved.output.contains("400 of"), "\(saved.all)")
        #expect(try place.read("rows.csv").split(separator: "\r\n").count == 401)
        #expect(try place.read("rows.csv").hasPrefix("row,pneumonia,image.0,"))
        func judged(_ more: String..., model: String = "kept/model/weights.safetensors") throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "market", "rows", "kept/market", "\(task)", "validation", "--request", "\(id)"]
                    + ["--model", model, "--features", "image", "--label", "pneumonia"] + more
                    + ["--url", server.url, "--token-file", place.path("rob.token")])
        }
        let plausible = try judged("--tolerance", "0.03")
        #expect(plausible.status == 0 && plausible.output.contains("Plausible: were the accuracy"), "\(plausible.all)")
        #expect(
            plausible.output.contains("Right on") && plausible.output.contains("Declared for node"), "\(plausible.all)")
        // A model that says the same of every row: three in four are ill, whichever were drawn.
        try Self.zeros(like: Data(contentsOf: URL(filePath: place.path("kept/model/weights.safetensors"))))
            .write(to: URL(filePath: place.path("kept/model/zeros.safetensors")))
        let doubted = try judged("--tolerance", "0.03", model: "kept/model/zeros.safetensors")
        #expect(doubted.status == 4 && doubted.output.contains("NOT PLAUSIBLE"), "\(doubted.all)")
        let others = try judged("--rows", "401")
        #expect(others.status == 4 && others.all.contains("did not show the rows that were drawn"), "\(others.all)")
        for (more, words) in [
            (["--output", "rows.csv"], "is there already"),
            (["--node", "99"], "No final score is declared for node 99"),
            (["--rows", "10"], "400 at least"), (["--tolerance", "2"], "--tolerance is a share"),
        ] {
            let wrong = try judged(more[0], more[1])
            #expect(wrong.status != 0 && wrong.all.contains(words), "\(wrong.all)")
        }
    }
}
