import Kernels
import Testing

@Suite("Steps of optimisers")
struct OptimiserTests {
    /// A weight and its moments (the first is SGD's velocity).
    struct Exact {
        var first = 0.0, second = 0.0
        var weight: Double
    }

    /// Three steps of each path beside the same in double.
    private func check(
        _ count: Int, _ step: (Int, [Float], Guarded, Guarded, Guarded, kernels_instructions) -> Void,
        _ reference: (Int, Double, inout Exact) -> Void
    ) {
        for path in paths {
            var sequence = Sequence(3)
            let start = sequence.floats(count)
            let (first, second, weights) = (
                Guarded([Float](repeating: 0, count: count)), Guarded([Float](repeating: 0, count: count)),
                Guarded(start)
            )
            var exact = start.map { Exact(weight: Double($0)) }
            for number in 1...3 {
                let gradient = sequence.floats(count)
                step(number, gradient, first, second, weights, path)
                for i in 0..<count { reference(number, Double(gradient[i]), &exact[i]) }
            }
            #expect(
                distance(weights.values, exact.map(\.weight)) < 2e-6
                    && distance(first.values, exact.map(\.first)) < 2e-6)
            #expect(distance(second.values, exact.map(\.second)) < 2e-6 && areIntact(first, second, weights))
        }
    }

    @Test("Stochastic gradient descent agrees with double, with momentum, Nesterov's and weight decay")
    func sgd() {
        for (momentum, nesterov, decay) in [
            (Float(0), false, Float(0)), (0, false, 0.25), (0.875, false, 0.25), (0.875, true, 0.125),
        ] {
            let sgd = kernels_sgd(rate: 0.25, momentum: momentum, weight_decay: decay, nesterov: nesterov)
            for count in lengths {
                check(count) { _, gradient, velocity, _, weights, path in
                    kernels_sgd_step(
                        sgd, count, gradient, momentum == 0 ? nil : velocity.pointer, weights.pointer, path)
                } _: { _, gradient, exact in
                    let g = gradient + Double(decay) * exact.weight
                    if momentum != 0 { exact.first = Double(momentum) * exact.first + g }
                    exact.weight -=
                        0.25 * (momentum == 0 ? g : nesterov ? g + Double(momentum) * exact.first : exact.first)
                }
            }
        }
    }

    @Test("Adam and AdamW agree with double")
    func adam() {
        for decoupled in [false, true] {
            for count in lengths {
                let adam = { (step: Int) in
                    kernels_adam(
                        rate: 0.125, beta1: 0.875, beta2: 0.9375, epsilon: 1e-6, weight_decay: 0.25,
                        decoupled: decoupled,
                        step: UInt64(step))
                }
                check(count) { number, gradient, first, second, weights, path in
                    kernels_adam_step(
                        adam(number), count, gradient, first.pointer, second.pointer, weights.pointer, path)
                } _: { number, gradient, exact in
                    let g = gradient + (decoupled ? 0 : 0.25 * exact.weight)
                    exact.first = 0.875 * exact.first + 0.125 * g
                    exact.second = 0.9375 * exact.second + 0.0625 * g * g
                    var power1 = 1.0
                    var power2 = 1.0
                    for _ in 0..<number { (power1, power2) = (power1 * 0.875, power2 * 0.9375) }
                    if decoupled { exact.weight *= 1 - 0.125 * 0.25 }
                    exact.weight -=
                        0.125 * (exact.first / (1 - power1)) / ((exact.second / (1 - power2)).squareRoot() + 1e-6)
                }
            }
        }
    }
}
