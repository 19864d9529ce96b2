/// Chi-square with a positive number of degrees of freedom.
struct ChiSquareLaw: Sendable, Hashable {
    let degreesOfFreedom: Double

    /// P(X > x).
    func upperTail(_ x: Double) -> Double { GammaFunction.upper(degreesOfFreedom / 2, max(0, x) / 2) }
}

/// Student's t with a positive number of degrees of freedom; an infinite number is the normal law.
struct StudentLaw: Sendable, Hashable {
    let degreesOfFreedom: Double

    /// Above so many the law is the normal one to 1e-9.
    private static let asGoodAsNormal = 1e9

    /// P(|T| > t) for t >= 0.
    func tail(_ t: Double) -> Double {
        let n = degreesOfFreedom
        guard n < Self.asGoodAsNormal else { return NormalLaw.outside(t) }
        guard t.isFinite else { return 0 }
        return GammaFunction.beta(n / (n + t * t), n / 2, 0.5)
    }

    /// The t with P(|T| <= t) = confidence.
    func quantile(confidence: Double) -> Double {
        guard degreesOfFreedom < Self.asGoodAsNormal else { return NormalLaw.criticalValue(confidence: confidence) }
        return Search.leastDouble { tail($0) <= 1 - confidence }
    }
}

/// Fisher's F with positive numbers of degrees of freedom.
struct FisherLaw: Sendable, Hashable {
    let numerator: Double
    let denominator: Double

    /// P(X > x).
    func upperTail(_ x: Double) -> Double {
        guard x > 0 else { return 1 }
        guard x.isFinite else { return 0 }
        guard denominator.isFinite else { return ChiSquareLaw(degreesOfFreedom: numerator).upperTail(numerator * x) }
        return GammaFunction.beta(denominator / (denominator + numerator * x), denominator / 2, numerator / 2)
    }
}

enum Search {
    /// About the least positive number for which a condition holds that, once true, stays true.
    static func leastDouble(where holds: (Double) -> Bool) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<1000 {
            if holds(high) { break }
            low = high
            high *= 2
        }
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle }
        }
        return high
    }
}
