public import DatasiteProtocol

/// What came of work of any kind, as its engine writes it. Its receipt was verified: signature, key and the document's
/// bytes.
public struct ReleasedWork: Sendable, Hashable {
    /// The document as the site stored and sent it, JSON: keep these bytes, the receipt's digest is theirs.
    public let bytes: [UInt8]
    /// The receipt, read from `receiptBytes`; its signature was verified.
    public let receipt: Receipt
    /// The receipt as it was sent.
    public let receiptBytes: [UInt8]
}

/// What comes of a request for work.
public enum WorkOutcome: Sendable, Hashable {
    /// It was done, and its receipt was verified.
    case released(ReleasedWork)
    /// It waits for the owners' approval.
    case pending(RequestSummary)
}
