import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Synchronization
import Tables
import Testing

@testable import Datasite

@Suite("A synthetic table is a release: charged before a row is read, journaled, the same for all")
struct SynthesisTests {
    private func journal(_ test: TestSite) throws -> [JournalEntry] {
        try test.site.read { db in
            try String.fetchAll(db, sql: "SELECT entry FROM journal ORDER BY number")
                .compactMap { JournalEntry.decode($0)?.entry }
        }
    }

    private func counts(_ test: TestSite) async throws -> [Double] {
        let bytes = try await test.site.mock(TestSite.count(1_000), as: Identity(name: "ada", role: .researcher))
        let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        #expect(answer.mock)
        return answer.rows.map { row in
            switch row[1].value {
            case .integer(let count): Double(count)
            case .real(let count): count
            default: -1
            }
        }
    }

    @Test("It is charged in full, journaled, signed and stored; the datasite verifies")
    func released() async throws {
        let test = try TestSite()
        let report = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(4)))
        #expect(try test.spent() == 4_000_000_000_000)
        let entries = try journal(test).filter { $0.request == report.request }
        #expect(entries.map(\.action) == [.reserved, .released])
        #expect(entries[0].loss == PrivacyLoss(kind: .pure, amount: 4_000_000_000_000))
        #expect(entries.allSatisfy { $0.dataset == "visits" })
        #expect(try test.integer("SELECT released FROM populations") == 1)
        // A step's, unless the machine stalled, and the table's.
        let departures = test.clock.departures
        #expect((1...2).contains(departures.count) && departures == departures.sorted())
        let verified = try test.site.verify()
        #expect(verified.isSound, "\(verified.problems)")
    }

    @Test("Mock answers and the catalogue's mock rows come from it, and say so with its cost; another process too")
    func mockAnswersComeFromIt() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1000}}", people: 300)
        #expect(try test.site.dataset("visits").mockSource == nil)
        let made = try await counts(test)
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(900)))
        // 300 people with 1, 2 or 3 rows, of which the first is of kind a, the second b, the third c.
        let truth = [300.0, 200, 100]
        let synthetic = try await counts(test)
        #expect(zip(synthetic, truth).allSatisfy { abs($0 - $1) < 10 }, "\(synthetic)")
        #expect(!zip(made, truth).allSatisfy { abs($0 - $1) < 10 })
        for site in [test.site, try test.reopened()] {
            let detail = try site.dataset("visits")
            #expect(detail.mockSource == "a synthetic table, released at epsilon 900")
            let rows = try test.site.dataset("visits").mockRows
            #expect(rows.count == 5 && detail.mockRows == rows)
        }
        let bytes = try await test.site.mock(TestSite.count(1), as: Identity(name: "ada", role: .researcher))
        // A narrow interval says nothing of the data, which stands at each estimate, with the budget of its noise.
        let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        #expect(answer.rows.allSatisfy { $0[0].flags == nil && $0[1].flags == ["mock"] })
        #expect(answer.notes.contains { $0.contains("a question at epsilon 1:") }, "\(answer.notes)")
        #expect(answer.notes[0].contains("a synthetic table, released at epsilon 900"))
    }

    @Test("What may need more memory than the site has for all scans is refused before it is charged")
    func memory() async throws {
        let test = try TestSite()
        _ = try test.site.setScanLimits(memory: 0x1p26)
        let site = try test.reopened()
        let refused = await problem {
            _ = try await site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        }
        #expect(refused?.kind == .invalidRequest && refused?.hint?.contains("fewer rows") == true)
        #expect(refused?.detail.hasPrefix("the synthetic table may need") == true, "\(refused?.detail ?? "")")
        #expect(try test.spent() == 0)
        _ = try await site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1), rows: 100))
        #expect(try test.spent() == unit)
    }

    @Test("A crash between charge and release keeps the charge; the same request completes it, charged once")
    func crash() async throws {
        let test = try TestSite()
        let request = SynthesisRequest(dataset: "visits", budget: .epsilon(2))
        _ = try await test.site.synthesize(request)
        // What a crash right after the reservation leaves: the request reserved, without answer or release.
        try test.execute(
            """
            DELETE FROM synthetic; DELETE FROM answers; UPDATE requests SET state = 'reserved';
            DELETE FROM journal WHERE number = (SELECT max(number) FROM journal);
            """)
        let site = try test.reopened()
        #expect(try site.dataset("visits").mockSource == nil)
        #expect(try test.spent(site) == 2_000_000_000_000)
        let told = Mutex<[String]>([])
        let tell: @Sendable (String, Loss, Bool) -> Void = { _, charge, isResumed in
            let released = (try? site.dataset("visits").mockSource) != nil
            told.withLock { $0.append("\(charge.epsilon ?? 0) \(isResumed) \(released)") }
        }
        _ = try await site.synthesize(request, onCharge: tell)
        #expect(told.withLock { $0 } == ["2.0 true false"])
        #expect(try test.spent(site) == 2_000_000_000_000)
        #expect(try test.integer("SELECT count(*) FROM requests") == 1)
        #expect(try site.verify().isSound)
        // What has ended is not completed again: the same command releases, and charges, another table.
        _ = try await site.synthesize(request, onCharge: tell)
        #expect(told.withLock { $0.last } == "2.0 false true")
        #expect(try test.spent(site) == 4_000_000_000_000)
    }

    @Test("Where the budget does not suffice it is refused, and nothing is charged, stored or changed")
    func overBudget() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 3}, per-researcher: {epsilon: 1}}")
        do {
            _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(3.5)))
            Issue.record("it was not refused")
        } catch let problem as Problem {
            #expect(problem.kind == .overBudget)
            #expect(problem.detail.contains("epsilon 3.5"))
        }
        #expect(try test.spent() == 0)
        #expect(try test.integer("SELECT count(*) FROM requests") == 0)
        // The limit of one researcher is not the owner's; the total is everybody's.
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(2)))
        await #expect(throws: Problem.self) {
            try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(2)))
        }
        #expect(try test.spent() == 2_000_000_000_000)
    }

    @Test("What makes no sense is refused before anything is charged")
    func refusals() async throws {
        let test = try TestSite()
        for request in [
            SynthesisRequest(dataset: "nothing", budget: .epsilon(1)),
            .init(dataset: "visits", budget: .error(relative: 0.1, groupSize: 100)),
            .init(dataset: "visits", budget: .rho(1)),
            .init(dataset: "visits", budget: .epsilon(-1)), .init(dataset: "visits", budget: .epsilon(.infinity)),
            .init(dataset: "visits", budget: .epsilon(1e-12)), .init(dataset: "visits", budget: .epsilon(1), rows: 0),
            .init(dataset: "visits", budget: .epsilon(1), rowsPerUnit: 4),
            .init(dataset: "visits", budget: .epsilon(1), columns: ["no such"]),
            .init(dataset: "visits", budget: .epsilon(1), columns: ["person"]),
        ] { await #expect(throws: Problem.self, "\(request)") { try await test.site.synthesize(request) } }
        #expect(try test.spent() == 0)
    }

    @Test("Under zCDP an epsilon is the largest rho that converts to at most it; both name the charge")
    func zeroConcentrated() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {epsilon: 8}}")
        let report = try await test.site.synthesize(
            SynthesisRequest(dataset: "visits", budget: .epsilon(1), columns: ["kind"]))
        #expect(report.madeUp == ["amount: it was not chosen"])
        let rho = Conversion.rho(epsilon: 1, delta: 5e-7)
        #expect(abs(Double(try test.spent()) * 1e-12 - rho) <= 1e-12)
        let source = try #require(try test.site.dataset("visits").mockSource)
        #expect(source.contains("rho") && source.contains("delta"))
        // Which columns are of it stands wherever its rows are shown.
        #expect(source.hasSuffix("(of it: kind; made up from the manifest: amount)"))
        let mock = try await test.site.mock(TestSite.count(1), as: Identity(name: "ada", role: .researcher))
        let notes = try JSONDecoder().decode(Answer.self, from: Data(mock)).notes
        #expect(notes.contains { $0.contains("of it: kind; made up from the manifest: amount") })
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .rho(0.01)))
        #expect(abs(Double(try test.spent()) * 1e-12 - rho - 0.01) <= 1e-11)
        #expect(try test.site.verify().isSound)
    }

    @Test("A new version of the dataset goes back to made-up rows: its columns may differ")
    func newVersion() async throws {
        let test = try TestSite()
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        _ = try test.site.addVersion(of: "visits", file: try test.file("visits", TestSite.rows(people: 10)))
        #expect(try test.site.dataset("visits").mockSource == nil)
        #expect(try test.spent() == 1_000_000_000_000)
    }

    @Test("A datasite of the first schema is taken over, and can then release synthetic tables")
    func migration() async throws {
        let test = try TestSite()
        try test.returnToFourthSchema()
        try test.execute(
            """
            DROP TABLE synthetic; DROP TABLE population_units; ALTER TABLE populations DROP COLUMN raised;
            ALTER TABLE populations DROP COLUMN least_share; PRAGMA user_version = 1
            """)
        let site = try test.reopened()
        _ = try await site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        #expect(try site.verify().isSound)
    }
}
