import Kernels

/// A function of one value.
enum Function: Sendable {
    case relu
    case tanh
    case sigmoid
    /// x Phi(x), by the error function.
    case gelu
    /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016).
    case geluTanh

    /// Whether the slope is told by the function's value, and not by where it is taken.
    var slopeFollowsFromValue: Bool {
        switch self {
        case .relu, .tanh, .sigmoid: true
        case .gelu, .geluTanh: false
        }
    }

    private var kernel: kernels_function {
        switch self {
        case .relu: .relu
        case .tanh: .tanh
        case .sigmoid: .sigmoid
        case .gelu: .gelu
        case .geluTanh: .gelu_tanh
        }
    }

    /// Of each value.
    func callAsFunction(_ input: Tensor) -> Tensor {
        Tensor(shape: input.shape) { target in
            input.withValues { kernels_apply(kernel, input.count, $0, target, Dense.instructions) }
        }
    }

    /// The gradient of the input; `saved`: the output where the slope follows from it, the input elsewhere.
    func gradient(_ gradient: Tensor, saved: Tensor) -> Tensor {
        Tensor(shape: gradient.shape) { target in
            gradient.withValues { gradients in
                saved.withValues {
                    kernels_apply_backward(kernel, gradient.count, $0, gradients, target, Dense.instructions)
                }
            }
        }
    }
}

/// exp(x) / (sum of exp(x)) over rows of values.
enum Softmax {
    /// Writes it; `target` may be `values`.
    static func forward(_ values: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, count: Int) {
        kernels_softmax(1, count, values, target, Dense.instructions)
    }

    /// Writes the input's gradient, given the output and its gradient, which `target` may be.
    static func backward(
        _ output: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        kernels_softmax_backward(1, count, output, gradient, target, Dense.instructions)
    }
}
