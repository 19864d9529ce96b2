import Foundation

/// Audits by probabilities: for mechanisms whose law can be written down.
enum ExactAudit {
    /// The least delta for which both directions are (epsilon, delta)-private: the larger hockey-stick divergence,
    /// `sum over outputs of max(0, P(o) - e^epsilon Q(o))`.
    static func delta<Output: Hashable>(
        epsilon: Double, _ first: [Output: Double], _ second: [Output: Double]
    ) -> Double {
        max(hockeyStick(epsilon, first, second), hockeyStick(epsilon, second, first))
    }

    /// The largest logarithm of a ratio of two probabilities, over all outputs: infinite where one is possible on one
    /// side only.
    static func epsilon<Output: Hashable>(_ first: [Output: Double], _ second: [Output: Double]) -> Double {
        Set(first.keys).union(second.keys).reduce(0) { worst, output in
            let (p, q) = (first[output] ?? 0, second[output] ?? 0)
            return p == 0 && q == 0 ? worst : max(worst, abs(log(p) - log(q)))
        }
    }

    /// The Rényi divergence of that order, the larger of both directions: rho-zCDP is `<= rho * order` for all orders.
    static func renyi<Output: Hashable>(
        order: Double, _ first: [Output: Double], _ second: [Output: Double]
    ) -> Double {
        func one(_ p: [Output: Double], _ q: [Output: Double]) -> Double {
            let moment = p.reduce(0.0) { sum, entry in
                guard entry.value > 0 else { return sum }
                let other = q[entry.key] ?? 0
                return other > 0
                    ? sum + exp(order * log(entry.value) + (1 - order) * log(other)) : .infinity
            }
            return log(moment) / (order - 1)
        }
        return max(one(first, second), one(second, first))
    }

    private static func hockeyStick<Output: Hashable>(
        _ epsilon: Double, _ p: [Output: Double], _ q: [Output: Double]
    ) -> Double {
        p.reduce(0) { $0 + max(0, $1.value - exp(epsilon) * (q[$1.key] ?? 0)) }
    }
}
