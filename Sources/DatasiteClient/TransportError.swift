/// Why nothing, or nothing believable, came back; a refusal by the datasite itself is a `Problem`.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong, for callers that act on it.
    public enum Kind: Sendable, Hashable {
        /// The URL cannot be used.
        case invalidURL
        /// No connection could be made.
        case unreachable
        /// The certificate is not trusted, or the handshake failed.
        case untrusted
        /// No answer came within the time that ``ClientOptions`` allow.
        case timedOut
        /// The connection broke before the response was whole.
        case interrupted
        /// What answered does not speak this protocol.
        case notADatasite
        /// A receipt does not hold for the answer, the question or the pinned key.
        case invalidReceipt
    }

    /// What went wrong, for callers that act on it.
    public var kind: Kind
    /// What went wrong, for people, without a full stop.
    public var detail: String
    /// The next step.
    public var hint: String

    /// An error of that kind, in words, with the next step.
    public init(_ kind: Kind, _ detail: String, hint: String) {
        self.kind = kind
        self.detail = detail
        self.hint = hint
    }

    public var description: String { "\(detail); \(hint)" }
}
