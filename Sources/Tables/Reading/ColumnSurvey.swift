/// What the draft of a manifest needs to know of a column's values: how they are written. It holds none of them.
public struct ColumnSurvey: Sendable, Hashable {
    /// Values that are not null.
    public internal(set) var values = 0
    /// Values of digits that name something and are no number: as numbers, two of them could become one. They begin
    /// with a zero that does not count, or have more digits than 64 bits hold.
    public internal(set) var codes = 0
    /// Cells that are no value of the type.
    public internal(set) var wrong = 0
    /// Which of the markers of missing values occur, by their place in the list.
    public internal(set) var missing: Set<Int> = []
    /// Whether one of the texts is the column's own name.
    public internal(set) var hasName = false

    /// Nothing was seen yet.
    public init() {}

    mutating func see(_ field: UnsafeRawBufferPointer, isNumber: Bool) {
        values += 1
        if isNumber, Self.isCode(trim(field)) { codes += 1 }
    }

    private static func isCode(_ field: UnsafeRawBufferPointer) -> Bool {
        let digits = field.drop { $0 == 0x2d || $0 == 0x2b }
        if digits.first == 0x30, let second = digits.dropFirst().first, decimalDigit(second) != nil { return true }
        return digits.allSatisfy { decimalDigit($0) != nil } && parseWord(field, .integer) == nil
    }

    /// Adds what was seen in other rows.
    public mutating func merge(_ other: ColumnSurvey) {
        values += other.values
        codes += other.codes
        wrong += other.wrong
        missing.formUnion(other.missing)
        hasName = hasName || other.hasName
    }
}
