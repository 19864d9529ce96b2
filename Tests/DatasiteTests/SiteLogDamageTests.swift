import DatasiteProtocol
import Foundation
import Testing
import TransparencyLog

@testable import Datasite

/// What files of the log that do not fit together are taken for: damage where the journal leads to what was signed, and else a restore.
@Suite("A datasite's log whose files do not fit together", .timeLimit(.minutes(10)))
struct SiteLogDamageTests {
    private func log(_ folder: String) -> LogFolder { LogFolder(path: folder + "/log") }

    private func ask(_ site: Datasite) async throws { _ = try await site.ask(TestSite.count(0.1), as: .ada) }

    @Test(
        "Where journal and counter were put back, and a repair was cut short, nothing is signed that the signed log is not the beginning of",
        arguments: [false, true])
    func cutShort(isRebuilt: Bool) async throws {
        let test = try TestSite()
        try await ask(test.site)
        try test.site.publishLog()
        let old = try test.copy()
        for _ in 0..<2 { try await ask(test.site) }
        let signed = try test.site.publishLog()
        let now = try test.copy()
        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm", "generation"] {
            try? FileManager.default.removeItem(atPath: now + "/" + name)
            try? FileManager.default.copyItem(atPath: old + "/" + name, toPath: now + "/" + name)
        }
        let site = try test.reopened(now)
        if isRebuilt {
            let files = try site.openLog()
            #expect(throws: SiteLog.WentBack.self) { try files.rebuild(site.store) }
        } else {
            try FileManager.default.removeItem(atPath: log(now).head)
        }
        let again = try test.reopened(now)
        #expect(again.suspension == nil)
        #expect(throws: Problem.self) { try again.publishLog() }
        #expect(again.suspension != nil && FileManager.default.contents(atPath: log(now).checkpoint) == Data(signed))
        #expect(throws: Problem.self) { try test.reopened(now).publishLog() }
    }

    @Test("A damaged index is repaired from the journal, and stops no site", arguments: [8, -1])
    func damagedIndex(place: Int) async throws {
        let test = try TestSite()
        for _ in 0..<3 { try await ask(test.site) }
        let signed = try test.site.publishLog()
        let folder = try test.copy()
        let index = log(folder).index
        var bytes = try #require(FileManager.default.contents(atPath: index))
        bytes[place < 0 ? bytes.count - 8 : place] ^= 1
        try bytes.write(to: URL(fileURLWithPath: index))
        let site = try test.reopened(folder)
        let problem = try #require(throws: Problem.self) { try site.checkLog() }
        #expect("\(problem)".contains("damaged"), "\(problem)")
        #expect(site.suspension == nil && !log(folder).isContradicted)
        try await ask(site)
        #expect(try site.checkLog(repairing: true).count == 1)
        let grown = try SignedCheckpoint(parsing: site.publishLog())
        let before = try SignedCheckpoint(parsing: signed)
        #expect(grown.head.size == before.head.size + 2)
        try site.compareLog(signed)
        #expect(site.suspension == nil)
    }

    @Test("What one process found stops another that runs; evidence to which the journal leads is none")
    func markedElsewhere() async throws {
        let test = try TestSite()
        try await ask(test.site)
        let signed = try test.site.publishLog()
        try Data(signed).write(to: URL(fileURLWithPath: log(test.path).contradiction))
        await #expect(throws: Problem.self) { try await ask(test.site) }
        _ = try test.site.checkLog()
        try await ask(test.site)
        #expect(!log(test.path).isContradicted)
    }

    @Test("A log that ends is never begun again under its number, and none ends while a server knows it")
    func numbers() async throws {
        let test = try TestSite()
        try await ask(test.site)
        try test.site.publishLog()
        let path = test.path
        func end() throws -> String {
            try Data([1]).write(to: URL(fileURLWithPath: log(path).contradiction))
            let site = try test.reopened(path)
            #expect(site.suspension != nil)
            _ = try site.acceptRestore()
            return try site.logKey()
        }
        #expect(try end().contains("/2+"))
        try FileManager.default.removeItem(atPath: path + "/log.1")
        #expect(try end().contains("/3+"))
        // An object that had the earlier log open signs nothing more under its name.
        #expect(throws: Problem.self) { try test.site.publishLog() }
        let server = try test.reopened(path)
        let lock = try server.acquireServerLock()
        try Data([1]).write(to: URL(fileURLWithPath: log(path).contradiction))
        let owner = try test.reopened(path)
        let problem = #expect(throws: Problem.self) { try owner.acceptRestore() }
        #expect(problem?.detail.contains("serves the site") == true)
        withExtendedLifetime(lock) {}
    }
}
