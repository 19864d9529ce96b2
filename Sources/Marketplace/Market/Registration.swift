/// A newcomer's wish to be registered under a key that she has: it is signed with it, for one market.
public struct Registration: Sendable, Hashable {
    /// In which market.
    public let market: Digest256
    /// Under which name.
    public let party: PartyName
    /// The key that the party acts under from then on.
    public let key: PartyKey
    private let signature: [UInt8]

    init(market: Digest256, party: PartyName, signer: PartySigner) throws {
        (self.market, self.party, key) = (market, party, signer.publicKey)
        signature = try signer.signature(of: Self.signed(market, party, key).bytes)
    }

    /// The longest, in bytes.
    public static let mostBytes = 1_024
    private static let label = "market-registration"

    /// Whether it is signed under its key.
    public var isSigned: Bool { key.verifies(signature, of: Self.signed(market, party, key).bytes) }

    private static func signed(_ market: Digest256, _ party: PartyName, _ key: PartyKey) -> CanonicalBytes {
        var bytes = CanonicalBytes(label)
        bytes.append(market)
        bytes.append(party.text)
        bytes.append(key.value)
        return bytes
    }

    /// What is sent: what is signed, and the signature.
    public var bytes: [UInt8] {
        var bytes = Self.signed(market, party, key)
        bytes.append(signature)
        return bytes.bytes
    }

    /// The registration of these bytes; ``isSigned`` finds out whether it is signed.
    ///
    /// - Throws: ``MalformedEntry``.
    public init(bytes: [UInt8]) throws(MalformedEntry) {
        var reader = try CanonicalReader(bytes, label: Self.label)
        (market, party, key) = (try reader.digest(), try reader.party(), try reader.partyKey())
        signature = try reader.data(atMost: SignedEntry.signatureCount)
        try reader.end()
    }
}
