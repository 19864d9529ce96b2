import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Tables
import Testing

@testable import Query

@Suite("What is largest is allowed, and one more is not")
struct LimitTests {
    /// A dataset with one number from 0 to `largest`.
    private func context(
        largest: Double, rowsPerUnit: Int = 1, groupsPerUnit: Int = 1, capacity: Int = 100_000
    ) -> PlanningContext {
        let columns = [
            ColumnSchema(name: "person", type: .integer, isNullable: false),
            ColumnSchema(name: "n", type: .integer, isNullable: false, lowerBound: 0, upperBound: largest),
        ]
        let dataset = DatasetDescription(
            name: "t", schema: Schema(columns: columns),
            unit: UnitDeclaration(column: 0, rowsPerUnit: rowsPerUnit, groupsPerUnit: groupsPerUnit),
            capacityRows: capacity, population: "people")
        return PlanningContext(datasets: [dataset], regime: Fixtures.zCDP)
    }

    private func plan(_ sql: String, _ context: PlanningContext) throws(QueryError) -> Plan {
        try Planner.plan(Question(sql: sql, budget: .rho(1)), in: context)
    }

    @Test("Rows of one unit: at most 2^30, in a join their product")
    func rowsPerUnit() throws {
        let sql = "SELECT COUNT(*) FROM t"
        #expect(try plan(sql, context(largest: 1, rowsPerUnit: 1 << 30)).rowsPerUnit == [1 << 30])
        let error = #expect(throws: QueryError.self) {
            try plan(sql, context(largest: 1, rowsPerUnit: 1 << 30 + 1))
        }
        #expect(error?.message.contains("more than \(1 << 30) rows") == true)
        var both = context(largest: 1, rowsPerUnit: 1 << 15)
        var other = both.datasets[0]
        other.name = "s"
        both.datasets.append(other)
        let join = "SELECT COUNT(*) FROM t JOIN s ON t.person = s.person"
        #expect(try plan(join, both).specification.bounds.rowsPerGroup == 1 << 30)
        both.datasets[1].unit.rowsPerUnit += 1
        #expect(throws: QueryError.self) { try plan(join, both) }
    }

    @Test("A unit is in no more groups than it has rows, whatever the manifest allows")
    func groupsPerUnit() throws {
        for (declared, expected) in [(9, 5), (5, 5), (4, 4)] {
            let context = context(largest: 99, rowsPerUnit: 5, groupsPerUnit: declared)
            let bounds = try plan("SELECT n, COUNT(*) FROM t GROUP BY n", context).specification.bounds
            #expect(bounds == ContributionBounds(groupsPerUnit: expected, rowsPerGroup: 5))
        }
    }

    @Test(
        "A million values of a key are public; with one more the keys are selected",
        arguments: ["n", "BIN(n, 1)", "FLOOR(n / 1)", "DATE '1970-01-01' + n"])
    func publicKeys(key: String) throws {
        let sql = "SELECT \(key), COUNT(*) FROM t GROUP BY 1"
        #expect(try plan(sql, context(largest: 999_999)).groups == 1_000_000)
        #expect(try plan(sql, context(largest: 1_000_000)).groups == nil)
    }

    @Test("An answer holds at most 2^22 numbers: groups times aggregates and bins")
    func cells() throws {
        let edges = (0...1_024).map(String.init).joined(separator: ", ")
        let histogram = "SELECT n, HISTOGRAM(n, \(edges)) FROM t GROUP BY n"
        #expect(try plan(histogram, context(largest: 4_095)).groups == 4_096)
        let error = #expect(throws: QueryError.self) { try plan(histogram, context(largest: 4_096)) }
        #expect(error?.message == "4097 groups of 1024 numbers each are too many for one answer")
    }

    @Test("Whatever the bounds, a full table of the largest values sums to at most 2^61")
    func sums() throws {
        for capacity in [1, 1_000, 1 << 30, 1 << 40] {
            for exponent in -40...60 {
                // The largest that still fits its step, where the step follows from the capacity.
                let most = (0x1p61 / Double(capacity)).rounded(.down) - 1
                for upper in [most, most * 0.75, most * 1.01].map({
                    $0 * Double(sign: .plus, exponent: exponent, significand: 1)
                }) {
                    let choice = GridChoice(
                        capacityRows: capacity, bounds: Bounds(lower: 0, upper: upper, isNullable: false), type: .real)
                    guard let grid = try? choice.sum(isCentred: false, noise: 1e-9) else { continue }
                    #expect(Double(grid.largest) * Double(capacity) <= 0x1p61, "\(capacity), \(upper)")
                }
            }
        }
        let fits = GridChoice(
            capacityRows: 1 << 40, bounds: Bounds(lower: 0, upper: 1_000, isNullable: false), type: .real)
        #expect(try fits.sum(isCentred: false, noise: 1e-9).largest > 1 << 19)
    }

    @Test("The plan's work holds as many selected keys as there can be, with those that noise lifts over the threshold")
    func listedKeys() throws {
        var regime = Fixtures.zCDP
        regime.selectionDelta = 0.01
        let question = Question(
            sql: "SELECT city, COUNT(*) FROM visits GROUP BY city", budget: .rho(0.1), selectionDelta: 0.01)
        let plan = try Planner.plan(question, in: Fixtures.context(regime))
        let selection = try #require(plan.output.selection)
        // One noisy number for each of at most 100,000 keys that are looked at, and one for each that comes out.
        let listed = plan.bound.work[.noise] - 100_000
        // However 100,000 people are divided into groups of one size: those whose noise reaches the threshold, on average, and six deviations more.
        let worst =
            (1...2 * selection.threshold).map { size in
                let distance = Double(selection.threshold - size) - 0.5
                let mean = 100_000 / Double(size) * erfc(distance / selection.sigma / 2.0.squareRoot()) / 2
                return mean + 6 * mean.squareRoot()
            }.max() ?? 0
        #expect(worst > 2_000)
        #expect(listed >= worst && listed < 3 * worst)
    }

    @Test("Expressions nest 100 deep, names have 512 characters, ranks of quantiles nine decimals")
    func texts() {
        func nested(_ depth: Int) -> String {
            "SELECT SUM(" + String(repeating: "(", count: depth) + "visits" + String(repeating: ")", count: depth)
                + ") FROM visits"
        }
        // Two levels are the sum's own.
        #expect(Fixtures.error(nested(98)) == nil)
        #expect(Fixtures.error(nested(99))?.message.contains("more than 100 levels") == true)
        for character in ["a", "1"] {
            #expect((try? Lexer.tokens(of: String(repeating: character, count: 512))) != nil)
            #expect((try? Lexer.tokens(of: String(repeating: character, count: 513))) == nil)
        }
        #expect(
            QuantileRank(decimal: "0.123456789") == QuantileRank(numerator: 123_456_789, denominator: 1_000_000_000))
        for text in ["0.1234567890", "0.0", "1.0", "0", "1", "0.5.5", "0.-5"] {
            #expect(QuantileRank(decimal: text) == nil, "\(text)")
        }
    }

    @Test("A name is suggested where at most a third of its letters differ, and never all of them")
    func suggestions() {
        #expect(NameSuggestion.nearest(to: "abcdef", among: ["uvwxyz", "abcdxy"]) == "abcdxy")
        #expect(NameSuggestion.nearest(to: "abcdef", among: ["abcxyz"]) == nil)
        #expect(NameSuggestion.nearest(to: "ac", among: ["ab"]) == "ab")
        #expect(NameSuggestion.nearest(to: "a", among: ["b"]) == nil)
    }

    @Test("A result that falls with the noise has no interval; one that rises has one around it")
    func monotone() throws {
        for (text, isBounded) in [
            ("SQRT(COUNT(*))", true), ("3 * SQRT(COUNT(*))", true), ("SQRT(COUNT(*)) * -3", false),
            ("SQRT(COUNT(*)) / -3", false), ("-3 * COUNT(*)", true),
        ] {
            let cell = try MeasurementTests.ask("SELECT \(text) FROM visits", MeasurementTests.people, .rho(1)).rows[0][
                0]
            let value = try #require(cell.value.number)
            #expect((cell.lower != nil) == isBounded && (cell.upper != nil) == isBounded, "\(text)")
            #expect((cell.lower ?? value) <= value && value <= (cell.upper ?? value))
        }
    }

    @Test("Where a unit has one row in a group, rows and units are one number; where it has two, they are not")
    func rowsAndUnits() throws {
        let sql = "SELECT COUNT(*), COUNT(DISTINCT person) FROM t"
        for (rowsPerUnit, events) in [(1, 1), (2, 2)] {
            #expect(try plan(sql, context(largest: 1, rowsPerUnit: rowsPerUnit)).events.count == events)
        }
    }

    @Test("A question has at most 256 different aggregates; the same one again is none")
    func aggregates() throws {
        func sums(_ count: Int) -> String {
            "SELECT " + (1...count).map { "SUM(n * \($0))" }.joined(separator: " + ") + " FROM t"
        }
        #expect(try plan(sums(64), context(largest: 1)).events.count == 64)
        let many = (0..<4).map { part in
            (1...64).map { "SUM(n * \(64 * part + $0))" }.joined(separator: " + ")
        }
        let most = "SELECT " + many.joined(separator: ", ")
        #expect(try plan(most + ", SUM(n * 7) FROM t", context(largest: 1)).events.count == 256)
        let error = #expect(throws: QueryError.self) { try plan(most + ", SUM(n * 257) FROM t", context(largest: 1)) }
        #expect(error?.message.contains("256 different aggregates") == true)
    }

    @Test("A join has at most as many rows as the one table's, each with every row that its unit has in the other")
    func joinCapacity() {
        #expect(Planner.capacity([Fixtures.visits]) == 100_000)
        #expect(Planner.capacity([Fixtures.visits, Fixtures.clinics]) == 100_000)
        #expect(Planner.capacity([Fixtures.clinics, Fixtures.visits]) == 100_000)
        var small = Fixtures.visits
        small.capacityRows = 30
        #expect(Planner.capacity([small, Fixtures.clinics]) == 60)
        small.capacityRows = 0
        #expect(Planner.capacity([small]) == 1)
    }
}
