#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What sampling and shuffling add to a mechanism's privacy; every result is rounded up.
public enum Amplification {
    /// An (epsilon, delta)-differentially private mechanism on a Poisson sample of that rate, for add/remove neighbours:
    /// (ln(1 + rate (e^epsilon - 1)), rate delta) (Balle, Barthe and Gaboardi 2018, theorem 8). Throws for parameters out
    /// of range.
    public static func poisson(
        epsilon: Double, delta: Double = 0, rate: Double
    ) throws(MechanismError) -> (epsilon: Double, delta: Double) {
        try check(epsilon: epsilon, delta: delta)
        guard rate >= 0 && rate <= 1 else { throw .parameter("rate", expected: "a probability, from 0 to 1") }
        return (sampledEpsilon(epsilon, rate: rate), sampledDelta(delta, rate: rate))
    }

    /// The same on a sample of fixed size without replacement, for replace-one neighbours (theorem 9 there).
    public static func fixedSize(
        epsilon: Double, delta: Double = 0, sampleSize: Int, populationSize: Int
    ) throws(MechanismError) -> (epsilon: Double, delta: Double) {
        try check(epsilon: epsilon, delta: delta)
        guard sampleSize >= 1 else { throw .parameter("sample size", expected: "a positive number") }
        guard populationSize >= sampleSize else {
            throw .parameter("population size", expected: "at least the sample size")
        }
        let rate = min(1, PrivacyEvent.ratioRoundedUp(Double(sampleSize), Double(populationSize)))
        return (sampledEpsilon(epsilon, rate: rate), sampledDelta(delta, rate: rate))
    }

    private static func check(epsilon: Double, delta: Double) throws(MechanismError) {
        guard epsilon >= 0 && epsilon.isFinite else {
            throw .parameter("epsilon", expected: "a finite number that is not negative")
        }
        try AccountantArgument.check(delta: delta)
    }

    /// `ln(1 + rate (e^epsilon - 1))`, rounded up; never more than epsilon.
    static func sampledEpsilon(_ epsilon: Double, rate: Double) -> Double {
        guard epsilon > 0 && rate > 0 else { return 0 }
        guard rate < 1 else { return epsilon }
        if epsilon < 30 { return min(epsilon, OutwardRounding.up(log1p(rate * expm1(epsilon)))) }
        // The exponential could overflow: ln(rate) + epsilon + ln(1 + (1 - rate) e^-epsilon / rate).
        let amplified = log(rate) + epsilon + log1p((1 - rate) / rate * exp(-epsilon))
        guard amplified.isFinite else { return epsilon }
        return min(epsilon, OutwardRounding.up(amplified + 0x1p-48 * (epsilon - log(rate))))
    }

    private static func sampledDelta(_ delta: Double, rate: Double) -> Double {
        delta == 0 || rate == 0 ? 0 : rate == 1 ? delta : OutwardRounding.up(rate * delta)
    }
}
