import DatasiteProtocol
import Foundation
import Testing
import TransparencyLog

@testable import Datasite

/// What ties a site's logs together, what opens an entry, and what lies in the log's folder.
@Suite("A datasite's logs, one after the other, and their files", .timeLimit(.minutes(10)))
struct SiteLogChainTests {
    private func checkpoint(_ site: Datasite) throws -> SignedCheckpoint {
        try SignedCheckpoint(parsing: site.publishLog())
    }

    private func ask(_ site: Datasite) async throws { _ = try await site.ask(TestSite.count(0.1), as: .ada) }

    private func ended(_ site: Datasite) throws -> [(place: Int, log: LogEntry.EndedLog)] {
        try site.logEntries().enumerated().compactMap { place, entry in entry.ended.map { (place, $0) } }
    }

    @Test(
        "The log that a restore begins says first of its own how the earlier one ended, as others hold it, and stays verifiable"
    )
    func chained() async throws {
        let test = try TestSite()
        try await ask(test.site)
        let shared = try checkpoint(test.site)
        let old = try test.copy()
        for _ in 0..<2 { try await ask(test.site) }
        let later = try checkpoint(test.site)
        let restored = try test.reopened(old)
        #expect(throws: Problem.self) { try restored.compareLog(later.bytes) }
        let consequences = try restored.consequences(of: .acceptRestore).touched
        #expect(
            consequences.contains { $0.contains("population patients") && $0.contains("whole budget is charged") }
                && consequences.contains { $0.hasPrefix("the site's log ends") }, "\(consequences)")
        #expect(restored.suspension != nil)
        let remarks = try restored.acceptRestore()
        #expect(try remarks.contains { $0.contains(try restored.logKey()) }, "\(remarks)")
        let ends = try ended(restored)
        let end = try #require(ends.first)
        #expect(ends.count == 1 && end.place == Int(shared.head.size))
        #expect(end.log.number == 1 && end.log.size == Int64(later.head.size))
        #expect(end.log.root == hexadecimal(later.head.root.bytes))
        let entries = try restored.logEntries()
        #expect(entries[end.place].kind == "log ended" && entries[end.place + 1].kind == "restore accepted")
        for entry in entries { #expect(try LogEntry(decoding: entry.bytes) == entry) }
        // Both logs share what came before.
        var tiles = try VerifiedTiles(
            head: try #require(try restored.openLog().latest()).head, read: restored.openLog().folder.read)
        #expect(try tiles.head(at: shared.head.size) == shared.head)
        #expect(try restored.checkLog().count == 1 && restored.verify().isSound)
        #expect(try restored.explainLog(end.place).contains { $0.contains("log 1 ended at 9 entries") })
        #expect(throws: Problem.self) { try restored.consequences(of: .acceptRestore) }

        // A third one names the second, in an entry of the same length.
        try FileManager.default.copyItem(atPath: old, toPath: old + "-again")
        defer { try? FileManager.default.removeItem(atPath: old + "-again") }
        _ = try restored.addUser("bob", role: .researcher)
        let second = try checkpoint(restored)
        let again = try test.reopened(old + "-again")
        #expect(throws: Problem.self) { try again.compareLog(second.bytes) }
        _ = try again.acceptRestore()
        let logs = try ended(again)
        #expect(logs.map(\.log.number) == [1, 2] && logs.last?.log.size == Int64(second.head.size))
        let bytes = try again.logEntries().filter { $0.ended != nil }.map(\.bytes.count)
        #expect(Set(bytes).count == 1)
    }

    @Test(
        "A folder that is put back from before an accepted restore is found by whoever holds the later log, whose number is not used again"
    )
    func laterLog() async throws {
        let test = try TestSite()
        try await ask(test.site)
        let first = try checkpoint(test.site)
        let old = try test.copy()
        try Data([1]).write(to: URL(fileURLWithPath: test.path + "/log/contradiction"))
        let second = try test.reopened()
        _ = try second.acceptRestore()
        let signed = try checkpoint(second)
        // What is of the log that ended is no evidence against the one that goes on.
        #expect(throws: Problem.self) { try second.compareLog(first.bytes) }
        #expect(second.suspension == nil)
        let restored = try test.reopened(old)
        let told = await problem { try restored.compareLog(signed.bytes) }
        #expect(told?.detail.contains("others hold a checkpoint") == true && restored.suspension != nil)
        let still = try test.reopened(old).checkLog()
        #expect(still.count == 2 && still[1].contains("stands still"), "\(still)")
        _ = try restored.acceptRestore()
        #expect(try restored.logKey().contains("/3+"))
        #expect(
            try ended(restored).map(\.log) == [
                LogEntry.EndedLog(number: 2, size: Int64(signed.head.size), root: hexadecimal(signed.head.root.bytes))
            ])
    }

    @Test("Accepting that was cut short names the log that ended once")
    func cutShort() async throws {
        let test = try TestSite()
        try await ask(test.site)
        let old = try test.copy()
        try await ask(test.site)
        let signed = try checkpoint(test.site)
        let now = try test.copy()
        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: now + "/" + name)
            try? FileManager.default.copyItem(atPath: old + "/" + name, toPath: now + "/" + name)
        }
        _ = try test.reopened(now).acceptRestore()
        // Killed behind the charges: before the log that ended had another name, and between its end and the new one's beginning.
        for isMoved in [false, true] {
            try FileManager.default.removeItem(atPath: now + "/log")
            if !isMoved { try FileManager.default.moveItem(atPath: now + "/log.1", toPath: now + "/log") }
            let site = try test.reopened(now)
            #expect(try site.logKey().contains("/2+"))
            #expect(try ended(site).map(\.log.size) == [Int64(signed.head.size)])
            #expect(FileManager.default.fileExists(atPath: now + "/log.1"))
        }
        // Others tell of what is gone: it is known already.
        try Data([1]).write(to: URL(fileURLWithPath: now + "/log/contradiction"))
        _ = try test.reopened(now).acceptRestore()
        #expect(try ended(test.reopened(now)).map(\.log.number) == [1, 2])
    }

    @Test("Where log and journal were put back together, and the counter alone is newer, another log is begun as well")
    func counterAlone() async throws {
        let test = try TestSite()
        try await ask(test.site)
        try test.site.publishLog()
        let old = try test.copy()
        try await ask(test.site)
        _ = try checkpoint(test.site)
        try FileManager.default.removeItem(atPath: old + "/generation")
        try FileManager.default.copyItem(atPath: test.path + "/generation", toPath: old + "/generation")
        let site = try test.reopened(old)
        #expect(site.suspension != nil)
        _ = try site.acceptRestore()
        #expect(try site.logKey().contains("/2+"))
    }

    @Test(
        "A number that anything in the folder speaks of is not used again, and what a restore left there is in nobody's way"
    )
    func numbers() async throws {
        let test = try TestSite()
        try await ask(test.site)
        try test.site.publishLog()
        let old = try test.copy()
        for name in ["again", "cut"] { try FileManager.default.copyItem(atPath: old, toPath: old + "-" + name) }
        defer { for name in ["again", "cut"] { try? FileManager.default.removeItem(atPath: old + "-" + name) } }
        try Data([1]).write(to: URL(fileURLWithPath: test.path + "/log/contradiction"))
        let second = try test.reopened()
        _ = try second.acceptRestore()
        let signed = try checkpoint(second)
        // A folder of that name is there already.
        try FileManager.default.copyItem(atPath: test.path + "/log.1", toPath: old + "-again/log.1")
        let again = try test.reopened(old + "-again")
        #expect(throws: Problem.self) { try again.compareLog(signed.bytes) }
        _ = try again.acceptRestore()
        #expect(try again.logKey().contains("/3+"))
        // Killed where the stopped log has another name, and no other is begun.
        let cut = try test.reopened(old + "-cut")
        #expect(throws: Problem.self) { try cut.compareLog(signed.bytes) }
        try FileManager.default.moveItem(atPath: old + "-cut/log", toPath: old + "-cut/log.1")
        #expect(try test.reopened(old + "-cut").logKey().contains("/3+"))
    }

    @Test("Partial tiles are served at every width, whenever the log was signed, and the newest alone is kept")
    func partialTiles() async throws {
        let (one, other) = (try TestSite(), try TestSite())
        for _ in 0..<6 {
            try await ask(one.site)
            try one.site.publishLog()
            try await ask(other.site)
        }
        try other.site.publishLog()
        let size = Int(try checkpoint(one.site).head.size)
        for test in [one, other] {
            for width in 1...size {
                for tile in ["tile/entries/000.p/\(width)", "tile/0/000.p/\(width)"] {
                    let bytes = try test.site.logTile(tile)
                    let whole = try test.site.logTile(tile.replacing(".p/\(width)", with: ".p/\(size)"))
                    #expect(whole.starts(with: bytes))
                }
                #expect(try test.site.logTile("tile/0/000.p/\(width)").count == 32 * width)
            }
            #expect(throws: Problem.self) { try test.site.logTile("tile/0/000.p/\(size + 1)") }
            for folder in ["entries/000.p", "0/000.p"] {
                let kept = try FileManager.default.contentsOfDirectory(atPath: test.path + "/log/tile/" + folder)
                #expect(kept == ["\(size)"], "\(kept)")
            }
        }
        let before = try one.site.logTile("tile/entries/000.p/7")
        // Parts are served out of a full tile too, and of the level above.
        try one.site.write { context in
            for _ in 0..<600 {
                try context.journal(JournalEntry(action: .denied, actor: "ada", time: context.now, dataset: "visits"))
            }
        }
        try one.site.publishLog()
        #expect(try one.site.logTile("tile/entries/000.p/7") == before)
        #expect(try one.site.logTile("tile/0/001.p/3").count == 96 && one.site.logTile("tile/1/000.p/1").count == 32)
        #expect(try one.site.checkLog().count == 1)
    }

    @Test("What opens an entry is proved offline, and opens no other; what is cut or changed is refused")
    func openings() async throws {
        let test = try TestSite()
        try await ask(test.site)
        let log = LogIdentity(key: try VerifierKey(test.site.logKey()))
        func opened(_ bytes: [UInt8]) throws -> LogOpening {
            let proof = try LogProof(parsing: bytes)
            let opening = try LogOpening(decoding: proof.extra ?? [])
            _ = try proof.verify(
                .leaf(opening.entry.bytes), policy: .withoutWitnesses, log: log, latestTime: 1 << 40)
            #expect(opening.extra == proof.extra)
            return opening
        }
        let both = try opened(test.site.logOpening(of: 3, datasets: true, actor: true))
        #expect(both.datasets?.text == "visits" && both.actor?.text == "ada" && both.entry.kind == "reserved")
        let one = try opened(test.site.logOpening(of: 3, datasets: true, actor: false))
        #expect(one.actor == nil && one.datasets == both.datasets)
        let text = String(decoding: one.extra, as: UTF8.self)
        let hidden = try #require(both.actor).opening
        #expect(!text.contains("ada\"") && !text.contains(hidden))
        let next = try opened(test.site.logOpening(of: 4, datasets: true, actor: true))
        #expect(next.datasets?.opening != both.datasets?.opening && next.entry != both.entry)
        #expect(throws: JSONError.self) { try LogOpening(entry: both.entry, datasets: next.datasets, actor: nil) }
        #expect(throws: JSONError.self) { try LogOpening(entry: both.entry, datasets: nil, actor: nil) }
        #expect(throws: JSONError.self) {
            try LogOpening(
                entry: both.entry, datasets: .init(text: "other", opening: both.datasets?.opening ?? ""), actor: nil)
        }
        // What opens and what is named, cut apart elsewhere: the first of two names would be hidden.
        var entry = both.entry
        let opening = String(repeating: "a", count: 64)
        entry.datasets = LogEntry.commitment(to: "one\ntwo", opening: opening)
        _ = try LogOpening(entry: entry, datasets: .init(text: "one\ntwo", opening: opening), actor: nil)
        #expect(throws: JSONError.self) {
            try LogOpening(entry: entry, datasets: .init(text: "two", opening: opening + "\none"), actor: nil)
        }
        // Who has no dataset to name.
        #expect(await problem { _ = try test.site.logOpening(of: 0, datasets: true, actor: false) }?.status == 400)
        #expect(await problem { _ = try test.site.logOpening(of: 99, datasets: true, actor: true) }?.status == 404)
        let request = try #require(both.entry.request)
        #expect(try test.site.explainLog(3).contains("request \(request)"))
    }

    // MARK: Its files

    @Test("A check looks at each file: what is not signed, missing, left over or none of the log's is said in words")
    func files() async throws {
        let test = try TestSite()
        for _ in 0..<3 { try await ask(test.site) }
        let signed = try checkpoint(test.site)
        let log = test.path + "/log"
        func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: log + "/" + name))
        }
        try write([1], to: "notes.txt")
        try write([1], to: "tile/0/000.p/2")
        try write([1], to: "index.partial")
        let report = try test.reopened().checkLog()
        #expect(
            report.count == 3 && report[1].contains("notes.txt") && report[2].contains("tile/0/000.p/2")
                && report[2].contains("index.partial"), "\(report)")
        let repaired = try test.reopened().checkLog(repairing: true)
        #expect(repaired.count == 2 && FileManager.default.fileExists(atPath: log + "/notes.txt"), "\(repaired)")
        #expect(!FileManager.default.fileExists(atPath: log + "/index.partial"))
        try FileManager.default.removeItem(atPath: log + "/notes.txt")

        // A tile that is gone: in words, and no dump of a type.
        let size = signed.head.size
        for name in ["tile/entries/000.p/\(size)", "tile/0/000.p/\(size)"] {
            try FileManager.default.removeItem(atPath: log + "/" + name)
            let problem = try #require(await problem { _ = try test.reopened().checkLog() })
            #expect(problem.detail.contains(name) && problem.detail.contains("missing"), "\(problem)")
            #expect(!problem.detail.contains("Problem(") && problem.hint?.contains("--repair") == true)
            #expect(try test.reopened().checkLog(repairing: true).count == 1)
        }
        // A checkpoint that another key signed, or that is none.
        let stranger = try TestSite()
        for bytes in [try stranger.site.publishLog(), [1, 2, 3]] {
            for name in ["checkpoint", "cosigned"] {
                try write(bytes, to: name)
                let problem = try #require(await problem { _ = try test.reopened().checkLog() })
                #expect(problem.detail.contains(log + "/" + name), "\(problem)")
                let report = try test.reopened().checkLog(repairing: true)
                #expect(report.count == 2 && report[1].contains(name), "\(report)")
                #expect(try checkpoint(test.reopened()).head == signed.head)
            }
        }
        #expect(try test.reopened().suspension == nil)
        // A cosigned checkpoint that the journal does not lead to is evidence.
        let restored = try test.copy()
        try await ask(test.site)
        let later = try checkpoint(test.site)
        try Data(later.bytes).write(to: URL(fileURLWithPath: restored + "/log/cosigned"))
        #expect(
            await problem { _ = try test.reopened(restored).checkLog() }?.detail.contains("others hold") == true)
        #expect(
            FileManager.default.contents(atPath: restored + "/log/contradiction") == Data(later.bytes))
        try FileManager.default.removeItem(atPath: restored + "/log/cosigned")
        let still = try test.reopened(restored).checkLog()
        #expect(still.count == 2 && still[1].contains("stands still"), "\(still)")
    }

    @Test("A log does not go on under another key")
    func otherKey() async throws {
        let test = try TestSite()
        try await ask(test.site)
        try test.site.publishLog()
        let (copy, stranger) = (try test.copy(), try TestSite())
        try FileManager.default.removeItem(atPath: copy + "/site.key")
        try FileManager.default.copyItem(atPath: stranger.path + "/site.key", toPath: copy + "/site.key")
        let problem = await problem { _ = try test.reopened(copy).publishLog() }
        #expect(problem?.hint?.contains("keeps its key for ever") == true, "\(problem?.detail ?? "none")")
    }
}
