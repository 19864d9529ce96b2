import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Synchronization
import Testing

@testable import Datasite

/// Folders that versions wrote, one a schema, as a killed process left them: `Fixtures/sites/make.py` says what is in them and
/// makes the next.
@Suite("A site that an earlier version wrote opens, verifies, keeps its budget and answers", .serialized)
struct StoredSiteTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/sites")
    static let schemas = (1...99).filter { FileManager.default.fileExists(atPath: folder.path + "/schema-\($0)") }

    /// What is known of a folder.
    private struct Known: Decodable {
        /// When its last request came, in seconds since 1970.
        var written: Int64
        /// The requests that was answered first, that waits, and that was cut short.
        var first: String
        var pending: String
        var cut: String
        /// Of its requests, the newest first.
        var states: [String]
        /// By population: one number, or the eight of Rényi divergences as text.
        var spent: [String: Scalar]
    }

    private static func known(_ schema: Int) throws -> Known {
        try JSONDecoder().decode(Known.self, from: Data(contentsOf: folder.appending(path: "schema-\(schema).json")))
    }

    private static let olga = Identity(name: "olga", role: .owner)

    @Test("There is one of each schema since the fourth, and of the present one")
    func present() throws {
        let test = try TestSite()
        let latest = try test.integer("PRAGMA user_version")
        #expect(Self.schemas == Array(4...latest))
    }

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
        clock.advance(try Self.known(schema).written + 440 - clock.clock.now())
        return (try Datasite(path: path, configuration: TestSite.configuration(clock)), path)
    }

    private func spent(_ site: Datasite) throws -> [String: Scalar] {
        var spent: [String: Scalar] = [:]
        for population in try site.read(PopulationRow.all) {
            let amounts = population.spent.amounts
            spent[population.name] =
                amounts.count == 1 ? .integer(amounts[0]) : .text(amounts.map { "\($0)" }.joined(separator: " "))
        }
        return spent
    }

    @Test("It is sound, and what was spent is spent", arguments: schemas)
    func budget(_ schema: Int) throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try site.verify().problems == [])
        let known = try Self.known(schema)
        #expect(try spent(site) == known.spent)
        #expect(try site.requests(as: Self.olga).map(\.state) == known.states)
    }

    @Test("What it had answered, it answers again in the same bytes, under a receipt that verifies", arguments: schemas)
    func answers(_ schema: Int) async throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let answer = Array(try Data(contentsOf: Self.folder.appending(path: "schema-\(schema).answer")))
        let receipt = Array(try Data(contentsOf: Self.folder.appending(path: "schema-\(schema).receipt")))
        let request = AskRequest(
            dataset: "visits", sql: "SELECT kind, COUNT(*) AS n, AVG(amount) FROM visits GROUP BY kind",
            budget: .epsilon(0.5))
        guard case .released(let bytes, let stored) = try await site.ask(request, as: .ada, idempotencyKey: "first")
        else { throw Problem.unavailable("not released") }
        #expect(bytes == answer)
        #expect(stored == receipt)
        #expect(try site.receipt(Self.known(schema).first, as: .ada) == receipt)
        let signed = try Receipt(decoding: receipt)
        #expect(signed.body.version == (schema < 5 ? 1 : 2))
        try ReceiptVerifier(publicKey: site.description.publicKey).verify(signed, answer: answer, request: request)
    }

    @Test("What was cut short completes under the charge that it has", arguments: schemas)
    func completes(_ schema: Int) async throws {
        let (site, path) = try opened(schema)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let before = try spent(site)
        _ = try await site.answer(Self.known(schema).cut, as: .ada)
        let resumed = Mutex(false)
        _ = try await site.synthesize(SynthesisRequest(dataset: "stays", budget: .epsilon(0.5))) { _, _, isResumed in
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
        #expect(try await site.approve(Self.known(schema).pending, by: Self.olga).state == "released")
        guard case .integer(let before) = try spent(site)["patients"] else {
            Issue.record("the population counts more than a rho")
            return
        }
        let request = AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .rho(0.01))
        _ = try await site.ask(request, as: .ada)
        #expect(try spent(site)["patients"] == .integer(before + 10_000_000_000))
        #expect(try site.verify().problems == [])
    }
}
