#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// From one measure of privacy to another, rounded to the safe side.
public enum Conversion {
    /// The epsilon that rho-zCDP gives at delta, rounded up: the least over alpha > 1 of
    /// `rho alpha + ln(1 / (alpha delta)) / (alpha - 1) + ln(1 - 1 / alpha)` (Canonne, Kamath and Steinke 2020,
    /// corollary 13). Every alpha gives a valid bound, so that the search for the least cannot do harm. Infinite for
    /// delta <= 0.
    public static func epsilon(rho: Double, delta: Double) -> Double {
        guard rho > 0 else { return rho == 0 ? 0 : .infinity }
        guard delta > 0 else { return .infinity }
        guard delta < 1 else { return 0 }
        let order = leastOver { order in
            let terms = conversionTerms(order: order, delta: delta)
            return rho * (order + 1) + terms.sum
        }
        let terms = conversionTerms(order: order, delta: delta)
        let size = rho * (order + 1) + terms.size
        return max(0, OutwardRounding.up(rho * (order + 1) + terms.sum + size * 0x1p-46))
    }

    /// The largest rho that `epsilon(rho:delta:)` converts to at most epsilon, rounded down; 0 where there is none.
    public static func rho(epsilon: Double, delta: Double) -> Double {
        guard epsilon > 0 && delta > 0 && delta < 1 else { return 0 }
        let order = leastOver { order in
            (conversionTerms(order: order, delta: delta).sum - epsilon) / (order + 1)
        }
        let terms = conversionTerms(order: order, delta: delta)
        let slack = (epsilon + terms.size) * 0x1p-45
        return max(0, OutwardRounding.down((epsilon - terms.sum - slack) / (order + 1)))
    }

    /// The delta that rho-zCDP gives at epsilon, rounded up: the least over alpha > 1 of
    /// `exp((alpha - 1)(rho alpha - epsilon)) (1 - 1 / alpha)^alpha / (alpha - 1)` (Canonne, Kamath and Steinke 2020,
    /// corollary 13).
    public static func delta(rho: Double, epsilon: Double) -> Double {
        guard rho > 0 else { return rho == 0 && epsilon >= 0 ? 0 : 1 }
        guard epsilon >= 0, rho < .infinity else { return 1 }
        func terms(_ order: Double) -> (sum: Double, size: Double) {
            let divergence = order * (rho * (order + 1) - epsilon)
            // ln(order / (1 + order)): a difference of logarithms would lose, times the order, more than the slack covers.
            let ratio = -log1p(1 / order)
            return (
                divergence + order * ratio - log1p(order), order * (rho * (order + 1) + epsilon - ratio) + log1p(order)
            )
        }
        let best = terms(leastOver { terms($0).sum })
        guard best.sum.isFinite else { return 1 }
        return min(1, OutwardRounding.up(exp(min(0, best.sum + best.size * 0x1p-46))))
    }

    /// The terms beside `rho alpha`, for `order = alpha - 1`, and the sum of their magnitudes.
    private static func conversionTerms(order: Double, delta: Double) -> (sum: Double, size: Double) {
        let first = -(log1p(order) + log(delta)) / order
        let second = log(order) - log1p(order)
        return (first + second, (abs(log1p(order)) + abs(log(delta))) / order + abs(log(order)) + log1p(order))
    }

    /// The order, less 1, at which the function is least.
    private static func leastOver(_ value: (Double) -> Double) -> Double {
        exp(leastPlace(from: -45, to: 60, steps: 100) { value(exp($0)) })
    }
}

/// The Gaussian mechanism's own curve (Balle and Wang 2018, theorem 8): exact for Gaussian noise, tighter than zCDP's
/// conversion. A vector of one or several Gaussian mechanisms fixed beforehand is one with the sum of their rhos. For
/// discrete Gaussian noise the curve is the limit of large sigma: for reports, not for the ledger, which holds rho.
extension Conversion {
    /// The least delta at epsilon of a Gaussian mechanism of that rho (sensitivity / sigma = mu = sqrt(2 rho)), rounded
    /// up: `Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu)`.
    public static func gaussianDelta(rho: Double, epsilon: Double) -> Double {
        gaussianDeltaBounds(rho: rho, epsilon: epsilon).upper
    }

    /// The same, rounded down and up.
    static func gaussianDeltaBounds(rho: Double, epsilon: Double) -> (lower: Double, upper: Double) {
        guard rho > 0, rho < .infinity else {
            let exact: Double = rho == 0 && epsilon >= 0 ? 0 : 1
            return (rho == 0 ? exact : 0, exact)
        }
        let mu = (2 * rho).squareRoot()
        let a = mu / 2 - epsilon / mu
        let b = -mu / 2 - epsilon / mu
        // How far rounding has moved a and b: much, for large mu, where a is the small difference of large numbers. What
        // is computed from them rises in a and falls in b.
        let moved = (mu / 2 + epsilon / mu) * 0x1p-50
        return (
            max(0, gaussianTerms(a - moved, b + moved).lower), min(1, gaussianTerms(a + moved, b - moved).upper)
        )
    }

    /// `Phi(a) - exp(b^2 / 2 - a^2 / 2) Phi(b)` for b <= a, rounded down and up. Both terms share a factor, so that only
    /// scaled functions are subtracted. The derivative by a is exp(-a^2 / 2) (1 / sqrt(2 pi) + a M / 2), where M is the
    /// scaled complementary error function at -b / sqrt 2: at most sqrt(2 / pi) / |b|, so it is not negative.
    private static func gaussianTerms(_ a: Double, _ b: Double) -> (lower: Double, upper: Double) {
        let factor = exp(-a * a / 2) / 2
        let second = OutwardRounding.scaledComplementaryErrorFunction(-b / 2.0.squareRoot())
        if a > 0 {
            let delta = erfc(-a / 2.0.squareRoot()) / 2 - factor * second
            return (delta - 0x1p-44, delta + 0x1p-44)
        }
        let first = OutwardRounding.scaledComplementaryErrorFunction(-a / 2.0.squareRoot())
        let slack = first * 0x1p-44 + (first - second) * a * a * 0x1p-48
        return (
            OutwardRounding.down(factor * (first - second - slack)),
            OutwardRounding.up(factor * (first - second + slack))
        )
    }

    /// The least epsilon at delta of a Gaussian mechanism of that rho, rounded up.
    public static func gaussianEpsilon(rho: Double, delta: Double) -> Double {
        guard rho > 0 else { return rho == 0 ? 0 : .infinity }
        guard delta > 0 else { return .infinity }
        if gaussianDelta(rho: rho, epsilon: 0) <= delta { return 0 }
        var (low, high) = (0.0, 1.0)
        while gaussianDelta(rho: rho, epsilon: high) > delta { (low, high) = (high, 2 * high) }
        return halve(low, high) { gaussianDelta(rho: rho, epsilon: $0) <= delta }.above
    }

    /// The same, rounded down: the least delta exceeds the one given at every smaller epsilon.
    static func gaussianEpsilonRoundedDown(rho: Double, delta: Double) -> Double {
        func holds(_ epsilon: Double) -> Bool { gaussianDeltaBounds(rho: rho, epsilon: epsilon).lower <= delta }
        guard rho > 0, delta > 0, !holds(0) else { return 0 }
        var (low, high) = (0.0, 1.0)
        while !holds(high) { (low, high) = (high, 2 * high) }
        return halve(low, high, holds).below
    }

    /// The largest rho of a Gaussian mechanism that is (epsilon, delta)-differentially private, rounded down; 0 where
    /// there is none.
    public static func gaussianRho(epsilon: Double, delta: Double) -> Double {
        guard epsilon >= 0 && delta > 0 && delta < 1 else { return 0 }
        // The curve rises with rho: `above` is where it is too high.
        var high = 1.0
        while gaussianDelta(rho: high, epsilon: epsilon) <= delta { high *= 2 }
        return halve(0, high) { gaussianDelta(rho: $0, epsilon: epsilon) > delta }.below
    }

    /// Narrows the place where a condition turns true, down to neighbouring numbers or nearly so.
    private static func halve(
        _ low: Double, _ high: Double, _ holds: (Double) -> Bool
    ) -> (below: Double, above: Double) {
        var (low, high) = (low, high)
        for _ in 0..<1100 {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high || high - low <= high * 0x1p-51 { break }
            if holds(middle) { high = middle } else { low = middle }
        }
        return (low, high)
    }
}
