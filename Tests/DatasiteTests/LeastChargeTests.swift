import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("A question costs at least a share of the total, so that nothing is averaged out for next to nothing")
struct LeastChargeTests {
    /// The number after `word` in a text.
    private func number(after word: String, in text: String) -> Double? {
        text.components(separatedBy: word + " ").last.flatMap { Double($0.prefix { "0123456789.e-+".contains($0) }) }
    }

    @Test(
        "Less is refused, and the least that is named suffices when it is asked for",
        arguments: [10, 7.777, 0.3003, 1001.001])
    func named(_ total: Double) async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: \(total)}}")
        let few = TestSite.count(total * 0.99e-4)
        let preview = try await test.site.preview(few, as: .ada)
        #expect(preview.decision.hasPrefix("would be refused: the question costs epsilon"))
        let refused = await problem { _ = try await test.site.ask(few, as: .ada) }
        #expect(refused?.kind == .notAllowed)
        #expect(try test.spent() == 0)
        #expect(try test.site.audit(as: .auditor).last?.action == "refused")
        let least = try #require(number(after: "at least epsilon", in: refused?.detail ?? ""))
        #expect(least >= total * 1e-4 * 0.999_999 && least <= total * 1.001e-4)
        _ = try await test.site.ask(TestSite.count(least), as: .ada)
        #expect(try Double(test.spent()) >= total * 1e-4 * Double(unit) - 0.5)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Under zCDP it is a rho, named as an epsilon too", arguments: ["{epsilon: 8}", "{rho: 0.5}", "{rho: 1001}"])
    func asEpsilon(_ total: String) async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: \(total)}")
        func ask(_ budget: Budget) -> AskRequest {
            AskRequest(
                dataset: "visits", sql: "SELECT kind, COUNT(*), AVG(amount) FROM visits GROUP BY kind",
                budget: budget)
        }
        let shown = try #require(try test.site.dataset("visits").leastCharge?.rho)
        #expect(try test.site.budget(as: .ada)[0].leastCharge?.rho == shown)
        let refused = await problem { _ = try await test.site.ask(ask(.rho(shown * 0.99)), as: .ada) }
        let detail = refused?.detail ?? ""
        let rho = try #require(number(after: "at least rho", in: detail))
        let epsilon = try #require(number(after: "as an epsilon:", in: detail))
        #expect(rho >= shown && rho <= shown * 1.0011)
        for (given, spent) in [(ask(.rho(rho)), shown), (ask(.epsilon(epsilon)), 2 * shown)] {
            _ = try await test.site.ask(given, as: .ada)
            let now = try test.spent()
            #expect(Double(now) >= spent * Double(unit) * 0.999_999)
            #expect(Double(now) <= spent * Double(unit) * 1.01)
        }
        #expect(
            await problem { _ = try await test.site.ask(ask(.epsilon(epsilon * 0.99)), as: .ada) }?.status
                == 403)
        #expect(try test.site.verify().problems == [])
    }

    @Test("The share is of the present total: one that was raised after planning counts")
    func presentTotal() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}}")
        let attempt = try test.attempt(TestSite.count(0.001))
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 20}}")
        guard case .stale = try await test.site.commit.perform({ try attempt.run(in: &$0) }) else {
            Issue.record("reserved by a plan that knew another total")
            return
        }
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.001), as: .ada) }?.status == 403)
        _ = try await test.site.ask(TestSite.count(0.002), as: .ada)
        #expect(try test.spent() == 2_000_000_000)
    }

    @Test("--error asks for the least where less would do")
    func errorTarget() async throws {
        let test = try TestSite()
        let request = AskRequest(
            dataset: "visits", sql: "SELECT kind, COUNT(*) FROM visits GROUP BY kind",
            budget: .error(relative: 1_000, groupSize: 1_000_000))
        _ = try await test.site.ask(request, as: .ada)
        #expect(try test.spent() == 1_000_000_000)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A policy may state another share, none included, of which the owner is warned; it is its population's")
    func otherShare() async throws {
        let test = try TestSite()
        let policy = "{loss: pure, total: {epsilon: 10}, least-share: 0.05}"
        #expect(throws: Problem.self) { try test.add("more", policy: policy) }
        try test.site.setPolicy(of: "visits", policyText: policy)
        #expect(
            try test.site.audit(as: .auditor).contains {
                $0.detail == "population patients: least-share 0.0001 became 0.05"
            })
        #expect(try test.add("more", policy: policy).warnings.filter { $0.contains("least-share") } == [])
        #expect(try test.site.dataset("more").leastCharge?.epsilon == 0.5)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.49, "more"), as: .ada) }?.status == 403)
        _ = try await test.site.ask(TestSite.count(0.5), as: .ada)
        let none = "{loss: pure, total: {epsilon: 10}, least-share: 0}"
        let report = try test.add("others", policy: none, population: "neighbours")
        #expect(report.warnings.contains { $0.contains("least-share: 0") })
        _ = try await test.site.ask(TestSite.count(1e-9, "others"), as: .ada)
        for wrong in ["-0.1", "1.1", "some"] {
            #expect(throws: Problem.self) {
                try PolicyReader.document("{loss: pure, total: {epsilon: 10}, least-share: \(wrong)}")
            }
        }
        #expect(try test.site.verify().problems == [])
    }

    @Test("The share is the population's: set for one dataset, it binds the questions on another of the same people")
    func ofPopulation() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}}")
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        _ = try await test.site.ask(TestSite.count(0.01, "more"), as: .ada)
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 10}, least-share: 0.05}")
        let cheap = await problem { _ = try await test.site.ask(TestSite.count(0.49, "more"), as: .ada) }
        #expect(cheap?.status == 403, "\(cheap?.detail ?? "")")
        _ = try await test.site.ask(TestSite.count(0.5, "more"), as: .ada)
    }

    @Test("So many of one researcher's questions are refused in a day, and no more are journaled")
    func refusals() async throws {
        let test = try TestSite(researchers: ["ada", "bea"])
        var configuration = TestSite.configuration(test.clock)
        configuration.refusalsPerDay = 3
        let site = try Datasite(path: test.path, configuration: configuration)
        _ = try await site.ask(TestSite.count(1), as: .ada)
        var statuses: [Int?] = []
        for cost in [1e-6, 50, 1e-6, 50, 1, 1e-6] {
            statuses.append(await problem { _ = try await site.ask(TestSite.count(cost), as: .ada) }?.status)
        }
        #expect(statuses == [403, 403, 403, 429, 429, 429])
        #expect(try site.audit(as: .auditor).count { $0.action == "refused" } == 3)
        let told = await problem { _ = try await site.ask(TestSite.count(1), as: .ada) }
        #expect(told?.detail == "3 of your questions were refused today, as many as one researcher's may be")
        _ = try await site.ask(TestSite.count(1), as: Identity(name: "bea", role: .researcher))
        test.clock.advance(86_400)
        _ = try await site.ask(TestSite.count(1), as: .ada)
        #expect(try site.verify().problems == [])
    }
}
