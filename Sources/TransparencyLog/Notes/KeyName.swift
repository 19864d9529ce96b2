/// A key's name in a signed note (c2sp.org/signed-note): compared byte for byte.
///
/// Two names that look the same, or that Unicode calls equivalent, are different names; `String`'s `==` would say otherwise.
public struct KeyName: Sendable, Hashable {
    /// The longest name, in bytes.
    public static let largestLength = 255

    /// The name in UTF-8.
    public let bytes: [UInt8]

    /// Throws `malformedName` for a name that is empty or above 255 bytes, is no UTF-8, or has a Unicode space, a plus sign
    /// or a control character in it.
    public init(_ bytes: some Collection<UInt8>) throws(NoteError) {
        guard (1...Self.largestLength).contains(bytes.count), let text = NoteText.validated(bytes),
            text.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && $0 != "+" })
        else { throw .malformedName }
        self.bytes = Array(bytes)
    }

    /// The name; throws as `init(_:)` for bytes does.
    public init(_ name: String) throws(NoteError) {
        try self.init(Array(name.utf8))
    }
}

extension KeyName: CustomStringConvertible {
    /// The name.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// What is shared by all that is written in notes.
enum NoteText {
    static let newline = UInt8(ascii: "\n")

    /// The bytes as text, if they are UTF-8 without control characters but newlines.
    static func validated(_ bytes: some Collection<UInt8>) -> String? {
        guard bytes.allSatisfy({ $0 >= 0x20 || $0 == newline }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The lines of a text that ends in a newline, without their newlines; nil if it does not end so.
    static func lines(_ text: some Collection<UInt8>) -> [[UInt8]]? {
        let text = Array(text)
        guard text.last == newline else { return nil }
        return text.dropLast().split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    }
}

/// The first line of a checkpoint, which says which log it is of (c2sp.org/tlog-checkpoint): compared byte for byte.
public struct LogOrigin: Sendable, Hashable {
    /// The longest origin, in bytes.
    public static let largestLength = 255

    /// The origin in UTF-8.
    public let bytes: [UInt8]

    /// Throws `malformedCheckpoint` for an origin that is empty or above 255 bytes, is no UTF-8, or has a control character.
    public init(_ bytes: some Collection<UInt8>) throws(NoteError) {
        guard (1...Self.largestLength).contains(bytes.count), !bytes.contains(NoteText.newline),
            NoteText.validated(bytes) != nil
        else {
            throw .malformedCheckpoint(line: 1, expected: "an origin of 1 to 255 bytes of UTF-8")
        }
        self.bytes = Array(bytes)
    }

    /// The origin; throws as `init(_:)` for bytes does.
    public init(_ origin: String) throws(NoteError) {
        try self.init(Array(origin.utf8))
    }

    /// The origin of the log whose key has the name: the two are the same (c2sp.org/tlog-policy).
    public init(_ name: KeyName) {
        bytes = name.bytes
    }
}

extension LogOrigin: CustomStringConvertible {
    /// The origin.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension LogOrigin: Codable {
    /// Reads the text; throws `DecodingError` for one that is no origin.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(NoteError) { try self.init(Array(container.decodeText().utf8)) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension SingleValueDecodingContainer {
    /// A text; one that is none is taken for an empty one, which nothing here accepts.
    func decodeText() -> String { (try? decode(String.self)) ?? "" }
}
