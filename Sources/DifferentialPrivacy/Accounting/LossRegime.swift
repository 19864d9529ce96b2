/// How the policy measures loss; delta is split beforehand (docs/privacy.md, rule 6).
public struct LossRegime: Sendable, Hashable {
    /// The kind of loss in which the policy counts.
    public var kind: PrivacyLossKind
    /// The delta at which rho is converted to epsilon (zCDP); 0 for pure.
    public var conversionDelta: Double
    /// The delta reserved for all key selections together (zCDP); 0 for pure.
    public var selectionDelta: Double
    /// The policy's total loss: epsilon or rho.
    public var total: Double

    /// A policy's unit of loss, with what it allows in all.
    public init(kind: PrivacyLossKind, conversionDelta: Double, selectionDelta: Double, total: Double) {
        self.kind = kind
        self.conversionDelta = conversionDelta
        self.selectionDelta = selectionDelta
        self.total = total
    }
}
