#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The pair of laws that dominates the shuffled reports of n people, each locally private with epsilon e0 (Feldman,
/// McMillan and Talwar 2021, theorem 3.2).
///
/// Of the n - 1 others, C ~ Bin(n - 1, e^-e0) send what the one in question might have sent ("clones"), half of them,
/// A ~ Bin(C, 1/2), as if her value were the first; she adds one more to A with probability p = e^e0 / (1 + e^e0) for the
/// first value, 1 - p for the second. C and A are all that is seen.
///
/// Given C, with m = C + 1 and a of m: the two laws are 2 w (p f + (1 - p)(1 - f)) and 2 w ((1 - p) f + p (1 - f)), where
/// w is the probability of a in Bin(m, 1/2) and f = a / m. They mirror each other, so that one direction is enough.
struct ShuffledClones {
    private let localEpsilon: Double
    private let p: Double
    private let clones: BinomialLaw
    private let expected: Double

    /// Nil where nobody clones: e^-e0 is nothing, or there is nobody else.
    init?(localEpsilon: Double, count: Int) throws(MechanismError) {
        guard localEpsilon >= 0 && localEpsilon.isFinite else {
            throw .parameter("local epsilon", expected: "a finite number that is not negative")
        }
        guard count >= 1 && count <= BinomialLaw.countLimit else {
            throw .parameter("count", expected: "a number from 1 to \(BinomialLaw.countLimit)")
        }
        guard localEpsilon < 40, count > 1 else { return nil }
        self.localEpsilon = localEpsilon
        p = 1 / (1 + exp(-localEpsilon))
        let rate = exp(-localEpsilon)
        // Odds of 2^60 stand for certainty; fewer clones are on the safe side.
        let odds = localEpsilon > 0 ? min(0x1p60, rate / -expm1(-localEpsilon)) : 0x1p60
        clones = BinomialLaw(count: count - 1, odds: odds)
        expected = Double(count) * rate
    }

    /// The numbers of clones in blocks, and the weight of each. Each block is taken to be its least number: more clones
    /// are never worse, since adding one is post-processing.
    private func sum(blockWidth: Int, _ body: (_ m: Int, _ weight: Double) -> Double) -> Double {
        var total = 0.0
        for start in stride(from: 0, to: clones.terms.count, by: blockWidth) {
            let block = clones.terms[start..<min(start + blockWidth, clones.terms.count)]
            total += body(clones.first + start + 1, block.reduce(0, +))
        }
        return total * (1 + 64 * clones.slack)
    }

    /// The hockey-stick divergence at epsilon, rounded up: sums of positive terms, and what is left out added.
    func delta(epsilon: Double) -> Double {
        let growth = exp(epsilon)
        // 2 w (u f - v (1 - f)), positive for f above v / (u + v).
        let u = p - growth * (1 - p)
        let v = growth * p - (1 - p)
        guard u > 0 else { return 0 }
        let width = max(1, Int(min(expected.squareRoot() / 4, expected * 1e-4)))
        let delta = sum(blockWidth: width) { m, weight in
            weight < 1e-35 ? weight : weight * excess(m, u, v)
        }
        return min(1, OutwardRounding.up(delta + 0x1p-900))
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
            if weight == 0 || (term > 0 && term < sum * 0x1p-60) { break }
            weight *= (n - Double(a)) / Double(a + 1)
        }
        return sum * (1 + 0x1p-40)
    }

    /// Beyond, terms that were left out of the laws could matter: the curve is the local mechanism's.
    static func orderLimit(_ localEpsilon: Double) -> Double { 600 / localEpsilon }

    /// The Rényi divergence, rounded up: E[r^alpha] - 1 for the ratio r of the laws, in positive terms.
    func divergence(order: Double) -> Double {
        guard order <= Self.orderLimit(localEpsilon) else { return RenyiCurve.pure(localEpsilon, order) }
        let deviation = expected.squareRoot()
        let width = max(1, Int(max(deviation / 4, min(deviation, expected * 2e-5))))
        let largest = exp(order * localEpsilon)
        let moment = sum(blockWidth: width) { m, weight in
            weight * largest < 1e-30 ? weight * largest : weight * momentExcess(m, order: order)
        }
        // The law leaves out less than e^-700, and ratios reach e^e0 at most.
        let left = exp(order * localEpsilon - 700)
        return min(RenyiCurve.pure(localEpsilon, order), log1p(moment * (1 + 0x1p-36) + left) / (order - 1))
    }

    /// For m clones and herself: the sum over a of q g(r - 1), g as in `Expansion.power`.
    ///
    /// Numbers a are taken in blocks, for large m of a 128th of a standard deviation, else singly. Within a block the term
    /// without its weight is at most its chord: q and r q are linear in a, and q g(r - 1) is the perspective of a convex
    /// function.
    func momentExcess(_ m: Int, order: Double) -> Double {
        let n = Double(m)
        let lowest = exp(-localEpsilon)
        func value(_ a: Int) -> Double {
            let f = Double(a) / n
            let q = (1 - p) * f + p * (1 - f)
            let u = (2 * p - 1) * (2 * f - 1) / q
            return 2 * q * Expansion.power(max(u, lowest - 1), order: order)
        }
        let middle = m / 2
        let centre = BinomialLaw.fairProbability(middle, of: m)
        // Ratios reach e^(alpha e0) at most; what is beyond, times that, is nothing beside the rest.
        let least = centre * 0x1p-90 * exp(-order * localEpsilon)
        let width = max(1, Int(n.squareRoot() / 256))
        func side(_ direction: Int) -> Double {
            let last = direction > 0 ? m : 0
            var (start, atStart, weight, sum) = (middle, value(middle), centre, 0.0)
            while start != last && weight >= least {
                let length = min(width, abs(last - start))
                let end = start + direction * length
                let atEnd = value(end)
                // Rounding does not add up over more than a block.
                if width > 1 { weight = BinomialLaw.fairProbability(start, of: m) }
                var (mass, moment) = (0.0, 0.0)
                for step in 1...length {
                    let a = Double(start + direction * step)
                    weight *= direction > 0 ? (n - a + 1) / a : (a + 1) / (n - a)
                    mass += weight
                    moment += weight * Double(step)
                }
                sum += mass * atStart + moment / Double(length) * (atEnd - atStart)
                (start, atStart) = (end, atEnd)
            }
            return sum
        }
        return centre * value(middle) + side(1) + side(-1)
    }
}
