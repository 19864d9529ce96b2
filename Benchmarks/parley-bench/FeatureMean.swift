import DifferentialPrivacy
import Learning
import Secrets

/// The mean of rows' features, released once with noise, to be taken off each row: what rows have in common makes gradients long and tells
/// no class from another.
///
/// Each row is a unit, scaled down to a public norm; the sum is rounded and noised as that of one step of training on all rows, whose
/// event it is (``TrainingPrivacy``).
struct FeatureMean {
    let privacy: TrainingPrivacy
    private static let chunk = 256

    /// - Parameter rows: How many there are: public.
    init(features: Int, rows: Int, norm: Double, noiseMultiplier: Double) throws {
        privacy = try TrainingPrivacy(
            clipping: .fixed(norm), noiseMultiplier: noiseMultiplier, samplingRate: 1, steps: 1, capacity: rows,
            dimension: features)
    }

    /// The noisy mean.
    func release(_ examples: Examples, using generator: inout some RandomNumberGenerator) throws -> [Float] {
        let norm = privacy.clipping.first
        var sum = [Double](repeating: 0, count: privacy.dimension)
        for row in 0..<examples.count {
            let values = examples.inputs([row]).values.map(Double.init)
            let own = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            // From below by a hundredth, as gradients are: rounding errors are less.
            let factor = min(1, 0.99 * norm / max(own, .leastNormalMagnitude))
            for index in sum.indices { sum[index] += values[index] * factor }
        }
        let gridStep = norm / privacy.gradientSteps
        var steps = sum.map { Int64(($0 / gridStep).rounded()) }
        try DiscreteGaussian(sigma: privacy.sigma).add(to: &steps, using: &generator)
        return steps.map { Float(Double($0) * gridStep / privacy.expectedUnits) }
    }

    /// The rows without it.
    static func removed(_ mean: [Float], from examples: Examples) throws -> Examples {
        var values: [Float] = []
        values.reserveCapacity(examples.count * mean.count)
        for first in stride(from: 0, to: examples.count, by: chunk) {
            let part = examples.inputs(Array(first..<min(examples.count, first + chunk))).values
            for (index, value) in part.enumerated() { values.append(value - mean[index % mean.count]) }
        }
        return try Examples(
            inputs: Tensor(shape: [examples.count] + examples.rowShape, values: values), targets: examples.targets)
    }
}
