#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The least value of a function of the order that has one valley, in few evaluations: each costs a numerical integral
/// where there is sampling.
enum OrderSearch {
    /// Orders from 1 + 1e-7 to 1e9, by the logarithm of order - 1.
    private static let range = (low: -16.0, high: 20.7)

    /// Walks downhill from `order - 1 = start` in growing steps until the valley is between two places, then narrows by
    /// parabolas, and by golden section where those fail (Brent 1973, chapter 5).
    static func least(from start: Double, _ value: (Double) -> Double) -> (order: Double, value: Double) {
        func at(_ x: Double) -> Double {
            let y = value(1 + exp(x))
            return y.isNaN ? .infinity : y
        }
        var middle = min(max(start.isFinite ? log(start) : 0, range.low), range.high)
        var atMiddle = at(middle)
        var step = 0.4
        var left = max(range.low, middle - step)
        var atLeft = at(left)
        var right = middle
        if atLeft < atMiddle || !atMiddle.isFinite {
            // Downhill to the left, or out of an infinite part.
            (right, middle, atMiddle) = (middle, left, atLeft)
            while middle > range.low {
                step *= 1.6
                left = max(range.low, middle - step)
                atLeft = at(left)
                guard atLeft < atMiddle || !atLeft.isFinite else { break }
                (right, middle, atMiddle) = (middle, left, atLeft)
            }
        } else {
            right = min(range.high, middle + step)
            var atRight = at(right)
            while atRight < atMiddle && right < range.high {
                (left, middle, atMiddle) = (middle, right, atRight)
                step *= 1.6
                right = min(range.high, middle + step)
                atRight = at(right)
            }
            if atRight < atMiddle { (middle, atMiddle) = (right, atRight) }
        }
        let best = narrow(from: left, to: right, best: (middle, atMiddle), at)
        return (1 + exp(best.x), best.value)
    }

    /// Until the place is known to 1e-5: the value is flat there, so that it is right to about 1e-10.
    private static func narrow(
        from left: Double, to right: Double, best start: (x: Double, value: Double), _ at: (Double) -> Double
    ) -> (x: Double, value: Double) {
        let golden = (3 - 5.0.squareRoot()) / 2
        let tolerance = 1e-5
        var (low, high) = (left, right)
        var best = start
        var (second, third) = (best, best)
        var (step, before) = (0.0, 0.0)
        for _ in 0..<60 {
            let centre = (low + high) / 2
            guard abs(best.x - centre) > 2 * tolerance - (high - low) / 2 else { break }
            let parabola = parabolaStep(best, second, third)
            if let parabola, abs(parabola) < abs(before / 2), best.x + parabola > low, best.x + parabola < high {
                (before, step) = (step, parabola)
            } else {
                before = best.x < centre ? high - best.x : low - best.x
                step = golden * before
            }
            let x = best.x + (abs(step) >= tolerance ? step : (step > 0 ? tolerance : -tolerance))
            let trial = (x: x, value: at(x))
            if trial.value <= best.value {
                if x < best.x { high = best.x } else { low = best.x }
                (best, second, third) = (trial, best, second)
            } else {
                if x < best.x { low = x } else { high = x }
                if trial.value <= second.value || second.x == best.x {
                    (second, third) = (trial, second)
                } else if trial.value <= third.value || third.x == best.x || third.x == second.x {
                    third = trial
                }
            }
        }
        return best
    }

    /// From the best place to the vertex of the parabola through three; nil where they have none.
    private static func parabolaStep(
        _ best: (x: Double, value: Double), _ second: (x: Double, value: Double), _ third: (x: Double, value: Double)
    ) -> Double? {
        let r = (best.x - second.x) * (best.value - third.value)
        let q = (best.x - third.x) * (best.value - second.value)
        let numerator = (best.x - third.x) * q - (best.x - second.x) * r
        let denominator = 2 * (q - r)
        let step = -numerator / denominator
        return step.isFinite ? step : nil
    }
}
