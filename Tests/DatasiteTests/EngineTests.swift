import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Secrets
import Synchronization
import Tables
import Testing

@testable import Datasite

/// An engine that the datasite knows nothing of: it answers a number, counts uses, and spends no budget unless told to.
private struct EchoWork: EngineWork {
    struct Request: Codable {
        var dataset: String
        var number: Int
        /// Charged beside the use.
        var epsilon: Double?
    }

    static let engine: EngineName = "echo"
    static let noun = "the echo"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    /// How many runs fail yet.
    static let failures = Mutex(0)
    /// Whether runs say that more happened than was charged.
    static let overspends = Mutex(false)

    let request: Request
    let entry: Catalogue.Entry
    var assets: [Catalogue.Entry] { [entry] }
    let charge: Charge
    let bound = PlanBound(work: Work([.scan: 1]), memory: 8)

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        request = try JSONDecoder().decode(Request.self, from: Data(body))
        guard let entry = knowledge.catalogue.datasets[request.dataset] else {
            throw knowledge.catalogue.absent(request.dataset)
        }
        self.entry = entry
        charge = Charge(loss: try request.epsilon.map { try PrivacyLoss(roundingDownEpsilon: $0) }, uses: 1)
    }

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        var members = request
        let request = Request(
            dataset: try members.string("dataset"), number: Int(try members.integer("number")),
            epsilon: try members.optionalDouble("epsilon"))
        try members.finish()
        return try AnswerEncoding.bytes(request)
    }

    static func words(_ body: [UInt8]) -> String { "ECHO" }

    func run(
        _ grant: borrowing Grant<EchoWork>, using randomness: inout SecureRandom
    ) -> Measured<Int, SecureRandom>? {
        let fails = Self.failures.withLock { failures in
            defer { failures = max(0, failures - 1) }
            return failures > 0
        }
        guard !fails else { return nil }
        let spent = Self.overspends.withLock { $0 } ? 1 : request.epsilon
        let events = spent.map { [PrivacyEvent.pure(epsilon: $0)] } ?? []
        return Measured<Int, SecureRandom>(answer: request.number, events: events)
    }

    func document(_ release: Release<Int>, _ terms: ReleaseTerms) throws -> [UInt8] {
        Array("{\"number\":\(release.answer),\"nonce\":\"\(Nonce.new())\"}".utf8)
    }
}

/// Nothing of the datasite was changed for this engine: it is a type, and a line in a table.
@Suite("A new engine takes the same way as the others", .serialized)
struct EngineTests {
    private static let allowed =
        "{loss: pure, total: {epsilon: 10}, engines: {echo: {uses: 3, uses-per-researcher: 2}}}"
    private static let bea = Identity(name: "bea", role: .researcher)

    private func site(_ policy: String) throws -> (test: TestSite, site: Datasite) {
        let test = try TestSite(researchers: ["ada", "bea"])
        var configuration = TestSite.configuration(test.clock)
        configuration.engines = EngineTable([QuestionWork.self, EchoWork.self])
        let site = try Datasite(path: test.path, configuration: configuration)
        try site.setPolicy(of: "visits", policyText: policy)
        return (test, site)
    }

    private func echo(
        _ number: Int, key: String? = nil, epsilon: Double? = nil, purpose: String? = nil
    ) throws -> Submission {
        let body = try AnswerEncoding.bytes(EchoWork.Request(dataset: "visits", number: number, epsilon: epsilon))
        return Submission(engine: EchoWork.self, body: body, purpose: purpose, key: key)
    }

    private func work(_ text: String) throws -> WorkRequest { try WorkRequest(decoding: Array(text.utf8)) }

    @Test("A policy that names no engines does not allow it, and one that names others allows no questions")
    func allowance() async throws {
        let (test, site) = try site("{loss: pure, total: {epsilon: 10}}")
        defer { withExtendedLifetime(test) {} }
        #expect(await problem { _ = try await site.submit(try echo(1), as: .ada) }?.kind == .notAllowed)
        try site.setPolicy(of: "visits", policyText: Self.allowed)
        #expect(try await site.submit(try echo(1), as: .ada).answer != nil)
        let question = await problem { _ = try await site.ask(TestSite.count(1), as: .ada) }
        #expect(question?.kind == .notAllowed && question?.detail.contains("the question") == true)
        #expect(try await site.preview(TestSite.count(1), as: .ada).decision.hasPrefix("would be refused"))
        #expect(try test.spent() == 0)
    }

    @Test("Any engine is asked for by its name, under one key with what was planned by hand")
    func byName() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        let request = try work(#"{"engine": "echo", "request": {"number": 7, "dataset": "visits"}, "purpose": "p"}"#)
        let first = try await site.submit(request, as: .ada, idempotencyKey: "k")
        #expect(String(decoding: try #require(first.answer), as: UTF8.self).hasPrefix(#"{"number":7,"#))
        #expect(try await site.submit(try echo(7, key: "k"), as: .ada) == first)
        #expect(try site.requests(as: .ada).map(\.purpose) == ["p"])
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 1)
        let wrong = [
            (#"{"engine": "echo", "request": {"dataset": "visits"}}"#, "'request.number' is missing"),
            (#"{"engine": "echo", "request": {"dataset": "visits", "number": 1, "n": 2}}"#, "unknown key 'request.n'"),
            (#"{"engine": "ecko", "request": {}}"#, "this datasite has no engine \u{201C}ecko\u{201D}"),
        ]
        for (text, words) in wrong {
            let refused = await problem { _ = try await site.submit(try work(text), as: .ada) }
            #expect(
                refused?.kind == .invalidRequest && refused?.detail.hasPrefix(words) == true, "\(refused?.detail ?? "")"
            )
        }
        let nearest = await problem {
            _ = try await site.submit(try work(#"{"engine": "ecko", "request": {}}"#), as: .ada)
        }
        #expect(nearest?.hint == "did you mean echo? It has echo, questions")
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 1)
    }

    @Test("A question is the same request by both ways, its purpose included", arguments: [nil, "a study of falls"])
    func question(_ purpose: String?) async throws {
        let test = try TestSite()
        var question = TestSite.count(0.5)
        question.purpose = purpose
        let request = try work(
            """
            {"request": {"epsilon": 0.5, "dataset": "visits", "sql": "\(question.sql)"}, "engine": "questions",
             "purpose": \(purpose.map { "\"\($0)\"" } ?? "null")}
            """)
        let first = try await test.site.ask(question, as: .ada, idempotencyKey: "k")
        #expect(try await test.site.submit(request, as: .ada, idempotencyKey: "k") == first)
        let receipts = try [first, try await test.site.submit(request, as: .ada)].map {
            try Receipt(decoding: try #require($0.receipt))
        }
        #expect(receipts[0].body.requestDigest == receipts[1].body.requestDigest)
        #expect(receipts[0].body.request != receipts[1].body.request)
        #expect(receipts[0].body.requestDigest == question.digest(datasetVersion: receipts[0].body.datasetVersion))
        #expect(try test.integer("SELECT count(DISTINCT body) FROM requests") == 1)
        #expect(try test.spent() == unit)
        let twice = try work(
            #"{"engine": "questions", "request": {"dataset": "visits", "sql": "", "epsilon": 1, "purpose": "p"}}"#)
        let refused = await problem { _ = try await test.site.submit(twice, as: .ada) }
        #expect(refused?.kind == .invalidRequest && refused?.detail.hasPrefix("'request.purpose'") == true)
    }

    @Test("Nobody asks for a synthetic table so, neither a researcher nor an owner with an account")
    func ownersOnly() async throws {
        let test = try TestSite()
        let request = try work(#"{"engine": "synthetic-tables", "request": {"dataset": "visits", "epsilon": 1}}"#)
        let researcher = await problem { _ = try await test.site.submit(request, as: .ada) }
        #expect(researcher?.kind == .forbidden && researcher?.detail == "only owners ask for the synthetic table")
        let owner = await problem {
            _ = try await test.site.submit(request, as: Identity(name: "olga", role: .owner))
        }
        #expect(owner?.kind == .forbidden && owner?.detail.contains("in the site's folder alone") == true)
        let question = try work(#"{"engine": "questions", "request": {}}"#)
        #expect(await problem { _ = try await test.site.submit(question, as: .folder) }?.kind == .forbidden)
        #expect(try test.spent() == 0)
    }

    @Test("A policy that names an engine which the site does not have is refused, when it is added or changed")
    func unknownEngine() throws {
        let unknown = "{loss: pure, total: {epsilon: 10}, engines: {questions: {}, sinthetic-tables: {}}}"
        let test = try TestSite()
        func refusal(_ body: () throws -> Void) -> Problem? { #expect(throws: Problem.self, performing: body) }
        let added = refusal { try test.add("more", policy: unknown) }
        #expect(added?.kind == .invalidManifest)
        #expect(
            added?.detail.contains("`policy.engines.sinthetic-tables`: this datasite has no engine") == true,
            "\(added?.detail ?? "")")
        #expect(
            added?.hint
                == "did you mean synthetic-tables? It has evaluation-feedback, evaluation-final, federated-questions, federated-training, joint-computation, opened-rows, prediction, questions, set-intersection, synthetic-tables, training"
        )
        #expect(refusal { try test.site.setPolicy(of: "visits", policyText: unknown) }?.hint == added?.hint)
        let version = refusal {
            _ = try test.site.addVersion(
                of: "visits", file: try test.file("new", TestSite.rows(people: 3)),
                manifestText: TestSite.manifest("visits", policy: unknown))
        }
        #expect(version?.hint == added?.hint)
        #expect(try test.site.datasets().map(\.name) == ["visits"])
    }

    @Test("A stored policy that names an engine of a later version is read, and its table still grows")
    func storedEngine() async throws {
        let policy = Self.allowed.replacing("echo: {", with: "questions: {}, echo: {")
        let (test, later) = try site(policy)
        let manifest = TestSite.manifest("visits", policy: policy)
        _ = try later.addVersion(
            of: "visits", file: try test.file("first", TestSite.rows(people: 9)), manifestText: manifest)
        // This one has no echo.
        let site = try test.reopened()
        #expect(try await site.ask(TestSite.count(1), as: .ada).answer != nil)
        #expect(try site.dataset("visits").summary.name == "visits")
        _ = try site.append(to: "visits", file: try test.file("more", TestSite.rows(people: 3)))
        _ = try site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 3)))
        #expect(try site.verify().problems == [])
    }

    @Test("Uses are counted for each and for all, kept where an answer is given again, and named by the receipt")
    func uses() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        let first = try await site.submit(try echo(1, key: "k"), as: .ada)
        #expect(try await site.submit(try echo(1, key: "k"), as: .ada) == first)
        let receipt = try Receipt(decoding: try #require(first.receipt))
        #expect(receipt.body.version == 2 && receipt.body.engine == "echo")
        #expect(receipt.body.charge == Receipt.Charge(kind: nil, uses: 1))
        #expect(receipt.body.assets.map(\.dataset) == ["visits"])
        try ReceiptVerifier(publicKey: site.description.publicKey).verify(receipt, answer: first.answer)
        #expect(await problem { _ = try await site.submit(try echo(2, key: "k"), as: .ada) }?.kind == .conflict)
        _ = try await site.submit(try echo(2), as: .ada)
        let own = await problem { _ = try await site.submit(try echo(3), as: .ada) }
        #expect(own?.kind == .overBudget && own?.detail.contains("researcher ada") == true)
        _ = try await site.submit(try echo(3), as: Self.bea)
        let all = await problem { _ = try await site.submit(try echo(4), as: Self.bea) }
        #expect(all?.kind == .overBudget && all?.detail.contains("all researchers") == true)
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 3)
        #expect(try test.spent() == 0)
        let listed = try site.requests(as: .ada)
        #expect(
            listed.count == 2 && listed.allSatisfy { $0.engine == "echo" && $0.charge.uses == 1 && $0.sql == "ECHO" })
        #expect(try site.verify().problems == [])
    }

    @Test("Uses that were changed without the journal are found", arguments: ["uses = uses - 1", "asker = 'bea'"])
    func tampering(_ change: String) async throws {
        let (test, site) = try site(Self.allowed)
        _ = try await site.submit(try echo(1), as: .ada)
        #expect(try site.verify().problems == [])
        try test.execute("UPDATE uses SET \(change)")
        let problems = try site.verify().problems
        #expect(problems.contains { $0.contains("the uses of visits by") }, "\(problems)")
        try test.execute("DELETE FROM uses")
        #expect(try site.verify().problems == ["ledger: the uses of visits by ada are missing"])
    }

    @Test("Loss and uses are one charge: where one does not fit, neither is charged")
    func both() async throws {
        let (test, site) = try site("{loss: pure, total: {epsilon: 2}, engines: {echo: {uses: 2}}}")
        defer { withExtendedLifetime(test) {} }
        _ = try await site.submit(try echo(1, epsilon: 1), as: .ada)
        #expect(await problem { _ = try await site.submit(try echo(1, epsilon: 1.5), as: .ada) }?.kind == .overBudget)
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 1)
        _ = try await site.submit(try echo(1, epsilon: 0.5), as: .ada)
        #expect(await problem { _ = try await site.submit(try echo(1, epsilon: 0.5), as: .ada) }?.kind == .overBudget)
        #expect(try test.spent() == 1_500_000_000_000)
        #expect(try site.verify().problems == [])
    }

    @Test("A preview says how many uses are left, and refuses what the ledger would refuse, in the same words")
    func previewed() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        let request = try work(#"{"engine": "echo", "request": {"dataset": "visits", "number": 1}}"#)
        func check(_ who: Identity, left: Int64) async throws {
            let preview = try await site.preview(request, as: who)
            #expect(preview.available == Loss(kind: "uses", uses: left) && preview.left == nil)
            #expect(preview.charge == Loss(kind: "uses", uses: 1))
            let refused = await problem { _ = try await site.submit(request, as: who) }
            #expect(preview.decision == (refused.map { "would be refused: \($0.detail)" } ?? "would be answered"))
            #expect((refused == nil) == (left > 0))
        }
        try await check(.ada, left: 2)
        try await check(.ada, left: 1)
        try await check(.ada, left: 0)
        #expect(
            try await site.preview(request, as: .ada).decision
                == "would be refused: the echo costs 1 use, more than is left to researcher ada of the uses of visits (0 of 2)"
        )
        try await check(Self.bea, left: 1)
        try await check(Self.bea, left: 0)
        try site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 2}, engines: {echo: {}}}")
        try await check(Self.bea, left: 0)
        #expect(try await site.preview(request, as: .ada).decision.hasSuffix("(its policy has no `uses`)"))
        let both = try work(#"{"engine": "echo", "request": {"dataset": "visits", "number": 1, "epsilon": 0.5}}"#)
        let preview = try await site.preview(both, as: .ada)
        #expect(preview.available == Loss(kind: "pure", epsilon: 2, uses: 0) && preview.left != nil)
        #expect(preview.decision.hasPrefix("would be refused"))
    }

    @Test("Owners see the uses that are counted, held and left, and whose; a researcher sees all together and her own")
    func reported() async throws {
        let (test, site) = try site(
            "{loss: pure, total: {epsilon: 2}, engines: {echo: {uses: 5, uses-per-researcher: 2, approval: owner}, questions: {}}}"
        )
        defer { withExtendedLifetime(test) {} }
        func lines(_ who: Identity) throws -> [String] {
            let lines = try #require(try site.budget(as: who).compactMap(\.uses).first)
            #expect(lines.allSatisfy { $0.dataset == "visits" && $0.engine == "echo" })
            return lines.map { "\($0.scope): \($0.spent) and \($0.held ?? 0) of \($0.limit), \($0.remaining) left" }
        }
        #expect(
            try lines(.folder) == [
                "all researchers: 0 and 0 of 5, 5 left", "researcher ada: 0 and 0 of 2, 2 left",
                "researcher bea: 0 and 0 of 2, 2 left",
            ])
        let first = try #require(try await site.submit(try echo(1), as: .ada).pendingID)
        _ = try await site.approve(first, by: .folder)
        _ = try #require(try await site.submit(try echo(2), as: .ada).pendingID)
        #expect(
            try lines(.auditor) == [
                "all researchers: 1 and 1 of 5, 3 left", "researcher ada: 1 and 1 of 2, 0 left",
                "researcher bea: 0 and 0 of 2, 2 left",
            ])
        #expect(
            try lines(Self.bea) == ["all researchers: 1 and 1 of 5, 3 left", "researcher bea: 0 and 0 of 2, 2 left"])
        let charged = try site.audit(as: .folder).filter { $0.charge == Loss(kind: "uses", uses: 1) }
        #expect(charged.count { $0.action == "pending" } == 2)
        try site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 2}}")
        #expect(try site.budget(as: .folder).compactMap(\.uses).isEmpty)
    }

    @Test("Its own approval is asked for; what waits is held, and given back where an owner denies")
    func approval() async throws {
        let (test, site) = try site(
            "{loss: pure, total: {epsilon: 2}, engines: {echo: {uses: 1, approval: owner}, questions: {}}}")
        defer { withExtendedLifetime(test) {} }
        let held = try #require(try await site.submit(try echo(7), as: .ada).pendingID)
        #expect(try await site.ask(TestSite.count(1), as: .ada).answer != nil)
        #expect(await problem { _ = try await site.submit(try echo(8), as: Self.bea) }?.kind == .overBudget)
        _ = try await site.deny(held, by: .folder, reason: "no")
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 0)
        let next = try #require(try await site.submit(try echo(8), as: Self.bea).pendingID)
        #expect(try await site.approve(next, by: .folder).state == "released")
        #expect(try site.verify().problems == [])
    }

    @Test("A machine's fault is told at the slot's end; the charge stays, and the same key completes it once")
    func fault() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        EchoWork.failures.withLock { $0 = 1 }
        let slept = test.clock.departures.count
        let failed = await problem { _ = try await site.submit(try echo(5, key: "f"), as: .ada) }
        #expect(failed?.kind == .siteUnavailable)
        #expect(test.clock.departures.count == slept + 1)
        #expect(try site.requests(as: .ada).map(\.state) == ["reserved"])
        #expect(try await site.submit(try echo(5, key: "f"), as: .ada).answer != nil)
        #expect(try test.integer("SELECT sum(uses) FROM uses") == 1)
        #expect(try site.verify().problems == [])
    }

    @Test("What happened beyond the charge is withheld, also where no loss was charged at all")
    func withheld() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        EchoWork.overspends.withLock { $0 = true }
        defer { EchoWork.overspends.withLock { $0 = false } }
        let withheld = await problem { _ = try await site.submit(try echo(5), as: .ada) }
        #expect(withheld?.detail.contains("withheld") == true)
        #expect(try site.requests(as: .ada).map(\.state) == ["reserved"])
    }

    @Test("A purpose is asked for where the policy wants it, kept with the request, and part of what is signed")
    func purpose() async throws {
        let (test, site) = try site("{loss: pure, total: {epsilon: 10}, purpose: required}")
        defer { withExtendedLifetime(test) {} }
        #expect(try site.dataset("visits").approval == "automatic within budget; each request says what it is for")
        var request = TestSite.count(1)
        let refused = await problem { _ = try await site.ask(request, as: .ada) }
        #expect(refused?.kind == .notAllowed && refused?.detail.contains("what the answer is for") == true)
        request.purpose = "  "
        #expect(await problem { _ = try await site.ask(request, as: .ada) }?.kind == .notAllowed)
        request.purpose = "a study of falls"
        let receipt = try Receipt(decoding: try #require(try await site.ask(request, as: .ada).receipt))
        #expect(receipt.body.requestDigest == request.digest(datasetVersion: receipt.body.datasetVersion))
        #expect(try site.requests(as: .ada).map(\.purpose) == ["a study of falls"])
        request.purpose = String(repeating: "p", count: 2_001)
        #expect(await problem { _ = try await site.ask(request, as: .ada) }?.kind == .invalidRequest)
    }

    @Test("A request of an engine that is gone is listed, and cannot be completed; its charge stays")
    func engineGone() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        EchoWork.failures.withLock { $0 = 1 }
        _ = await problem { _ = try await site.submit(try echo(5, key: "f"), as: .ada) }
        let listed = try test.site.requests(as: .ada)
        #expect(listed.map(\.engine) == ["echo"])
        let gone = await problem { _ = try await test.site.answer(listed[0].id, as: .ada) }
        #expect(gone?.kind == .invalidRequest && gone?.detail.contains("echo") == true)
        #expect(try test.site.verify().problems == [])
    }

    @Test("After a restore nobody knows how often a dataset was used: no use is left")
    func restore() async throws {
        let (test, site) = try site(Self.allowed)
        defer { withExtendedLifetime(test) {} }
        _ = try await site.submit(try echo(1), as: .ada)
        let copy = try test.copyAtOnce()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try FileManager.default.removeItem(atPath: copy + "/generation")
        var configuration = TestSite.configuration(test.clock)
        configuration.engines = EngineTable([QuestionWork.self, EchoWork.self])
        let restored = try Datasite(path: copy, configuration: configuration)
        let remarks = try restored.acceptRestore()
        #expect(remarks.contains { $0.contains("all uses") })
        #expect(try restored.verify().problems == [])
        #expect(await problem { _ = try await restored.submit(try echo(2), as: Self.bea) }?.kind == .overBudget)
    }
}
