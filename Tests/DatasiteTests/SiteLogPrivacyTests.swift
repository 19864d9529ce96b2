import DatasiteProtocol
import Foundation
import Testing
import TransparencyLog

@testable import Datasite

extension Datasite {
    /// The log's entries, after it was brought up to the journal.
    func logEntries() throws -> [LogEntry] {
        let signed = try SignedCheckpoint(parsing: publishLog())
        var tiles = try VerifiedTiles(head: signed.head, read: openLog().folder.read)
        return try (0..<Int(signed.head.size)).map { place in
            try LogEntry(decoding: Array(tiles.entries(bundle: UInt64(place) >> 8)[place & 255]))
        }
    }
}

/// What the log shows of private rows, of rounds with others, and of moments (docs/privacy.md, rule 36).
@Suite("What the log shows, and what it does not", .timeLimit(.minutes(10)))
struct SiteLogPrivacyTests {
    private static func questions() -> [AskRequest] {
        [
            "SELECT kind, COUNT(*) FROM visits GROUP BY kind", "SELECT AVG(amount) FROM visits",
            "SELECT SUM(amount) FROM visits WHERE kind = 'b'", "SELECT MEDIAN(amount) FROM visits",
            "SELECT kind, COUNT(*) AS n FROM visits WHERE amount > 50 GROUP BY kind HAVING n > 5",
        ].map { AskRequest(dataset: "visits", sql: $0, budget: .epsilon(0.5)) }
    }

    /// Everything that is public of a site with these rows, after the same requests.
    private func shown(_ rows: String, named name: String = "visits") async throws -> [LogEntry] {
        let test = try TestSite(people: 1)
        _ = try test.site.removeDataset("visits")
        let manifest = TestSite.manifest("visits", policy: "{loss: pure, total: {epsilon: 10}}", population: name)
        _ = try test.site.addDataset(file: test.file("other", rows), manifestText: manifest)
        for question in Self.questions() { _ = try await test.site.ask(question, as: .ada) }
        for _ in 0..<3 { _ = await problem { _ = try await test.site.ask(TestSite.count(11), as: .ada) } }
        test.clock.advance(86_400)
        _ = try test.site.addUser("bob", role: .researcher)
        return try test.site.logEntries()
    }

    @Test("Sites whose rows alone differ have logs of the same kinds, charges and lengths, entry by entry")
    func neighbours() async throws {
        let shown = [
            try await shown(TestSite.rows(people: 60)),
            // One person less, other values, no rows of a kind at all, many more rows, and one.
            try await shown(TestSite.rows(people: 59)), try await shown(TestSite.rows(people: 60, amount: 91)),
            try await shown("person,kind,amount\n" + (0..<900).map { "\($0),c,\($0 % 3)\n" }.joined()),
            try await shown("person,kind,amount\n0,a,1\n"),
        ]
        #expect(shown[0].count == 5 + 2 * Self.questions().count + 2)
        for other in shown.dropFirst() {
            #expect(other.map(\.kind) == shown[0].map(\.kind))
            #expect(other.map(\.charge) == shown[0].map(\.charge))
            #expect(other.map(\.bytes.count) == shown[0].map(\.bytes.count))
            #expect(other.map { $0.count?.number } == shown[0].map { $0.count?.number })
            for (one, another) in zip(shown[0], other) where one.count == nil {
                #expect((one.answer == nil) == (another.answer == nil))
                #expect((one.datasets == nil) == (another.datasets == nil))
                // What is random is other each time: nothing can be recognised from one log in another.
                #expect(one.journal != another.journal && one.actor != another.actor)
            }
        }
        // Nor within one log: each entry has its own openings.
        let released = shown[0].filter { $0.kind == "released" }
        #expect(Set(released.compactMap(\.datasets)).count == released.count)
        #expect(Set(released.compactMap(\.actor)).count == released.count)
    }

    @Test("Each round with other sites is an entry before rows are read for it, under its request's charge")
    func rounds() async throws {
        let sites = try FederatedSites()
        let coordination = try await sites.created(try sites.coordination(FederatedSites.masked))
        _ = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        _ = try await sites.released(ids)
        for (site, id) in zip(sites.sites, ids) {
            let entries = try site.site.logEntries()
            let rounds = entries.indices.filter { entries[$0].kind == "round" }
            #expect(rounds.count >= 4, "\(entries.map(\.kind))")
            #expect(rounds.allSatisfy { entries[$0].request == id && entries[$0].charge == .init(kind: nil) })
            let reserved = try #require(entries.firstIndex { $0.kind == "reserved" && $0.request == id })
            let released = try #require(entries.firstIndex { $0.kind == "released" && $0.request == id })
            #expect(rounds.allSatisfy { $0 > reserved && $0 < released })
            #expect(Set(rounds.map { entries[$0].bytes.count }).count == 1)
            let words = try rounds.map { try site.site.explainLog($0).joined(separator: "; ") }
            for round in 0..<4 { #expect(words.contains { $0.contains("round \(round) of the run") }, "\(words)") }
            #expect(try site.site.verify().problems == [])
        }
    }

    @Test("Where the journal cannot be written no row is read for a round, and the part ends without its effect")
    func withoutEntry() async throws {
        let sites = try FederatedSites(2)
        let site = sites.sites[0].site
        let workspace = Workspace(parent: sites.sites[0].path + "/work", name: "one")
        let outside = Outside(
            identity: site.signingKey, connection: nil,
            pace: Pace(clock: site.clock) { _ in TimeSlot(bound: .milliseconds(1)) }, enters: { _ in false })
        // Nobody wants it any more: it gives up at once.
        let desk = RoundsDesk(
            outside: outside, workspace: workspace, track: StepTrack([], isWanted: { false }))
        #expect(try await site.rounds.threads.run { desk.enter("round 0") } == false)
    }

    @Test("A clock that jumps forward and back ends each day once, and counts each refusal once")
    func clockJumps() async throws {
        let test = try TestSite()
        var refused: Int64 = 0
        func refuse(_ count: Int) async {
            for _ in 0..<count {
                #expect(
                    await problem { _ = try await test.site.ask(TestSite.count(11), as: .ada) }?.kind == .overBudget)
                refused += 1
            }
        }
        for jump: Int64 in [0, 86_400, -86_400, 3 * 86_400, -40_000, 90_000, -5 * 86_400, 6 * 86_400] {
            test.clock.advance(jump)
            await refuse(2)
            _ = try await test.site.ask(TestSite.count(0.01), as: .ada)
            try test.site.publishLog()
        }
        test.clock.advance(30 * 86_400)
        _ = try await test.site.ask(TestSite.count(0.01), as: .ada)
        let counts = try test.site.logEntries().compactMap(\.count)
        #expect(counts.map(\.number).reduce(0, +) == refused)
        #expect(Set(counts.map(\.day)).count == counts.count && counts.map(\.day) == counts.map(\.day).sorted())
        #expect(try test.reopened().checkLog().count == 1)
    }

    @Test("Whoever shows the site a checkpoint makes it sign none sooner, so that nobody times an entry by asking")
    func comparing() async throws {
        let test = try TestSite()
        let first = try SignedCheckpoint(parsing: test.site.publishLog())
        _ = try await test.site.ask(TestSite.count(0.1), as: .ada)
        for _ in 0..<3 { try test.site.compareLog(first.bytes) }
        #expect(try test.site.openLog().latest()?.head == first.head)
        #expect(try SignedCheckpoint(parsing: test.site.logCheckpoint()).head == first.head)
        let second = try SignedCheckpoint(parsing: test.site.publishLog())
        #expect(second.head.size == first.head.size + 2)
        // A log whose last signature was lost is brought up by it: what was signed leads on.
        try FileManager.default.removeItem(atPath: test.path + "/log/checkpoint")
        let again = try test.reopened()
        try again.compareLog(second.bytes)
        #expect(try again.openLog().latest()?.head == second.head && again.suspension == nil)
    }

    @Test(
        "A witness keeps one proof of a log that split, however often it is shown another, and nothing of unknown logs")
    func evidence() async throws {
        let test = try TestSite()
        let folder = test.path + "/witness"
        let witness = try WitnessFolder(path: folder, name: "witness.example.org")
        let key = try SigningKey.generate(name: KeyName("log.example"), kind: .ed25519)
        try witness.add("\(key.verifierKey)")
        func ask(_ text: String, by signing: SigningKey) async throws -> Int {
            var frontier = MerkleFrontier()
            try frontier.append(.leaf(Array(text.utf8)))
            let signed = try SignedCheckpoint(
                signing: Checkpoint(origin: LogOrigin(signing.verifierKey.name), head: frontier.head),
                with: [signing.signer])
            let request = try AddCheckpointRequest(
                oldSize: 0, proof: ConsistencyProof(hashes: []), checkpoint: signed)
            return try await witness.answer(request.bytes).status
        }
        #expect(try await ask("one", by: key) == 200)
        let before = try FileManager.default.contentsOfDirectory(atPath: folder).count
        for number in 0..<20 {
            #expect(try await ask("other \(number)", by: key) != 200)
            let stranger = try SigningKey.generate(name: KeyName("stranger.example/\(number)"), kind: .ed25519)
            #expect(try await ask("one", by: stranger) == 404)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count <= before + 1)
        #expect(witness.latest(String(repeating: "../", count: 21) + "a") == nil)
    }

    @Test("A witness that changes its key cosigns on under the new one, and what the old one cosigned stays good")
    func keyRotation() async throws {
        let test = try TestSite()
        let old = try WitnessFolder(path: test.path + "/w1", name: "witness.example.org")
        let new = try WitnessFolder(path: test.path + "/w2", name: "witness.example.org")
        func name(_ witness: WitnessFolder) throws -> NamedWitness {
            try witness.add(test.site.logKey())
            try Data("witnesses: [{key: \"\(witness.key)\", url: \"http://127.0.0.1:1\"}]".utf8).write(
                to: URL(filePath: test.path + "/parley.yaml"))
            #expect(chmod(test.path + "/parley.yaml", 0o600) == 0)
            return try #require(try test.site.witnesses().first)
        }
        func cosign(_ witness: WitnessFolder) async throws -> LogProof {
            let named = try name(witness)
            // Witnesses are read when a server starts.
            let site = try test.reopened()
            let result = try await site.ask(TestSite.count(0.1), as: .ada)
            let request = try Receipt(decoding: #require(result.receipt)).body.request
            try site.publishLog()
            #expect(
                try await site.askWitness(
                    named,
                    by: { _, body in
                        let answer = try await witness.answer(body)
                        return (answer.status, answer.body)
                    }, fetching: { _ in nil }))
            return try LogProof(parsing: site.proof(of: request, as: .ada))
        }
        let log = LogIdentity(key: try VerifierKey(test.site.logKey()))
        for witness in [old, new] {
            let proof = try await cosign(witness)
            let entry = try ReceiptProof(decoding: proof.extra ?? []).entry
            for asked in [old, new] {
                let policy = try LogPolicy("witness w \(asked.key)\nquorum w\n")
                let verified = try? proof.verify(.leaf(entry.bytes), policy: policy, log: log, latestTime: 1 << 40)
                #expect((verified != nil) == (asked === witness))
            }
        }
    }
}
