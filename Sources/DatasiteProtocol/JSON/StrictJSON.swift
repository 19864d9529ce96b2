/// Why a JSON text is not what was expected: what is wrong and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    /// The 0-based offset in the UTF-8 text, where the text itself is malformed.
    public var offset: Int?

    public init(_ message: String, offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }

    public var description: String {
        offset.map { "\(message) (at byte \($0))" } ?? message
    }
}

/// A JSON value (RFC 8259), read strictly: duplicate keys, malformed UTF-8, lone surrogates and nesting deeper than
/// `StrictJSON.largestDepth` are refused, and a number keeps its literal until its type is known.
public enum StrictJSON: Sendable, Hashable {
    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([StrictJSON])
    case object([String: StrictJSON])

    /// Requests nest two levels; the bound keeps hostile input from exhausting the stack.
    public static let largestDepth = 16

    /// Reads one value that takes the whole text, nested at most that deep.
    public init(parsing bytes: [UInt8], largestDepth: Int = StrictJSON.largestDepth) throws(JSONError) {
        var parser = StrictJSONParser(bytes: bytes, largestDepth: largestDepth)
        self = try parser.document()
    }

    var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "true or false"
        case .number: "a number"
        case .string: "text"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
