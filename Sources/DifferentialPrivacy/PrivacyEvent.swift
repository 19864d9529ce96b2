/// What happened, apart from how to bound it: one mechanism with its parameters, on add/remove neighbours (datasets
/// that differ in one privacy unit with all its rows). An accountant that does not know an event refuses it.
public indirect enum PrivacyEvent: Sendable, Hashable, Codable {
    /// Exact discrete Gaussian noise on an integer vector (Canonne, Kamath and Steinke 2020).
    /// `sensitivitySquared`: the largest squared L2 change by one unit; `sigma`: the noise parameter, in the same grid.
    case discreteGaussian(sensitivitySquared: Double, sigma: Double)
    /// Exact discrete Laplace noise on an integer vector; `sensitivity`: the largest L1 change; `scale`: of the noise.
    case discreteLaplace(sensitivity: Double, scale: Double)
    /// An exponential mechanism of parameter epsilon (bounded range epsilon), run `times` times that one unit affects.
    case exponentialMechanism(epsilon: Double, times: Int)
    /// Keys selected by discrete Gaussian thresholding of unit counts: (rho, delta) of the whole selection.
    case thresholdSelection(groupsPerUnit: Int, sigma: Double, threshold: Int64, delta: Double)
    case composition([PrivacyEvent])
}
