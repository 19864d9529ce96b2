/// What an owner's update did for the sponsor, read off the run itself: the Aumann-Shapley value of the round's game (Aumann and Shapley, "Values of Non-Atomic Games", 1974;
/// in-run data values: Wang et al., "Data Shapley in One Training Run", 2024).
///
/// A round moves the model from t to t + D with D = sum w_k u_k. The sponsor's loss changes by the integral of its gradient along that step, and the part of owner k is the inner
/// product of w_k u_k with the gradient's mean along it, negated. Parts sum to the whole change, an owner whose update is zero has zero, equal updates have equal parts, and a part
/// is linear in the update: what is split adds up, and what is clipped at a public norm gains nothing by being scaled.
///
/// **Neutralised**: the sponsor's vector is projected away from the steps before, which everybody knows. Who sends a known step again, or any multiple of it, has zero.
/// Honest updates lose what they have in common with the step before: misallocation measured with and without stands in the module's benchmark.
public enum DataValue {
    /// Where along the step gradients are taken, and their weights: Gauss-Legendre quadrature with two points, exact for losses of third degree along the step.
    public static let quadrature: [(place: Double, weight: Double)] = [
        (0.5 - 0.5 / 3.0.squareRoot(), 0.5), (0.5 + 0.5 / 3.0.squareRoot(), 0.5),
    ]

    /// The weighted mean of the gradients at the places of ``quadrature``, negated, so that a positive inner product is a smaller loss.
    ///
    /// - Parameter gradients: One a place, of one length.
    public static func descent(_ gradients: [[Float]]) -> [Float] {
        precondition(gradients.count == quadrature.count, "One gradient for each of \(quadrature.count) places.")
        var sum = [Float](repeating: 0, count: gradients[0].count)
        for (gradient, (_, weight)) in zip(gradients, quadrature) {
            for index in sum.indices { sum[index] -= Float(weight) * gradient[index] }
        }
        return sum
    }

    /// The vector's part that is orthogonal to all of the directions (modified Gram-Schmidt, twice, in double precision).
    public static func neutralised(_ vector: [Float], against directions: [[Float]]) -> [Float] {
        var basis: [[Double]] = []
        for direction in directions {
            var rest = direction.map(Double.init)
            let size = norm(rest)
            for _ in 0..<2 { remove(basis, from: &rest) }
            let length = norm(rest)
            // What is left of a direction that the others span is rounding.
            if length > 1e-6 * size { basis.append(rest.map { $0 / length }) }
        }
        var rest = vector.map(Double.init)
        for _ in 0..<2 { remove(basis, from: &rest) }
        return rest.map { Float($0) }
    }

    private static func remove(_ basis: [[Double]], from vector: inout [Double]) {
        for direction in basis {
            var product = 0.0
            for index in vector.indices { product += direction[index] * vector[index] }
            for index in vector.indices { vector[index] -= product * direction[index] }
        }
    }

    private static func norm(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    /// The vector, no longer than the norm; zeros where an entry is not finite.
    public static func clipped(_ vector: [Float], to norm: Double) -> [Float] {
        let length = self.norm(vector.map(Double.init))
        guard length.isFinite else { return [Float](repeating: 0, count: vector.count) }
        guard length > norm else { return vector }
        let factor = Float(norm / length)
        return vector.map { $0 * factor }
    }
}
