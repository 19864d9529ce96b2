import Kernels

/// How a gradient changes parameters.
public enum Optimizer: Sendable, Equatable {
    /// v = momentum v + gradient; parameter -= rate v; with Nesterov's look ahead: -= rate (gradient + momentum v).
    case gradientDescent(momentum: Float = 0, nesterov: Bool = false, weightDecay: Float = 0)
    /// Kingma and Ba 2015. `isDecoupled`: decay apart from the gradient (AdamW, Loshchilov and Hutter 2019).
    case adam(
        beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
        isDecoupled: Bool = false)
}

/// What an optimiser remembers between steps.
public struct OptimizerState: Sendable {
    /// How many steps were taken.
    public internal(set) var steps = 0
    /// For each parameter: the velocity of gradient descent with momentum, or Adam's first moment.
    public internal(set) var firstMoments: [[Float]]
    /// For each parameter: Adam's second moment.
    public internal(set) var secondMoments: [[Float]]

    /// Nothing yet.
    public init(_ optimizer: Optimizer, _ model: Model) {
        let zeros = model.declarations.map { [Float](repeating: 0, count: $0.isTrainable ? $0.shape.product : 0) }
        let none: [[Float]] = model.declarations.map { _ in [] }
        switch optimizer {
        case .gradientDescent(let momentum, _, _): (firstMoments, secondMoments) = (momentum == 0 ? none : zeros, none)
        case .adam: (firstMoments, secondMoments) = (zeros, zeros)
        }
    }
}

extension Optimizer {
    /// One step with learning rate `rate`: as `torch.optim.SGD`, `Adam` and `AdamW` take it.
    ///
    /// - Parameter gradients: One array a parameter; empty where it is frozen.
    func step(_ parameters: inout Parameters, _ gradients: [[Float]], rate: Float, _ state: inout OptimizerState) {
        state.steps += 1
        let steps = state.steps
        for position in parameters.tensors.indices where !gradients[position].isEmpty {
            let gradient = gradients[position]
            parameters.tensors[position].values.withUnsafeMutableBufferPointer { weights in
                state.firstMoments[position].withUnsafeMutableBufferPointer { first in
                    state.secondMoments[position].withUnsafeMutableBufferPointer { second in
                        guard let weights = weights.baseAddress else { return }
                        step(
                            weights, gradient, rate: rate, first: first.baseAddress, second: second.baseAddress,
                            steps: steps)
                    }
                }
            }
        }
    }

    private func step(
        _ weights: UnsafeMutablePointer<Float>, _ gradient: [Float], rate: Float, first: UnsafeMutablePointer<Float>?,
        second: UnsafeMutablePointer<Float>?, steps: Int
    ) {
        switch self {
        case .gradientDescent(let momentum, let nesterov, let decay):
            let sgd = kernels_sgd(rate: rate, momentum: momentum, weight_decay: decay, nesterov: nesterov)
            kernels_sgd_step(sgd, gradient.count, gradient, first, weights, Dense.instructions)
        case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
            let adam = kernels_adam(
                rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, weight_decay: decay, decoupled: isDecoupled,
                step: UInt64(steps))
            kernels_adam_step(adam, gradient.count, gradient, first, second, weights, Dense.instructions)
        }
    }
}

/// The learning rate of each step.
public enum Schedule: Sendable, Equatable {
    /// The same at each.
    case constant
    /// Falls as half a cosine, from the whole rate at the first step to `floor` of it behind the last; before that it rises
    /// in a straight line for `warmup` steps.
    case cosine(warmup: Int = 0, floor: Float = 0)
    /// Times `factor` at each of these steps.
    case steps(at: [Int], factor: Float)

    /// The factor at a step, from 0 on, of so many.
    func factor(step: Int, of steps: Int) -> Float {
        switch self {
        case .constant: return 1
        case .cosine(let warmup, let floor):
            if step < warmup { return Float(step + 1) / Float(warmup) }
            let part = Float(step - warmup) / Float(max(1, steps - warmup))
            return floor + (1 - floor) * (1 + Trigonometry.cosine(.pi * part)) / 2
        case .steps(let at, let factor):
            return at.reduce(1) { step >= $1 ? $0 * factor : $0 }
        }
    }
}
