/// A name as it stands in a question.
public enum SQLName {
    /// The name itself, or in double quotes where it would be read as a word of the language, or as more than one word.
    public static func written(_ name: String) -> String {
        // Of what cannot be read there is an end alone.
        let kinds = Lexer.start(of: name).map(\.kind)
        if kinds.starts(with: [.word(name), .end]), !words.contains(name.uppercased()) { return name }
        return "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    /// Beside what no name may be, what an expression may not begin with.
    private static let words = Parser.reserved.union([
        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "INTERVAL", "EXISTS",
    ])
}
