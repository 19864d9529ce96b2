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
        try checkShuffle(localEpsilon, count)
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

    fileprivate static func checkShuffle(_ localEpsilon: Double, _ count: Int) throws(MechanismError) {
        guard localEpsilon >= 0 && localEpsilon.isFinite else {
            throw .parameter("local epsilon", expected: "a finite number that is not negative")
        }
        guard count >= 1 && count <= BinomialLaw.countLimit else {
            throw .parameter("count", expected: "a number from 1 to \(BinomialLaw.countLimit)")
        }
    }
}

/// The pair of laws that dominates a shuffled mechanism: of the n - 1 others, C ~ Bin(n - 1, e^-e0) send what the one in
/// question might have sent ("clones"), half of them, A ~ Bin(C, 1/2), as if her value were the first; she adds one more to
/// A with probability p = e^e0 / (1 + e^e0) for the first value, 1 - p for the second. C and A are all that is seen.
///
/// Given C, with m = C + 1 and a of m: the two laws are 2 w (p f + (1 - p)(1 - f)) and 2 w ((1 - p) f + p (1 - f)), where
/// w is the probability of a in Bin(m, 1/2) and f = a / m.
private struct ShuffledClones {
    let p: Double
    let clones: BinomialLaw
    /// So many numbers of clones, which differ by 1e-4 at most, are taken to be the least of them: more clones are never
    /// worse, since adding one is post-processing.
    let blockWidth: Int

    /// Nil where nobody clones: e^-e0 is nothing.
    init?(localEpsilon: Double, count: Int) throws(MechanismError) {
        try Amplification.checkShuffle(localEpsilon, count)
        guard localEpsilon < 40, count > 1 else { return nil }
        p = 1 / (1 + exp(-localEpsilon))
        let rate = exp(-localEpsilon)
        clones = BinomialLaw(count: count - 1, odds: localEpsilon == 0 ? 0x1p60 : rate / -expm1(-localEpsilon))
        let expected = Double(count) * rate
        blockWidth = max(1, Int(min((expected * (1 - rate)).squareRoot() / 4, expected * 1e-4)))
    }

    /// The hockey-stick divergence: a sum of positive terms, and what is left out added.
    func delta(epsilon: Double) -> Double {
        let growth = exp(epsilon)
        // 2 w (u f - v (1 - f)), positive for f above v / (u + v).
        let u = p - growth * (1 - p)
        let v = growth * p - (1 - p)
        guard u > 0 else { return 0 }
        var sum = 0.0
        var left = 0.0
        for start in stride(from: 0, to: clones.terms.count, by: blockWidth) {
            let block = clones.terms[start..<min(start + blockWidth, clones.terms.count)]
            let weight = block.reduce(0, +)
            // What weighs nothing is counted whole.
            if weight < 1e-35 { left += weight } else { sum += weight * excess(clones.first + start + 1, u, v) }
        }
        return min(1, OutwardRounding.up(sum * (1 + 64 * clones.slack) + left + 0x1p-900))
    }

    /// The sum over a of 2 w (u f - v (1 - f)) where that is positive, for m.
    private func excess(_ m: Int, _ u: Double, _ v: Double) -> Double {
        let n = Double(m)
        let first = max(0, Int((n * v / (u + v)).rounded(.down)))
        guard first <= m else { return 0 }
        var weight = BinomialLaw.fairProbability(first, of: m)
        var sum = 0.0
        for a in first...m {
            let f = Double(a) / n
            let term = 2 * weight * (u * f - v * (1 - f))
            if term > 0 { sum += term }
            if term > 0 && term < sum * 0x1p-60 { break }
            if weight == 0 { break }
            weight *= (n - Double(a)) / Double(a + 1)
        }
        return sum * (1 + 0x1p-40)
    }
}
