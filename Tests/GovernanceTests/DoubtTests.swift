import DifferentialPrivacy
import Governance
import Tables
import Testing

@Suite("A policy that protects nobody, or cannot be meant, is questioned")
struct DoubtTests {
    private static let unit = 1_000_000_000_000 as Int64

    private static func pure(_ epsilon: Double) -> PrivacyLoss {
        PrivacyLoss(kind: .pure, amount: Int64(epsilon * Double(unit)))
    }

    private static func policy(epsilon: Double) -> Policy {
        Policy(
            regime: LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: epsilon), total: pure(epsilon)
        )
    }

    private func paths(_ policy: Policy, units: Int = 1_000) -> [String] { policy.doubts(units: units).map(\.path) }

    @Test("Delta is doubted above one over the declared units, and not at it")
    func delta() {
        let policy = ManifestTests.policy
        #expect(paths(policy, units: 1_000_000) == [])
        #expect(paths(policy, units: 1_000_001) == ["policy.delta"])
    }

    @Test("An epsilon above 20 is doubted under every measure of loss")
    func epsilon() throws {
        #expect(paths(Self.policy(epsilon: 20)) == [])
        #expect(paths(Self.policy(epsilon: 20.01)) == ["policy.total"])
        for (epsilon, doubts) in [(19.99, []), (20.01, ["policy.total"])] {
            var concentrated = ManifestTests.policy
            let rho = Conversion.rho(epsilon: epsilon, delta: 5e-7)
            concentrated.total = PrivacyLoss(kind: .zeroConcentrated, amount: Int64(rho * 1e12))
            #expect(paths(concentrated) == doubts)
            var renyi = ManifestTests.policy
            renyi.regime.kind = .renyi
            renyi.total = try PrivacyLoss(renyiEpsilon: epsilon, delta: 5e-7)
            #expect(paths(renyi) == doubts)
        }
    }

    @Test("A limit above the total limits nothing, whoever's it is")
    func limits() {
        var policy = Self.policy(epsilon: 2)
        policy.perResearcher = Self.pure(2)
        policy.researcherLimits = ["ada": Self.pure(2), "bea": Self.pure(1)]
        policy.perQuestion = Self.pure(2)
        policy.windows = [.init(seconds: 3_600, limit: Self.pure(2))]
        #expect(paths(policy) == [])
        policy.perResearcher = Self.pure(2.5)
        policy.researcherLimits["ada"] = Self.pure(3)
        policy.perQuestion = Self.pure(2.1)
        policy.windows[0].limit = Self.pure(4)
        #expect(
            paths(policy) == [
                "policy.per-researcher", "policy.per-question", "policy.researcher-limits.ada", "policy.windows",
            ])
    }

    @Test(
        "A limit under which the least that a question is charged does not fit is doubted, and one that it just fits is not",
        arguments: [PrivacyLossKind.pure, .zeroConcentrated, .renyi])
    func nothingFits(_ kind: PrivacyLossKind) throws {
        let delta = kind == .pure ? 0 : 5e-7
        let total =
            kind == .renyi
            ? try PrivacyLoss(renyiEpsilon: 4, delta: delta) : PrivacyLoss(kind: kind, amount: 4 * Self.unit)
        var policy = Policy(
            regime: LossRegime(
                kind: kind, conversionDelta: delta, selectionDelta: 0,
                total: Double(total.largestRho) * PrivacyLoss.amountUnit), total: total)
        // Under Rényi it fits at one order, as a small epsilon leaves it.
        func limit(_ rho: Int64) throws -> PrivacyLoss {
            let largest = try #require(RenyiOrders.all.last)
            let amounts = kind == .renyi ? RenyiOrders.all.map { $0 == largest ? rho * Int64($0) : -1 } : [rho]
            return try #require(PrivacyLoss(kind: kind, amounts: amounts))
        }
        for (rho, isDoubted) in [(policy.leastPlanned, false), (policy.leastPlanned - 1, true)] {
            policy.perQuestion = try limit(rho)
            policy.perResearcher = try limit(rho)
            policy.researcherLimits = ["ada": try limit(rho)]
            policy.windows = [.init(seconds: 3_600, limit: try limit(rho))]
            #expect(
                paths(policy)
                    == (isDoubted
                        ? [
                            "policy.per-researcher", "policy.per-question", "policy.researcher-limits.ada",
                            "policy.windows",
                        ] : []))
        }
        policy.leastShare = 0
        #expect(paths(policy).isEmpty)
    }

    @Test("Bounds that reach beyond every declared value are doubted")
    func bounds() {
        var manifest = ManifestTests.sound
        func doubts(_ lower: Double, _ upper: Double) -> [String] {
            manifest.schema.columns[1].domain = [.real(1), .real(5)]
            (manifest.schema.columns[1].lowerBound, manifest.schema.columns[1].upperBound) = (lower, upper)
            return manifest.doubts().map(\.path)
        }
        #expect(doubts(1, 5) == [])
        #expect(doubts(0, 5) == ["columns.cost.bounds"])
        #expect(doubts(1, 5.5) == ["columns.cost.bounds"])
        manifest.schema.columns[1].domain = nil
        #expect(manifest.doubts().isEmpty)
    }

    @Test("A limit by name takes the place of the one for each, for her alone")
    func named() {
        var policy = Self.policy(epsilon: 10)
        policy.perResearcher = Self.pure(2)
        policy.researcherLimits = ["ada": Self.pure(1), "bea": Self.pure(3)]
        var spending = Spending.nothing(policy)
        spending.researcher = Self.pure(0.5)
        for (name, left) in [("ada", 0.5), ("bea", 2.5), ("eve", 1.5)] {
            func decide(_ loss: PrivacyLoss) -> Decision {
                policy.decide(researcher: name, charge: Charge(loss: loss), spending: spending)
            }
            #expect(decide(Self.pure(left)) == .answer)
            let over = PrivacyLoss(kind: .pure, amount: Self.pure(left).amount + 1)
            guard case .refuse(.overBudget(.researcher(name), _, _)) = decide(over) else {
                Issue.record("\(name)")
                continue
            }
        }
        policy.perResearcher = nil
        #expect(policy.limit(of: "eve") == nil)
        policy.researcherLimits["1st"] = Self.pure(1)
        policy.researcherLimits["eve"] = Self.pure(0)
        #expect(policy.problems().map(\.path) == ["policy.researcher-limits", "policy.researcher-limits.eve"])
    }
}
