public import DifferentialPrivacy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A noisy table of events and censorings, and what follows from it.
public struct NoisySurvival: Sendable, Hashable {
    /// What was counted.
    public let task: SurvivalTask
    /// The released integers, in the task's order; some may be negative.
    public let noisy: [Int64]
    /// The noise that is in them.
    public let noise: AddedNoise

    init(task: SurvivalTask, noisy: [Int64], noise: AddedNoise) {
        self.task = task
        self.noisy = noisy
        self.noise = noise
    }

    /// The noisy number of events of a group in a bin.
    public func events(group: Int, bin: Int) -> Int64 { noisy[group * task.stride + bin] }

    /// The noisy number of rows of a group that are censored in a bin.
    public func censored(group: Int, bin: Int) -> Int64 { noisy[group * task.stride + task.bins + bin] }

    /// The noisy number of rows of a group that are seen beyond the last edge.
    public func beyond(group: Int) -> Int64 { noisy[group * task.stride + 2 * task.bins] }

    /// The noisy number at risk where each bin of a group begins: all who leave in it or later, or are seen beyond.
    public func atRisk(group: Int) -> [Double] {
        var remaining = Double(beyond(group: group))
        var counts = [Double](repeating: 0, count: task.bins)
        for bin in (0..<task.bins).reversed() {
            remaining += Double(events(group: group, bin: bin)) + Double(censored(group: group, bin: bin))
            counts[bin] = remaining
        }
        return counts
    }

    /// What of a bin's censored rows counts as at risk in it.
    var censoredShare: Double { task.censoring == .middle ? 0.5 : 1 }

    /// At risk through each bin: without the part of those who are censored in it.
    func exposed(group: Int) -> [Double] {
        let away = 1 - censoredShare
        return zip(atRisk(group: group), 0..<task.bins).map { $0 - away * Double(censored(group: group, bin: $1)) }
    }

    /// The standard deviation of the noise in the number at risk in a bin, of one group.
    func riskDeviation(bin: Int) -> Double { (Double(2 * (task.bins - bin) + 1) * noise.variance).squareRoot() }
}

/// A survival curve at one bin's end.
public struct SurvivalPoint: Sendable, Hashable {
    /// The bin's upper edge.
    public let end: Double
    /// The noisy number at risk where the bin begins.
    public let atRisk: Double
    /// The noisy number of events in the bin.
    public let events: Int64
    /// The estimated probability to be without the event beyond the bin; nil from the first bin on whose noisy number
    /// at risk does not tell it from none.
    public let survival: Double?
    /// The standard deviation of the estimate by who was sampled (Greenwood's); nil with it.
    public let samplingDeviation: Double?
    /// The standard deviation of the estimate by the noise, to first order; nil with it.
    public let noiseDeviation: Double?
    /// Holds the population's probability, sampling and noise in it; nil with the estimate.
    public let interval: ConfidenceInterval?
}

/// A survival curve of one group.
public struct SurvivalCurve: Sendable, Hashable {
    /// The group.
    public let group: Int
    /// One for each bin.
    public let points: [SurvivalPoint]
    /// The first edge beyond which at most half survive; nil where the curve stays above.
    public let median: Double?
    /// Holds the population's median, from a bin's lower to a bin's upper edge, unbounded above where the curve's
    /// interval does not fall below one half; nil where there is no interval at all.
    public let medianInterval: ConfidenceInterval?

    /// The survival at an edge's time, from the bins that end at or before it: 1 before the first bin's end.
    public func survival(at time: Double) -> Double? {
        guard let last = points.last(where: { $0.end <= time }) else { return 1 }
        return last.survival
    }
}

extension NoisySurvival {
    /// A bin is used while the noisy numbers at risk up to it are above so many standard deviations of their noise.
    static let leastRisk = 3.0

    /// The survival curve of a group, with intervals of that confidence at each point. Throws for another group, or a
    /// confidence that is not above 0 and below 1.
    ///
    /// Estimate: the product of 1 - d / n (Kaplan and Meier 1958) of noisy numbers as they are, then the nearest curve
    /// that does not rise, within 0 and 1 (least squares): that brings it no further from any such curve in the sum of
    /// squares, and, unlike counts cut at zero, adds no bias bin by bin. Noisy events are on average the true ones,
    /// whatever is rare.
    ///
    /// Intervals: Greenwood's variance, and the noise's by its derivative in each of the noisy integers. Both are put
    /// to the test whether a probability s is refused: (estimate - s)^2 <= z^2 (s (1 - s) / m + noise), with m the
    /// number of rows whose share would have Greenwood's variance (Rothman 1978; Wilson 1927), so that ends stay within
    /// 0 and 1 and there is an interval where no event was seen. Rows are taken as independent, also those of one unit.
    public func curve(group: Int = 0, confidence: Double = 0.95) throws(MechanismError) -> SurvivalCurve {
        guard (0..<task.groups).contains(group) else { throw .parameter("group", expected: "one of the task's groups") }
        guard confidence > 0 && confidence < 1 else {
            throw .parameter("confidence", expected: "a number above 0 and below 1")
        }
        let terms = productTerms(group)
        let fitted = IsotonicFit.falling(terms.map(\.product)).map { min(max($0, 0), 1) }
        let atRisk = atRisk(group: group)
        let points = (0..<task.bins).map { bin in
            point(
                group: group, bin: bin, term: bin < terms.count ? terms[bin] : nil,
                Point(
                    survival: bin < terms.count ? fitted[bin] : 0, atRisk: atRisk[bin], confidence: confidence))
        }
        return SurvivalCurve(
            group: group, points: points, median: median(points), medianInterval: medianInterval(points))
    }

    private struct Point {
        var survival: Double
        var atRisk: Double
        var confidence: Double
    }

    private func point(group: Int, bin: Int, term: ProductTerm?, _ found: Point) -> SurvivalPoint {
        let end = task.edges[bin + 1]
        let events = events(group: group, bin: bin)
        guard let term else {
            return SurvivalPoint(
                end: end, atRisk: found.atRisk, events: events, survival: nil, samplingDeviation: nil,
                noiseDeviation: nil, interval: nil)
        }
        let s = found.survival
        return SurvivalPoint(
            end: end, atRisk: found.atRisk, events: events, survival: s,
            samplingDeviation: s * max(0, term.greenwood).squareRoot(),
            noiseDeviation: term.noiseVariance.squareRoot(),
            interval: interval(s, term, confidence: found.confidence))
    }

    private func interval(_ s: Double, _ term: ProductTerm, confidence: Double) -> ConfidenceInterval {
        let z = NormalLaw.criticalValue(confidence: confidence)
        let sampled = s * s * term.greenwood
        let share = s * (1 - s)
        let rows = share > 0 && sampled > 0 ? share / sampled : term.exposed
        let m = min(max(rows, term.exposed), max(term.atStart, term.exposed))
        let zNoise = noise.criticalValue(confidence: confidence)
        // (s - p)^2 <= z^2 p (1 - p) / m + c: (1 + q) p^2 - (2 s + q) p + s^2 - c <= 0, q = z^2 / m.
        let q = z * z / m
        let c = zNoise * zNoise * term.noiseVariance
        let b = 2 * s + q
        let root = max(0, b * b - 4 * (1 + q) * (s * s - c)).squareRoot()
        let (lower, upper) = ((b - root) / (2 * (1 + q)), (b + root) / (2 * (1 + q)))
        return ConfidenceInterval(lower: max(0, min(lower, s)), upper: min(1, max(upper, s)))
    }

    private func median(_ points: [SurvivalPoint]) -> Double? {
        points.first { ($0.survival ?? 1) <= 0.5 }?.end
    }

    /// All times whose survival's interval holds one half (Brookmeyer and Crowley 1982), to whole bins.
    private func medianInterval(_ points: [SurvivalPoint]) -> ConfidenceInterval? {
        let known = points.prefix { $0.interval != nil }
        guard !known.isEmpty else { return nil }
        let first = known.firstIndex { ($0.interval?.lower ?? 1) <= 0.5 } ?? known.endIndex
        let last = known.firstIndex { ($0.interval?.upper ?? 1) < 0.5 }
        return ConfidenceInterval(
            lower: task.edges[first], upper: last.map { max(task.edges[$0 + 1], task.edges[first]) } ?? .infinity)
    }
}

/// The product up to a bin, and its variances.
struct ProductTerm {
    var product: Double
    /// Greenwood's sum: the sampling variance over the squared product.
    var greenwood: Double
    /// Of the product.
    var noiseVariance: Double
    /// At risk through the bin, and at the first one's beginning.
    var exposed: Double
    var atStart: Double
}

extension NoisySurvival {
    /// For the bins whose numbers at risk are clear, the product and its variances.
    ///
    /// With n the numbers exposed and d the events, `log S_j = sum of log(1 - d / n)` moves by `-a_l` in the events of
    /// bin l up to j, a = 1 / (n - d), and by `b_k = d / (n (n - d))` in each n_k; and a row that leaves in bin l
    /// counts in n_k for k < l whole, in n_l whole, or censored in part.
    func productTerms(_ group: Int) -> [ProductTerm] {
        let exposed = exposed(group: group)
        var terms: [ProductTerm] = []
        var product = 1.0
        var greenwood = 0.0
        // The sum of b up to a bin, and over the bins so far of the squared derivatives of log S in their own integers.
        var sumB = 0.0
        var squares = 0.0
        for bin in 0..<task.bins {
            let (n, d) = (exposed[bin], Double(events(group: group, bin: bin)))
            guard n > 0, n > Self.leastRisk * riskDeviation(bin: bin) else { break }
            // Everybody's event leaves half a row, where a logarithm is needed.
            let share = min(max(d / n, 0), 1 - 0.5 / max(n, 1))
            let left = n * (1 - share)
            let b = share / left
            product *= max(0, 1 - d / n)
            greenwood += b
            sumB += b
            let (ofEvent, ofCensored) = (sumB - 1 / left, sumB - (1 - censoredShare) * b)
            squares += ofEvent * ofEvent + ofCensored * ofCensored
            let later = Double(2 * (task.bins - 1 - bin) + 1) * sumB * sumB
            // Where the product is nothing, its derivative is what the bins before left.
            let scale = max(product, (terms.last?.product ?? 1) * (1 - share))
            terms.append(
                ProductTerm(
                    product: product, greenwood: greenwood,
                    noiseVariance: scale * scale * noise.variance * (squares + later), exposed: n, atStart: exposed[0]))
        }
        return terms
    }
}

/// Least squares under an order.
enum IsotonicFit {
    /// The nearest sequence that does not rise (pool adjacent violators: Ayer et al. 1955).
    static func falling(_ values: [Double]) -> [Double] {
        var pools: [(sum: Double, count: Int)] = []
        for value in values {
            pools.append((value, 1))
            while pools.count > 1, let last = pools.last,
                pools[pools.count - 2].sum * Double(last.count)
                    < last.sum * Double(pools[pools.count - 2].count)
            {
                pools.removeLast()
                pools[pools.count - 1].sum += last.sum
                pools[pools.count - 1].count += last.count
            }
        }
        return pools.flatMap { Array(repeating: $0.sum / Double($0.count), count: $0.count) }
    }
}
