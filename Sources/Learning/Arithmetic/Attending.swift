/// What the heads of an attention layer do with queries, keys and values: [rows, steps, 3 x width], a head's values side by side in each
/// third.
struct Attending: Sendable {
    let rows: Int
    let steps: Int
    let width: Int
    let heads: Int
    /// Whether a step sees itself and those before alone.
    let isCausal: Bool

    private var size: Int { width / heads }
    private var factor: Float { 1 / Float(size).squareRoot() }
    /// How many steps a step sees.
    private func seen(_ step: Int) -> Int { isCausal ? step + 1 : steps }

    /// What comes out, [rows, steps, width], and how much each step looks at each: [rows, heads, steps, steps].
    func forward(_ projected: Tensor) -> (output: Tensor, weights: Tensor) {
        var weights = Tensor(shape: [rows, heads, steps, steps])
        let output = Tensor(shape: [rows, steps, width]) { target in
            projected.withValues { values in
                weights.withMutableValues { weights in
                    for head in 0..<rows * heads {
                        attend(values, head, weights: weights + head * steps * steps, into: target)
                    }
                }
            }
        }
        return (output, weights)
    }

    /// Where a head's queries (part 0), keys (1) or values (2) of a step begin.
    @inline(__always) private func place(_ head: Int, _ step: Int, part: Int) -> Int {
        (head / heads * steps + step) * 3 * width + part * width + head % heads * size
    }

    /// Where a head's output of a step begins.
    @inline(__always) private func place(_ head: Int, _ step: Int) -> Int {
        (head / heads * steps + step) * width + head % heads * size
    }

    private func attend(
        _ values: UnsafePointer<Float>, _ head: Int, weights: UnsafeMutablePointer<Float>,
        into target: UnsafeMutablePointer<Float>
    ) {
        for s in 0..<steps {
            let (query, scores) = (values + place(head, s, part: 0), weights + s * steps)
            for t in 0..<seen(s) {
                let key = values + place(head, t, part: 1)
                var dot: Float = 0
                for index in 0..<size { dot += query[index] * key[index] }
                scores[t] = dot * factor
            }
            Softmax.forward(scores, into: scores, count: seen(s))
            let output = target + place(head, s)
            for index in 0..<size { output[index] = 0 }
            for t in 0..<seen(s) {
                Dense.addScaled(values + place(head, t, part: 2), scores[t], to: output, count: size)
            }
        }
    }

    /// The gradient of `projected`.
    func backward(_ gradient: Tensor, projected: Tensor, weights: Tensor) -> Tensor {
        var result = Tensor(shape: [rows, steps, 3 * width])
        result.withMutableValues { target in
            gradient.withValues { gradients in
                projected.withValues { values in
                    weights.withValues { weights in
                        for head in 0..<rows * heads {
                            retreat((gradients, values, weights + head * steps * steps), head, target)
                        }
                    }
                }
            }
        }
        return result
    }

    private func retreat(
        _ from: (gradients: UnsafePointer<Float>, values: UnsafePointer<Float>, weights: UnsafePointer<Float>),
        _ head: Int, _ target: UnsafeMutablePointer<Float>
    ) {
        var slopes = [Float](repeating: 0, count: steps)
        slopes.withUnsafeMutableBufferPointer { buffer in
            guard let slopes = buffer.baseAddress else { return }
            for s in 0..<steps {
                let (gradient, scores) = (from.gradients + place(head, s), from.weights + s * steps)
                for t in 0..<seen(s) {
                    let value = from.values + place(head, t, part: 2)
                    var dot: Float = 0
                    for index in 0..<size { dot += gradient[index] * value[index] }
                    slopes[t] = dot
                    Dense.addScaled(gradient, scores[t], to: target + place(head, t, part: 2), count: size)
                }
                Softmax.backward(scores, slopes, into: slopes, count: seen(s))
                for t in 0..<seen(s) {
                    let slope = slopes[t] * factor
                    Dense.addScaled(
                        from.values + place(head, t, part: 1), slope, to: target + place(head, s, part: 0), count: size)
                    Dense.addScaled(
                        from.values + place(head, s, part: 0), slope, to: target + place(head, t, part: 1), count: size)
                }
            }
        }
    }
}
