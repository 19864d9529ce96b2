/// A lexical element of SQL with its place in the text.
struct Token: Equatable {
    enum Kind: Equatable {
        /// A bare word: a keyword or a name, as it was written.
        case word(String)
        /// A name in double quotes or backquotes: never a keyword.
        case quotedName(String)
        case text(String)
        /// A number as it was written: digits, at most one point, an exponent.
        case number(String)
        case symbol(String)
        case end
    }

    var kind: Kind
    /// 0-based UTF-8 offset of its first byte, and of the byte after its last.
    var position: Int
    var end: Int

    /// The upper-case word, nil for anything else: what keywords are compared with.
    var keyword: String? {
        if case .word(let word) = kind { return word.uppercased() }
        return nil
    }

    /// For messages: what stands there.
    var description: String {
        switch kind {
        case .word(let word): "'\(word)'"
        case .quotedName(let name): "\"\(name)\""
        case .text: "a text literal"
        case .number(let digits): "'\(digits)'"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end of the text"
        }
    }
}

/// Cuts the text of a question into tokens, in one pass over its bytes.
struct Lexer {
    private let bytes: [UInt8]
    private var index = 0

    /// All tokens of the text, an `.end` last.
    static func tokens(of text: String) throws(QueryError) -> [Token] {
        guard text.utf8.count <= QuestionLimits.textBytes else {
            throw QueryError(
                "the question has \(text.utf8.count) bytes; at most \(QuestionLimits.textBytes) are read",
                at: QuestionLimits.textBytes)
        }
        var lexer = Lexer(text)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    /// The first two tokens, as far as they can be read, and an end.
    static func start(of text: String) -> [Token] {
        var lexer = Lexer(String(decoding: Array(text.utf8.prefix(QuestionLimits.textBytes)), as: UTF8.self))
        var tokens: [Token] = []
        while tokens.count < 2, let token = try? lexer.next() { tokens.append(token) }
        let end = tokens.last?.end ?? 0
        return tokens + [Token(kind: .end, position: end, end: end)]
    }

    private init(_ text: String) {
        bytes = Array(text.utf8)
    }

    private func byte(_ offset: Int = 0) -> UInt8 {
        index + offset < bytes.count ? bytes[index + offset] : 0
    }

    private func slice(_ from: Int, _ to: Int) -> String {
        String(decoding: bytes[from..<to], as: UTF8.self)
    }

    private mutating func next() throws(QueryError) -> Token {
        try skipBlanks()
        let start = index
        guard index < bytes.count else { return Token(kind: .end, position: start, end: start) }
        let kind: Token.Kind
        switch byte() {
        case let first where Self.startsWord(first):
            try refuseCurvedQuote()
            kind = word()
        case let first where Self.isDigit(first): kind = try number()
        case UInt8(ascii: ".") where Self.isDigit(byte(1)): kind = try number()
        case UInt8(ascii: "'"): kind = .text(try quoted(UInt8(ascii: "'"), "text literal"))
        case UInt8(ascii: "\""): kind = .quotedName(try quoted(UInt8(ascii: "\""), "quoted name"))
        case UInt8(ascii: "`"): kind = .quotedName(try quoted(UInt8(ascii: "`"), "quoted name"))
        default: kind = try symbol()
        }
        // Messages repeat names and numbers, but not a page of them.
        if case .text = kind {
        } else if index - start > QuestionLimits.tokenBytes {
            throw QueryError(
                "this \(Self.isDigit(bytes[start]) ? "number" : "name") has \(index - start) characters; "
                    + "at most \(QuestionLimits.tokenBytes) are read", at: start)
        }
        return Token(kind: kind, position: start, end: index)
    }

    private static func startsWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
            || byte >= 0x80
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private mutating func skipBlanks() throws(QueryError) {
        while index < bytes.count {
            switch (byte(), byte(1)) {
            case (0x20, _), (0x09, _), (0x0A, _), (0x0D, _), (0x0C, _): index += 1
            case (UInt8(ascii: "-"), UInt8(ascii: "-")):
                while index < bytes.count, byte() != 0x0A { index += 1 }
            case (UInt8(ascii: "/"), UInt8(ascii: "*")): try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(QueryError) {
        let start = index
        index += 2
        while !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) {
            guard index < bytes.count else {
                throw QueryError("the comment that begins here has no end", at: start, hint: "End it with */.")
            }
            index += 1
        }
        index += 2
    }

    /// Refuses the curved quotes of word processors, which would be read as part of a name.
    private func refuseCurvedQuote() throws(QueryError) {
        for quote in ["\u{2018}", "\u{2019}", "\u{201C}", "\u{201D}"] where slice(from: quote) == quote {
            throw QueryError(
                "the curved quote \(quote) has no meaning here", at: index,
                hint: "Text stands between straight quotes: 'a'.")
        }
    }

    /// The bytes from here on, as many as `text` has.
    private func slice(from text: String) -> String {
        slice(index, Swift.min(index + text.utf8.count, bytes.count))
    }

    private mutating func word() -> Token.Kind {
        let start = index
        while Self.startsWord(byte()) || Self.isDigit(byte()) || byte() == UInt8(ascii: "$") { index += 1 }
        return .word(slice(start, index))
    }

    private mutating func number() throws(QueryError) -> Token.Kind {
        let start = index
        while Self.isDigit(byte()) { index += 1 }
        if byte() == UInt8(ascii: ".") {
            index += 1
            while Self.isDigit(byte()) { index += 1 }
        }
        if byte() | 0x20 == UInt8(ascii: "e") {
            let signed = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
            if Self.isDigit(byte(signed ? 2 : 1)) {
                index += signed ? 2 : 1
                while Self.isDigit(byte()) { index += 1 }
            }
        }
        guard !Self.startsWord(byte()) else {
            throw QueryError(
                "a number ends in digits", at: start, hint: "Numbers are written 1000, 2.5 or 1e3.")
        }
        return .number(slice(start, index))
    }

    /// The content between two quotes; a doubled quote stands for one.
    private mutating func quoted(_ quote: UInt8, _ what: String) throws(QueryError) -> String {
        let start = index
        var content: [UInt8] = []
        index += 1
        while index < bytes.count {
            if byte() == quote {
                if byte(1) != quote {
                    index += 1
                    return String(decoding: content, as: UTF8.self)
                }
                index += 1
            }
            content.append(byte())
            index += 1
        }
        throw QueryError(
            "the \(what) that begins here has no end", at: start,
            hint: "End it with \(String(decoding: [quote], as: UTF8.self)).")
    }

    /// What other languages write, with what to write here.
    private func refuseForeignSymbol() throws(QueryError) {
        for own in ["||", "::", "!="] where slice(from: own) == own { return }
        for (symbol, hint) in ForeignSQL.symbols where slice(from: symbol).lowercased() == symbol {
            throw QueryError("'\(symbol)' has no meaning here", at: index, hint: hint)
        }
    }

    private mutating func symbol() throws(QueryError) -> Token.Kind {
        try refuseForeignSymbol()
        for symbol in ["<=", ">=", "<>", "!=", "==", "||", "::"] where slice(from: symbol) == symbol {
            index += 2
            return .symbol(symbol)
        }
        let single = slice(index, index + 1)
        guard "()[],.*+-/%<>=;".contains(single) else {
            let shown =
                byte() < 0x20 || byte() == 0x7F
                ? "U+00\(String(UInt16(byte()) | 0x100, radix: 16).dropFirst())" : single
            throw QueryError(
                "the character '\(shown)' has no meaning here", at: index,
                hint: "Operators are + - * / % || = <> < <= > >= AND OR NOT IN BETWEEN LIKE IS NULL.")
        }
        index += 1
        return .symbol(single)
    }
}
