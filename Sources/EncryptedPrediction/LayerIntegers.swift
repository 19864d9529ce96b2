/// A linear step's weights as integers.
struct LayerIntegers: Sendable {
    let weights: [Int64]
    let bias: [Int64]

    /// - Throws: ``PredictionError/input(_:expected:)`` where a weight or a sum is beyond the terms' bounds.
    init(
        _ layer: FoldedLayer, _ step: PlannedLinear, _ terms: LayerTerms, scale: (weights: Double, bias: Double)
    ) throws(PredictionError) {
        let scaled = layer.weights.map { ($0 * scale.weights).rounded() }
        let added = step.hasBias ? layer.bias.map { ($0 * scale.bias).rounded() } : []
        var sums = [Double](repeating: 0, count: step.outputs)
        for (place, weight) in scaled.enumerated() { sums[step.output(ofWeight: place)] += abs(weight) }
        func holds(_ numbers: [Double], _ exponent: Int) -> Bool {
            numbers.allSatisfy { abs($0) <= LayerTerms.power(exponent) }
        }
        guard holds(scaled, terms.bound), holds(sums, terms.sum), holds(added, terms.bias ?? 0) else {
            throw .input(
                "the weights of \(step.title)",
                expected: "those that the terms were made for: they are beyond its bounds")
        }
        weights = scaled.map { Int64($0) }
        bias = added.map { Int64($0) }
    }
}
