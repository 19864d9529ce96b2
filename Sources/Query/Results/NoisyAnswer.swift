public import Tables

/// What a measurement gives: already private.
public struct NoisyAnswer: Sendable, Hashable {
    /// The columns, keys and estimates, in the order of the SELECT list.
    public var columns: [AnswerColumn]
    /// A row for each group: a cell for each column.
    public var rows: [[AnswerCell]]
    /// Remarks for the reader that follow from the plan alone ("intervals hold privacy noise only", ...).
    public var notes: [String]
    /// What bounding left out, where it was measured.
    public var bounding: BoundingShares?

    /// An answer of those parts.
    public init(columns: [AnswerColumn], rows: [[AnswerCell]], notes: [String], bounding: BoundingShares? = nil) {
        self.bounding = bounding
        self.columns = columns
        self.rows = rows
        self.notes = notes
    }
}

/// A column of an answer.
public struct AnswerColumn: Sendable, Hashable {
    /// Its name: as the question gives it, else the text of its expression.
    public var name: String
    /// The type of its values.
    public var type: ValueType
    /// Whether it is a grouping key (exact, public or selected) or an estimate (noisy).
    public var isKey: Bool
    /// The bin of a histogram that it counts.
    public var bin: HistogramBin?

    /// A column of that name and type.
    public init(name: String, type: ValueType, isKey: Bool, bin: HistogramBin? = nil) {
        self.name = name
        self.type = type
        self.isKey = isKey
        self.bin = bin
    }
}

/// A bin of a histogram: values from `lower` on and below `upper`; in the last bin also `upper`.
public struct HistogramBin: Sendable, Hashable {
    /// The histogram's name: as the question gives it, else the text of its expression.
    public var histogram: String
    /// The smallest value in it.
    public var lower: Double
    /// The end, which is in the next bin.
    public var upper: Double
}

/// A value and its 95 % interval, privacy noise only; nil where the specification gives none. An infinite end is an
/// unbounded interval (a ratio whose denominator may be zero).
public struct AnswerCell: Sendable, Hashable {
    /// The key, or the noisy estimate.
    public var value: Value
    /// The lower end of the 95 % interval, in the column's unit.
    public var lower: Double?
    /// The upper end of the 95 % interval, in the column's unit.
    public var upper: Double?

    /// Why the truth may lie outside the interval more often than it says; in the order of `CellFlag.allCases`.
    public var flags: [CellFlag]

    /// A cell; without ends it has no interval.
    public init(value: Value, lower: Double? = nil, upper: Double? = nil, flags: [CellFlag] = []) {
        self.value = value
        self.lower = lower
        self.upper = upper
        self.flags = flags
    }
}

/// Why a cell's interval, which holds privacy noise only, may miss the table's truth more often than it says. Flags follow
/// from the plan and from noisy values alone.
public enum CellFlag: String, Sendable, Hashable, CaseIterable {
    /// Bounding left out a part of the rows or units that is large beside the interval.
    case bounded
    /// The row was chosen by its noisy values (`HAVING`, `ORDER BY` with `LIMIT`): what looks large is in part luck.
    case selected
    /// The row may be of a size of which few groups reach the threshold: the others are missing from the answer.
    case thresholded
    /// The quantile, or an end of its interval, is a bound to which larger or smaller values were clipped when they were read:
    /// the table's own may lie beyond.
    case clipped
}
