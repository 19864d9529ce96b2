/// A transaction with a priority fee (EIP-1559), of type 2 (EIP-2718), without an access list. Wei, gas and counts.
public struct ChainTransaction: Sendable, Hashable {
    /// Which chain: a signature is worth nothing on another (EIP-155).
    public var chain: UInt64
    /// The sender's count of transactions.
    public var nonce: UInt64
    /// What a unit of gas may cost at the most, and of that for whoever includes it.
    public var maximumFee: UInt128, priorityFee: UInt128
    /// The most gas.
    public var gas: UInt64
    /// To whom; nil makes a contract.
    public var to: ChainAddress?
    /// What is sent.
    public var value: UInt128
    /// The call.
    public var data: [UInt8]

    /// The transaction.
    public init(
        chain: UInt64, nonce: UInt64, maximumFee: UInt128, priorityFee: UInt128, gas: UInt64, to: ChainAddress?,
        value: UInt128, data: [UInt8]
    ) {
        self.chain = chain
        self.nonce = nonce
        self.maximumFee = maximumFee
        self.priorityFee = priorityFee
        self.gas = gas
        self.to = to
        self.value = value
        self.data = data
    }

    private var fields: [RLP] {
        [
            .number(UInt128(chain)), .number(UInt128(nonce)), .number(priorityFee), .number(maximumFee),
            .number(UInt128(gas)), .bytes(to?.bytes ?? []), .number(value), .bytes(data), .list([]),
        ]
    }

    /// What is signed: Keccak-256 of 0x02 and the fields.
    public var signingHash: Digest256 { Keccak256.hash([2] + RLP.list(fields).encoded) }

    /// What is sent: 0x02, the fields and the signature.
    public func encoded(with signature: ChainSignature) -> [UInt8] {
        [2]
            + RLP.list(fields + [.number(signature.isOdd ? 1 : 0), Self.number(signature.r), Self.number(signature.s)])
            .encoded
    }

    /// The name of what is sent.
    public func hash(with signature: ChainSignature) -> Digest256 { Keccak256.hash(encoded(with: signature)) }

    private static func number(_ word: Digest256) -> RLP { .bytes(Array(word.bytes.drop { $0 == 0 })) }
}

/// An ECDSA signature over secp256k1, whose s is at most half of the group's order (EIP-2).
public struct ChainSignature: Sendable, Hashable {
    /// Whether the y coordinate of the signature's point is odd.
    public let isOdd: Bool
    /// The two numbers, big-endian.
    public let r: Digest256, s: Digest256
    private static let half = Digest256(hex: "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
    private static let order = Digest256(hex: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")

    /// The signature; nil where a number is zero, r not below the order, or s above half of it.
    public init?(isOdd: Bool, r: Digest256, s: Digest256) {
        guard let half = Self.half, let order = Self.order, let zero = Digest256([UInt8](repeating: 0, count: 32)),
            r > zero, s > zero, r < order, s <= half
        else { return nil }
        self.isOdd = isOdd
        self.r = r
        self.s = s
    }
}
