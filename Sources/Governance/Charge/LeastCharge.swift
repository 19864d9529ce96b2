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

    /// The least that a question is planned with, in units of `PrivacyLoss.amountUnit`: under Rényi the rho whose curve
    /// reaches the least charge at every order.
    public var leastPlanned: Int64 { leastCharge.leastRho }

    /// That share, in units of `leastShareUnit`, of a total, rounded up: under Rényi at every order, so that no order is
    /// left more questions than its bound has shares.
    public static func leastCharge(_ total: PrivacyLoss, share: Int64) -> PrivacyLoss {
        let amounts = total.amounts.map { amount -> Int64 in
            let product = UInt64(max(amount, 0)).multipliedFullWidth(by: UInt64(min(max(share, 0), wholeShare)))
            let (quotient, remainder) = UInt64(wholeShare).dividingFullWidth(product)
            return Int64(quotient) + (remainder > 0 ? 1 : 0)
        }
        return PrivacyLoss(kind: total.kind, amounts: amounts) ?? .zero(total.kind)
    }
}
