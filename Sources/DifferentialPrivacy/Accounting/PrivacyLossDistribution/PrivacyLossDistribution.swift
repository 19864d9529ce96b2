#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The distribution of the privacy loss of events composed, evaluated on a grid of losses.
///
/// For outputs P with a unit's data and Q without, the loss of an output is ln(P/Q), drawn under P. Losses of a composition
/// add, and delta(epsilon) = P(loss infinite) + E[(1 - exp(epsilon - loss))+] (Sommer, Meiser and Mohammadi 2019). Each event is
/// replaced by a pair that dominates it (Zhu, Dong and Wang 2022), which then holds for adaptive choices too; each pair is
/// moved onto the grid upwards and downwards (`LossCells.pessimistic`, `optimistic`); the two are composed by Fourier transforms.
/// So every result is an interval, which holds the true value whatever the grid:
/// - by discretisation, the interval is wide by about step^2 / 4 times the number of repetitions where the loss's density
///   is smooth on the scale of a step, by up to the step each where it is not;
/// - what is cut off at the ends of a loss's range is at most 2^-24 of delta in all (2^-90 where epsilon is asked at), added above and
///   left out below;
/// - transforms, wrapping and arithmetic: bounded and added (`LossComposition`, `LossTail`).
///
/// Adding a unit and removing it are composed apart, as P and Q then change places, and the worse counts.
///
/// Limits: a single event's losses reach at most 600 (for Gaussian noise, a multiplier from about 0.035 to 0.06 on, by
/// delta); at most 2^40 repetitions, 1,000 different events, and 2^22 points, beyond which the step is doubled as often as
/// needed. A result then takes at most some seconds and 1 GB.
public struct PrivacyLossDistribution: Sendable {
    /// The distance of the grid's points; nil for one that suits the events: 1e-4, or finer where single losses are narrow
    /// beside that. May be taken finer, so that atoms of a loss lie on the grid, or coarser, so that the grid fits into
    /// memory.
    public let gridStep: Double?
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public let neighbours: NeighbourRelation
    private(set) var events: [PrivacyEvent: Int] = [:]

    static let largestTimes = 1 << 40
    static let mostEvents = 1000
    static let mostPoints = 1 << 22
    /// The step where none is given, but for narrow losses.
    static let usualStep = 1e-4
    /// A step that is finer than that unasked keeps to so many points: a result within some tenths of a second.
    static let mostPointsUnasked = 1 << 20

    /// Nothing yet. Throws unless the step is from 1e-7 to 1, or nil.
    public init(gridStep: Double? = nil, neighbours: NeighbourRelation = .addOrRemove) throws(MechanismError) {
        if let gridStep, !(gridStep >= 1e-7 && gridStep <= 1) {
            throw .parameter("grid step", expected: "a number from 1e-7 to 1")
        }
        self.gridStep = gridStep
        self.neighbours = neighbours
    }

    /// Composed with the event, `times` times.
    ///
    /// Supported: Gaussian, Laplace and discrete noise, trees, selection, pure and (epsilon, delta) mechanisms, exponential
    /// mechanisms, and Poisson samples of one of them. Throws for others, and beyond the limits.
    public func composed(with event: PrivacyEvent, times: Int = 1) throws(MechanismError) -> PrivacyLossDistribution {
        var result = self
        for leaf in try event.leaves(times: times, neighbours: neighbours) {
            _ = try leaf.event.lossFactors(cut: 0x1p-60)
            let (sum, overflow) = (result.events[leaf.event] ?? 0).addingReportingOverflow(leaf.times)
            guard !overflow && sum <= Self.largestTimes else {
                throw .parameter("times", expected: "at most 2^40 for a privacy loss distribution")
            }
            result.events[leaf.event] = sum
            guard result.events.count <= Self.mostEvents else {
                throw .parameter("events", expected: "at most 1,000 different ones for a privacy loss distribution")
            }
        }
        return result
    }

    /// The same events on another grid: a coarse one to search on, a fine one to settle.
    public func regridded(_ gridStep: Double?) throws(MechanismError) -> PrivacyLossDistribution {
        var result = try PrivacyLossDistribution(gridStep: gridStep, neighbours: neighbours)
        result.events = events
        return result
    }

    /// Bounds on the least epsilon at delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(delta: delta)
        if events.isEmpty || delta >= 1 { return PrivacyBounds(lower: 0, upper: 0) }
        guard delta >= 1e-200 else { return try largestLoss() }
        return try evaluate(.epsilon(delta: delta), tail: delta * 0x1p-24)
    }

    /// Bounds on the least delta at epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(epsilon: epsilon)
        if events.isEmpty { return PrivacyBounds(lower: 0, upper: 0) }
        guard epsilon <= 1e15 else {
            return PrivacyBounds(lower: 0, upper: try evaluate(.delta(epsilon: 1e15), tail: 0x1p-90).upper)
        }
        return try evaluate(.delta(epsilon: epsilon), tail: 0x1p-90)
    }
}

// MARK: - Evaluation

extension PrivacyLossDistribution {
    private struct Factor {
        let factor: LossFactor
        let times: Double
        let cut: Double
    }

    private func factors(tail: Double) throws(MechanismError) -> [Factor] {
        let total = events.values.reduce(0.0) { $0 + Double($1) }
        var result: [Factor] = []
        // In a fixed order, so that results repeat to the bit.
        for (event, times) in events.sorted(by: { String(describing: $0.key) < String(describing: $1.key) }) {
            let cut = max(1e-290, tail / (total * 1000))
            for factor in try event.lossFactors(cut: cut) {
                let copies = Double(times) * Double(factor.copies)
                guard copies <= Double(Self.largestTimes) else {
                    throw .parameter("times", expected: "at most 2^40 for a privacy loss distribution")
                }
                result.append(Factor(factor: factor, times: copies, cut: cut))
            }
        }
        return result
    }

    /// Epsilon at delta 0: the sum of largest losses, where they are bounded.
    private func largestLoss() throws(MechanismError) -> PrivacyBounds {
        var upper = 0.0
        for factor in try factors(tail: 1e-200) {
            let law = factor.factor.upper.law
            if case .gaussian = law.density { upper = .infinity }
            if law.infinite > 0 || law.omitted > 0 { upper = .infinity }
            let reach = factor.factor.upper.reach(cut: 0.5)
            upper += factor.times * max(reach.high, -reach.low)
        }
        return PrivacyBounds(lower: 0, upper: upper == 0 ? 0 : OutwardRounding.up(upper))
    }

    private func evaluate(_ query: LossQuery, tail: Double) throws(MechanismError) -> PrivacyBounds {
        let factors = try factors(tail: tail)
        if factors.isEmpty { return PrivacyBounds(lower: 0, upper: 0) }
        let laws = factors.map { (factor: $0.factor, times: $0.times, cut: $0.cut) }
        var step = gridStep ?? Self.suitingStep(factors)
        while true {
            let isUnasked = gridStep == nil && step < Self.usualStep
            let most = isUnasked ? Self.mostPointsUnasked : Self.mostPoints
            let bounds = Self.evaluate(laws, step: Self.aligned(step, to: factors), mostPoints: most, query)
            if let bounds { return bounds }
            step *= 2
        }
    }

    /// The usual step, halved until it is about a thirtieth of the standard deviation of a single loss (the reach that
    /// leaves out 0.1 is about two), in the root mean square over all repetitions.
    ///
    /// Moving onto the grid adds at most step^2 / 4 to a smooth loss's variance. Were the step wider than the loss, it would
    /// add step times the mean absolute loss, and the sum of many would be far from the true one.
    private static func suitingStep(_ factors: [Factor]) -> Double {
        var (squares, count) = (0.0, 0.0)
        for factor in factors {
            let reach = factor.factor.upper.reach(cut: 0.1)
            squares += factor.times * reach.high * reach.high
            count += factor.times
        }
        let wanted = (squares / count).squareRoot() / 64
        var step = usualStep
        while step > wanted && step >= 2e-7 { step /= 2 }
        return step
    }

    /// Bounds on a grid; nil if it takes too many points.
    static func evaluate(
        _ factors: [(factor: LossFactor, times: Double, cut: Double)], step: Double,
        mostPoints: Int = PrivacyLossDistribution.mostPoints, _ query: LossQuery
    ) -> PrivacyBounds? {
        var points = 0.0
        for (factor, _, cut) in factors {
            let reach = factor.upper.reach(cut: cut)
            points += (reach.high - reach.low) / step
        }
        guard points <= Double(mostPoints) else { return nil }
        var (upper, lower): ([OneLaw], [OneLaw]) = ([], [])
        for (factor, times, cut) in factors {
            let cells = factor.upper.cells(step: step, cut: cut)
            upper.append(OneLaw(cells: cells, times: times, blur: factor.upper.blur(cut: cut)))
            guard let law = factor.lower else { continue }
            let own = law == factor.upper ? cells : law.cells(step: step, cut: cut)
            lower.append(OneLaw(cells: own, times: times, blur: law.blur(cut: cut)))
        }
        func direction() -> PrivacyBounds? {
            Self.direction(upper: upper, lower: lower, step: step, mostPoints: mostPoints, query)
        }
        guard var bounds = direction() else { return nil }
        let isSymmetric = factors.allSatisfy { $0.factor.upper.isSymmetric }
        if !isSymmetric {
            for i in upper.indices { upper[i].cells = upper[i].cells.reversed }
            for i in lower.indices { lower[i].cells = lower[i].cells.reversed }
            guard let other = direction() else { return nil }
            bounds = PrivacyBounds(lower: max(bounds.lower, other.lower), upper: max(bounds.upper, other.upper))
        }
        bounds.lower = min(bounds.lower, bounds.upper)
        return bounds
    }

    private struct OneLaw {
        var cells: LossCells
        let times: Double
        let blur: Double
    }

    private static func direction(
        upper: [OneLaw], lower: [OneLaw], step: Double, mostPoints: Int, _ query: LossQuery
    ) -> PrivacyBounds? {
        let above = LossMoments(laws: upper.map { ($0.cells.pessimistic(), $0.times) })
        let tilt = LossTilt(above, step: step, query: query)
        guard tilt.count <= mostPoints else { return nil }
        let transform = RealFourierTransform(count: RealFourierTransform.count(atLeast: tilt.count))
        func bound(
            _ moments: LossMoments, of laws: [OneLaw], tilt: LossTilt, transform: RealFourierTransform, isUpper: Bool
        ) -> Double {
            let composition = LossComposition(moments, tilt: tilt, transform: transform)
            let blur = laws.reduce(0) { $0 + $1.times * $1.blur }
            let result = LossTail(composition: composition, blur: blur, isUpper: isUpper)
            switch query {
            case .delta(let epsilon): return result.delta(epsilon: epsilon)
            case .epsilon(let delta): return result.epsilon(delta: delta)
            }
        }
        let high = bound(above, of: upper, tilt: tilt, transform: transform, isUpper: true)
        guard !lower.isEmpty else { return PrivacyBounds(lower: 0, upper: high) }
        let below = LossMoments(laws: lower.map { ($0.cells.optimistic(), $0.times) })
        var low = bound(below, of: lower, tilt: tilt, transform: transform, isUpper: false)
        if low == 0 {
            // Many repetitions of laws that differ: where the upper one's answer lies, the lower one has no mass.
            let own = LossTilt(below, step: step, query: query)
            if own.count <= mostPoints {
                let transform = RealFourierTransform(count: RealFourierTransform.count(atLeast: own.count))
                low = bound(below, of: lower, tilt: own, transform: transform, isUpper: false)
            }
        }
        return PrivacyBounds(lower: low, upper: high)
    }

    /// A step at most as large on whose multiples the atoms of the most frequent event with atoms lie, so that moving onto
    /// the grid costs nothing there.
    private static func aligned(_ step: Double, to factors: [Factor]) -> Double {
        let discrete = factors.filter { !$0.factor.upper.law.atoms.isEmpty && $0.factor.upper.rate == 1 }
        guard let law = discrete.max(by: { $0.times < $1.times })?.factor.upper.law else { return step }
        var spacing = law.atoms.reduce(0) { max($0, abs($1.loss)) }
        // A lattice of losses, odd multiples of half its spacing or even ones.
        if case .lattice(_, let unit) = law.density, unit >= step { spacing = unit }
        if law.atoms.count > 2, case .none = law.density {
            let half = abs(law.atoms[1].loss - law.atoms[0].loss) / 2
            if half >= step { spacing = half }
        }
        guard spacing > 0 else { return step }
        return spacing >= step ? spacing / (spacing / step).rounded(.up) : step
    }
}
