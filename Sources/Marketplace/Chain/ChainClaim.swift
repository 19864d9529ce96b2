/// A leaf of a settlement as a contract of a chain pays it: ``ClaimLeaf``'s seven words, of which the first is the contract's domain in place
/// of the label, and the fourth the address that is paid in place of the party's name; in a ``ClaimTree`` of Keccak-256.
///
/// **Threat model.** The contract puts its own domain into the leaf (``ChainContract/domain``), so that a root of another contract or chain is
/// worth nothing in it, whoever accepted it. The settlement's name binds the leaf to its task, terms and verdict, the index to its place, so
/// that it is paid once; the salt keeps amounts from being guessed before they are claimed. Who claims may be anybody: the leaf's own address
/// is paid.
public struct ChainClaim: Sendable, Hashable {
    /// The leaf whose amount is paid.
    public let leaf: ClaimLeaf
    /// Who is paid.
    public let payee: ChainAddress
    /// By which contract.
    public let contract: ChainContract

    /// The claim.
    public init(leaf: ClaimLeaf, payee: ChainAddress, contract: ChainContract) {
        self.leaf = leaf
        self.payee = payee
        self.contract = contract
    }

    /// Seven words of 32 bytes.
    public var bytes: [UInt8] {
        var bytes = leaf.bytes
        bytes.replaceSubrange(0..<32, with: contract.domain.bytes)
        bytes.replaceSubrange(96..<128, with: [UInt8](repeating: 0, count: 12) + payee.bytes)
        return bytes
    }

    /// The tree over these claims; nil where there are none.
    public static func tree(_ claims: [ChainClaim]) -> ClaimTree? {
        ClaimTree(claims.map(\.bytes), hash: { Keccak256.hash($0) })
    }

    /// The first four bytes of a call: Keccak-256 of a function's name and types.
    public static func selector(_ signature: String) -> [UInt8] {
        Array(Keccak256.hash(Array(signature.utf8)).bytes.prefix(4))
    }

    /// The function that ``call(path:)`` calls.
    public static let signature = "claim(bytes32,uint256,address,uint256,uint256,bytes32,bytes32[])"

    /// The call: selector, settlement, index, payee, role, amount, salt, and the path as a dynamic array (Solidity's ABI specification, "Formal
    /// Specification of the Encoding").
    public func call(path: [Digest256]) -> [UInt8] {
        func word(_ number: Int) -> [UInt8] {
            [UInt8](repeating: 0, count: 24) + withUnsafeBytes(of: UInt64(number).bigEndian) { [UInt8]($0) }
        }
        let fixed = Array(bytes[32..<224])
        return Self.selector(Self.signature) + fixed + word(7 * 32) + word(path.count) + path.flatMap(\.bytes)
    }
}
