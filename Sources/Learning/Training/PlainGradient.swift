/// The gradient of some rows' summed loss.
struct PlainGradient: Sendable {
    var losses = 0.0
    /// One array a parameter; empty where it is frozen.
    var sums: [[Float]] = []
    /// The first layer behind which a value was no number.
    var firstNotANumber: String?
    /// What batch normalisation measured.
    var statistics: [(parameter: Int, values: [Float])] = []

    static func measure(
        _ training: (model: Model, loss: Loss, parameters: Parameters), _ batch: Batch
    ) -> PlainGradient {
        let (model, loss, parameters) = training
        var forward = ForwardPass(
            parameters, isTraining: true, saves: true, rowKeys: batch.rowKeys, still: model.still)
        let output = forward.through(model.layers, batch.inputs)
        let (losses, gradient) = loss.measure(output, batch.targets, weights: batch.weights)
        var result = PlainGradient(statistics: forward.statistics)
        result.losses = losses.reduce(0, +)
        if !result.losses.isFinite {
            var watched = ForwardPass(
                parameters, isTraining: true, saves: false, rowKeys: batch.rowKeys, watches: true, still: model.still)
            _ = watched.through(model.layers, batch.inputs)
            result.firstNotANumber = watched.firstNotANumber ?? "loss"
        }
        var backward = BackwardPass(forward, into: SumCollector(model), model: model)
        _ = backward.through(model.layers, gradient, input: false)
        result.sums = (backward.collector as? SumCollector)?.sums ?? []
        return result
    }
}

/// Rows that are computed together.
struct Batch: Sendable {
    var inputs: Tensor
    let targets: Targets
    /// One a row; nil: 1.
    let weights: [Float]?
    /// One a row, where rows have randomness of their own.
    let rowKeys: [UInt64]
}

/// Adds arrays, one a parameter.
func add(_ values: [[Float]], to sums: inout [[Float]]) {
    for position in sums.indices {
        values[position].withUnsafeBufferPointer { values in
            sums[position].withUnsafeMutableBufferPointer { sums in
                guard let from = values.baseAddress, let to = sums.baseAddress else { return }
                Dense.addScaled(from, 1, to: to, count: values.count)
            }
        }
    }
}
