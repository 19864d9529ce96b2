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
        #expect(stopped?.kind == .tooManyQuestions && stopped?.hint?.contains("given up or opened") == true)
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

    @Test(
        "Who has sessions opened uses them up as who gives them up does; what fails by the dealer's fault is not counted"
    )
    func counted() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/preparations-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let preparations = Preparations(folder: folder + "/prepared")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let one = Preparation(
            session: "", dataset: "visits", version: "v", rows: 1, state: .dealing, bytes: 0, wholeBytes: 10,
            expires: "")
        func reserve() throws -> Data {
            try preparations.reserve(one, of: "ada", dealer: Data([1]), usesLeft: 1_000, now: 100)
        }
        func named(_ number: Int) throws -> Data {
            let session = withUnsafeBytes(of: number) { Data($0) + Data(count: 8) }
            #expect(preparations.name(try reserve(), session) != nil)
            return session
        }
        func ready(_ number: Int) throws -> Data {
            let session = try named(number)
            let steps = try preparations.shelf.begin(session)
            try steps.append([1, 2, 3], step: 1)
            try preparations.keep(
                PreparedSession(
                    session: session, dataset: "visits", version: "v", rows: 1, other: "ada", dealer: Data([1]),
                    key: Data(), header: Data(), expires: 1_000), steps)
            return session
        }
        for number in 0..<100 {
            preparations.forget(try reserve())
            preparations.fail(try named(number), "the dealer is away", isHers: false, now: 100)
            _ = try preparations.take(try ready(1_000 + number), of: "ada", isCharged: true, now: 100)
        }
        // By her: she ended it at the dealer, or had it opened.
        for number in 0..<Preparations.mostUnusedEachDay / 2 {
            preparations.fail(try named(2_000 + number), "there is no such session", isHers: true, now: 100)
            _ = try preparations.take(try ready(3_000 + number), of: "ada", isCharged: false, now: 100)
        }
        let stopped = try #require(throws: Problem.self) { try reserve() }
        #expect(stopped.kind == .tooManyQuestions)
        _ = try preparations.reserve(one, of: "ada", dealer: Data([1]), usesLeft: 1_000, now: 100 + 86_400)
    }

    @Test("With a model, or a dealer that dealt wrongly, goes what is being dealt too")
    func underWay() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/preparations-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let preparations = Preparations(folder: folder)
        let removals: [() -> Void] = [
            { preparations.removeAll(version: "v") }, { preparations.removeAll(dealer: Data([1])) },
            { _ = preparations.cancel(Data(repeating: 9, count: 16), of: "ada") },
        ]
        for (number, remove) in removals.enumerated() {
            let session = Data(repeating: 9, count: 16)
            let one = Preparation(
                session: "", dataset: "visits", version: "v", rows: 1, state: .dealing, bytes: 0, wholeBytes: 10,
                expires: "")
            let record = PreparedSession(
                session: session, dataset: "visits", version: "v", rows: 1, other: "ada", dealer: Data([1]),
                key: Data(), header: Data(), expires: 1_000)
            let reserved = try preparations.reserve(one, of: "ada", dealer: Data([1]), usesLeft: 9, now: 100)
            _ = preparations.name(reserved, session)
            let steps = try preparations.shelf.begin(session)
            try steps.append([1, 2, 3], step: 1)
            #expect(preparations.note(session, bytes: 3))
            remove()
            #expect(!preparations.note(session, bytes: 3), "\(number)")
            // Its last step was here already.
            try preparations.keep(record, steps)
            #expect(preparations.shelf.all().isEmpty, "\(number)")
            // And so what its dealer has not named yet.
            guard number < 2 else { continue }
            let unnamed = try preparations.reserve(one, of: "ada", dealer: Data([1]), usesLeft: 9, now: 100)
            remove()
            #expect(preparations.name(unnamed, session) == nil)
        }
    }

    /// Signs what another dealer says, some of it changed.
    private final class ChangingDealer: CoordinatorConnection {
        let site: PredictionSite
        let key: Curve25519.Signing.PrivateKey
        let change: @Sendable (DealerQuestion, [UInt8]) -> [UInt8]

        init(_ site: PredictionSite, _ change: @escaping @Sendable (DealerQuestion, [UInt8]) -> [UInt8]) throws {
            (self.site, self.change) = (site, change)
            key = try DealerFolder(path: site.test.path + "-dealer").key
        }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            let asked = try SignedQuestion(reading: message)
            let reply = try asked.verifiedReply(
                try site.connection.exchange(message, with: coordinator, largestReply: largestReply))
            let question = try asked.verified(at: asked.dealer, now: asked.time)
            return try asked.reply(change(question, reply), key: key)
        }
    }

    @Test("A dealer that gives a step too short or too long: nothing is kept, and no request is charged for it")
    func lengths() async throws {
        let site = try await PredictionSite()
        for change in [{ Array($0.dropLast()) }, { $0 + [0] }, { _ in [] }] as [@Sendable ([UInt8]) -> [UInt8]] {
            site.site.connect(
                by: try ChangingDealer(site) { question, reply in
                    if case .step = question { change(reply) } else { reply }
                })
            let failed = await problem { _ = try await site.prepared(rows: 1) }
            #expect(failed?.detail.contains("bytes of a step, and it has") == true, "\(String(describing: failed))")
            #expect(files(site).isEmpty)
        }
    }

    /// Both sides give a session up, as `DatasiteClient` does over the wire.
    ///
    /// - Returns: What the dealer told whoever asks.
    @discardableResult private func check(
        _ site: PredictionSite, _ session: Data, as key: Curve25519.Signing.PrivateKey
    ) async throws -> OpeningProof {
        let open = DealerQuestion.open(session: Array(session))
        #expect(try await site.ask(open, as: key).isEmpty)
        let theirs = try await site.site.checkPreparation(hexadecimal(session), by: .ada)
        let asked = try SignedQuestion(
            open, dealer: site.office.key, key: key, time: UInt64(Date().timeIntervalSince1970))
        let own = OpeningProof(
            question: Data(asked.bytes), reply: Data(try await site.office.answer(asked.bytes).bytes))
        let seeds = try SignedQuestion.opened(
            by: own, session: Array(session), asker: key.publicKey.rawRepresentation, dealer: site.office.key)
        #expect(
            try SignedQuestion.opened(
                by: theirs, session: Array(session), asker: site.site.signingKey.publicKey.rawRepresentation,
                dealer: site.office.key) == seeds)
        return own
    }

    @Test("Who has a session opened that she has not given up finds it gone, and has learnt nothing")
    func notGivenUp() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        let refused = await problem { _ = try await site.site.checkPreparation(hexadecimal(session), by: .ada) }
        #expect(refused?.kind == .conflict && refused?.detail.contains("not given the session up") == true)
        #expect(files(site).isEmpty)
    }

    @Test("A dealer that tells each side of seeds of its own is found by what it signed; nobody else makes it so")
    func compared() async throws {
        let site = try await PredictionSite()
        let dealer = try DealerFolder(path: site.test.path + "-dealer").key
        let (one, two) = (try await site.prepared(rows: 1, key: key), try await site.prepared(rows: 1))
        let name = hexadecimal(one)
        let early = await problem {
            try await site.site.compareOpening(OpeningProof(question: Data(), reply: Data()), of: name, by: .ada)
        }
        #expect(early?.kind == .notFound)
        let own = try await check(site, one, as: key)
        try await site.site.compareOpening(own, of: name, by: .ada)
        let others = await problem { try await site.site.compareOpening(own, of: name, by: OpenedRowsSite.bea) }
        #expect(others?.kind == .notFound)
        // Signed by somebody else than the dealer: shows nothing, and changes nothing.
        let asked = try SignedQuestion(reading: Array(own.question))
        let seeds = [UInt8](repeating: 1, count: 32)
        for (reply, question) in [
            (try asked.reply(seeds, key: Curve25519.Signing.PrivateKey()), asked.bytes), ([], asked.bytes),
            (Array(own.reply), []),
        ] {
            let proof = OpeningProof(question: Data(question), reply: Data(reply))
            let invalid = await problem { try await site.site.compareOpening(proof, of: name, by: .ada) }
            #expect(invalid?.kind == .invalidRequest)
        }
        #expect(files(site) == [hexadecimal(two)])
        let lying = OpeningProof(question: own.question, reply: Data(try asked.reply(seeds, key: dealer)))
        let found = await problem { try await site.site.compareOpening(lying, of: name, by: .ada) }
        #expect(found?.kind == .conflict && found?.detail.contains("dealt wrongly") == true)
        #expect(files(site).isEmpty)
    }

    @Test("A session that is given up is looked at by the site: right, or everything that the dealer dealt goes")
    func checked() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        try await check(site, session, as: key)
        #expect(files(site).isEmpty)
        // One bit of one step is wrong.
        let other = try await site.prepared(rows: 1)
        site.site.connect(
            by: try ChangingDealer(site) { question, reply in
                guard case .step = question else { return reply }
                var changed = reply
                changed[16] ^= 1
                return changed
            })
        let wrong = try await site.prepared(rows: 1, key: key)
        let found = await problem { try await check(site, wrong, as: key) }
        #expect(found?.detail.contains("dealt wrongly") == true, "\(String(describing: found))")
        #expect(files(site).isEmpty, "\(hexadecimal(other)) is of a dealer that deals wrongly")
        #expect(try site.uses() == 0)
    }

    @Test("A dealer that opens something else than seeds is doubted, and all that it dealt is given up")
    func openedRubbish() async throws {
        let site = try await PredictionSite()
        let (one, _) = (try await site.prepared(rows: 1, key: key), try await site.prepared(rows: 1))
        site.site.connect(
            by: try ChangingDealer(site) { question, reply in
                if case .open = question { reply + [0] } else { reply }
            })
        let found = await problem { try await check(site, one, as: key) }
        #expect(found?.kind == .conflict && found?.detail.contains("dealt wrongly") == true)
        #expect(files(site).isEmpty)
    }

    @Test("What the disk lost some of serves nobody: whoever named it is told to name another, and may")
    func damaged() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        let path = site.site.folder.prepared + "/" + hexadecimal(session) + "/correlations"
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.startIndex + 40] ^= 4
        try bytes.write(to: URL(filePath: path))
        let visitor = try await site.asked(rows: 1, key, session)
        let told = await problem { try await visitor.name() }
        #expect(told?.kind == .notFound && files(site).isEmpty)
        let values = PredictionSite.values(rows: 1)
        let again = PredictionSite.Visitor(
            at: site, request: visitor.request, key: key, session: try await site.prepared(rows: 1, key: key), rows: 1,
            identity: .ada)
        #expect(try await again.predict(values) == site.prepared.clear(values, rows: 1))
    }

    @Test("For a request that was charged it is dealt whatever was prepared ahead of it; for none that was not")
    func charged() async throws {
        let site = try await PredictionSite(uses: 1_000, each: 2)
        _ = try await site.prepared(rows: 1)
        let visitor = try await site.asked(rows: 2, key, Data(count: 16))
        // No use is left, one is prepared for, and a request waits.
        let ahead = await problem { _ = try await site.prepared(rows: 1) }
        #expect(ahead?.kind == .notAllowed)
        func prepare(_ request: String, rows: Int = 2, as identity: Identity = .ada) async throws -> Data {
            var asked = site.preparation(rows: rows, key: key)
            asked.request = request
            let begun = try await site.site.prepare(asked, of: "visits", as: identity)
            try await site.settled(begun.session)
            return try #require(Data(hexadecimal: begun.session))
        }
        for (request, rows, identity) in [
            ("nothing", 2, Identity.ada), (visitor.request, 1, .ada), (visitor.request, 2, OpenedRowsSite.bea),
        ] {
            let refused = await problem { _ = try await prepare(request, rows: rows, as: identity) }
            #expect(refused?.kind == .notFound, "\(String(describing: refused))")
        }
        let values = PredictionSite.values(rows: 2)
        let named = PredictionSite.Visitor(
            at: site, request: visitor.request, key: key, session: try await prepare(visitor.request), rows: 2,
            identity: .ada)
        #expect(try await named.predict(values) == site.prepared.clear(values, rows: 2))
        // It is over.
        let over = await problem { _ = try await prepare(visitor.request) }
        #expect(over?.kind == .notFound)
    }

    @Test(
        "However many keys are drawn, they take half of a dealer's places and a quarter for one site; its own parties find room"
    )
    func places() async throws {
        let site = try await PredictionSite()
        let (one, other) = (Data([1]), Data([2]))
        let size = 200 << 20
        func take(_ asker: UInt8, of owner: Data?) -> DealerOffice.Holding? {
            DealerOffice.Holding.taking(site.office, Data([asker]), of: owner, bytes: size)
        }
        var held = [take(10, of: one)]
        #expect(held[0] != nil && take(10, of: one) == nil, "one a key")
        // Each is held twice: of 512 MiB a second finds no room, and that of another site does.
        #expect(take(11, of: one) == nil)
        held.append(take(12, of: other))
        #expect(held[1] != nil && take(13, of: Data([3])) == nil)
        for asker in UInt8(20)..<23 { held.append(take(asker, of: nil)) }
        #expect(held.allSatisfy { $0 != nil } && take(30, of: nil) == nil)
        // A place that was never taken frees none.
        #expect(take(31, of: one) == nil && take(32, of: nil) == nil)
        held = []
        #expect(take(33, of: one) != nil)
    }

    @Test("The site's part is never opened for a session that it may still compute with")
    func unopened() async throws {
        let site = try await PredictionSite()
        let session = try await site.prepared(rows: 1, key: key)
        #expect(try await site.ask(.open(session: Array(session)), as: key).isEmpty)
        // It computes with it: who gave it up alone has the seeds of nothing.
        let visitor = try await site.asked(rows: 1, key, session)
        try await visitor.name()
        let still = await problem {
            let opened = try await site.ask(.open(session: Array(session)), as: key)
            #expect(opened.isEmpty)
        }
        // The site had its dealer forget it.
        #expect(still == nil || still?.kind == .notFound)
    }
}
