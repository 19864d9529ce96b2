import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import Testing

@testable import Datasite

@Suite("A population whose losses are counted as Rényi divergences")
struct RenyiTests {
    static let policy = "{loss: renyi, delta: 1e-6, total: {epsilon: 4}}"

    private func question(_ budget: Budget, _ sql: String = "SELECT COUNT(*) FROM visits") -> AskRequest {
        AskRequest(dataset: "visits", sql: sql, budget: budget)
    }

    private func spent(_ test: TestSite, _ site: Datasite? = nil) throws -> PrivacyLoss {
        try (site ?? test.site).store.pool.read { try #require(try PopulationRow.named("patients", $0)).spent }
    }

    private func reserved(_ test: TestSite) throws -> [PrivacyLoss] {
        try test.site.audit(as: .auditor, from: 1, limit: 10_000).filter { $0.action == "reserved" }.compactMap {
            PrivacyLoss(
                kind: .renyi, amounts: ($0.charge?.divergences ?? []).map { Int64(($0 * 1e12).rounded()) },
                delta: Int64((($0.charge?.delta ?? 0) * 1e18).rounded()))
        }
    }

    @Test("A rho is charged as its curve, an epsilon as the largest rho that converts to it; both are said as epsilons")
    func charges() async throws {
        let test = try TestSite(policy: Self.policy)
        let answered = try await test.site.ask(question(.rho(0.01)), as: .ada)
        let loss = try spent(test)
        #expect(
            zip(loss.amounts, RenyiOrders.all).allSatisfy { amount, order in
                amount <= Int64(order) * 10_000_000_000 && amount > Int64(order) * 9_999_000_000
            })
        let answer = try JSONDecoder().decode(Answer.self, from: Data(try #require(answered.answer)))
        #expect(answer.charge.kind == "renyi" && answer.charge.conversionDelta == 5e-7)
        #expect(answer.guarantees.outputPrivacy.contains("Rényi differential privacy"))
        let receipt = try Receipt(decoding: try #require(answered.receipt))
        #expect(receipt.body.charge.kind == "renyi" && receipt.body.charge.amounts == loss.amounts)

        let preview = try await test.site.preview(question(.epsilon(0.5)), as: .ada)
        let epsilon = try #require(preview.charge.epsilonAtDelta)
        #expect(epsilon <= 0.5 && epsilon > 0.4999)
        _ = try await test.site.ask(question(.epsilon(0.5)), as: .ada)
        let rho = RenyiOrders.rho(epsilon: 0.5, delta: 5e-7)
        let second = try spent(test).removing(loss)
        #expect(abs(Double(second.leastRho) * 1e-12 / rho - 1) < 1e-4)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Quantiles cost the exponential mechanism's own curve, which at high orders is less than its rho's")
    func ownCurves() async throws {
        let test = try TestSite(policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 20}}")
        _ = try await test.site.ask(question(.rho(0.3), "SELECT MEDIAN(amount) FROM visits"), as: .ada)
        let loss = try spent(test)
        #expect(loss.amounts[0] > 2 * 250_000_000_000)
        #expect(loss.amounts[7] < 256 * 300_000_000_000 / 10)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Selected keys charge their delta against the policy's other half")
    func selection() async throws {
        let test = try TestSite(policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 8}}")
        let manifest = """
            name: homes
            title: Homes
            description: Made up
            population: patients
            unit: {column: person, rows: 1}
            capacity: {rows: 1000}
            policy: {loss: renyi, delta: 1e-6, total: {epsilon: 8}}
            columns:
              - {name: person, type: integer, nullable: false}
              - {name: city, type: text, nullable: false}
            """
        let rows = (0..<60).map { "\($0),town\($0 % 2)\n" }.joined()
        _ = try test.site.addDataset(file: try test.file("homes", "person,city\n" + rows), manifestText: manifest)
        var asked = AskRequest(
            dataset: "homes", sql: "SELECT city, COUNT(*) FROM homes GROUP BY city", budget: .rho(0.1))
        asked.selectionDelta = 4e-7
        _ = try await test.site.ask(asked, as: .ada)
        #expect(try spent(test).delta > 100_000_000_000 && spent(test).delta <= 400_000_000_000)
        var over: Problem?
        for _ in 0..<5 where over == nil { over = await problem { _ = try await test.site.ask(asked, as: .ada) } }
        #expect(over?.kind == .overBudget)
        asked.selectionDelta = 1e-9
        _ = try await test.site.ask(asked, as: .ada)
        #expect(try spent(test).delta <= 500_000_000_000)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Less than the least charge is refused, and the rho and the epsilon that are named instead suffice")
    func least() async throws {
        let test = try TestSite(policy: Self.policy)
        let few = await problem { _ = try await test.site.ask(question(.rho(1e-6)), as: .ada) }
        #expect(few?.kind == .notAllowed)
        let match = try #require(few?.detail.firstMatch(of: #/at least rho (\S+) \(asked for as an epsilon: (\S+)\)/#))
        for budget in [Budget.rho(try #require(Double(match.1))), .epsilon(try #require(Double(match.2)))] {
            _ = try await test.site.ask(question(budget), as: .ada)
        }
        let least = try #require(try test.site.catalogue().datasets["visits"]?.policy?.leastCharge)
        #expect(try reserved(test).count == 2)
        #expect(try reserved(test).allSatisfy { $0.reaches(least) })
        // At these orders no epsilon is smaller than what conversion alone costs.
        let tiny = await problem { _ = try await test.site.ask(question(.epsilon(1e-4)), as: .ada) }
        #expect(tiny?.hint?.contains("or a rho") == true, "\(String(describing: tiny))")
    }

    @Test("200 askers in three processes end within the limit, with no room for one more")
    func concurrentAskers() async throws {
        let test = try TestSite(
            policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 4}, per-researcher: {epsilon: 3}}")
        _ = try test.site.addUser("bea", role: .researcher)
        let sites = [test.site, try test.reopened(), try test.reopened()]
        let granted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                let site = sites[index % 3]
                let who = Identity(name: index % 4 == 0 ? "bea" : "ada", role: .researcher)
                // Of different curves: counts, and quantiles, which are cheap at high orders.
                let sql = index % 5 == 0 ? "SELECT MEDIAN(amount) FROM visits" : "SELECT COUNT(*) FROM visits"
                let asked = question(.rho(0.004), sql)
                group.addTask { (try? await site.ask(asked, as: who)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(granted >= 64 && granted < 200)
        let charged = try reserved(test)
        #expect(charged.count == granted)
        let sum = try charged.reduce(PrivacyLoss.zero(.renyi)) { try $0 + $1 }
        #expect(try spent(test) == sum)
        let limit = try PrivacyLoss(renyiEpsilon: 4, delta: 5e-7, selectionDelta: 500_000_000_000)
        #expect(zip(sum.amounts, limit.amounts).contains { $0 <= $1 })
        #expect(!PrivacyLoss(renyiRho: 4_000_000_000).fits(in: limit, after: sum))
        #expect(RenyiOrders.epsilon(amounts: sum.amounts, delta: 5e-7) <= 4)
        #expect(try test.site.verify().problems == [])
    }

    @Test("The ledger does what a simple model does, over random curves, limits, researchers, times and denials")
    func agreesWithModel() throws {
        var generator = SeededGenerator(seed: 12)
        func below(_ limit: UInt64) -> Int64 { Int64(generator.next() % limit) }
        func limit(_ epsilon: Double) throws -> PrivacyLoss {
            try PrivacyLoss(renyiEpsilon: epsilon, delta: 5e-7, selectionDelta: 500_000_000_000)
        }
        let (whole, own, hourly) = (try limit(6), try limit(4), try limit(2))
        func fits(_ losses: [PrivacyLoss], _ limit: PrivacyLoss) -> Bool {
            let isWithin = (0..<8).contains { order in
                losses.reduce(Int128(0)) { $0 + Int128($1.amounts[order]) } <= Int128(limit.amounts[order])
            }
            return isWithin && losses.reduce(0) { $0 + $1.delta } <= limit.delta
        }
        for _ in 0..<4 {
            let test = try TestSite(
                policy: """
                    {loss: renyi, delta: 1e-6, total: {epsilon: 6}, per-researcher: {epsilon: 4},
                     windows: [{hours: 1, limit: {epsilon: 2}}]}
                    """)
            var history: [(who: String, time: Int64, loss: PrivacyLoss)] = []
            var held: [(who: String, loss: PrivacyLoss)] = []
            var now = test.clock.clock.now()
            for _ in 0..<80 {
                let step = below(1_500)
                test.clock.advance(step)
                now += step
                if below(4) == 0, let last = held.popLast() {
                    try test.site.write { context in
                        try Ledger.giveBack(last.loss, population: 1, researcher: last.who, in: context)
                    }
                }
                let who = ["ada", "bea", "eve"][Int(below(3))]
                // A rho, or a curve that explodes at high orders.
                let rho = below(UInt64(unit / 100))
                let loss =
                    below(2) == 0
                    ? PrivacyLoss(renyiRho: rho, delta: below(20_000_000_000))
                    : try #require(
                        PrivacyLoss(
                            kind: .renyi,
                            amounts: RenyiOrders.all.map { min(1 << 50, rho * Int64($0 * $0)) }))
                let isHeld = below(3) == 0
                let part = (Int64(3_600) + 127) / 128
                let recent = isHeld ? [] : history.filter { $0.time / part >= (now - 3_600) / part }.map(\.loss)
                let before = history.map { ($0.who, $0.loss) } + held.map { ($0.who, $0.loss) }
                let expected =
                    fits(before.map(\.1) + [loss], whole)
                    && fits(before.filter { $0.0 == who }.map(\.1) + [loss], own) && fits(recent + [loss], hourly)
                let charged = try test.site.write { context -> Bool in
                    do {
                        try context.db.inSavepoint {
                            try Ledger.charge(loss, population: 1, researcher: who, isHeld: isHeld, in: context)
                            return .commit
                        }
                        return true
                    } catch is Ledger.Exceeded { return false }
                }
                #expect(charged == expected)
                if charged, isHeld { held.append((who, loss)) } else if charged { history.append((who, now, loss)) }
                let sum = try (history.map(\.loss) + held.map(\.loss)).reduce(PrivacyLoss.zero(.renyi)) { try $0 + $1 }
                #expect(try spent(test) == sum)
            }
        }
    }

    @Test("What waits is held at every order and given back when it is denied; what is approved stays")
    func approvals() async throws {
        let test = try TestSite(policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 4}, approval: owner}")
        let first = try #require(try await test.site.ask(question(.rho(0.05)), as: .ada).pendingID)
        let one = try spent(test)
        let second = try #require(try await test.site.ask(question(.rho(0.1)), as: .ada).pendingID)
        let both = try spent(test)
        #expect(!one.isZero && one.isCovered(by: both) && both != one)
        _ = try await test.site.deny(second, by: .folder, reason: "no")
        #expect(try spent(test) == one)
        #expect(try await test.site.approve(first, by: .folder).state == "released")
        #expect(try spent(test) == one)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A reservation that a crash left completes under its charge, and a copy put back is charged the difference")
    func crashAndRestore() async throws {
        let test = try TestSite(
            policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 4}, windows: [{days: 1, limit: {epsilon: 3}}]}")
        _ = try await test.site.ask(question(.rho(0.01)), as: .ada)
        let backup = try test.copyAtOnce()
        let asked = question(.rho(0.02), "SELECT MEDIAN(amount) FROM visits")
        _ = try await test.reserveOnly(asked, key: "cut")
        let reopened = try test.reopened()
        let charged = try spent(test, reopened)
        _ = try await reopened.ask(asked, as: .ada, idempotencyKey: "cut")
        #expect(try spent(test, reopened) == charged)
        #expect(try reopened.verify().problems == [])

        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: test.path + "/" + name)
        }
        try FileManager.default.copyItem(atPath: backup + "/parley.sqlite", toPath: test.path + "/parley.sqlite")
        let restored = try test.reopened()
        #expect(await problem { _ = try await restored.ask(asked, as: .ada) }?.status == 503)
        _ = try restored.acceptRestore()
        #expect(try spent(test, restored) == charged)
        #expect(try restored.verify().problems == [])
        let lines = try restored.budget(as: .ada)[0].lines
        #expect(lines.count == 3 && lines.allSatisfy { $0.spent.divergences == lines[0].spent.divergences })
    }

    @Test("Where nobody knows what a restore lost, no order is free again, whatever the limit is raised to")
    func restoreOfUnknown() async throws {
        let test = try TestSite(policy: Self.policy)
        _ = try await test.site.ask(question(.rho(0.01)), as: .ada)
        let backup = try test.copyAtOnce()
        // At order 64 this loses 13 nats, of which the limit admits 3.8: order 12 holds.
        _ = try await test.site.ask(question(.rho(0.2)), as: .ada)
        let lost = try spent(test)
        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: test.path + "/" + name)
        }
        try FileManager.default.copyItem(atPath: backup + "/parley.sqlite", toPath: test.path + "/parley.sqlite")
        try FileManager.default.removeItem(atPath: test.site.folder.generation)
        let restored = try test.reopened()
        #expect(try restored.acceptRestore().contains { $0.contains("whatever it is raised to") })
        #expect(try lost.isCovered(by: spent(test, restored)))
        for epsilon in [20, 200, 1_000] {
            let raised = "{loss: renyi, delta: 1e-6, total: {epsilon: \(epsilon)}, least-share: 0}"
            try restored.setPolicy(of: "visits", policyText: raised)
            #expect(
                await problem { _ = try await restored.ask(question(.rho(1e-6)), as: .ada) }?.kind == .overBudget,
                "\(epsilon)")
        }
        #expect(try restored.verify().problems == [])
    }

    @Test("The least that budget and dictionary tell suffices when it is asked for, and no number is below 0")
    func toldNumbers() async throws {
        let test = try TestSite(
            policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 4}, per-question: {epsilon: 3}}")
        let detail = try test.site.dataset("visits")
        let report = try test.site.budget(as: .ada)[0]
        let least = try #require(report.leastCharge)
        #expect(detail.leastCharge == least)
        let (rho, epsilon) = (try #require(least.rho), try #require(least.epsilonAtDelta))
        #expect(rho > 2e-5 && epsilon > 0.045)
        for budget in [Budget.rho(rho * 1.0001), .epsilon(epsilon * 1.0001)] {
            _ = try await test.site.ask(question(budget), as: .ada)
        }
        let available = try await test.site.preview(question(.rho(0.1)), as: .ada).available
        #expect(try available == test.site.budget(as: .ada)[0].lines[0].remaining)
        let limits = [detail.total, detail.perQuestion, report.lines[0].limit, available]
        for limit in limits {
            let limit = try #require(limit)
            #expect(limit.rho ?? 0 > 0.1 && limit.divergences?.allSatisfy { $0 >= 0 } == true)
        }
        #expect(detail.total?.delta == 5e-7)
    }

    @Test("What a preview says is left is not rounded up: asked for as it is written, it fits")
    func toldRoom() async throws {
        for policy in [Self.policy, "{loss: pure, total: {epsilon: 2.3456858}}"] {
            let test = try TestSite(policy: policy)
            _ = try await test.site.ask(question(.epsilon(1.2345678)), as: .ada)
            let refused = try await test.site.preview(question(.epsilon(3.9)), as: .ada).decision
            let told = try #require(refused.firstMatch(of: #/epsilon (\S+) is left/#)?.1)
            _ = try await test.site.ask(question(.epsilon(try #require(Double(told)))), as: .ada)
        }
    }

    @Test("The unit of loss that one dataset's policy set is that of every dataset of the population")
    func oneUnitOfLoss() async throws {
        let zcdp = "{loss: zcdp, delta: 1e-6, total: {epsilon: 4}}"
        let test = try TestSite(policy: zcdp)
        _ = try test.add("stays", policy: zcdp)
        let other = "{loss: renyi, delta: 1e-4, total: {epsilon: 4}}"
        try test.site.setPolicy(of: "visits", policyText: other)
        let asked = AskRequest(dataset: "stays", sql: "SELECT COUNT(*) FROM stays", budget: .epsilon(1))
        let preview = try await test.site.preview(asked, as: .ada)
        #expect(preview.charge.kind == "renyi" && preview.charge.conversionDelta == 5e-5)
        _ = try await test.site.ask(asked, as: .ada)
        #expect(try spent(test).leastRho <= Int64(RenyiOrders.rho(epsilon: 1, delta: 5e-5) * 1e12))
        #expect(try test.site.verify().problems == [])
    }

    @Test("The counter's file remembers eight amounts, beside populations of other kinds and as many as fit")
    func generationFile() throws {
        let curve = try #require(PrivacyLoss(kind: .renyi, amounts: [1, 2, 3, 4, 5, 6, 7, .max], delta: 9))
        let head = Journal.Head(number: 3, hash: (0..<32).map { UInt8($0) })
        let losses = [
            PrivacyLoss(kind: .pure, amount: 5), curve, PrivacyLoss(kind: .zeroConcentrated, amount: 7, delta: 1),
        ]
        func record(_ count: Int) -> GenerationFile.Record {
            .init(
                generation: 11, spent: (0..<count).map { .init(population: Int64($0) - 2, loss: losses[$0 % 3]) },
                head: head)
        }
        for count in [0, 1, 3, 60] {
            #expect(GenerationFile.decode(GenerationFile.encode(record(count))) == record(count))
        }
        let many = GenerationFile.encode(record(90))
        #expect(GenerationFile.decode(many) == .init(generation: 11, spent: nil, head: head))
        #expect(GenerationFile.encode(record(60)).count <= GenerationFile.slotBytes)
    }

    @Test("Changes of the journal or the ledger at one order are found")
    func tampering() async throws {
        let test = try TestSite(policy: Self.policy)
        _ = try await test.site.ask(question(.rho(0.01)), as: .ada)
        var amounts = try spent(test).amounts
        amounts[5] -= 1
        let text = amounts.map { String($0) }.joined(separator: " ")
        for table in ["populations SET spent_amount", "researcher_spending SET amount"] {
            try test.execute("UPDATE \(table) = '\(text)'")
        }
        #expect(try test.site.verify().problems.count { $0.hasPrefix("ledger") } == 2)
        try test.execute("UPDATE populations SET spent_amount = '1 2 three'")
        #expect(await problem { _ = try await test.site.ask(question(.rho(0.01)), as: .ada) }?.status == 503)
    }

    @Test("A synthetic table is charged the curve of its rho; raising and lowering the limit is journaled")
    func ownersWork() async throws {
        let test = try TestSite(policy: Self.policy)
        let report = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        #expect(report.charge.kind == "renyi")
        let rho = try spent(test).leastRho
        #expect(try spent(test) == PrivacyLoss(renyiRho: rho))
        #expect(abs(Double(rho) * 1e-12 / RenyiOrders.rho(epsilon: 1, delta: 5e-7) - 1) < 1e-6)
        // A rho beyond what divergences of a high order can count.
        let dear = try TestSite(policy: "{loss: renyi, delta: 1e-6, total: {epsilon: 200}}")
        _ = try await dear.site.synthesize(SynthesisRequest(dataset: "visits", budget: .rho(9)))
        #expect(throws: Problem.self) {
            try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 1e-6, total: {epsilon: 4}}")
        }
        try test.site.setPolicy(of: "visits", policyText: "{loss: renyi, delta: 1e-6, total: {epsilon: 2}}")
        #expect(try test.site.budget(as: .ada)[0].raised == nil)
        try test.site.setPolicy(of: "visits", policyText: "{loss: renyi, delta: 1e-6, total: {epsilon: 5}}")
        #expect(try test.site.budget(as: .ada)[0].raised?.contains("became epsilon 5 at delta 1e-6") == true)
        let line = try test.site.budget(as: .ada)[0].lines[0]
        #expect(abs((line.limit.epsilonAtDelta ?? 0) - 5) < 1e-9)
        #expect(abs((line.spent.epsilonAtDelta ?? 0) - 1) < 1e-4)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Before anything is spent the kind of loss may change, both ways")
    func kindMayChange() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {epsilon: 4}, approval: owner}")
        let id = try #require(try await test.site.ask(question(.rho(0.05)), as: .ada).pendingID)
        _ = try await test.site.deny(id, by: .folder, reason: "no")
        try test.site.setPolicy(of: "visits", policyText: Self.policy)
        _ = try await test.site.ask(question(.rho(0.01)), as: .ada)
        #expect(try test.site.verify().problems == [])
    }

    @Test("What is wrong in a Rényi policy is said, with what would be right")
    func wrongPolicies() {
        for (policy, words) in [
            ("{loss: renyi, total: {epsilon: 4}}", "`delta` is missing"),
            ("{loss: renyi, delta: 1e-6, total: {rho: 0.1}}", "rho"),
            ("{loss: renyi, delta: 1e-6, total: {epsilon: 0.01}}", "above 0.03"),
            ("{loss: renyi, delta: 1e-6, total: {epsilon: 2000}}", "at most 1000"),
            ("{loss: renyi, delta: 1e-6, total: {epsilon: 4, selection-delta: 9e-7}}", "at most half"),
            ("{loss: gdp, delta: 1e-6, total: {epsilon: 4}}", "zcdp, renyi or pure"),
        ] {
            #expect(throws: (any Error).self) { try PolicyReader.document(policy) }
            do { _ = try PolicyReader.document(policy) } catch {
                let text = (error as? Problem).map { $0.detail + ($0.hint ?? "") } ?? "\(error)"
                #expect(text.contains(words), "\(policy): \(text)")
            }
        }
    }
}
