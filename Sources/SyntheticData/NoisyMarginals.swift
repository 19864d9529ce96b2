import DifferentialPrivacy
import Tables

/// What is measured of a private table, and what that cost: noisy, so that everything after it is post-processing. Exact
/// counts live and end inside the initialiser.
struct NoisyMarginals: Sendable {
    /// Of each column: its cells' noisy counts, and the same made consistent (none negative, one total).
    let singles: [[Int64]]
    let consistent: [[Double]]
    /// The noisy number of rows that count, at least 1.
    let total: Double
    /// The noisy number of units; nil where each row is a unit.
    let units: Int64?
    let mergings: [CellMerging]
    /// The selected pairs of columns, with the noisy counts of their groups (the right column's fastest).
    let pairs: [(left: Int, right: Int)]
    let pairCounts: [[Int64]]
    let singleNoise: Double
    let pairNoise: Double
    /// Everything that read the table.
    let events: [PrivacyEvent]

    /// Throws if the table is not of the planned schema, and what `columnsCounted` throws: it is called when columns are
    /// counted, before pairs are.
    init<R: RandomNumberGenerator>(
        _ data: SyntheticData, _ mechanisms: SyntheticData.Mechanisms, table: Table, using generator: inout R,
        columnsCounted: () throws -> Void = {}
    ) throws {
        guard table.schema == data.schema,
            let counting = MarginalCounting(
                data.columns.map(\.partition), rowsPerUnit: data.rowsPerUnit, table: table)
        else { throw SyntheticDataError.otherTable }
        var filter = PrivacyFilter(limit: mechanisms.budget)
        var events: [PrivacyEvent] = []
        func spend(_ event: PrivacyEvent) throws(MechanismError) {
            guard filter.admit(try event.loss(kind: mechanisms.budget.kind)) else {
                throw .parameter("budget", expected: "a loss that covers every step")
            }
            events.append(event)
        }

        let exact = counting.singles()
        try spend(mechanisms.singles.event)
        var flat = exact.counts.flatMap { $0 }
        mechanisms.singles.add(to: &flat, using: &generator)
        singles = Self.cut(flat, like: data.columns.map(\.cellCount))
        var units: Int64?
        if let noise = mechanisms.units {
            try spend(noise.event)
            var count = [exact.units]
            noise.add(to: &count, using: &generator)
            units = count[0]
        }
        self.units = units
        try columnsCounted()

        let total = Self.total(singles)
        let consistent = singles.map { Simplex.project($0.map(Double.init), total: total) }
        let noise = mechanisms.singles.standardDeviation
        self.total = total
        self.consistent = consistent
        singleNoise = noise
        guard let selection = mechanisms.selection, let expected = mechanisms.expectedPairs else {
            mergings = data.columns.indices.map {
                CellMerging(data.columns[$0], counts: consistent[$0], noise: 0, wanted: 1)
            }
            (pairs, pairCounts, pairNoise) = ([], [], 0)
            self.events = events
            return
        }
        let mergings = Self.mergings(
            data.columns, counts: consistent, total: total, noise: noise, pairNoise: expected.standardDeviation)
        self.mergings = mergings

        let exactPairs = counting.pairs(groups: mergings.map(\.groups))
        let chosen = try Self.select(
            selection, from: exactPairs, merged: zip(mergings, consistent).map { $0.merged($1) }, total: total,
            noise: expected.standardDeviation, using: &generator)
        try spend(selection.mechanism.event(times: chosen.rounds))
        pairs = chosen.pairs
        guard !chosen.pairs.isEmpty else {
            (pairCounts, pairNoise) = ([], 0)
            self.events = events
            return
        }
        let left = mechanisms.budget.left(after: filter.spent)
        let pairMechanism = try MarginalNoise(
            marginals: chosen.pairs.count, rowsPerUnit: data.rowsPerUnit, loss: left)
        try spend(pairMechanism.event)
        var counts = chosen.pairs.flatMap { exactPairs.counts($0.left, $0.right) }
        pairMechanism.add(to: &counts, using: &generator)
        pairCounts = Self.cut(
            counts, like: chosen.pairs.map { mergings[$0.left].groupCount * mergings[$0.right].groupCount })
        pairNoise = pairMechanism.standardDeviation
        self.events = events
    }

    private static func cut(_ flat: [Int64], like sizes: [Int]) -> [[Int64]] {
        var start = 0
        return sizes.map { size in
            defer { start += size }
            return Array(flat[start..<start + size])
        }
    }

    /// Each column's counts add up to the number of rows, with noise in each cell: their mean, weighted by the inverse
    /// of the number of cells. At least 1, and at most what integers hold with ease.
    static func total(_ singles: [[Int64]]) -> Double {
        var (sum, weights) = (0.0, 0.0)
        for counts in singles {
            let weight = 1 / Double(max(counts.count, 1))
            sum += weight * counts.reduce(0.0) { $0 + Double($1) }
            weights += weight
        }
        return min(max((sum / weights).rounded(), 1), 0x1p50)
    }

    /// As many groups as leave a pair's typical count well above its noise.
    private static func mergings(
        _ columns: [SyntheticColumn], counts: [[Double]], total: Double, noise: Double, pairNoise: Double
    ) -> [CellMerging] {
        let wanted = (total / pairNoise).squareRoot().rounded()
        let groups = Int(min(max(wanted, 2), Double(CellMerging.mostGroups)))
        return columns.indices.map {
            CellMerging(columns[$0], counts: counts[$0], noise: noise, wanted: groups)
        }
    }

    private static func select<R: RandomNumberGenerator>(
        _ selection: PairSelection, from exact: borrowing ExactPairs, merged: [[Double]], total: Double,
        noise: Double, using generator: inout R
    ) throws(MechanismError) -> (pairs: [(left: Int, right: Int)], rounds: Int) {
        var candidates: [PairSelection.Candidate] = []
        for left in merged.indices {
            for right in merged.indices.dropFirst(left + 1) {
                let expected = merged[left].flatMap { a in merged[right].map { b in Int64((a * (b / total)).rounded()) }
                }
                let utility = PairSelection.utility(
                    counts: exact.counts(left, right), expected: expected, noise: noise)
                candidates.append(PairSelection.Candidate(left: left, right: right, utility: utility))
            }
        }
        return try selection.forest(columns: merged.count, candidates, using: &generator)
    }
}
