/// How a column's values are written in files, as the data owner declared it. Public, as all of a manifest is.
public struct FieldForm: Sendable, Hashable {
    /// What stands for null: whole fields. One that is a value of the column's type stands for that value, however it is
    /// written (`-9` for `-9.0`); a text in quotes is never one.
    public var missing: [String] = []
    /// The character between the whole part of a number and its fraction.
    public var decimalPoint = UInt8(ascii: ".")
    /// The character between groups of three digits; nil: none.
    public var thousands: UInt8?
    /// For timestamps that are numbers: how many of them make a second, counted from 1970; nil: they are written as
    /// dates and times.
    public var epochTicks: Int64?

    /// Numbers as programs write them, and nothing that stands for null.
    public init() {}

    /// Whether numbers are written as in programs: a point before the fraction, and nothing between thousands.
    public var hasPlainNumbers: Bool { decimalPoint == UInt8(ascii: ".") && thousands == nil }

    /// A number as programs write it; nil where it is none in this form. Separators of thousands stand between digits,
    /// three of them behind each.
    func plainNumber(_ text: UnsafeRawBufferPointer, into plain: inout [UInt8]) -> Bool {
        plain.removeAll(keepingCapacity: true)
        var sinceSeparator: Int?
        var isWhole = true
        for byte in trim(text) {
            if isWhole, byte == thousands {
                guard plain.last.map({ decimalDigit($0) != nil }) ?? false, sinceSeparator ?? 3 == 3 else {
                    return false
                }
                sinceSeparator = 0
                continue
            }
            if decimalDigit(byte) == nil {
                guard !isWhole || sinceSeparator ?? 3 == 3 else { return false }
                // A sign is before the whole part; whatever else ends it.
                if !plain.isEmpty { isWhole = false }
                if byte == UInt8(ascii: "."), decimalPoint != byte { return false }
                plain.append(byte == decimalPoint ? UInt8(ascii: ".") : byte)
            } else {
                plain.append(byte)
                if isWhole, let digits = sinceSeparator { sinceSeparator = digits + 1 }
            }
        }
        return !isWhole || sinceSeparator ?? 3 == 3
    }

    /// The second of a number since 1970, a part of a second cut off; nil beyond the years 0 to 9999.
    func second(ofTicks ticks: Int64) -> Int64? {
        let second = floorDivide(ticks, epochTicks ?? 1)
        return CivilDate.days.contains(floorDivide(second, secondsPerDay)) ? second : nil
    }
}
