/// The unit in which a policy measures privacy loss, fixed once and for all (PRIVACY.md, rule 6).
public enum PrivacyLossKind: String, Sendable, Hashable, Codable {
    /// Pure differential privacy: `amount` is epsilon, `delta` stays zero.
    case pure
    /// Zero-concentrated differential privacy (Bun and Steinke 2016): `amount` is rho; `delta` is what private key
    /// selection used, beside it.
    case zeroConcentrated = "zcdp"
}

/// An amount of privacy loss, in integers, so that ledgers add exactly. Whoever makes one from a real number rounds up.
public struct PrivacyLoss: Sendable, Hashable, Codable {
    public let kind: PrivacyLossKind
    /// Epsilon (pure) or rho (zCDP), in units of 1e-12.
    public let amount: Int64
    /// The delta spent on selection, in units of 1e-18.
    public let delta: Int64

    public init(kind: PrivacyLossKind, amount: Int64, delta: Int64 = 0) {
        self.kind = kind
        self.amount = amount
        self.delta = delta
    }

    public static let amountUnit = 1e-12
    public static let deltaUnit = 1e-18
}
