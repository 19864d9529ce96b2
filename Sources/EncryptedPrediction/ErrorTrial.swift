internal import Learning
internal import ModularArithmetic
internal import SecureComputation

/// A trial of the twin beside the model.
struct ErrorTrial {
    let model: Model
    let parameters: Parameters
    let weights: [RingTensor]
    let threads: Int

    /// The largest difference of a score.
    ///
    /// - Parameter values: Rows, one behind the other.
    func error(
        _ terms: PredictionTerms, _ values: [Float], _ wish: PredictionWish
    ) throws(PredictionError) -> Double {
        let size = terms.inputShape.reduce(1, *)
        let program = try terms.program(rows: 1)
        var largest = 0.0
        for start in stride(from: 0, to: values.count, by: size) {
            let row = wish.held(values[start..<start + size]).map(Float.init)
            let inputs = try terms.inputs(row, rows: 1)
            let outputs = try computing("the model") { () throws(ComputationError) in
                try ClearText.run(program, inputs: inputs, weights: weights, threads: threads).outputs
            }
            let scores = try terms.results(outputs, rows: 1).scores?[0] ?? []
            for (score, own) in zip(scores, try self.scores(of: row)) {
                largest = max(largest, abs(score - Double(own)))
            }
        }
        return largest
    }

    /// The model's own, in front of a softmax or sigmoid at the end.
    private func scores(of row: [Float]) throws(PredictionError) -> [Float] {
        do {
            let scoring = try Model(inputShape: model.inputShape, layers: PredictionPlan.scoring(model.layers))
            return try scoring.predict(Tensor(shape: [1] + model.inputShape, values: row), parameters).values
        } catch { throw .model(error) }
    }
}
