public import DatasiteProtocol

/// What a question may cost.
public enum Spending: Sendable, Hashable {
    /// At most that epsilon.
    case epsilon(Double)
    /// That rho, under a zCDP policy.
    case rho(Double)
    /// The least loss for which counts have that error relative to a group of that size.
    case error(relative: Double, groupSize: Double)
}

/// Bounds tighter than the manifest's, and the share of delta for unknown keys; all optional.
public struct QuestionHints: Sendable, Hashable {
    public var selectionDelta: Double?
    public var groupsPerUnit: Int?
    public var rowsPerGroup: Int?

    public init(selectionDelta: Double? = nil, groupsPerUnit: Int? = nil, rowsPerGroup: Int? = nil) {
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
    }
}

/// An answer whose receipt was verified: signature, key, the answer's bytes and, where it is known, the question.
public struct ReleasedAnswer: Sendable, Hashable {
    public let answer: Answer
    /// The bytes as the site stored and sent them: keep these, the receipt's digest is theirs.
    public let bytes: [UInt8]
    public let receipt: Receipt
    /// The receipt as it was sent.
    public let receiptBytes: [UInt8]
}

/// What comes of a question.
public enum AskOutcome: Sendable, Hashable {
    case released(ReleasedAnswer)
    /// It waits for the owners' approval; fetch it later by its id with `DatasiteClient.answer(_:)`.
    case pending(RequestSummary)

    /// The answer, if it was released.
    public var answer: Answer? {
        guard case .released(let released) = self else { return nil }
        return released.answer
    }
}
