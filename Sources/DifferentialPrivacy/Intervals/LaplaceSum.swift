#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A sum of independent Laplace variables of given scales, mean zero. Scales of zero take no part.
struct LaplaceSum {
    /// Rising, each at least 2 % above the last: partial fractions need distinct ones, and widening only widens an
    /// interval.
    private let scales: [Double]

    /// More terms than partial fractions stay accurate for are bounded by Chernoff's inequality instead.
    private static let mostFractions = 5

    init(scales: [Double]) {
        let largest = scales.max() ?? 0
        var separated: [Double] = []
        if largest > 0 {
            for scale in scales.sorted() where scale > largest * 1e-9 {
                separated.append(max(scale, (separated.last ?? 0) * 1.02))
            }
        }
        self.scales = separated
    }

    /// P(|X| > h), by partial fractions of the characteristic function `prod 1 / (1 + t^2 b^2)`.
    func tail(_ h: Double) -> Double {
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
        return min(max(tail, 0), 1)
    }

    /// The h with P(|X| > h) = 1 - confidence, rounded up; for more than five terms an upper bound of it.
    func halfWidth(confidence: Double) -> Double {
        guard let largest = scales.last else { return 0 }
        let outside = 1 - confidence
        if scales.count > Self.mostFractions { return chernoff(outside) }
        var low = 0.0
        var high = largest
        while tail(high) > outside { high *= 2 }
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if tail(middle) > outside { low = middle } else { high = middle }
        }
        return high
    }

    /// The least h with `2 exp(-t h) prod 1 / (1 - t^2 b^2) <= p` over a grid of t.
    private func chernoff(_ p: Double) -> Double {
        let largest = scales.max() ?? 0
        return (1..<100).map { step -> Double in
            let t = Double(step) / 100 / largest
            let logMoment = scales.reduce(0) { $0 - log1p(-t * t * $1 * $1) }
            return (logMoment + log(2 / p)) / t
        }.min() ?? .infinity
    }
}
