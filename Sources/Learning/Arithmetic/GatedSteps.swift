#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The steps of a GRU (Cho et al. 2014, in the form of `torch.nn.GRU`):
/// r = sigmoid(x_r + h_r), z = sigmoid(x_z + h_z), n = tanh(x_n + r h_n), h' = (1 - z) n + z h,
/// where x_* come of the step's input and h_* of the state before.
struct GatedSteps: Sendable {
    let rows: Int
    let steps: Int
    let hidden: Int

    /// The states [rows, steps, hidden], and of each step r, z, n and h_n: [rows, steps, 4 x hidden].
    ///
    /// - Parameter inputs: x_r, x_z and x_n of each step: [rows x steps, 3 x hidden].
    func forward(_ inputs: Tensor, weight: Tensor, bias: Tensor) -> (states: Tensor, gates: Tensor) {
        var states = Tensor(shape: [rows, steps, hidden])
        var gates = Tensor(shape: [rows, steps, 4 * hidden])
        var state = Tensor(shape: [rows, hidden])
        for step in 0..<steps {
            let turned = state.timesTransposed(weight, bias: bias)
            inputs.withValues { inputs in
                turned.withValues { turned in
                    states.withMutableValues { states in
                        gates.withMutableValues { gates in
                            state.withMutableValues { state in
                                for row in 0..<rows {
                                    let place = row * steps + step
                                    advance(
                                        inputs + place * 3 * hidden, turned + row * 3 * hidden,
                                        state: state + row * hidden, gates: gates + place * 4 * hidden)
                                    for index in 0..<hidden {
                                        states[place * hidden + index] = state[row * hidden + index]
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return (states, gates)
    }

    private func advance(
        _ x: UnsafePointer<Float>, _ h: UnsafePointer<Float>, state: UnsafeMutablePointer<Float>,
        gates: UnsafeMutablePointer<Float>
    ) {
        for index in 0..<hidden {
            let r = Gate.sigmoid(x[index] + h[index])
            let z = Gate.sigmoid(x[hidden + index] + h[hidden + index])
            let own = h[2 * hidden + index]
            let n = Gate.tanh(x[2 * hidden + index] + r * own)
            state[index] = (1 - z) * n + z * state[index]
            gates[index] = r
            gates[hidden + index] = z
            gates[2 * hidden + index] = n
            gates[3 * hidden + index] = own
        }
    }

    /// The gradients of x_* and of h_*, [rows x steps, 3 x hidden] each, given those of the states.
    ///
    /// - Parameter before: The state before each step: [rows x steps, hidden].
    func backward(_ gradient: Tensor, gates: Tensor, before: Tensor, weight: Tensor) -> (inputs: Tensor, turned: Tensor)
    {
        var inputs = Tensor(shape: [rows * steps, 3 * hidden])
        var turned = Tensor(shape: [rows * steps, 3 * hidden])
        var state = Tensor(shape: [rows, hidden])
        for step in (0..<steps).reversed() {
            var slopes = Tensor(shape: [rows, 3 * hidden])
            gradient.withValues { gradient in
                gates.withValues { gates in
                    before.withValues { before in
                        inputs.withMutableValues { inputs in
                            turned.withMutableValues { turned in
                                state.withMutableValues { state in
                                    slopes.withMutableValues { slopes in
                                        for row in 0..<rows {
                                            let place = row * steps + step
                                            for index in 0..<hidden {
                                                state[row * hidden + index] += gradient[place * hidden + index]
                                            }
                                            retreat(
                                                gates + place * 4 * hidden, before: before + place * hidden,
                                                state: state + row * hidden, x: inputs + place * 3 * hidden,
                                                h: slopes + row * 3 * hidden)
                                            for index in 0..<3 * hidden {
                                                turned[place * 3 * hidden + index] = slopes[row * 3 * hidden + index]
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            state = state.plus(slopes.times(weight))
        }
        return (inputs, turned)
    }

    /// Leaves in `state` what reaches the state before by itself (z h); the weight's part comes on top.
    private func retreat(
        _ gates: UnsafePointer<Float>, before: UnsafePointer<Float>, state: UnsafeMutablePointer<Float>,
        x: UnsafeMutablePointer<Float>, h: UnsafeMutablePointer<Float>
    ) {
        for index in 0..<hidden {
            let (r, z) = (gates[index], gates[hidden + index])
            let (n, own) = (gates[2 * hidden + index], gates[3 * hidden + index])
            let slope = state[index]
            let inner = slope * (1 - z) * (1 - n * n)
            x[index] = inner * own * r * (1 - r)
            x[hidden + index] = slope * (before[index] - n) * z * (1 - z)
            x[2 * hidden + index] = inner
            h[index] = x[index]
            h[hidden + index] = x[hidden + index]
            h[2 * hidden + index] = inner * r
            state[index] = slope * z
        }
    }
}

/// What a gate does to one value.
private enum Gate {
    static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

    static func tanh(_ x: Float) -> Float {
        // 1 - 2 / (exp(2x) + 1), without cancellation near 0.
        let y = expm1(-2 * abs(x))
        return x < 0 ? y / (2 + y) : -y / (2 + y)
    }
}
