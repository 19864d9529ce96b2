/// Why nothing, or nothing believable, came back; a refusal by the datasite itself is a `Problem`.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The URL cannot be used.
        case invalidURL
        /// No connection could be made.
        case unreachable
        /// The certificate is not trusted, or the handshake failed.
        case untrusted
        case timedOut
        /// The connection broke before the response was whole.
        case interrupted
        /// What answered does not speak this protocol.
        case notADatasite
        /// A receipt does not hold for the answer, the question or the pinned key.
        case invalidReceipt
    }

    public var kind: Kind
    public var detail: String
    /// The next step.
    public var hint: String

    public init(_ kind: Kind, _ detail: String, hint: String) {
        self.kind = kind
        self.detail = detail
        self.hint = hint
    }

    public var description: String { "\(detail); \(hint)" }
}
