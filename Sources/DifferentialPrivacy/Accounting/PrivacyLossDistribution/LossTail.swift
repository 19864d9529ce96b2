#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// delta by epsilon of a composed law, with every error on the safe side: an upper bound from a pessimistic law, a lower bound
/// from an optimistic one.
///
/// With v the tilted masses, delta(e) = infinite + exp(logScale - theta e) S, S = sum over losses l > e of
/// v(l) exp(-theta (l - e)) (1 - exp(e - l)). A value that is wrong by x changes S by at most x times the largest weight,
/// theta^theta / (1 + theta)^(1 + theta). Blur: were every loss off by at most `blur` (masses likewise, in their logarithm), so
/// that a cell's ratio of masses is off by twice that and its borders once, then delta(e) is at most
/// exp(blur) delta(e - 3 blur) and at least exp(-blur) delta(e + 3 blur).
struct LossTail {
    let composition: LossComposition
    /// The sum of the blurs of all repetitions.
    let blur: Double
    let isUpper: Bool

    /// Sums over the losses from a point on, weighted relative to that point.
    private struct Suffix {
        var place: Int
        /// Of v exp(-theta (l - point)), and of v exp(-(theta + 1) (l - point)).
        var a = 0.0
        var b = 0.0
    }

    private var decay: (a: Double, b: Double) {
        let (theta, step) = (composition.theta, composition.step)
        return (exp(-theta * step), exp(-(theta + 1) * step))
    }

    private func loss(_ place: Int) -> Double { Double(composition.lowest + place) * composition.step }

    private func extend(_ suffix: inout Suffix, by decay: (a: Double, b: Double)) {
        suffix.place -= 1
        let value = composition.values[suffix.place]
        suffix.a = suffix.a * decay.a + value
        suffix.b = suffix.b * decay.b + value
    }

    /// The bound at an epsilon (of the composed law) that lies in the cell below the suffix's point.
    private func bound(_ epsilon: Double, _ suffix: Suffix) -> Double {
        let theta = composition.theta
        let distance = max(0, loss(suffix.place) - epsilon)
        let falling = exp(-theta * distance)
        let sum = falling * (suffix.a - suffix.b * exp(-distance))
        let size = falling * (abs(suffix.a) + abs(suffix.b)) + 2 * composition.error
        let terms = Double(composition.values.count - suffix.place) + 64
        let error = composition.error * exp(LossTilt.logPeak(theta)) * 1.001 + terms * 0x1p-51 * size
        let logFactor = composition.logScale - theta * epsilon
        let slack = composition.logError + blur + (abs(composition.logScale) + abs(theta * epsilon)) * 0x1p-50 + 0x1p-40
        if isUpper {
            let finite = (max(0, sum) + error) * exp(logFactor + slack)
            return min(1, composition.infinite * (1 + 0x1p-40) + finite)
        }
        let finite = max(0, sum - error) * exp(logFactor - slack)
        return min(1, composition.infinite * (1 - 0x1p-40) + finite)
    }

    /// The bound on delta at epsilon.
    func delta(epsilon: Double) -> Double {
        let moved = isUpper ? epsilon - 3 * blur : epsilon + 3 * blur
        var suffix = Suffix(place: composition.values.count)
        let decay = decay
        while suffix.place > 0 && loss(suffix.place - 1) > moved { extend(&suffix, by: decay) }
        return bound(moved, suffix)
    }

    /// The bound on epsilon at delta. Any epsilon at which the bound on delta is at most delta is one from above, and any at
    /// which it is more is one from below: so the search needs no monotony.
    func epsilon(delta: Double) -> Double {
        let least = isUpper ? -3 * blur : 3 * blur
        let decay = decay
        var suffix = Suffix(place: composition.values.count)
        if bound(max(least, loss(suffix.place)), suffix) > delta { return .infinity }
        // Several points at a time, until the bound is exceeded; then singly from the last place where it was not. Few where
        // the tilt is steep: soon below its aim, the errors hide a lower bound.
        let stride = Int(min(64, max(1, 1 / (composition.theta * composition.step))))
        var kept = suffix
        while suffix.place > 0 && loss(suffix.place) > least && bound(loss(suffix.place), suffix) <= delta {
            kept = suffix
            for _ in 0..<min(stride, suffix.place) { extend(&suffix, by: decay) }
        }
        suffix = kept
        while suffix.place > 0 && loss(suffix.place) > least && bound(loss(suffix.place), suffix) <= delta {
            kept = suffix
            extend(&suffix, by: decay)
        }
        var low = max(least, loss(kept.place - 1))
        if kept.place == 0 || loss(kept.place) <= least { low = least }
        if bound(low, kept) <= delta {
            // Only where the window's lowest point was reached, or zero. Below it a lower bound shows nothing: all that
            // it fails to exceed delta at may be missing from the window.
            return isUpper ? max(0, low + 3 * blur) : 0
        }
        var high = max(low, loss(kept.place))
        for _ in 0..<64 where high > low {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { break }
            if bound(middle, kept) > delta { low = middle } else { high = middle }
        }
        return max(0, isUpper ? high + 3 * blur : low - 3 * blur)
    }
}
