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
        for position in parameters.tensors.indices where !gradients[position].isEmpty {
            switch self {
            case .gradientDescent(let momentum, let nesterov, let decay):
                let descent = Descent(
                    rate: rate, momentum: momentum, nesterov: nesterov, decay: decay, isFirst: state.steps == 1)
                if momentum == 0 {
                    descent.apply(&parameters.tensors[position].values, gradients[position])
                } else {
                    descent.apply(
                        &parameters.tensors[position].values, gradients[position], &state.firstMoments[position])
                }
            case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
                let adam = AdamStep(
                    rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, decay: decay, isDecoupled: isDecoupled,
                    steps: state.steps)
                adam.apply(
                    &parameters.tensors[position].values, gradients[position], &state.firstMoments[position],
                    &state.secondMoments[position])
            }
        }
    }
}

/// One step of gradient descent.
private struct Descent {
    let rate: Float
    let momentum: Float
    let nesterov: Bool
    let decay: Float
    let isFirst: Bool

    func apply(_ values: inout [Float], _ gradient: [Float]) {
        for index in values.indices { values[index] -= rate * (gradient[index] + decay * values[index]) }
    }

    func apply(_ values: inout [Float], _ gradient: [Float], _ velocity: inout [Float]) {
        for index in values.indices {
            let slope = gradient[index] + decay * values[index]
            velocity[index] = isFirst ? slope : momentum * velocity[index] + slope
            values[index] -= rate * (nesterov ? slope + momentum * velocity[index] : velocity[index])
        }
    }
}

/// One step of Adam.
private struct AdamStep {
    let rate: Float
    let beta1: Float
    let beta2: Float
    let epsilon: Float
    let decay: Float
    let isDecoupled: Bool
    let steps: Int

    func apply(_ values: inout [Float], _ gradient: [Float], _ first: inout [Float], _ second: inout [Float]) {
        var (power1, power2) = (1.0, 1.0)
        for _ in 0..<steps { (power1, power2) = (power1 * Double(beta1), power2 * Double(beta2)) }
        let stepSize = rate / Float(1 - power1)
        let root = Float((1 - power2).squareRoot())
        for index in values.indices {
            if isDecoupled { values[index] *= 1 - rate * decay }
            let slope = isDecoupled ? gradient[index] : gradient[index] + decay * values[index]
            first[index] = beta1 * first[index] + (1 - beta1) * slope
            second[index] = beta2 * second[index] + (1 - beta2) * slope * slope
            values[index] -= stepSize * first[index] / (second[index].squareRoot() / root + epsilon)
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
