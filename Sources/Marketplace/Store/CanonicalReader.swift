/// Reads what ``CanonicalBytes`` wrote. Each list and text says how long it may be, so that hostile bytes cost no more than their own length.
struct CanonicalReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// Begins behind the label.
    ///
    /// - Throws: ``MalformedEntry`` where the bytes have another label.
    init(_ bytes: [UInt8], label: String) throws(MalformedEntry) {
        self.bytes = bytes
        let name = CanonicalBytes.domain + label
        guard try text(atMost: name.utf8.count) == name else { throw malformed("the label \(name)") }
    }

    /// What is wrong at this place.
    func malformed(_ expected: String) -> MalformedEntry { MalformedEntry(offset: offset, expected: expected) }

    private mutating func take(_ count: Int) throws(MalformedEntry) -> ArraySlice<UInt8> {
        guard count <= bytes.count - offset else { throw malformed("\(count) more bytes") }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    mutating func integer() throws(MalformedEntry) -> Int64 {
        Int64(bitPattern: try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    mutating func int() throws(MalformedEntry) -> Int { Int(try integer()) }

    /// The number of elements of a list, or of bytes.
    mutating func count(atMost most: Int) throws(MalformedEntry) -> Int {
        let count = try integer()
        guard (0...Int64(most)).contains(count) else { throw malformed("a length of 0 to \(most)") }
        return Int(count)
    }

    mutating func digest() throws(MalformedEntry) -> Digest256 {
        guard let digest = Digest256(try take(Digest256.byteCount)) else { throw malformed("32 bytes") }
        return digest
    }

    mutating func data(atMost most: Int) throws(MalformedEntry) -> [UInt8] {
        [UInt8](try take(try count(atMost: most)))
    }

    mutating func text(atMost most: Int) throws(MalformedEntry) -> String {
        guard let text = String(validating: try take(try count(atMost: most)), as: UTF8.self) else {
            throw malformed("UTF-8")
        }
        return text
    }

    mutating func optional() throws(MalformedEntry) -> Int64? {
        switch try integer() {
        case 0: nil
        case 1: try integer()
        default: throw malformed("0 or 1")
        }
    }

    mutating func list<Element>(
        atMost most: Int, _ each: (inout CanonicalReader) throws(MalformedEntry) -> Element
    ) throws(MalformedEntry) -> [Element] {
        let count = try count(atMost: most)
        var list: [Element] = []
        for _ in 0..<count { list.append(try each(&self)) }
        return list
    }

    mutating func party() throws(MalformedEntry) -> PartyName {
        guard let party = PartyName(try text(atMost: 64)) else { throw malformed("a party's name") }
        return party
    }

    mutating func account() throws(MalformedEntry) -> AccountName {
        guard let account = AccountName(try text(atMost: 160)) else { throw malformed("an account's name") }
        return account
    }

    mutating func score() throws(MalformedEntry) -> Score {
        guard let score = Score(billionths: try integer()) else { throw malformed("a score of at most a million") }
        return score
    }

    mutating func partyKey() throws(MalformedEntry) -> PartyKey {
        guard let key = PartyKey(try digest()) else { throw malformed("an Ed25519 public key") }
        return key
    }

    mutating func salt() throws(MalformedEntry) -> Salt { Salt(try digest()) }

    /// - Throws: ``MalformedEntry`` where bytes are left over.
    func end() throws(MalformedEntry) {
        guard offset == bytes.count else { throw malformed("the end") }
    }
}

/// Bytes that are no entry: where, and what would be right.
public struct MalformedEntry: Error, Sendable, Hashable, CustomStringConvertible {
    /// The place in the entry's bytes.
    public let offset: Int
    /// What would be right there.
    public let expected: String

    /// Where, and what would be right.
    public var description: String { "byte \(offset) of the entry: expected \(expected)" }
}
