import Secrets

@testable import Federation

/// Linear regression over participants whose rows differ: f_i(w) = 1 / (2 m_i) |A_i w - b_i|^2, weighted by numbers of
/// rows.
struct LeastSquares {
    struct Participant {
        var rows: [[Double]]
        var targets: [Double]

        func gradient(_ weights: [Float]) -> [Float] {
            var sum = [Double](repeating: 0, count: weights.count)
            for (row, target) in zip(rows, targets) {
                var residual = -target
                for index in row.indices { residual += row[index] * Double(weights[index]) }
                for index in row.indices { sum[index] += residual * row[index] }
            }
            return sum.map { Float($0 / Double(rows.count)) }
        }

        /// Gradient descent from these weights.
        func train(
            _ weights: [Float], steps: Int, rate: Float, correction: LocalCorrection? = nil
        ) throws -> [Float] {
            var weights = weights
            for _ in 0..<steps {
                var gradient = gradient(weights)
                try correction?.adjust(gradient: &gradient, weights: weights)
                for index in weights.indices { weights[index] -= rate * gradient[index] }
            }
            return weights
        }
    }

    let dimensions: Int
    let participants: [Participant]

    /// `heterogeneity` 0: all have the same answer and the same features.
    init(participants count: Int, dimensions: Int, heterogeneity: Double, seed: UInt64) {
        var random = Draws(seed: seed)
        let truth = (0..<dimensions).map { _ in random.normal() }
        self.dimensions = dimensions
        participants = (0..<count).map { position in
            let own = truth.map { $0 + heterogeneity * random.normal() }
            let scales = (0..<dimensions).map { _ in 1 + heterogeneity * random.uniform() }
            let rows = (0..<8 + 3 * position).map { _ in scales.map { $0 * random.normal() } }
            let targets = rows.map { row in zip(row, own).reduce(0) { $0 + $1.0 * $1.1 } + 0.1 * random.normal() }
            return Participant(rows: rows, targets: targets)
        }
    }

    /// Numbers of rows.
    var weights: [Double] { participants.map { Double($0.rows.count) } }

    /// All rows together.
    var central: Participant {
        Participant(rows: participants.flatMap(\.rows), targets: participants.flatMap(\.targets))
    }

    /// The exact optimum over all rows.
    var optimum: [Double] { solution(weights.map { _ in 1 }) }

    /// That of the participants' mean losses, each counted once.
    var unweightedOptimum: [Double] { solution(weights.map { 1 / $0 }) }

    /// By elimination, from the normal equations of rows that weigh so much.
    private func solution(_ scales: [Double]) -> [Double] {
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: dimensions + 1), count: dimensions)
        for (participant, scale) in zip(participants, scales) {
            for (row, target) in zip(participant.rows, participant.targets) {
                let entries = row + [target]
                for i in 0..<dimensions {
                    for j in 0...dimensions { matrix[i][j] += scale * entries[i] * entries[j] }
                }
            }
        }
        for pivot in 0..<dimensions {
            for row in 0..<dimensions where row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot]
                for column in 0...dimensions { matrix[row][column] -= factor * matrix[pivot][column] }
            }
        }
        return (0..<dimensions).map { matrix[$0][dimensions] / matrix[$0][$0] }
    }

    /// Rounds in which each participant trains and sends its update.
    func run(
        _ strategy: Strategy, rounds: Int, steps: Int, rate: Float, start: [Float]? = nil
    ) throws -> [Float] {
        var weights = start ?? [Float](repeating: 0, count: dimensions)
        var state = try ServerState(strategy, parameters: dimensions)
        for _ in 0..<rounds {
            let updates = try participants.map { participant in
                if strategy.kind == .fedSGD { return participant.gradient(weights) }
                let correction = try LocalCorrection(strategy, anchor: weights)
                let after = try participant.train(weights, steps: steps, rate: rate, correction: correction)
                return zip(after, weights).map { $0 - $1 }
            }
            let given = strategy.isRobust ? nil : self.weights
            let mean = try strategy.combine(updates, weights: given, centre: state.momentum).vector
            try state.apply(mean: mean, to: &weights, strategy: strategy)
        }
        return weights
    }
}

/// Seeded draws.
struct Draws {
    private var generator: SeededGenerator
    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }

    /// Nearly normal: a sum of twelve uniform ones.
    mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }

    mutating func below(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }

    mutating func vector(_ count: Int, around centre: Float = 0, spread: Float = 1) -> [Float] {
        (0..<count).map { _ in centre + spread * Float(normal()) }
    }

    mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) { order.swapAt(index, below(index + 1)) }
        return order
    }
}

/// The largest difference of two vectors' entries.
func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } }

/// The L2 norm of the difference.
func norm(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }.squareRoot()
}
