internal import Foundation
public import Marketplace
public import TransparencyLog

/// What a market was made with, as it stands in its folder: who reads it knows under which keys the rest is verified. The log of entries begins with its digest, and the
/// checkpoint's origin holds the market's name.
public struct MarketDescription: Sendable, Hashable, Codable {
    /// The market's random name.
    public let market: Digest256
    /// Who operates it.
    public let operatorName: PartyName
    /// Under which entries of the operator and checkpoints are signed.
    public let operatorKey: PartyKey
    /// How reputation decides admission and deposits.
    public let policy: DepositPolicy

    private enum CodingKeys: String, CodingKey {
        case market, policy
        case operatorName = "operator"
        case operatorKey = "operator_key"
    }

    /// The longest description, in bytes.
    static let mostBytes = 4_096

    init(market: Digest256, operatorName: PartyName, operatorKey: PartyKey, policy: DepositPolicy) {
        self.market = market
        self.operatorName = operatorName
        self.operatorKey = operatorKey
        self.policy = policy
    }

    /// The market without entries.
    public var beginning: Market {
        Market(id: market, operatorName: operatorName, operatorKey: operatorKey, policy: policy)
    }

    /// The transparency log of its entries.
    public var log: LogIdentity {
        get throws { try LogIdentity(market: market, operatorKey: operatorKey) }
    }

    var bytes: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            return try [UInt8](encoder.encode(self)) + [0x0A]
        }
    }

    /// Reads a `market.json`.
    ///
    /// - Parameter file: Where it is, for the error.
    /// - Throws: ``MarketFolderError``.
    public init(reading bytes: [UInt8], file: String) throws(MarketFolderError) {
        guard bytes.count <= Self.mostBytes,
            let description = try? JSONDecoder().decode(MarketDescription.self, from: Data(bytes)),
            DepositPolicy(
                detectionMillionths: description.policy.detectionMillionths,
                leastExpectation: description.policy.leastExpectation) != nil
        else { throw .malformed(file, expected: "a market's name, operator, key and policy, as it was made with") }
        self = description
    }
}

/// The platform's private key: it signs entries of the market's operator, and checkpoints of the market's log. The two have no bytes in common: an entry begins with the length of its
/// label, a checkpoint with the log's name. Never printed.
public struct PlatformKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Signs entries.
    public let signer: PartySigner
    private let seed: [UInt8]

    /// The key of these 32 secret bytes; nil for any other number of bytes.
    public init?(seed: [UInt8]) {
        guard let signer = PartySigner(seed: seed) else { return nil }
        self.signer = signer
        self.seed = seed
    }

    /// A fresh key, of the operating system's randomness.
    public static func generate() -> PlatformKey {
        guard let key = PlatformKey(seed: Digest256.fresh().bytes) else { preconditionFailure("32 bytes are a key") }
        return key
    }

    func signing(_ description: MarketDescription) throws -> NoteSigner {
        try SigningKey(name: KeyName("parley.market/\(description.market)"), kind: .ed25519, seed: seed).signer
    }

    /// The public key alone.
    public var description: String { "PlatformKey(\(signer.publicKey))" }
    /// The public key alone.
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": signer.publicKey]) }
}
