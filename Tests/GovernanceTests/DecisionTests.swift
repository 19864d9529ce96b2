import DifferentialPrivacy
import Governance
import Testing

@Suite("A request is decided by policy and ledger alone")
struct DecisionTests {
    private func pure(_ amount: Int64) -> PrivacyLoss { PrivacyLoss(kind: .pure, amount: amount) }

    private func policy(total: Int64 = 1_000) -> Policy {
        Policy(
            regime: LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 1e-9), total: pure(total))
    }

    @Test("What fits exactly is answered, and one unit more is refused")
    func theLimitIsExact() {
        let policy = policy()
        var spending = Spending.nothing(policy)
        spending.total = pure(400)
        #expect(policy.decide(researcher: "ada", charge: Charge(loss: pure(600)), spending: spending) == .answer)
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(601)), spending: spending)
                == .refuse(.overBudget(scope: .allResearchers, limit: pure(1_000), spent: pure(400))))
    }

    @Test("Each scope refuses on its own: researcher, window, question")
    func scopes() {
        var policy = policy()
        policy.perResearcher = pure(100)
        policy.windows = [.init(seconds: 86_400, limit: pure(50))]
        policy.perQuestion = pure(40)
        var spending = Spending.nothing(policy)
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(41)), spending: spending)
                == .refuse(.questionTooExpensive(limit: pure(40))))
        spending.researcher = pure(80)
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(30)), spending: spending)
                == .refuse(.overBudget(scope: .researcher("ada"), limit: pure(100), spent: pure(80))))
        spending.researcher = pure(0)
        spending.windows = [pure(30)]
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(30)), spending: spending)
                == .refuse(.overBudget(scope: .window(seconds: 86_400), limit: pure(50), spent: pure(30))))
    }

    @Test("Both parts of a loss must fit: rho alone is not enough")
    func deltaIsCounted() {
        let limit = PrivacyLoss(kind: .zeroConcentrated, amount: 100, delta: 10)
        let spent = PrivacyLoss(kind: .zeroConcentrated, amount: 0, delta: 8)
        #expect(PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 2).fits(in: limit, after: spent))
        #expect(!PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 3).fits(in: limit, after: spent))
    }

    @Test("A question costs at least its share of the present total, rounded up; no share is allowed")
    func leastCharge() {
        var policy = policy(total: 30_001)
        #expect(policy.leastCharge == pure(4))
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(4))) == nil)
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(3))) == .questionTooCheap(least: pure(4)))
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(0))) == .questionTooCheap(least: pure(4)))
        policy.total = pure(30_000)
        #expect(policy.leastCharge == pure(3))
        policy.leastShare = Policy.wholeShare
        #expect(policy.leastCharge == policy.total)
        policy.total = pure(Int64.max)
        #expect(policy.leastCharge == policy.total)
        policy.leastShare = 1
        #expect(policy.leastCharge == pure(9_223_373))
        policy.leastShare = 0
        #expect(policy.leastCharge == pure(0))
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(0))) == nil)
        for share in [-1, Policy.wholeShare + 1] {
            policy.leastShare = share
            #expect(policy.problems().contains { $0.path == "policy.least-share" })
        }
    }

    @Test("What waits for approval counts in no window yet, but must fit into one")
    func heldCountsInNoWindow() {
        var policy = policy()
        policy.windows = [.init(seconds: 86_400, limit: pure(50))]
        var spending = Spending.nothing(policy)
        spending.windows = [pure(50)]
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(30)), spending: spending, isHeld: true)
                == .answer)
        policy.approval = .owners(1)
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(30)), spending: spending)
                == .awaitApproval(owners: 1))
        guard
            case .refuse(.overBudget(.window, _, _)) = policy.decide(
                researcher: "ada", charge: Charge(loss: pure(51)), spending: spending)
        else {
            Issue.record("held what no window can ever hold")
            return
        }
    }

    @Test("Losses of another kind, and negative ones, never fit")
    func kindsDoNotMix() {
        let policy = policy()
        let rho = PrivacyLoss(kind: .zeroConcentrated, amount: 1)
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: rho)) == .otherKindOfLoss)
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(-1))) == .otherKindOfLoss)
        #expect(!pure(-1).fits(in: pure(10), after: pure(0)))
    }

    @Test("Only named researchers may ask, where a policy names them")
    func researchersAreNamed() {
        var policy = policy()
        policy.researchers = ["ada"]
        #expect(policy.refuses(researcher: "ada", charge: Charge(loss: pure(1))) == nil)
        #expect(policy.refuses(researcher: "eve", charge: Charge(loss: pure(1))) == .researcherNotAllowed)
    }

    @Test("Approval is asked for after the budget: what is over budget is refused at once")
    func approvalComesAfterBudget() {
        var policy = policy()
        policy.approval = .owners(2)
        let spending = Spending.nothing(policy)
        #expect(
            policy.decide(researcher: "ada", charge: Charge(loss: pure(1)), spending: spending)
                == .awaitApproval(owners: 2))
        guard case .refuse = policy.decide(researcher: "ada", charge: Charge(loss: pure(1_001)), spending: spending)
        else {
            Issue.record("an over-budget question was held for approval")
            return
        }
    }

    @Test("The comparison agrees with wide integers on any numbers, the largest included")
    func fitsNeverOverflows() {
        var state: UInt64 = 7
        func next() -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let word = state >> 1
            switch state % 3 {
            case 0: return Int64(word % 10)
            case 1: return Int64.max - Int64(word % 10)
            default: return Int64(word >> 1)
            }
        }
        for _ in 0..<20_000 {
            let (limit, spent, charge) = (next(), next(), next())
            let expected = Int128(spent) + Int128(charge) <= Int128(limit) || (charge == 0 && spent >= limit)
            #expect(pure(charge).fits(in: pure(limit), after: pure(spent)) == expected)
        }
    }

    private func renyi(_ total: Double = 4) throws -> Policy {
        let total = try PrivacyLoss(renyiEpsilon: total, delta: 5e-7, selectionDelta: 500)
        return Policy(
            regime: LossRegime(
                kind: .renyi, conversionDelta: 5e-7, selectionDelta: 5e-16, total: Double(total.largestRho) / 1e12),
            total: total)
    }

    @Test("Under Rényi each limit is decided alone, by whichever order has room; delta must fit beside it")
    func renyiLimits() throws {
        var policy = try renyi()
        policy.perResearcher = try renyi(1).total
        let room = policy.total.largestRho
        var spending = Spending.nothing(policy)
        func decide(_ loss: PrivacyLoss) -> Decision {
            policy.decide(researcher: "ada", charge: Charge(loss: loss), spending: spending)
        }
        #expect(decide(PrivacyLoss(renyiRho: policy.perResearcher?.largestRho ?? 0)) == .answer)
        guard case .refuse(.overBudget(.researcher("ada"), _, _)) = decide(PrivacyLoss(renyiRho: room)) else {
            Issue.record("more than a researcher may spend was admitted")
            return
        }
        policy.perResearcher = nil
        #expect(decide(PrivacyLoss(renyiRho: room)) == .answer)
        guard case .refuse(.overBudget(.allResearchers, _, _)) = decide(PrivacyLoss(renyiRho: room + 1)) else {
            Issue.record("more than the total was admitted")
            return
        }
        #expect(decide(PrivacyLoss(renyiRho: 1_000_000_000, delta: 500)) == .answer)
        #expect(decide(PrivacyLoss(renyiRho: 1_000_000_000, delta: 501)) != .answer)
        // Dear at all orders but one, whose room is what counts.
        var amounts = policy.total.amounts.map { max(0, $0) + 1 }
        amounts[4] = policy.total.amounts[4]
        #expect(decide(try #require(PrivacyLoss(kind: .renyi, amounts: amounts))) == .answer)
        spending.total = PrivacyLoss(kind: .renyi, amount: 1)
        #expect(decide(try #require(PrivacyLoss(kind: .renyi, amounts: amounts))) != .answer)
        #expect(decide(PrivacyLoss(kind: .zeroConcentrated, amount: 1)) == .refuse(.otherKindOfLoss))
        #expect(
            decide(try #require(PrivacyLoss(kind: .renyi, amounts: [-1, 1, 1, 1, 1, 1, 1, 1])))
                == .refuse(.otherKindOfLoss))
    }

    @Test("The least charge is a share of each order's bound, and the rho that a question is planned with reaches it")
    func renyiLeast() throws {
        let policy = try renyi()
        let least = policy.leastCharge
        for (share, whole) in zip(least.amounts, policy.total.amounts) {
            #expect(share == (max(0, whole) + 9_999) / 10_000)
        }
        #expect(PrivacyLoss(renyiRho: policy.leastPlanned).reaches(least))
        #expect(!PrivacyLoss(renyiRho: policy.leastPlanned - 1).reaches(least))
        let spending = Spending.nothing(policy)
        func decide(_ rho: Int64) -> Decision {
            policy.decide(researcher: "ada", charge: Charge(loss: PrivacyLoss(renyiRho: rho)), spending: spending)
        }
        #expect(decide(policy.leastPlanned) == .answer)
        #expect(decide(policy.leastPlanned - 1) == .refuse(.questionTooCheap(least: least)))
    }

    @Test("A Rényi policy needs a delta and a bound above 0 at one order at least")
    func renyiProblems() throws {
        #expect(try renyi().problems() == [])
        var wrong = try renyi()
        wrong.total = PrivacyLoss(kind: .renyi, amount: -1, delta: 5)
        #expect(wrong.problems().map(\.path) == ["policy.total"])
        wrong = try renyi()
        wrong.regime.conversionDelta = 0
        #expect(wrong.problems().map(\.path) == ["policy.delta"])
        wrong = try renyi()
        wrong.perResearcher = PrivacyLoss(kind: .zeroConcentrated, amount: 1)
        #expect(wrong.problems().map(\.path) == ["policy.per-researcher"])
    }
}
