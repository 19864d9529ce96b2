/// What a party sends to another one in a round of three: masked words, uniformly random to who receives them, or of an output the component that it lacks.
///
/// Its bytes: magic (8), the session's first sixteen bytes, sender (1), receiver (1), zeros (2), the round (4), the number of words (8), and the words; numbers little-endian.
public struct ThreePartyMessage: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// Bytes before the words.
    public static let headerBytes = 40
    static let magic: [UInt8] = Array("PRLY3PC1".utf8)

    /// The first sixteen bytes of the session's digest.
    public let session: [UInt8]
    /// Who sends it.
    public let from: ComputingParty
    /// Who is to get it.
    public let to: ComputingParty
    /// From 0.
    public let round: Int
    /// Modulo 2^64, or bits of 64 elements each.
    public let words: [UInt64]

    init(session: [UInt8], from: ComputingParty, to: ComputingParty, round: Int, words: [UInt64]) {
        (self.session, self.from, self.to, self.round, self.words) = (session, from, to, round, words)
    }

    /// Its bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerBytes + 8 * words.count)
        bytes += Self.magic + session + [UInt8(from.rawValue), UInt8(to.rawValue), 0, 0]
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: round).littleEndian) { bytes.append(contentsOf: $0) }
        append([UInt64(words.count)], to: &bytes)
        append(words, to: &bytes)
        return bytes
    }

    /// Reads a message; nothing is allocated for words before their number is right.
    ///
    /// - Parameter words: How many it must have, as ``ThreePartyMachine/expectedWords(from:)`` says.
    /// - Throws: ``ComputationError/malformed(_:expected:)``.
    public init(bytes: [UInt8], words expected: Int) throws(ComputationError) {
        guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic) else {
            throw .malformed(
                "a message of \(bytes.count) bytes",
                expected: "a header of \(Self.headerBytes) bytes that begins with PRLY3PC1")
        }
        guard let from = ComputingParty(rawValue: Int(bytes[24])), let to = ComputingParty(rawValue: Int(bytes[25])),
            from != to, bytes[26] == 0, bytes[27] == 0
        else {
            throw .malformed("a message's parties", expected: "two of 0, 1 and 2, and two zeros")
        }
        let round = bytes[28..<32].reversed().reduce(0) { $0 << 8 | Int($1) }
        let count = word(bytes, 32)
        guard count == UInt64(expected), bytes.count == Self.headerBytes + 8 * expected else {
            throw .malformed(
                "a message of \(bytes.count) bytes that says \(count) words", expected: "\(expected) words")
        }
        self.init(
            session: Array(bytes[8..<24]), from: from, to: to, round: round,
            words: wordsOf(bytes[...], from: Self.headerBytes, count: expected))
    }

    /// The place in the run alone.
    public var description: String { "ThreePartyMessage(round \(round), \(from) to \(to), \(words.count) words)" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A party's two messages of a round.
public struct ThreePartyMessages: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// To the party behind the sender.
    public let toNext: ThreePartyMessage
    /// To the party before the sender.
    public let toPrevious: ThreePartyMessage

    /// The one for a party.
    public subscript(party: ComputingParty) -> ThreePartyMessage? {
        [toNext, toPrevious].first { $0.to == party }
    }

    /// The place in the run alone.
    public var description: String { "ThreePartyMessages(\(toNext), \(toPrevious))" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
