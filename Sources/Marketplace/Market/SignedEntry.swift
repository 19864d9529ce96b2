/// What a party asks of a market, under its signature: a line of the journal, and a leaf of the market's transparency log.
///
/// The signature is over who asks what in which market, the party's nonce and, by the operator, the time: an entry is of no use in another market, in another name, or twice,
/// since ``key`` follows from all three and is done once. The clock is the operator's: only its entries have a time, which it signs with them, and others are done at the
/// latest such time.
public struct SignedEntry: Sendable, Hashable {
    /// What is signed.
    public struct Request: Sendable, Hashable {
        /// The market's random name.
        public let market: Digest256
        /// Who asks.
        public let by: PartyName
        /// 32 random bytes.
        public let nonce: Digest256
        /// Of the operator's entries: seconds since the market's epoch.
        public let time: Int64?
        /// What is asked.
        public let action: MarketAction

        /// What is asked; it is checked where it is applied.
        public init(market: Digest256, by: PartyName, nonce: Digest256, time: Int64?, action: MarketAction) {
            self.market = market
            self.by = by
            self.nonce = nonce
            self.time = time
            self.action = action
        }

        var canonical: CanonicalBytes {
            var bytes = CanonicalBytes(SignedEntry.label)
            bytes.append(market)
            bytes.append(by.text)
            bytes.append(nonce)
            bytes.append(time)
            action.append(to: &bytes)
            return bytes
        }

        /// The bytes that are signed: unambiguous, and those of no other protocol.
        public var signedBytes: [UInt8] { canonical.bytes }
    }

    static let label = "signed-entry"
    /// Bytes of a signature.
    public static let signatureCount = 64
    /// The longest entry, in bytes: a leaf of a transparency log is no longer.
    public static let mostBytes = 65_535

    /// What is asked.
    public let request: Request
    /// Ed25519, 64 bytes.
    public let signature: [UInt8]
    /// Names the entry, and of a draft the task: a digest of market, party and nonce, so that nobody can take another's.
    public let key: Digest256

    /// An entry as it is said to be signed: that it is, ``Market/admit(_:)`` finds out.
    public init(_ request: Request, signature: [UInt8]) {
        self.request = request
        self.signature = signature
        key = Self.key(market: request.market, by: request.by, nonce: request.nonce)
    }

    /// Whether it is signed under a key: that the key is the party's, whoever asks must know.
    public func isSigned(under key: PartyKey) -> Bool { key.verifies(signature, of: request.signedBytes) }

    /// The key of an entry, before it is signed: a scientist's commitment names her task by it.
    public static func key(market: Digest256, by party: PartyName, nonce: Digest256) -> Digest256 {
        var bytes = CanonicalBytes("entry-key")
        bytes.append(market)
        bytes.append(party.text)
        bytes.append(nonce)
        return bytes.digest
    }
}

extension SignedEntry: JournalEntry {
    /// The operator's time.
    public var journalTime: Int64? { request.time }
    /// Whether it gives somebody a key.
    public var changesAdmission: Bool {
        switch request.action {
        case .register, .rotate: true
        case .clock, .credit, .withdraw, .draft, .task: false
        }
    }

    /// What is signed, and the signature.
    public var journalBytes: [UInt8] {
        var bytes = request.canonical
        bytes.append(signature)
        return bytes.bytes
    }

    /// The entry of these bytes.
    ///
    /// - Throws: ``MalformedEntry``.
    public init(journalBytes: [UInt8]) throws(MalformedEntry) {
        var reader = try CanonicalReader(journalBytes, label: Self.label)
        let market = try reader.digest()
        let by = try reader.party()
        let nonce = try reader.digest()
        let time = try reader.optional()
        // No list has more elements than the entry has bytes.
        let action = try MarketAction(reading: &reader, mostElements: journalBytes.count)
        let signature = try reader.data(atMost: Self.signatureCount)
        guard signature.count == Self.signatureCount else {
            throw reader.malformed("a signature of \(Self.signatureCount) bytes")
        }
        try reader.end()
        self.init(
            Request(market: market, by: by, nonce: nonce, time: time, action: action), signature: signature)
        guard self.journalBytes == journalBytes else { throw reader.malformed("the canonical form of an entry") }
    }
}

/// An entry whose signature a market has verified: made by ``Market/admit(_:)`` alone, of use to that market.
public struct AdmittedEntry: Sendable {
    /// The entry.
    public let entry: SignedEntry

    init(_ entry: SignedEntry) { self.entry = entry }
}

/// Why an entry is none of a market's: it is not kept, and changes nothing.
public enum AdmissionRefusal: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// It was signed for another market.
    case otherMarket(Digest256)
    /// Nobody of that name is registered.
    case unknownParty(PartyName)
    /// It is not signed by the party in whose name it asks.
    case signature(PartyName)
    /// The operator's entries have a time, and nobody else's.
    case time(PartyName)
    /// It has too many bytes.
    case tooLong(Int)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .otherMarket(let market): "the entry is signed for market \(market): expected this market's name"
        case .unknownParty(let party): "\(party) is not registered: expected a party whose key the operator registered"
        case .signature(let party): "the signature is not \(party)'s: expected one under the key that it registered"
        case .time(let party): "\(party)'s entry: expected a time in entries of the operator, and in no other"
        case .tooLong(let count): "an entry of \(count) bytes: expected at most \(SignedEntry.mostBytes)"
        }
    }
}
