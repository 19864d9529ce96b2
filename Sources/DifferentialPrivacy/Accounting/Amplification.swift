#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What sampling and shuffling add to a mechanism's privacy.
public enum Amplification {
    /// `ln(1 + rate (e^epsilon - 1))`, rounded up: the epsilon of an epsilon-differentially private mechanism on a sample.
    static func sampledEpsilon(_ epsilon: Double, rate: Double) -> Double {
        guard epsilon > 0 && rate > 0 else { return 0 }
        guard rate < 1 else { return epsilon }
        // For large epsilons the exponential would overflow: ln(rate) + epsilon + ln(1 + (1 - rate) e^-epsilon / rate).
        let amplified =
            epsilon < 30
            ? log1p(rate * expm1(epsilon)) : log(rate) + epsilon + log1p((1 - rate) / rate * exp(-epsilon))
        guard amplified.isFinite else { return epsilon }
        return min(epsilon, max(0, OutwardRounding.up(amplified + 0x1p-48 * epsilon * (epsilon < 30 ? 0 : 1))))
    }
}
