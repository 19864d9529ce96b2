internal import Secrets

/// 32 bytes that a party expands to masks. Never printed, never sent but by the dealer to its party.
public struct MaskKey: Sendable, CustomStringConvertible, CustomReflectable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(random: inout some RandomNumberGenerator) {
        words = (random.next(), random.next(), random.next(), random.next())
    }

    /// The stream's words: ChaCha20 under this key (RFC 8439), one stream for each use.
    func expanded(stream: Int, count: Int) -> [UInt64] {
        var generator = SeededGenerator(key: words, stream: UInt64(stream))
        return (0..<count).map { _ in generator.next() }
    }

    /// The name alone.
    public var description: String { "MaskKey" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What the dealer gives the sponsor for one owner.
public struct SponsorCorrelation: Sendable, CustomStringConvertible, CustomReflectable {
    let terms: Digest256
    let owner: PartyName
    let key: MaskKey
    /// Her share of the noise, by part.
    let noise: [UInt64]

    /// The owner alone.
    public var description: String { "SponsorCorrelation(owner: \(owner))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What the dealer gives an owner.
public struct OwnerCorrelation: Sendable, CustomStringConvertible, CustomReflectable {
    let terms: Digest256
    let owner: PartyName
    let key: MaskKey
    /// By round and part.
    let corrections: [UInt64]
    /// Her share of the noise, by part.
    let noise: [UInt64]

    /// The owner alone.
    public var description: String { "OwnerCorrelation(owner: \(owner))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// From the sponsor to an owner, in a round: her vectors, one a part, each under a mask that serves once: uniformly random words to who lacks the mask.
public struct MaskedGradients: Sendable, Hashable, Codable {
    /// The terms' digest.
    public let terms: Digest256
    /// For whom.
    public let owner: PartyName
    /// The round, from 0.
    public let round: Int
    /// By part; modulo 2^64.
    public let words: [[UInt64]]
}

/// From an owner to the sponsor, in a round: her update under a mask that serves once: uniformly random words to who lacks the mask.
public struct MaskedUpdate: Sendable, Hashable, Codable {
    /// The terms' digest.
    public let terms: Digest256
    /// Whose.
    public let owner: PartyName
    /// The round, from 0.
    public let round: Int
    /// Modulo 2^64.
    public let words: [UInt64]
}

/// From an owner to the sponsor, at settlement: her share of the totals, which opens them.
public struct OpenedTotals: Sendable, Hashable, Codable, CustomStringConvertible, CustomReflectable {
    /// The terms' digest.
    public let terms: Digest256
    /// Whose.
    public let owner: PartyName
    /// Which rounds are in them, ascending.
    public let rounds: [Int]
    /// By part; modulo 2^64.
    public let shares: [UInt64]

    /// The owner alone.
    public var description: String { "OpenedTotals(owner: \(owner))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
