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
        // What is prepared: listed with what it takes, used by the next prediction of as many rows, given up.
        let preparing = ["prepare", "scans", "--dealer", dealer.url]
        for (arguments, words) in [
            (["prepare", "scans"], "--dealer is missing"), (preparing + ["--count", "17"], "1 to 16"),
            (preparing + ["--rows", "33"], "--rows 32"), (["prepare", "scans", "--list", "--discard"], "not both"),
        ] {
            let wrong = try run(arguments)
            #expect(wrong.status != 0 && wrong.all.contains(words), "\(arguments): \(wrong.all)")
        }
        // The site asks the dealer where its owner said that it is, and nobody is there now.
        let unreachable = try run(preparing)
        #expect(unreachable.status == 1 && unreachable.all.contains("cannot be reached"), "\(unreachable.all)")
        let none = try run(["prepare", "scans", "--list"])
        #expect(none.status == 0 && none.output.contains("Nothing is prepared for scans."), "\(none.all)")
        // What the owner sees and removes.
        let shown = try place.parley("model", "show", "chest", "--site", "kept/company")
        #expect(shown.status == 0 && shown.output.contains("13 rounds"), "\(shown.all)")
        let kept = try place.parley("model", "remove", "chest", "--site", "kept/company")
        #expect(kept.status == 1 && kept.all.contains("--yes"), "\(kept.all)")
        #expect(try place.parley("model", "remove", "chest", "--site", "kept/company", "--yes").status == 0)
        #expect(try place.parley("model", "list", "--site", "kept/company").output.contains("There is none"))
        let after = try run(["predict", "scans", rows, "--dealer", dealer.url, "--explain"])
        #expect(after.status == 1 && after.all.contains("no model"), "\(after.all)")
        dealer.kill()
        try overTLS(place, rows: rows)
    }

    /// The same model once more, by a dealer and a site that speak TLS: what is dealt is as secret as inputs.
    private func overTLS(_ place: Workplace, rows: String) throws {
        func certificate(_ name: String) -> String {
            Workplace.package + "/Tests/DatasiteServerTests/Fixtures/tls/" + name
        }
        let served = ["--tls-certificate", certificate("server.pem"), "--tls-key", certificate("server-test-only.key")]
        let trusting = ["--ca", certificate("authority.pem")]
        let dealer = try place.serve(["dealer", "serve", "kept/dealer", "--port", "0"] + served)
        defer { dealer.kill() }
        #expect(dealer.url.hasPrefix("https://"))
        #expect(try place.parley("site", "init", "tls").status == 0)
        let key = try place.parley("site", "key", "--site", "tls").output.trimmingCharacters(
            in: .whitespacesAndNewlines)
        #expect(try place.parley("dealer", "admit", "kept/dealer", "sealed", key).status == 0)
        #expect(
            try place.parley("data", "add", "kept/scans.csv", "--manifest", "kept/scans.yaml", "--site", "tls", "--yes")
                .status == 0)
        let adding = [
            "model", "add", "chest", "--of", "scans", "--model", "kept/model/weights.safetensors", "--range", "0,255",
            "--calibrate", "\(Self.archive):val_images", "--dealer", dealer.url, "--site", "tls",
        ]
        let distrusting = try place.run([Workplace.executable] + adding)
        #expect(distrusting.status == 1 && distrusting.all.contains("certificate"), "\(distrusting.all)")
        let added = try place.run([Workplace.executable] + adding + trusting)
        #expect(added.status == 0, "\(added.all)")
        let version = try #require(added.output.firstMatch(of: /version: ([0-9a-f]{32})/)).1
        try place.write(
            "{loss: pure, total: {epsilon: 1}, engines: {questions: {}, prediction: {model: chest, version: \(version), rows: 32, uses: 1000, uses-per-researcher: 100, approval: automatic}}}",
            to: "tls-policy.yaml")
        let allowed = try place.parley("data", "policy", "scans", "tls-policy.yaml", "--site", "tls", "--yes")
        #expect(allowed.status == 0, "\(allowed.all)")
        try place.write(
            try place.parley("user", "add", "hana", "--role", "researcher", "--site", "tls").output, to: "tls.token")
        let site = try place.serve(
            ["serve", "--port", "0", "--site", "tls", "--coordinator-ca", certificate("authority.pem")] + served)
        defer { site.kill() }
        let asking = ["--url", site.url, "--token-file", place.path("tls.token")]
        func run(_ arguments: [String], _ authority: [String]) throws -> Workplace.Finished {
            try place.run([Workplace.executable] + arguments + asking + authority)
        }
        let untrusted = try run(["prepare", "scans", "--dealer", dealer.url], [])
        #expect(untrusted.status != 0 && untrusted.all.contains("certificate"), "\(untrusted.all)")
        let prepared = try run(
            ["prepare", "scans", "--dealer", dealer.url, "--rows", "3", "--checks", "2", "--json"], trusting)
        #expect(prepared.status == 0, "\(prepared.all)")
        struct Prepared: Decodable { var prepared, checked, rows, bytes: Int }
        let done = try JSONDecoder().decode(Prepared.self, from: Data(prepared.output.utf8))
        #expect(done.prepared == 1 && done.checked == 2 && done.rows == 3)
        struct Listed: Decodable {
            var state: String
            var bytesHere, bytesAtSite: Int
        }
        let listed = try JSONDecoder().decode(
            [Listed].self, from: Data(try run(["prepare", "scans", "--list", "--json"], trusting).output.utf8))
        #expect(listed.map(\.state) == ["ready"] && listed[0].bytesHere == done.bytes)
        #expect(listed[0].bytesAtSite > done.bytes / 2)
        let predicting = ["predict", "scans", rows, "--rows", "0,3", "--dealer", dealer.url, "--json"]
        for _ in 0..<2 {
            let predicted = try run(predicting, trusting)
            #expect(predicted.status == 0, "\(predicted.all)")
            struct Labels: Decodable { var labels: [Int] }
            let labels = try JSONDecoder().decode(Labels.self, from: Data(predicted.output.utf8)).labels
            #expect(labels.count == 3 && labels.allSatisfy { $0 == 0 || $0 == 1 })
        }
        #expect(try run(["prepare", "scans", "--list"], trusting).output.contains("Nothing is prepared"))
        #expect(try run(["prepare", "scans", "--dealer", dealer.url], trusting).status == 0)
        let discarded = try run(["prepare", "scans", "--discard"], trusting)
        #expect(discarded.output.contains("1 given up"), "\(discarded.all)")
        #expect(try run(["prepare", "scans", "--list"], trusting).output.contains("Nothing is prepared"))
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
