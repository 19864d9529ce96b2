public import DifferentialPrivacy

/// Estimates from a sample of strata and clusters, with their design-based variance: how they vary over the samples that the
/// design could have drawn (Wolter 2007, "Introduction to variance estimation", section 2.4, the ultimate cluster
/// estimator; Cochran 1977, "Sampling techniques", chapter 11).
///
/// Released are noisy weighted sums over all rows, which give the estimate, and the same by public primary sampling unit,
/// which are for the variance alone: with t_hc the noisy totals of stratum h, `n_h / (n_h - 1)` times the sum of squared
/// distances from their mean has the expectation of the design's variance and n_h times the variance of the noise, which is
/// known and taken off. Squares of totals are never released: one person moves them by any amount.
///
/// Privacy: a row adds to one total of each kind, by at most its bound, and to one of the primary units'; see ``IntegerLayout``. That holds
/// wherever a person's rows lie; for the variance to be right, all of them must lie in one primary unit. Strata, primary units and
/// fractions are public, and weights are taken as they are (docs/privacy.md, rule 15).
public struct PrivateSurveyEstimate: Sendable {
    /// The strata, in order.
    public let strata: [Stratum]
    /// What is estimated.
    public let quantity: SurveyQuantity
    /// Weights are clipped to 0 and this.
    public let largestWeight: Double
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// What is released.
    public let layout: IntegerLayout
    /// The noise on each integer.
    public let noise: IntegerNoise

    /// Where the primary units of each stratum begin.
    private let firsts: [Int]
    private let primaryUnits: Int

    /// Throws unless there are from 1 to 2^16 primary units in strata of at least 2, fractions are from 0 to below 1, bounds are
    /// finite and rising, the largest weight is positive, `rowsPerUnit` is from 1 to 2^16, and noise for that loss exists.
    public init(
        strata: [Stratum], quantity: SurveyQuantity, largestWeight: Double, rowsPerUnit: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        var firsts: [Int] = []
        var count = 0
        for stratum in strata {
            guard stratum.primaryUnits >= 2 else { throw .parameter("primary units", expected: "at least 2 a stratum") }
            guard stratum.samplingFraction >= 0 && stratum.samplingFraction < 1 else {
                throw .parameter("sampling fraction", expected: "a number from 0 to below 1")
            }
            firsts.append(count)
            guard stratum.primaryUnits <= 1 << 16, count + stratum.primaryUnits <= 1 << 16 else {
                throw .parameter("primary units", expected: "at most 65,536 together")
            }
            count += stratum.primaryUnits
        }
        guard count > 0 else { throw .parameter("strata", expected: "at least one") }
        guard largestWeight > 0 && largestWeight.isFinite else {
            throw .parameter("largest weight", expected: "a positive number")
        }
        guard (1...(1 << 16)).contains(rowsPerUnit) else {
            throw .parameter("rows per unit", expected: "a number from 1 to 2^16")
        }
        try Self.check(quantity)
        self.strata = strata
        self.quantity = quantity
        self.largestWeight = largestWeight
        self.rowsPerUnit = rowsPerUnit
        self.firsts = firsts
        primaryUnits = count
        let kinds: Int
        if case .total = quantity { kinds = 1 } else { kinds = 2 }
        // Of each kind the whole sum, and those of primary units.
        func part(_ entries: Int, _ share: Double) -> IntegerLayout.Part {
            IntegerLayout.Part(
                entries: kinds * entries, nonzero: kinds, times: rowsPerUnit, share: share, bound: 1)
        }
        layout = try IntegerLayout([part(1, Self.wholeShare), part(count, 1 - Self.wholeShare)], kind: loss.kind)
        noise = try layout.noise(loss: loss)
    }

    private static func check(_ quantity: SurveyQuantity) throws(MechanismError) {
        switch quantity {
        case .total(let lower, let upper), .mean(let lower, let upper):
            guard lower < upper, (upper - lower).isFinite else {
                throw .parameter("bounds", expected: "finite numbers, the lower one below the upper one")
            }
        case .ratio(let numerator, let denominator):
            let ends = [numerator.lowerBound, numerator.upperBound, denominator.upperBound]
            guard ends.allSatisfy(\.isFinite), numerator.lowerBound < numerator.upperBound,
                denominator.lowerBound >= 0, denominator.upperBound > 0
            else {
                throw .parameter("bounds", expected: "finite numbers, the denominator's not negative")
            }
        }
    }

    /// The part of the whole sums in the sensitivity: their noise is added once, and that of primary units as often as there are any.
    static let wholeShare = 0.25

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// What a unit with those rows adds to the vector, of which no more rows than a unit may have take part.
    public func contribution(of unit: [SurveyRow]) -> [Int64] {
        var sums = [ExactSum](repeating: ExactSum(), count: layout.length)
        for row in unit.prefix(rowsPerUnit) { add(row, to: &sums) }
        return sums.map(\.clamped)
    }

    /// The noisy estimate of rows, of which each unit's have been cut to their bound.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<SurveyRow>, using generator: inout R
    ) throws(MechanismError) -> SurveyEstimate {
        var sums = [ExactSum](repeating: ExactSum(), count: layout.length)
        for row in rows { add(row, to: &sums) }
        var totals = sums.map(\.clamped)
        noise.add(to: &totals, using: &generator)
        return try estimate(totals)
    }

    private func add(_ row: SurveyRow, to sums: inout [ExactSum]) {
        guard strata.indices.contains(row.stratum),
            (0..<strata[row.stratum].primaryUnits).contains(row.primaryUnit), row.weight.isFinite,
            let parts = parts(row)
        else { return }
        let weight = min(max(row.weight / largestWeight, 0), 1)
        let place = firsts[row.stratum] + row.primaryUnit
        let kinds = layout.blocks[0].entries
        for kind in 0..<kinds {
            let part = weight * (kind == 0 ? parts.0 : parts.1)
            sums[kind].add(IntegerLayout.rounded(part, layout.blocks[0].largest))
            sums[kinds + kind * primaryUnits + place].add(IntegerLayout.rounded(part, layout.blocks[1].largest))
        }
    }

    /// A row's variables over their bounds, a mean's measured from the middle of its.
    private func parts(_ row: SurveyRow) -> (Double, Double)? {
        guard row.value.isFinite else { return nil }
        let scale = scale
        let value = min(max(row.value, scale.bounds.lowerBound), scale.bounds.upperBound)
        let numerator = (value - scale.middle) / scale.radius
        guard case .ratio(_, let bounds) = quantity else { return (numerator, 1) }
        guard row.denominator.isFinite else { return nil }
        let denominator = min(max(row.denominator, bounds.lowerBound), bounds.upperBound)
        return (numerator, denominator / bounds.upperBound)
    }

    /// How the variable is scaled.
    private var scale: (bounds: ClosedRange<Double>, middle: Double, radius: Double) {
        switch quantity {
        case .total(let lower, let upper): return (lower...upper, 0, max(abs(lower), abs(upper)))
        case .mean(let lower, let upper): return (lower...upper, lower + (upper - lower) / 2, (upper - lower) / 2)
        case .ratio(let bounds, _): return (bounds, 0, max(abs(bounds.lowerBound), abs(bounds.upperBound)))
        }
    }
}

extension PrivateSurveyEstimate {
    /// The answer from a noisy vector. Throws for one of another length.
    public func estimate(_ noisy: [Int64]) throws(MechanismError) -> SurveyEstimate {
        guard noisy.count == layout.length else {
            throw .parameter("noisy vector", expected: "as many integers as the layout has")
        }
        let whole = layout.values(0, of: noisy)
        let parts = layout.values(1, of: noisy)
        let (ofWhole, ofParts) = (layout.deviation(0, noise), layout.deviation(1, noise))
        let (variance, partVariance) = (ofWhole * ofWhole, ofParts * ofParts)
        guard whole.count == 2 else {
            let scale = largestWeight * self.scale.radius
            let spread = spread(parts, noise: partVariance)
            return answer(whole[0], spread, variance, scale: scale, middle: 0, isDetermined: true)
        }
        // A ratio, linearised: its error is that of the total of (numerator - ratio denominator) / denominator.
        let isDetermined = whole[1] > 5 * variance.squareRoot()
        let divisor = isDetermined ? whole[1] : 1
        let ratio = isDetermined ? whole[0] / whole[1] : 0
        let residuals = (0..<primaryUnits).map { (parts[$0] - ratio * parts[primaryUnits + $0]) / divisor }
        let factor = (1 + ratio * ratio) / (divisor * divisor)
        var scale = self.scale.radius
        if case .ratio(_, let bounds) = quantity { scale /= bounds.upperBound }
        return answer(
            ratio, spread(residuals, noise: factor * partVariance), factor * variance, scale: scale,
            middle: self.scale.middle, isDetermined: isDetermined)
    }

    /// What totals of primary units say of the variance of their sum.
    private struct Spread {
        /// As they are, noise and all.
        var noisy = 0.0
        /// What the noise adds to it.
        var noise = 0.0
        /// How well it is known, as the degrees of freedom of a chi-square law (Satterthwaite 1946, with the correction for
        /// estimated parts that makes it exact for one stratum).
        var degreesOfFreedom = 0.0
    }

    private func spread(_ totals: [Double], noise: Double) -> Spread {
        var spread = Spread()
        var (squares, most) = (0.0, 0.0)
        for (number, stratum) in strata.enumerated() {
            let count = Double(stratum.primaryUnits)
            let own = totals[firsts[number]..<firsts[number] + stratum.primaryUnits]
            let mean = own.reduce(0, +) / count
            let square = own.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) }
            let part = (1 - stratum.samplingFraction) * count / (count - 1) * square
            spread.noisy += part
            spread.noise += (1 - stratum.samplingFraction) * count * noise
            squares += part * part / (count + 1)
            most += count - 1
        }
        let degrees = squares > 0 ? spread.noisy * spread.noisy / squares - 2 : 0
        spread.degreesOfFreedom = min(max(degrees, 0), most)
        return spread
    }

    private func answer(
        _ value: Double, _ spread: Spread, _ noiseVariance: Double, scale: Double, middle: Double, isDetermined: Bool
    ) -> SurveyEstimate {
        let design = max(0, spread.noisy - spread.noise)
        let all = design + noiseVariance
        let share = spread.noisy > 0 ? all / spread.noisy : 0
        let degrees = spread.degreesOfFreedom * min(1, share * share)
        var shape = ErrorShape(samplingVariance: design)
        shape.add(factor: 1, variance: noiseVariance, excess: noise.excess)
        var withheld: WithheldReason?
        if !isDetermined { withheld = .undetermined }
        if degrees < Self.leastDegreesOfFreedom { withheld = withheld ?? .variance }
        return SurveyEstimate(
            estimate: middle + scale * value, designVariance: scale * scale * design,
            noiseVariance: scale * scale * noiseVariance, degreesOfFreedom: degrees, withheld: withheld,
            shape: shape.scaled(scale))
    }

    /// Below so many degrees of freedom a variance is not known well enough for an interval.
    static let leastDegreesOfFreedom = 4.0
}
