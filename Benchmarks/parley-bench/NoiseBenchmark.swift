import DifferentialPrivacy
import Secrets

/// Exact draws a second, one thread, from the system's randomness; beside them, as many words from `getrandom` in C.
func benchmarkNoise(_ workplace: Workplace) throws {
    let count = 2_000_000
    let loop = try workplace.loop("fill", String(count * 8))?.cpu ?? .nan
    for scale in [1.0, 10, 1_000, 1_000_000] {
        let gaussian = try DiscreteGaussian(sigma: scale)
        let laplace = try DiscreteLaplace(scale: scale)
        var generator = SecureRandom()
        var values = [Int64](repeating: 0, count: count)
        let seconds = time { gaussian.add(to: &values, using: &generator) }
        report(
            "noise_discrete_gaussian",
            [
                ("scale", scale), ("cpu_s", seconds), ("draws_per_s", Double(count) / seconds),
                ("times_c_loop", seconds / loop),
            ])
        let laplaceSeconds = time { laplace.add(to: &values, using: &generator) }
        report(
            "noise_discrete_laplace",
            [
                ("scale", scale), ("cpu_s", laplaceSeconds), ("draws_per_s", Double(count) / laplaceSeconds),
                ("times_c_loop", laplaceSeconds / loop),
            ])
    }
    // Shares of noise under secure aggregation have such variances.
    for exponent in [-20, 0, 12, 16, 30, 47] {
        let variance = 1.3 * Double(sign: .plus, exponent: exponent, significand: 1)
        let skellam = try Skellam(variance: variance)
        var generator = SecureRandom()
        var values = [Int64](repeating: 0, count: count / 4)
        let seconds = time { skellam.add(to: &values, using: &generator) }
        report(
            "noise_skellam",
            [("variance", variance), ("cpu_s", seconds), ("ns_a_draw", seconds * 1e9 / Double(values.count))])
    }
}

func time(_ body: () -> Void) -> Double {
    let start = processorSeconds()
    body()
    return processorSeconds() - start
}
