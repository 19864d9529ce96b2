/// A recursive-descent parser of RFC 8259 over bytes.
struct StrictJSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private let largestDepth: Int

    init(bytes: [UInt8], largestDepth: Int) {
        self.bytes = bytes
        self.largestDepth = largestDepth
    }

    mutating func document() throws(JSONError) -> StrictJSON {
        skipWhiteSpace()
        let result = try value()
        skipWhiteSpace()
        guard position == bytes.count else { throw error("there is text after the JSON value") }
        return result
    }

    private mutating func value() throws(JSONError) -> StrictJSON {
        switch peek() {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""): .string(try string())
        case UInt8(ascii: "t"): try literal("true", .boolean(true))
        case UInt8(ascii: "f"): try literal("false", .boolean(false))
        case UInt8(ascii: "n"): try literal("null", .null)
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try number()
        case nil: throw error("the JSON text ends where a value is expected")
        default: throw error("expected a JSON value")
        }
    }

    private mutating func object() throws(JSONError) -> StrictJSON {
        try descend()
        defer { depth -= 1 }
        var members: [String: StrictJSON] = [:]
        if try closes(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipWhiteSpace()
            guard peek() == UInt8(ascii: "\"") else { throw error("expected a key in double quotes") }
            let start = position
            let key = try string()
            skipWhiteSpace()
            guard take(UInt8(ascii: ":")) else { throw error("expected ':' after a key") }
            skipWhiteSpace()
            guard members.updateValue(try value(), forKey: key) == nil else {
                throw JSONError("a key occurs twice in one object", offset: start)
            }
            if try ends(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array() throws(JSONError) -> StrictJSON {
        try descend()
        defer { depth -= 1 }
        var elements: [StrictJSON] = []
        if try closes(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            skipWhiteSpace()
            elements.append(try value())
            if try ends(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Enters an object or array: consumes its opening bracket.
    private mutating func descend() throws(JSONError) {
        depth += 1
        guard depth <= largestDepth else { throw error("nested deeper than \(largestDepth) levels") }
        position += 1
    }

    private mutating func closes(_ bracket: UInt8) throws(JSONError) -> Bool {
        skipWhiteSpace()
        return take(bracket)
    }

    private mutating func ends(with bracket: UInt8) throws(JSONError) -> Bool {
        skipWhiteSpace()
        if take(UInt8(ascii: ",")) { return false }
        guard take(bracket) else {
            throw error("expected ',' or '\(Character(UnicodeScalar(bracket)))'")
        }
        return true
    }

    private mutating func literal(_ text: String, _ value: StrictJSON) throws(JSONError) -> StrictJSON {
        guard bytes[position...].starts(with: text.utf8) else { throw error("expected a JSON value") }
        position += text.utf8.count
        return value
    }

    private mutating func number() throws(JSONError) -> StrictJSON {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw error("expected a digit") }
    }

    private mutating func string() throws(JSONError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while true {
            guard let byte = peek() else { throw JSONError("a text has no closing quote", offset: start) }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw JSONError("a text is not valid UTF-8", offset: start)
                }
                return result
            case UInt8(ascii: "\\"): try escape(into: &text)
            case ..<0x20: throw error("a control character in a text must be escaped")
            default:
                text.append(byte)
                position += 1
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        position += 1
        guard let byte = peek() else { throw error("a text has no closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(Character(try scalar())).utf8))
        default: throw error("unknown escape in a text")
        }
    }

    /// The scalar of a `\u` escape, two of them for one outside the basic plane.
    private mutating func scalar() throws(JSONError) -> UnicodeScalar {
        var code = try fourDigits()
        if (0xD800..<0xDC00).contains(code) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw error("a lone surrogate in a text") }
            let low = try fourDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw error("a lone surrogate in a text") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(code) else { throw error("a lone surrogate in a text") }
        return scalar
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw error("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private mutating func skipWhiteSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private func error(_ message: String) -> JSONError { JSONError(message, offset: position) }
}
