import Secrets
import Testing

/// The audit itself is right, and can fail.
@Suite("The audit framework")
struct AuditFrameworkTests {
    @Test("Clopper and Pearson's bounds: known values, and the closed forms at the ends")
    func bounds() {
        // 95 % two-sided, 8 of 20: 0.1912 to 0.6395 (Clopper and Pearson's chart; beta quantiles).
        let small = ClopperPearson(trials: 20, error: 0.025)
        #expect(abs(small.lower(8) - 0.191192) < 1e-5)
        #expect(abs(small.upper(8) - 0.639457) < 1e-5)
        #expect(small.lower(0) == 0 && small.upper(20) == 1)
        // No success: (1 - p)^n = error. All successes: p^n = error.
        let large = ClopperPearson(trials: 1_000_000, error: 1e-12)
        #expect(abs(large.upper(0) / 2.763064e-5 - 1) < 1e-4)
        #expect(abs((1 - large.lower(1_000_000)) / 2.763064e-5 - 1) < 1e-4)
        // Coverage: 10,000 samples of 50 with p = 0.3; at most 2 x 0.5 % outside (false alarm below 1e-6).
        var random = SeededGenerator(seed: 1)
        let bounds = ClopperPearson(trials: 50, error: 0.005)
        let intervals = (0...50).map { (bounds.lower($0), bounds.upper($0)) }
        var outside = 0
        for _ in 0..<10_000 {
            let successes = (0..<50).count { _ in random.next(upperBound: 10 as UInt64) < 3 }
            if intervals[successes].0 > 0.3 || intervals[successes].1 < 0.3 { outside += 1 }
        }
        #expect(outside < 150)
    }

    /// Randomised response that tells the truth with odds `odds` to 1.
    private func response(_ truth: Int, odds: UInt64, _ random: inout AuditRandom) -> Int {
        random.next(upperBound: odds + 1) < odds ? truth : 1 - truth
    }

    @Test("A bound comes close to the truth from below, in either direction of the neighbours")
    func power() throws {
        for isReversed in [false, true] {
            let audit = Audit("power \(isReversed)", .pure(epsilon: 1))
            let shown = try audit.leastEpsilons { random in
                response(isReversed ? 1 : 0, odds: 3, &random)
            } _: { random in
                response(isReversed ? 0 : 1, odds: 3, &random)
            }
            // ln 3 = 1.0986.
            #expect(shown[0] > 1.04 && shown[0] < 1.0986)
        }
    }

    @Test("A claim that is exact holds; one that is a tenth too small does not; delta is taken off")
    func claims() throws {
        let truth = 1.0986122886681098
        for (epsilon, delta, isRight) in [
            (truth, 0, true), (truth * 0.9, 0, false), (0, 0.5, true), (0, 0.48, false),
            // ln((0.75 - 0.1) / 0.25) = 0.9555.
            (0.956, 0.1, true), (0.9, 0.1, false),
        ] as [(Double, Double, Bool)] {
            let audit = Audit("claims \(epsilon) \(delta)", .approximate(epsilon: epsilon, delta: delta))
            let (first, second): (Audit.Draw<Int>, Audit.Draw<Int>) = (
                { response(0, odds: 3, &$0) }, { response(1, odds: 3, &$0) }
            )
            if isRight { try audit.holds(first, second) } else { try audit.catches(first, second) }
        }
    }

    @Test("An output that only one neighbour can give is found, though it is neither the largest nor the smallest")
    func impossible() throws {
        try Audit("impossible", .pure(epsilon: 3)).catches { random in
            Int(random.next(upperBound: 100 as UInt64))
        } _: { random in
            let output = Int(random.next(upperBound: 99 as UInt64))
            return output == 50 ? 99 : output
        }
    }

    @Test("Exact divergences: randomised response, and an output that is possible on one side only")
    func exact() {
        let (p, q) = ([0: 0.75, 1: 0.25], [0: 0.25, 1: 0.75])
        #expect(abs(ExactAudit.epsilon(p, q) - 1.0986122886681098) < 1e-15)
        #expect(abs(ExactAudit.delta(epsilon: 0, p, q) - 0.5) < 1e-15)
        // The divergence of order 2: ln(0.75^2 / 0.25 + 0.25^2 / 0.75).
        #expect(abs(ExactAudit.renyi(order: 2, p, q) - 0.8472978603872037) < 1e-12)
        #expect(ExactAudit.epsilon([0: 1], [0: 0.5, 1: 0.5]) == .infinity)
        #expect(ExactAudit.delta(epsilon: 9, [0: 1], [0: 0.5, 1: 0.5]) == 0.5)
    }
}
