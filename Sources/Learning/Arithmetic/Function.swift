#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A function of one value.
enum Function: Sendable {
    case tanh
    case sigmoid
    /// x Phi(x), by the error function.
    case gelu
    /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016).
    case geluTanh

    private static let root: Float = 0.797_884_560_802_865_4

    /// Whether ``slope(_:)`` is told the function's value, and not where it is taken.
    var slopeFollowsFromValue: Bool {
        switch self {
        case .tanh, .sigmoid: true
        case .gelu, .geluTanh: false
        }
    }

    func value(_ x: Float) -> Float {
        switch self {
        case .tanh: Self.tanh(x)
        case .sigmoid: 1 / (1 + exp(-x))
        case .gelu: 0.5 * x * (1 + erf(x * 0.707_106_781_186_547_6))
        case .geluTanh: 0.5 * x * (1 + Self.tanh(Self.root * (x + 0.044715 * x * x * x)))
        }
    }

    func slope(_ x: Float) -> Float {
        switch self {
        case .tanh: return 1 - x * x
        case .sigmoid: return x * (1 - x)
        case .gelu:
            let density = exp(-0.5 * x * x) * 0.398_942_280_401_432_7
            return 0.5 * (1 + erf(x * 0.707_106_781_186_547_6)) + x * density
        case .geluTanh:
            let inner = Self.tanh(Self.root * (x + 0.044715 * x * x * x))
            return 0.5 * (1 + inner) + 0.5 * x * (1 - inner * inner) * Self.root * (1 + 0.134145 * x * x)
        }
    }

    private static func tanh(_ x: Float) -> Float {
        #if canImport(Darwin)
            Darwin.tanh(x)
        #elseif canImport(Glibc)
            Glibc.tanh(x)
        #elseif canImport(Musl)
            Musl.tanh(x)
        #endif
    }

    /// Of each value.
    func callAsFunction(_ input: Tensor) -> Tensor {
        Tensor(shape: input.shape) { target in
            input.withValues { values in for index in 0..<input.count { target[index] = value(values[index]) } }
        }
    }

    /// The gradient of the input; `saved`: the output where the slope follows from it, the input elsewhere.
    func gradient(_ gradient: Tensor, saved: Tensor) -> Tensor {
        Tensor(shape: gradient.shape) { target in
            gradient.withValues { gradients in
                saved.withValues { values in
                    for index in 0..<gradient.count { target[index] = gradients[index] * slope(values[index]) }
                }
            }
        }
    }
}

/// exp(x) / (sum of exp(x)) over rows of values.
enum Softmax {
    /// Writes it; `target` may be `values`.
    static func forward(_ values: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, count: Int) {
        var largest = -Float.infinity
        for index in 0..<count { largest = max(largest, values[index]) }
        var total: Float = 0
        for index in 0..<count {
            target[index] = exp(values[index] - largest)
            total += target[index]
        }
        for index in 0..<count { target[index] /= total }
    }

    /// Writes the input's gradient, given the output and its gradient, which `target` may be.
    static func backward(
        _ output: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        var dot: Float = 0
        for index in 0..<count { dot += output[index] * gradient[index] }
        for index in 0..<count { target[index] = output[index] * (gradient[index] - dot) }
    }
}
