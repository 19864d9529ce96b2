import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Secrets
import Testing

@testable import Datasite

@Suite("The ledger cannot be overspent")
struct LedgerTests {
    @Test("200 askers in three processes never exceed the budget, and what was granted equals what is journaled")
    func concurrentAskers() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 2}, per-researcher: {epsilon: 1.5}}")
        _ = try test.site.addUser("bea", role: .researcher)
        let sites = [test.site, try test.reopened(), try test.reopened()]
        let granted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                let site = sites[index % 3]
                let who = Identity(name: index % 4 == 0 ? "bea" : "ada", role: .researcher)
                group.addTask { (try? await site.ask(TestSite.count(0.037), as: who)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(granted == 54, "2 / 0.037 = 54.05")
        #expect(try test.spent() == Int64(granted) * 37_000_000_000)
        let entries = try test.site.audit(as: .auditor, from: 1, limit: 10_000)
        #expect(entries.count { $0.action == "reserved" } == granted)
        #expect(entries.count { $0.action == "released" } == granted)
        #expect(entries.count { $0.action == "refused" } == 200 - granted)
        #expect(try test.site.verify().problems == [])
    }

    @Test("The ledger does what a simple model does, over random charges, limits, researchers and times")
    func agreesWithModel() throws {
        var generator = SeededGenerator(seed: 11)
        func below(_ limit: UInt64) -> Int64 { Int64(generator.next() % limit) }
        for _ in 0..<6 {
            let test = try TestSite(
                policy: """
                    {loss: zcdp, delta: 1e-6, total: {rho: 1}, per-researcher: {rho: 0.6},
                     windows: [{hours: 1, limit: {rho: 0.3}}]}
                    """)
            var total = (amount: Int64(0), delta: Int64(0))
            var own: [String: Int64] = [:]
            var history: [(time: Int64, amount: Int64)] = []
            var now = test.clock.clock.now()
            for _ in 0..<60 {
                let step = below(1_200)
                test.clock.advance(step)
                now += step
                let who = ["ada", "bea", "eve"][Int(below(3))]
                let loss = PrivacyLoss(
                    kind: .zeroConcentrated, amount: below(UInt64(unit / 5)), delta: below(40_000_000_000))
                let part = (Int64(3_600) + 127) / 128
                let recent = history.filter { $0.time / part >= (now - 3_600) / part }
                let window = recent.reduce(Int64(0)) { $0 + $1.amount }
                let inTotal = total.amount + loss.amount <= unit && total.delta + loss.delta <= 500_000_000_000
                let inOwn = own[who, default: 0] + loss.amount <= unit * 6 / 10
                let fits = inTotal && inOwn && window + loss.amount <= unit * 3 / 10
                let charged = try test.site.write { context -> Bool in
                    do {
                        try context.db.inSavepoint {
                            try Ledger.charge(loss, population: 1, researcher: who, in: context)
                            return .commit
                        }
                        return true
                    } catch is Ledger.Exceeded { return false }
                }
                #expect(charged == fits)
                if charged {
                    total = (total.amount + loss.amount, total.delta + loss.delta)
                    own[who, default: 0] += loss.amount
                    history.append((now, loss.amount))
                }
                #expect(try test.spent() == total.amount)
            }
        }
    }

    @Test("Delta is counted in the total, in a researcher's limit and in a window, each alone")
    func delta() async throws {
        let one = "limit: {rho: 1, selection-delta: 1e-8}"
        let limited = "{rho: 1, selection-delta: 1e-8}"
        for (limits, scope) in [
            ("total: \(limited)", BudgetScope.allResearchers),
            ("total: {rho: 5}, per-researcher: \(limited)", .researcher("ada")),
            ("total: {rho: 5}, windows: [{days: 1, \(one)}]", .window(seconds: 86_400)),
        ] {
            let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, \(limits)}")
            func charge(delta: Int64) throws -> String? {
                try test.site.write { context in
                    do {
                        try context.db.inSavepoint {
                            try Ledger.charge(
                                PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: delta), population: 1,
                                researcher: "ada", in: context)
                            return .commit
                        }
                        return nil
                    } catch let exceeded as Ledger.Exceeded { return exceeded.words }
                }
            }
            #expect(try charge(delta: 6_000_000_000) == nil)
            #expect(try charge(delta: 4_000_000_001) == scope.words + " of the budget of patients")
            #expect(try charge(delta: 4_000_000_000) == nil)
            #expect(try charge(delta: 1) == scope.words + " of the budget of patients")
        }
    }

    @Test(
        "Of a population that has released, delta alone cannot change either, nor how it is split", arguments: [1, 0.5])
    func deltaIsFixed(_ rho: Double) async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {rho: 1}}")
        try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 2e-6, total: {rho: 1}}")
        let count = AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .rho(0.1))
        _ = try await test.site.ask(count, as: .ada)
        for delta in ["1e-6", "3e-6"] {
            let refused = await problem {
                try test.site.setPolicy(
                    of: "visits", policyText: "{loss: zcdp, delta: \(delta), total: {rho: \(rho)}}")
            }
            #expect(refused?.detail.contains("unit of loss and delta cannot change") == true)
        }
        // One of both parts, as a later version might split it.
        for column in ["conversion_delta", "selection_delta"] {
            try test.execute("UPDATE populations SET \(column) = 7e-7")
            #expect(throws: Problem.self) {
                try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 2e-6, total: {rho: 1}}")
            }
            try test.execute("UPDATE populations SET \(column) = 1e-6")
        }
        try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 2e-6, total: {rho: \(rho)}}")
    }

    @Test("A window gives its budget back when it has passed, and a clock that is set back gives nothing")
    func windows() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}, windows: [{days: 1, limit: {epsilon: 1}}]}")
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        test.clock.advance(86_000)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }?.status == 403)
        test.clock.advance(-200_000)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }?.status == 403)
        test.clock.advance(200_000 + 2_000)
        _ = try await test.site.ask(TestSite.count(0.1), as: .ada)
        #expect(try test.spent() == 11 * unit / 10)
    }

    @Test("Every commit is synchronised in full: a reservation is a promise")
    func fullSynchronisation() throws {
        let test = try TestSite()
        let mode = try test.site.store.pool.writeWithoutTransaction { db in
            (try Int.fetchOne(db, sql: "PRAGMA synchronous"), try String.fetchOne(db, sql: "PRAGMA journal_mode"))
        }
        #expect(mode.0 == 2 && mode.1 == "wal")
    }

    @Test("Changes that wait for the disk are committed together, each failing alone")
    func groupCommit() async throws {
        let test = try TestSite()
        let before = test.site.statistics().transactions
        struct Mine: Error {}
        let results = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<400 {
                group.addTask {
                    let done: Void? = try? await test.site.commit.perform { context in
                        try Meta.set(context.db, "test \(index)", index)
                        if index % 10 == 3 { throw Mine() }
                    }
                    return done != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(results == 360)
        let stored = try test.integer("SELECT count(*) FROM meta WHERE key LIKE 'test %'")
        #expect(stored == 360)
        #expect(test.site.statistics().transactions - before < 400)
    }

    @Test("A full disk refuses clearly, loses nothing, and charges nothing that was not stored")
    func diskFull() async throws {
        let test = try TestSite()
        let pages = try test.integer("PRAGMA page_count")
        var configuration = TestSite.configuration(test.clock)
        configuration.maximumPages = pages + 2
        let full = try Datasite(path: test.path, configuration: configuration)
        var answered = 0
        var refusal: Problem?
        for _ in 0..<60 where refusal == nil {
            refusal = await problem { _ = try await full.ask(TestSite.count(0.01), as: .ada) }
            if refusal == nil { answered += 1 }
        }
        #expect(refusal?.kind == .siteUnavailable)
        #expect(refusal?.detail.contains("disk is full") == true)
        let roomy = try test.reopened()
        let spent = try test.spent(roomy) / (unit / 100)
        #expect(spent == Int64(answered) || spent == Int64(answered) + 1)
        #expect(try roomy.verify().problems == [])
        _ = try await roomy.ask(TestSite.count(0.01), as: .ada)
    }

    @Test("Raising a budget is journaled; unit of loss and delta are fixed once budget was spent")
    func policyChanges() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {rho: 0.5}}")
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 1}}")
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        try test.site.setPolicy(of: "visits", policyText: "policy: {loss: pure, total: {epsilon: 2}}")
        #expect(try test.site.audit(as: .folder).contains { $0.action == "budget raised" })
        let shown = try test.site.budget(as: .ada)[0].raised
        #expect(shown == "2027-01-15T08:00:00Z: total epsilon 1 became epsilon 2")
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 1.5}}")
        #expect(try test.site.budget(as: .ada)[0].raised == shown)
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 2}}")
        let other = await problem {
            try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 1e-6, total: {rho: 5}}")
        }
        #expect(other?.kind == .invalidManifest)
        #expect(try await test.site.preview(TestSite.count(1), as: .ada).available.epsilon == 1)
        _ = try await test.reopened().ask(TestSite.count(1), as: .ada)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.1), as: .ada) }?.status == 403)
    }
}
