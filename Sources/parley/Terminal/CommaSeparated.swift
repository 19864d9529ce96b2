/// CSV for other programs (RFC 4180): null is nothing, and an empty text `""`.
enum CommaSeparated {
    static func line(_ fields: [String?]) -> String {
        fields.map { $0.map(quoted) ?? "" }.joined(separator: ",") + "\r\n"
    }

    /// Text that a spreadsheet would run as a formula gets an apostrophe in front, and what a terminal would obey is
    /// escaped, as in a table (docs/privacy.md, rule 16): a key may have been chosen by one of the people in the data.
    static func text(_ value: String) -> String {
        let value = PrintableText.escape(value)
        guard let first = value.unicodeScalars.first, "=+-@".unicodeScalars.contains(first) else { return value }
        return "'" + value
    }

    private static func quoted(_ field: String) -> String {
        let needsQuotes = field.utf8.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        guard needsQuotes || field.isEmpty else { return field }
        return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
