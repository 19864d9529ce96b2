import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Tables
import Testing

@testable import Datasite

@Suite("A question is answered once, under one charge")
struct AskingTests {
    @Test("An answer comes with a receipt that verifies, and the ledger holds the charge")
    func answerAndReceipt() async throws {
        let test = try TestSite()
        let result = try await test.site.ask(TestSite.count(1), as: .ada)
        let answer = try #require(result.answer)
        let receipt = try Receipt(decoding: try #require(result.receipt))
        let signature = try #require(Data(base64Encoded: receipt.signature))
        #expect(test.site.signingKey.publicKey.isValidSignature(signature, for: receipt.body.signedBytes))
        #expect(receipt.body.answerDigest == sha256Hex(answer))
        #expect(receipt.body.publicKey == test.site.description.publicKey)
        #expect(receipt.body.requestDigest == TestSite.count(1).digest(datasetVersion: receipt.body.datasetVersion))
        #expect(receipt.body.charge.amounts == [unit])
        #expect(try test.spent() == unit)
        let decoded = try JSONDecoder().decode(Answer.self, from: Data(answer))
        #expect(decoded.rows.count == 3 && decoded.rows.allSatisfy { $0.count == 2 })
        #expect(!decoded.mock && decoded.request == receipt.body.request)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Ten questions at epsilon 0.1 fit into a total of 1 exactly, and an eleventh is refused and journaled")
    func tenTenths() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        for _ in 0..<10 { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }
        #expect(try test.spent() == unit)
        let refusal = await problem { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }
        #expect(refusal?.kind == .overBudget)
        #expect(try test.spent() == unit)
        let last = try test.site.audit(as: .auditor, from: 1, limit: 1_000).last
        #expect(last?.action == "refused" && last?.actor == "ada")
        #expect(try test.site.verify().problems == [])
    }

    @Test("A repeated key gives the stored bytes again and charges nothing")
    func replay() async throws {
        let test = try TestSite()
        let first = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        let again = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        let elsewhere = try await test.reopened().ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        #expect(first == again && first == elsewhere)
        #expect(try test.spent() == unit)
    }

    @Test("A key used for another request is a conflict, before and after its answer; another researcher's key is hers")
    func keysAreBound() async throws {
        let test = try TestSite(researchers: ["ada", "bea"])
        _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        let other = await problem { _ = try await test.site.ask(TestSite.count(2), as: .ada, idempotencyKey: "k") }
        #expect(other?.kind == .conflict)
        let bea = Identity(name: "bea", role: .researcher)
        let hers = try await test.site.ask(TestSite.count(2), as: bea, idempotencyKey: "k")
        #expect(hers.answer != nil)
        #expect(try test.spent() == 3 * unit)
    }

    @Test("A key has 1 to 128 visible characters: what is no key is refused before anything is charged")
    func keys() async throws {
        let test = try TestSite()
        for key in ["", String(repeating: "k", count: 129), "a b", "a\n", "\u{7f}", "é"] {
            let refused = await problem {
                _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: key)
            }
            #expect(refused?.kind == .invalidRequest, "\(key)")
        }
        #expect(try test.spent() == 0)
        for key in ["~", String(repeating: "!", count: 128)] {
            #expect(try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: key).answer != nil)
        }
    }

    @Test("Of many concurrent calls with one key, in two processes, one is charged and all get its bytes")
    func concurrentCallsJoin() async throws {
        let test = try TestSite()
        let other = try test.reopened()
        let answers = try await withThrowingTaskGroup(of: AskResult.self) { group in
            for index in 0..<24 {
                let site = index % 2 == 0 ? test.site : other
                group.addTask { try await site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k") }
            }
            return try await group.reduce(into: Set<AskResult>()) { $0.insert($1) }
        }
        #expect(answers.count == 1)
        #expect(try test.spent() == unit)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Charges, plans and previews are identical on any two datasets of one manifest (rule 5)")
    func chargesDoNotDependOnData() async throws {
        let small = try TestSite(people: 1)
        let large = try TestSite(people: 900)
        for sql in [
            "SELECT COUNT(*) FROM visits", "SELECT kind, AVG(amount) FROM visits GROUP BY kind",
            "SELECT MEDIAN(amount) FROM visits",
            "SELECT kind, SUM(amount), COUNT(*) FROM visits GROUP BY kind HAVING COUNT(*) > 3",
        ] {
            let request = AskRequest(dataset: "visits", sql: sql, budget: .epsilon(0.7))
            let previews = try await [
                small.site.preview(request, as: .ada), large.site.preview(request, as: .ada),
            ]
            #expect(previews[0] == previews[1])
            for test in [small, large] { _ = try await test.site.ask(request, as: .ada) }
            #expect(try small.spent() == large.spent())
        }
    }

    @Test("A preview spends nothing and says what becomes of the question")
    func previews() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        let fits = try await test.site.preview(TestSite.count(1), as: .ada)
        #expect(fits.decision == "would be answered" && fits.charge.epsilon == 1 && fits.available.epsilon == 1)
        let over = try await test.site.preview(TestSite.count(1.5), as: .ada)
        #expect(over.decision.hasPrefix("would be refused"))
        #expect(try test.spent() == 0)
    }

    @Test("Who waits is told how long beforehand and with the answer: by the declared capacity, not by the rows")
    func time() async throws {
        let test = try TestSite(people: 5)
        let manifest = TestSite.manifest("many", policy: "{loss: pure, total: {epsilon: 10}}")
            .replacing("rows: 10000", with: "rows: 10000000")
        let file = try test.file("many", TestSite.rows(people: 5))
        let report = try test.site.addDataset(file: file, manifestText: manifest)
        let count = AskRequest(dataset: "many", sql: "SELECT COUNT(*) FROM many", budget: .epsilon(1))
        let bound = try test.site.question(count, in: try test.site.catalogue()).work.bound
        let words = AnswerTime.words(test.site.slot(test.site.limits, bound).length)
        #expect(words.hasSuffix(" s"))
        let time = try #require(report.time)
        #expect(time.hasPrefix("A count takes \(words) to answer") && time.contains("10,000,000 rows"), "\(time)")
        let note = "The answer takes \(words): the time follows the declared capacity of 10,000,000 rows"
        #expect(try await test.site.preview(count, as: .ada).notes.contains { $0.hasPrefix(note) })
        guard case .released(let bytes, _) = try await test.site.ask(count, as: .ada) else {
            Issue.record("not released")
            return
        }
        #expect(try JSONDecoder().decode(Answer.self, from: Data(bytes)).notes.contains { $0.hasPrefix(note) })
        // What nobody notices is not said.
        #expect(
            try await !test.site.preview(TestSite.count(1), as: .ada).notes.contains { $0.contains("answer takes") })
        #expect(try Datasite.describe(file).text.contains("at a capacity of 10,000,000 rows"))
        for (length, words) in [(5, "5 ms"), (99, "99 ms"), (146, "0.15 s"), (1_233, "1.2 s"), (61_500, "62 s")] {
            #expect(AnswerTime.words(.milliseconds(length)) == words)
        }
    }

    @Test("Bins of a histogram say which they are; dates have dates as bounds, in the catalogue and at intervals")
    func binsAndDates() async throws {
        let test = try TestSite()
        let request = AskRequest(
            dataset: "visits", sql: "SELECT kind, HISTOGRAM(amount, 0, 10, 100) AS h FROM visits GROUP BY kind",
            budget: .epsilon(1))
        guard case .released(let bytes, _) = try await test.site.ask(request, as: .ada) else {
            Issue.record("not released")
            return
        }
        let columns = try JSONDecoder().decode(Answer.self, from: Data(bytes)).columns
        #expect(
            columns.map(\.bin) == [
                nil, .init(histogram: "h", lower: 0, upper: 10), .init(histogram: "h", lower: 10, upper: 100),
            ])
        let noisy = NoisyAnswer(
            columns: [
                AnswerColumn(name: "d", type: .date, isKey: false),
                AnswerColumn(name: "t", type: .timestamp, isKey: false),
            ],
            rows: [
                [
                    AnswerCell(value: .date(0), lower: -0.5, upper: 0.5),
                    AnswerCell(value: .timestamp(60), lower: -.infinity, upper: 61.2),
                ]
            ], notes: [])
        let cells = AnswerEncoding.rows(noisy)[0]
        #expect(cells[0] == .init(value: .text("1970-01-01"), lower: .text("1969-12-31"), upper: .text("1970-01-02")))
        #expect(cells[1].lower == .text("-Infinity") && cells[1].upper == .text("1970-01-01T00:01:02Z"))
    }

    @Test("A dictionary has dates as dates, grids, and what other values become")
    func dictionary() throws {
        let test = try TestSite()
        let manifest =
            TestSite.manifest("walks", policy: "{loss: pure, total: {epsilon: 10}}") + """

                  - {name: day, type: date, bounds: [2020-01-01, 2020-12-31], resolution: 7}
                  - {name: town, type: text, domain: [Oslo, Bergen, elsewhere], other: elsewhere}
                """
        let file = try test.file("walks", "person,kind,amount,day,town\n1,a,1,2020-02-02,Oslo\n")
        _ = try test.site.addDataset(file: file, manifestText: manifest)
        let columns = try test.site.dataset("walks").columns
        #expect(columns[2].lower == 0 && columns[2].earliest == nil)
        #expect(columns[3].lower == nil && columns[3].earliest == "2020-01-01" && columns[3].latest == "2020-12-31")
        #expect(columns[3].resolution == 7 && columns[4].other == .text("elsewhere"))
    }

    @Test("Mock rows come from the manifest alone, the same for all; questions on them cost nothing")
    func mock() async throws {
        let one = try TestSite(people: 5)
        let other = try TestSite(people: 500)
        #expect(try one.site.dataset("visits").mockRows == other.site.dataset("visits").mockRows)
        let bytes = try await one.site.mock(TestSite.count(1), as: .ada)
        let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        #expect(answer.mock && answer.rows.count == 3)
        #expect(try one.spent() == 0)
    }

    @Test("Refusals tell nothing of the rows: they are the same on different data, word for word")
    func refusalsAreIndependentOfData() async throws {
        let small = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, per-question: {epsilon: 0.5}}", people: 1)
        let large = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, per-question: {epsilon: 0.5}}", people: 700)
        let requests = [
            TestSite.count(0.7), TestSite.count(-1), TestSite.count(.nan), TestSite.count(0.1, "absent"),
            AskRequest(dataset: "visits", sql: "SELECT amount FROM visits", budget: .epsilon(0.1)),
            AskRequest(
                dataset: "visits", sql: "SELECT person, COUNT(*) FROM visits GROUP BY person", budget: .epsilon(0.1)),
            AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .rho(0.1)),
            AskRequest(dataset: "visits", sql: String(repeating: " ", count: 70_000), budget: .epsilon(0.1)),
        ]
        for request in requests {
            let first = await problem { _ = try await small.site.ask(request, as: .ada) }
            let second = await problem { _ = try await large.site.ask(request, as: .ada) }
            #expect(first != nil && first == second)
        }
        #expect(try small.spent() == 0 && large.spent() == 0)
    }

    @Test("Only researchers ask, and a revoked one is refused inside the transaction")
    func onlyResearchersAsk() async throws {
        let test = try TestSite()
        for identity in [Identity.auditor, .folder] {
            let refusal = await problem { _ = try await test.site.ask(TestSite.count(1), as: identity) }
            #expect(refusal?.kind == .forbidden)
        }
        try test.reopened().revokeUser("ada")
        let refusal = await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada) }
        #expect(refusal?.kind == .forbidden)
        #expect(try test.spent() == 0)
    }

    @Test("What a full queue refuses is not charged")
    func busy() async throws {
        let test = try TestSite()
        let engines = EngineThreads(threads: 1, queueLimit: 0)
        let refusal = await problem {
            try await engines.admitting("bea") {
                try await engines.admitting("ada") { _ = try await test.site.ask(TestSite.count(1), as: .ada) }
            }
        }
        #expect(refusal?.kind == .busy && refusal?.status == 503)
        #expect(engines.refusals == 1 && engines.admitted == 0)
        #expect(try test.spent() == 0)
    }

    @Test("One researcher cannot take every place: the queue keeps half of them for others")
    func placesAreShared() async throws {
        let engines = EngineThreads(threads: 2, queueLimit: 2)
        let refusal = await problem {
            try await engines.admitting("ada") {
                try await engines.admitting("ada") {
                    // Two of four are ada's: her third is refused, and bea's first is not.
                    try await engines.admitting("bea") {}
                    try await engines.admitting("ada") {}
                }
            }
        }
        #expect(refusal?.kind == .busy)
        #expect(engines.refusals == 1 && engines.admitted == 0)
        try await engines.admitting("ada") {}
    }

    @Test("A question's own text counts three times toward the day's allowance: in request, answer and journal")
    func allowance() throws {
        let allowance = StorageAllowance(bytesPerDay: 10_000, refusalsPerDay: 9)
        func take(_ body: Int, _ researcher: String) -> Bool {
            (try? allowance.take(body, researcher: researcher, now: 0)) != nil
        }
        // 4,096 bytes each, and the text.
        #expect((0..<4).map { _ in take(0, "ada") } == [true, true, true, false])
        #expect((0..<2).map { _ in take(1_968, "bea") } == [true, false])
        #expect((0..<2).map { _ in take(1_967, "cleo") } == [true, true])
    }

    @Test("One researcher's questions cannot fill the disk: beyond the day's allowance nothing more is written of them")
    func storageAllowance() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}", researchers: ["ada", "bea"])
        var configuration = TestSite.configuration(test.clock)
        configuration.storageBytesPerDay = 20_000
        let site = try Datasite(path: test.path, configuration: configuration)
        _ = try await site.ask(TestSite.count(0.1), as: .ada, idempotencyKey: "k")
        var statuses: [Int] = []
        var entries: [Int] = []
        for _ in 0..<12 {
            // Over budget: refused, and journaled with its text.
            let refusal = await problem { _ = try await site.ask(TestSite.count(2), as: .ada) }
            statuses.append(refusal?.status ?? 0)
            entries.append(try site.audit(as: .auditor).count)
        }
        #expect(statuses.first == 403 && statuses.last == 429)
        let journaled = try #require(statuses.firstIndex(of: 429))
        #expect(statuses[journaled...].allSatisfy { $0 == 429 } && entries[journaled] == entries[journaled - 1])
        #expect(entries.last == entries[journaled])
        // What is stored is given again, others are not concerned, and tomorrow is another day.
        _ = try await site.ask(TestSite.count(0.1), as: .ada, idempotencyKey: "k")
        _ = try await site.ask(TestSite.count(0.1), as: Identity(name: "bea", role: .researcher))
        test.clock.advance(86_400)
        _ = try await site.ask(TestSite.count(0.1), as: .ada)
        #expect(try site.verify().problems == [])
    }
}
