#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The worst of k-fold composition of epsilon-differentially private mechanisms: k-fold randomised response (Kairouz, Oh
/// and Viswanath 2015, theorem 3.3), exactly but for rounding, in O(sqrt(k)) steps.
///
/// With i of k answers true, which has probability P_i = C(k, i) e^(i epsilon) / (1 + e^epsilon)^k, the privacy loss is
/// e_i = (2 i - k) epsilon. Let A_i = P(loss > e_i) and B_i = e^(e_i) Q(loss > e_i), where Q_j = P_j e^(-e_j); going down
/// from the largest loss, both obey recurrences of positive terms, without cancellation. Between e_i and e_(i+1) the
/// curve is delta(x) = A_i - e^(x - e_i) B_i.
struct PureComposition {
    let epsilon: Double
    let count: Int
    /// The number of true answers where the truth is always "true".
    private let law: BinomialLaw

    /// Beyond a billion, or where e^epsilon is no `Double`, the plain sum of epsilons has to do.
    static func isFeasible(epsilon: Double, count: Int) -> Bool {
        count <= BinomialLaw.countLimit && epsilon <= 300
    }

    /// Needs `isFeasible`.
    init(epsilon: Double, count: Int) {
        self.epsilon = epsilon
        self.count = count
        law = BinomialLaw(count: count, odds: exp(epsilon))
    }

    private var slack: Double { law.slack }

    func epsilon(delta: Double) -> PrivacyBounds {
        guard count > 0 && epsilon > 0 else { return PrivacyBounds(lower: 0, upper: 0) }
        let basic = epsilon * Double(count)
        guard delta > 0 else {
            return PrivacyBounds(lower: OutwardRounding.down(basic), upper: OutwardRounding.up(basic))
        }
        return PrivacyBounds(
            lower: invert(delta: delta, roundingUp: false),
            upper: min(OutwardRounding.up(basic), invert(delta: delta, roundingUp: true)))
    }

    /// Where the curve, rounded up or down, falls to delta.
    private func invert(delta: Double, roundingUp: Bool) -> Double {
        let (up, down) = roundingUp ? (1 + slack, 1 - slack) : (1 - slack, 1 + slack)
        var found = 0.0
        walk { loss, a, b in
            guard a * up - b * down > delta || loss <= 0 else { return true }
            let rest = a * up - delta
            if rest > 0 { found = max(0, min(loss + 2 * epsilon, loss + log(rest / (b * down)))) }
            return false
        }
        let error = 0x1p-45 * (found + epsilon)
        return roundingUp ? found + error : max(0, found - error)
    }

    func delta(epsilon asked: Double) -> PrivacyBounds {
        var bounds = PrivacyBounds(lower: 0, upper: 0)
        guard count > 0 && epsilon > 0 else { return bounds }
        walk { loss, a, b in
            guard loss <= asked else { return true }
            // Beyond the largest loss the segment's own end is a bound.
            let factor = exp(min(asked - loss, 2 * epsilon))
            let error = slack + 0x1p-48 * (1 + min(asked, loss + 2 * epsilon) + abs(loss))
            bounds.upper = min(1, max(0, a * (1 + error) - b * factor * (1 - error)))
            if asked < loss + 2 * epsilon { bounds.lower = max(0, a * (1 - error) - b * factor * (1 + error)) }
            return false
        }
        return bounds
    }

    /// Gives e_i, A_i and B_i from the largest i down, until the body has what it looks for.
    private func walk(_ body: (_ loss: Double, _ a: Double, _ b: Double) -> Bool) {
        let decay = exp(-2 * epsilon)
        // What was left out above the largest term weighs less than this.
        var (a, b) = (law.first + law.terms.count <= count ? 0x1p-990 : 0, 0.0)
        for offset in law.terms.indices.reversed() {
            a += law.terms[offset]
            b = (b + law.terms[offset]) * decay
            let i = law.first + offset - 1
            guard body(Double(2 * i - count) * epsilon, a, b) else { return }
        }
    }
}
