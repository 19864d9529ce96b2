import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("Requests that wait for their owners")
struct ApprovalTests {
    static let policy = "{loss: pure, total: {epsilon: 3}, approval: {owners: 2}}"

    private func held(_ test: TestSite, _ epsilon: Double = 1, key: String? = nil) async throws -> String {
        try #require(try await test.site.ask(TestSite.count(epsilon), as: .ada, idempotencyKey: key).pendingID)
    }

    @Test("A pending request holds its charge; two owners by name release it; approving twice counts once")
    func twoOfTwo() async throws {
        let test = try TestSite(policy: Self.policy)
        for name in ["owen", "olga"] { _ = try test.site.addUser(name, role: .owner) }
        let (owen, olga) = (Identity(name: "owen", role: .owner), Identity(name: "olga", role: .owner))
        let id = try await held(test)
        #expect(try test.spent() == unit)
        // Whoever has the folder may be either of them: that is no second owner.
        let nameless = await problem { _ = try await test.site.approve(id, by: .folder) }
        #expect(nameless?.status == 403 && nameless?.hint?.contains("parley user add") == true)
        #expect(try await test.site.approve(id, by: olga).state == "pending")
        #expect(try await test.site.approve(id, by: olga).state == "pending")
        let waiting = await problem { _ = try await test.site.answer(id, as: .ada) }
        #expect(waiting?.kind == .conflict)
        let summary = try await test.site.approve(id, by: owen)
        #expect(summary.state == "released" && Set(summary.approvals) == ["olga", "owen"])
        let answer = try await test.site.answer(id, as: .ada)
        let receipt = try Receipt(decoding: try test.site.receipt(id, as: .ada))
        #expect(receipt.body.answerDigest == sha256Hex(answer))
        #expect(receipt.body.guarantees.flowGovernance.contains("owen"))
        #expect(try test.spent() == unit)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Where one owner suffices, whoever has the folder is one")
    func oneOfOne() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 3}, approval: owner}")
        let id = try await held(test)
        #expect(try await test.site.approve(id, by: .folder).state == "released")
    }

    @Test("A denied request gives its charge back, once, and stays denied")
    func denial() async throws {
        let test = try TestSite(policy: Self.policy)
        let id = try await held(test, key: "k")
        let summary = try await test.site.deny(id, by: .folder, reason: "not this one")
        #expect(summary.state == "denied" && summary.reason == "not this one")
        #expect(try test.spent() == 0)
        let again = await problem { _ = try await test.site.deny(id, by: .folder, reason: "again") }
        #expect(again?.kind == .conflict)
        let late = await problem { _ = try await test.site.approve(id, by: .folder) }
        #expect(late?.kind == .conflict)
        let replay = await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k") }
        #expect(replay?.detail.contains("not this one") == true)
        #expect(try test.spent() == 0)
        #expect(try test.site.verify().problems == [])
    }

    @Test("What is held cannot be spent by another request")
    func heldIsSpent() async throws {
        let test = try TestSite(policy: Self.policy)
        _ = try await held(test, 2)
        let over = await problem { _ = try await test.site.ask(TestSite.count(1.5), as: .ada) }
        #expect(over?.kind == .overBudget)
    }

    @Test("Of thirty days the last second still counts: a request is then decided, and lapses a second later")
    func lastSecond() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 3}, approval: owner}")
        let ids = [try await held(test, 0.5), try await held(test, 0.5)]
        test.clock.advance(30 * 86_400)
        // Whatever is asked lapses what is too old.
        _ = try await held(test, 0.25)
        #expect(try ids.map { try test.site.request($0, as: .ada).state } == ["pending", "pending"])
        #expect(try await test.site.approve(ids[0], by: .folder).state == "released")
        test.clock.advance(1)
        #expect(await problem { _ = try await test.site.approve(ids[1], by: .folder) }?.kind == .conflict)
        _ = try await held(test, 0.25)
        #expect(try ids.map { try test.site.request($0, as: .ada).state } == ["released", "lapsed"])
    }

    @Test("A reason has at most 2000 bytes; a longer one decides nothing")
    func longReason() async throws {
        let test = try TestSite(policy: Self.policy)
        let id = try await held(test)
        let long = await problem {
            _ = try await test.site.deny(id, by: .folder, reason: String(repeating: "r", count: 2_001))
        }
        #expect(long?.kind == .tooLarge)
        #expect(try test.site.request(id, as: .ada).state == "pending")
        let reason = String(repeating: "r", count: 2_000)
        #expect(try await test.site.deny(id, by: .folder, reason: reason).reason == reason)
    }

    @Test("A purpose or a reason with a zero byte is refused: what is stored, and decided on, would end at it")
    func zeroBytes() async throws {
        let test = try TestSite(policy: Self.policy)
        var request = TestSite.count(1)
        request.purpose = "research\u{0} for the highest bidder"
        let refusal = await problem { [request] in _ = try await test.site.ask(request, as: .ada) }
        #expect(refusal?.kind == .invalidRequest && refusal?.detail == "a purpose holds a zero byte")
        #expect(try test.spent() == 0 && test.site.requests(as: .ada).isEmpty)
        let id = try await held(test)
        let denial = await problem { _ = try await test.site.deny(id, by: .folder, reason: "no\u{0}, not yet") }
        #expect(denial?.kind == .invalidRequest && denial?.detail == "a reason holds a zero byte")
        #expect(try test.site.request(id, as: .ada).state == "pending")
    }

    @Test("A request lapses after thirty days and when its dataset changes, and its charge comes back")
    func lapse() async throws {
        let test = try TestSite(policy: Self.policy)
        let first = try await held(test)
        test.clock.advance(31 * 86_400)
        let late = await problem { _ = try await test.site.approve(first, by: .folder) }
        #expect(late?.kind == .conflict)
        let second = try await held(test, 0.5)
        #expect(try test.site.request(first, as: .ada).state == "lapsed")
        #expect(try test.spent() == unit / 2)
        _ = try test.site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 9)))
        #expect(try test.site.request(second, as: .ada).state == "lapsed")
        #expect(try test.spent() == 0)
        #expect(try test.site.verify().problems == [])
    }

    /// What the window holds, and the part that each time has in it.
    private func inWindow(_ test: TestSite) throws -> Double? {
        try test.site.budget(as: .ada)[0].lines.first { $0.scope.hasPrefix("window") }?.spent.epsilon
    }

    static let limited = "{loss: pure, total: {epsilon: 9}, approval: owner, windows: [{days: 1, limit: {epsilon: 1}}]}"

    @Test("A held request counts in the window in which it is approved; where that is full, it still waits")
    func windowOfApproval() async throws {
        let test = try TestSite(policy: Self.limited)
        let ids = [try await held(test), try await held(test), try await held(test)]
        // Held: in the total, and in no window.
        #expect(try test.spent() == 3 * unit && inWindow(test) == 0)
        test.clock.advance(10 * 86_400)
        #expect(try await test.site.approve(ids[0], by: .folder).state == "released")
        #expect(try inWindow(test) == 1)
        let full = await problem { _ = try await test.site.approve(ids[1], by: .folder) }
        #expect(full?.status == 403 && full?.detail.contains("window 1d") == true)
        #expect(full?.detail.contains("it still waits") == true)
        let waiting = try test.site.request(ids[1], as: .ada)
        #expect(waiting.state == "pending" && waiting.approvals == [])
        // What is denied or lapses gives back the total alone: no window counted it.
        _ = try await test.site.deny(ids[2], by: .folder, reason: "no")
        #expect(try test.spent() == 2 * unit && inWindow(test) == 1)
        #expect(try test.site.verify().problems == [])
        test.clock.advance(2 * 86_400)
        #expect(try inWindow(test) == 0)
        #expect(try await test.site.approve(ids[1], by: .folder).state == "released")
        #expect(try inWindow(test) == 1)
        let last = try await held(test)
        test.clock.advance(31 * 86_400)
        _ = try await held(test, 0.5)
        #expect(try test.site.request(last, as: .ada).state == "lapsed")
        #expect(try test.spent() == 5 * unit / 2 && inWindow(test) == 0)
        #expect(try test.site.verify().problems == [])
    }

    @Test("New windows, and those of a restored site, count what was held since it was approved")
    func newWindows() async throws {
        let test = try TestSite(policy: Self.limited)
        let ids = [try await held(test), try await held(test)]
        test.clock.advance(10 * 86_400)
        _ = try await test.site.approve(ids[0], by: .folder)
        try test.site.setPolicy(
            of: "visits",
            policyText: Self.limited.replacing("days: 1, limit: {epsilon: 1}", with: "days: 2, limit: {epsilon: 2}"))
        #expect(try inWindow(test) == 1)
        try FileManager.default.removeItem(atPath: test.path + "/generation")
        let after = try test.reopened()
        _ = try after.acceptRestore()
        #expect(try after.request(ids[1], as: .ada).state == "lapsed")
        let line = try #require(try after.budget(as: .ada)[0].lines.first { $0.scope == "window 2d" })
        #expect(line.spent.epsilon == 9, "1 approved, and the 8 of which nothing is known")
        #expect(try after.verify().problems == [])
    }

    @Test("What no window could ever hold is refused at once")
    func neverFits() async throws {
        let test = try TestSite(policy: Self.limited)
        #expect(try await test.site.preview(TestSite.count(1.1), as: .ada).decision.hasPrefix("would be refused"))
        let refused = await problem { _ = try await test.site.ask(TestSite.count(1.1), as: .ada) }
        #expect(refused?.kind == .overBudget && refused?.detail.contains("window 1d") == true)
        #expect(try test.spent() == 0)
    }

    @Test("A site of the third schema is taken over: what it held counts in no window, and its units' column is known")
    func migration() async throws {
        let test = try TestSite(policy: Self.limited)
        let ids = [try await held(test, 0.5), try await held(test, 0.25)]
        try test.returnToFourthSchema()
        // As the third schema has it: what is held counts in the window in which it was asked.
        try test.execute(
            """
            INSERT INTO window_spending SELECT population, 86400, created / 675, sum(amount), sum(delta) FROM requests;
            DROP TABLE population_units; ALTER TABLE populations DROP COLUMN least_share; PRAGMA user_version = 3
            """)
        let site = try test.reopened()
        #expect(try inWindow(test) == 0)
        #expect(try await site.approve(ids[0], by: .folder).state == "released")
        #expect(try inWindow(test) == 0.5)
        _ = try await site.deny(ids[1], by: .folder, reason: "no")
        #expect(try inWindow(test) == 0.5)
        #expect(try site.budget(as: .ada)[0].leastCharge?.epsilon == 9e-4)
        #expect(try test.integer("SELECT count(*) FROM population_units WHERE name = 'person'") == 1)
        #expect(try site.verify().problems == [])
    }

    @Test("Only owners decide, a revoked one no more; strangers do not see the request")
    func whoDecides() async throws {
        let test = try TestSite(policy: Self.policy, researchers: ["ada", "bea"])
        _ = try test.site.addUser("owen", role: .owner)
        let id = try await held(test)
        let bea = Identity(name: "bea", role: .researcher)
        #expect(await problem { _ = try await test.site.approve(id, by: .ada) }?.status == 403)
        #expect(await problem { _ = try test.site.request(id, as: bea) }?.status == 404)
        #expect(try test.site.requests(as: bea).isEmpty)
        try test.site.revokeUser("owen")
        let owen = Identity(name: "owen", role: .owner)
        #expect(await problem { _ = try await test.site.approve(id, by: owen) }?.status == 403)
        #expect(try test.site.request(id, as: .ada).approvals.isEmpty)
    }

    @Test("Researchers see their own requests and budget; auditors see all but no answer")
    func roles() async throws {
        let test = try TestSite(researchers: ["ada", "bea"])
        let bea = Identity(name: "bea", role: .researcher)
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        let id = try #require(try test.site.requests(as: .ada).first?.id)
        #expect(try test.site.requests(as: .auditor).map(\.id) == [id])
        #expect(await problem { _ = try await test.site.answer(id, as: .auditor) }?.status == 403)
        #expect(try !test.site.receipt(id, as: .auditor).isEmpty)
        #expect(await problem { _ = try test.site.audit(as: .ada) }?.status == 403)
        #expect(try test.site.budget(as: bea)[0].lines.map(\.scope) == ["all researchers", "researcher bea"])
        let all = try test.site.budget(as: .auditor)[0].lines
        #expect(all.map(\.scope) == ["all researchers", "researcher ada", "researcher bea"])
        #expect(all.map { $0.spent.epsilon } == [1, 1, 0])
    }
}
