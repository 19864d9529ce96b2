#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An interval for a number behind a noisy one; an infinite end is unbounded.
struct Interval: Sendable, Hashable {
    var lower: Double
    var upper: Double

    static let unbounded = Interval(lower: -.infinity, upper: .infinity)

    /// Its part between bounds within which the truth lies. An interval that misses them altogether, as one in twenty
    /// may, has shown nothing but its own error: then all that is known are the bounds, not a single point of them.
    func within(_ least: Double, _ largest: Double) -> Interval {
        guard lower < largest, upper > least else { return Interval(lower: least, upper: largest) }
        return Interval(lower: Swift.max(lower, least), upper: Swift.min(upper, largest))
    }
}

/// Intervals that hold privacy noise only (docs/privacy.md, rule 22), for sums of noisy integers, ratios of such sums and
/// variances.
///
/// One noisy integer has the exact quantile of its noise law. Several are treated as continuous laws of the same
/// family, each widened to its own exact quantile, so that a coarse grid never narrows an interval. Ratios invert the
/// test that `numerator - r denominator` has mean zero (Fieller 1954), which is exact for Gaussian noise and keeps its
/// coverage where the denominator may be zero: then the interval is unbounded. A variance takes the intervals of its
/// two moments at 97.5 % each (Bonferroni).
struct ErrorModel: Sendable, Hashable {
    enum Level: Sendable {
        case full
        /// Half of the error probability, for one of two intervals that hold together.
        case half

        var normalQuantile: Double { self == .full ? 1.959963984540054 : 2.241402727604947 }
        var errorProbability: Double { self == .full ? 0.05 : 0.025 }
    }

    var channels: [Channel]

    private var isLaplace: Bool {
        channels.contains { channel in
            if case .laplace = channel.noise { return true }
            return false
        }
    }

    private func halfWidth(_ channel: Int, _ level: Level) -> Double {
        Double(level == .full ? channels[channel].halfWidth95 : channels[channel].halfWidth975)
    }

    /// A continuous law's parameter (standard deviation or scale) that is as wide as the exact one.
    private func parameter(_ channel: Int, _ level: Level) -> Double {
        switch channels[channel].noise {
        case .gaussian(let sigma): Swift.max(sigma, halfWidth(channel, level) / level.normalQuantile)
        case .laplace(let scale): Swift.max(scale, halfWidth(channel, level) / -log(level.errorProbability))
        case .none: 0
        }
    }

    func standardDeviation(_ form: LinearForm) -> Double {
        form.terms.reduce(0) { $0 + $1.coefficient * $1.coefficient * channels[$1.channel].variance }.squareRoot()
    }

    // MARK: sums

    func halfWidth(_ form: LinearForm, _ level: Level = .full) -> Double {
        let terms = form.terms.filter { $0.coefficient != 0 }
        if terms.count == 1 { return abs(terms[0].coefficient) * halfWidth(terms[0].channel, level) }
        if isLaplace {
            let scales = terms.map { abs($0.coefficient) * parameter($0.channel, level) }
            return Self.laplaceHalfWidth(scales, level.errorProbability)
        }
        return level.normalQuantile * covariance(form, form, level).squareRoot()
    }

    func interval(_ form: LinearForm, _ value: Double, _ level: Level = .full) -> Interval {
        let half = halfWidth(form, level)
        return Interval(lower: value - half, upper: value + half)
    }

    private func covariance(_ a: LinearForm, _ b: LinearForm, _ level: Level) -> Double {
        a.terms.reduce(0) { total, term in
            guard let other = b.terms.first(where: { $0.channel == term.channel && $0.bin == term.bin }) else {
                return total
            }
            let parameter = parameter(term.channel, level)
            return total + term.coefficient * other.coefficient * parameter * parameter
        }
    }

    // MARK: ratios

    /// The interval of `numerator / denominator`, given their noisy values.
    func ratio(
        _ numerator: LinearForm, value a: Double, over denominator: LinearForm, value b: Double, level: Level = .full
    ) -> Interval {
        if denominator.terms.allSatisfy({ $0.coefficient == 0 }) {
            return b == 0 ? .unbounded : interval(numerator.scaled(1 / b), a / b, level)
        }
        return isLaplace
            ? laplaceRatio(numerator, value: a, over: denominator, value: b, level: level)
            : gaussianRatio(numerator, value: a, over: denominator, value: b, level: level)
    }

    private func gaussianRatio(
        _ numerator: LinearForm, value a: Double, over denominator: LinearForm, value b: Double, level: Level
    ) -> Interval {
        let z2 = level.normalQuantile * level.normalQuantile
        let quadratic = b * b - z2 * covariance(denominator, denominator, level)
        let linear = a * b - z2 * covariance(numerator, denominator, level)
        let constant = a * a - z2 * covariance(numerator, numerator, level)
        guard quadratic > 0 else { return .unbounded }
        let root = Swift.max(0, linear * linear - quadratic * constant).squareRoot()
        return Interval(lower: (linear - root) / quadratic, upper: (linear + root) / quadratic)
    }

    private func laplaceRatio(
        _ numerator: LinearForm, value a: Double, over denominator: LinearForm, value b: Double, level: Level
    ) -> Interval {
        guard abs(b) > halfWidth(denominator, level) else { return .unbounded }
        func isInside(_ r: Double) -> Bool {
            let scales = (numerator - denominator.scaled(r)).terms.map {
                abs($0.coefficient) * parameter($0.channel, level)
            }
            return Self.laplaceTail(abs(a - r * b), scales) > level.errorProbability
        }
        let center = a / b
        let start = Swift.max(halfWidth(numerator, level), abs(center) * halfWidth(denominator, level)) / abs(b)
        guard start > 0 else { return Interval(lower: center, upper: center) }
        return Interval(
            lower: Self.boundary(center, -start, isInside), upper: Self.boundary(center, start, isInside))
    }

    /// Where `isInside` ends, from `center` in the direction of `step`; infinite where it does not.
    private static func boundary(_ center: Double, _ step: Double, _ isInside: (Double) -> Bool) -> Double {
        var inner = 0.0
        var outer = step
        for _ in 0..<60 {
            guard isInside(center + outer) else { break }
            inner = outer
            outer *= 2
        }
        guard !isInside(center + outer) else { return step < 0 ? -.infinity : .infinity }
        for _ in 0..<60 {
            let middle = (inner + outer) / 2
            if isInside(center + middle) { inner = middle } else { outer = middle }
        }
        return center + outer
    }

    // MARK: variances

    /// The interval of `squares / count - (sum / count)^2`, which lies between 0 and `largest`.
    func variance(
        sum: (LinearForm, Double), squares: (LinearForm, Double), count: (LinearForm, Double), largest: Double
    ) -> Interval {
        let mean = ratio(sum.0, value: sum.1, over: count.0, value: count.1, level: .half)
        let second = ratio(squares.0, value: squares.1, over: count.0, value: count.1, level: .half)
        guard mean.lower.isFinite, mean.upper.isFinite, second.lower.isFinite, second.upper.isFinite else {
            return .unbounded
        }
        let greatest = Swift.max(mean.lower * mean.lower, mean.upper * mean.upper)
        let crossesZero = mean.lower <= 0 && mean.upper >= 0
        let least = crossesZero ? 0 : Swift.min(mean.lower * mean.lower, mean.upper * mean.upper)
        return Interval(lower: second.lower - greatest, upper: second.upper - least).within(0, largest)
    }

    // MARK: sums of Laplace noise

    /// P(|X| > h) for a sum of independent Laplace variables, by partial fractions of its characteristic function
    /// (distinct scales; near ones are widened apart, which only widens the interval).
    static func laplaceTail(_ h: Double, _ scales: [Double]) -> Double {
        let scales = separated(scales)
        if scales.isEmpty { return h > 0 ? 0 : 1 }
        var tail = 0.0
        for (i, b) in scales.enumerated() {
            var weight = 1.0
            for (j, other) in scales.enumerated() where j != i {
                let ratio = other / b
                weight /= 1 - ratio * ratio
            }
            tail += weight * exp(-h / b)
        }
        return Swift.min(Swift.max(tail, 0), 1)
    }

    /// More terms than partial fractions stay accurate for are bounded by Chernoff's inequality instead.
    private static let largestFraction = 5

    private static func separated(_ scales: [Double]) -> [Double] {
        let largest = scales.max() ?? 0
        guard largest > 0 else { return [] }
        var result: [Double] = []
        for scale in scales.sorted() where scale > largest * 1e-9 {
            result.append(Swift.max(scale, (result.last ?? 0) * 1.02))
        }
        return result
    }

    static func laplaceHalfWidth(_ scales: [Double], _ errorProbability: Double) -> Double {
        let positive = separated(scales)
        guard let largest = positive.last else { return 0 }
        if positive.count > largestFraction { return chernoff(positive, errorProbability) }
        var low = 0.0
        var high = largest
        while laplaceTail(high, positive) > errorProbability { high *= 2 }
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if laplaceTail(middle, positive) > errorProbability { low = middle } else { high = middle }
        }
        return high
    }

    /// The least h with `2 exp(-t h) prod 1 / (1 - t^2 b^2) <= p` over a grid of t.
    private static func chernoff(_ scales: [Double], _ p: Double) -> Double {
        let largest = scales.max() ?? 0
        return (1..<100).map { step -> Double in
            let t = Double(step) / 100 / largest
            let logMoment = scales.reduce(0) { $0 - log1p(-t * t * $1 * $1) }
            return (logMoment + log(2 / p)) / t
        }.min() ?? .infinity
    }
}
