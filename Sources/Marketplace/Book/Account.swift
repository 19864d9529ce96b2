/// The name of an account: 1 to 160 letters, digits, `/`, `-`, `_` and `.`.
public struct AccountName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The name.
    public let text: String

    /// The name; nil where it has other characters, none, or more than 160.
    public init?(_ text: String) {
        guard (1...160).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.text = text
    }

    /// A name that is right by its making.
    init(unchecked text: String) { self.text = text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// In the order of the bytes.
    public static func < (a: AccountName, b: AccountName) -> Bool { a.text < b.text }

    /// The name.
    public var description: String { text }

    /// Reads a name; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = AccountName(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 1 to 160 letters, digits, '/', '-', '_' and '.'")
        }
        self = name
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// Whether an account may owe.
public enum AccountRule: String, Sendable, Codable, CaseIterable {
    /// What has been credited, less what has been debited or is held, is never below zero.
    case neverBelowZero
    /// No bound: the world outside, from which money comes and to which it goes.
    case unbounded
}

/// An account and its four sums, each of which only grows but for what is pending (the design of TigerBeetle's accounts). Minor units.
public struct Account: Sendable, Hashable {
    /// Its name.
    public let name: AccountName
    /// Whether it may owe.
    public let rule: AccountRule
    /// What was moved out of it.
    public internal(set) var debitsPosted: Int64 = 0
    /// What was moved into it.
    public internal(set) var creditsPosted: Int64 = 0
    /// What is held to be moved out of it.
    public internal(set) var debitsPending: Int64 = 0
    /// What is held to be moved into it.
    public internal(set) var creditsPending: Int64 = 0

    init(name: AccountName, rule: AccountRule) {
        self.name = name
        self.rule = rule
    }

    /// What has come in less what has gone out. Below zero only where the rule allows it.
    public var balance: Int64 { creditsPosted - debitsPosted }

    /// The balance less what is held: what a transfer can take.
    public var available: Int64 { Int64(clamping: Int128(balance) - Int128(debitsPending)) }
}
