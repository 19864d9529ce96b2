/// Why a mechanism, an event or an amount of loss was refused: always by its public parameters, never by data.
public enum MechanismError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// An event that has no finite loss of that kind.
    case unsupported(String, kind: PrivacyLossKind)
    /// An event that an accountant has no theorem for: its name in JSON, the accountant's name, and what would do.
    case unsupportedEvent(String, accountant: String, expected: String)
    /// Amounts of different kinds do not add.
    case mixedKinds
    /// The amount exceeds what a ledger can hold (about nine million epsilon or rho, or a delta of nine).
    case overflow

    /// What was wrong, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .unsupported(let event, let kind): return "\(event) has no finite loss of kind \(kind.rawValue)"
        case .unsupportedEvent(let event, let accountant, let expected):
            return "the \(accountant) accountant does not support \(event): expected \(expected)"
        case .mixedKinds: return "losses of different kinds do not add"
        case .overflow: return "the privacy loss exceeds what a ledger can hold"
        }
    }
}
