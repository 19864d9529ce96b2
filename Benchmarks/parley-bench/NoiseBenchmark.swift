import DifferentialPrivacy
import Secrets

/// Exact draws a second, one thread, from the system's randomness.
func benchmarkNoise() throws {
    let count = 2_000_000
    for scale in [1.0, 10, 1_000, 1_000_000] {
        let gaussian = try DiscreteGaussian(sigma: scale)
        let laplace = try DiscreteLaplace(scale: scale)
        var generator = SecureRandom()
        var values = [Int64](repeating: 0, count: count)
        let seconds = time { gaussian.add(to: &values, using: &generator) }
        report(
            "noise_discrete_gaussian", [("scale", scale), ("cpu_s", seconds), ("draws_per_s", Double(count) / seconds)])
        let laplaceSeconds = time { laplace.add(to: &values, using: &generator) }
        report(
            "noise_discrete_laplace",
            [("scale", scale), ("cpu_s", laplaceSeconds), ("draws_per_s", Double(count) / laplaceSeconds)])
    }
}

func time(_ body: () -> Void) -> Double {
    let start = processorSeconds()
    body()
    return processorSeconds() - start
}
