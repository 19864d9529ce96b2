public import Marketplace

/// Pays a settlement out of an escrow: each claim becomes an order for a ``ChainDesk``, whose leaf pays the party's address, whoever's desk it is.
///
/// That an address is the party's is not known here: it is told to whoever makes the settlement, and the referees check it before they sign the
/// root, since the address is in the leaf.
public struct EscrowRail: PayoutRail {
    /// From where it is paid.
    public let escrow: Escrow
    /// What the referees sign, and the contract holds.
    public let root: Digest256
    private let claims: [ChainClaim]
    private let tree: ClaimTree

    /// The rail for all of a settlement's claims.
    ///
    /// - Throws: ``PayoutRefusal/noDestination(_:)``, and ``PayoutRefusal/otherSettlement(index:)`` where claims are not those of one settlement,
    ///   by leaf, at least one.
    public init(
        escrow: Escrow, claims: [Claim], payees: [PartyName: ChainAddress]
    ) throws(PayoutRefusal) {
        var words: [ChainClaim] = []
        for (index, claim) in claims.enumerated() {
            guard claim.leaf.index == index, claim.leaf.settlement == claims[0].leaf.settlement else {
                throw .otherSettlement(index: claim.leaf.index)
            }
            guard let payee = payees[claim.leaf.party] else { throw .noDestination(claim.leaf.party) }
            words.append(ChainClaim(leaf: claim.leaf, payee: payee, contract: escrow.contract))
        }
        guard let tree = ChainClaim.tree(words) else { throw .otherSettlement(index: 0) }
        self.escrow = escrow
        self.claims = words
        self.tree = tree
        root = tree.root
    }

    /// The contract and its chain.
    public var binding: [UInt8] { escrow.contract.binding }

    /// The order that claims the leaf.
    public func instruction(for claim: Claim) throws(PayoutRefusal) -> ChainOrder {
        let index = claim.leaf.index
        guard claims.indices.contains(index), claims[index].leaf == claim.leaf, let path = tree.path(of: index) else {
            throw .otherSettlement(index: index)
        }
        return escrow.claim(claims[index], path: path)
    }
}
