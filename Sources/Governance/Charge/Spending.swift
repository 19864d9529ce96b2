public import DifferentialPrivacy

/// What a population's ledger holds when a request is decided: losses that were reserved before, by scope.
public struct Spending: Sendable, Hashable {
    /// By all researchers together.
    public var total: PrivacyLoss
    /// By the researcher who asks.
    public var researcher: PrivacyLoss
    /// By all researchers in each of the policy's windows, in the policy's order.
    public var windows: [PrivacyLoss]

    /// Losses of one kind, with one of `windows` for each window of the policy.
    public init(total: PrivacyLoss, researcher: PrivacyLoss, windows: [PrivacyLoss]) {
        self.total = total
        self.researcher = researcher
        self.windows = windows
    }

    /// Nothing spent yet.
    public static func nothing(_ policy: Policy) -> Spending {
        let zero = PrivacyLoss.zero(policy.regime.kind)
        return Spending(total: zero, researcher: zero, windows: policy.windows.map { _ in zero })
    }
}
