import Foundation
import Testing

@Suite("Predictions on shares, played", .timeLimit(.minutes(10)))
struct PredictDemoTests {
    private static let archive = URL(filePath: Workplace.package).deletingLastPathComponent().appending(
        path: "shared/data/pneumoniamnist/pneumoniamnist_full.npz"
    ).path

    @Test(
        "A dealer, a company and a hospital, each a process, come to the model's own labels; and what does not fit is named"
    )
    func played() throws {
        let place = try Workplace()
        let gone = try place.parley("demo", "predict", "--data", "nowhere.npz")
        #expect(gone.status == 1 && gone.errors.contains("nowhere.npz cannot be read"), "\(gone.all)")
        guard FileManager.default.fileExists(atPath: Self.archive) else {
            print("skipped: \(Self.archive) is not there, so that nothing is predicted")
            return
        }
        let port = Int.random(in: 20_000..<30_000)
        let played = try place.parley(
            "demo", "predict", "--data", Self.archive, "--keep", "kept", "--port", "\(port)")
        #expect(played.status == 0, "\(played.all)")
        #expect(played.output.contains("Every step held") && !played.output.contains("WRONG"), "\(played.all)")
        #expect(played.output.contains("20 uses of 100 are counted"), "\(played.all)")

        // The same folders, served again.
        let dealer = try place.serve(["dealer", "serve", "kept/dealer", "--port", "0"])
        defer { dealer.kill() }
        let site = try place.serve(site: "kept/company")
        defer { site.kill() }
        let asking = ["--url", site.url, "--token-file", place.path("kept/hana.token")]
        let rows = "\(Self.archive):test_images"
        func run(_ arguments: [String]) throws -> Workplace.Finished {
            try place.run([Workplace.executable] + arguments + asking)
        }
        // The dealer is somewhere else now than the company thinks: it is named, and its key is the same.
        let check = try run(["mpc", "check", "scans", "--dealer", dealer.url])
        #expect(check.status == 1 && check.output.contains("cannot be reached"), "\(check.all)")
        #expect(check.output.contains("same dealer: the site uses the one that you named"), "\(check.all)")
        let explained = try run(["predict", "scans", rows, "--rows", "0,40", "--dealer", dealer.url, "--explain"])
        #expect(
            explained.status == 0 && explained.output.contains("40 rows in 2 requests: 40 uses"), "\(explained.all)")
        #expect(explained.output.contains("Nothing was sent or spent."), "\(explained.all)")
        for (arguments, words) in [
            (["predict", "nothing", rows, "--dealer", dealer.url], "there is no dataset"),
            (["predict", "scans", "\(Self.archive):test_labels", "--dealer", dealer.url], "rows of"),
            (["predict", "scans", "gone.npy", "--dealer", dealer.url], "gone.npy"),
            (
                ["predict", "scans", rows, "--rows", "0,9999", "--dealer", dealer.url],
                "--rows is the first and how many"
            ),
            (["predict", "scans", rows, "--dealer", site.url], "no such resource"),
            (["predict", "scans", rows, "--dealer", "http://127.0.0.1:1"], "cannot connect"),
        ] {
            let wrong = try run(arguments)
            #expect(wrong.status != 0 && wrong.all.contains(words), "\(arguments): \(wrong.all)")
        }
        // What the owner sees and removes.
        let shown = try place.parley("model", "show", "chest", "--site", "kept/company")
        #expect(shown.status == 0 && shown.output.contains("13 rounds"), "\(shown.all)")
        let kept = try place.parley("model", "remove", "chest", "--site", "kept/company")
        #expect(kept.status == 1 && kept.all.contains("--yes"), "\(kept.all)")
        #expect(try place.parley("model", "remove", "chest", "--site", "kept/company", "--yes").status == 0)
        #expect(try place.parley("model", "list", "--site", "kept/company").output.contains("There is none"))
        let after = try run(["predict", "scans", rows, "--dealer", dealer.url, "--explain"])
        #expect(after.status == 1 && after.all.contains("no model"), "\(after.all)")
    }

    @Test("A dealer's folder: made once, admits keys alone, each once, and is for its operator alone")
    func folder() throws {
        let place = try Workplace()
        #expect(try place.parley("dealer", "create", "d").status == 0)
        #expect(try place.parley("dealer", "create", "d").status == 1)
        #expect(try place.parley("site", "init", "s").status == 0)
        let key = try place.parley("site", "key", "--site", "s").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try place.parley("dealer", "admit", "d", "company", "no key").status != 0)
        #expect(try place.parley("dealer", "admit", "d", "company", key).status == 0)
        let again = try place.parley("dealer", "admit", "d", "other", key)
        #expect(again.status == 1 && again.all.contains("admitted already"), "\(again.all)")
        #expect(try place.parley("dealer", "list", "d").output.contains("company  \(key)"))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.path("d"))
        let open = try place.parley("dealer", "list", "d")
        #expect(open.status == 1 && open.all.contains("chmod 700"), "\(open.all)")
        #expect(try place.parley("dealer", "list", "s").status == 1)
    }
}
