/// Why a JSON text is not what was expected: what is wrong and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, and what would be right.
    public var message: String
    /// The 0-based offset in the UTF-8 text, where the text itself is malformed.
    public var offset: Int?

    /// An error of that message; `offset` counts bytes from 0.
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
    /// `null`.
    case null
    /// `true` or `false`.
    case boolean(Bool)
    /// A number, as it is written: its type is known later.
    case number(String)
    /// A text, its escapes resolved.
    case string(String)
    /// The elements, in order.
    case array([StrictJSON])
    /// The members by key.
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
