import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Synchronization
import Testing

@testable import Datasite

/// Folders that earlier versions wrote, one a schema (`Fixtures/sites/schema-N`), as a killed process left them. Each has a
/// spent budget, an answer to a join, a held, a denied, an approved and a refused question, a synthetic table, and a question
/// and a synthetic table that were charged and then cut short.
@Suite("A site that an earlier version wrote opens, verifies, keeps its budget and answers", .serialized)
struct StoredSiteTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/sites")
    static let schemas = (1...99).filter { FileManager.default.fileExists(atPath: folder.path + "/schema-\($0)") }

    private static let cut = "8adce912636e3bd9f164a30501f934f4"
    private static let pending = "1cde4c0bf5cb90c5ae7d7f2515a609da"
    private static let first = "91212f2791b947e1821fb88de6a295e1"
    private static let olga = Identity(name: "olga", role: .owner)

    /// A copy of the folder, and a clock some minutes after it was written.
    private func opened(_ schema: Int) throws -> (site: Datasite, path: String) {
        let path = FileManager.default.temporaryDirectory.path + "/parley-stored-" + UUID().uuidString
        let stored = Self.folder.path + "/schema-\(schema)"
        try FileManager.default.copyItem(atPath: stored, toPath: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        for file in ["site.key", "rows.secret"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + "/" + file)
        }
        let clock = TestClock()
        // The fixture was written at 1,795,875,561.
        clock.advance(1_795_876_000 - clock.clock.now())
        return (try Datasite(path: path, configuration: TestSite.configuration(clock)), path)
    }

    private func spent(_ site: Datasite) throws -> [String: Int64] {
        var spent: [String: Int64] = [:]
        for population in try site.read(PopulationRow.all) { spent[population.name] = population.spent.amount }
        return spent
    }

    @Test("It is sound, and what was spent is spent", arguments: schemas)
    func budget(_ schema: Int) throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try site.verify().problems == [])
        #expect(try spent(site) == ["patients": 39_471_926_494, "staff": 3_000_000_000_000])
        let states = try site.requests(as: Self.olga).map(\.state)
        #expect(
            states == [
                "reserved", "released", "reserved", "denied", "pending", "released", "released", "released",
            ])
    }

    @Test("What it had answered, it answers again in the same bytes, under a receipt that verifies", arguments: schemas)
    func answers(_ schema: Int) async throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let answer = Array(try Data(contentsOf: Self.folder.appending(path: "first.answer")))
        let receipt = Array(try Data(contentsOf: Self.folder.appending(path: "first.receipt")))
        let request = AskRequest(
            dataset: "visits", sql: "SELECT kind, COUNT(*) AS n, AVG(amount) FROM visits GROUP BY kind",
            budget: .epsilon(0.5))
        guard case .released(let bytes, let stored) = try await site.ask(request, as: .ada, idempotencyKey: "first")
        else { throw Problem.unavailable("not released") }
        #expect(bytes == answer)
        #expect(stored == receipt)
        #expect(try site.receipt(Self.first, as: .ada) == receipt)
        let signed = try Receipt(decoding: receipt)
        #expect(signed.body.version == 1)
        try ReceiptVerifier(publicKey: site.description.publicKey).verify(signed, answer: answer, request: request)
    }

    @Test("What was cut short completes under the charge that it has", arguments: schemas)
    func completes(_ schema: Int) async throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let before = try spent(site)
        _ = try await site.answer(Self.cut, as: .ada)
        let resumed = Mutex(false)
        _ = try await site.synthesize(SynthesisRequest(dataset: "stays", budget: .epsilon(0.5))) { _, isResumed in
            resumed.withLock { $0 = isResumed }
        }
        #expect(resumed.withLock { $0 })
        #expect(try spent(site) == before)
        #expect(try site.verify().problems == [])
    }

    @Test("What waits can be decided, and new questions are charged on top", arguments: schemas)
    func decides(_ schema: Int) async throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try await site.approve(Self.pending, by: Self.olga).state == "released")
        let before = try spent(site)["patients"] ?? 0
        let request = AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .rho(0.01))
        _ = try await site.ask(request, as: .ada)
        #expect(try spent(site)["patients"] == before + 10_000_000_000)
        #expect(try site.verify().problems == [])
    }
}
