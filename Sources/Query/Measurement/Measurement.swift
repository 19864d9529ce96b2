public import DifferentialPrivacy
public import Tables

extension Plan {
    /// Runs the question: aggregates exactly within the bounds, draws the noise, and computes the answer from what is
    /// noisy alone. What it returns is private already; the exact aggregates do not leave this call.
    ///
    /// - Parameters:
    ///   - source: the tables of `datasets`, bounded by `rowsPerUnit`.
    ///   - lookups: the tables of `lookups`, in that order.
    ///   - generator: where the noise comes from; the system's randomness outside tests.
    /// - Returns: the answer, and the events that happened.
    public func measure<Generator: RandomNumberGenerator>(
        _ source: RowSource, lookups: [LookupTable], using generator: inout Generator
    ) -> Measured<NoisyAnswer, Generator> {
        let exact = BoundedAggregation(specification, source: source, lookups: lookups).run()
        if let statistic {
            return Measured(answer: statistic.answer(of: exact, by: self, using: &generator), events: events)
        }
        var noisy = NoisyGroups(keys: [], counts: [], picks: [])
        let selected = select(exact, &noisy, using: &generator)
        for channel in output.channels { add(channel, of: exact, groups: selected, to: &noisy, using: &generator) }
        noisy.bounding = NoisyBounding(output.bounding, of: exact, using: &generator)
        let unknown = noisy.bounding?.isDroppedUnknown == true ? [Self.droppedUnknown] : []
        let post = PostProcessing(output: output, columns: columns, notes: notes + unknown)
        var answer = post.answer(noisy)
        if answer.bounding?.dropped != nil { answer.bounding?.droppedFrom = datasets }
        return Measured(answer: description?.reshaped(answer) ?? answer, events: events)
    }

    private static let droppedUnknown =
        "What was dropped when the table was added is not known: it was stored before that was counted."

    /// The groups to output, in the order of their keys; sets the noisy unit counts where they select.
    private func select<Generator: RandomNumberGenerator>(
        _ exact: borrowing ExactAggregates, _ noisy: inout NoisyGroups, using generator: inout Generator
    ) -> [Int] {
        guard let selection = output.selection else {
            noisy.keys = exact.keys
            guard let top = output.top, let slot = output.channels[top.request.channel].slot else {
                return Array(noisy.keys.indices)
            }
            let chosen = top.choose(exact.integers(slot), using: &generator)
            noisy.keys = chosen.map { noisy.keys[$0] }
            return chosen
        }
        var units = exact.units
        guard let noise = try? DiscreteGaussian(sigma: selection.sigma) else { return [] }
        noise.add(to: &units, using: &generator)
        let order = KeyOrder(output.keys)
        // Only keys that were selected are looked at.
        let kept = units.indices.filter { units[$0] >= selection.threshold }
            .map { (group: $0, keys: exact.keys(of: $0)) }
            .sorted { order.precedes($0.keys, $1.keys) }
        noisy.keys = kept.map(\.keys)
        noisy.selectionCounts = kept.map { units[$0.group] }
        return kept.map(\.group)
    }

    private func add<Generator: RandomNumberGenerator>(
        _ channel: Channel, of exact: borrowing ExactAggregates, groups selected: [Int], to noisy: inout NoisyGroups,
        using generator: inout Generator
    ) {
        var counts: [Int64] = []
        var picks: [QuantilePick] = []
        if let slot = channel.slot {
            switch channel.quantity {
            case .quantile(_, let rank):
                picks = Self.quantiles(
                    channel, rank: rank, grids: exact.grid(slot), groups: selected, using: &generator)
            case .histogram:
                let bins = exact.histogram(slot)
                counts = selected.flatMap { bins[$0] }
                Self.addNoise(channel.noise, to: &counts, using: &generator)
            default:
                let all = exact.integers(slot)
                counts = selected.map { all[$0] }
                Self.addNoise(channel.noise, to: &counts, using: &generator)
            }
        } else {
            counts = noisy.selectionCounts
        }
        noisy.counts.append(counts)
        noisy.picks.append(picks)
    }

    /// A law that the plan checked always has its sampler; without one nothing exact may pass.
    static func addNoise<Generator: RandomNumberGenerator>(
        _ law: NoiseLaw, to values: inout [Int64], using generator: inout Generator
    ) {
        switch law {
        case .gaussian(let sigma), .share(let sigma, _):
            guard let noise = try? DiscreteGaussian(sigma: sigma) else {
                values = values.map { _ in 0 }
                return
            }
            noise.add(to: &values, using: &generator)
        case .laplace(let scale):
            guard let noise = try? DiscreteLaplace(scale: scale) else {
                values = values.map { _ in 0 }
                return
            }
            noise.add(to: &values, using: &generator)
        case .none: values = values.map { _ in 0 }
        }
    }

    private static func quantiles<Generator: RandomNumberGenerator>(
        _ channel: Channel, rank: QuantileRank, grids: [(indices: [Int32], counts: [Int64])], groups selected: [Int],
        using generator: inout Generator
    ) -> [QuantilePick] {
        guard let grid = channel.quantile,
            let mechanism = try? PrivateQuantile(
                numerator: rank.numerator, denominator: rank.denominator, epsilon: grid.epsilon),
            let bracket = try? PrivateQuantile(
                numerator: rank.numerator, denominator: rank.denominator, epsilon: grid.bracketEpsilon)
        else { return selected.map { _ in QuantilePick() } }
        return selected.map { group in
            let (indices, counts) = grids[group]
            // What the scan gives is always on the grid; the choice of a fixed point reveals nothing.
            func choose(_ mechanism: PrivateQuantile, _ offset: Int64) -> Int {
                (try? mechanism.select(
                    indices: indices, counts: counts, points: grid.points, offset: offset, using: &generator)) ?? 0
            }
            return QuantilePick(
                point: choose(mechanism, 0), lower: choose(bracket, -grid.offset), upper: choose(bracket, grid.offset))
        }
    }
}

/// What was chosen for a quantile of one group: the grid points of the answer and of the ends of its interval.
struct QuantilePick: Sendable, Hashable {
    var point = 0
    var lower = 0
    var upper = 0
}

/// What was measured, with noise: all that post-processing sees.
struct NoisyGroups: Sendable {
    /// The keys of each group.
    var keys: [[Value]]
    /// For each channel, the noisy integers of the groups; a histogram's bins follow each other.
    var counts: [[Int64]]
    /// For each channel that is a quantile, what was chosen for each group.
    var picks: [[QuantilePick]]
    /// The noisy unit counts of the selected groups.
    var selectionCounts: [Int64] = []
    var bounding: NoisyBounding?
}

/// The order of groups: public keys as they were declared, selected ones by value.
struct KeyOrder {
    private let ranks: [[Value: Int]?]

    init(_ keys: [KeySpecification]) {
        ranks = keys.map { key in
            guard case .domain(let values) = key.coding else { return nil }
            return Dictionary(values.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    func precedes(_ left: [Value], _ right: [Value]) -> Bool {
        for (index, rank) in ranks.enumerated() {
            let order: Int
            if let rank {
                order = (rank[left[index]] ?? 0) - (rank[right[index]] ?? 0)
            } else {
                order = Value.order(left[index], right[index])
            }
            if order != 0 { return order < 0 }
        }
        return false
    }
}
