/// Which contract, on which chain: what leaves and signatures are bound to.
public struct ChainContract: Sendable, Hashable, Codable {
    /// The chain's number (EIP-155).
    public let chain: UInt64
    /// Where the contract is.
    public let address: ChainAddress

    /// The contract; that there is one, nobody looks.
    public init(chain: UInt64, address: ChainAddress) {
        self.chain = chain
        self.address = address
    }

    /// One word: 0x1900 and the address (EIP-191, version 0, "data with intended validator"), then the chain's number in ten bytes. No
    /// transaction begins with 0x19, so that what begins with this word is never signed as one.
    public var domain: Digest256 {
        let number = withUnsafeBytes(of: chain.bigEndian) { [UInt8]($0) }
        guard let domain = Digest256([0x19, 0] + address.bytes + [0, 0] + number) else {
            preconditionFailure("32 bytes")
        }
        return domain
    }

    /// What a ``Settlement`` is bound to, so that its leaves are worth nothing elsewhere.
    public var binding: [UInt8] { domain.bytes }
}
