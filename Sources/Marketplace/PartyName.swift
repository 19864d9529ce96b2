/// The name of a party of the market: 1 to 64 lower-case letters, digits, `-`, `_` and `.`, a letter or digit first, so that it is safe in terminals, pictures and names of accounts.
public struct PartyName: Sendable, Hashable, Comparable {
    /// The name.
    public let text: String

    /// The name; nil where it has other characters, none, or more than 64.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed),
            let first = text.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-"),
            first != UInt8(ascii: "_")
        else { return nil }
        self.text = text
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// In the order of the bytes.
    public static func < (a: PartyName, b: PartyName) -> Bool { a.text < b.text }
}

extension PartyName: CustomStringConvertible {
    /// The name.
    public var description: String { text }
}

extension PartyName: Codable, CodingKeyRepresentable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// As a key of an object.
    public var codingKey: any CodingKey { Key(stringValue: text) }

    /// Reads a key of an object; nil where it is no name.
    public init?<T: CodingKey>(codingKey: T) { self.init(codingKey.stringValue) }

    /// Reads a name; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = PartyName(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 1 to 64 of a-z, 0-9, '-', '_' and '.'")
        }
        self = name
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
