/// What is wrong in a file, for its owner: where, and what would be right; never the value.
public struct RowError: Error, Sendable, Hashable, Codable {
    /// The line of the file on which the row starts, from 1; for rows given as values, the row's number.
    public var line: Int
    /// Whether `line` is the row's number in a file that has no lines.
    public var countsRows = false
    /// The column's name, where the error is in one.
    public var column: String?
    /// What was expected, in words.
    public var expected: String

    /// An error on that line.
    public init(line: Int, column: String?, expected: String) {
        self.line = line
        self.column = column
        self.expected = expected
    }
}

extension RowError {
    /// What is expected where bytes are no characters.
    static let text = "UTF-8 text"

    /// What is expected of a timestamp.
    static let time = "a time as YYYY-MM-DDTHH:MM:SSZ"

    /// Whether a timestamp was expected and none stands there.
    public var isNoTime: Bool { expected.hasPrefix(Self.time) }

    /// Whether the bytes are no characters in the file's encoding; a text outside its column's domain is well written.
    public var isNoText: Bool {
        expected.hasPrefix(Self.text) && !expected.contains(";") && !expected.contains("declared domain")
    }
}

extension RowError: CustomStringConvertible {
    public var description: String {
        "\(countsRows ? "row" : "line") \(line)" + (column.map { ", column '\($0)'" } ?? "") + ": expected \(expected)"
    }
}

/// What happens to wrong rows. A file that is not even rows (an open quote) is always refused.
public enum ErrorPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The first wrong row refuses the file.
    case refuse
    /// A wrong cell becomes null; its row is dropped where the column is not nullable or the row has too few or too many
    /// fields.
    case null
    /// All rows of the unit are dropped; a wrong row whose unit cannot be read is dropped alone.
    case skipUnit = "skip-unit"
}

/// What became of a file's rows: private, for the owner only.
public struct IngestReport: Sendable, Hashable, Codable {
    /// What became of one column's values.
    public struct Column: Sendable, Hashable, Codable {
        /// The column's name.
        public var name: String
        /// Values outside the declared domain, which became its `other` or null.
        public var outsideDomain = 0
        /// Values outside the declared bounds, which became the bound or null.
        public var outsideBounds = 0
        /// Integers that are written with leading zeros: perhaps they are codes.
        public var leadingZeros = 0
        /// Texts cut to the largest number of bytes.
        public var textsCut = 0
        /// Infinite values, which became the bound or null.
        public var infinities = 0
        /// Wrong cells that became null.
        public var wrongBecameNull = 0
    }

    /// Rows that the file has.
    public var rowsRead = 0
    /// Rows that the table has.
    public var rowsKept = 0
    /// Units that the table has; where each row is a unit, as many as rows.
    public var units = 0
    /// Dropped because they name no unit.
    public var rowsWithoutUnit = 0
    /// Dropped because their unit has more rows than its bound.
    public var rowsBeyondBound = 0
    /// Rows with something wrong in them.
    public var rowsWrong = 0
    /// Dropped because something was wrong in them or, under `skipUnit`, in another row of their unit.
    public var rowsSkipped = 0
    /// Units dropped under `skipUnit`.
    public var unitsSkipped = 0
    /// What became of each column's values, in the schema's order.
    public var columns: [Column] = []
    /// The first wrong rows.
    public var examples: [RowError] = []

    /// How many wrong rows a report shows.
    public static let exampleLimit = 20
}
