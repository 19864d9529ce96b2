import Foundation

/// Softmax regression from 50 numbers to ten classes: one row of sixteen lanes a number, of which the last six stay zero.
public struct Softmax: Sendable {
    typealias Lanes = SIMD16<Float>
    /// Parameters: ten a number.
    public static let dimension = 10 * Digits.width
    var weights = [Lanes](repeating: .zero, count: Digits.width)

    /// All parameters zero.
    public init() {}

    private static let none: Lanes = {
        var lanes = Lanes.zero
        for lane in 10..<16 { lanes[lane] = -Float.infinity }
        return lanes
    }()

    /// The parameters, or a difference of parameters, as a vector.
    public var vector: [Float] { weights.flatMap { row in (0..<10).map { row[$0] } } }

    /// The parameters of a vector.
    public init(_ vector: [Float]) {
        for (index, value) in vector.enumerated() { weights[index / 10][index % 10] = value }
    }

    mutating func add(_ other: Softmax, times factor: Float) {
        for index in weights.indices { weights[index] += factor * other.weights[index] }
    }

    var squaredNorm: Float { weights.reduce(0) { $0 + ($1 * $1).sum() } }

    /// The classes' probabilities for a row.
    @inline(__always)
    private static func probabilities(_ weights: UnsafePointer<Lanes>, _ row: UnsafePointer<Float>) -> Lanes {
        var sum = none
        for index in 0..<Digits.width { sum += weights[index] * row[index] }
        sum -= Lanes(repeating: sum.max())
        var exponentials = Lanes.zero
        for lane in 0..<10 { exponentials[lane] = exp(sum[lane]) }
        return exponentials / exponentials.sum()
    }

    /// The mean gradient of the negative log likelihood.
    public func gradient(_ rows: Rows) -> Softmax {
        var gradient = Softmax()
        guard rows.count > 0 else { return gradient }
        weights.withUnsafeBufferPointer { weights in
            gradient.weights.withUnsafeMutableBufferPointer { sums in
                rows.values.withUnsafeBufferPointer { values in
                    guard let weights = weights.baseAddress, let sums = sums.baseAddress,
                        let values = values.baseAddress
                    else { return }
                    for row in 0..<rows.count {
                        let start = values + row * Digits.width
                        var residual = Self.probabilities(weights, start)
                        residual[rows.labels[row]] -= 1
                        for index in 0..<Digits.width { sums[index] += residual * start[index] }
                    }
                }
            }
        }
        let factor = 1 / Float(rows.count)
        for index in gradient.weights.indices { gradient.weights[index] *= factor }
        return gradient
    }

    /// The mean negative log likelihood, and the part of rows whose likeliest class is right.
    public func score(_ rows: Rows) -> (loss: Double, accuracy: Double) {
        var (loss, right) = (0.0, 0)
        weights.withUnsafeBufferPointer { weights in
            rows.values.withUnsafeBufferPointer { values in
                guard let weights = weights.baseAddress, let values = values.baseAddress else { return }
                for row in 0..<rows.count {
                    let probabilities = Self.probabilities(weights, values + row * Digits.width)
                    let own = probabilities[rows.labels[row]]
                    loss -= Double(log(max(own, .leastNormalMagnitude)))
                    if own == probabilities.max() { right += 1 }
                }
            }
        }
        return (loss / Double(rows.count), Double(right) / Double(rows.count))
    }
}

/// How models are trained: rounds of local steps, whose differences are clipped, weighted by rows, and added times a factor.
public struct Plan: Sendable {
    /// The plan of all measurements here. The norm is so small that almost every update is clipped.
    public static let study = Plan(rounds: 5, localSteps: 10, learningRate: 1, clippingNorm: 1.5, serverRate: 1.5)
    let rounds: Int
    let localSteps: Int
    let learningRate: Float
    let clippingNorm: Float
    let serverRate: Float

    /// An owner's update of a model, not clipped yet.
    func update(_ model: Softmax, _ rows: Rows) -> Softmax {
        var trained = model
        for _ in 0..<localSteps { trained.add(trained.gradient(rows), times: -learningRate) }
        trained.add(model, times: -1)
        return trained
    }

    /// The update, no longer than the norm.
    func clipped(_ update: Softmax) -> Softmax {
        let norm = update.squaredNorm.squareRoot()
        guard norm > clippingNorm else { return update }
        var clipped = Softmax()
        clipped.add(update, times: clippingNorm / norm)
        return clipped
    }
}
