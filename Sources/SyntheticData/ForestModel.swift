#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Columns as the nodes of a forest, and the pairs that were measured as its edges, each directed away from its tree's
/// root. The junction tree of such a model has one clique an edge, so belief propagation on it is exact.
struct Forest: Sendable, Hashable {
    struct Edge: Sendable, Hashable {
        let parent: Int
        let child: Int
    }

    /// The number of states of each node.
    let sizes: [Int]
    let roots: [Int]
    /// Every edge after the one that leads to its parent.
    let edges: [Edge]

    /// From pairs without a cycle.
    init(sizes: [Int], pairs: [(left: Int, right: Int)]) {
        self.sizes = sizes
        var roots: [Int] = []
        var edges: [Edge] = []
        var reached = [Bool](repeating: false, count: sizes.count)
        for root in sizes.indices where !reached[root] {
            roots.append(root)
            reached[root] = true
            var open = [root]
            while let node = open.popLast() {
                for pair in pairs where pair.left == node || pair.right == node {
                    let other = pair.left == node ? pair.right : pair.left
                    guard !reached[other] else { continue }
                    reached[other] = true
                    edges.append(Edge(parent: node, child: other))
                    open.append(other)
                }
            }
        }
        self.roots = roots
        self.edges = edges
    }
}

/// One number for each state of each node, and for each pair of states of each edge (the child's fastest): potentials,
/// marginals or gradients.
struct ForestTables: Sendable {
    var nodes: [[Double]]
    var edges: [[Double]]

    /// Calls `body` with each number of this and of the other's at the same place, in place.
    mutating func combine(_ other: ForestTables, _ body: (inout Double, Double) -> Void) {
        for node in nodes.indices {
            for state in nodes[node].indices { body(&nodes[node][state], other.nodes[node][state]) }
        }
        for edge in edges.indices {
            for state in edges[edge].indices { body(&edges[edge][state], other.edges[edge][state]) }
        }
    }

    /// The sum of products with another's.
    func product(_ other: ForestTables) -> Double {
        var sum = 0.0
        var copy = self
        copy.combine(other) { sum += $0 * $1 }
        return sum
    }
}

extension Forest {
    /// The marginals of the distribution in proportion to exp(the sum of potentials): belief propagation from the leaves
    /// to the roots, then conditionals from the roots to the leaves (Koller and Friedman 2009, algorithm 10.2).
    func marginals(_ potentials: ForestTables) -> ForestTables {
        var upward = potentials.nodes
        var conditionals = potentials.edges
        for (number, edge) in edges.enumerated().reversed() {
            let below = upward[edge.child]
            for state in 0..<sizes[edge.parent] {
                upward[edge.parent][state] += Self.normalise(&conditionals[number], row: state, plus: below)
            }
        }
        var nodes = upward
        for root in roots { _ = Self.normalise(&nodes[root], row: 0, plus: [Double](repeating: 0, count: sizes[root])) }
        for (number, edge) in edges.enumerated() {
            let width = sizes[edge.child]
            var sums = [Double](repeating: 0, count: width)
            for state in 0..<sizes[edge.parent] {
                let weight = nodes[edge.parent][state]
                for below in 0..<width {
                    let value = weight * conditionals[number][state * width + below]
                    conditionals[number][state * width + below] = value
                    sums[below] += value
                }
            }
            nodes[edge.child] = sums
        }
        return ForestTables(nodes: nodes, edges: conditionals)
    }

    /// Turns a row of logarithms, each plus another's entry, into probabilities; gives the logarithm of their sum.
    private static func normalise(_ table: inout [Double], row: Int, plus other: [Double]) -> Double {
        table.withUnsafeMutableBufferPointer { table in
            let width = other.count
            let start = row * width
            var largest = -Double.infinity
            for state in 0..<width {
                table[start + state] += other[state]
                largest = max(largest, table[start + state])
            }
            var sum = 0.0
            for state in 0..<width {
                let value = exp(table[start + state] - largest)
                table[start + state] = value
                sum += value
            }
            for state in 0..<width { table[start + state] /= sum }
            return largest + log(sum)
        }
    }
}
