public import DatasiteProtocol

/// Bounds tighter than the manifest's, and the share of delta for unknown keys; all optional.
public struct QuestionHints: Sendable, Hashable {
    /// The delta that the private selection of unknown keys may use; nil: what the policy gives this question.
    public var selectionDelta: Double?
    /// The largest number of groups that one unit may contribute to; nil: the manifest's.
    public var groupsPerUnit: Int?
    /// The largest number of rows that one unit may contribute to a group; nil: the manifest's.
    public var rowsPerGroup: Int?

    /// Whether a small part of the budget measures what bounding leaves out; nil: it does.
    public var boundingShares: Bool?

    /// Hints; what is nil is left to the manifest and the policy.
    public init(
        selectionDelta: Double? = nil, groupsPerUnit: Int? = nil, rowsPerGroup: Int? = nil,
        boundingShares: Bool? = nil
    ) {
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
        self.boundingShares = boundingShares
    }
}

/// An answer whose receipt was verified: signature, key, the answer's bytes and, where it is known, the question.
public struct ReleasedAnswer: Sendable, Hashable {
    /// The answer, read from `bytes`.
    public let answer: Answer
    /// The bytes as the site stored and sent them: keep these, the receipt's digest is theirs.
    public let bytes: [UInt8]
    /// The receipt, read from `receiptBytes`; its signature was verified.
    public let receipt: Receipt
    /// The receipt as it was sent.
    public let receiptBytes: [UInt8]
}

/// What comes of a question.
public enum AskOutcome: Sendable, Hashable {
    /// It was answered, and its receipt was verified.
    case released(ReleasedAnswer)
    /// It waits for the owners' approval; fetch it later by its id with `DatasiteClient.answer(_:)`.
    case pending(RequestSummary)

    /// The answer, if it was released.
    public var answer: Answer? {
        guard case .released(let released) = self else { return nil }
        return released.answer
    }
}
