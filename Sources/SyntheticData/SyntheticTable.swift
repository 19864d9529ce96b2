public import DifferentialPrivacy
public import Tables

/// A synthetic table: a release. Rows are drawn from a model of noisy marginals; none is anybody's.
public struct SyntheticTable: Sendable {
    /// In the order of the schema's columns. The unit's column numbers made-up units from 1; columns that were left out
    /// hold nulls.
    public let rows: [[Value]]
    /// Everything that read the private table. Its losses add up to at most the budget.
    public let events: [PrivacyEvent]
    /// The names of the pairs of columns whose dependence was measured; any other dependence follows from these alone.
    public let pairs: [[String]]
    /// Columns without synthetic values, and why.
    public let leftOut: [LeftOutColumn]
    /// How many rows it would have had by what was asked, or by the noisy number, if a table could be as large; nil: so many
    /// as it has.
    public let wantedRows: Int?

    init<R: RandomNumberGenerator>(_ data: SyntheticData, _ measured: NoisyMarginals, using generator: inout R) {
        let forest = Forest(sizes: measured.mergings.map(\.groupCount), pairs: measured.pairs)
        let marginals = ForestEstimation(forest, measured).marginals()
        let count = Self.rowCount(data, measured)
        let sampling = RowSampling(
            forest: forest, marginals: marginals, mergings: measured.mergings, singles: measured.consistent)
        let cells = sampling.cells(count, using: &generator)
        let units = Self.unitCount(data, measured, rows: count)
        var rows: [[Value]] = []
        rows.reserveCapacity(count)
        for row in 0..<count {
            var values = [Value](repeating: .null, count: data.schema.columns.count)
            if let column = data.unitColumn {
                values[column] = data.schema.columns[column].madeUpUnit(Int64(row % units) + 1)
            }
            for (place, column) in data.columns.enumerated() {
                let value = column.value(Int(cells[place][row]), using: &generator)
                values[column.partition.column] = data.schema.columns[column.partition.column].bounded(value)
            }
            rows.append(values)
        }
        self.rows = rows
        events = measured.events
        pairs = measured.pairs.map { [data.columns[$0.left].name, data.columns[$0.right].name] }
        leftOut = data.leftOut
        let wanted = data.options.rows ?? Int(min(measured.total.rounded(), 0x1p62))
        wantedRows = wanted > count ? wanted : nil
    }

    /// The number that was asked for, or the noisy one: never the table's own.
    static func rowCount(_ data: SyntheticData, _ measured: NoisyMarginals) -> Int {
        let wanted = data.options.rows ?? Int(min(measured.total, Double(SyntheticData.Limits.rows)))
        return max(1, min(wanted, SyntheticData.Limits.values / max(data.schema.columns.count, 1)))
    }

    /// As many rows a unit as the noisy numbers say on average, and never more than a unit may have.
    private static func unitCount(_ data: SyntheticData, _ measured: NoisyMarginals, rows: Int) -> Int {
        let fewest = (rows + data.rowsPerUnit - 1) / data.rowsPerUnit
        guard let units = measured.units else { return rows }
        let share = Double(max(units, 1)) / measured.total
        return min(max(Int(min(share, 1) * Double(rows)), fewest), rows)
    }

}

extension ForestEstimation {
    /// Noisy counts as parts of the total, each with the inverse of its variance, the least noisy one's being 1.
    init(_ forest: Forest, _ measured: NoisyMarginals) {
        let total = measured.total
        let sizes = measured.mergings.map(\.sizes)
        let nodes = zip(measured.mergings, measured.singles).map { merging, counts in
            merging.merged(counts.map(Double.init)).map { $0 / total }
        }
        let ratio = measured.pairNoise > 0 ? measured.singleNoise / measured.pairNoise : 1
        let largest = max(1, ratio * ratio)
        var edges: [[Double]] = []
        for edge in forest.edges {
            let number = measured.pairs.firstIndex {
                ($0.left, $0.right) == (edge.parent, edge.child) || ($0.left, $0.right) == (edge.child, edge.parent)
            }
            guard let number else { continue }
            let counts = measured.pairCounts[number].map { Double($0) / total }
            let isForward = measured.pairs[number].left == edge.parent
            let (above, below) = (forest.sizes[edge.parent], forest.sizes[edge.child])
            edges.append(
                isForward
                    ? counts
                    : (0..<above * below).map { counts[$0 % below * above + $0 / below] })
        }
        self.init(
            forest: forest, targets: ForestTables(nodes: nodes, edges: edges),
            weights: ForestTables(
                nodes: sizes.map { $0.map { 1 / ($0 * largest) } },
                edges: edges.map { $0.map { _ in ratio * ratio / largest } }))
    }
}
