public import DifferentialPrivacy
public import Tables

/// What a question to several sites comes to: at each of them, whose plans are the same, a vector of integers with the site's share of the noise; of the sum
/// of all vectors, the answer.
///
/// **Privacy.** A site's vector is no release: with one share it has less noise than is charged. It may only go into a sum that is opened whole, over all sites
/// (docs/privacy.md, rules 31 and 32); the sum is, and what follows from it.
public struct JointPlan: Sendable, Hashable {
    private let plan: Plan
    private let sharing: NoiseSharing
    private let groups: Int

    init(_ plan: Plan, _ sharing: NoiseSharing, groups: Int) {
        (self.plan, self.sharing, self.groups) = (plan, sharing, groups)
    }

    /// As of a plan for one site.
    public var columns: [PlannedColumn] { plan.columns }
    /// What the sum's noise costs each site's people, wholly: in the policy's unit of loss.
    public var charge: PrivacyLoss { plan.charge }
    /// What happens when the sum is opened.
    public var events: [PrivacyEvent] { plan.events }
    /// The most work and memory that one site's part takes.
    public var bound: PlanBound { plan.bound }
    /// Remarks for the reader.
    public var notes: [String] { plan.notes }
    /// The number of groups: public.
    public var groupCount: Int { groups }
    /// Rho of all events together: the number by which all sites plan the same.
    public var rho: Double {
        let losses = plan.events.compactMap { try? $0.loss(kind: .zeroConcentrated) }
        return losses.reduce(0) { $0 + $1.value }
    }

    /// Entries of the vector.
    public var length: Int { lengths.reduce(0, +) + 2 * plan.output.bounding.count }

    /// The numbers by which sites measure, in one form: sites for which they differ would add up different things.
    public var agreement: String {
        let channels = plan.output.channels.map { channel in
            let grid = channel.grid.map { "\($0.lower) \($0.upper) \($0.center) \($0.step)" }
            let points = channel.quantile.map { "\($0.lower) \($0.step) \($0.points)" }
            return "\(channel.noise) \(grid ?? "-") \(points ?? "-") \(channel.counts ?? -1)"
        }
        let bounds = plan.specification.bounds
        return
            (channels + plan.output.bounding.map { "\($0.pair) \($0.noise)" } + [
                "\(bounds.groupsPerUnit) \(bounds.rowsPerGroup)", "\(sharing.parties) \(sharing.colluders)",
                "\(length) \(groups)",
            ]).joined(separator: "\n")
    }

    /// The columns of the table that the question reads: their places in its schema, ascending.
    public var usedColumns: [Int] {
        let measured = plan.specification.measures.compactMap { measure -> Expression? in
            switch measure.kind {
            case .rows, .units, .unitNumbers: nil
            case .nonNull(let expression), .sum(let expression, _), .sumOfSquares(let expression, _),
                .histogram(let expression, _), .gridValues(let expression, _, _, _), .values(let expression):
                expression
            }
        }
        let keys = plan.specification.keys.map(\.expression)
        return Expression.columns(of: [plan.specification.filter].compactMap(\.self) + keys + measured).sorted()
    }

    private var lengths: [Int] {
        plan.output.channels.map { channel in
            switch channel.quantity {
            case .histogram(_, let edges): groups * (edges.count - 1)
            case .quantile: channel.counts == nil ? groups * (channel.quantile?.points ?? 0) : 0
            default: groups
            }
        }
    }

    // MARK: One site

    /// One site's vector: its own rows, bounded, added up, and its share of the noise.
    ///
    /// - Parameters:
    ///   - source: The site's table.
    ///   - generator: Where the noise comes from; the system's randomness outside tests.
    /// - Returns: ``length`` integers, for a sum that only whole is opened.
    public func share<Generator: RandomNumberGenerator>(
        _ source: RowSource, using generator: inout Generator
    ) -> [Int64] {
        var (vector, start) = (exact(source), 0)
        let laws =
            zip(plan.output.channels, lengths).map { ($0.noise, $1) } + plan.output.bounding.map { ($0.noise, 2) }
        for (law, length) in laws {
            var values = Array(vector[start..<start + length])
            Plan.addNoise(law, to: &values, using: &generator)
            vector.replaceSubrange(start..<start + length, with: values)
            start += length
        }
        return vector
    }

    /// The vector without noise: it leaves no other function than ``share(_:using:)``, and tests.
    func exact(_ source: RowSource) -> [Int64] {
        let exact = BoundedAggregation(plan.specification, source: source, lookups: []).run()
        var vector: [Int64] = []
        for channel in plan.output.channels where channel.counts == nil {
            vector += Self.integers(of: channel, exact, groups: groups)
        }
        for channel in plan.output.bounding {
            let pair = channel.pair == .units ? exact.leftOut?.units : exact.leftOut?.rows
            vector += [pair?.cut ?? 0, pair?.kept ?? 0]
        }
        return vector
    }

    private static func integers(of channel: Channel, _ exact: borrowing ExactAggregates, groups: Int) -> [Int64] {
        guard let slot = channel.slot else { return [Int64](repeating: 0, count: groups) }
        switch channel.quantity {
        case .histogram: return exact.histogram(slot).flatMap(\.self)
        case .quantile:
            let points = channel.quantile?.points ?? 0
            var values = [Int64](repeating: 0, count: groups * points)
            for (group, grid) in exact.grid(slot).enumerated() {
                for (index, count) in zip(grid.indices, grid.counts) { values[group * points + Int(index)] = count }
            }
            return values
        default: return exact.integers(slot)
        }
    }

    // MARK: All sites

    /// The answer that follows from the sum of all sites' vectors.
    ///
    /// - Parameter sum: ``length`` integers.
    /// - Returns: nil: it has another length.
    public func answer(ofSum sum: [Int64]) -> NoisyAnswer? {
        guard sum.count == length else { return nil }
        var (counts, picks, start): ([[Int64]], [[QuantilePick]], Int) = ([], [], 0)
        var read: [[Int64]] = []
        for (channel, length) in zip(plan.output.channels, lengths) {
            let values = channel.counts.map { read[$0] } ?? Array(sum[start..<start + length])
            read.append(values)
            start += length
            if case .quantile(_, let rank) = channel.quantity, let grid = channel.quantile {
                counts.append([])
                let ranks = CountedQuantile(rank, halfWidth: Double(channel.error.halfWidth))
                picks.append(
                    (0..<groups).map { ranks.pick(values[$0 * grid.points..<($0 + 1) * grid.points]) })
            } else {
                counts.append(values)
                picks.append([])
            }
        }
        var noisy = NoisyGroups(keys: keys, counts: counts, picks: picks)
        if !plan.output.bounding.isEmpty {
            var pairs: [BoundingPair: NoisyBounding.Pair] = [:]
            for channel in plan.output.bounding {
                pairs[channel.pair] = .init(cut: sum[start], kept: sum[start + 1], error: channel.error)
                start += 2
            }
            noisy.bounding = NoisyBounding(pairs)
        }
        let answer = PostProcessing(output: plan.output, columns: plan.columns, notes: plan.notes).answer(noisy)
        return plan.description?.reshaped(answer) ?? answer
    }

    /// The cross product of the keys' domains, the last one fastest: as the scan numbers groups.
    private var keys: [[Value]] {
        plan.output.keys.reduce([[]]) { heads, key in
            guard case .domain(let values) = key.coding else { return heads }
            return heads.flatMap { head in values.map { head + [$0] } }
        }
    }
}

extension OutputPlan {
    /// Whether several sites answer together.
    var isShared: Bool {
        channels.contains { channel in if case .share = channel.noise { true } else { false } }
    }
}

extension PlanDescription {
    /// How several sites answer together.
    var sharingNotes: [String] {
        guard let sharing else { return [] }
        let told = sharing.colluders
        return [
            "\(sharing.parties) sites answer together: each adds a share of the noise to its own numbers, and their sum alone is seen. The charge holds "
                + "also where \(told) of them \(told == 1 ? "tells its" : "tell their") share; the intervals hold the noise of all.",
            "A person at m of the sites counts m times, and is protected by m squared times the rho.",
        ]
    }
}
