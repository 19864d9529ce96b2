import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Synchronization
import Testing

@testable import Datasite

@Suite("A crash at any point leaves the budget at least as spent as the truth, and loses no answer")
struct CrashTests {
    @Test("What was reserved before a crash stays charged, and its key completes it once under that charge")
    func reservedThenCrashed() async throws {
        let test = try TestSite()
        let id = try await test.reserveOnly(TestSite.count(1), key: "k")
        let after = try test.reopened()
        #expect(try test.spent(after) == unit)
        #expect(try after.request(id, as: .ada).state == "reserved")
        #expect(await problem { _ = try after.receipt(id, as: .ada) }?.status == 404)
        let first = try await after.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        let second = try await after.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        #expect(first == second && first.answer != nil)
        #expect(try await after.answer(id, as: .ada) == first.answer)
        #expect(try test.spent(after) == unit)
        #expect(try after.audit(as: .auditor).count { $0.action == "released" } == 1)
        #expect(try after.verify().problems == [])
    }

    @Test("Without a key the request's own name completes it; another request under its key is a conflict")
    func completedByName() async throws {
        let test = try TestSite()
        let id = try await test.reserveOnly(TestSite.count(1), key: nil)
        #expect(try await !test.site.answer(id, as: .ada).isEmpty)
        _ = try await test.reserveOnly(TestSite.count(1), key: "k")
        let other = await problem { _ = try await test.site.ask(TestSite.count(2), as: .ada, idempotencyKey: "k") }
        #expect(other?.kind == .conflict)
        #expect(try test.spent() == 2 * unit)
    }

    @Test("Two processes that complete one reservation draw noise twice and let one answer out")
    func twoCompletions() async throws {
        let test = try TestSite()
        let id = try await test.reserveOnly(TestSite.count(1), key: nil)
        let sites = [test.site, try test.reopened(), try test.reopened()]
        let answers = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for site in sites { group.addTask { try await site.answer(id, as: .ada) } }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(answers.count == 1)
        #expect(try test.site.audit(as: .auditor).count { $0.action == "released" } == 1)
    }

    @Test("A reservation whose dataset has changed keeps its charge and is not answered from other rows")
    func datasetChanged() async throws {
        let test = try TestSite()
        let id = try await test.reserveOnly(TestSite.count(1), key: "k")
        _ = try test.site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 9)))
        let refusal = await problem { _ = try await test.site.answer(id, as: .ada) }
        #expect(refusal?.kind == .conflict)
        #expect(try test.spent() == unit)
        #expect(try test.site.verify().problems == [])
    }

    @Test("An approved request that a crash left unanswered is completed when it is fetched")
    func approvedThenCrashed() async throws {
        let test = try TestSite(policy: ApprovalTests.policy)
        let id = try #require(try await test.site.ask(TestSite.count(1), as: .ada).pendingID)
        try test.site.write { context in
            _ = try RequestRow.move(id, from: .pending, to: .reserved, context.db)
            try context.journal(JournalEntry(action: .reserved, actor: "ada", time: context.now, request: id))
        }
        #expect(try await !test.reopened().answer(id, as: .ada).isEmpty)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A copy of the files at any moment under load opens, verifies and holds every answer that had been given")
    func copiesUnderLoad() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 100}}")
        for round in 0..<6 {
            let given = Given()
            async let load: Void = withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<6 {
                            if let answer = try? await test.site.ask(TestSite.count(0.01), as: .ada).answer {
                                given.add(sha256Hex(answer))
                            }
                        }
                    }
                }
            }
            try await Task.sleep(for: .milliseconds(3 * round))
            // Counted before the copy is made: the copy may hold more, never less.
            let before = given.all
            // The database's own copy is a moment's state, as the disk after a crash is; copying its files one after the
            // other under load is not.
            let copy = try test.copyAtOnce()
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let after = try test.reopened(copy)
            let stored = try after.read { db in
                try Row.fetchAll(db, sql: "SELECT answer FROM answers").map { sha256Hex($0[0] as Data) }
            }
            let requests = try after.requests(as: .auditor).count
            #expect(Set(before).isSubset(of: Set(stored)))
            #expect(try test.spent(after) == Int64(requests) * unit / 100)
            #expect(stored.count <= requests)
            await load
        }
    }

    @Test("A log that is cut anywhere opens at an earlier commit, and what is missing is noticed")
    func truncatedLog() async throws {
        let test = try TestSite()
        for _ in 0..<5 { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }
        let log = test.path + "/parley.sqlite-wal"
        let size = try #require(try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int)
        for fraction in [0.99, 0.9, 0.6, 0.3] {
            let copy = try test.copy()
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let file = try #require(FileHandle(forWritingAtPath: copy + "/parley.sqlite-wal"))
            try file.truncate(atOffset: UInt64(Double(size) * fraction))
            try file.close()
            try? FileManager.default.removeItem(atPath: copy + "/parley.sqlite-shm")
            let after = try test.reopened(copy)
            // An answer was given that this database does not know: nothing more leaves.
            let refusal = await problem { _ = try await after.ask(TestSite.count(0.1), as: .ada) }
            #expect(refusal?.kind == .siteUnavailable)
            // Where the population itself was lost, its charge waits until it is added again.
            let knowsPopulation = try test.spent(after) >= 0
            _ = try after.acceptRestore()
            if knowsPopulation { #expect(try test.spent(after) == unit / 2) }
        }
    }

    /// Digests of answers that were given.
    private final class Given: Sendable {
        private let digests = Mutex<[String]>([])
        func add(_ digest: String) { digests.withLock { $0.append(digest) } }
        var all: [String] { digests.withLock { $0 } }
    }
}
