#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Shuffling: `count` people each send the output of a mechanism that is locally private with that epsilon, in random
/// order, which is replace-one private with a much smaller epsilon.
extension Amplification {
    /// The closed form of Feldman, McMillan and Talwar 2021, theorem 3.1:
    /// ln(1 + (e^e0 - 1) / (e^e0 + 1) (8 sqrt(e^e0 ln(4 / delta) / n) + 8 e^e0 / n)), which holds for
    /// e0 <= ln(n / (16 ln(2 / delta))); elsewhere the local epsilon. Throws for parameters out of range.
    public static func shuffledClosedForm(
        localEpsilon: Double, count: Int, delta: Double
    ) throws(MechanismError) -> Double {
        _ = try ShuffledClones(localEpsilon: localEpsilon, count: min(count, 2))
        guard delta > 0 && delta < 1 else { throw .parameter("delta", expected: "a number between 0 and 1") }
        let n = Double(count)
        guard localEpsilon <= OutwardRounding.down(log(n / (16 * log(2 / delta)))) else { return localEpsilon }
        let odds = exp(localEpsilon)
        let spread = 8 * (odds * log(4 / delta) / n).squareRoot() + 8 * odds / n
        return min(localEpsilon, OutwardRounding.up(log1p(tanh(localEpsilon / 2) * spread)))
    }

    /// The least epsilon at delta by the numerical bound of Feldman, McMillan and Talwar 2021 (theorem 3.2): smaller than
    /// the closed form's. Throws for parameters out of range, and for more than a billion people.
    public static func shuffledEpsilon(
        localEpsilon: Double, count: Int, delta: Double
    ) throws(MechanismError) -> Double {
        guard delta > 0 && delta < 1 else { throw .parameter("delta", expected: "a number between 0 and 1") }
        guard let clones = try ShuffledClones(localEpsilon: localEpsilon, count: count) else { return localEpsilon }
        var (low, high) = (0.0, localEpsilon)
        if clones.delta(epsilon: 0) <= delta { return 0 }
        while high - low > 1e-6 * high {
            let middle = (low + high) / 2
            if clones.delta(epsilon: middle) <= delta { high = middle } else { low = middle }
        }
        return high
    }

    /// The delta at epsilon by the same bound.
    public static func shuffledDelta(
        localEpsilon: Double, count: Int, epsilon: Double
    ) throws(MechanismError) -> Double {
        try AccountantArgument.check(epsilon: epsilon)
        if epsilon >= localEpsilon { return 0 }
        return try ShuffledClones(localEpsilon: localEpsilon, count: count)?.delta(epsilon: epsilon) ?? 1
    }
}
