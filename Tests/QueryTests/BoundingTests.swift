import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Secrets
import Tables
import Testing

@testable import Query

@Suite("What bounding leaves out is measured for a small part of the budget, and said at the cells that it moves")
struct BoundingTests {
    static func plan(
        _ sql: String, _ budget: Budget = .epsilon(1), regime: LossRegime = Fixtures.zCDP, groups: Int? = nil,
        rows: Int? = nil, shares: Bool = true
    ) throws -> Plan {
        try Planner.plan(
            Question(sql: sql, budget: budget, groupsPerUnit: groups, rowsPerGroup: rows, boundingShares: shares),
            in: Fixtures.context(regime))
    }

    static func pairs(_ plan: Plan) -> [BoundingPair] { plan.output.bounding.map(\.pair) }

    // MARK: the plan

    @Test("Only what can be left out by what is public is measured")
    func canCut() throws {
        // Without groups all rows of a unit count, unless the question says fewer.
        #expect(Self.pairs(try Self.plan("SELECT COUNT(*) FROM visits")) == [.dropped])
        #expect(Self.pairs(try Self.plan("SELECT COUNT(*) FROM visits", rows: 2)) == [.units, .rows, .dropped])
        // Three groups a unit, of four, of two, or selected.
        let byPlan = "SELECT plan, COUNT(*) FROM visits GROUP BY plan"
        #expect(Self.pairs(try Self.plan(byPlan)) == [.units, .rows, .dropped])
        #expect(
            Self.pairs(try Self.plan("SELECT age > 50, COUNT(*) FROM visits GROUP BY 1")) == [.dropped])
        #expect(Self.pairs(try Self.plan("SELECT city, COUNT(*) FROM visits GROUP BY city")).count == 3)
        #expect(Self.pairs(try Self.plan(byPlan, shares: false)).isEmpty)
        let join = "SELECT COUNT(*), AVG(score) FROM visits v JOIN clinics c ON v.person = c.patient"
        #expect(Self.pairs(try Self.plan(join)) == [.dropped])
        #expect(try Self.plan(join).specification.bounding == BoundingSpecification(loaded: [5, 2]))
    }

    @Test("Where each row is a unit nothing is spent on it: the plan is the same, note for note")
    func rowUnits() throws {
        var visits = Fixtures.visits
        visits.unit = UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1)
        let context = PlanningContext(datasets: [visits], regime: Fixtures.zCDP)
        let sql = "SELECT plan, COUNT(*) FROM visits GROUP BY plan"
        let plans = try [true, false].map {
            try Planner.plan(Question(sql: sql, budget: .epsilon(1), boundingShares: $0), in: context)
        }
        #expect(plans[0] == plans[1])
    }

    @Test(
        "It costs 1/20 of the budget and stays within what was asked for, and the note says how precise it is",
        arguments: [Fixtures.zCDP, Fixtures.pure, Fixtures.renyi])
    func budget(_ regime: LossRegime) throws {
        for sql in ["SELECT plan, COUNT(*), AVG(cost) FROM visits GROUP BY plan", "SELECT COUNT(*) FROM visits"] {
            let (with, without) = (
                try Self.plan(sql, regime: regime), try Self.plan(sql, regime: regime, shares: false)
            )
            for (a, b) in zip(with.charge.amounts, without.charge.amounts) {
                // What rounding of a few events leaves.
                #expect(abs(a - b) <= max(b / 1_000_000, 100))
            }
            let amount = regime.amount(epsilon: 1)
            var spent: Int64 = 0
            for channel in with.output.bounding { spent += try channel.event.loss(kind: regime.planned).amount }
            #expect(spent <= amount / 20 && spent > amount / 20 - amount / 1_000_000 - 10)
            #expect(with.events.count == without.events.count + with.output.bounding.count)
            #expect(with.notes.contains { $0.hasPrefix("1/20 of the budget") && $0.contains("whatever WHERE") })
            #expect(!without.notes.contains { $0.hasPrefix("1/20") })
            let channel = try #require(with.output.bounding.last)
            #expect(
                with.notes.contains { $0.contains("± \(Channel.digits(Double(channel.error.halfWidth))) each") })
            #expect(with.bound.work[.noise] == without.bound.work[.noise] + 2 * Double(with.output.bounding.count))
        }
    }

    @Test("An error that is asked for is reached with it, and a selection of keys keeps its part")
    func others() throws {
        let plan = try Self.plan(
            "SELECT plan, COUNT(*) FROM visits GROUP BY plan", .error(relative: 0.02, groupSize: 5_000))
        #expect(plan.output.bounding.count == 3)
        #expect((plan.columns.last?.expectedError ?? .infinity) <= 100)
        let selected = try Self.plan("SELECT city, COUNT(*) FROM visits GROUP BY city")
        #expect(selected.output.selection != nil && selected.output.bounding.count == 3)
    }

    // MARK: sensitivity

    static let questions: [(sql: String, groups: Int?, rows: Int?)] = [
        ("SELECT plan, COUNT(*) FROM visits GROUP BY plan", 1, 2),
        ("SELECT plan, COUNT(*) FROM visits WHERE age > 40 GROUP BY plan", 2, nil),
        ("SELECT city, SUM(cost) FROM visits GROUP BY city", nil, 1),
        ("SELECT COUNT(*) FROM visits", nil, 3),
        ("SELECT kind, COUNT(*) FROM visits JOIN plans USING (plan) GROUP BY kind", 1, nil),
        ("SELECT plan, COUNT(*) FROM visits v JOIN clinics c ON v.person = c.patient GROUP BY plan", 2, 3),
    ]

    /// The exact pairs, in the order in which they are planned.
    static func exact(_ plan: Plan, _ visits: [[Value]], _ clinics: [[Value]]) throws -> [[Int64]] {
        let source = try SampleRows.source(plan, visits, clinics)
        let lookups = try plan.lookups.map { _ in try SampleRows.lookup() }
        let exact = BoundedAggregation(plan.specification, source: source, lookups: lookups).run()
        let (leftOut, dropped) = (exact.leftOut, exact.dropped)
        return plan.output.bounding.compactMap { channel in
            let pair =
                switch channel.pair {
                case .units: leftOut?.units
                case .rows: leftOut?.rows
                case .dropped: dropped
                }
            return pair.map { [$0.cut, $0.kept] }
        }
    }

    @Test("Adding a unit changes each pair by at most its event's sensitivity", arguments: questions)
    func neighbours(_ sql: String, _ groups: Int?, _ rows: Int?) throws {
        for regime in [Fixtures.zCDP, Fixtures.pure] where regime.kind != .pure || !sql.contains("city") {
            let plan = try Self.plan(sql, regime: regime, groups: groups, rows: rows)
            #expect(plan.output.bounding.count == 3)
            var random = SeededGenerator(seed: UInt64(sql.utf8.count))
            for _ in 0..<8 {
                let units = Int.random(in: 1...6, using: &random)
                let visits = SampleRows.visits(units: units, &random)
                let clinics = SampleRows.clinics(units: units, &random)
                let all = try Self.exact(plan, visits, clinics)
                for unit in 0..<units {
                    let name = Value.text("p\(unit)")
                    let without = try Self.exact(
                        plan, visits.filter { $0[0] != name }, clinics.filter { $0[0] != name })
                    for (index, channel) in plan.output.bounding.enumerated() {
                        Self.check(channel, zip(all[index], without[index]).map { Double($0 - $1) })
                    }
                }
            }
        }
    }

    private static func check(_ channel: BoundingChannel, _ change: [Double]) {
        switch channel.event {
        case .discreteGaussian(let squared, _): #expect(change.reduce(0) { $0 + $1 * $1 } <= squared)
        case .discreteLaplace(let sensitivity, _): #expect(change.reduce(0) { $0 + abs($1) } <= sensitivity)
        default: Issue.record("an event of another kind")
        }
    }

    @Test("Each sensitivity is reached by a worst case: none could be smaller")
    func tight() throws {
        let sql = "SELECT plan, COUNT(*) FROM visits GROUP BY plan"
        let many = (0..<20).map { _ in MeasurementTests.row(1) }
        let few = (0..<5).map { _ in MeasurementTests.row(1) }
        for (regime, expected) in [(Fixtures.zCDP, [1.0, 25, 50]), (Fixtures.pure, [1.0, 5, 10])] {
            let plan = try Self.plan(sql, regime: regime)
            for (channel, expected) in zip(plan.output.bounding, expected) {
                switch channel.event {
                case .discreteGaussian(let squared, _): #expect(squared == expected)
                case .discreteLaplace(let sensitivity, _): #expect(sensitivity == expected)
                default: Issue.record("an event of another kind")
                }
            }
            // Five rows that are kept; of twenty, five are kept at load and as many count as dropped.
            #expect(try Self.exact(plan, few, []) == [[0, 1], [0, 5], [0, 5]])
            #expect(try Self.exact(plan, many, []) == [[0, 1], [0, 5], [5, 5]])
        }
    }

    // MARK: the answer

    /// People with that many rows, each of another film (`visits`), in an order that the table shuffles.
    static func watched(people: Int, films: Int) -> [[Value]] {
        (0..<people).flatMap { person in
            (0..<films).map { MeasurementTests.row(person, visits: Int64(($0 + 7 * person) % 20)) }
        }
    }

    /// The tests' manifest with so many rows and groups a unit.
    static func answer(
        _ sql: String, _ rows: [[Value]], perUnit: Int, groups: Int, budget: Budget = .rho(2), seed: UInt64 = 1,
        withoutCounts: Bool = false, shares: Bool = true
    ) throws -> NoisyAnswer {
        var visits = Fixtures.visits
        visits.unit = UnitDeclaration(column: 0, rowsPerUnit: perUnit, groupsPerUnit: groups)
        let plan = try Planner.plan(
            Question(sql: sql, budget: budget, boundingShares: shares),
            in: PlanningContext(datasets: [visits], regime: Fixtures.zCDP))
        var ingest = IngestPlan(schema: visits.schema, unitColumn: 0, rowsPerUnit: perUnit, key: SampleRows.key)
        if withoutCounts { ingest.base = try Self.old(visits, perUnit) }
        let worker = IngestWorker(ingest)
        try worker.append(rows)
        var random = SeededGenerator(seed: seed)
        return plan.measure(
            .table(try Table(assembling: [worker], plan: ingest)), lookups: [], using: &random
        ).answer
    }

    /// An empty table as it was stored before what is dropped was counted.
    private static func old(_ dataset: DatasetDescription, _ perUnit: Int) throws -> Table {
        let plan = IngestPlan(schema: dataset.schema, unitColumn: 0, rowsPerUnit: perUnit, key: SampleRows.key)
        var assembler = TableAssembler([IngestWorker(plan)], plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        var description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        description.countsDropped = nil
        return try Table(schema: dataset.schema, description: description) { ColumnBytes(parts[$0] ?? []) }
    }

    private static func flagged(_ answer: NoisyAnswer) -> Int {
        answer.rows.reduce(0) { $0 + $1.count { $0.flags == [.bounded] } }
    }

    static let byFilm =
        "SELECT visits AS film, COUNT(*), COUNT(DISTINCT person), AVG(cost) FROM visits WHERE visits < 20 GROUP BY visits"

    @Test("Twenty films a person and a bound of five: the cells that lack three quarters say so")
    func films() throws {
        let rows = Self.watched(people: 400, films: 20)
        let answer = try Self.answer(Self.byFilm, rows, perUnit: 20, groups: 5)
        let shares = try #require(answer.bounding)
        let (units, cut, dropped) = (
            try #require(shares.units), try #require(shares.rows), try #require(shares.dropped)
        )
        #expect((units.share.lower ?? 0) > 0.7)
        #expect((cut.share.lower ?? 1) <= 0.75 && (cut.share.upper ?? 0) >= 0.75)
        #expect((dropped.share.lower ?? 1) == 0 && (dropped.cut.lower ?? 1) <= 0)
        // Of fifty groups of integers up to 50, the first twenty have rows: their counts lack 300 of 400.
        for row in answer.rows.prefix(20) {
            #expect(row[1].flags == [.bounded] && row[2].flags == [.bounded])
            #expect((row[1].upper ?? 400) < 400)
        }
        // The same table with a bound that every person meets: nothing is measured of it, nothing flagged.
        let whole = try Self.answer(Self.byFilm, rows, perUnit: 20, groups: 20)
        #expect(Self.flagged(whole) == 0)
        #expect(Self.flagged(try Self.answer(Self.byFilm, rows, perUnit: 20, groups: 5, shares: false)) == 0)
    }

    @Test("Where a bound could cut and cuts nothing, few cells are flagged; where rows were dropped, sums are")
    func falseAlarms() throws {
        var alarms = 0
        let light = Self.watched(people: 400, films: 3)
        for seed in 1...40 {
            let answer = try Self.answer(
                "SELECT plan, COUNT(*) FROM visits GROUP BY plan", light, perUnit: 20, groups: 1, seed: UInt64(seed))
            alarms += answer.rows[0][1].flags.isEmpty ? 0 : 1
        }
        // Of both pairs the noise alone exceeds three quarters of its half-width in one of fourteen draws: about five alarms,
        // a fifth of those that there would be if the noisy share alone decided. Seeded.
        #expect(alarms <= 10)
        let sql = "SELECT COUNT(*), COUNT(DISTINCT person) FROM visits"
        let answer = try Self.answer(sql, Self.watched(people: 400, films: 20), perUnit: 5, groups: 5)
        #expect(answer.rows[0][0].flags == [.bounded])
        // Every person is counted by the rows that are left.
        #expect(answer.rows[0][1].flags == [])
        let dropped = try #require(answer.bounding?.dropped)
        // 15 rows of each were dropped; five count.
        #expect((dropped.cut.lower ?? .infinity) <= 2_000 && (dropped.cut.upper ?? 0) >= 2_000)
        #expect(answer.bounding?.rows == nil)
    }

    @Test("Intervals of counts and shares hold the truth in 95 % of draws, near zero too")
    func coverage() throws {
        let rows =
            Self.watched(people: 60, films: 8)
            + Self.watched(people: 90, films: 2).map { row in
                var row = row
                if case .text(let name) = row[0] { row[0] = .text("other \(name)") }
                return row
            }
        var visits = Fixtures.visits
        visits.unit = UnitDeclaration(column: 0, rowsPerUnit: 6, groupsPerUnit: 3)
        for (regime, budget) in [(Fixtures.zCDP, 3.0), (Fixtures.pure, 8.0)] {
            let plan = try Planner.plan(
                Question(sql: Self.byFilm, budget: .epsilon(budget), boundingShares: true),
                in: PlanningContext(datasets: [visits], regime: regime))
            let exact = BoundedAggregation(
                plan.specification, source: .table(try SampleRows.table(visits, rows))
            ).run()
            let pairs = [exact.leftOut?.units, exact.leftOut?.rows, exact.dropped]
            let truth = try pairs.map { try #require($0) }
            #expect(truth[0].cut == 60 && truth[0].kept == 90 && truth[2].cut == 120)
            var random = SeededGenerator(seed: 5)
            var covered = [Int](repeating: 0, count: 9)
            let draws = 600
            for _ in 0..<draws {
                let shares = try #require(NoisyBounding(plan.output.bounding, of: exact, using: &random)).shares
                for (index, pair) in [shares.units, shares.rows, shares.dropped].enumerated() {
                    let pair = try #require(pair)
                    let (cut, kept) = (Double(truth[index].cut), Double(truth[index].kept))
                    for (place, (cell, value)) in [
                        (pair.cut, cut), (pair.kept, kept), (pair.share, cut / (cut + kept)),
                    ]
                    .enumerated() {
                        let (lower, upper) = (cell.lower ?? .infinity, cell.upper ?? -.infinity)
                        covered[3 * index + place] += lower <= value && value <= upper ? 1 : 0
                    }
                }
            }
            // 95 % less four standard deviations of 600 draws: a false alarm in 30,000, and the run is seeded.
            #expect(covered.allSatisfy { Double($0) >= 0.914 * Double(draws) }, "\(covered)")
        }
    }

    @Test("A table that was stored before does not know what it dropped, and the answer says so")
    func unknown() throws {
        let rows = Self.watched(people: 20, films: 4)
        let answer = try Self.answer(
            "SELECT COUNT(*) FROM visits", rows, perUnit: 5, groups: 5, withoutCounts: true)
        #expect(answer.bounding == BoundingShares(units: nil, rows: nil, dropped: nil))
        #expect(answer.notes.contains { $0.contains("is not known") })
        let known = try Self.answer("SELECT COUNT(*) FROM visits", rows, perUnit: 5, groups: 5)
        #expect(!known.notes.contains { $0.contains("is not known") })
    }

    // MARK: flags

    private static func pairs(_ cut: Int64, of kept: Int64) throws -> NoisyBounding {
        let error = IntegerError(try DiscreteGaussian(sigma: 50), confidence: 0.95)
        return NoisyBounding([
            .units: .init(cut: cut / 4, kept: kept / 4, error: error), .rows: .init(cut: cut, kept: kept, error: error),
        ])
    }

    @Test("A flag needs a bias beyond 0.4 of the half-width, and more than noise behind it")
    func flags() throws {
        func flags(_ bounding: NoisyBounding, _ kind: BoundingEffect.Kind?, _ half: Double?) -> [CellFlag] {
            let cell = AnswerCell(value: .real(1_000), lower: half.map { 1_000 - $0 }, upper: half.map { 1_000 + $0 })
            return bounding.flagged(cell, BoundingEffect(kind: kind)).flags
        }
        let tenth = try Self.pairs(1_000, of: 10_000)
        // 100 of 1,000 are missing.
        #expect(flags(tenth, .total, 245) == [.bounded] && flags(tenth, .total, 255) == [])
        #expect(flags(tenth, .units, 245) == [.bounded])
        // 1/11 of a difference of 100, and of a quarter of the value.
        #expect(flags(tenth, .mix(spread: 100), 22) == [.bounded] && flags(tenth, .mix(spread: 100), 23) == [])
        #expect(flags(tenth, .mix(spread: nil), 56) == [.bounded] && flags(tenth, .mix(spread: nil), 57) == [])
        #expect(flags(tenth, nil, 1) == [])
        #expect(flags(tenth, .total, .infinity) == [])
        #expect(flags(tenth, .mix(spread: nil), nil) == [.bounded])
        // 60 units are less than three quarters of 98: noise.
        #expect(flags(try Self.pairs(240, of: 10_000), .total, 1) == [])
        #expect(flags(try Self.pairs(320, of: 10_000), .total, 1) == [.bounded])
        let other = BoundingEffect(kind: .total, countsCut: false)
        #expect(tenth.flagged(AnswerCell(value: .real(1), lower: 0.9, upper: 1.1), other).flags == [])
        let selected = AnswerCell(value: .real(1), lower: 0.99, upper: 1.01, flags: [.selected])
        #expect(tenth.flagged(selected, BoundingEffect(kind: .total)).flags == [.bounded, .selected])
    }

    @Test("Each column is moved as its aggregates are")
    func effects() throws {
        let plan = try Self.plan(
            """
            SELECT plan, COUNT(*), SUM(cost) / 2, COUNT(DISTINCT person), AVG(age), MEDIAN(age), VARIANCE(cost), ROUND(SUM(cost)),
            HISTOGRAM(cost, 0, 10, 100) FROM visits GROUP BY plan
            """)
        let kinds = plan.output.effects.map(\.kind)
        #expect(kinds.count == plan.columns.count)
        let mean = BoundingEffect.Kind.mix(spread: 99.0 / 16)
        let expected: [BoundingEffect.Kind?] = [
            nil, .total, .total, .units, mean, mean, .mix(spread: nil), .total, .total, .total,
        ]
        #expect(kinds == expected)
        #expect(plan.output.effects[3].countsCut && plan.output.effects[3].countsDropped)
        let whole = try Self.plan("SELECT COUNT(DISTINCT person) FROM visits", rows: 1).output.effects
        #expect(whole == [BoundingEffect(kind: .units, countsCut: false, countsDropped: false)])
    }
}
