import Crypto
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Governance
import ModularArithmetic
import Query
import Secrets
import SecureComputation
import Synchronization
import Testing

@testable import Datasite

@Suite("Predictions on shares", .timeLimit(.minutes(10)))
struct PredictionTests {
    @Test("A policy whose rule names no model that is here, or another version of it, is doubted before it holds")
    func doubts() async throws {
        let site = try await PredictionSite()
        func doubts(_ policy: String) throws -> [String] {
            try site.site.consequences(of: .policy(dataset: "visits", policy: policy)).doubts
        }
        let right = site.policy(rows: 4, uses: 100, each: 50, approval: "automatic")
        #expect(try doubts(right) == [])
        let other = site.policy(
            rows: 4, uses: 100, each: 50, approval: nil, version: String(repeating: "0", count: 32))
        #expect(try doubts(other).contains { $0.contains("names another model") && $0.contains("parley model show") })
        #expect(
            try doubts(right.replacing("model: chest", with: "model: none")).contains {
                $0.contains("nothing can be asked")
            })
    }

    @Test(
        "What comes out on shares is the twin's to the bit; uses are counted, the release is in the journal, and neither rows nor results are in the folder"
    )
    func whole() async throws {
        let site = try await PredictionSite()
        let values = PredictionSite.values(rows: 3)
        let visitor = try await site.asked(rows: 3)
        let results = try await visitor.predict(values)
        let clear = try site.prepared.clear(values, rows: 3)
        #expect(results.labels == clear.labels && results.scores == clear.scores)
        #expect(try site.uses() == 3 && site.test.spent() == 0)
        let released = try visitor.released(await site.site.answer(visitor.request, as: .ada))
        #expect(released.rows == 3 && released.charge.uses == 3 && released.charge.epsilon == nil)
        #expect(released.guarantees.outputPrivacy.hasPrefix("no differential privacy: the model's scores of 3 rows"))
        #expect(try site.site.verify().problems == [])
        let journal = try site.test.read("SELECT CAST(entry AS BLOB) FROM journal").joined()
        #expect(journal.contains("PREDICT 3 ROWS OF WHOEVER ASKS, ON SHARES"))
        // The same again is another session, with other masks.
        let again = try await site.asked(rows: 3)
        #expect(try await again.predict(values) == results)
        let second = try again.released(await site.site.answer(again.request, as: .ada))
        #expect(second.message != released.message)
        #expect(try site.uses() == 6)
    }

    @Test("A dealer's sessions end with their runs: twenty one after the other, and none is left")
    func many() async throws {
        let site = try await PredictionSite()
        let values = PredictionSite.values(rows: 1)
        let clear = try site.prepared.clear(values, rows: 1)
        for _ in 0..<20 { #expect(try await site.asked(rows: 1).predict(values) == clear) }
    }

    @Test("Who does not come, or was cancelled, keeps no thread: the next is answered soon")
    func silent() async throws {
        let site = try await PredictionSite()
        for _ in 0..<6 {
            let visitor = try await site.asked(rows: 1)
            _ = try? await site.site.greeting(of: visitor.request, as: .ada)
            _ = try await site.site.cancelJob(visitor.request, by: .ada)
        }
        let start = ContinuousClock.now
        let values = PredictionSite.values(rows: 1)
        #expect(try await site.asked(rows: 1).predict(values) == site.prepared.clear(values, rows: 1))
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test("A run that was cut short is not begun again when the site is served again")
    func abandoned() async throws {
        let site = try await PredictionSite()
        let visitor = try await site.asked(rows: 1)
        _ = try await site.site.greeting(of: visitor.request, as: .ada)
        // As a killed process leaves it.
        let copy = try site.test.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        _ = try await site.site.cancelJob(visitor.request, by: .ada)
        let other = try site.test.reopened(copy)
        defer { try? other.close() }
        other.connect(by: site.connection)
        await other.resumeLongWork()
        let job = try #require(try other.jobs(as: .folder, all: true, limit: 10).first { $0.id == visitor.request })
        #expect(job.state == .failed || job.state == .interrupted, "\(job)")
        #expect(!FileManager.default.fileExists(atPath: copy + "/work/" + visitor.request))
    }

    @Test("Labels alone are opened where the owner said so")
    func labels() async throws {
        let site = try await PredictionSite(output: .label)
        let values = PredictionSite.values(rows: 4, seed: 2)
        let results = try await site.asked(rows: 4).predict(values)
        let clear = try site.prepared.clear(values, rows: 4)
        #expect(results.scores == nil && results.labels == clear.labels)
    }

    @Test("What the policy does not allow is refused before anything is charged")
    func refused() async throws {
        let site = try await PredictionSite(rows: 4, uses: 10, each: 6)
        let key = Curve25519.Signing.PrivateKey()
        func refusal(_ request: WorkRequest, as identity: Identity = .ada) async -> Problem? {
            await problem { _ = try await site.site.submit(request, as: identity) }
        }
        #expect(await refusal(try site.request(rows: 5, key: key))?.kind == .notAllowed)
        #expect(await refusal(try site.request(rows: 0, key: key))?.kind == .invalidRequest)
        let old = await refusal(try site.request(rows: 1, key: key, version: String(repeating: "0", count: 32)))
        #expect(old?.kind == .conflict && old?.detail.contains(site.model.version) == true)
        for (from, to) in [
            ("\"key\":\"", "\"key\":\"zz"), ("\"rows\":2", "\"rows\":-1"), ("\"rows\":2", "\"rows\":2,\"more\":1"),
        ] {
            let body =
                #"{"engine":"prediction","request":{"dataset":"visits","version":"\#(site.model.version)","rows":2,"key":"\#(hexadecimal(key.publicKey.rawRepresentation))"}}"#
            let request = try WorkRequest(decoding: Array(body.replacing(from, with: to).utf8))
            #expect(await refusal(request)?.kind == .invalidRequest, "\(to)")
        }
        #expect(try site.uses() == 0)
        // Her own limit, which another has still.
        _ = try await site.asked(rows: 4).predict(PredictionSite.values(rows: 4))
        #expect(await refusal(try site.request(rows: 3, key: key))?.kind == .overBudget)
        _ = try await site.asked(rows: 4, as: OpenedRowsSite.bea).predict(PredictionSite.values(rows: 4))
        // That of all: 2 are left.
        #expect(await refusal(try site.request(rows: 3, key: key), as: OpenedRowsSite.bea)?.kind == .overBudget)
        #expect(try site.uses() == 4 && site.uses(by: "bea") == 4)
    }

    @Test("A policy without limits, of another model, or of none is refused or says so; its words tell the model")
    func policies() async throws {
        let site = try await PredictionSite()
        let whole = site.policy(rows: 4, uses: 10, each: 5, approval: nil)
        for (from, to, words) in [
            (", uses: 10", "", "`uses` is missing"),
            (", uses-per-researcher: 5", "", "`uses-per-researcher` is missing"),
            ("rows: 4", "rows: 0", "expected 1 to 4096"), (site.model.version, "abc", "32 hexadecimal digits"),
            ("model: chest, ", "", "`model` is missing"), ("rows: 4", "rows: 4, dealer: x", "dealer"),
        ] {
            let refusal = await problem {
                try site.site.setPolicy(of: "visits", policyText: whole.replacing(from, with: to))
            }
            #expect(
                refusal?.detail.contains(words) == true || refusal?.hint?.contains(words) == true,
                "\(to): \(String(describing: refusal))")
        }
        // Unless it says otherwise, an owner decides on each.
        try site.site.setPolicy(of: "visits", policyText: whole)
        let visitor = try await site.asked(rows: 1)
        #expect(try site.site.request(visitor.request, as: .ada).state == "pending")
        let early = await problem { _ = try await site.site.greeting(of: visitor.request, as: .ada) }
        #expect(early?.kind == .conflict)
        _ = try await site.site.approve(visitor.request, by: .folder)
        await site.site.resumeLongWork()
        let values = PredictionSite.values(rows: 1)
        #expect(try await visitor.predict(values).labels == site.prepared.clear(values, rows: 1).labels)
        // Another version than the one that is here.
        try site.site.setPolicy(
            of: "visits",
            policyText: site.policy(
                rows: 4, uses: 10, each: 5, approval: nil, version: String(repeating: "a", count: 32)))
        let other = await problem { _ = try site.site.prediction(of: "visits") }
        #expect(other?.detail.contains("names another model") == true)
        try site.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 10}}")
        let none = await problem { _ = try site.site.prediction(of: "visits") }
        #expect(none?.kind == .notAllowed)
    }

    @Test("Nobody but whoever asked is answered, and what is wrong in a message is said and changes nothing")
    func messages() async throws {
        let site = try await PredictionSite()
        let values = PredictionSite.values(rows: 2)
        let visitor = try await site.asked(rows: 2)
        var machine = try await visitor.machine(values)
        let stranger = await problem { _ = try await site.site.greeting(of: visitor.request, as: OpenedRowsSite.bea) }
        #expect(stranger?.kind == .notFound)
        let own = try #require(try machine.begin())
        let intruding = await problem {
            _ = try await site.site.exchange(own.bytes, with: visitor.request, as: OpenedRowsSite.bea)
        }
        #expect(intruding?.kind == .notFound)
        // Cut, lengthened, of another round, of another session, nothing at all.
        var others = [Array(own.bytes.dropLast()), own.bytes + [0], [1, 2, 3]]
        for place in [0, 10, 24, 28, 32] {
            var changed = own.bytes
            changed[place] ^= 1
            others.append(changed)
        }
        for bytes in others {
            let wrong = await problem { _ = try await site.site.exchange(bytes, with: visitor.request, as: .ada) }
            #expect(wrong?.kind == .invalidRequest)
        }
        // The same message twice has the same reply; another in its place is refused.
        let first = try await visitor.exchange(own)
        #expect(try await visitor.exchange(own) == first)
        var lying = own.bytes
        lying[45] ^= 1
        let second = await problem { _ = try await site.site.exchange(lying, with: visitor.request, as: .ada) }
        #expect(second?.kind == .invalidRequest)
        var message = try machine.receive(RoundMessage(bytes: try #require(first), words: machine.expectedWords))
        while let next = message, !machine.isLastRound {
            let bytes = try #require(try await visitor.exchange(next))
            message = try machine.receive(RoundMessage(bytes: bytes, words: machine.expectedWords))
        }
        #expect(try await visitor.exchange(try #require(message)) == nil)
        let late = await problem { _ = try await visitor.exchange(own) }
        #expect(late?.kind == .conflict)
    }

    @Test(
        "What was dealt serves once: a run that was cut short behind its first message is not gone on with, and stays charged"
    )
    func burnt() async throws {
        let site = try await PredictionSite()
        let visitor = try await site.asked(rows: 1)
        try await visitor.name()
        // As another process finds it: the claim is stored before anything leaves.
        let work = try PredictionWork(
            body: try PredictionWork.body(of: site.request(rows: 1, key: visitor.key).request, purpose: nil),
            in: PublicKnowledge(
                catalogue: try site.site.catalogue(),
                model: { try site.site.predictionModel($0, in: site.site.catalogue()) }))
        let workspace = site.site.folder.workspace(of: visitor.request)
        let end = ContinuousClock.now + .seconds(120)
        while !workspace.folder.has(.participant), .now < end { try await Task.sleep(for: .milliseconds(5)) }
        #expect(workspace.folder.has(.participant))
        let copy = Workspace(parent: site.test.path + "/copy", name: "one")
        #expect(copy.save(try #require(workspace.saved(.participant)), to: .participant))
        let exchange = PredictionExchange(
            work: work,
            outside: Outside(
                identity: site.site.signingKey, connection: site.connection,
                pace: Pace(clock: .system) { TimeSlot(bound: site.site.limits.time(PlanBound(work: $0, memory: 0))) },
                enters: { _ in true }, receives: { Visit(visitor: "ada", mostBytes: $0) }),
            workspace: copy, track: StepTrack(work.steps))
        #expect(exchange.run() == nil)
        #expect(copy.fault?.contains("serves once") == true)
        #expect(try site.uses() == 1)
    }

    @Test("A dealer that cannot be reached, or does not serve the site, is named; nothing of the weights left")
    func dealers() async throws {
        let site = try await PredictionSite()
        #expect(try await site.site.dealerCheck(of: "visits").isAdmitted)
        site.connection.isCut.withLock { $0 = true }
        #expect(try await !site.site.dealerCheck(of: "visits").isAdmitted)
        let cut = await problem { _ = try await site.asked(rows: 1) }
        #expect(cut?.detail == "the dealer at http://127.0.0.1:1 cannot be reached")
        #expect(try site.uses() == 0)
        let folder = try DealerFolder.create(at: site.test.path + "-other")
        defer { try? FileManager.default.removeItem(atPath: site.test.path + "-other") }
        let other = try DealerOffice(folder)
        let calls = DealerCalls(
            dealer: ServedPrediction.Dealer(url: "u", key: other.key), key: site.site.signingKey,
            connection: DealerConnection(other))
        let check = await look(calls)
        #expect(!check.isAdmitted && check.detail.contains("has to admit"), "\(check)")
        // One that answers under another key is not believed.
        let false_ = DealerCalls(
            dealer: ServedPrediction.Dealer(url: "u", key: Data(count: 32)), key: site.site.signingKey,
            connection: DealerConnection(other))
        #expect(await !look(false_).isAdmitted)
    }

    /// On no thread of Swift's tasks, which the dealer needs.
    private func look(_ calls: DealerCalls) async -> DealerCheck {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: calls.check()) }.start()
        }
    }

    @Test(
        "A model is kept whole, once a name, for a dataset that is there; its weights are the prepared ones, and are not printed"
    )
    func models() async throws {
        let site = try await PredictionSite()
        #expect(site.site.servedModels() == ["chest"])
        let model = try site.site.servedModel("chest")
        #expect(try model.weights() == site.prepared.weights && model.terms == site.prepared.terms)
        #expect("\(model)" == "ServedModel(chest of visits)")
        let program = try model.terms.program(rows: 1)
        let masked = try MaskedWeights(bytes: site.site.maskedWeights(of: "visits"), of: .second, in: program)
        #expect(masked.words.joined().count == program.weightCount)
        #expect(zip(masked.words.joined(), site.prepared.weights.flatMap(\.words)).allSatisfy { $0 != $1 })
        func refusal(_ name: String, _ dataset: String) async -> Problem? {
            do {
                _ = try await site.site.addModel(
                    site.prepared, AddedModel(name: name, dataset: dataset), dealer: model.dealer, over: site.connection
                )
                return nil
            } catch { return error as? Problem }
        }
        #expect(await refusal("chest", "visits")?.kind == .conflict)
        #expect(await refusal("../x", "visits")?.kind == .invalidRequest)
        #expect(await refusal("new", "nothing")?.kind == .notFound)
        #expect(await refusal("new", "visits") == nil)
        // Another mask: the same weights look different.
        #expect(try site.site.servedModel("new").version != model.version)
        try site.site.removeModel("new")
        #expect(site.site.servedModels() == ["chest"])
        let gone = #expect(throws: Problem.self) { try site.site.removeModel("../../etc") }
        #expect(gone?.kind == .notFound)
    }
}

@Suite("Messages to work while it runs")
struct VisitTests {
    /// As one of the engines' threads waits: on none of Swift's tasks'.
    private func next(_ visit: Visit, within time: Duration) async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: visit.next(within: time)) }.start()
        }
    }

    @Test("A message has one reply, the same again for the same; another waits for none; what is over says so")
    func exchange() async throws {
        let visit = Visit(visitor: "ada", mostBytes: 100)
        #expect(try visit.greeting() == nil)
        let early = await problem { _ = try await visit.exchange([1]) }
        #expect(early?.kind == .busy)
        visit.open([7])
        #expect(try visit.greeting() == [7])
        #expect(await next(visit, within: .milliseconds(10)) == nil)
        async let one = visit.exchange([1])
        async let same = visit.exchange([1])
        #expect(await next(visit, within: .seconds(600)) == [1])
        let other = await problem { _ = try await visit.exchange([2]) }
        #expect(other?.kind == .conflict)
        visit.answer([9])
        let (first, second) = try await (one, same)
        #expect(first == [9] && second == [9])
        #expect(try await visit.exchange([1]) == [9])
        async let refused = problem { _ = try await visit.exchange([3]) }
        #expect(await next(visit, within: .seconds(600)) == [3])
        visit.refuse(.invalidRequest("no"))
        #expect(await refused?.detail == "no")
        // What was answered before is answered still, and its place is free.
        #expect(try await visit.exchange([1]) == [9])
        async let last = visit.exchange([4])
        #expect(await next(visit, within: .seconds(600)) == [4])
        visit.close(isReleased: true)
        #expect(try await last == nil)
        let late = await problem { _ = try await visit.exchange([5]) }
        #expect(late?.kind == .conflict)
    }
}
