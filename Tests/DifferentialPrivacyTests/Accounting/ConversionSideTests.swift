import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

#if arch(x86_64)
    /// The formulas again in 64-bit mantissas, 2,000 times finer than doubles, with an optimum of their own: what is claimed
    /// must lie on the safe side of them, not merely close by.
    @Suite("Conversions are rounded to the safe side")
    struct ConversionSideTests {
        /// The least value over the order less 1, by golden section on its logarithm.
        private func least(_ value: (Float80) -> Float80) -> Float80 {
            let golden = (5 as Float80).squareRoot() / 2 - 0.5
            var (low, high): (Float80, Float80) = (-45, 60)
            for _ in 0..<250 {
                let (left, right) = (high - golden * (high - low), low + golden * (high - low))
                if value(exp(left)) <= value(exp(right)) { high = right } else { low = left }
            }
            return value(exp((low + high) / 2))
        }

        private func cases() -> [(rho: Double, delta: Double)] {
            var random = SeededGenerator(seed: 71)
            func power(_ range: ClosedRange<Double>) -> Double {
                Foundation.exp(Double.random(in: range, using: &random))
            }
            return (0..<300).map { _ in (power(-20...4), power(-60 ... -1)) }
        }

        @Test("rho to epsilon up, epsilon to rho down, and rho to delta up, at the best order of all")
        func zeroConcentrated() {
            func epsilon(_ rho: Double, _ delta: Double) -> Float80 {
                least { t in
                    let terms = -(log1p(t) + log(Float80(delta))) / t + log(t) - log1p(t)
                    return Float80(rho) * (t + 1) + terms
                }
            }
            for (rho, delta) in cases() {
                let exact = epsilon(rho, delta)
                let ours = Conversion.epsilon(rho: rho, delta: delta)
                #expect(
                    Float80(ours) >= exact && Float80(ours) <= max(exact, 0) * (1 + 1e-9) + 1e-12, "\(rho) \(delta)")
                guard ours > 1e-6 else { continue }
                let back = Conversion.rho(epsilon: ours, delta: delta)
                #expect(epsilon(back, delta) <= Float80(ours) && back > rho * (1 - 1e-6), "\(rho) \(delta)")
                let asked = ours / 2
                let logDelta = least { t in
                    let exponent = t * (Float80(rho) * (t + 1) - Float80(asked))
                    return exponent + t * (log(t) - log1p(t)) - log1p(t)
                }
                let there = Conversion.delta(rho: rho, epsilon: asked)
                #expect(Float80(there) >= min(1, exp(logDelta)), "\(rho) \(asked)")
            }
        }

        @Test("A divergence of one order to epsilon and to delta, classic and improved, up")
        func renyi() {
            for (size, delta) in cases() {
                for order in [1.001, 1.5, 2, 7.3, 64, 5_000] {
                    let divergence = size * order
                    let (d, t, a) = (Float80(divergence), Float80(order) - 1, Float80(order))
                    let logDelta = log(Float80(delta))
                    let classic = d - logDelta / t
                    let improved = d + log(t) - log(a) - (logDelta + log(a)) / t
                    for (conversion, exact) in [(RenyiConversion.classic, classic), (.improved, improved)] {
                        let ours = conversion.epsilon(order: order, divergence: divergence, delta: delta)
                        #expect(Float80(ours) >= exact, "\(conversion) \(order) \(divergence) \(delta)")
                        #expect(Float80(ours) <= exact + (abs(exact) + d + 100) * 1e-11 * (1 + 1 / t))
                    }
                    let epsilon = divergence * 1.5 + 0.1
                    let exponent = t * (d - Float80(epsilon))
                    for (conversion, exact) in [
                        (RenyiConversion.classic, exponent),
                        (.improved, exponent + t * (log(t) - log(a)) - log(a)),
                    ] {
                        let ours = conversion.logDelta(order: order, divergence: divergence, epsilon: epsilon)
                        #expect(Float80(ours) >= exact, "\(conversion) \(order) \(divergence)")
                    }
                }
            }
        }

        @Test("A Rényi limit is at each order the largest amount that converts to its epsilon at an eighth of delta")
        func limits() throws {
            for (_, delta) in cases() where delta < 0.5 {
                for epsilon in [0.3, 1, 8.0] {
                    guard let limit = try? PrivacyLoss(renyiEpsilon: epsilon, delta: delta) else { continue }
                    for (order, amount) in zip(RenyiOrders.all, limit.amounts) where amount > 0 {
                        let (t, a) = (Float80(order) - 1, Float80(order))
                        let terms = log(t) - log(a) - (log(Float80(delta) / 8) + log(a)) / t
                        #expect(Float80(amount) / 1e12 + terms <= Float80(epsilon))
                        #expect(Float80(amount + 20) / 1e12 + terms > Float80(epsilon))
                    }
                }
            }
        }
    }
#endif
