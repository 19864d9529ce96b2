import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Testing

@testable import Datasite

@Suite("Budgets are told in questions and epsilons")
struct BudgetTests {
    private static let bea = Identity(name: "bea", role: .researcher)

    private static func count(_ budget: Budget, _ dataset: String = "visits") -> AskRequest {
        AskRequest(dataset: dataset, sql: "SELECT COUNT(*) FROM \(dataset)", budget: budget)
    }

    @Test(
        "A total means the policy's epsilon at its whole delta, and as many questions of one size as are then answered",
        arguments: [
            ("pure, total: {epsilon: 3}", 3, 0), ("zcdp, delta: 1e-6, total: {epsilon: 3}", 3, 1e-6),
            ("renyi, delta: 1e-6, total: {epsilon: 3}", 3, 1e-6),
        ] as [(String, Double, Double)])
    func meaning(_ loss: String, _ epsilon: Double, _ delta: Double) async throws {
        let test = try TestSite(policy: "{loss: \(loss)}")
        let before = try #require(try test.site.budget(as: .ada)[0].lines[0].meaning)
        #expect(abs(before.epsilon - epsilon) < 1e-6 && abs(before.delta - delta) < 1e-15)
        #expect(before.question == 0.5 && before.spent == 0 && before.held == 0)
        #expect(try test.site.dataset("visits").meaning?.fit == before.fit)
        var answered: Int64 = 0
        while answered < 1_000 {
            let refusal = await problem { _ = try await test.site.ask(Self.count(.epsilon(0.5)), as: .ada) }
            guard let refusal else {
                answered += 1
                let now = try test.site.budget(as: .ada)[0].lines[0].meaning
                #expect(now?.left == before.fit - answered && now?.fit == before.fit)
                continue
            }
            #expect(refusal.kind == .overBudget)
            break
        }
        #expect(answered == before.fit)
        let at = delta > 0 ? " at delta 1e-6" : ""
        let about = delta > 0 ? "about " : ""
        #expect(
            try test.site.budget(as: .ada)[0].lines[0].meaning?.words
                == "epsilon 3\(at) for all questions together; \(about)\(answered) of epsilon 0.5 fit into all of it, none into what is left"
        )
    }

    @Test(
        "A refusal is in the unit that was asked, and the largest question that it names fits as it is written",
        arguments: [
            ("pure, total: {epsilon: 1}, per-researcher: {epsilon: 0.7}", Budget.epsilon(0.37)),
            ("zcdp, delta: 1e-6, total: {epsilon: 1}, per-researcher: {epsilon: 0.7}", .epsilon(0.55)),
            ("zcdp, delta: 1e-6, total: {rho: 0.03}, researcher-limits: {ada: {rho: 0.01}}", .rho(0.0067)),
            ("renyi, delta: 1e-6, total: {epsilon: 1}, per-researcher: {epsilon: 0.9}", .epsilon(0.75)),
            ("renyi, delta: 1e-6, total: {epsilon: 1}, windows: [{days: 1, limit: {epsilon: 0.9}}]", .rho(0.008)),
        ] as [(String, Budget)])
    func refusals(_ policy: String, _ budget: Budget) async throws {
        let test = try TestSite(policy: "{loss: \(policy)}")
        let unit = if case .rho = budget { "rho" } else { "epsilon" }
        _ = try await test.site.ask(Self.count(budget), as: .ada)
        let refusal = try #require(await problem { _ = try await test.site.ask(Self.count(budget), as: .ada) })
        #expect(refusal.kind == .overBudget)
        #expect(refusal.detail.hasPrefix("the question costs \(unit) "), "\(refusal.detail)")
        #expect(refusal.detail.contains(", and \(unit) "), "\(refusal.detail)")
        let hint = try #require(refusal.hint)
        let named = try #require(hint.firstMatch(of: #/the largest that fits: `--([a-z]+) ([0-9.e-]+)`/#), "\(hint)")
        #expect(named.1 == unit)
        let largest = try #require(Double(named.2))
        let preview = try await test.site.preview(Self.count(budget), as: .ada)
        #expect(preview.left == QuestionsLeft(alike: 0, largest: largest, unit: unit))
        #expect(refusal.left == preview.left)
        #expect(preview.decision.hasPrefix("would be refused: the question costs \(unit) "))
        func asked(_ amount: Double) -> AskRequest {
            Self.count(unit == "rho" ? .rho(amount) : .epsilon(amount))
        }
        // Nothing that is a hundredth larger fits, and the number itself does.
        #expect(await problem { _ = try await test.site.ask(asked(largest * 1.011), as: .ada) }?.kind == .overBudget)
        _ = try await test.site.ask(asked(largest), as: .ada)
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "A refusal of a question for an error names the smallest error that fits, which is answered, and hardly a smaller one",
        arguments: [
            ("pure, total: {epsilon: 0.005}", 0.001), ("zcdp, delta: 1e-6, total: {rho: 5e-6}", 0.001),
            ("zcdp, delta: 1e-6, total: {epsilon: 4}, per-question: {rho: 5e-5}", 0.0005),
            ("renyi, delta: 1e-6, total: {epsilon: 1}", 0.00002),
        ] as [(String, Double)])
    func errors(_ policy: String, _ relative: Double) async throws {
        let test = try TestSite(policy: "{loss: \(policy)}")
        func asked(_ error: Double) -> AskRequest { Self.count(.error(relative: error, groupSize: 1_000_000)) }
        let refusal = try #require(await problem { _ = try await test.site.ask(asked(relative), as: .ada) })
        #expect(refusal.kind == .overBudget)
        #expect(
            refusal.detail.contains(" for an error of \(ShortNumber.text(relative * 100)) %, and "), "\(refusal.detail)"
        )
        let hint = try #require(refusal.hint)
        let named = try #require(
            hint.firstMatch(of: #/the smallest error that fits is about `--error ([0-9.e-]+)%`/#), "\(hint)")
        let smallest = try #require(Double(named.1)) / 100
        #expect(smallest > relative)
        let preview = try await test.site.preview(asked(relative), as: .ada)
        #expect(preview.left?.errorText == "\(named.1)%")
        #expect(preview.left?.words == "the smallest error that fits: about \(named.1)%")
        #expect(await problem { _ = try await test.site.ask(asked(smallest * 0.95), as: .ada) }?.kind == .overBudget)
        _ = try await test.site.ask(asked(smallest * 1.03), as: .ada)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Where what is left is less than any question costs, none is named; delta that selection lacks is said")
    func nothingFits() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, least-share: 0.25}")
        _ = try await test.site.ask(Self.count(.epsilon(0.8)), as: .ada)
        let refusal = await problem { _ = try await test.site.ask(Self.count(.epsilon(0.25)), as: .ada) }
        #expect(refusal?.hint == "no question fits any more; or ask the owner")
        #expect(
            refusal?.detail
                == "the question costs epsilon 0.25, and epsilon 0.2 is left to all researchers of the budget of patients"
        )

        let keys = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {epsilon: 4, selection-delta: 1e-9}}")
        var grouped = AskRequest(
            dataset: "visits", sql: "SELECT amount / 7, COUNT(*) FROM visits GROUP BY amount / 7", budget: .epsilon(0.5)
        )
        grouped.selectionDelta = 1e-8
        let lacking = await problem { _ = try await keys.site.ask(grouped, as: .ada) }
        if lacking != nil {
            #expect(lacking?.detail.contains("and delta 1e-9 is left to") == true, "\(String(describing: lacking))")
        }
    }

    @Test("What is held is told apart from what is spent, and what was given back costs nothing")
    func held() async throws {
        let test = try TestSite(
            policy: "{loss: pure, total: {epsilon: 3}, approval: owner}", researchers: ["ada", "bea"])
        var ids: [String] = []
        for (epsilon, who) in [(0.5, Identity.ada), (1, Self.bea), (0.25, .ada)] {
            ids.append(try #require(try await test.site.ask(TestSite.count(epsilon), as: who).pendingID))
        }
        func lines(_ identity: Identity) throws -> [BudgetReport.Line] { try test.site.budget(as: identity)[0].lines }
        #expect(try lines(.folder).map(\.spent.epsilon) == [0, 0, 0])
        #expect(try lines(.folder).map(\.held?.epsilon) == [1.75, 0.75, 1])
        #expect(try lines(.ada).map(\.held?.epsilon) == [1.75, 0.75])
        #expect(try lines(.folder).map(\.remaining.epsilon) == [1.25, 2.25, 2])
        #expect(
            try lines(.folder)[0].meaning?.words.hasSuffix(
                "6 of epsilon 0.5 fit into all of it, 2 into what is left, and 4 more if what is held is given back")
                == true)
        _ = try await test.site.approve(ids[0], by: .folder)
        _ = try await test.site.deny(ids[1], by: .folder, reason: "no")
        _ = try await test.site.cancelJob(ids[2], by: .ada)
        #expect(try lines(.folder).map(\.spent.epsilon) == [0.5, 0.5, 0])
        #expect(try lines(.folder).map(\.held) == [nil, nil, nil])
        let states = try test.site.requests(as: .folder).map { "\($0.state) \($0.isCharged ?? true)" }
        #expect(states == ["cancelled false", "denied false", "released true"])
        // One that was charged and then cancelled stays charged, also where windows are counted anew.
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 3}}")
        let kept = try await test.reserveOnly(TestSite.count(0.5), key: nil)
        _ = try await test.site.cancelJob(kept, by: .folder)
        #expect(try test.site.request(kept, as: .ada).isCharged == true)
        try test.site.setPolicy(
            of: "visits", policyText: "{loss: pure, total: {epsilon: 3}, windows: [{days: 7, limit: {epsilon: 2}}]}")
        #expect(try lines(.folder)[3].spent.epsilon == 1)
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "What is said to fit is what is then answered, where limits end in parts of a question, and below what is spent"
    )
    func parts() async throws {
        let test = try TestSite(
            policy: "{loss: pure, total: {epsilon: 4.2}, per-researcher: {epsilon: 2}}", researchers: ["ada", "bea"])
        _ = try await test.site.ask(TestSite.count(0.3), as: .ada)
        let meanings = try test.site.budget(as: .ada)[0].lines.compactMap(\.meaning)
        // 8.4 and 4 questions; 7.8 and 3.4 of them are left.
        #expect(meanings.map(\.fit) == [8, 4] && meanings.map(\.left) == [7, 3])
        for _ in 0..<3 { _ = try await test.site.ask(TestSite.count(0.5), as: .ada) }
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.5), as: .ada) }?.kind == .overBudget)
        for limits in ["per-researcher: {epsilon: 1}", "per-researcher: {epsilon: 0.2}"] {
            try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 4.2}, \(limits)}")
            let own = try #require(try test.site.budget(as: .ada)[0].lines[1].meaning)
            #expect(
                own.words.hasSuffix(
                    own.fit == 0
                        ? "; none of epsilon 0.5 fits" : "; 2 of epsilon 0.5 fit into all of it, none into what is left"
                ),
                "\(own.words)")
        }
    }

    @Test("Who spent it, on what and when: the sums are the ledger's, and a researcher sees her own")
    func spending() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {rho: 1}}", researchers: ["ada", "bea"])
        try test.add("more", policy: "{loss: zcdp, delta: 1e-6, total: {rho: 1}}")
        _ = try await test.site.ask(Self.count(.rho(0.1)), as: .ada)
        _ = try await test.site.ask(Self.count(.rho(0.05)), as: .ada)
        _ = try await test.site.ask(Self.count(.rho(0.02), "more"), as: Self.bea)
        test.clock.advance(40 * 86_400)
        _ = try await test.site.ask(Self.count(.rho(0.01)), as: .ada)
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "more", budget: .rho(0.2)))
        let report = try test.site.budget(as: .folder)[0]
        let rows = (report.spending ?? []).map {
            "\($0.month) \($0.researcher) \($0.dataset) \($0.requests) \(ShortNumber.text($0.spent.rho ?? 0))"
        }
        #expect(
            rows == [
                "2027-02 ada visits 1 0.01", "2027-02 local owner more 1 0.2", "2027-01 ada visits 2 0.15",
                "2027-01 bea more 1 0.02",
            ])
        let sum = (report.spending ?? []).reduce(0) { $0 + ($1.spent.rho ?? 0) }
        #expect(abs(sum - (report.lines[0].spent.rho ?? 0)) < 1e-12)
        #expect(try test.site.budget(as: Self.bea)[0].spending?.map(\.researcher) == ["bea"])
    }

    @Test("A raised total is told from what to what, as the policy says it")
    func raised() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {epsilon: 4}}")
        try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 1e-6, total: {epsilon: 8}}")
        let raised = try #require(try test.site.budget(as: .ada)[0].raised)
        let words =
            #/2027-01-15T08:00:00Z: total epsilon 4 at delta 1e-6 \(rho [0-9.]+\) became epsilon 8 at delta 1e-6 \(rho [0-9.]+\)/#
        #expect(raised.wholeMatch(of: words) != nil, "\(raised)")
    }
}
