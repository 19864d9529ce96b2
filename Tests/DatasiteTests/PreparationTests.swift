import Crypto
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import SecureComputation
import Synchronization
import Testing

@testable import Datasite

@Suite("What is dealt ahead of time", .timeLimit(.minutes(10)))
struct PreparationTests {
    private let key = Curve25519.Signing.PrivateKey()

    private func files(_ site: PredictionSite) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: site.site.folder.prepared)) ?? []
    }

    @Test(
        "It costs nothing, stays over a restart, and serves one request: a second is told to name another, and may")
    func once() async throws {
        let site = try await PredictionSite()
        let values = PredictionSite.values(rows: 2)
        let session = try await site.prepared(rows: 2, key: key)
        #expect(try site.uses() == 0 && files(site) == [hexadecimal(session)])
        let own = try await site.site.preparations(of: .ada)
        #expect(own.map(\.session) == [hexadecimal(session)] && own[0].bytes > own[0].wholeBytes / 2)
        #expect(try await site.site.preparations(of: OpenedRowsSite.bea).isEmpty)
        // As a server that starts anew finds it.
        let again = Preparations(folder: site.site.folder.prepared)
        #expect(again.list(of: "ada", now: site.site.clock.now()).map(\.session) == own.map(\.session))
        let visitor = try await site.asked(rows: 2, key, session)
        #expect(try await visitor.predict(values) == site.prepared.clear(values, rows: 2))
        #expect(try files(site).isEmpty && site.uses() == 2)
        #expect(try await site.site.preparations(of: .ada).isEmpty)
        let second = try await site.asked(rows: 2, key, session)
        let served = await problem { try await second.name() }
        #expect(served?.kind == .notFound)
        let other = try await site.prepared(rows: 2, key: key)
        let third = PredictionSite.Visitor(
            at: site, request: second.request, key: key, session: other, rows: 2, identity: .ada)
        #expect(try await third.predict(values) == site.prepared.clear(values, rows: 2))
    }

    @Test("Another's, of another key or of other rows: refused, and neither used up nor told of")
    func fitting() async throws {
        let site = try await PredictionSite()
        let (one, two) = (Curve25519.Signing.PrivateKey(), Curve25519.Signing.PrivateKey())
        let sessions = (
            try await site.prepared(rows: 1, key: one), try await site.prepared(rows: 2, key: two),
            try await site.prepared(rows: 1, key: key, as: OpenedRowsSite.bea)
        )
        let visitor = try await site.asked(rows: 1, one, sessions.0)
        for (wrong, kind) in [(sessions.1, Problem.Kind.invalidRequest), (sessions.2, .notFound)] {
            let refused = await problem { try await visitor.name(wrong) }
            #expect(refused?.kind == kind, "\(String(describing: refused))")
        }
        let values = PredictionSite.values(rows: 1)
        #expect(try await visitor.predict(values) == site.prepared.clear(values, rows: 1))
        #expect(files(site).count == 2)
        for (name, who) in [(sessions.2, Identity.ada), (sessions.0, .ada), (Data([1]), .ada)] {
            let cancelled = await problem { _ = try await site.site.cancelPreparation(hexadecimal(name), by: who) }
            let checked = await problem { _ = try await site.site.checkPreparation(hexadecimal(name), by: who) }
            #expect(cancelled?.kind == .notFound && checked?.kind == .notFound)
        }
        _ = try await site.site.cancelPreparation(hexadecimal(sessions.1), by: .ada)
        #expect(files(site) == [hexadecimal(sessions.2)])
        // With the model goes what was dealt for it.
        try site.site.removeModel("chest")
        #expect(files(site).isEmpty)
    }

    @Test("So many at a time, as many as uses are left, and so many a day that serve nothing")
    func limits() async throws {
        let site = try await PredictionSite(rows: 4, uses: 100, each: 6)
        func refusal(_ rows: Int, _ change: (inout PreparationRequest) -> Void = { _ in }) async -> Problem? {
            var request = site.preparation(rows: rows, key: Curve25519.Signing.PrivateKey())
            change(&request)
            let asked = request
            return await problem { _ = try await site.site.prepare(asked, of: "visits", as: .ada) }
        }
        for (rows, kind) in [(5, Problem.Kind.notAllowed), (0, .invalidRequest), (-1, .invalidRequest)] {
            #expect(await refusal(rows)?.kind == kind)
        }
        #expect(await refusal(1) { $0.version = String(repeating: "0", count: 32) }?.kind == .conflict)
        #expect(await refusal(1) { $0.key = "zz" }?.kind == .invalidRequest)
        let owner = await problem {
            _ = try await site.site.prepare(site.preparation(rows: 1, key: key), of: "visits", as: .folder)
        }
        #expect(owner?.kind == .forbidden)
        _ = try await site.prepared(rows: 4)
        #expect(
            await refusal(3)?.detail == "7 predictions would be prepared for you, and the owner's policy leaves you 6")
        _ = try await site.prepared(rows: 2)
        #expect(await refusal(1)?.kind == .notAllowed)
        // Another has uses of her own.
        _ = try await site.prepared(rows: 4, as: OpenedRowsSite.bea)
        #expect(files(site).count == 3)
    }

    @Test(
        "Who prepares and gives up again and again is stopped for the day, and nobody else is; so is who fills her places"
    )
    func unused() async throws {
        let site = try await PredictionSite(uses: 1_000, each: 500)
        for _ in 0..<Preparations.mostEach { _ = try await site.prepared(rows: 1) }
        let full = await problem { _ = try await site.prepared(rows: 1) }
        #expect(full?.kind == .conflict && full?.hint?.contains("--discard") == true)
        for one in try await site.site.preparations(of: .ada) {
            _ = try await site.site.cancelPreparation(one.session, by: .ada)
        }
        // One that serves is not counted.
        let values = PredictionSite.values(rows: 1)
        _ = try await site.asked(rows: 1).predict(values)
        for _ in Preparations.mostEach..<Preparations.mostUnusedEachDay {
            let session = try await site.prepared(rows: 1)
            _ = try await site.site.cancelPreparation(hexadecimal(session), by: .ada)
        }
        let stopped = await problem { _ = try await site.prepared(rows: 1) }
        #expect(stopped?.kind == .tooManyQuestions)
        #expect(files(site).isEmpty)
        _ = try await site.prepared(rows: 1, as: OpenedRowsSite.bea)
    }

    @Test("A dealer that stops in the middle: why is told, nothing is left, and another try goes well")
    func failing() async throws {
        let site = try await PredictionSite()
        let begun = try await site.site.prepare(site.preparation(rows: 1, key: key), of: "visits", as: .ada)
        site.connection.isCut.withLock { $0 = true }
        let failed = await problem { try await site.settled(begun.session) }
        site.connection.isCut.withLock { $0 = false }
        // It may have been dealt before the line was cut.
        if let failed {
            #expect(failed.detail.contains("the dealer at http://127.0.0.1:1 cannot be reached"), "\(failed)")
            #expect(files(site).isEmpty)
        }
        _ = try await site.prepared(rows: 1)
        // What failed takes no place, and is told of for a while.
        #expect(try await site.site.preparations(of: .ada).count == 2)
    }

    /// Both sides give a session up, as `DatasiteClient` does over the wire.
    private func check(_ site: PredictionSite, _ session: Data, as key: Curve25519.Signing.PrivateKey) async throws {
        async let checked = site.site.checkPreparation(hexadecimal(session), by: .ada)
        var seeds: [UInt8]?
        for _ in 0..<400 where seeds == nil {
            seeds = try? await site.ask(.open(session: Array(session)), as: key)
            if seeds == nil { try await Task.sleep(for: .milliseconds(25)) }
        }
        #expect(try await checked.session == hexadecimal(session))
        #expect(seeds?.count == 32)
    }

    @Test("A session that is given up is looked at by the site: right, or everything that the dealer dealt goes")
    func checked() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        try await check(site, session, as: key)
        #expect(files(site).isEmpty)
        // One bit of one step is wrong.
        let (wrong, other) = (try await site.prepared(rows: 1, key: key), try await site.prepared(rows: 1))
        let path = site.site.folder.prepared + "/" + hexadecimal(wrong) + "/correlations"
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.startIndex + 16] ^= 1
        try bytes.write(to: URL(filePath: path))
        let found = await problem { try await check(site, wrong, as: key) }
        #expect(found?.detail.contains("dealt this site wrongly") == true, "\(String(describing: found))")
        #expect(files(site).isEmpty, "\(hexadecimal(other)) is of a dealer that deals wrongly")
        #expect(try site.uses() == 0)
    }

    @Test("The site's part is never opened for a session that it may still compute with")
    func unopened() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        let lying = await problem { _ = try await site.ask(.open(session: Array(session)), as: key) }
        #expect(lying?.kind == .busy)
        // It computes with it: who gave it up alone has the seeds of nothing.
        let visitor = try await site.asked(rows: 1, key, session)
        try await visitor.name()
        let still = await problem { _ = try await site.ask(.open(session: Array(session)), as: key) }
        #expect(still?.kind == .busy)
    }
}
