import DifferentialPrivacy
import Tables

/// Which keys a plan keeps: those whose noisy number of units reaches the threshold (`GaussianThreshold`).
struct KeyThreshold: Sendable, Hashable {
    var sigma: Double
    var threshold: Int64
}

/// Divides a question's budget among what it measures (docs/privacy.md, rule 21): in equal parts, the selection of keys being
/// one; where an error is asked for, so that each quantity reaches it. A function of manifest, question and hints.
struct Allocation {
    let quantities: [Quantity]
    let contribution: Contribution
    let bounds: BoundsScope
    let capacityRows: Int
    let kind: PrivacyLossKind
    /// The scan's quantile grids need the declared resolution of plain columns.
    let resolution: (Expression) -> Double?
    /// The ends of an expression's bounds that are there because values were clipped.
    let clips: (Expression) -> ClippedEnds
    /// Whether keys are selected privately, and at which delta for a given part of the policy's rho.
    let selectsKeys: Bool
    let selectionDelta: (_ amount: Int64) throws(QueryError) -> Double
    /// Whether the question names an error and not a loss.
    let aimsAtError: Bool
    /// What is measured of what bounding leaves out.
    let bounding: BoundingMeasurement
    /// Groups of a public domain that are chosen by a count.
    var top: TopChoice.Request?
    /// Where several sites answer together.
    var sharing: NoiseSharing?
    /// Groups of a public domain; where keys are selected, 0.
    var groups = 0

    struct Result: Sendable, Hashable {
        var channels: [Channel]
        var selection: KeyThreshold?
        var top: TopChoice?
        var selectionEvent: PrivacyEvent?
        var bounding: [BoundingChannel] = []
        /// The sum of the losses of all events, rounded up each; or the least charge, where that is a little more.
        var charge: PrivacyLoss

        var events: [PrivacyEvent] {
            [selectionEvent].compactMap(\.self) + channels.flatMap(\.events) + bounding.map(\.event)
        }
    }

    /// The natural logarithm of 20: a Laplace variable exceeds that many scales with a probability of 5 %.
    static let logTwenty = 2.995732273553991
    private static let normalQuantile = 1.959963984540054

    /// The half-width of the 95 % interval of a count that one unit changes by 1, at a planned loss.
    static func halfWidth(ofCountAt loss: Double, _ kind: PrivacyLossKind) -> Double {
        kind == .pure ? logTwenty / loss : normalQuantile / (2 * loss).squareRoot()
    }

    /// Plans with a total of `amount`, in units of 1e-12.
    func allocate(_ amount: Int64) throws(QueryError) -> Result {
        var channels: [Channel] = []
        // The noisy unit counts that select the keys answer COUNT(DISTINCT unit) too.
        let paid = quantities.enumerated().filter { place, quantity in
            !(selectsKeys && quantity == .units) && counted(before: place) == nil
        }.map(\.element)
        let choosesKeys = selectsKeys || top != nil
        let forSelection = choosesKeys ? amount / Int64(paid.count + 1) : 0
        var result = Result(channels: [], charge: PrivacyLoss(kind: kind, amount: 0))
        var spent: Int64 = 0
        var selectionDelta: Int64 = 0
        var selected: GaussianThreshold?
        if selectsKeys {
            let (threshold, loss) = try selection(forSelection, total: amount)
            selected = threshold
            result.selection = KeyThreshold(sigma: threshold.sigma, threshold: threshold.threshold)
            result.selectionEvent = threshold.event
            spent += loss.amount
            selectionDelta = loss.delta
        }
        if let top {
            let (choice, loss) = try TopChoice.planned(top, kind: kind, amount: forSelection)
            (result.top, result.selectionEvent) = (choice, choice.event)
            spent += loss.amount
        }
        let weights = shares(paid)
        let total = weights.reduce(0, +)
        let available = amount - forSelection
        var slot = 0
        for quantity in quantities {
            if let first = counted(before: channels.count) {
                channels.append(counted(quantity, by: channels[first], at: first))
                continue
            }
            guard let position = paid.firstIndex(of: quantity) else {
                var channel = Channel(quantity: quantity)
                if let threshold = selected { channel.setNoise(threshold.noise) }
                channels.append(channel)
                continue
            }
            let share = Int64(exactly: (Double(available) * (weights[position] / total)).rounded(.down)) ?? 0
            var channel = try self.channel(quantity, Swift.min(share, amount - spent))
            channel.slot = slot
            slot += 1
            for event in channel.events { spent += try loss(event).amount }
            channels.append(channel)
        }
        result.channels = channels
        result.charge = PrivacyLoss(kind: kind, amount: spent, delta: selectionDelta)
        return result
    }

    private func loss(_ event: PrivacyEvent) throws(QueryError) -> PrivacyLoss {
        do { return try event.loss(kind: kind) } catch { throw Channel.tooMuchNoise }
    }

    // MARK: shares

    private func rows(_ quantity: Quantity) -> Int {
        switch quantity {
        case .units, .quantile: 1
        default: contribution.rowsPerGroup
        }
    }

    /// One unit's largest change of a vector of counts, in the norm of the noise.
    private func norm(_ quantity: Quantity) -> Double {
        let rows = rows(quantity)
        return kind == .pure ? contribution.l1(rows: rows) : contribution.l2Squared(rows: rows).squareRoot()
    }

    private func choice(_ expression: Expression) -> GridChoice {
        GridChoice(capacityRows: capacityRows, bounds: bounds.bounds(expression), type: expression.type)
    }

    /// One row's largest value over the half-width of the bounds.
    private func relativeLargest(_ quantity: Quantity) -> Double {
        switch quantity {
        case .sum(let expression, let isCentred):
            let choice = choice(expression)
            let half = choice.bounds.upper / 2 - choice.bounds.lower / 2
            // A sum of nearly constant values must not leave nothing for the others.
            return half > 0 ? Swift.min(choice.largest(isCentred: isCentred) / half, 1_000) : 1
        default: return 1
        }
    }

    /// Equal parts; where an error is asked for, what each quantity needs for it, so that all reach it at once.
    ///
    /// With equal parts a quantity among k has the noise that it has alone at a k-th of the loss: sqrt(k) times as much under
    /// zCDP and Rényi, k times under pure epsilon, whatever the others are.
    private func shares(_ paid: [Quantity]) -> [Double] {
        guard aimsAtError else { return paid.map { _ in 1 } }
        return paid.map { quantity in
            if case .quantile(let expression, let rank) = quantity, sharing != nil {
                let error = Self.rankError(points: quantileGrid(expression).points, rank) * norm(quantity)
                return Self.normalQuantile * Self.normalQuantile * error * error / 2
            }
            if case .quantile(let expression, let rank) = quantity {
                // The brackets' offset is the error; half of the loss is theirs.
                let bracket = try? PrivateQuantile(
                    numerator: rank.numerator, denominator: rank.denominator, epsilon: 1)
                let error = bracket?.rankError(points: quantileGrid(expression).points, confidence: 0.975) ?? 1
                let groups = Double(contribution.groups)
                return kind == .pure ? 4 * error * groups : error * error * groups / 2
            }
            let relative = relativeLargest(quantity) * norm(quantity)
            let half = kind == .pure ? Self.logTwenty * relative : Self.normalQuantile * relative
            return kind == .pure ? half : half * half / 2
        }
    }

    // MARK: one quantity

    private func channel(_ quantity: Quantity, _ amount: Int64) throws(QueryError) -> Channel {
        guard amount > 0 else { throw Channel.tooMuchNoise }
        var channel = Channel(quantity: quantity)
        switch quantity {
        case .quantile(let expression, let rank) where sharing != nil:
            try setCounted(&channel, expression, rank: rank, amount: amount)
            return channel
        case .quantile(let expression, let rank):
            try setQuantile(&channel, expression, rank: rank, amount: amount)
            return channel
        case .sum(let expression, let isCentred):
            let choice = choice(expression)
            channel.grid = try choice.sum(
                isCentred: isCentred, noise: choice.largest(isCentred: isCentred) * relativeNoise(quantity, amount))
        case .squares(let expression):
            let choice = choice(expression)
            let largest = choice.largest(isCentred: true)
            channel.grid = try choice.squares(noise: largest * largest * relativeNoise(quantity, amount))
        case .rows, .nonNull, .units, .histogram: break
        }
        try setNoise(&channel, amount)
        return channel
    }

    /// The noise on a count, for that amount.
    private func relativeNoise(_ quantity: Quantity, _ amount: Int64) -> Double {
        let loss = Double(amount) * PrivacyLoss.amountUnit
        return kind == .pure ? norm(quantity) / loss : norm(quantity) / (2 * loss).squareRoot()
    }

    /// The least noise whose loss is at most `amount`.
    func setNoise(_ channel: inout Channel, _ amount: Int64) throws(QueryError) {
        var row: Int64 = 1
        if let grid = channel.grid {
            row = grid.largest
            if case .squares = channel.quantity { row *= grid.largest }
        }
        guard row > 0 else { return }
        let bounds = contribution
        let rows = rows(channel.quantity)
        let loss = PrivacyLoss(kind: kind, amount: amount)
        do {
            if kind == .pure {
                let sensitivity = Sensitivity.l1(
                    groups: bounds.groups, rowsPerGroup: rows, rowsPerUnit: bounds.rowsPerUnit, largest: row)
                let noise = try DiscreteLaplace(sensitivity: sensitivity, loss: loss)
                channel.event = noise.event(sensitivity: sensitivity)
                channel.setNoise(noise)
            } else {
                let squared = Sensitivity.l2Squared(
                    groups: bounds.groups, rowsPerGroup: rows, rowsPerUnit: bounds.rowsPerUnit, largest: row)
                if let sharing {
                    let noise = try sharing.noise(
                        sensitivitySquared: squared, dimension: dimension(channel), loss: loss)
                    channel.event = noise.event
                    return try channel.setNoise(noise, parties: sharing.parties)
                }
                let noise = try DiscreteGaussian(sensitivitySquared: squared, loss: loss)
                channel.event = noise.event(sensitivitySquared: squared)
                channel.setNoise(noise)
            }
        } catch {
            throw Channel.tooMuchNoise
        }
    }

    /// Half of the amount for the choice that is the answer, a quarter for each of the two around it.
    private func setQuantile(
        _ channel: inout Channel, _ expression: Expression, rank: QuantileRank, amount: Int64
    ) throws(QueryError) {
        let grid = quantileGrid(expression)
        let (epsilon, event) = try selections(contribution.groups, amount / 2)
        let (bracketEpsilon, bracketEvent) = try selections(2 * contribution.groups, amount / 2)
        guard
            let bracket = try? PrivateQuantile(
                numerator: rank.numerator, denominator: rank.denominator, epsilon: bracketEpsilon)
        else { throw Channel.tooMuchNoise }
        channel.event = event
        channel.quantile = Channel.QuantileGrid(
            lower: grid.lower, upper: grid.upper, step: grid.step, points: grid.points, epsilon: epsilon,
            bracketEpsilon: bracketEpsilon,
            offset: bracket.bracketOffset(points: grid.points, confidence: 0.975), bracketEvent: bracketEvent,
            slack: grid.slack, clips: clips(expression))
    }

    /// The largest epsilon with which so many choices lose no more than `amount`.
    private func selections(_ times: Int, _ amount: Int64) throws(QueryError) -> (Double, PrivacyEvent) {
        let loss = Double(amount) * PrivacyLoss.amountUnit
        var epsilon = kind == .pure ? loss / Double(times) : (8 * loss / Double(times)).squareRoot()
        var narrowing = 1e-15
        var event = PrivacyEvent.exponentialMechanism(epsilon: epsilon, times: times)
        guard amount > 0 else { throw Channel.tooMuchNoise }
        while try self.loss(event).amount > amount {
            epsilon *= 1 - narrowing
            narrowing *= 2
            event = .exponentialMechanism(epsilon: epsilon, times: times)
        }
        return (epsilon, event)
    }

    func quantileGrid(
        _ expression: Expression
    ) -> (lower: Double, upper: Double, step: Double, points: Int, slack: Double) {
        let interval = bounds.bounds(expression)
        let declared = resolution(expression)
        let step = Self.quantileStep(
            expression.type, interval, declared,
            points: sharing == nil ? QuestionLimits.quantilePoints : NoiseSharing.quantilePoints)
        let isReal = expression.type == .real
        let lower = isReal ? interval.lower : interval.lower.rounded(.up)
        let upper = Swift.max(lower, isReal ? interval.upper : interval.upper.rounded(.down))
        let points = Int(((interval.upper - lower) / step).rounded(.down)) + 1
        let isExact = step == (isReal ? declared : 1)
        return (lower, upper, step, Swift.max(1, points), isExact ? 0 : step / 2)
    }

    /// The declared resolution; else 1 for integers and dates, and 1/1000 of the bounds for reals; never more points
    /// than the limit.
    static func quantileStep(
        _ type: ValueType, _ bounds: Bounds, _ declared: Double?, points: Int = QuestionLimits.quantilePoints
    ) -> Double {
        let width = bounds.upper - bounds.lower
        var step = declared ?? (type == .real ? width / 1_000 : 1)
        if !(step > 0) || !step.isFinite { step = 1 }
        let least = width / Double(points - 1)
        if step < least { step = declared == nil && type == .real ? least : (least / step).rounded(.up) * step }
        return step.isFinite ? step : least
    }

    // MARK: keys

    private func selection(
        _ amount: Int64, total: Int64
    ) throws(QueryError) -> (GaussianThreshold, PrivacyLoss) {
        guard amount > 0 else { throw Channel.tooMuchNoise }
        let delta = try selectionDelta(total)
        var rho = Double(amount) * PrivacyLoss.amountUnit
        var narrowing = 1e-15
        do {
            while true {
                let threshold = try GaussianThreshold(groupsPerUnit: contribution.groups, rho: rho, delta: delta)
                let loss = try threshold.event.loss(kind: kind)
                if loss.amount <= amount { return (threshold, loss) }
                rho *= 1 - narrowing
                narrowing *= 2
            }
        } catch {
            throw Channel.tooMuchNoise
        }
    }
}
