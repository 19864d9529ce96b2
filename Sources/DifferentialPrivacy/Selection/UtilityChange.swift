/// How one unit can change the utilities of candidates, beside by how much.
///
/// A mechanism that knows that all change in one direction needs half the noise: adding a unit raises utilities or
/// leaves them, as counts do; removing it lowers them or leaves them.
public enum UtilityChange: Sendable, Hashable {
    /// Each utility may rise or fall by up to the sensitivity.
    case anyDirection
    /// Between two neighbours no utility rises where another falls (counts under add/remove; not under replace-one).
    case oneDirection

    /// By how much two utilities can move against each other, in sensitivities.
    var spread: UInt64 {
        switch self {
        case .anyDirection: 2
        case .oneDirection: 1
        }
    }
}

extension ExponentRate {
    /// `epsilon / (spread * sensitivity)`: what selection mechanisms weigh a unit of utility with. Throws unless epsilon
    /// is from 2^-40 to 2^20 and the sensitivity from 1 to 2^62.
    static func selection(
        epsilon: Double, sensitivity: Int64, change: UtilityChange
    ) throws(MechanismError) -> ExponentRate {
        guard (0x1p-40...0x1p20).contains(epsilon), let exact = Dyadic(epsilon) else {
            throw .parameter("epsilon", expected: "a number from 2^-40 to 2^20")
        }
        guard (1...(1 << 62)).contains(sensitivity) else {
            throw .parameter("sensitivity", expected: "a number from 1 to 2^62")
        }
        return ExponentRate(
            numerator: exact.significand, divisors: [sensitivity.magnitude, change.spread], shift: exact.exponent)
    }
}
