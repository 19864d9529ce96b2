#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The distribution on a forest whose marginals fit noisy ones best: least squares weighted by the noise, over all
/// distributions of that structure (Private-PGM: McKenna, Sheldon and Miklau 2019, "Graphical-model based estimation and
/// inference for differential privacy", algorithms 1 and 2). Post-processing: it sees nothing but noisy counts.
struct ForestEstimation {
    let forest: Forest
    /// Noisy marginals, as parts of the total.
    let targets: ForestTables
    /// The inverse variance of each, up to a common factor.
    let weights: ForestTables

    private static let mostSteps = 400
    private static let tolerance = 1e-6

    /// Mirror descent with a line search: steps along the gradient in the potentials, each marginal by belief
    /// propagation. The loss never rises, and the marginals are those of one distribution after each step.
    func marginals() -> ForestTables {
        var potentials = start
        var marginals = forest.marginals(potentials)
        var loss = self.loss(marginals)
        var rate = 1.0
        var idle = 0
        for _ in 0..<Self.mostSteps {
            let gradient = self.gradient(marginals)
            let before = loss
            rate *= 2
            for _ in 0..<40 {
                var next = potentials
                next.combine(gradient) { $0 -= rate * $1 }
                let moved = forest.marginals(next)
                let reached = self.loss(moved)
                let expected = gradient.product(marginals) - gradient.product(moved)
                if reached.isFinite, before - reached >= expected / 2 {
                    (potentials, marginals, loss) = (next, moved, reached)
                    break
                }
                rate /= 2
            }
            idle = before - loss <= Self.tolerance * before ? idle + 1 : 0
            if idle == 3 { break }
        }
        return marginals
    }

    private func loss(_ marginals: ForestTables) -> Double {
        var residual = marginals
        residual.combine(targets) { $0 -= $1 }
        residual.combine(weights) { $0 = $0 * $0 * $1 }
        return residual.nodes.reduce(0) { $1.reduce($0, +) } / 2 + residual.edges.reduce(0) { $1.reduce($0, +) } / 2
    }

    private func gradient(_ marginals: ForestTables) -> ForestTables {
        var gradient = marginals
        gradient.combine(targets) { $0 -= $1 }
        gradient.combine(weights) { $0 *= $1 }
        return gradient
    }

    /// Near the solution already: the noisy marginals made distributions one by one, as a tree's nodes and edges factor.
    private var start: ForestTables {
        let nodes = targets.nodes.map { Simplex.project($0, total: 1) }
        var edges: [[Double]] = []
        for (number, edge) in forest.edges.enumerated() {
            let joint = Simplex.project(targets.edges[number], total: 1)
            let width = forest.sizes[edge.child]
            var above = [Double](repeating: 0, count: forest.sizes[edge.parent])
            var below = [Double](repeating: 0, count: width)
            for (place, value) in joint.enumerated() {
                above[place / width] += value
                below[place % width] += value
            }
            edges.append(
                joint.enumerated().map { place, value in
                    let product = Self.floored(above[place / width]) * Self.floored(below[place % width])
                    return log(Self.floored(value, at: 1e-6)) - log(product)
                })
        }
        return ForestTables(nodes: nodes.map { $0.map { log(Self.floored($0)) } }, edges: edges)
    }

    /// Nothing starts at zero, where mirror descent could not leave it.
    private static func floored(_ value: Double, at least: Double = 1e-4) -> Double { max(value, least) }
}

/// Vectors of numbers that are not negative, with a given sum.
enum Simplex {
    /// The nearest one in Euclidean distance (Duchi, Shalev-Shwartz, Singer and Chandra 2008, figure 1).
    static func project(_ values: [Double], total: Double) -> [Double] {
        guard !values.isEmpty, total > 0 else { return values.map { _ in 0 } }
        var sum = 0.0
        var shift = 0.0
        for (index, value) in values.sorted(by: >).enumerated() {
            sum += value
            let candidate = (sum - total) / Double(index + 1)
            guard value > candidate else { break }
            shift = candidate
        }
        return values.map { max(0, $0 - shift) }
    }
}
