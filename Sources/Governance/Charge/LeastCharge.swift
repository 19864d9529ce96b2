public import DifferentialPrivacy

extension Policy {
    /// Shares are whole numbers of this: 1e-12.
    public static let leastShareUnit = 1e-12
    /// All of the total.
    public static let wholeShare: Int64 = 1_000_000_000_000
    /// 1/10,000, where a policy does not say.
    public static let usualLeastShare = wholeShare / 10_000

    /// The least that a question is charged: its share of the present total, rounded up.
    public var leastCharge: PrivacyLoss { Self.leastCharge(total, share: leastShare) }

    /// That share, in units of `leastShareUnit`, of a total, rounded up.
    public static func leastCharge(_ total: PrivacyLoss, share: Int64) -> PrivacyLoss {
        let product = UInt64(max(total.amount, 0)).multipliedFullWidth(by: UInt64(min(max(share, 0), wholeShare)))
        let (quotient, remainder) = UInt64(wholeShare).dividingFullWidth(product)
        return PrivacyLoss(kind: total.kind, amount: Int64(quotient) + (remainder > 0 ? 1 : 0))
    }
}
