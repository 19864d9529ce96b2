import Secrets
import Testing

@testable import SyntheticData

@Suite("The graphical model on a forest")
struct ModelTests {
    private func number(_ generator: inout SeededGenerator) -> Double {
        4 * Uniform.fraction(using: &generator) - 2
    }

    private func potentials(_ forest: Forest, _ generator: inout SeededGenerator) -> ForestTables {
        ForestTables(
            nodes: forest.sizes.map { size in (0..<size).map { _ in number(&generator) } },
            edges: forest.edges.map { edge in
                (0..<forest.sizes[edge.parent] * forest.sizes[edge.child]).map { _ in number(&generator) }
            })
    }

    /// Sums over all combinations of states.
    private func enumerated(_ forest: Forest, _ potentials: ForestTables) -> ForestTables {
        var sums = ForestTables(
            nodes: potentials.nodes.map { $0.map { _ in 0 } }, edges: potentials.edges.map { $0.map { _ in 0 } })
        var total = 0.0
        for combination in 0..<forest.sizes.reduce(1, *) {
            var rest = combination
            let states = forest.sizes.map { size -> Int in
                defer { rest /= size }
                return rest % size
            }
            var exponent = 0.0
            for (node, state) in states.enumerated() { exponent += potentials.nodes[node][state] }
            let places = forest.edges.map { states[$0.parent] * forest.sizes[$0.child] + states[$0.child] }
            for (edge, place) in places.enumerated() { exponent += potentials.edges[edge][place] }
            let weight = Self.exponential(exponent)
            total += weight
            for (node, state) in states.enumerated() { sums.nodes[node][state] += weight }
            for (edge, place) in places.enumerated() { sums.edges[edge][place] += weight }
        }
        return ForestTables(
            nodes: sums.nodes.map { $0.map { $0 / total } }, edges: sums.edges.map { $0.map { $0 / total } })
    }

    /// By its series: a second way beside the one under test.
    private static func exponential(_ x: Double) -> Double {
        var (term, sum) = (1.0, 1.0)
        for n in 1...30 {
            term *= x / 32 / Double(n)
            sum += term
        }
        return (0..<5).reduce(sum) { value, _ in value * value }
    }

    @Test("Belief propagation gives the marginals of the joint distribution, enumerated")
    func beliefPropagation() {
        var generator = SeededGenerator(seed: 1)
        for pairs in [[(0, 1), (1, 2), (1, 3)], [(3, 0), (2, 3)], [], [(2, 1), (0, 2), (3, 1), (4, 0)]] {
            let forest = Forest(sizes: [2, 3, 1, 4, 2], pairs: pairs.map { (left: $0.0, right: $0.1) })
            #expect(forest.edges.count == pairs.count && forest.roots.count == 5 - pairs.count)
            let potentials = potentials(forest, &generator)
            var difference = forest.marginals(potentials)
            difference.combine(enumerated(forest, potentials)) { $0 -= $1 }
            #expect((difference.nodes + difference.edges).allSatisfy { $0.allSatisfy { abs($0) < 1e-12 } })
        }
    }

    @Test("From a distribution's own marginals the estimate is that distribution")
    func estimationRecovers() {
        var generator = SeededGenerator(seed: 2)
        let forest = Forest(sizes: [3, 4, 2], pairs: [(left: 1, right: 0), (left: 1, right: 2)])
        let truth = forest.marginals(potentials(forest, &generator))
        var ones = truth
        ones.combine(truth) { value, _ in value = 1 }
        var difference = ForestEstimation(forest: forest, targets: truth, weights: ones).marginals()
        difference.combine(truth) { $0 -= $1 }
        #expect((difference.nodes + difference.edges).allSatisfy { $0.allSatisfy { abs($0) < 1e-3 } })
    }

    @Test("Of two contradicting measurements the more precise one counts more")
    func estimationWeighs() {
        let forest = Forest(sizes: [2, 2], pairs: [(left: 0, right: 1)])
        // The node says 0.5, the edge's rows say 0.8.
        let targets = ForestTables(nodes: [[0.5, 0.5], [0.5, 0.5]], edges: [[0.4, 0.4, 0.1, 0.1]])
        func first(_ weight: Double) -> Double {
            let weights = ForestTables(
                nodes: [[weight, weight], [weight, weight]], edges: [[Double](repeating: 1, count: 4)])
            return ForestEstimation(forest: forest, targets: targets, weights: weights).marginals().nodes[0][0]
        }
        // Least squares: w (p - 1/2)^2 * 2 + 4 (p / 2 - 0.4)^2 is least at p = (w / 2 + 0.4) / (w + 1/2), w doubled.
        for weight in [0.1, 1, 10] {
            let best = (2 * weight * 0.5 + 0.8) / (2 * weight + 1)
            #expect(abs(first(weight) - best) < 2e-3, "\(weight)")
        }
    }

    @Test("The projection onto the simplex is the nearest point: no pairwise transfer comes nearer")
    func simplex() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<50 {
            let values = (0..<6).map { _ in number(&generator) }
            let point = Simplex.project(values, total: 2)
            #expect(point.allSatisfy { $0 >= 0 } && abs(point.reduce(0, +) - 2) < 1e-9)
            func distance(_ point: [Double]) -> Double {
                zip(point, values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            }
            for from in 0..<6 where point[from] > 1e-4 {
                for to in 0..<6 where to != from {
                    var moved = point
                    moved[from] -= 1e-4
                    moved[to] += 1e-4
                    #expect(distance(moved) >= distance(point) - 1e-12)
                }
            }
        }
        #expect(Simplex.project([], total: 1).isEmpty)
        #expect(Simplex.project([-5, -5], total: 4) == [2, 2])
    }

    @Test("Allocation gives each item its expectation, to within one, and all in all the number asked for")
    func allocation() {
        var generator = SeededGenerator(seed: 4)
        for count in [0, 1, 7, 1_000] {
            for weights in [[1.0], [0, 0, 0], [0.2, 0, 3, 1e-9], [Double](repeating: 0.1, count: 40)] {
                let given = Uniform.allocate(count, weights: weights, using: &generator)
                let total = weights.reduce(0, +)
                #expect(given.reduce(0, +) == count)
                for (number, weight) in zip(given, weights) where total > 0 {
                    #expect(abs(Double(number) - Double(count) * weight / total) <= 1 + 1e-9)
                }
            }
        }
    }
}
