import Crypto
import DatasiteProtocol
import Foundation
import GRDB
import Testing
import TransparencyLog

@testable import Datasite

@Suite("The transparency log of a datasite", .timeLimit(.minutes(10)))
struct SiteLogTests {
    private static let none = LogPolicy.withoutWitnesses

    private func checkpoint(_ site: Datasite) throws -> SignedCheckpoint {
        try SignedCheckpoint(parsing: site.publishLog())
    }

    private func ask(_ test: TestSite, _ site: Datasite? = nil) async throws -> Receipt {
        let result = try await (site ?? test.site).ask(TestSite.count(0.1), as: .ada)
        return try Receipt(decoding: try #require(result.receipt))
    }

    @Test(
        "Each entry of the journal is one of the log, of one length a kind, without a name, an account or a time; a day's refusals are one"
    )
    func content() async throws {
        let test = try TestSite()
        let receipt = try await ask(test)
        for _ in 0..<5 { _ = await problem { _ = try await test.site.ask(TestSite.count(11), as: .ada) } }
        #expect(try test.site.logEntries().allSatisfy { $0.kind != LogEntry.refusals && $0.kind != "refused" })
        test.clock.advance(86_400)
        _ = try await ask(test)
        let entries = try test.site.logEntries()
        let counted = try #require(entries.first { $0.kind == LogEntry.refusals })
        #expect(counted.count?.number == 5 && counted.count?.day == "2027-01-15", "\(counted)")
        #expect(
            entries.map(\.kind)
                == [
                    "site created", "dataset added", "user added", "reserved", "released", LogEntry.refusals,
                    "reserved", "released",
                ])
        let released = try #require(entries.first { $0.kind == "released" })
        #expect(released.agrees(with: receipt) && released.journal == receipt.body.journalHash)
        let reserved = try #require(entries.first { $0.kind == "reserved" })
        #expect(reserved.charge == receipt.body.charge && reserved.request == receipt.body.request)
        for kind in Set(entries.map(\.kind)) {
            #expect(Set(entries.filter { $0.kind == kind }.map(\.bytes.count)).count == 1, "\(kind)")
        }
        let text = String(decoding: entries.flatMap(\.bytes), as: UTF8.self)
        for secret in ["\"ada\"", "visits", "patients", "2027-01-16", "1800000000"] {
            #expect(!text.contains(secret), "\(secret)")
        }
        // A name is found out with the opening that its site gives, and not by trying names without it.
        let words = try test.site.explainLog(4)
        #expect(words.contains("datasets: visits") && words.contains("by datasite"), "\(words)")
        let opening = try #require(words.first { $0.hasPrefix("the names open with ") }?.suffix(64))
        #expect(LogEntry.commitment(to: "visits", opening: String(opening)) == released.datasets)
        #expect(LogEntry.commitment(to: "visits", opening: String(repeating: "0", count: 64)) != released.datasets)
        #expect(
            entries.filter { $0.kind == "released" }.map(\.datasets).count
                == Set(entries.compactMap { $0.kind == "released" ? $0.datasets : nil }).count)
        for entry in entries { #expect(try LogEntry(decoding: entry.bytes) == entry) }
    }

    @Test("A release is proved offline with its receipt; another entry, receipt, root or key is refused")
    func proof() async throws {
        let test = try TestSite()
        let first = try await ask(test)
        let second = try await ask(test)
        #expect(await problem { _ = try test.site.proof(of: first.body.request, as: .ada) }?.kind == .notFound)
        try test.site.publishLog()
        let bytes = try test.site.proof(of: first.body.request, as: .ada)
        let proof = try LogProof(parsing: bytes)
        let carried = try ReceiptProof(decoding: proof.extra ?? [])
        let log = LogIdentity(key: try VerifierKey(test.site.logKey()))
        #expect(carried.receipt == first && carried.entry.agrees(with: first))
        let verified = try proof.verify(
            .leaf(carried.entry.bytes), policy: Self.none, log: log, latestTime: 1 << 40)
        #expect(verified.cosignatures.isEmpty && verified.checkpoint.head.size == 7)
        var other = carried.entry
        other.answer = second.body.answerDigest
        #expect(throws: PolicyError.self) {
            try proof.verify(.leaf(other.bytes), policy: Self.none, log: log, latestTime: 1 << 40)
        }
        #expect(throws: JSONError.self) {
            try ReceiptProof(decoding: ReceiptProof.extra(receipt: second.encoded, entry: carried.entry.bytes))
        }
        let stranger = try TestSite()
        let strange = LogIdentity(key: try VerifierKey(stranger.site.logKey()))
        #expect(throws: PolicyError.self) {
            try proof.verify(.leaf(carried.entry.bytes), policy: Self.none, log: strange, latestTime: 1 << 40)
        }
        #expect(
            await problem {
                _ = try test.site.proof(of: first.body.request, as: Identity(name: "eve", role: .researcher))
            } != nil)
    }

    @Test("Processes that add in turn, and files that a crash left half-written, give one log")
    func crashes() async throws {
        let test = try TestSite()
        var seen: [SignedCheckpoint] = []
        for round in 0..<12 {
            _ = try await ask(test)
            let before = try test.copy()
            let site = round % 2 == 0 ? test.site : try test.reopened()
            seen.append(try checkpoint(site))
            // What another process of the same files comes to, which ended before this one wrote: the same root for the same size.
            let copy = try test.reopened(before)
            #expect(try checkpoint(copy).head == seen.last?.head)
            // A process that ended between its writes: files of a head that was not stored, and a head that was not signed.
            let log = LogFolder(path: before + "/log")
            for file in [log.checkpoint, log.head].prefix(round % 3) {
                try? FileManager.default.removeItem(atPath: file)
            }
            #expect(try checkpoint(try test.reopened(before)).head == seen.last?.head)
            try FileManager.default.removeItem(atPath: before)
        }
        let last = try #require(seen.last)
        var tiles = try VerifiedTiles(head: last.head, read: test.site.openLog().folder.read)
        for earlier in seen { #expect(try tiles.head(at: earlier.head.size) == earlier.head) }
        #expect(try test.site.checkLog().first?.contains("\(last.head.size) entries") == true)
    }

    @Test("A log of many entries is brought up in pieces, found by its entries, and made anew from the journal")
    func large() async throws {
        let test = try TestSite()
        let count = 20_000
        try test.site.write { context in
            for number in 0..<count {
                let action: JournalAction = number % 7 == 3 ? .refused : .denied
                try context.journal(
                    JournalEntry(
                        action: action, actor: "ada", time: context.now + Int64(number) * 60, dataset: "visits"))
            }
        }
        let signed = try checkpoint(test.site)
        // 20,000 minutes are 13 days and some; the last day's refusals are not counted yet.
        let refusals = (0..<count).count { $0 % 7 == 3 }
        let entries = try test.site.logEntries()
        let counts = entries.compactMap(\.count)
        #expect(Int(signed.head.size) == 3 + count - refusals + counts.count && (13...14).contains(counts.count))
        #expect(counts.map(\.number).reduce(0, +) < refusals && Set(counts.map(\.day)).count == counts.count)
        let records = try LogIndex(path: test.site.openLog().folder.index).records(Int(signed.head.size))
        for place in stride(from: 0, to: records.count, by: 97) where !records[place].isCount {
            #expect(records.place(of: records[place].number) == place)
        }
        #expect(records.place(of: 7) == nil && records.place(of: 1 << 40) == nil)
        let log = test.site.path("log/tile/0/000")
        try FileManager.default.removeItem(atPath: log)
        let refusal = await problem { _ = try test.reopened().checkLog() }
        #expect(
            refusal?.detail.contains("damaged") == true || refusal?.detail.contains("cannot be read") == true,
            "\(refusal?.detail ?? "none")")
        _ = try test.reopened().checkLog(repairing: true)
        #expect(try checkpoint(test.reopened()).head == signed.head)
        // Refusals that were not counted are after a restart.
        test.clock.advance(30 * 86_400)
        _ = try await ask(test, try test.reopened())
        let all = try test.reopened().logEntries().compactMap(\.count).map(\.number).reduce(0, +)
        #expect(all == Int64(refusals))
        #expect(try test.reopened().checkLog().count == 1)
    }

    @Test(
        "A folder that is put back whole is found by whoever holds a later checkpoint: the site stops, all is charged, and a new log begins"
    )
    func restored() async throws {
        let test = try TestSite()
        _ = try await ask(test)
        try test.site.publishLog()
        let old = try test.copy()
        _ = try await ask(test)
        let later = try checkpoint(test.site)
        let restored = try test.reopened(old)
        // Alone it notices nothing.
        #expect(restored.suspension == nil)
        _ = try await ask(test, restored)
        let told = await problem { try restored.compareLog(later.bytes) }
        #expect(told?.detail.contains("others hold a checkpoint") == true, "\(told?.detail ?? "nothing")")
        for site in [restored, try test.reopened(old)] {
            #expect(await problem { _ = try await site.ask(TestSite.count(0.1), as: .ada) }?.kind == .siteUnavailable)
            #expect(await problem { _ = try site.publishLog() } != nil)
        }
        let owner = try test.reopened(old)
        let remarks = try owner.acceptRestore()
        #expect(
            remarks.contains { $0.contains("its whole budget is charged") }
                && remarks.contains { $0.contains("a new log is begun") }, "\(remarks)")
        #expect(await problem { _ = try await owner.ask(TestSite.count(0.1), as: .ada) }?.kind == .overBudget)
        let key = try owner.logKey()
        #expect(try key != test.site.logKey() && key.contains("/2+"))
        #expect(try checkpoint(owner).head.size > 0 && owner.suspension == nil)
        // What the old log says of the new one's site is no contradiction any more, nor what the new one says.
        #expect(await problem { try owner.compareLog(later.bytes) }?.kind == .forbidden)
        try owner.compareLog(owner.logCheckpoint())
        #expect(FileManager.default.fileExists(atPath: old + "/log.1/checkpoint"))
    }

    @Test("A database that is put back stops the site without being told; what others tell of another site is refused")
    func databaseRestored() async throws {
        let test = try TestSite()
        _ = try await ask(test)
        let old = try test.copy()
        _ = try await ask(test)
        let signed = try checkpoint(test.site)
        // The log and the counter stay, the database is older.
        let now = try test.copy()
        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: now + "/" + name)
            try? FileManager.default.copyItem(atPath: old + "/" + name, toPath: now + "/" + name)
        }
        let site = try test.reopened(now)
        #expect(site.suspension != nil)
        #expect(try site.acceptRestore().contains { $0.contains("a new log is begun") })
        #expect(
            try site.logKey().contains("/2+")
                && SignedCheckpoint(parsing: site.publishLog()).checkpoint.origin != signed.checkpoint.origin)
        let stranger = try TestSite()
        #expect(await problem { try stranger.site.compareLog(signed.bytes) }?.kind == .forbidden)
        #expect(await problem { try stranger.site.compareLog([1, 2, 3]) }?.kind == .forbidden)
        #expect(stranger.site.suspension == nil)
    }

    @Test("Tiles are served as far as they are signed, and nothing else of the folder")
    func tiles() async throws {
        let test = try TestSite()
        let signed = try checkpoint(test.site)
        #expect(signed.head.size == 3)
        #expect(try test.site.logTile("tile/entries/000.p/3").count > 300)
        #expect(try test.site.logTile("tile/0/000.p/3").count == 96)
        for path in [
            "tile/0/000", "tile/0/000.p/4", "tile/entries/001", "tile/9/000", "tile/../origin", "index",
            "tile/0/x000/000", "",
            "tile/0/000.p/03",
        ] {
            #expect(await problem { _ = try test.site.logTile(path) }?.kind == .notFound, "\(path)")
        }
    }

    @Test("Witnesses cosign what grows; one that saw more than the site holds stops it, and one that lies does not")
    func witnesses() async throws {
        let test = try TestSite()
        let folder = test.path + "/witness"
        let witness = try WitnessFolder(path: folder, name: "witness.example.org")
        try witness.add(test.site.logKey())
        try Data("witnesses: [{key: \"\(witness.key)\", url: \"http://127.0.0.1:1\"}]".utf8).write(
            to: URL(filePath: test.path + "/parley.yaml"))
        #expect(chmod(test.path + "/parley.yaml", 0o600) == 0)
        let named = try #require(try test.site.witnesses().first)
        let post: WitnessPost = { _, body in
            let answer = try await witness.answer(body)
            return (answer.status, answer.body)
        }
        let fetch: @Sendable (String) async throws -> [UInt8]? = { url in
            witness.latest(String(url.split(separator: "/").dropLast().last ?? ""))
        }
        let old = try test.copy()
        let policy = try LogPolicy("witness w \(witness.key)\nquorum w\n")
        for _ in 0..<3 {
            let receipt = try await ask(test)
            try test.site.publishLog()
            #expect(try await test.site.askWitness(named, by: post, fetching: fetch))
            #expect(try await !test.site.askWitness(named, by: post, fetching: fetch))
            let proof = try LogProof(parsing: test.site.proof(of: receipt.body.request, as: .ada))
            let log = LogIdentity(key: try VerifierKey(test.site.logKey()))
            let entry = try ReceiptProof(decoding: proof.extra ?? []).entry
            #expect(
                try proof.verify(.leaf(entry.bytes), policy: policy, log: log, latestTime: 1 << 40).cosignatures.count
                    == 1)
        }
        // The last cosigned checkpoint proves what it covers, though a newer one is not cosigned yet.
        let earlier = try #require(try test.site.openLog().latest())
        _ = try await ask(test)
        try test.site.publishLog()
        let restored = try test.reopened(old)
        try restored.publishLog()
        let lying: WitnessPost = { _, _ in (409, Array("1000000\n".utf8)) }
        #expect(await problem { try await restored.askWitness(named, by: lying, fetching: { _ in nil }) } != nil)
        #expect(restored.suspension == nil)
        #expect(
            await problem { try await restored.askWitness(named, by: post, fetching: fetch) }?.detail.contains(
                "others hold") == true)
        #expect(restored.suspension != nil)
        // A witness that is begun again from its folder goes on.
        #expect(earlier.note.signatures.count == 2)
    }
}

extension LogPolicy {
    /// Of readers who ask for no cosignature.
    static var withoutWitnesses: LogPolicy {
        guard let policy = try? LogPolicy("quorum none\n") else { preconditionFailure("a policy") }
        return policy
    }
}

extension Datasite {
    fileprivate func path(_ name: String) -> String { folder.path + "/" + name }
}
