import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Testing

@testable import Datasite

@Suite("Limits for researchers by name")
struct ResearcherLimitTests {
    private static let policy =
        "{loss: pure, total: {epsilon: 10}, per-researcher: {epsilon: 2}, researcher-limits: {ada: {epsilon: 0.5}, bea: {epsilon: 3}}}"
    private static let bea = Identity(name: "bea", role: .researcher)

    @Test("Concurrent askers in two processes stop each at her own limit")
    func concurrent() async throws {
        let test = try TestSite(policy: Self.policy, researchers: ["ada", "bea", "eve"])
        let sites = [test.site, try test.reopened()]
        let granted = await withTaskGroup(of: String?.self) { group in
            for index in 0..<90 {
                let name = ["ada", "bea", "eve"][index % 3]
                group.addTask {
                    let who = Identity(name: name, role: .researcher)
                    let answer = try? await sites[index / 3 % 2].ask(TestSite.count(0.11), as: who)
                    return answer == nil ? nil : name
                }
            }
            return await group.reduce(into: [String: Int]()) { counts, name in
                if let name { counts[name, default: 0] += 1 }
            }
        }
        #expect(granted == ["ada": 4, "bea": 27, "eve": 18], "0.5, 3 and 2 / 0.11")
        #expect(try test.site.verify().problems == [])
    }

    @Test("She is told her own limit; the owner is told everyone's")
    func shown() throws {
        let test = try TestSite(policy: Self.policy, researchers: ["ada", "bea", "eve"])
        #expect(try test.site.budget(as: .ada)[0].lines.map(\.limit.epsilon) == [10, 0.5])
        #expect(try test.site.budget(as: .folder)[0].lines.map(\.limit.epsilon) == [10, 0.5, 3, 2])
        // And on the dataset's page, where each reads what is hers and nobody what is another's.
        let shown = try ["ada", "bea", "eve"].map {
            try test.site.dataset("visits", as: Identity(name: $0, role: .researcher)).ownLimit?.epsilon
        }
        #expect(shown == [0.5, 3, nil])
        for identity in [nil, Identity.folder, Identity(name: "ada", role: .auditor)] {
            #expect(try test.site.dataset("visits", as: identity).ownLimit == nil)
        }
        #expect(try test.site.hasOwnLimit(.ada, in: "visits") && !test.site.hasOwnLimit(.ada, in: "none"))
    }

    @Test(
        "A limit that is set later holds from then on, in every process, for every dataset about the people, and is journaled"
    )
    func setLater() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}}", researchers: ["ada", "bea"])
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        let other = try test.reopened()
        _ = try await other.ask(TestSite.count(1), as: .ada)
        try test.site.setPolicy(
            of: "visits", policyText: "{loss: pure, total: {epsilon: 10}, researcher-limits: {ada: {epsilon: 1.2}}}")
        for site in [test.site, other] {
            for dataset in ["visits", "more"] {
                let refusal = await problem { _ = try await site.ask(TestSite.count(0.5, dataset), as: .ada) }
                #expect(refusal?.detail.contains("epsilon 0.2 is left to researcher ada") == true)
            }
        }
        _ = try await other.ask(TestSite.count(0.2), as: .ada)
        _ = try await other.ask(TestSite.count(2), as: Self.bea)
        #expect(try test.site.audit(as: .folder).contains { $0.action == "policy changed" })
        #expect(try test.site.verify().problems == [])
        // Another dataset about the same people must agree.
        let refused = await problem { try test.add("third", policy: "{loss: pure, total: {epsilon: 10}}") }
        #expect(refused?.hint?.contains("researcher-limits") == true)
        try test.execute(
            "UPDATE meta SET value = replace(value, '1200000000000', '9') WHERE key LIKE 'researcher limits%'")
        #expect(try test.site.verify().problems.contains { $0.hasPrefix("limits: those of the population patients") })
        try test.execute("DELETE FROM meta WHERE key LIKE 'researcher limits%'")
        #expect(try test.site.verify().problems.contains { $0.hasPrefix("limits") })
    }

    @Test("They are stored under every measure of loss, and let go", arguments: ["zcdp", "renyi"])
    func kinds(_ kind: String) async throws {
        let base = "loss: \(kind), delta: 1e-6, total: {epsilon: 4}"
        let test = try TestSite(policy: "{\(base), researcher-limits: {ada: {epsilon: 1}}}")
        let request = AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .epsilon(1.01))
        #expect(await problem { _ = try await test.site.ask(request, as: .ada) }?.kind == .overBudget)
        try test.site.setPolicy(of: "visits", policyText: "{\(base)}")
        _ = try await test.site.ask(request, as: .ada)
        #expect(try test.site.verify().problems == [])
    }

    @Test("What is wrong in a limit by name is said where it is")
    func wrong() {
        for (limits, words) in [
            ("[ada]", "expected a mapping"), ("{ada: 1}", "expected a mapping"), ("{ada: {rho: 1}}", "rho"),
            ("{a b: {epsilon: 1}}", "researcher-limits"), ("{ada: {epsilon: 0}}", "above 0"),
        ] {
            do {
                _ = try PolicyReader.document("{loss: pure, total: {epsilon: 4}, researcher-limits: \(limits)}")
                Issue.record("\(limits) was read")
            } catch {
                let text = (error as? Problem).map { $0.detail + ($0.hint ?? "") } ?? "\(error)"
                #expect(text.contains(words), "\(limits): \(text)")
            }
        }
    }
}
