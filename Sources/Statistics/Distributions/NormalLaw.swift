#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The standard normal law.
enum NormalLaw {
    /// P(Z > z).
    static func upperTail(_ z: Double) -> Double { erfc(z / 2.0.squareRoot()) / 2 }

    /// P(|Z| > z) for z >= 0.
    static func outside(_ z: Double) -> Double { erfc(z / 2.0.squareRoot()) }

    /// The z with P(Z <= z) = p: infinite at 0 and 1, NaN outside.
    static func quantile(_ p: Double) -> Double {
        guard p > 0 && p < 1 else { return p == 0 ? -.infinity : p == 1 ? .infinity : .nan }
        // From the smaller tail, where erfc keeps its digits; then bisection, until neighbouring numbers are left.
        let tail = min(p, 1 - p)
        var (low, high) = (0.0, 40.0)
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if upperTail(middle) > tail { low = middle } else { high = middle }
        }
        let z = (low + high) / 2
        return p < 0.5 ? -z : z
    }

    /// The z with P(|Z| <= z) = confidence.
    static func criticalValue(confidence: Double) -> Double { quantile((1 + confidence) / 2) }
}
