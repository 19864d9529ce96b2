#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The masses of a pair (P, Q) in the cells of a grid of losses: cell i holds losses from `(first + i) step` up to the next
/// point of the grid.
struct LossCells {
    let step: Double
    var first: Int
    /// Masses under P.
    var p: [Double]
    /// Masses under Q, times the exponential of the loss at the cell's lower end. Between p and p / exp(step).
    var r: [Double]
    /// At least the masses of infinite loss, of P's and of Q's.
    var infiniteP: Double
    var infiniteQ: Double
    /// A bound on the mass left out at either end, under either law.
    var cut: Double
}

/// A pair, or its Poisson sample: the pair ((1 - rate) Q + rate P, Q).
///
/// If (P, Q) dominates a mechanism when a unit is removed and (Q, P) when it is added, as by symmetry all here do, then
/// this pair dominates the mechanism on a Poisson sample when the unit is removed, and the reverse pair when it is added
/// (Zhu, Dong and Wang 2022, theorem 11). The two differ: both directions are composed, and the worse counts.
struct SampledLaw: Hashable {
    var law: LossLaw
    var rate = 1.0
    /// The mechanism's loss may differ by that much from the pair's, and its probabilities by that factor's exponential.
    var blur = 0.0

    var isSymmetric: Bool { rate == 1 }

    /// The largest loss, and the negative of the least, that are not left out.
    func reach(cut: Double) -> (low: Double, high: Double) {
        let reach = law.reach(cut: cut)
        guard rate < 1 else { return (-reach, reach) }
        // Where only Q had mass, the loss is now ln(1 - rate), below all others.
        let low = law.infinite > 0 ? log1p(-rate) : Self.sampled(loss: -reach, rate: rate)
        return (low, Self.sampled(loss: reach, rate: rate))
    }

    /// ln(1 - rate + rate exp(loss)).
    private static func sampled(loss: Double, rate: Double) -> Double {
        log1p(rate * expm1(loss))
    }

    /// The inverse of that; minus infinity below its range.
    private static func unsampled(loss: Double, rate: Double) -> Double {
        let excess = expm1(loss) + rate
        return excess > 0 ? log(excess / rate) : -.infinity
    }

    /// How far the computed masses' losses, and the logarithms of the masses, may be from the mechanism's.
    ///
    /// A cell's masses have relative errors below (reach z)^2 2^-47 (`LossLaw.normalMass`, and the exponentials). A loss
    /// at a cell's border is recomputed with an error below 2^-48 of the largest intermediate value. Masses that are exact
    /// for a law whose losses differ by a small amount everywhere are as good as exact, if that amount, times the number of
    /// repetitions, is added to epsilon in the end: `LossTail` does that, three times over.
    func blur(cut: Double) -> Double {
        let reach = law.reach(cut: cut)
        var size = 64 + 4 * reach
        if case .gaussian(let mu) = law.density {
            let z = LossLaw.gaussianReach(cut: cut) + mu
            size += z * z + mu * mu
        }
        return blur + size * 0x1p-47
    }

    /// The cells of that width, leaving out at most `cut` at either end.
    func cells(step: Double, cut: Double) -> LossCells {
        let reach = reach(cut: cut)
        let first = Int((reach.low / step).rounded(.down)) - 1
        let last = Int((reach.high / step).rounded(.up)) + 1
        var p = [Double](repeating: 0, count: last - first + 1)
        var q = p
        addDensity(first: first, step: step, &p, &q)
        addAtoms(first: first, step: step, &p, &q)
        var omitted = law.omitted
        if case .gaussian = law.density { omitted = cut }
        return LossCells(
            step: step, first: first, p: p, r: q, infiniteP: rate * law.infinite,
            infiniteQ: rate == 1 ? law.infinite : 0, cut: omitted)
    }

    private func addDensity(first: Int, step: Double, _ p: inout [Double], _ r: inout [Double]) {
        if case .none = law.density { return }
        let sampling = rate < 1
        var before = law.coordinate(loss: Double(first) * step)
        if sampling { before = law.coordinate(loss: Self.unsampled(loss: Double(first) * step, rate: rate)) }
        for i in 0..<p.count {
            let upper = Double(first + i + 1) * step
            let after = law.coordinate(loss: sampling ? Self.unsampled(loss: upper, rate: rate) : upper)
            let mass = law.mass(between: before, and: after)
            p[i] = sampling ? (1 - rate) * mass.q + rate * mass.p : mass.p
            r[i] = mass.q * exp(Double(first + i) * step)
            before = after
        }
    }

    /// Each atom into its cell; one that lies on the grid but for rounding is put on it.
    private func addAtoms(first: Int, step: Double, _ p: inout [Double], _ r: inout [Double]) {
        var atoms = law.atoms
        if rate < 1 {
            atoms = atoms.map { atom in
                let loss = Self.sampled(loss: atom.loss, rate: rate)
                return LossLaw.Atom(loss: loss, p: (1 - rate) * atom.q + rate * atom.p, q: atom.q)
            }
            // Where only Q had mass, P now has its share.
            if law.infinite > 0 {
                let share = LossLaw.Atom(loss: log1p(-rate), p: (1 - rate) * law.infinite, q: law.infinite)
                atoms.append(share)
            }
        }
        for atom in atoms {
            let place = atom.loss / step
            let nearest = place.rounded()
            let isOnGrid = abs(atom.loss - nearest * step) <= max(1, abs(atom.loss)) * 0x1p-46
            let index = Int(isOnGrid ? nearest : place.rounded(.down)) - first
            guard p.indices.contains(index) else { continue }
            p[index] += atom.p
            let excess = isOnGrid ? 0 : atom.loss - Double(first + index) * step
            r[index] += atom.p * exp(-excess)
        }
    }
}

extension LossCells {
    /// The cells of (Q, P), whose losses have the other sign.
    var reversed: LossCells {
        let count = p.count
        var (newP, newR) = (p, r)
        for i in 0..<count {
            newP[count - 1 - i] = r[i] * exp(-Double(first + i) * step)
            newR[count - 1 - i] = p[i] * exp(-Double(first + i + 1) * step)
        }
        return LossCells(
            step: step, first: -(first + count), p: newP, r: newR, infiniteP: infiniteQ, infiniteQ: infiniteP, cut: cut)
    }
}
