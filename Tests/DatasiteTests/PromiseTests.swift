import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Synchronization
import Testing

@testable import Datasite

@Suite("Between question and answer nothing slips through")
struct PromiseTests {
    private static let bea = Identity(name: "bea", role: .researcher)

    /// The same folder with answers that wait for `gate` where they would wait for their time slot.
    private func site(_ test: TestSite, sleeping: @escaping @Sendable (Duration) async -> Void) throws -> Datasite {
        var configuration = TestSite.configuration(test.clock)
        configuration.clock = SiteClock(now: test.clock.clock.now, instant: { .zero }, sleepUntil: sleeping)
        return try Datasite(path: test.path, configuration: configuration)
    }

    // MARK: One key in flight

    @Test("While a key's request is under way, another request under it is a conflict, the same one joins it")
    func keysInFlight() async throws {
        let test = try TestSite(researchers: ["ada", "bea"])
        let gate = Gate()
        let site = try site(test) { _ in await gate.pass() }
        async let first = site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        await gate.reached(1)
        let refused = Mutex(false)
        async let other = problem {
            defer { refused.withLock { $0 = true } }
            _ = try await site.ask(TestSite.count(2), as: .ada, idempotencyKey: "k")
        }
        // If it had joined the first, it would wait as long as that does.
        for _ in 0..<1_000_000 where !refused.withLock({ $0 }) { await Task.yield() }
        async let joined = site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k")
        // Another researcher's key is hers: her request is one of its own.
        async let hers = site.ask(TestSite.count(1), as: Self.bea, idempotencyKey: "k")
        await gate.reached(2)
        gate.open()
        #expect(await other?.kind == .conflict)
        let (one, same, different) = try await (first, joined, hers)
        #expect(one == same && one.answer != nil && one != different)
        #expect(try test.spent() == 2 * unit)
    }

    @Test("Work that failed is not given to who comes later")
    func failedWorkIsForgotten() async throws {
        let flight = InFlight<Int>()
        let first = await problem {
            _ = try await flight.joining("k", binding: "a") { throw Problem.busy() }
        }
        #expect(first?.status == 503)
        #expect(try await flight.joining("k", binding: "b") { 7 } == 7)
    }

    // MARK: Plans and policies

    @Test("A question planned before the catalogue changed reserves nothing, and neither does a synthetic table")
    func stalePlans() async throws {
        let test = try TestSite()
        let question = try test.attempt(TestSite.count(1))
        let body = try SynthesisRequest(dataset: "visits", budget: .epsilon(1)).body
        let synthesis = ReserveAttempt(
            try test.site.planned(SynthesisWork.self, body, in: try test.site.catalogue(), isLimited: false),
            Submission(engine: SynthesisWork.self, body: body, resumesSame: true), asker: Datasite.localOwner,
            waits: false)
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 10}, aggregates: [sum]}")
        for attempt in [question, synthesis] {
            let result = try await test.site.commit.perform { try attempt.run(in: &$0) }
            guard case .stale = result else {
                Issue.record("a stale plan was taken: \(result)")
                return
            }
        }
        #expect(try test.spent() == 0 && test.integer("SELECT count(*) FROM requests") == 0)
        // The question itself is planned anew, and refused by the policy that is in force.
        #expect(await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada) }?.status == 422)
    }

    @Test("A second request under a stored key is a duplicate inside the transaction, and charges nothing")
    func duplicateKeys() async throws {
        let test = try TestSite()
        _ = try await test.reserveOnly(TestSite.count(1), key: "k")
        let attempt = try test.attempt(TestSite.count(1), key: "k")
        let result = try await test.site.commit.perform { try attempt.run(in: &$0) }
        guard case .duplicate = result else {
            Issue.record("a key was taken twice: \(result)")
            return
        }
        #expect(try test.spent() == unit)
    }

    @Test("A join is bound by both owners' policies: aggregates, price of a question, approval", arguments: [0, 1])
    func bothPolicies(_ asked: Int) async throws {
        let test = try TestSite()
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        let names = asked == 0 ? ["visits", "more"] : ["more", "visits"]
        func join(_ aggregate: String) -> AskRequest {
            AskRequest(
                dataset: names[0],
                sql: "SELECT \(aggregate) FROM \(names[0]) JOIN \(names[1]) ON \(names[0]).person = \(names[1]).person",
                budget: .epsilon(0.5))
        }
        let sum = join("SUM(\(names[0]).amount)")
        func restrict(_ policy: String) throws {
            try test.site.setPolicy(of: "more", policyText: "{loss: pure, total: {epsilon: 10}, \(policy)}")
        }
        #expect(try await test.site.ask(sum, as: .ada).answer != nil)
        try restrict("aggregates: [count]")
        let refused = await problem { _ = try await test.site.ask(sum, as: .ada) }
        #expect(refused?.kind == .invalidQuestion)
        #expect(try await test.site.ask(join("COUNT(*)"), as: .ada).answer != nil)
        try restrict("per-question: {epsilon: 0.4}")
        let dear = await problem { _ = try await test.site.ask(sum, as: .ada) }
        #expect(dear?.kind == .overBudget)
        try restrict("approval: owner")
        #expect(try await test.site.ask(sum, as: .ada).pendingID != nil)
    }

    // MARK: Time

    @Test("Tables of one manifest answer, and are synthesised, after the identical time, however many rows they have")
    func slotsOfOneManifest() async throws {
        let request = AskRequest(
            dataset: "visits", sql: "SELECT kind, SUM(amount), MEDIAN(amount) FROM visits GROUP BY kind",
            budget: .epsilon(1))
        var departures: [[Duration]] = []
        for people in [1, 30, 900] {
            let test = try TestSite(people: people)
            let slept = Slept()
            let site = try site(test) { slept.add($0) }
            _ = try await site.ask(request, as: .ada)
            let bound = try site.question(request, in: try site.catalogue()).work.bound
            #expect(slept.all == [TimeSlot(bound: site.limits.time(bound)).length])
            _ = try await site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
            departures.append(slept.all)
        }
        // The question's answer; of the synthetic table a step, and the table.
        #expect(departures[0].count == 3 && departures.allSatisfy { $0 == departures[0] }, "\(departures)")
    }

    // MARK: The writer

    @Test("A change that journaled and then threw leaves no trace in the chain of those after it")
    func headAfterFailure() async throws {
        let test = try TestSite()
        let commit = test.site.commit
        let gate = DispatchSemaphore(value: 0)
        struct Mine: Error {}
        @Sendable func write(_ detail: String, failing: Bool = false) async throws {
            try await commit.perform { context in
                try context.journal(
                    JournalEntry(action: .policyChanged, actor: "test", time: context.now, detail: detail))
                if failing { throw Mine() }
            }
        }
        let (before, changes) = (test.site.statistics().transactions, commit.changes)
        // The first holds the writer until the others wait behind it, in this order: one batch.
        async let held: Void = commit.perform { _ in gate.wait() }
        while commit.changes < changes + 1 { await Task.yield() }
        async let good: Void = write("good")
        while commit.changes < changes + 2 { await Task.yield() }
        async let bad: Void = write("bad", failing: true)
        while commit.changes < changes + 3 { await Task.yield() }
        async let last: Void = write("last")
        while commit.changes < changes + 4 { await Task.yield() }
        gate.signal()
        _ = try await (held, good, last)
        var failure: (any Error)?
        do { try await bad } catch { failure = error }
        #expect(failure is Mine)
        #expect(test.site.statistics().transactions - before == 2)
        let details = try test.site.audit(as: .auditor).map(\.detail)
        #expect(details.suffix(2) == ["good", "last"])
        #expect(try test.site.verify().problems == [])
    }

    // MARK: What a restore lost

    @Test("An answer that was being computed when a restore lost its request is neither stored nor sent")
    func lostWhileComputing() async throws {
        let test = try TestSite()
        let site = try site(test) { _ in
            do { try test.execute("UPDATE requests SET lost = 1") } catch { Issue.record(error) }
        }
        let refusal = await problem { _ = try await site.ask(TestSite.count(1), as: .ada) }
        #expect(refusal?.status == 404)
        #expect(try test.integer("SELECT count(*) FROM answers") == 0)
        #expect(try test.integer("SELECT count(*) FROM requests WHERE state = 'reserved'") == 1)
        #expect(try test.spent() == unit)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A lost request moves to no state and is no permission to read rows")
    func lostRequestsStay() async throws {
        let test = try TestSite()
        let id = try await test.reserveOnly(TestSite.count(1), key: nil)
        func attempts() throws -> (moved: Bool, permitted: Bool) {
            try test.site.store.pool.write { db in
                var isPermitted = false
                if try Ledger.reservation(of: id, in: db) != nil { isPermitted = true }
                var isMoved = false
                try db.inSavepoint {
                    isMoved = try RequestRow.move(id, from: .reserved, to: .released, db)
                    return .rollback
                }
                return (isMoved, isPermitted)
            }
        }
        #expect(try attempts() == (true, true))
        try test.execute("UPDATE requests SET lost = 1")
        #expect(try attempts() == (false, false))
    }

    @Test("A synthetic table whose fate a restore lost is not completed: the same command charges another")
    func lostSynthesis() async throws {
        let test = try TestSite()
        let request = SynthesisRequest(dataset: "visits", budget: .epsilon(2))
        _ = try await test.site.synthesize(request)
        try test.execute(
            """
            DELETE FROM synthetic; DELETE FROM answers; UPDATE requests SET state = 'reserved', lost = 1;
            DELETE FROM journal WHERE number = (SELECT max(number) FROM journal);
            """)
        let site = try test.reopened()
        let resumed = Mutex<Bool?>(nil)
        _ = try await site.synthesize(request) { _, _, isResumed in resumed.withLock { $0 = isResumed } }
        #expect(resumed.withLock { $0 } == false)
        #expect(try test.spent(site) == 4 * unit)
    }

    /// Instants slept until.
    private final class Slept: Sendable {
        private let instants = Mutex<[Duration]>([])
        func add(_ instant: Duration) { instants.withLock { $0.append(instant) } }
        var all: [Duration] { instants.withLock { $0 } }
    }

    /// Where tasks wait until it opens, and a test until so many of them do.
    private final class Gate: Sendable {
        private struct State {
            var isOpen = false
            var arrived = 0
        }
        private let state = Mutex(State())

        func pass() async {
            state.withLock { $0.arrived += 1 }
            while !state.withLock({ $0.isOpen }) { await Task.yield() }
        }
        func reached(_ count: Int) async { while state.withLock({ $0.arrived }) < count { await Task.yield() } }
        func open() { state.withLock { $0.isOpen = true } }
    }
}
