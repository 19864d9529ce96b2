/// What a party sends in a round: masked words, uniformly random to who lacks the mask, or its share of an output to whom it is opened.
///
/// Its bytes: magic (8), the session's first sixteen bytes, the party (1), zeros (3), the round (4), the number of words (8), and the words; numbers little-endian.
public struct RoundMessage: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// Bytes before the words.
    public static let headerBytes = 40
    static let magic: [UInt8] = Array("PRLYMPC1".utf8)

    /// The first sixteen bytes of the session's digest.
    public let session: [UInt8]
    /// Who sends it.
    public let party: ComputingParty
    /// From 0.
    public let round: Int
    /// Modulo 2^64.
    public let words: [UInt64]

    init(session: [UInt8], party: ComputingParty, round: Int, words: [UInt64]) {
        (self.session, self.party, self.round, self.words) = (session, party, round, words)
    }

    /// Its bytes.
    public var bytes: [UInt8] {
        var bytes = Self.magic + session + [UInt8(party.rawValue), 0, 0, 0]
        bytes.reserveCapacity(Self.headerBytes + 8 * words.count)
        withUnsafeBytes(of: UInt32(round).littleEndian) { bytes.append(contentsOf: $0) }
        append([UInt64(words.count)], to: &bytes)
        append(words, to: &bytes)
        return bytes
    }

    /// Reads a message; nothing is allocated for words before their number is right.
    ///
    /// - Parameter words: How many it must have, as ``TwoPartyMachine/expectedWords`` says.
    /// - Throws: ``ComputationError/malformed(_:expected:)``.
    public init(bytes: [UInt8], words expected: Int) throws(ComputationError) {
        guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic) else {
            throw .malformed(
                "a message of \(bytes.count) bytes",
                expected: "a header of \(Self.headerBytes) bytes that begins with PRLYMPC1")
        }
        guard let party = ComputingParty(rawValue: Int(bytes[24])), ComputingParty.two.contains(party),
            bytes[25..<28].allSatisfy({ $0 == 0 })
        else {
            throw .malformed("a message's party", expected: "0 or 1 and three zeros")
        }
        let round = bytes[28..<32].reversed().reduce(0) { $0 << 8 | Int($1) }
        let count = word(bytes, 32)
        guard count == UInt64(expected), bytes.count == Self.headerBytes + 8 * expected else {
            throw .malformed(
                "a message of \(bytes.count) bytes that says \(count) words", expected: "\(expected) words")
        }
        self.init(
            session: Array(bytes[8..<24]), party: party, round: round,
            words: wordsOf(bytes[...], from: Self.headerBytes, count: expected))
    }

    /// The place in the run alone.
    public var description: String { "RoundMessage(round \(round), \(party), \(words.count) words)" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
