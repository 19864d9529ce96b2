public import Tables

/// What a measurement gives: already private.
public struct NoisyAnswer: Sendable, Hashable {
    public var columns: [AnswerColumn]
    public var rows: [[AnswerCell]]
    /// Remarks for the reader that follow from the plan alone ("intervals hold privacy noise only", ...).
    public var notes: [String]

    public init(columns: [AnswerColumn], rows: [[AnswerCell]], notes: [String]) {
        self.columns = columns
        self.rows = rows
        self.notes = notes
    }
}

public struct AnswerColumn: Sendable, Hashable {
    public var name: String
    public var type: ValueType
    /// Whether it is a grouping key (exact, public or selected) or an estimate (noisy).
    public var isKey: Bool

    public init(name: String, type: ValueType, isKey: Bool) {
        self.name = name
        self.type = type
        self.isKey = isKey
    }
}

/// A value and its 95 % interval, privacy noise only; nil where the specification gives none. An infinite end is an
/// unbounded interval (a ratio whose denominator may be zero).
public struct AnswerCell: Sendable, Hashable {
    public var value: Value
    public var lower: Double?
    public var upper: Double?

    public init(value: Value, lower: Double? = nil, upper: Double? = nil) {
        self.value = value
        self.lower = lower
        self.upper = upper
    }
}
