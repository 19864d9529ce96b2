import Testing

@testable import Marketplace

@Suite("Whether rows speak against a declared score")
struct DeclaredScoreTests {
    private func test(_ right: Int, _ rows: Int, _ declared: Double, tolerance: Double = 0, alarm: Double = 0.01)
        throws -> DeclaredScoreTest
    {
        try #require(
            DeclaredScoreTest(right: right, rows: rows, declared: declared, tolerance: tolerance, falseAlarm: alarm))
    }

    @Test("Its probability is the binomial law's, both tails together, at the nearest share that is tolerated")
    func law() throws {
        // Ten coins: 10 heads, or none, come with 2 / 1024; 9 or more with 22 / 1024, twice 11.
        #expect(abs(try test(10, 10, 0.5).probability - 2.0 / 1024) < 1e-12)
        #expect(abs(try test(0, 10, 0.5).probability - 2.0 / 1024) < 1e-12)
        #expect(abs(try test(9, 10, 0.5).probability - 22.0 / 1024) < 1e-12)
        #expect(try test(5, 10, 0.5).probability == 1)
        #expect(abs(try test(10, 10, 0.4, tolerance: 0.1).probability - 2.0 / 1024) < 1e-12)
        #expect(abs(try test(0, 10, 0.6, tolerance: 0.1).probability - 2.0 / 1024) < 1e-12)
        // Declared as perfect: one wrong row refutes it, unless some are tolerated.
        #expect(try test(399, 400, 1).probability == 0 && test(400, 400, 1).probability == 1)
        #expect(try test(399, 400, 1, tolerance: 0.01).isPlausible && !test(1, 400, 0).isPlausible)
        #expect(try test(0, 400, 0).isPlausible)
        let numbers = try test(360, 400, 0.9)
        #expect(numbers.share == 0.9 && abs(numbers.standardError - 0.015) < 1e-12)
        // A large one, by the normal law: 3 standard errors.
        #expect(abs(try test(50_474, 100_000, 0.5).probability - 0.0027) < 2e-4)
    }

    @Test("An honest declaration is doubted no more often than is said, a lie of a tenth nearly always")
    func rates() throws {
        var (doubted, found) = (0, 0)
        let trials = 2_000
        for number in 0..<trials {
            // 400 of 2,000 rows, of which 1,700 are right.
            let drawn = OpenedRows.draw(400, of: 2_000, task: .sha256([7]), checkpoint: hashed("checkpoint \(number)"))
            let right = drawn.count { $0 < 1_700 }
            if try !test(right, 400, 0.85, alarm: 0.05).isPlausible { doubted += 1 }
            if try !test(right, 400, 0.95, alarm: 0.05).isPlausible { found += 1 }
        }
        #expect(doubted <= trials / 20, "\(doubted)")
        #expect(found > trials * 99 / 100, "\(found)")
    }

    @Test("Numbers that are none are refused")
    func wrong() {
        for (right, rows, declared, tolerance, alarm) in [
            (1, 0, 0.5, 0, 0.1), (-1, 9, 0.5, 0, 0.1), (10, 9, 0.5, 0, 0.1), (1, 9, 1.1, 0, 0.1), (1, 9, -0.1, 0, 0.1),
            (1, 9, .nan, 0, 0.1), (1, 9, 0.5, -0.1, 0.1), (1, 9, 0.5, 0, 0), (1, 9, 0.5, 0, 1),
        ] as [(Int, Int, Double, Double, Double)] {
            #expect(
                DeclaredScoreTest(
                    right: right, rows: rows, declared: declared, tolerance: tolerance, falseAlarm: alarm) == nil)
        }
    }
}
