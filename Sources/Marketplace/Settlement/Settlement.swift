/// What everybody has of a task, bound into one root: internal credits are paid from it, and a contract on a chain can be.
///
/// **Threat model.** A leaf is worth what it says to its party alone, once: the index is in it, and whoever pays notes which were paid. It is of no use in another task, under
/// other terms or another verdict, or with another rail, since ``id`` is made of all of these. Who has the root and no salt learns nobody's amount; who has the seed
/// learns all, so that it stays with the market.
public struct Settlement: Sendable, Hashable, Codable {
    /// The name that is in each leaf.
    public let id: Digest256
    /// By leaf.
    public let payouts: [Payout]
    /// The Merkle root over the leaves.
    public let root: Digest256
    private let seed: Salt

    /// The settlement of these payouts, one leaf each.
    ///
    /// - Parameters:
    ///   - basis: A digest of what the payouts follow from: task, terms, ending and verdict.
    ///   - seed: 32 secret random bytes, of which the salts are made.
    ///   - binding: What the rail that pays is known by: of a contract its chain and address; at most 256 bytes.
    /// - Throws: `value` where there is no payout, or the binding is too long.
    public init(
        basis: Digest256, payouts: [Payout], seed: Salt, binding: [UInt8]
    ) throws(MarketRefusal) {
        guard binding.count <= 256 else { throw .value("binding", expected: "at most 256 bytes") }
        var bytes = CanonicalBytes("settlement")
        bytes.append(basis)
        bytes.append(binding)
        let id = bytes.digest
        let leaves = payouts.indices.map { Self.leaf($0, of: payouts, id: id, seed: seed).bytes }
        guard let tree = ClaimTree(leaves) else { throw .value("payouts", expected: "at least one") }
        self.id = id
        self.payouts = payouts
        self.seed = seed
        root = tree.root
    }

    private static func leaf(_ index: Int, of payouts: [Payout], id: Digest256, seed: Salt) -> ClaimLeaf {
        let payout = payouts[index]
        return ClaimLeaf(
            settlement: id, index: index, party: payout.party, role: payout.role, amount: payout.amount,
            salt: seed.derived(index))
    }

    /// The claims of all payouts, by leaf: each is for its party's eyes.
    public var claims: [Claim] {
        let leaves = payouts.indices.map { Self.leaf($0, of: payouts, id: id, seed: seed) }
        guard let tree = ClaimTree(leaves.map(\.bytes)) else { return [] }
        return leaves.map { Claim(leaf: $0, path: tree.path(of: $0.index) ?? []) }
    }
}
