public import Marketplace

/// What is to be done on a chain, once: a transaction before it has a number, fees and a signature. It sends no coins of the chain.
public struct ChainOrder: Sendable, Hashable, Codable {
    /// Keccak-256 of everything else: who asks for the same again asks for nothing new.
    public let name: Digest256
    /// What it is, in words.
    public let purpose: String
    /// Which contract is called; nil: one is made.
    public let to: ChainAddress?
    /// The call, or the code and arguments of what is made.
    public let data: [UInt8]
    /// The most gas that it may use.
    public let gas: UInt64

    /// The most bytes of data (EIP-3860 allows 49,152 to make a contract).
    public static let mostData = 65_536

    /// The order. Where the same is to be done twice, the purposes differ.
    public init(_ purpose: String, to: ChainAddress?, data: [UInt8], gas: UInt64) {
        self.purpose = purpose
        self.to = to
        self.data = data
        self.gas = gas
        name = Self.name(purpose, to: to, data: data, gas: gas)
    }

    private static func name(_ purpose: String, to: ChainAddress?, data: [UInt8], gas: UInt64) -> Digest256 {
        Keccak256.hash(
            RLP.list([
                .bytes(Array(purpose.utf8)), .bytes(to?.bytes ?? []), .bytes(data), .number(UInt128(gas)),
            ]).encoded)
    }

    private enum Key: String, CodingKey {
        case purpose, to, data, gas
    }

    /// Reads it; the name follows from the rest.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let text = try container.decode(String.self, forKey: .data)
        guard text.hasPrefix("0x"), let data = [UInt8](hex: text.dropFirst(2)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .data, in: container, debugDescription: "expected 0x and hexadecimal digits")
        }
        self.init(
            try container.decode(String.self, forKey: .purpose),
            to: try container.decodeIfPresent(ChainAddress.self, forKey: .to), data: data,
            gas: try container.decode(UInt64.self, forKey: .gas))
    }

    /// Writes all but the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(purpose, forKey: .purpose)
        try container.encodeIfPresent(to, forKey: .to)
        try container.encode(data.hexadecimal, forKey: .data)
        try container.encode(gas, forKey: .gas)
    }
}
