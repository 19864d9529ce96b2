import DatasiteProtocol
import GRDB
import Query
import Secrets
import Synchronization
import Tables
import Testing

@testable import Datasite

@Suite(
    "What a question may compute and hold is decided by its plan, and what is beyond is refused before it is charged")
struct ScanLimitTests {
    /// A question that computes for long: so many different exponentials of each row.
    static func dear(_ count: Int) -> AskRequest {
        let sum = joined((1...count).map { "EXP(amount / \($0).5)" }, "+")
        return AskRequest(
            dataset: "visits", sql: "SELECT COUNT(*) FROM visits WHERE \(sum) > 3", budget: .epsilon(0.1))
    }

    /// A balanced tree: a chain would be nested too deep.
    static func joined(_ terms: [String], _ symbol: String) -> String {
        guard terms.count > 1 else { return terms.first ?? "" }
        let half = terms.count / 2
        return "(\(joined(Array(terms[..<half]), symbol)) \(symbol) \(joined(Array(terms[half...]), symbol)))"
    }

    private func problem(_ body: () async throws -> Void) async -> Problem? {
        do {
            try await body()
            return nil
        } catch { return error as? Problem }
    }

    @Test(
        "A question beyond the site's time is refused with the same words for every table, names what is dear, costs nothing"
    )
    func time() async throws {
        var details = Set<String>()
        for people in [1, 800] {
            let test = try TestSite(people: people)
            let site = try test.limited { $0.seconds = 0.02 }
            let refusal = await problem { _ = try await site.ask(Self.dear(300), as: .ada) }
            let detail = try #require(refusal?.detail)
            #expect(detail.contains("EXP in WHERE"))
            details.insert(detail)
            #expect(try test.spent() == 0)
            _ = try await site.ask(Self.dear(2), as: .ada)
        }
        #expect(details.count == 1)
    }

    @Test("A question's memory is compared with a thread's share of what all scans may use")
    func share() throws {
        var limits = ScanLimits.reference
        limits.memory = 1e6
        for (bytes, threads) in [(1e6, 1), (5e5, 2), (2.5e5, 4)] {
            let bound = PlanBound(work: Work([.scan: 1]), memory: bytes)
            try limits.check(bound, of: QuestionWork.self, threads: threads)
            #expect(throws: Problem.self) { try limits.check(bound, of: QuestionWork.self, threads: threads + 1) }
        }
    }

    @Test("A question beyond the site's memory is refused, and scans that run together fit it")
    func memory() async throws {
        let test = try TestSite()
        let site = try test.limited { $0.memory = 2e6 }
        let refusal = await problem { _ = try await site.ask(Self.dear(100), as: .ada) }
        #expect(refusal?.detail.contains("MB of memory") == true)
        #expect(try test.spent() == 0)
        // The limit is shared by the threads that scan.
        let alone = try test.limited { $0.memory = 4e6 }
        _ = try await alone.ask(TestSite.count(1), as: .ada)
    }

    @Test("An owner sets the limits in words that say what they are, and what is no limit is refused")
    func words() async throws {
        let test = try TestSite()
        #expect(try test.site.setScanLimits(seconds: 0.02).words.contains("compute for 20 ms"))
        #expect(try test.site.setScanLimits(seconds: 90, memory: 0x1p30).words.contains("compute for 90 s"))
        #expect(try test.reopened().scanLimits.memory == 0x1p30)
        for seconds in [0, -1, 1e-6, 4_000, .nan] {
            #expect(await problem { _ = try test.site.setScanLimits(seconds: seconds) } != nil)
        }
        #expect(await problem { _ = try test.site.setScanLimits(memory: 1) } != nil)
        #expect(try test.reopened().scanLimits.seconds == 90)
    }

    @Test("Previews and mock answers are refused as the question is")
    func previews() async throws {
        let test = try TestSite()
        let site = try test.limited { $0.seconds = 0.02 }
        #expect(await problem { _ = try await site.preview(Self.dear(300), as: .ada) } != nil)
        #expect(await problem { _ = try await site.mock(Self.dear(300), as: .ada) } != nil)
    }

    @Test(
        "After a few answers that outlived their slots her dear questions wait for an owner, whose approval clears them"
    )
    func missedSlots() async throws {
        let test = try TestSite(researchers: ["ada", "bob"])
        let clock = StallingClock(test.clock)
        let site = try test.reopened(clock: clock.clock)
        clock.isStalling.withLock { $0 = true }
        for _ in 0..<3 { _ = try await site.ask(TestSite.count(0.1), as: .ada) }
        clock.isStalling.withLock { $0 = false }
        #expect(try site.missedSlotsByResearcher() == ["ada": 3])
        #expect(site.statistics().missedSlots == 3)
        // What is cheap is answered, and so is what others ask.
        #expect(try await site.ask(TestSite.count(0.1), as: .ada).answer != nil)
        #expect(try await site.ask(Self.dear(400), as: Identity(name: "bob", role: .researcher)).answer != nil)
        #expect(try await site.preview(Self.dear(400), as: .ada).decision.contains("approval of 1 owner"))
        guard case .pending(let waiting) = try await site.ask(Self.dear(400), as: .ada) else {
            Issue.record("a dear question was answered")
            return
        }
        _ = try await site.approve(waiting.id, by: Datasite.localOwner)
        #expect(try site.missedSlotsByResearcher() == [:])
        #expect(try await site.ask(Self.dear(400), as: .ada).answer != nil)
    }

    @Test(
        "What a scan may take is the same whatever is in the table, and whatever the question's literals weigh it counts"
    )
    func bounds() throws {
        let test = try TestSite(people: 3)
        func bound(_ condition: String) throws -> PlanBound {
            let request = AskRequest(
                dataset: "visits", sql: "SELECT COUNT(*) FROM visits WHERE \(condition)", budget: .epsilon(1))
            return try test.site.question(request, in: try test.site.catalogue()).work.bound
        }
        let long = String(repeating: "a", count: 24_000)
        let short = test.site.limits.time(try bound("kind = 'a'"))
        let matched = test.site.limits.time(
            try bound("CASE WHEN person = 3 THEN '\(long)' ELSE '' END LIKE '%\(long)b%'"))
        #expect(matched > short)
        // A text that is computed anew in each row costs its length in each row.
        let copied = test.site.limits.time(
            try bound("UPPER(CAST(amount AS TEXT) || '') LIKE 'b%'".replacing(" || ''", with: "")))
        #expect(copied > short * 2)
        let casts = Self.joined(
            (0..<150).map { "CAST(CASE WHEN amount > \($0) THEN 3 ELSE person END AS TEXT) = 'q'" }, "OR")
        #expect(try bound(casts).memory < 64e6)
    }
}

extension TestSite {
    /// The same folder, with other limits.
    func limited(_ change: (inout ScanLimits) -> Void) throws -> Datasite {
        var limits = ScanLimits.reference
        change(&limits)
        try site.store.pool.write(limits.store)
        return try reopened()
    }

    func reopened(clock: SiteClock) throws -> Datasite {
        var configuration = Self.configuration(self.clock)
        configuration.clock = clock
        return try Datasite(path: path, configuration: configuration)
    }
}

/// Time that passes in great steps while a machine stalls.
private final class StallingClock: Sendable {
    let isStalling = Mutex(false)
    private let passed = Mutex(Duration.zero)
    private let base: SiteClock

    init(_ base: TestClock) { self.base = base.clock }

    var clock: SiteClock {
        var clock = base
        clock.instant = {
            let step = self.isStalling.withLock { $0 } ? Duration.seconds(1_000) : .zero
            let passed = self.passed.withLock { passed in
                passed += step
                return passed
            }
            return self.base.instant() + passed
        }
        return clock
    }
}
