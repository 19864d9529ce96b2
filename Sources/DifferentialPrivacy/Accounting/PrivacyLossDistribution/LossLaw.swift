#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A pair (P, Q) of output laws, by the law of its privacy loss ln(dP/dQ): P is with a unit's data, Q without. Every pair
/// here is symmetric: (Q, P) has the same curve of delta by epsilon.
struct LossLaw: Hashable {
    var density: Density
    var atoms: [Atom] = []
    /// The mass under P where Q has none, and the reverse.
    var infinite = 0.0
    /// A bound on the mass that atoms leave out at either end.
    var omitted = 0.0

    struct Atom: Hashable {
        let loss: Double
        /// Masses under P and Q.
        let p: Double
        let q: Double
    }

    /// The part that is not in single atoms.
    enum Density: Hashable {
        case none
        /// N(mu, 1) and N(0, 1); the loss at z is mu z - mu^2 / 2.
        case gaussian(mu: Double)
        /// On losses from -bound to bound: `weight` exp(l/2) / 2 under P and `weight` exp(-l/2) / 2 under Q.
        case exponential(bound: Double, weight: Double)
        /// Atoms at (2y - steps) unit for y in 1..<steps: `(1 - a) / (1 + a) a^(steps - y)` under P with a = exp(-unit),
        /// and a^y instead under Q.
        case lattice(steps: Double, unit: Double)
    }
}

// MARK: - Masses

extension LossLaw {
    /// Losses beyond which at most `cut` lies, under either of P and Q, at either end.
    func reach(cut: Double) -> Double {
        var reach = atoms.reduce(0) { max($0, abs($1.loss)) }
        switch density {
        case .none: break
        case .gaussian(let mu): reach = max(reach, mu * mu / 2 + mu * Self.gaussianReach(cut: cut))
        case .exponential(let bound, _): reach = max(reach, bound)
        case .lattice(let steps, let unit): reach = max(reach, steps * unit)
        }
        return reach
    }

    /// A z with P(Z > z) <= cut for a standard normal Z, by `exp(-z^2/2) / 2`; also for a discrete Gaussian, over sigma,
    /// but for the factor 2 (it is sub-Gaussian: Canonne, Kamath and Steinke 2020, lemma 27 in the full version).
    static func gaussianReach(cut: Double) -> Double {
        (-2 * log(cut)).squareRoot() * (1 + 0x1p-40)
    }

    /// A point where the loss has that value, in the coordinate of `mass(between:and:)`.
    func coordinate(loss: Double) -> Double {
        switch density {
        case .gaussian(let mu): return loss / mu + mu / 2
        case .exponential(let bound, _): return min(max(loss, -bound), bound)
        case .lattice(let steps, let unit):
            // The first y whose loss is not below; a loss that is an atom's but for rounding counts as that atom's.
            let y = (loss / unit + steps) / 2
            let nearest = y.rounded()
            let first = abs(y - nearest) <= (abs(y) + steps) * 0x1p-49 ? nearest : y.rounded(.up)
            return min(max(first, 1), max(1, steps))
        case .none: return loss
        }
    }

    /// The masses of the density between two coordinates under P and under Q.
    @inline(__always)
    func mass(between a: Double, and b: Double) -> (p: Double, q: Double) {
        switch density {
        case .none: return (0, 0)
        case .gaussian(let mu): return (Self.normalMass(a - mu, b - mu), Self.normalMass(a, b))
        case .exponential(_, let weight):
            guard b > a else { return (0, 0) }
            return (weight * exp(a / 2) * expm1((b - a) / 2), -weight * exp(-a / 2) * expm1((a - b) / 2))
        case .lattice(let steps, let unit):
            guard b > a else { return (0, 0) }
            // A geometric sum over y in a ..< b.
            let scale = -expm1(-(b - a) * unit) / (1 + exp(-unit))
            return (scale * exp(-(steps - b + 1) * unit), scale * exp(-a * unit))
        }
    }

    /// P(a < Z < b) of a standard normal Z, to a relative error below (a^2 + b^2 + 64) 2^-49 where that is below 1.
    ///
    /// On a narrow interval by the Taylor series about its middle m: the density's next derivative there leaves
    /// (|m| + 1)^6 d^6 / 300,000 < 2^-50. On a wide one by the tails on its side, whose difference is at least their
    /// fiftieth part.
    static func normalMass(_ a: Double, _ b: Double) -> Double {
        let width = b - a
        guard width > 0 else { return 0 }
        let middle = a + width / 2
        if (abs(middle) + 1) * width <= 0.02 {
            let square = middle * middle
            let second = (square - 1) / 24
            let fourth = (square * square - 6 * square + 3) / 1920
            let w = width * width
            return exp(-square / 2) * width * (1 + w * (second + w * fourth)) * 0.39894228040143267794
        }
        let root = 0.70710678118654752440
        if a >= 0 { return (erfc(a * root) - erfc(b * root)) / 2 }
        if b <= 0 { return (erfc(-b * root) - erfc(-a * root)) / 2 }
        return 1 - erfc(-a * root) / 2 - erfc(b * root) / 2
    }
}

// MARK: - The pairs of mechanisms

extension LossLaw {
    static func gaussian(mu: Double) -> LossLaw { LossLaw(density: .gaussian(mu: mu)) }

    /// Laplace noise of scale 1/epsilon on a vector that changes by at most 1 in L1.
    ///
    /// The pair is Lap(epsilon), Lap(0) of scale 1: E_epsilon. Its curve is delta(e) = 1 - exp((e - epsilon)/2) for
    /// |e| <= epsilon. A vector whose entries change by d_1, d_2, ... gives the product of E_{d_i}; that it is
    /// dominated by E of the sum needs, by induction, only
    /// that E_a x E_c is dominated by E_{a+c}. Let G = exp((e - a - c)/2), and L the loss of E_a under P. Then the
    /// product's curve is E[delta_c(e - L)], where delta_c(x) = 1 - exp((x - c)/2) within |x| <= c. Were that so
    /// everywhere, the expectation would be 1 - exp((e - c)/2) E[exp(-L/2)] = 1 - G (1 + a/2). Beyond x > c, where delta_c
    /// is 0, that is too low by exp((x - c)/2) - 1, in expectation G w/4 with w = max(0, e - c + a): the atom of L at -a
    /// (mass exp(-a)/2) and the density exp((l - a)/2)/4 add up to it. Beyond x < -c, likewise, G w'/4 with
    /// w' = max(0, a - e - c). For |e| <= a + c, w + w' <= 2a, so that the curve is at most 1 - G: that of E_{a+c}.
    static func laplace(epsilon: Double) -> LossLaw {
        guard epsilon > 0 else { return pure(epsilon: 0) }
        let half = exp(-epsilon) / 2
        return LossLaw(
            density: .exponential(bound: epsilon, weight: exp(-epsilon / 2) / 2),
            atoms: [Atom(loss: -epsilon, p: half, q: 0.5), Atom(loss: epsilon, p: 0.5, q: half)])
    }

    /// Discrete Laplace noise of scale 1/unit on an integer vector that changes by at most `steps` in L1.
    ///
    /// The pair of one entry that changes by d has its atoms at (2y - d) unit, y in 0...d, and there the curve
    /// delta = 1 - exp((e - d unit)/2), as the Laplace law's. A product's atoms lie on the lattice of the sum's, between
    /// whose points both curves are straight in exp(e), so that comparing them on the lattice is enough. There the
    /// argument for `laplace` holds with (1 - r)/(1 + r), r = exp(-unit), in place of half a unit of a.
    static func discreteLaplace(steps: Double, unit: Double) -> LossLaw {
        guard steps >= 1 else { return pure(epsilon: 0) }
        let most = 1 / (1 + exp(-unit))
        let least = exp(-steps * unit) * most
        return LossLaw(
            density: .lattice(steps: steps, unit: unit),
            atoms: [
                Atom(loss: -steps * unit, p: least, q: most), Atom(loss: steps * unit, p: most, q: least),
            ])
    }

    /// Binary randomised response, which dominates every (epsilon, delta)-differentially private mechanism (Kairouz, Oh and
    /// Viswanath 2015, theorem 3.2 and section 6.1).
    static func pure(epsilon: Double, delta: Double = 0) -> LossLaw {
        let likely = (1 - delta) / (1 + exp(-epsilon))
        let unlikely = (1 - delta) * exp(-epsilon) / (1 + exp(-epsilon))
        var atoms = [Atom(loss: epsilon, p: likely, q: unlikely)]
        if epsilon > 0 {
            atoms.insert(Atom(loss: -epsilon, p: unlikely, q: likely), at: 0)
        } else {
            atoms = [Atom(loss: 0, p: 1 - delta, q: 1 - delta)]
        }
        return LossLaw(density: .none, atoms: atoms, infinite: delta)
    }

    /// Any mechanism of bounded range epsilon, such as the exponential mechanism (Durfee and Rogers 2019).
    ///
    /// One whose losses lie in [t - epsilon, t] has at most the curve of the pair with atoms at both ends, which is
    /// (E - e^t)(1 - e^{e - t}) / (E - 1) with E = exp(epsilon) (Dong, Durfee and Rogers 2020, lemma 3.3). The largest over t,
    /// at t = (epsilon + e)/2, is (sqrt(E) - exp(e/2))^2 / (E - 1) for |e| <= epsilon. As a maximum of curves it is the
    /// curve of a pair (Zhu, Dong and Wang 2022, proposition 8), whose loss has the density given here: it dominates all.
    static func boundedRange(epsilon: Double) -> LossLaw {
        guard epsilon > 0 else { return pure(epsilon: 0) }
        return LossLaw(density: .exponential(bound: epsilon, weight: exp(epsilon / 2) / expm1(epsilon)))
    }

    /// Discrete Gaussian noise where one entry changes by 1; the loss at x is (2x - 1) / (2 sigma^2). What lies beyond the
    /// reach of `cut` is left out on either side.
    static func unitDiscreteGaussian(sigma: Double, cut: Double) -> LossLaw {
        let last = (sigma * gaussianReach(cut: cut / 2)).rounded(.up) + 1
        let factor = 1 / (2 * sigma * sigma)
        func weight(_ x: Double) -> Double { exp(-x * x * factor) }
        var normalizer = 0.0
        var x = last
        while x >= 1 {
            normalizer += 2 * weight(x)
            x -= 1
        }
        normalizer += 1
        var atoms: [Atom] = []
        x = -last
        while x <= last + 1 {
            let (p, q) = (weight(x - 1) / normalizer, weight(x) / normalizer)
            atoms.append(Atom(loss: (2 * x - 1) * factor, p: p, q: q))
            x += 1
        }
        return LossLaw(density: .none, atoms: atoms, omitted: cut)
    }
}
