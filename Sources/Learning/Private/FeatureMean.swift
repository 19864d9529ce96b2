public import DifferentialPrivacy

/// The mean of rows' features, released once with noise, to be taken off each row: what rows have in common makes gradients long, and
/// tells no class from another (Tramèr and Boneh 2021, "Differentially private learning needs better features", normalise likewise).
///
/// Privacy. Each unit's sum over its rows is scaled down to a public norm; these are added up, rounded and noised as one step of training
/// on all units is (``TrainingPrivacy``), whose event it is: compose it with those of the steps. The mean is over the declared number of
/// units, since how many there are is private.
public struct FeatureMean: Sendable {
    /// What is promised, and composed with the training's.
    public let privacy: TrainingPrivacy

    /// - Parameters:
    ///   - features: How many values a row has.
    ///   - capacity: The declared number of units.
    ///   - norm: What a unit's sum is scaled down to: as long as sums mostly are.
    /// - Throws: A number out of range.
    public init(features: Int, capacity: Int, norm: Double, noiseMultiplier: Double) throws(MechanismError) {
        privacy = try TrainingPrivacy(
            clipping: .fixed(norm), noiseMultiplier: noiseMultiplier, samplingRate: 1, steps: 1, capacity: capacity,
            dimension: features)
    }

    /// The noisy mean.
    ///
    /// - Throws: Rows of another number of features.
    public func release(
        _ examples: Examples, using generator: inout some RandomNumberGenerator
    ) throws -> [Float] {
        guard examples.rowShape.product == privacy.dimension else {
            throw ModelError.data(
                "rows of \(examples.rowShape.product) features",
                expected: "\(privacy.dimension), for which the noise is")
        }
        let norm = privacy.clipping.first
        var total = [Double](repeating: 0, count: privacy.dimension)
        for unit in examples.units {
            var sum = [Double](repeating: 0, count: privacy.dimension)
            for row in unit {
                for (index, value) in examples.inputs([row]).values.enumerated() { sum[index] += Double(value) }
            }
            // From below by a hundredth, as gradients are: rounding errors are less. A sum that is no number adds nothing.
            let factor = 0.99 * norm / sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
            guard factor >= 0x1p-100 else { continue }
            for index in total.indices { total[index] += sum[index] * min(1, factor) }
        }
        return privacy.noisyMean(
            total, norm: norm, try DiscreteGaussian(sigma: privacy.sigma), using: &generator)
    }

    /// The rows without a mean: public where the mean is, and what is trained on.
    ///
    /// - Throws: A mean of another number of features.
    public static func removed(_ mean: [Float], from examples: Examples) throws -> Examples {
        guard mean.count == examples.rowShape.product else {
            throw ModelError.data("a mean of \(mean.count) features", expected: "\(examples.rowShape.product)")
        }
        var values: [Float] = []
        values.reserveCapacity(examples.count * mean.count)
        for row in 0..<examples.count {
            for (index, value) in examples.inputs([row]).values.enumerated() { values.append(value - mean[index]) }
        }
        return try Examples(
            inputs: Tensor(shape: [examples.count] + examples.rowShape, values: values), targets: examples.targets,
            units: examples.units)
    }
}

extension TrainingPrivacy {
    /// A sum on the public grid, with noise, over the expected number of units.
    ///
    /// - Parameters:
    ///   - norm: What one unit adds to it at most.
    ///   - noise: Of parameter ``sigma``.
    func noisyMean(
        _ sum: [Double], norm: Double, _ noise: DiscreteGaussian, using generator: inout some RandomNumberGenerator
    ) -> [Float] {
        let gridStep = norm / gradientSteps
        var steps = sum.map { Int64(clamping: $0 / gridStep) }
        noise.add(to: &steps, using: &generator)
        let scale = gridStep / expectedUnits
        return steps.map { Float(Double($0) * scale) }
    }
}
