/// What a strategy makes of a round's vectors.
public struct Combined: Sendable, Hashable {
    /// What ``ServerState`` applies: the weighted mean, or a robust rule's choice; as long as one participant's vector.
    public let vector: [Float]
    /// Positions of the participants whose vectors held an entry that is infinite or no number, rising: a robust rule
    /// goes on without them, and counts them among its malicious ones. Report them to whoever keeps participants'
    /// records.
    public let leftOut: [Int]
    /// Positions of the participants whose vectors the result is of, rising.
    public let counted: [Int]
}

extension Strategy {
    /// Makes one vector of a round's: the weighted mean, or what the robust rule says.
    ///
    /// Robust rules give the same to the bit whatever the order of participants, and identical updates back as they
    /// are. Each bears so many malicious participants of n: the median (n - 1) / 2, `trimmedMean` its `trim`,
    /// `multiKrum` its `byzantine`. Of `centredClipping` each moves the result by at most 2 radius / n an iteration,
    /// and it goes on while more than half are finite. Where some are left out, the rule goes on as if told of fewer,
    /// if it must.
    ///
    /// - Parameters:
    ///   - updates: One vector a participant, all of one length.
    ///   - weights: One a participant, public, from 2^-50 to 2^50; nil: equal. Robust rules count heads, and refuse
    /// others. - centre: Where `centredClipping` starts, ``ServerState/momentum``; nil: zeros.
    public func combine(
        _ updates: [[Float]], weights: [Double]? = nil, centre: [Float]? = nil
    ) throws(StrategyError) -> Combined {
        try validate()
        try Self.check(updates, weights)
        guard isRobust else { return try mean(updates, weights) }
        if let weights, let first = weights.first, weights.contains(where: { $0 != first }) {
            throw .unequalWeights(kind)
        }
        let leftOut = updates.indices.filter { updates[$0].firstNonFinite != nil }
        let present = updates.indices.filter { updates[$0].firstNonFinite == nil }
        let bad = try remainingByzantine(of: updates.count, leftOut: leftOut)
        let (vector, counted) = try robust(updates, of: present, byzantine: bad, centre: centre)
        return Combined(vector: vector, leftOut: leftOut, counted: counted)
    }

    /// The robust rule on the updates at these positions; and which of them the result is of.
    private func robust(
        _ updates: [[Float]], of present: [Int], byzantine: Int, centre: [Float]?
    ) throws(StrategyError) -> ([Float], counted: [Int]) {
        // Sums are taken in an order that is the vectors' own, so that no participant's place matters.
        func order() -> [Int] { present.sorted { updates[$0].lexicographicallyPrecedes(updates[$1]) } }
        switch self {
        case .multiKrum(_, let kept):
            let order = order()
            let most = min(kept, order.count - byzantine - 2)
            let chosen = Krum(order.map { updates[$0] }).chosen(byzantine: byzantine, kept: most).map { order[$0] }
            return (try mean(chosen.map { updates[$0] }, nil).vector, chosen.sorted())
        case .centredClipping(let radius, let iterations):
            let rule = CentredClipping(radius: radius, iterations: iterations)
            return (try rule.combine(order().map { updates[$0] }, from: centre), present)
        case .trimmedMean: return (SortedColumns(present.map { updates[$0] }).mean(trim: byzantine), present)
        default: return (SortedColumns(present.map { updates[$0] }).mean(trim: (present.count - 1) / 2), present)
        }
    }

    /// Whether single updates are compared.
    var isRobust: Bool { admits(.masked) == .refused(.needsSingleUpdates) }

    private func mean(_ updates: [[Float]], _ weights: [Double]?) throws(StrategyError) -> Combined {
        guard kind != .fedBuff else {
            throw .strategy(kind, expected: "an UpdateBuffer, which knows each update's staleness")
        }
        var sum = try WeightedSum(length: updates[0].count)
        for (index, update) in updates.enumerated() { try sum.add(update, weight: weights?[index] ?? 1) }
        return Combined(vector: try sum.mean(), leftOut: [], counted: Array(updates.indices))
    }

    private static func check(_ updates: [[Float]], _ weights: [Double]?) throws(StrategyError) {
        guard let length = updates.first?.count else { throw .noUpdates }
        guard updates.count <= mostParticipants else {
            throw .parameter("updates", expected: "at most \(mostParticipants)")
        }
        guard length > 0 else { throw .updateLength(participant: 0, found: 0, expected: 1) }
        for (index, update) in updates.enumerated() where update.count != length {
            throw .updateLength(participant: index, found: update.count, expected: length)
        }
        guard let weights else { return }
        guard weights.count == updates.count else {
            throw .weightCount(found: weights.count, expected: updates.count)
        }
        if let index = weights.firstIndex(where: { !WeightedSum.weights.contains($0) }) {
            throw .weight(participant: index)
        }
    }

    // MARK: Malicious participants

    /// The fewest participants that a robust rule needs.
    public var leastParticipants: Int {
        switch self {
        case .trimmedMean(let trim): 2 * trim + 1
        case .multiKrum(let byzantine, let kept): max(2 * byzantine + 3, byzantine + kept + 2)
        default: 1
        }
    }

    /// How many malicious ones the rule bears among so many.
    private func mostByzantine(of participants: Int) -> Int {
        switch self {
        case .trimmedMean(let trim): min(trim, (participants - 1) / 2)
        case .multiKrum(let byzantine, _): participants < 3 ? -1 : min(byzantine, (participants - 3) / 2)
        default: (participants - 1) / 2
        }
    }

    /// How many the rule must bear of those that are left: as many as it was told of if enough are left; if not,
    /// fewer, as those left out were some of them.
    private func remainingByzantine(of participants: Int, leftOut: [Int]) throws(StrategyError) -> Int {
        guard participants >= leastParticipants else {
            throw .tooFewParticipants(kind, found: participants, expected: leastParticipants)
        }
        let told = mostByzantine(of: participants)
        let left = participants - leftOut.count
        let borne = left > 0 ? mostByzantine(of: left) : -1
        guard borne >= 0, borne == told || leftOut.count <= told else {
            throw .tooManyNonFinite(kind, participants: leftOut, most: told)
        }
        return borne
    }
}
