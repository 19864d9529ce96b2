#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A law of losses on the points of a grid: `masses[i]` at `(first + i) step`, and the rest at infinity.
///
/// As a mechanism's loss it gives delta(epsilon) = infinite + sum of mass (1 - exp(epsilon - loss)) over greater losses, and
/// composition is convolution. Both grow with each mass and with each loss.
struct GridMasses {
    let step: Double
    var first: Int
    var masses: [Double]
    var infinite: Double
}

extension LossCells {
    /// A law on the grid that dominates the pair: "connect the dots" (Doroshenko, Ghazi, Kamath, Kumar and Manurangsi 2022,
    /// algorithm 1), by cells instead of by values of the curve, which avoids its cancellation.
    ///
    /// Each cell's mass goes to the two ends of the cell so that both P's mass and Q's are kept: with P-mass p, and r as
    /// above, the upper end receives (p - r) / (1 - exp(-step)). That replaces the curve of delta by its chords between
    /// the points of the grid, which are above, since the curve is convex in exp(epsilon). So the pair is a post-processing
    /// of the law (Blackwell), and stays so under composition. What was cut off below is put at the lowest point, and what
    /// was cut off above at infinity: both raise the loss.
    func pessimistic() -> GridMasses {
        let share = -1 / expm1(-step)
        var masses = [Double](repeating: 0, count: p.count + 1)
        for i in 0..<p.count {
            let up = min(p[i], max(0, p[i] - r[i]) * share)
            masses[i] += p[i] - up
            masses[i + 1] += up
        }
        masses[0] += cut
        return GridMasses(step: step, first: first, masses: masses, infinite: min(1, infiniteP + cut))
    }

    /// A law on the grid that the pair dominates.
    ///
    /// Outputs of a cell are merged into one, and of two neighbouring cells fractions are merged into one again, which is
    /// post-processing. Let cell i send the fraction f_i to its upper end and the rest to its lower end. At the point
    /// between cells i - 1 and i meet, from above, an excess (1 - f_i) (p_i - r_i) of P-mass over what the point's loss
    /// asks for, and from below a lack f_{i-1} (exp(step) r_{i-1} - p_{i-1}). If the excess covers the lack, the merged loss is at
    /// least the point's, and lowering it to the point keeps the bound. If not, only as much is merged as the
    /// excess covers, and the rest goes down to the lower end of its own cell, below its loss. Leaving out what was cut off
    /// lowers the sum further.
    ///
    /// That holds for any fractions. These make excess and lack equal almost everywhere, so that nothing is lost in first
    /// order: f is solved for from both ends towards the largest cell, the direction in which its errors shrink.
    func optimistic() -> GridMasses {
        let count = p.count
        let growth = expm1(step)
        // No more than the cell's width allows, also where r is too small for a number.
        let most = -expm1(-step)
        func excess(_ i: Int) -> Double { min(p[i] * most, max(0, p[i] - r[i])) }
        func lack(_ i: Int) -> Double { max(0, r[i] * growth - (p[i] - r[i])) }
        let up = fractions(excess: excess, lack: lack)
        var masses = [Double](repeating: 0, count: count + 1)
        masses[0] = p.isEmpty ? 0 : (1 - up[0]) * p[0]
        for i in 1..<max(2, count + 1) where i <= count {
            let rising = up[i - 1] * p[i - 1]
            let needed = up[i - 1] * lack(i - 1)
            let available = i < count ? (1 - up[i]) * excess(i) : 0
            let merged = needed <= available ? 1 : available / needed
            masses[i] += (i < count ? (1 - up[i]) * p[i] : 0) + merged * rising
            masses[i - 1] += (1 - merged) * rising
        }
        return GridMasses(step: step, first: first, masses: masses, infinite: infiniteP)
    }

    private func fractions(excess: (Int) -> Double, lack: (Int) -> Double) -> [Double] {
        let count = p.count
        var up = [Double](repeating: 0, count: count)
        guard count > 1, let largest = p.indices.max(by: { p[$0] < p[$1] }) else { return up }
        func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? min(1, a / b) : 1 }
        var below = ratio(excess(1) / 2, lack(0))
        up[0] = below
        for i in stride(from: 1, to: largest, by: 1) {
            below = 1 - ratio(below * lack(i - 1), excess(i))
            up[i] = below
        }
        var above = 0.5
        for i in stride(from: count - 2, through: largest, by: -1) {
            above = ratio((1 - above) * excess(i + 1), lack(i))
            up[i] = above
        }
        return up
    }
}
