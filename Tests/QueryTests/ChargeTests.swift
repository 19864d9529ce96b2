import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Tables
import Testing

@testable import Query

@Suite("What a question costs")
struct ChargeTests {
    static let questions = SensitivityTests.questions + SensitivityTests.selecting

    @Test("The charge is the sum of the events' losses, and never above what was asked", arguments: questions)
    func sums(_ sql: String) throws {
        for rho in [1e-6, 0.01, 0.3, 7.0] {
            let plan = try Fixtures.plan(sql, .rho(rho))
            let total = try plan.events.reduce(PrivacyLoss.zero(.zeroConcentrated)) { (sum, event) in
                try sum + event.loss(kind: .zeroConcentrated)
            }
            #expect(plan.charge == total)
            #expect(plan.charge.fits(in: try PrivacyLoss(roundingDownRho: rho, delta: 1e-6)))
            #expect(plan.charge.value > rho * 0.999)
        }
    }

    @Test("Under pure differential privacy, likewise", arguments: SensitivityTests.questions)
    func pureSums(_ sql: String) throws {
        for epsilon in [1e-3, 0.5, 9.0] {
            let plan = try Fixtures.plan(sql, .epsilon(epsilon), regime: Fixtures.pure)
            let total = try plan.events.reduce(PrivacyLoss.zero(.pure)) { try $0 + $1.loss(kind: .pure) }
            #expect(plan.charge == total)
            #expect(plan.charge.fits(in: try PrivacyLoss(roundingDownEpsilon: epsilon)))
            #expect(plan.charge.value > epsilon * 0.999)
        }
    }

    @Test(
        "Under Rényi the events' own curves, never above the rho that was asked, with the same noise",
        arguments: questions)
    func renyiSums(_ sql: String) throws {
        for rho in [1e-6, 0.01, 0.3, 7.0] {
            let plan = try Fixtures.plan(sql, .rho(rho), regime: Fixtures.renyi)
            #expect(plan.charge == (try PrivacyEvent.composition(plan.events).loss(kind: .renyi)))
            let asked = try PrivacyLoss(roundingDownRho: rho).amount
            #expect(plan.charge.reaches(PrivacyLoss(kind: .renyi, amount: 1)))
            #expect(plan.charge.isCovered(by: PrivacyLoss(renyiRho: asked, delta: 1_000_000_000_000)))
            // The plan is zCDP's but for what it is charged.
            let other = try Fixtures.plan(sql, .rho(rho))
            #expect(plan.events == other.events && plan.columns == other.columns)
        }
        let plan = try Fixtures.plan(sql, .epsilon(2), regime: Fixtures.renyi)
        let epsilon = RenyiOrders.epsilon(amounts: plan.charge.amounts, delta: 1e-6)
        #expect(epsilon <= 2 && epsilon > 1)
    }

    @Test("Under Rényi a question that is charged the least reaches it at every order")
    func renyiLeast() throws {
        let least: Int64 = 40_000_000
        let median = "SELECT MEDIAN(visits) FROM visits"
        for (rho, isCharged) in [(3.9999e-5, false), (4e-5, true), (4.1e-5, true)] {
            let plan = try plan(median, .rho(rho), Fixtures.renyi, least: least)
            #expect(plan.charge.reaches(PrivacyLoss(renyiRho: least)) == isCharged, "\(rho)")
        }
        let error = #expect(throws: QueryError.self) {
            try self.plan(median, .epsilon(0.001), Fixtures.renyi, least: 0)
        }
        #expect(error?.hint?.contains("Name an epsilon of at least 0.0") == true)
    }

    @Test("An epsilon under zCDP is the largest rho that converts to it")
    func conversion() throws {
        let plan = try Fixtures.plan("SELECT COUNT(*) FROM visits", .epsilon(1))
        let epsilon = Conversion.epsilon(rho: plan.charge.value, delta: 1e-6)
        #expect(epsilon <= 1)
        #expect(epsilon > 0.9999)
    }

    @Test("A budget that is none is refused")
    func refusals() throws {
        let sql = "SELECT COUNT(*) FROM visits"
        for budget in [
            Budget.epsilon(0), .epsilon(-1), .epsilon(.nan), .epsilon(.infinity), .epsilon(1e5), .rho(0),
            .rho(.nan), .error(relative: 0, groupSize: 1), .error(relative: 0.1, groupSize: .nan),
        ] {
            #expect(Fixtures.error(sql, budget) != nil, "\(budget)")
        }
        #expect(try #require(Fixtures.error(sql, .rho(1), regime: Fixtures.pure)).message.contains("pure"))
        #expect(Fixtures.error(sql, .epsilon(1e-13), regime: Fixtures.pure) == Channel.tooMuchNoise)
        // Wider bounds than the manifest's are refused, tighter ones accepted.
        var question = Question(sql: sql, budget: .rho(1), rowsPerGroup: 6)
        #expect(throws: QueryError.self) { try Planner.plan(question, in: Fixtures.context()) }
        question.rowsPerGroup = 1
        #expect(try Planner.plan(question, in: Fixtures.context()).specification.bounds.rowsPerGroup == 1)
    }

    @Test("Unknown keys are refused under a pure policy, with the reason")
    func pureKeys() throws {
        let error = try #require(
            Fixtures.error("SELECT city, COUNT(*) FROM visits GROUP BY city", .epsilon(1), regime: Fixtures.pure))
        #expect(error.message.contains("pure differential privacy"))
        #expect(error.position == 43)
    }

    @Test(
        "The selection of keys takes one equal part of rho; the noisy unit counts answer COUNT(DISTINCT unit) for nothing"
    )
    func selection() throws {
        let plan = try Fixtures.plan("SELECT city, COUNT(*) FROM visits GROUP BY city", .rho(0.4))
        let losses = try plan.events.map { try $0.loss(kind: .zeroConcentrated).value }
        #expect(losses.count == 2)
        #expect(abs(losses[0] - 0.2) < 1e-9)
        #expect(abs(losses[1] - 0.2) < 1e-9)
        #expect(plan.charge.delta > 0)
        #expect(plan.charge.deltaValue <= 1e-6 * 0.4 / 10 * 1.000001)
        let free = try Fixtures.plan("SELECT city, COUNT(DISTINCT person) FROM visits GROUP BY city", .rho(0.4))
        #expect(free.events.count == 1)
        #expect(try free.events[0].loss(kind: .zeroConcentrated).value > 0.3999)
        let both = try Fixtures.plan(
            "SELECT city, COUNT(*), COUNT(DISTINCT person) FROM visits GROUP BY city", .rho(0.4))
        #expect(both.events == plan.events)
        let more = try Fixtures.plan("SELECT city, COUNT(*), AVG(cost) FROM visits GROUP BY city", .rho(0.4))
        for event in more.events { #expect(abs(try event.loss(kind: .zeroConcentrated).value - 0.1) < 1e-9) }
        #expect(more.events.count == 4)
    }

    @Test("Selecting keys alone never costs a unit more than was asked, whatever the amount")
    func selectionRoundsDown() throws {
        let sql = "SELECT city, COUNT(DISTINCT person) FROM visits GROUP BY city"
        for amount in stride(from: Int64(1_000_000), to: 2_000_000, by: 4_999) {
            // What lies half a unit above a number of units is rounded down to it.
            let charge = try Fixtures.plan(sql, .rho((Double(amount) + 0.5) * PrivacyLoss.amountUnit)).charge
            #expect(charge.amount <= amount)
        }
    }

    @Test("A count and a median have equal parts: of the median's, half is the answer's and a quarter each bracket's")
    func shareOfQuantile() throws {
        for (budget, regime, kind) in [
            (Budget.rho(0.2), Fixtures.zCDP, PrivacyLossKind.zeroConcentrated), (.epsilon(0.2), Fixtures.pure, .pure),
        ] {
            let plan = try Fixtures.plan(
                "SELECT plan, COUNT(*), MEDIAN(cost) FROM visits GROUP BY plan", budget, regime: regime)
            let losses = try plan.events.map { try $0.loss(kind: kind).value }
            #expect(losses.count == 3)
            for (loss, part) in zip(losses, [0.1, 0.05, 0.05]) { #expect(abs(loss - part) < 1e-9) }
            // Of three groups of a unit.
            guard case .exponentialMechanism(let epsilon, 3) = plan.events[1],
                case .exponentialMechanism(let bracket, 6) = plan.events[2]
            else {
                Issue.record("other events: \(plan.events)")
                return
            }
            #expect(abs(epsilon / bracket - (kind == .pure ? 2 : 2.0.squareRoot())) < 1e-6)
        }
    }

    @Test("An error that is asked for splits the loss as it is needed: no equal parts, and less in all")
    func errorSplits() throws {
        let sql = "SELECT COUNT(DISTINCT person), COUNT(*), MEDIAN(visits) FROM visits"
        for regime in [Fixtures.zCDP, Fixtures.pure] {
            let plan = try Fixtures.plan(sql, .error(relative: 0.05, groupSize: 2_000), regime: regime)
            let widths = plan.output.channels.map { Double($0.quantile?.offset ?? $0.error.halfWidth) }
            for width in widths { #expect(width <= 100 && width >= 95, "\(widths)") }
            let equal = try Fixtures.plan(
                sql, regime.kind == .pure ? .epsilon(plan.charge.value) : .rho(plan.charge.value), regime: regime)
            #expect(equal.output.channels.contains { Double($0.quantile?.offset ?? $0.error.halfWidth) > 100 })
        }
    }

    @Test("Equal aggregates are measured once, wherever they stand; those in HAVING and ORDER BY are charged")
    func once() throws {
        let plain = try Fixtures.plan("SELECT plan, COUNT(*), AVG(cost) FROM visits GROUP BY plan")
        let repeated = try Fixtures.plan(
            """
            SELECT plan, COUNT(*), AVG(cost), AVG(COST) + 1, SUM(cost), COUNT(*) * 2, COUNT(age) FROM visits
            GROUP BY plan HAVING COUNT(*) > 3 AND SUM(cost) > 0 ORDER BY COUNT(cost) DESC, AVG(cost)
            """)
        #expect(plain.events == repeated.events)
        #expect(plain.events.count == 3)
        let more = try Fixtures.plan("SELECT plan, COUNT(*) FROM visits GROUP BY plan HAVING SUM(visits) > 3")
        #expect(more.events.count == 2)
    }

    @Test("An average shares its count, and its sum is centred; a sum alone is not")
    func centring() throws {
        let average = try Fixtures.plan("SELECT AVG(visits) FROM visits")
        #expect(average.specification.measures.count == 2)
        guard case .sum(_, let centred) = average.specification.measures[1].kind else {
            Issue.record("no sum")
            return
        }
        #expect(centred.center == 25)
        #expect(centred.largest == 25)
        let alone = try Fixtures.plan("SELECT SUM(visits) FROM visits")
        guard case .sum(_, let grid) = alone.specification.measures[0].kind else {
            Issue.record("no sum")
            return
        }
        #expect(grid.center == 0)
        #expect(grid.largest == 50)
        // A count of something else does not centre it.
        let other = try Fixtures.plan("SELECT SUM(cost), COUNT(*) FROM visits")
        guard case .sum(_, let uncentred) = other.specification.measures[1].kind else {
            Issue.record("no sum")
            return
        }
        #expect(uncentred.center == 0)
    }

    @Test("Noise is the same multiple of (group size x half-width), whatever the bounds")
    func split() throws {
        let plan = try Fixtures.plan("SELECT plan, COUNT(*), AVG(visits), AVG(age) FROM visits GROUP BY plan")
        let relative = plan.output.channels.map { channel -> Double in
            let noise = channel.error.variance.squareRoot() * channel.unit
            guard let grid = channel.grid else { return noise }
            return noise / ((grid.upper - grid.lower) / 2)
        }
        #expect(relative.count == 3)
        for ratio in relative { #expect(abs(ratio / relative[0] - 1) < 0.03) }
    }

    @Test("--error buys the least budget that reaches the error", arguments: [Fixtures.zCDP, Fixtures.pure])
    func errorTarget(_ regime: LossRegime) throws {
        let sql = "SELECT plan, COUNT(*), SUM(visits), AVG(cost) FROM visits GROUP BY plan"
        let plan = try Fixtures.plan(sql, .error(relative: 0.02, groupSize: 1_000), regime: regime)
        let columns = plan.columns
        #expect(try #require(columns[1].expectedError) <= 20)
        #expect(try #require(columns[2].expectedError) <= 20 * 25)
        #expect(try #require(columns[3].expectedError) <= 0.02 * 500 * 1.000001)
        // A little less budget misses the target somewhere.
        let budget = Budget.epsilon(plan.charge.value * 0.97)
        let less = try Fixtures.plan(
            sql, regime.kind == .pure ? budget : .rho(plan.charge.value * 0.97), regime: regime)
        let model = ErrorModel(less.output.channels.map(\.error))
        guard case .linear(let count) = less.output.forms[0], case .linear(let sum) = less.output.forms[1],
            case .mean(let total, let number, _, let upper) = less.output.forms[2]
        else {
            Issue.record("other forms")
            return
        }
        #expect(
            model.halfWidth(count) > 20 || model.halfWidth(sum) > 500
                || model.halfWidth(total - number.scaled(upper)) > 10_000)
        // A tighter error costs more.
        let tighter = try Fixtures.plan(sql, .error(relative: 0.01, groupSize: 1_000), regime: regime)
        #expect(tighter.charge.amount > plan.charge.amount)
    }

    /// A question's plan where its dataset may not be charged less than `least`.
    private func plan(_ sql: String, _ budget: Budget, _ regime: LossRegime, least: Int64) throws -> Plan {
        var context = Fixtures.context(regime)
        context.datasets[0].leastAmount = least
        return try Planner.plan(Question(sql: sql, budget: budget), in: context)
    }

    @Test(
        "A question that asks for at least the least is charged no less, whatever rounding leaves of it",
        arguments: questions)
    func leastCharge(_ sql: String) throws {
        let least: Int64 = 12_345_679
        for (asked, isCharged) in [
            (least, true), (least + 1, true), (2 * least, true), (least - 1, false), (1_000_000, false),
        ] {
            // What lies half a unit above a number of units is rounded down to it.
            let plan = try plan(
                sql, .rho((Double(asked) + 0.5) * PrivacyLoss.amountUnit), Fixtures.zCDP, least: least)
            #expect((plan.charge.amount >= least) == isCharged)
            #expect(plan.charge.amount <= asked)
            let events = try plan.events.reduce(Int64(0)) { try $0 + $1.loss(kind: .zeroConcentrated).amount }
            #expect(events <= plan.charge.amount)
        }
    }

    @Test(
        "An error that less would reach costs the least, under any measure of loss",
        arguments: [Fixtures.zCDP, Fixtures.pure])
    func leastOfErrorTarget(_ regime: LossRegime) throws {
        let sql = "SELECT plan, COUNT(*), SUM(visits) FROM visits GROUP BY plan"
        let budget = Budget.error(relative: 0.5, groupSize: 10_000)
        let cheap = try plan(sql, budget, regime, least: 0).charge.amount
        #expect(cheap < 300_000_000_000)
        #expect(try plan(sql, budget, regime, least: 1).charge.amount == cheap)
        #expect(try plan(sql, budget, regime, least: 300_000_000_000).charge.amount == 300_000_000_000)
        let dear = try plan(sql, .error(relative: 0.02, groupSize: 1_000), regime, least: 0).charge.amount
        #expect(dear > 1_000_000)
        // Another bracket, the same least to a millionth.
        let same = try plan(sql, .error(relative: 0.02, groupSize: 1_000), regime, least: 1_000_000).charge.amount
        #expect(abs(same - dear) <= dear / 500_000)
    }

    @Test("A join is charged the larger of both tables' least")
    func leastOfJoin() throws {
        var context = Fixtures.context(Fixtures.zCDP)
        (context.datasets[0].leastAmount, context.datasets[1].leastAmount) = (5, 1_000_000_000)
        let join = "SELECT COUNT(*) FROM visits JOIN clinics ON visits.person = clinics.patient"
        for (sql, least) in [(join, Int64(1_000_000_000)), ("SELECT COUNT(*) FROM visits", 5)] {
            let question = Question(sql: sql, budget: .error(relative: 1_000_000, groupSize: 1_000_000))
            let charge = try Planner.plan(question, in: context).charge.amount
            #expect(charge >= least && (least > 5 || charge < 1_000_000_000))
        }
    }

    @Test("The same question gives the same plan, to the bit")
    func deterministic() throws {
        for sql in Self.questions {
            let first = try Fixtures.plan(sql)
            let second = try Fixtures.plan(sql)
            #expect(first == second)
            #expect(first.hashValue == second.hashValue)
        }
    }

    @Test("A join's bounds are the products of both tables' bounds")
    func joinBounds() throws {
        let plan = try Fixtures.plan(
            "SELECT plan, COUNT(*) FROM visits v JOIN clinics c ON c.patient = v.person GROUP BY plan")
        #expect(plan.datasets == ["visits", "clinics"])
        #expect(plan.rowsPerUnit == [5, 2])
        // Groups 3 x 2, but the domain has 4; rows 5 x 2.
        #expect(plan.specification.bounds == ContributionBounds(groupsPerUnit: 4, rowsPerGroup: 10))
        let total = try Fixtures.plan("SELECT COUNT(*) FROM visits JOIN clinics ON visits.person = clinics.patient")
        #expect(total.specification.bounds == ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 10))
    }

    @Test("A quantile charges each group that a unit can be in")
    func quantiles() throws {
        let plan = try Fixtures.plan("SELECT plan, MEDIAN(cost) FROM visits GROUP BY plan", .rho(0.3))
        guard case .exponentialMechanism(let epsilon, let times) = plan.events[0] else {
            Issue.record("another event")
            return
        }
        #expect(times == 3)
        #expect(abs(3 * epsilon * epsilon / 8 - 0.15) < 1e-9)
        #expect(plan.specification.measures[0].rowsPerGroup == 1)
        let pure = try Fixtures.plan(
            "SELECT plan, MEDIAN(cost) FROM visits GROUP BY plan", .epsilon(0.3), regime: Fixtures.pure)
        guard case .exponentialMechanism(let each, _) = pure.events[0] else {
            Issue.record("another event")
            return
        }
        #expect(abs(each - 0.05) < 1e-9)
    }
}
