import Kernels

/// The sum over the units of a chunk of their gradients, each scaled down to a bound.
struct ClippedSum: Sendable {
    /// One array a parameter; empty where it is frozen.
    var sums: [[Float]]
    /// How many units' gradients were at most the bound: private, for adaptive clipping, which adds noise to it.
    var within = 0

    /// Nothing.
    init(_ model: Model) {
        sums = model.declarations.map { [Float](repeating: 0, count: $0.isTrainable ? $0.shape.product : 0) }
    }

    /// Each unit's whole gradient, the sum over its rows, times min(1, bound / norm): never the average's, never a part's.
    ///
    /// A unit whose norm is no number, or more than 2^100 times the bound, adds nothing, and is not told of. The bound is aimed at from below by a hundredth
    /// (`docs/privacy.md`, rule 30): the rounding errors of norms, scaling and sums are less.
    ///
    /// - Parameters:
    ///   - batch: The units' rows, one unit after the other.
    ///   - units: The rows of each.
    static func measure(
        _ training: (model: Model, loss: Loss, parameters: Parameters), _ batch: Batch, units: [Range<Int>],
        bound: Double, way: UnitCollector.Way = .cheaper
    ) -> ClippedSum {
        let model = training.model
        var result = ClippedSum(model)
        guard !units.isEmpty else { return result }
        // How long a chunk takes must not follow from how small a row's numbers are (docs/privacy.md, rule 26).
        let subnormals = kernels_flush_subnormals()
        defer { kernels_restore_subnormals(subnormals) }
        var forward = ForwardPass(
            training.parameters, isTraining: true, saves: true, rowKeys: batch.rowKeys, still: model.still)
        let output = forward.through(model.layers, batch.inputs)
        let (_, gradient) = training.loss.measure(output, batch.targets, weights: batch.weights)
        var backward = BackwardPass(forward, into: UnitCollector(model, units: units, way: way), model: model)
        _ = backward.through(model.layers, gradient, input: false)
        guard var collector = backward.collector as? UnitCollector else { return result }
        let aim = bound * 0.99
        let norms = collector.norms()
        // A factor near the end of float32's range would have few digits.
        let factors = norms.map { norm in aim / norm >= 0x1p-100 ? Float(min(1, aim / norm)) : 0 }
        result.within = norms.count { $0 <= bound }
        collector.addUnits(factors, to: &result.sums)
        return result
    }
}

/// The sum over all units of a step. In float64: float32 would lose, beside a sum of thousands of units, more of
/// each than the hundredth that is left for rounding.
struct ClippedTotal: Sendable {
    /// One array a parameter; empty where it is frozen.
    private(set) var sums: [[Double]]
    /// How many units' gradients were at most the bound: private.
    private(set) var within = 0

    /// Nothing.
    init(_ model: Model) {
        sums = model.declarations.map { [Double](repeating: 0, count: $0.isTrainable ? $0.shape.product : 0) }
    }

    /// One chunk more.
    mutating func add(_ part: ClippedSum) {
        within += part.within
        for position in sums.indices {
            part.sums[position].withUnsafeBufferPointer { values in
                sums[position].withUnsafeMutableBufferPointer { sums in
                    for index in values.indices { sums[index] += Double(values[index]) }
                }
            }
        }
    }
}
