public import DifferentialPrivacy

extension PrivacyLoss {
    /// Whether `spent` and this charge together stay within `limit`, in both parts. Never overflows, whatever the
    /// numbers: the limit is what is left after subtraction.
    public func fits(within limit: PrivacyLoss, after spent: PrivacyLoss) -> Bool {
        guard kind == limit.kind, kind == spent.kind, amount >= 0, delta >= 0 else { return false }
        return PrivacyLoss.difference(limit.amount, spent.amount) >= amount
            && PrivacyLoss.difference(limit.delta, spent.delta) >= delta
    }

    /// What a limit has left: nothing where more was spent than a lowered limit now allows.
    public func left(after spent: PrivacyLoss) -> PrivacyLoss {
        PrivacyLoss(
            kind: kind, amount: PrivacyLoss.difference(amount, spent.amount),
            delta: PrivacyLoss.difference(delta, spent.delta))
    }

    /// The smaller of both, part by part.
    public func minimum(_ other: PrivacyLoss) -> PrivacyLoss {
        PrivacyLoss(kind: kind, amount: Swift.min(amount, other.amount), delta: Swift.min(delta, other.delta))
    }

    private static func difference(_ limit: Int64, _ spent: Int64) -> Int64 {
        let (difference, overflow) = limit.subtractingReportingOverflow(spent)
        return overflow || difference < 0 ? 0 : difference
    }
}
