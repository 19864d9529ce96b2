import Tables

/// Which cells say that their row is there because of noisy numbers (docs/privacy.md, rule 22): decided from the plan and
/// from noisy numbers alone.
struct CellFlags {
    /// Channels whose noise helped to choose the rows that are shown.
    private let choosing: Set<Int>
    private let selection: SelectionChannel?
    private let output: OutputPlan

    /// - Parameter isCut: whether `LIMIT` or `OFFSET` left out a group, so that the order chose.
    init(_ output: OutputPlan, selection: SelectionChannel?, isCut: Bool) {
        self.output = output
        self.selection = selection
        var expressions = [output.having].compactMap(\.self)
        if isCut { expressions += output.orders.map(\.expression) }
        choosing = Set(expressions.flatMap { Self.channels($0, output) })
    }

    /// The channels behind an expression on a group's virtual row.
    private static func channels(_ expression: Expression, _ output: OutputPlan) -> [Int] {
        var found: [Int] = []
        expression.visit { node in
            if case .column(let index, _) = node, index >= output.keys.count {
                found += output.forms[index - output.keys.count].channels
            }
        }
        return found
    }

    /// What a column's cells are marked with, for each group: `units` are the noisy numbers that selected them.
    ///
    /// A cell is `selected` if its noise took part in the choice: fresh noise is what it is, whichever rows are shown. It is
    /// `thresholded` if its group may be of a size that is seldom shown, unless it is the selecting number itself, whose
    /// interval holds that.
    ///
    /// It is `clipped` if a quantile in it, or an end of that one's interval, was chosen at a bound to which values were clipped.
    func flags(of item: OutputPlan.Item, units: [Int64], picks: [[QuantilePick]]) -> [[CellFlag]] {
        let channels: [Int]
        var isAlone = false
        switch item {
        case .scalar(let expression, let form):
            channels = Self.channels(expression, output)
            isAlone = selection?.isAlone(in: form) ?? false
        case .bin(let channel, _): channels = [channel]
        }
        guard !channels.isEmpty else { return units.map { _ in [] } }
        let isSelected = channels.contains(where: choosing.contains)
        let ranked = channels.compactMap { channel in output.channels[channel].quantile.map { (channel, $0) } }
        return units.indices.map { group in
            let isRare = selection.map { !isAlone && $0.isRare(units[group]) } ?? false
            let isClipped = ranked.contains { channel, grid in grid.isClipped(picks[channel][group]) }
            return (isSelected ? [.selected] : []) + (isRare ? [.thresholded] : []) + (isClipped ? [.clipped] : [])
        }
    }
}
