#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An upper bound on one mechanism's Rényi divergence between neighbours, as a function of the order alpha > 1 (Mironov
/// 2017), rounded up.
indirect enum RenyiCurve: Hashable, Sendable {
    /// rho-zCDP: rho alpha. Gaussian noise, exactly; discrete Gaussian noise; trees of either.
    case linear(rho: Double)
    /// The worst of all epsilon-differentially private mechanisms, randomised response.
    case pure(epsilon: Double)
    /// Laplace noise of scale 1 / epsilon times the sensitivity, exactly.
    case laplace(epsilon: Double)
    /// The worst of bounded range epsilon: exponential mechanisms.
    case boundedRange(epsilon: Double)
    case skellam(l1Sensitivity: Double, sensitivitySquared: Double, variance: Double)
    /// Gaussian noise on a Poisson sample, exactly.
    case poissonGaussian(rate: Double, sigma: Double)
    case poisson(rate: Double, RenyiBase)
    /// One addition of symmetric noise to an integer vector, on a Poisson sample, add/remove.
    ///
    /// Let the noise have independent entries with P(-x) = P(x) > 0, and write P for its law, Q for the same shifted by an
    /// integer vector Delta, M = (1-q) P + q Q, and E_a(A, B) = sum A^a B^(1-a) = exp((a-1) D_a(A || B)).
    ///
    /// *From the mechanism to the pair.* Given everything before (adaptively), let T be the sample of the other units and s_T
    /// the vector that they alone give. Without the unit the output's law is the mixture over T of P about s_T; with it, over
    /// the same T, of P about s_T, with probability 1-q, and about s_T + Delta_T. Since a > 1, E_a is jointly convex (as
    /// x^a y^(1-a) is), so a mixture's is at most that of its worst T; a shift by s_T changes nothing. So the divergence is at
    /// most the largest of D_a(M || P) or D_a(P || M), by direction, over all Delta that the sensitivities allow. What else
    /// Delta depends on (which rows a unit has, how its vector is rounded) is another mixture.
    ///
    /// *M against P.* For a whole order, `E_a(M, P) = sum over j of C(a,j) (1-q)^(a-j) q^j E_j(Q, P)`, with E_0 = E_1 = 1 and
    /// `E_j(Q, P) <= e^((j-1) D(j))` for every bound D(j) on the noise's divergence that holds for all such Delta, since it
    /// rises with each. There is no inequality beside that.
    ///
    /// *P against M is never more* (Mironov, Talwar and Zhang 2019, theorem 5; here for integers, in full). The map
    /// x -> Delta - x is its own inverse and takes P to Q: P(Delta - x) = P(x - Delta) = Q(x). So, with t = Q/P and any h,
    /// `sum P h(t) = sum Q h(1/t) = sum P t h(1/t)`. With w = 1-q+qt, v = 1-q+q/t and g(w) = w^a - w^(1-a),
    ///
    ///     2 (E_a(M, P) - E_a(P, M)) = sum P (g(w) + t g(v)),
    ///
    /// and each term is at least 0. It is enough to take t > 1: for 1/t it is the same, divided by t. Then w > 1 > v, and
    /// g(w) = 2 w^(1/2) sinh(b ln w) with b = a - 1/2. The claim is `w^(1/2) sinh(b ln w) >= t v^(1/2) sinh(b ln(1/v))`. At
    /// b = 1/2 both sides are q (t-1) / 2. And because `w v = (1-q)^2 + q^2 + q (1-q) (t + 1/t) >= 1`, ln w >= ln(1/v), so
    /// that sinh(b ln w) / sinh(b ln(1/v)) rises with b (x coth x rises).
    ///
    /// The second part needs one and the same Delta for all of an output: of several additions, where the second's Delta may
    /// depend on what the first gave, there is no such map, and `poisson` bounds them.
    case poissonSymmetric(rate: Double, RenyiBase)
    case fixedSizeGaussian(rate: Double, sigma: Double)
    case fixedSize(rate: Double, RenyiBase)
    case shuffled(localEpsilon: Double, count: Int)

    /// The divergence of that order, which must exceed 1; infinite where it is no `Double`.
    func divergence(order: Double) -> Double {
        let value: Double
        switch self {
        case .linear(let rho): return OutwardRounding.up(rho * order)
        case .pure(let epsilon): value = Self.pure(epsilon, order)
        case .laplace(let epsilon): value = Self.laplace(epsilon, order)
        case .boundedRange(let epsilon): value = Self.boundedRange(epsilon, order)
        case .skellam(let l1, let l2Squared, let variance):
            value = Self.interpolated(order) {
                Self.skellam(l1: l1, l2Squared: l2Squared, variance: variance, order: $0)
            }
        case .poissonGaussian(let rate, let sigma):
            value = SampledGaussian(rate: rate, sigma: sigma).divergence(order: order)
        case .poisson(let rate, let base): value = SampledCurve.poisson(rate: rate, base: base, order: order)
        case .poissonSymmetric(let rate, let base):
            value = SampledCurve.poissonSymmetric(rate: rate, base: base, order: order)
        case .fixedSizeGaussian(let rate, let sigma):
            value = SampledCurve.fixedSizeGaussian(rate: rate, sigma: sigma, order: order)
        case .shuffled(let localEpsilon, let count):
            let clones = try? ShuffledClones(localEpsilon: localEpsilon, count: count)
            value = clones?.divergence(order: order) ?? Self.pure(localEpsilon, order)
        case .fixedSize(let rate, let base): value = SampledCurve.fixedSize(rate: rate, base: base, order: order)
        }
        return value.isNaN ? .infinity : OutwardRounding.up(value)
    }

    /// Up to where the curve is more than a crude bound: a search for the best order begins below.
    var orderLimit: Double {
        switch self {
        case .poisson, .poissonSymmetric, .fixedSize, .fixedSizeGaussian: SampledCurve.orderLimit
        case .shuffled(let localEpsilon, _): ShuffledClones.orderLimit(localEpsilon)
        case .linear, .pure, .laplace, .boundedRange, .skellam, .poissonGaussian: .infinity
        }
    }

    /// Whether it is known at whole orders only.
    var isInterpolated: Bool {
        switch self {
        case .poisson, .poissonSymmetric, .fixedSize, .fixedSizeGaussian, .skellam: true
        case .linear, .pure, .laplace, .boundedRange, .poissonGaussian, .shuffled: false
        }
    }

    /// What is known at whole orders only, at others: (alpha - 1) times the divergence is convex in alpha (van Erven and
    /// Harremoës 2014, corollary 2) and 0 at 1, so it lies below its chords.
    static func interpolated(_ order: Double, _ atWhole: (Double) -> Double) -> Double {
        let below = order.rounded(.down)
        if below == order { return atWhole(order) }
        let above = atWhole(below + 1)
        guard below > 1 else { return above }
        let weight = order - below
        return ((1 - weight) * (below - 1) * atWhole(below) + weight * below * above) / (order - 1)
    }
}

extension RenyiCurve {
    /// Losses +epsilon and -epsilon, of odds e^epsilon: ln(p e^y + (1 - p) e^-y) / (alpha - 1) for y = (alpha - 1) epsilon,
    /// which is at most epsilon. The argument is 1 + 2 sinh(y/2)^2 + tanh(epsilon/2) sinh(y), without cancellation.
    static func pure(_ epsilon: Double, _ order: Double) -> Double {
        let y = (order - 1) * epsilon
        // The second term is less than the error then.
        guard y < 300 else { return epsilon - log1p(exp(-epsilon)) / (order - 1) }
        let half = sinh(y / 2)
        let excess = 2 * half * half + tanh(epsilon / 2) * sinh(y)
        return min(epsilon, log1p(excess) / (order - 1))
    }

    /// Mironov 2017, proposition 6; its terms of first order cancel, and are left out.
    static func laplace(_ epsilon: Double, _ order: Double) -> Double {
        let y = (order - 1) * epsilon
        let weight = order / (2 * order - 1)
        guard y < 300 else { return epsilon + log(weight) / (order - 1) }
        let excess = weight * Expansion.exponential(y) + (1 - weight) * Expansion.exponential(-order * epsilon)
        return min(epsilon, log1p(excess) / (order - 1))
    }

    /// Losses lie in an interval [t - epsilon, t] (Dong, Durfee and Rogers 2020). Given the interval, the worst law has
    /// both ends only, because x^alpha is convex; the worst t has
    /// e^t = (alpha - 1)(1 - e^(-alpha epsilon)) / (alpha (e^-epsilon - e^(-alpha epsilon))). At most alpha epsilon^2 / 8
    /// (Cesar and Rogers 2021), which small epsilons come near.
    static func boundedRange(_ epsilon: Double, _ order: Double) -> Double {
        let concentrated = order * epsilon * epsilon / 8
        let y = (order - 1) * epsilon
        guard epsilon > 1e-3, y > 1e-3, order * epsilon < 300 else { return min(concentrated, pure(epsilon, order)) }
        let whole = -expm1(-order * epsilon)
        let rest = exp(-epsilon) * -expm1(-y)
        let best = (order - 1) * whole / (order * rest)
        let w = min(max(best, 1), exp(epsilon))
        // ((w^(alpha-1)) whole - w^alpha rest) / (1 - e^-epsilon)
        let top = log(w)
        let logarithm = (order - 1) * top + log((whole - w * rest) / -expm1(-epsilon))
        let bound = (logarithm + 0x1p-46 * (1 + order * epsilon)) / (order - 1)
        return min(concentrated, bound)
    }

    /// Agarwal, Kairouz and Liu 2021, theorem 3.5 and corollary 3.6: for whole orders and integer vectors. Entries are
    /// independent, so their divergences add up; both of the terms of the minimum do, whose sums bound the sum of minima.
    static func skellam(l1: Double, l2Squared: Double, variance: Double, order: Double) -> Double {
        let gaussian = order * l2Squared / (2 * variance)
        let first = ((2 * order - 1) * l2Squared + 6 * l1) / (4 * variance * variance)
        let second = 3 * l1 / (2 * variance)
        return gaussian + min(first, second)
    }
}

/// Functions less their first terms, so that small arguments lose no digits.
enum Expansion {
    /// e^y - 1 - y.
    static func exponential(_ y: Double) -> Double {
        guard abs(y) < 0.02 else { return expm1(y) - y }
        let tail = 1.0 / 24 + y * (1.0 / 120 + y * (1.0 / 720 + y / 5040))
        return y * y * (0.5 + y * (1.0 / 6 + y * tail))
    }

    /// (1 + u)^order - 1 - order u, for u > -1 and an order above 1: never negative.
    static func power(_ u: Double, order: Double) -> Double {
        let logarithm = log1p(u)
        let t = order - 1
        return t * entropy(u, logarithm: logarithm) + (1 + u) * exponential(t * logarithm)
    }

    /// (1 + u) ln(1 + u) - u, for u > -1; `logarithm`: ln(1 + u).
    static func entropy(_ u: Double, logarithm: Double) -> Double {
        guard abs(u) < 0.02 else { return (1 + u) * logarithm - u }
        // The sum of (-u)^k / (k (k - 1)) from 2.
        let tail = 1.0 / 20 - u * (1.0 / 30 - u * (1.0 / 42 - u * (1.0 / 56 - u / 72)))
        return u * u * (0.5 - u * (1.0 / 6 - u * (1.0 / 12 - u * tail)))
    }
}
