internal import Learning

/// A linear step's weights as real numbers, with batch normalisation folded in: the owner's alone.
struct FoldedLayer: Sendable {
    /// As the program has them: [inputs, outputs], or [outputs, channels, kernel, kernel].
    let weights: [Double]
    /// One an output; zeros where nothing is added.
    let bias: [Double]
    /// Magnitudes of what the model adds and takes away again, one an output: the model's own arithmetic rounds by them.
    let offsets: [Double]
    /// The largest magnitude of a weight.
    let largest: Double
    /// The largest sum of magnitudes that meet in an output.
    let largestSum: Double

    /// - Throws: ``PredictionError/input(_:expected:)`` for a weight that is no finite number.
    init(_ step: PlannedLinear, _ parameters: Parameters) throws(PredictionError) {
        let outputs = step.outputs
        func values(_ name: String) throws(PredictionError) -> [Double] {
            guard let values = parameters[name]?.values.map(Double.init), values.allSatisfy(\.isFinite) else {
                throw .input("the parameter \(name)", expected: "finite numbers")
            }
            return values
        }
        var bias =
            try step.bias.map { (name) throws(PredictionError) in try values(name) }
            ?? [Double](repeating: 0, count: outputs)
        var offsets = bias.map(abs)
        var factors = [Double](repeating: 1, count: outputs)
        if let normalization = step.normalization {
            let mean = try values("\(normalization.name).running_mean")
            let variance = try values("\(normalization.name).running_var")
            let weight = try values("\(normalization.name).weight")
            let shift = try values("\(normalization.name).bias")
            for output in 0..<outputs {
                factors[output] = weight[output] / (variance[output] + Double(normalization.epsilon)).squareRoot()
                offsets[output] = (offsets[output] + abs(mean[output])) * abs(factors[output]) + abs(shift[output])
                bias[output] = (bias[output] - mean[output]) * factors[output] + shift[output]
            }
            guard factors.allSatisfy(\.isFinite) else {
                throw .input("the running variance of \(normalization.name)", expected: "0 and more")
            }
        }
        let weights = try Self.weights(
            step, factors, step.weight.map { (name) throws(PredictionError) in try values(name) })
        var sums = [Double](repeating: 0, count: outputs)
        for (place, weight) in weights.enumerated() { sums[step.output(ofWeight: place)] += abs(weight) }
        (self.weights, self.bias, self.offsets) = (weights, bias, offsets)
        (largest, largestSum) = (weights.reduce(0) { max($0, abs($1)) }, sums.max() ?? 0)
    }

    private static func weights(
        _ step: PlannedLinear, _ factors: [Double], _ values: [Double]?
    ) throws(PredictionError) -> [Double] {
        let (outputs, terms) = (step.outputs, step.terms)
        guard let values else {
            // Batch normalisation by itself: each channel times its factor.
            return (0..<outputs * terms).map { $0 / terms == $0 % terms ? factors[$0 / terms] : 0 }
        }
        guard values.count == outputs * terms else {
            throw .input("weights of \(step.name)", expected: "\(outputs * terms) values")
        }
        return (0..<outputs * terms).map { place in
            guard case .dense = step.form else { return values[place] * factors[place / terms] }
            let (input, output) = (place / outputs, place % outputs)
            return values[output * terms + input] * factors[output]
        }
    }
}
