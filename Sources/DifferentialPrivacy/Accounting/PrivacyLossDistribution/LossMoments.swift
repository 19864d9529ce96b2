#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Exponential moments of composed laws: ln of the product over laws of (sum of mass exp(theta loss))^times.
struct LossMoments {
    let laws: [(masses: GridMasses, times: Double)]

    /// The logarithm at theta, to a relative error of the moments below 2^-30; infinite masses left out.
    func logarithm(_ theta: Double) -> Double {
        var sum = 0.0
        for (law, times) in laws { sum += times * law.logMoment(theta) }
        return sum
    }

    /// The same laws with masses gathered at fewer points: for searches, whose results are only starting points.
    func gathered() -> LossMoments {
        LossMoments(laws: laws.map { ($0.masses.gathered(max(1, $0.masses.masses.count / 8192)), $0.times) })
    }

    /// The place, between two logarithms, where a function with one valley is least.
    static func leastPlace(_ low: Double, _ high: Double, steps: Int, _ value: (Double) -> Double) -> Double {
        exp(DifferentialPrivacy.leastPlace(from: low, to: high, steps: steps) { value(exp($0)) })
    }
}

extension GridMasses {
    /// ln of the sum of mass exp(theta loss), by powers that are taken anew from the exponential at every 64th point.
    func logMoment(_ theta: Double) -> Double {
        let rises = theta >= 0
        let count = masses.count
        // Counted from the end whose factor is largest.
        let decay = exp(-abs(theta) * step)
        let square = decay * decay
        let lanes = SIMD4(1, decay, square, square * decay)
        let jump = SIMD4(repeating: square * square)
        var sum = SIMD4<Double>.zero
        var start = 0
        masses.withUnsafeBufferPointer { masses in
            while start < count {
                let anchor = exp(-abs(theta) * step * Double(start))
                // What is left is less than that times all mass, and all mass is in the sum's reach.
                if anchor < 1e-280 { break }
                var weight = lanes * anchor
                let end = min(start + 64, count)
                var j = start
                while j + 4 <= end {
                    let i = rises ? count - 1 - j : j
                    let values =
                        rises
                        ? SIMD4(masses[i], masses[i - 1], masses[i - 2], masses[i - 3])
                        : SIMD4(masses[i], masses[i + 1], masses[i + 2], masses[i + 3])
                    sum += weight * values
                    weight *= jump
                    j += 4
                }
                while j < end {
                    sum[0] += masses[rises ? count - 1 - j : j] * weight[j % 4]
                    j += 1
                }
                start = end
            }
        }
        let extreme = rises ? first + count - 1 : first
        return log(sum.sum() + 1e-280) + theta * (Double(extreme) * step)
    }

    /// The mean is kept: each mass is shared between the two points around it.
    func gathered(_ factor: Int) -> GridMasses {
        guard factor > 1 else { return self }
        let start = Int((Double(first) / Double(factor)).rounded(.down))
        let end = Int((Double(first + masses.count) / Double(factor)).rounded(.up))
        var result = [Double](repeating: 0, count: end - start + 2)
        var place = 0
        var within = first - start * factor
        for mass in masses {
            let upper = mass * Double(within) / Double(factor)
            result[place] += mass - upper
            result[place + 1] += upper
            within += 1
            if within == factor { (within, place) = (0, place + 1) }
        }
        return GridMasses(step: step * Double(factor), first: start, masses: result, infinite: infinite)
    }
}
