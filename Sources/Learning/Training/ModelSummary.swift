extension Model {
    /// What a model is made of, a line a layer.
    public struct LayerSummary: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its kind, as in files.
        public var kind: String
        /// Of a row behind it.
        public var shape: [Int]
        /// The values that it holds and earlier layers do not.
        public var parameters: Int
    }

    /// The layers in order.
    public func summary() throws(ModelError) -> [LayerSummary] {
        var outline = Outline()
        var shape = inputShape
        var known = 0
        var lines: [LayerSummary] = []
        for layer in layers {
            shape = try outline.through([layer], shape)
            let count = outline.declarations.reduce(0) { $0 + $1.shape.product }
            lines.append(
                LayerSummary(
                    name: layer.name ?? "", kind: type(of: layer).kind, shape: shape, parameters: count - known))
            known = count
        }
        return lines
    }
}

extension TrainingPlan {
    /// About how many bytes training takes beside the examples: weights, gradients and what the optimiser remembers, and for each
    /// thread the values of a chunk's rows on their way forward and back, with their gradients.
    public func memory(batchRows: Int, threads: Int) -> Int {
        let parameters = model.declarations.reduce(0) { $0 + $1.shape.product }
        let moments =
            switch optimizer {
            case .adam: 2
            case .gradientDescent(let momentum, _, _): momentum == 0 ? 0 : 1
            }
        let rows = min(batchRows, model.coupling.isEmpty ? chunkRows : batchRows)
        let chunks = (batchRows + rows - 1) / max(1, rows)
        let together = max(1, min(threads, chunks))
        let copies = 1 + (averaging == nil ? 0 : 1) + moments + 1 + together
        return 4 * (copies * parameters + 3 * together * rows * model.valuesPerRow)
    }
}
