import DatasiteProtocol
import Foundation
import Governance
import Synchronization
import Testing

@testable import Datasite

@Suite("A database that is removed or replaced while it is open is noticed at once")
struct ReplacedFileTests {
    enum Change: String, CaseIterable, Sendable {
        case unlinked, replacedByCopy, logUnlinked, indexUnlinked
    }

    private static func change(_ change: Change, _ path: String) throws {
        let files = FileManager.default
        let database = path + "/parley.sqlite"
        switch change {
        case .unlinked: try files.removeItem(atPath: database)
        case .replacedByCopy:
            // The same bytes, put there by another name: only the inode tells.
            try files.copyItem(atPath: database, toPath: database + ".new")
            try files.removeItem(atPath: database)
            try files.moveItem(atPath: database + ".new", toPath: database)
        case .logUnlinked: try files.removeItem(atPath: database + "-wal")
        case .indexUnlinked: try files.removeItem(atPath: database + "-shm")
        }
    }

    @Test(
        "Asks, previews, decisions, authentication and changes refuse, and go on refusing", arguments: Change.allCases)
    func refuses(_ change: Change) async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}, approval: owner}")
        let site = test.site
        let token = try site.addUser("bea", role: .researcher)
        let id = try #require(try await site.ask(TestSite.count(1), as: .ada).pendingID)
        #expect(try site.authenticate(token)?.name == "bea" && site.suspension == nil)
        let before = site.statistics().transactions
        try Self.change(change, test.path)
        let refusals = [
            await problem { _ = try await site.ask(TestSite.count(1), as: .ada) },
            await problem { _ = try await site.preview(TestSite.count(1), as: .ada) },
            await problem { _ = try await site.approve(id, by: .folder) },
            await problem { _ = try await site.deny(id, by: .folder, reason: "no") },
            await problem { _ = try site.authenticate(token) }, await problem { _ = try site.datasets() },
            await problem { try site.revokeUser("bea") }, site.suspension,
        ]
        #expect(refusals.allSatisfy { $0 == DatabaseFile.problem }, "\(refusals)")
        #expect(site.statistics().transactions == before, "a change was written where nobody finds it")
        #expect(DatabaseFile.problem.kind == .siteUnavailable)
    }

    @Test("A database that was moved away and back is served by a server that is started again, not by this one")
    func movedAndBack() async throws {
        let test = try TestSite()
        let database = test.path + "/parley.sqlite"
        try FileManager.default.moveItem(atPath: database, toPath: database + ".away")
        #expect(await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada) }?.status == 503)
        try FileManager.default.moveItem(atPath: database + ".away", toPath: database)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada) }?.status == 503)
        _ = try await test.reopened().ask(TestSite.count(1), as: .ada)
    }

    @Test("An answer that is computed when its database goes is not given: the writer refuses it")
    func whileComputing() async throws {
        let test = try TestSite()
        var configuration = TestSite.configuration(test.clock)
        configuration.clock.sleepUntil = { _ in
            do { try FileManager.default.removeItem(atPath: test.path + "/parley.sqlite") } catch {
                Issue.record(error)
            }
        }
        let site = try Datasite(path: test.path, configuration: configuration)
        #expect(await problem { _ = try await site.ask(TestSite.count(1), as: .ada) } == DatabaseFile.problem)
        #expect(site.statistics().released == 0)
    }

    @Test("A change during whose commit the database goes is not told as done")
    func whileCommitting() async throws {
        let test = try TestSite()
        let refusal = await problem {
            try await test.site.commit.perform { context in
                try Meta.set(context.db, "test", 1)
                try FileManager.default.removeItem(atPath: test.path + "/parley.sqlite")
            }
        }
        #expect(refusal == DatabaseFile.problem)
    }
}
