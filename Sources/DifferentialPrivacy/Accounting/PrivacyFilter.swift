/// Admits losses as long as their sum stays within a limit fixed beforehand.
///
/// Privacy: all that is admitted is together within the limit, also where each mechanism is chosen after seeing earlier
/// outputs: pure epsilons (Rogers, Roth, Ullman and Vadhan 2016), zCDP's rhos (Feldman and Zrnic 2021; Whitehouse,
/// Ramdas, Rogers and Wu 2023), Rényi divergences at one order at least (``RenyiOrders`` has the proof), and deltas of
/// selections beside them (a union bound). What is refused costs nothing and does not end the filter.
public struct PrivacyFilter: Sendable, Hashable {
    /// The most that may be admitted in all.
    public let limit: PrivacyLoss
    /// The sum of what was admitted, within the limit.
    public private(set) var spent: PrivacyLoss

    /// `spent`: what was admitted before.
    public init(limit: PrivacyLoss, spent: PrivacyLoss? = nil) {
        self.limit = limit
        self.spent = spent ?? .zero(limit.kind)
    }

    /// Whether the loss was admitted, and thereby spent. Another kind of loss, or a negative one, never is.
    public mutating func admit(_ loss: PrivacyLoss) -> Bool {
        guard loss.fits(in: limit, after: spent), let sum = try? spent + loss else { return false }
        spent = sum
        return true
    }
}
