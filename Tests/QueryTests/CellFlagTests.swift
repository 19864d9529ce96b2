import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("Cells say that their row was selected")
struct CellFlagTests {
    private func flags(_ answer: NoisyAnswer) -> [Set<[CellFlag]>] {
        answer.columns.indices.map { column in Set(answer.rows.map { $0[column].flags }) }
    }

    private func ask(_ sql: String, _ budget: Budget = .rho(1)) throws -> NoisyAnswer {
        try MeasurementTests.ask(sql, MeasurementTests.people, budget)
    }

    @Test("ORDER BY an estimate marks what the order was made of, where LIMIT or OFFSET leaves something out")
    func ordered() throws {
        let cut = try ask(
            "SELECT plan, COUNT(*), AVG(cost), SUM(visits), MEDIAN(age) FROM visits GROUP BY plan ORDER BY COUNT(*) DESC LIMIT 2"
        )
        #expect(cut.rows.count == 2)
        // The mean of a column that may be null has a count of its own; a sum beside a count is centred by it.
        #expect(flags(cut) == [[[]], [[.selected]], [[]], [[.selected]], [[]]])
        #expect(cut.notes.contains { $0.contains("SELECT TOP k") })
        let skipped = try ask("SELECT plan, COUNT(*) FROM visits GROUP BY plan ORDER BY COUNT(*) OFFSET 1")
        #expect(flags(skipped) == [[[]], [[.selected]]])
        for whole in ["LIMIT 4", "LIMIT 9", ""] {
            let answer = try ask("SELECT plan, COUNT(*) FROM visits GROUP BY plan ORDER BY COUNT(*) \(whole)")
            #expect(flags(answer) == [[[]], [[]]])
            #expect(!answer.notes.contains { $0.contains("TOP") })
        }
        let byKey = try ask("SELECT plan, COUNT(*) FROM visits GROUP BY plan ORDER BY plan LIMIT 2")
        #expect(flags(byKey) == [[[]], [[]]])
    }

    @Test("HAVING over estimates marks what it looked at; over keys nothing")
    func having() throws {
        let noisy = try ask("SELECT plan, COUNT(*), MEDIAN(age) FROM visits GROUP BY plan HAVING COUNT(*) > 1")
        #expect(flags(noisy) == [[[]], [[.selected]], [[]]])
        let keys = try ask("SELECT plan, COUNT(*) FROM visits GROUP BY plan HAVING plan <> 'free'")
        #expect(flags(keys) == [[[]], [[]]])
        let binned = try ask(
            "SELECT plan, HISTOGRAM(cost, 0, 100, 1000) FROM visits GROUP BY plan HAVING COUNT(*) > 1")
        #expect(flags(binned) == [[[]], [[]], [[]]])
    }

    /// Cities with so many people each, a row a person.
    private func cities(_ sizes: [Int]) -> [[Value]] {
        sizes.enumerated().flatMap { city, size in
            (0..<size).map { MeasurementTests.row(city * 10_000 + $0, city: .text("c\(city)")) }
        }
    }

    @Test("Groups of a size that is seldom shown are marked, and well above the threshold none is (seeded)")
    func thresholded() throws {
        let sql = "SELECT city, COUNT(*), COUNT(DISTINCT person), AVG(age) FROM visits GROUP BY city"
        let selection = try #require(try Fixtures.plan(sql).output.selection)
        let threshold = Int(selection.threshold)
        let law = SelectedCount(sigma: selection.sigma, threshold: selection.threshold)
        let rare = Int(law.units(shownWith: 0.2)) - 1
        let far = threshold + Int(4.5 * selection.sigma)
        let sizes = [Int](repeating: rare, count: 30) + [Int](repeating: far, count: 30)
        let rows = cities(sizes)
        var seen: [Bool: [[CellFlag]]] = [:]
        for seed in 0..<20 {
            for row in try MeasurementTests.ask(sql, rows, .rho(0.1), seed: UInt64(seed)).rows {
                guard case .text(let city) = row[0].value, let number = Int(city.dropFirst()) else { continue }
                #expect(row[0].flags.isEmpty && row[2].flags.isEmpty)
                seen[number >= 30, default: []].append(row[1].flags)
                #expect(row[1].flags == row[3].flags)
                // The interval of the number of units holds the selection.
                let (lower, upper) = (try #require(row[2].lower), try #require(row[2].upper))
                #expect(lower >= 1 && lower <= upper)
            }
        }
        let small = seen[false] ?? []
        #expect(small.count > 60 && small.count < 200)
        #expect(small.filter { $0 == [.thresholded] }.count >= small.count * 95 / 100)
        #expect((seen[true] ?? []).count == 600)
        #expect((seen[true] ?? []).filter { !$0.isEmpty }.count <= 6)
    }

    @Test(
        "Of groups that are seldom shown, the interval of the number of units covers as often as said (seeded; false alarm 1e-6)"
    )
    func coverage() throws {
        let sql =
            "SELECT city, COUNT(DISTINCT person), 2 * COUNT(DISTINCT person) + 1 AS twice FROM visits GROUP BY city"
        let selection = try #require(try Fixtures.plan(sql).output.selection)
        let size = Int(SelectedCount(sigma: selection.sigma, threshold: selection.threshold).units(shownWith: 0.15))
        let rows = cities([Int](repeating: size, count: 60))
        var (shown, covered, plain) = (0, 0, 0)
        for seed in 0..<60 {
            for row in try MeasurementTests.ask(sql, rows, .rho(0.1), seed: UInt64(seed)).rows {
                let (lower, upper) = (try #require(row[1].lower), try #require(row[1].upper))
                shown += 1
                covered += lower <= Double(size) && Double(size) <= upper ? 1 : 0
                let half = 1.96 * selection.sigma
                plain += abs((row[1].value.number ?? 0) - Double(size)) <= half ? 1 : 0
                #expect(row[2].lower.map { ($0 - 1) / 2 } ?? 0 <= lower + 1e-9)
            }
        }
        #expect(shown > 300)
        let spread = 4.76 * (0.05 * 0.95 / Double(shown)).squareRoot()
        #expect(Double(covered) / Double(shown) > 0.95 - spread)
        #expect(Double(plain) / Double(shown) < 0.9)
    }

    @Test("An answer without a group says how many units one would need")
    func empty() throws {
        let answer = try MeasurementTests.ask(
            "SELECT city, COUNT(*) FROM visits GROUP BY city", cities([3, 4]), .rho(0.1))
        #expect(answer.rows.isEmpty)
        let selection = try #require(
            try Fixtures.plan("SELECT city, COUNT(*) FROM visits GROUP BY city").output.selection)
        #expect(answer.notes[0].contains("needs \(selection.usual) units"))
        let none = try ask("SELECT plan, COUNT(*) FROM visits GROUP BY plan HAVING COUNT(*) > 1000000")
        #expect(none.rows.isEmpty && none.notes[0].contains("4 came out"))
    }
}
