/// Which cells of a column count as one in a pair: chosen from noisy counts and public numbers, so it costs nothing.
///
/// A pair's table has the product of both columns' cells, each with noise; so cells are merged until a group holds a
/// fair share of the rows, neighbours with neighbours, and of a domain the rare values together (as MST does). How
/// values lie inside a group is then taken from the single column.
struct CellMerging: Sendable, Hashable {
    /// The group of each cell.
    let groups: [Int32]
    let groupCount: Int

    /// The most groups of a column, null's included: 128 columns then have 8.6 million pairs of groups.
    static let mostGroups = 32

    /// - Parameters:
    ///   - counts: the column's counts, made consistent from noisy ones.
    ///   - noise: the standard deviation of one noisy count of the column.
    ///   - wanted: about how many groups.
    init(_ column: SyntheticColumn, counts: [Double], noise: Double, wanted: Int) {
        let total = counts.reduce(0, +)
        let least = max(3 * noise, total / Double(max(wanted, 1)))
        let ordered = column.orderedCells
        var groups = [Int32](repeating: 0, count: counts.count)
        var next = Self.mergeNeighbours(counts.prefix(ordered), least, into: &groups)
        let unordered = Array(counts.indices.dropFirst(ordered))
        // The largest values keep a group of their own; all others share the last.
        let room = max(Self.mostGroups - Int(next) - 1, 0)
        let frequent = Set(
            unordered.filter { counts[$0] >= 3 * noise && counts[$0] > 0 }
                .sorted { (-counts[$0], $0) < (-counts[$1], $1) }.prefix(room))
        var shared: Int32?
        for cell in unordered {
            if frequent.contains(cell) || unordered.count == 1 {
                groups[cell] = next
                next += 1
            } else {
                if shared == nil {
                    shared = next
                    next += 1
                }
                groups[cell] = shared ?? 0
            }
        }
        self.groups = groups
        groupCount = Int(next)
    }

    /// Fills group after group from the left until each holds `least`; what is left over at the end joins the last.
    private static func mergeNeighbours(
        _ counts: ArraySlice<Double>, _ least: Double, into groups: inout [Int32]
    ) -> Int32 {
        guard !counts.isEmpty else { return 0 }
        var group: Int32 = 0
        var held = 0.0
        var left = counts.reduce(0, +)
        for cell in counts.indices {
            groups[cell] = group
            held += counts[cell]
            left -= counts[cell]
            let isFull = held >= least && left >= least
            if isFull, Int(group) < mostGroups - 2, cell != counts.endIndex - 1 {
                group += 1
                held = 0
            }
        }
        return group + 1
    }

    /// The sums of a column's counts over its groups.
    func merged(_ counts: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: groupCount)
        for (cell, count) in counts.enumerated() { sums[Int(groups[cell])] += count }
        return sums
    }

    /// The number of cells in each group.
    var sizes: [Double] {
        merged([Double](repeating: 1, count: groups.count))
    }
}
