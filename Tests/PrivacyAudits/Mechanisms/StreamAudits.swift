import DifferentialPrivacy
import Testing

/// Sparse vector and selection among many, against the mistakes that were published.
@Suite("Audits of streams and top choices")
struct StreamAudits {
    /// A run over the values: each answer a digit to the base 3: 0 below, 1 above, 2 nothing more.
    private func answers(_ mechanism: SparseVector, _ values: [Int64], _ random: inout AuditRandom) -> Int {
        var run = mechanism.begin(using: &random)
        return values.reduce(0) { code, value in
            switch run.answer(value: value, threshold: 0, using: &random) {
            case .below: 3 * code
            case .above: 3 * code + 1
            case nil: 3 * code + 2
            }
        }
    }

    @Test("Sparse vector holds its epsilon, answers and gaps; mistakes of its published variants are caught")
    func sparseVector() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        // Nine questions fall by one and a tenth rises: the worst change of any direction.
        let before = [Int64](repeating: 1, count: 9) + [0]
        let after = [Int64](repeating: 0, count: 9) + [1]
        let right = try SparseVector(epsilon: 1, positives: 1)
        try Audit("sparse vector", claim).holds({ answers(right, before, &$0) }, { answers(right, after, &$0) })
        func gap(_ value: Int64) -> Audit.Draw<Int64> {
            { random in
                var run = right.begin(using: &random)
                guard case .above(let gap)? = run.answer(value: value, threshold: 0, using: &random) else { return -1 }
                return gap
            }
        }
        try Audit("sparse vector's gap", claim).holds(gap(0), gap(1))

        // Values without noise (Stoddard, Chen and Machanavajjhala 2014; shown to be wrong by Lyu, Su and Li).
        func withoutValueNoise(_ values: [Int64]) -> Audit.Draw<Int> {
            { random in
                let offset = right.thresholdNoise.sample(using: &random)
                return values.reduce(0) { 3 * $0 + ($1 >= offset ? 1 : 0) }
            }
        }
        try Audit("sparse vector without noise on values", claim).catches(
            withoutValueNoise([1, 0]), withoutValueNoise([0, 1]))

        // Noise that does not grow with the number of positives (Lee and Clifton 2014), and a run without an end: half
        // of the values rise, half fall, and the threshold's noise is common to all.
        func balance(_ even: Int64, _ odd: Int64, stopAfter limit: Int) -> Audit.Draw<Int> {
            { random in
                let offset = right.thresholdNoise.sample(using: &random)
                var (positives, balance) = (0, 0)
                for question in 0..<200 where positives < limit {
                    let value = question % 2 == 0 ? even : odd
                    guard value + right.valueNoise.sample(using: &random) >= offset else { continue }
                    positives += 1
                    balance += question % 2 == 0 ? 1 : -1
                }
                return balance
            }
        }
        try Audit("sparse vector, noise for one of thirty", claim, runs: 20_000)
            .catches(balance(1, 0, stopAfter: 30), balance(0, 1, stopAfter: 30))
        try Audit("sparse vector without an end", claim, runs: 20_000)
            .catches(balance(1, 0, stopAfter: .max), balance(0, 1, stopAfter: .max))
    }

    @Test("In one direction half the noise is enough; with it, a change in both directions is caught")
    func oneDirection() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        let mechanism = try SparseVector(epsilon: 1, positives: 1, change: .oneDirection)
        try Audit("sparse vector, rising", claim).holds(
            { answers(mechanism, [0, 0, 0], &$0) }, { answers(mechanism, [1, 1, 1], &$0) })
        // All below, then one above, with the threshold one away: the ratio is exp(4.5) nearly.
        let up = [Int64](repeating: -1, count: 10) + [0]
        let down = [Int64](repeating: 0, count: 10) + [-1]
        let broken = try SparseVector(epsilon: 3, positives: 1, change: .oneDirection)
        try Audit("sparse vector, both directions", .pure(epsilon: 3)).catches(
            { answers(broken, up, &$0) }, { answers(broken, down, &$0) })
    }

    @Test("Top k holds k epsilon; without removing what is chosen from the charge it does not")
    func topK() throws {
        let before = [Int64](repeating: 2, count: 6)
        let after: [Int64] = [3, 3, 1, 1, 1, 1]
        let mechanism = try TopK(count: 2, epsilon: 1)
        func choose(_ utilities: [Int64]) -> Audit.Draw<Int> {
            { try mechanism.select(utilities: utilities, using: &$0).reduce(0) { 6 * $0 + $1 } }
        }
        try Audit("top 2", .pure(epsilon: 2)).holds(choose(before), choose(after))
        try Audit("top 2, by the mechanism's rho", .zeroConcentrated(rho: 2.0 / 8)).holds(choose(before), choose(after))
        try Audit("top 2 charged as one", .pure(epsilon: 1)).catches(choose(before), choose(after))
    }
}
