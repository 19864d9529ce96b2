import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("Several sites answer one question")
struct JointPlanTests {
    private func plan(
        _ sql: String, _ budget: Budget = .rho(0.1), parties: Int = 3, colluders: Int = 1, capacity: Int = 100_000,
        regime: LossRegime = Fixtures.zCDP, shares: Bool = false, rows: Int = 300_000
    ) throws -> JointPlan {
        var visits = Fixtures.visits
        visits.capacityRows = capacity
        // No row is left out of what is compared.
        visits.unit = UnitDeclaration(column: 0, rowsPerUnit: 8, groupsPerUnit: 8)
        return try Planner.plan(
            Question(sql: sql, budget: budget, boundingShares: shares),
            in: PlanningContext(datasets: [visits, Fixtures.clinics], lookups: [Fixtures.plans], regime: regime),
            sharing: NoiseSharing(parties: parties, colluders: colluders, capacityRows: rows))
    }

    private static func table(_ rows: [[Value]]) throws -> Table {
        var visits = Fixtures.visits
        visits.unit = UnitDeclaration(column: 0, rowsPerUnit: 8, groupsPerUnit: 8)
        return try SampleRows.table(visits, rows)
    }

    /// People of three sites, nobody at two.
    private static func sites(_ units: Int) -> [[[Value]]] {
        var random = SeededGenerator(seed: 5)
        return (0..<3).map { site in
            SampleRows.visits(units: units, &random).map { row in
                var row = row
                if case .text(let name) = row[0] { row[0] = .text("\(name)-\(site)") }
                return row
            }
        }
    }

    private static let everything = """
        SELECT plan, COUNT(*), COUNT(DISTINCT person), COUNT(cost), SUM(cost), AVG(cost), STDDEV(cost), VARIANCE(age), SUM(visits), \
        AVG(WEIGHTED visits), HISTOGRAM(age, 0, 20, 60, 99), SUM(age) / COUNT(*) FROM visits WHERE age > 10 GROUP BY plan
        """

    @Test("Without noise, what three sites add up to is what one table of all their rows gives, to 1e-9")
    func pooled() throws {
        for sql in [
            Self.everything.replacing("AVG(WEIGHTED visits), ", with: ""),
            "SELECT MEDIAN(age), QUANTILE(cost, 0.9), COUNT(*) FROM visits",
            "SELECT BIN(age, 25), insured, SUM(cost) FROM visits GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 4",
        ] {
            let plan = try plan(sql)
            let sites = Self.sites(80)
            var sum = [Int64](repeating: 0, count: plan.length)
            for rows in sites {
                let own = plan.exact(.table(try Self.table(rows)))
                for place in sum.indices { sum[place] += own[place] }
            }
            let joint = try #require(plan.answer(ofSum: sum))
            let pooled = try #require(
                plan.answer(ofSum: plan.exact(.table(try Self.table(sites.flatMap(\.self))))))
            #expect(joint.rows.count == pooled.rows.count && !joint.rows.isEmpty)
            for (left, right) in zip(joint.rows.flatMap(\.self), pooled.rows.flatMap(\.self)) {
                if let a = left.value.number, let b = right.value.number {
                    #expect(abs(a - b) <= 1e-9 * max(1, abs(b)))
                } else {
                    #expect(left.value == right.value)
                }
            }
        }
        // And that is what the rows say.
        let plan = try plan("SELECT plan, COUNT(*), SUM(visits), COUNT(DISTINCT person) FROM visits GROUP BY plan")
        let rows = Self.sites(80).flatMap(\.self)
        let answer = try #require(plan.answer(ofSum: plan.exact(.table(try Self.table(rows)))))
        for row in answer.rows {
            let own = rows.filter { $0[1] == row[0].value }
            #expect(row[1].value == .integer(Int64(own.count)))
            #expect(row[2].value.number == own.reduce(0) { $0 + ($1[4].number ?? 0) })
            #expect(row[3].value == .integer(Int64(Set(own.map { $0[0] }).count)))
        }
    }

    /// 400 answers of three cells: coverage of at least 93 % with a probability of 1 - 1e-3 where it is 95 %.
    @Test("Intervals hold the noise of all sites, in 95 % of answers")
    func coverage() throws {
        let plan = try plan("SELECT COUNT(*), SUM(visits), MEDIAN(age) FROM visits", .epsilon(1))
        let tables = try Self.sites(60).map { try Self.table($0) }
        let ages = Self.sites(60).flatMap(\.self)
        var exact = [Int64](repeating: 0, count: plan.length)
        for table in tables {
            let own = plan.exact(.table(table))
            for place in exact.indices { exact[place] += own[place] }
        }
        let truth = try #require(plan.answer(ofSum: exact)).rows[0]
        #expect(truth[0].value == .integer(Int64(ages.count)))
        var random = SeededGenerator(seed: 9)
        var covered = [0, 0, 0]
        for _ in 0..<400 {
            var sum = [Int64](repeating: 0, count: plan.length)
            for table in tables {
                let own = plan.share(.table(table), using: &random)
                for place in sum.indices { sum[place] += own[place] }
            }
            let row = try #require(plan.answer(ofSum: sum)).rows[0]
            for column in 0..<3 {
                let (lower, upper) = (try #require(row[column].lower), try #require(row[column].upper))
                let value = try #require(truth[column].value.number)
                if lower <= value && value <= upper { covered[column] += 1 }
            }
        }
        #expect(covered.allSatisfy { Double($0) / 400 >= 0.93 }, "\(covered)")
        // Counts are not wider than they need to be: 98.3 % or fewer.
        #expect(covered[0] <= 393 && covered[1] <= 393, "\(covered)")
    }

    @Test("The charge is rho of what the others' shares alone hide, and one site's share has too little noise for it")
    func charge() throws {
        for (parties, colluders) in [(2, 1), (3, 1), (5, 2)] {
            let plan = try plan(
                "SELECT COUNT(DISTINCT person) FROM visits", .rho(0.02), parties: parties, colluders: colluders)
            let amount = plan.charge.amount
            #expect(plan.charge.kind == .zeroConcentrated && amount <= 20_000_000_000 && amount > 19_999_000_000)
            #expect(plan.rho <= 0.02 && plan.events.count == 1)
            // One unit, in one group: sigma of the sum squared is parties / honest times 1 / (2 rho).
            let deviation = try #require(plan.columns[0].standardDeviation)
            let expected = (Double(parties) / Double(parties - colluders) / 0.04).squareRoot()
            #expect(abs(deviation / expected - 1) < 1e-3)
            #expect(plan.columns[0].mechanism?.contains("a share from each of \(parties) sites") == true)
        }
        let renyi = try plan("SELECT COUNT(*) FROM visits", .epsilon(1), regime: Fixtures.renyi)
        #expect(renyi.charge.kind == .renyi)
    }

    @Test("Quantiles of the same values are read off one histogram, at the price of one")
    func shared() throws {
        let one = try plan("SELECT MEDIAN(age), COUNT(*) FROM visits")
        let three = try plan("SELECT QUANTILE(age, 0.05), MEDIAN(age), QUANTILE(age, 0.95), COUNT(*) FROM visits")
        #expect(one.length == three.length && one.charge == three.charge && three.events.count == 2)
        #expect(one.columns[1].standardDeviation == three.columns[3].standardDeviation)
        let rows = Self.sites(100).flatMap(\.self)
        let answer = try #require(three.answer(ofSum: three.exact(.table(try Self.table(rows)))))
        let found = try answer.rows[0].prefix(3).map { try #require($0.value.number) }
        #expect(found[0] < found[1] && found[1] < found[2])
        // One row of each unit counts: the middle of ages from 0 to 99, of 300 people, within four standard deviations.
        let tolerance: Double = 9.4
        #expect(abs(found[1] - 49.5) < tolerance)
    }

    @Test("Sites plan the same by a rho, whatever they hold at most, and different things are told apart")
    func agreement() throws {
        let sql = "SELECT plan, AVG(cost), MEDIAN(age) FROM visits GROUP BY plan"
        let first = try plan(sql)
        #expect(try plan(sql, capacity: 5_000).agreement == first.agreement)
        #expect(try plan(sql, regime: Fixtures.renyi).agreement == first.agreement)
        #expect(try plan(sql, .rho(0.1001)).agreement != first.agreement)
        #expect(try plan(sql, rows: 30_000_000_000).agreement != first.agreement)
        #expect(try plan(sql, colluders: 2).agreement != first.agreement)
        #expect(first.usedColumns == [1, 2, 3] && first.groupCount == 4)
    }

    @Test("What bounding leaves out is added up too")
    func bounding() throws {
        var visits = Fixtures.visits
        visits.capacityRows = 100_000
        let plan = try Planner.plan(
            Question(sql: "SELECT plan, COUNT(*) FROM visits GROUP BY plan", budget: .rho(0.5), boundingShares: true),
            in: PlanningContext(datasets: [visits], regime: Fixtures.zCDP),
            sharing: NoiseSharing(parties: 3, colluders: 1, capacityRows: 300_000))
        var sum = [Int64](repeating: 0, count: plan.length)
        for rows in Self.sites(200) {
            let own = plan.exact(.table(try SampleRows.table(visits, rows)))
            for place in sum.indices { sum[place] += own[place] }
        }
        let answer = try #require(plan.answer(ofSum: sum))
        let shares = try #require(answer.bounding)
        let rows = try #require(shares.rows)
        let total = (rows.cut.value.number ?? 0) + (rows.kept.value.number ?? 0)
        #expect((rows.cut.value.number ?? 0) > 0 && total <= 3 * 200 * 5 && shares.dropped == nil)
    }

    @Test(
        "What does not add up over sites is refused, with the reason",
        arguments: [
            ("SELECT city, COUNT(*) FROM visits GROUP BY city", "the values of city are not public", "Group by"),
            (
                "SELECT TOP 2 plan, COUNT(*) FROM visits GROUP BY plan ORDER BY COUNT(*) DESC",
                "nobody sees those of all sites", "ORDER BY"
            ),
            (
                "SELECT COUNT(*) FROM visits JOIN plans USING (plan)", "one table at each", "without JOIN"
            ),
            (
                "SELECT COUNT(*) FROM visits JOIN clinics ON visits.person = clinics.patient", "one table at each",
                "without JOIN"
            ),
            ("SELECT plan FROM visits GROUP BY plan", "asks for no aggregate", "COUNT"),
        ])
    func refusals(sql: String, words: String, hint: String) {
        do throws(any Error) {
            _ = try plan(sql)
            Issue.record("not refused")
        } catch {
            let error = error as? QueryError
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "none")")
            #expect(error?.hint?.contains(hint) == true, "\(error?.hint ?? "none")")
        }
    }

    @Test("Pure differential privacy has no noise that sites can share, and who colludes leaves somebody")
    func regimes() {
        func message(_ body: () throws -> JointPlan) -> String {
            do { _ = try body() } catch let error as QueryError { return error.message } catch {}
            return "none"
        }
        #expect(
            message { try plan("SELECT COUNT(*) FROM visits", .epsilon(1), regime: Fixtures.pure) }.contains("pure"))
        #expect(
            message { try plan("SELECT COUNT(*) FROM visits", parties: 2, colluders: 2) }.contains("2 sites of which 2")
        )
        #expect(message { try plan("SELECT COUNT(*) FROM visits", parties: 1_001) }.contains("1001 sites"))
    }

    @Test("A sum of another length is no answer; any integers of the right length are one")
    func lengths() throws {
        let plan = try plan("SELECT plan, AVG(cost), MEDIAN(age), HISTOGRAM(age, 0, 50, 99) FROM visits GROUP BY plan")
        #expect(plan.answer(ofSum: []) == nil)
        #expect(plan.answer(ofSum: [Int64](repeating: 0, count: plan.length + 1)) == nil)
        for value in [Int64.min, -1, 0, 1, .max] {
            #expect(plan.answer(ofSum: [Int64](repeating: value, count: plan.length)) != nil)
        }
    }
}
