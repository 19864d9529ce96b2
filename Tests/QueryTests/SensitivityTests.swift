import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("What one unit changes is within what is claimed")
struct SensitivityTests {
    static let questions = [
        "SELECT COUNT(*), COUNT(cost), COUNT(DISTINCT person) FROM visits",
        "SELECT SUM(cost), AVG(cost), VARIANCE(cost), STDDEV(visits) FROM visits",
        "SELECT plan, COUNT(*), SUM(cost), AVG(visits) FROM visits GROUP BY plan",
        "SELECT plan, SUM(cost) FROM visits GROUP BY plan",
        "SELECT BIN(age, 20), VARIANCE(cost), MEDIAN(cost), COUNT(DISTINCT person) FROM visits GROUP BY 1",
        "SELECT insured, HISTOGRAM(cost, 0, 1, 100, 1000), QUANTILE(age, 0.9) FROM visits GROUP BY insured",
        "SELECT SUM(CLAMP(free_number, -7, 3)), AVG(CLAMP(free_integer, -7, 3)) FROM visits WHERE age > 20",
        "SELECT SUM(cost) WEIGHTED, AVG(visits) WEIGHTED, COUNT(*) WEIGHTED FROM visits",
        "SELECT kind, AVG(share * visits) FROM visits JOIN plans USING (plan) GROUP BY kind",
        "SELECT plan, COUNT(*), AVG(score), SUM(cost) FROM visits v JOIN clinics c ON v.person = c.patient GROUP BY plan",
        "SELECT MEDIAN(score), COUNT(*) FROM visits v JOIN clinics c ON v.person = c.patient",
        "SELECT SUM(EXP(CLAMP(free_number, -1, 1)) - visits * age), AVG(visits % 3 - 7) FROM visits",
    ]
    static let selecting = [
        "SELECT city, COUNT(*), AVG(cost), MEDIAN(age) FROM visits GROUP BY city",
        "SELECT city, plan, COUNT(DISTINCT person), SUM(visits) FROM visits GROUP BY city, plan",
        "SELECT free_integer, COUNT(*) FROM visits GROUP BY free_integer",
    ]

    @Test("Removing any unit changes every vector by at most its event's sensitivity", arguments: questions)
    func neighbours(_ sql: String) throws {
        for regime in [Fixtures.zCDP, Fixtures.pure] {
            try check(sql, try Fixtures.plan(sql, .epsilon(1), regime: regime))
        }
    }

    @Test("Where keys are selected, too: unit counts change by one in at most k groups", arguments: selecting)
    func selectedNeighbours(_ sql: String) throws {
        try check(sql, try Fixtures.plan(sql, .epsilon(1)))
    }

    private func check(_ sql: String, _ plan: Plan) throws {
        var random = SeededGenerator(seed: UInt64(sql.utf8.count))
        for _ in 0..<8 {
            let units = Int.random(in: 1...6, using: &random)
            let visits = SampleRows.visits(units: units, &random)
            let clinics = SampleRows.clinics(units: units, &random)
            let all = try vectors(plan, visits, clinics)
            for unit in 0..<units {
                let name = Value.text("p\(unit)")
                let without = try vectors(plan, visits.filter { $0[0] != name }, clinics.filter { $0[0] != name })
                try compare(plan, all, without)
            }
        }
    }

    private typealias Vectors = (groups: [[Value]: [Int64]], channels: [[[Value]: [Int64]]])

    /// The exact vectors, by group: unit counts, and one for each channel.
    private func vectors(_ plan: Plan, _ visits: [[Value]], _ clinics: [[Value]]) throws -> Vectors {
        let source = try SampleRows.source(plan, visits, clinics)
        let lookups = try plan.lookups.map { _ in try SampleRows.lookup() }
        let exact = BoundedAggregation(plan.specification, source: source, lookups: lookups).run()
        let keys = exact.keys
        let units = exact.units
        func byGroup(_ values: [[Int64]]) -> [[Value]: [Int64]] {
            Dictionary(uniqueKeysWithValues: zip(keys, values))
        }
        var channels: [[[Value]: [Int64]]] = []
        for channel in plan.output.channels {
            guard let slot = channel.slot else {
                channels.append(byGroup(units.map { [$0] }))
                continue
            }
            switch channel.quantity {
            case .histogram: channels.append(byGroup(exact.histogram(slot)))
            case .quantile:
                // As a multiset written out, its size is the number of values.
                channels.append(byGroup(exact.grid(slot).map { [$0.counts.reduce(0, +)] }))
            default: channels.append(byGroup(exact.integers(slot).map { [$0] }))
            }
        }
        return (byGroup(units.map { [$0] }), channels)
    }

    private func norms(_ a: [[Value]: [Int64]], _ b: [[Value]: [Int64]]) -> (
        l1: Double, l2: Double, changed: Int, largest: Int64
    ) {
        var result = (l1: 0.0, l2: 0.0, changed: 0, largest: Int64(0))
        for key in Set(a.keys).union(b.keys) {
            let (x, y) = (a[key] ?? [], b[key] ?? [])
            var isChanged = false
            for index in 0..<Swift.max(x.count, y.count) {
                let change = (index < x.count ? x[index] : 0) - (index < y.count ? y[index] : 0)
                result.l1 += abs(Double(change))
                result.l2 += Double(change) * Double(change)
                result.largest = Swift.max(result.largest, abs(change))
                isChanged = isChanged || change != 0
            }
            result.changed += isChanged ? 1 : 0
        }
        return result
    }

    private func compare(_ plan: Plan, _ all: Vectors, _ without: Vectors) throws {
        for event in plan.events {
            if case .thresholdSelection(let groups, _, _, _) = event {
                let change = norms(all.groups, without.groups)
                #expect(change.l2 <= Double(groups))
                #expect(change.largest <= 1)
            }
        }
        for (index, channel) in plan.output.channels.enumerated() {
            let change = norms(all.channels[index], without.channels[index])
            switch channel.event {
            case .discreteGaussian(let squared, _): #expect(change.l2 <= squared, "\(channel.quantity)")
            case .discreteLaplace(let sensitivity, _): #expect(change.l1 <= sensitivity, "\(channel.quantity)")
            case .exponentialMechanism(_, let times):
                #expect(change.changed <= times)
                #expect(change.largest <= 1)
                // Two more choices in each of those groups.
                guard case .exponentialMechanism(_, let brackets) = channel.quantile?.bracketEvent else {
                    Issue.record("no brackets")
                    continue
                }
                #expect(2 * change.changed <= brackets)
            case nil:
                if channel.slot != nil { #expect(change.l1 == 0) }
            default: Issue.record("an event that no channel has")
            }
        }
    }

    @Test("The claim is reached by a worst case: nothing is paid for that cannot happen")
    func tight() throws {
        let plan = try Fixtures.plan("SELECT plan, COUNT(*), SUM(visits) FROM visits GROUP BY plan")
        func row(_ person: String, _ plan: String) -> [Value] {
            [
                .text(person), .text(plan), .integer(0), .null, .integer(50), .null, .null, .date(0), .real(1), .null,
                .null,
            ]
        }
        // Five rows in one group are the worst case for squares.
        let rows = (0..<5).map { _ in row("p0", "free") }
        let with = try vectors(plan, rows, [])
        let without = try vectors(plan, [], [])
        for (index, channel) in plan.output.channels.enumerated() {
            guard case .discreteGaussian(let squared, _) = channel.event else { continue }
            #expect(norms(with.channels[index], without.channels[index]).l2 == squared)
        }
    }

    @Test("Sums over the whole declared capacity stay within 64 bits")
    func noOverflow() throws {
        for sql in Self.questions + Self.selecting {
            for budget in [Budget.epsilon(1e-6), .epsilon(1), .epsilon(1_000)] {
                guard let plan = try? Fixtures.plan(sql, budget) else { continue }
                for channel in plan.output.channels {
                    guard let grid = channel.grid else { continue }
                    var row = UInt64(grid.largest)
                    if case .squares = channel.quantity { row *= UInt64(grid.largest) }
                    let capacity = plan.datasets.count == 1 ? 100_000 : 100_000 * 2
                    #expect(row.multipliedFullWidth(by: UInt64(capacity)).high == 0)
                    #expect(row * UInt64(capacity) < 1 << 62)
                    #expect(grid.step.significand == 1)
                    #expect((grid.center / grid.step).rounded() == grid.center / grid.step)
                }
            }
        }
    }
}
