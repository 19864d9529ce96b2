#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// From Rényi divergence of one order to (epsilon, delta).
public enum RenyiConversion: String, Sendable, Hashable, Codable, CaseIterable {
    /// epsilon = divergence + ln(1 / delta) / (alpha - 1) (Mironov 2017, proposition 3): what published epsilons used for
    /// years.
    case classic
    /// Less by ln(alpha / (alpha - 1)) + ln(alpha) / (alpha - 1) (Canonne, Kamath and Steinke 2020, proposition 12; also
    /// Asoodeh et al. 2020).
    case improved

    /// The epsilon at delta > 0, rounded up.
    func epsilon(order: Double, divergence: Double, delta: Double) -> Double {
        let t = order - 1
        let logDelta = log(delta)
        switch self {
        case .classic: return roundedUp(divergence - logDelta / t, size: divergence - logDelta / t)
        case .improved:
            let ratio = Self.logRatio(t)
            let share = (logDelta + log(order)) / t
            return roundedUp(divergence + ratio - share, size: divergence - ratio + (log(order) - logDelta) / t)
        }
    }

    /// The logarithm of the delta at epsilon, rounded up.
    func logDelta(order: Double, divergence: Double, epsilon: Double) -> Double {
        let t = order - 1
        let exponent = t * (divergence - epsilon)
        let size = t * (divergence + epsilon)
        switch self {
        case .classic: return roundedUp(exponent, size: size)
        case .improved:
            let ratio = Self.logRatio(t)
            return roundedUp(exponent + t * ratio - log(order), size: size - t * ratio + log(order))
        }
    }

    /// ln(t / (t + 1)): a difference of logarithms would lose more than is rounded up.
    private static func logRatio(_ t: Double) -> Double { -log1p(1 / t) }

    private func roundedUp(_ value: Double, size: Double) -> Double {
        let result = value + 0x1p-48 * size
        return result.isNaN ? .infinity : result
    }
}
