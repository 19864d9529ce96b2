/// Draws rows from a model: post-processing. Numbers of rows are allocated, not drawn one by one, so that a table of n
/// rows has the model's marginals to within a row a cell, and no sampling error is added to the noise.
struct RowSampling {
    let forest: Forest
    let marginals: ForestTables
    let mergings: [CellMerging]
    /// Each column's own counts, for cells inside a group.
    let singles: [[Double]]

    /// The cells of `rows` rows, column by column.
    func cells<R: RandomNumberGenerator>(_ rows: Int, using generator: inout R) -> [[Int32]] {
        var groups = [[Int32]](repeating: [], count: forest.sizes.count)
        for root in forest.roots {
            groups[root] = Self.spread(Array(0..<rows), weights: marginals.nodes[root], rows, using: &generator)
        }
        for (number, edge) in forest.edges.enumerated() {
            let width = forest.sizes[edge.child]
            var column = [Int32](repeating: 0, count: rows)
            for (state, members) in Self.members(groups[edge.parent], forest.sizes[edge.parent]).enumerated() {
                let weights = Array(marginals.edges[number][state * width..<(state + 1) * width])
                Self.assign(members, weights, into: &column, using: &generator)
            }
            groups[edge.child] = column
        }
        return groups.indices.map { refined(groups[$0], column: $0, using: &generator) }
    }

    /// From groups to cells, in proportion to the column's own counts.
    private func refined<R: RandomNumberGenerator>(
        _ groups: [Int32], column: Int, using generator: inout R
    ) -> [Int32] {
        var cells = groups
        for (group, members) in Self.members(groups, forest.sizes[column]).enumerated() {
            let inside = mergings[column].groups.indices.filter { mergings[column].groups[$0] == Int32(group) }
            var places = [Int32](repeating: 0, count: groups.count)
            Self.assign(members, inside.map { singles[column][$0] }, into: &places, using: &generator)
            for row in members { cells[row] = Int32(inside[Int(places[row])]) }
        }
        return cells
    }

    private static func members(_ groups: [Int32], _ count: Int) -> [[Int]] {
        var members = [[Int]](repeating: [], count: count)
        for (row, group) in groups.enumerated() { members[Int(group)].append(row) }
        return members
    }

    private static func spread<R: RandomNumberGenerator>(
        _ members: [Int], weights: [Double], _ rows: Int, using generator: inout R
    ) -> [Int32] {
        var column = [Int32](repeating: 0, count: rows)
        assign(members, weights, into: &column, using: &generator)
        return column
    }

    /// Gives each member a state: as many as allocated, in random order.
    private static func assign<R: RandomNumberGenerator>(
        _ members: [Int], _ weights: [Double], into column: inout [Int32], using generator: inout R
    ) {
        guard !members.isEmpty, !weights.isEmpty else { return }
        var states: [Int32] = []
        states.reserveCapacity(members.count)
        for (state, count) in Uniform.allocate(members.count, weights: weights, using: &generator).enumerated() {
            states.append(contentsOf: repeatElement(Int32(state), count: count))
        }
        Uniform.shuffle(&states, using: &generator)
        for (row, state) in zip(members, states) { column[row] = state }
    }
}
