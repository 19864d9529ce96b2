public import Marketplace

/// An escrow on a chain: its calls, as orders for a ``ChainDesk``.
///
/// **Threat model.** Sponsors, payees, referees below a quorum, and whoever sees transactions before they are included, may call anything at
/// any time. The pot leaves by a leaf of a root that a quorum signed for this contract and this chain, to the leaf's address, once a leaf's
/// index; or to the sponsor, when nothing stands at the deadline, or after the claim period. Never does more leave than the contract has: where
/// a root promises more, who claims last has nothing, so referees compute the root again before they sign it. A quorum that colludes decides as
/// it likes; everybody has a window to see it, and nothing but the referees can stop it. A token that is itself malicious, or that its issuer
/// freezes, can keep the money: it is the sponsor's choice and everybody's to look at. A claim is public: it shows an address's amount, which
/// its salt hid before. Block times may be some seconds off.
public struct Escrow: Sendable, Hashable, Codable {
    /// Where it is.
    public let contract: ChainContract
    /// What it was made with.
    public let terms: EscrowTerms

    /// The escrow that is, or will be, there; whether it is, ``EscrowTerms/code(at:)`` tells.
    public init(contract: ChainContract, terms: EscrowTerms) {
        self.contract = contract
        self.terms = terms
    }

    /// What a contract's root is when nothing stands.
    public static let nothing: Digest256 = {
        guard let nothing = Digest256(CallWords.word(UInt64(1))) else { preconditionFailure("32 bytes") }
        return nothing
    }()

    /// How much gas each call may use: twice what was measured with a token that does nothing besides, so that one that does more has room.
    public enum Gas {
        /// Of each.
        public static let creation: UInt64 = 1_500_000, payment: UInt64 = 120_000, decision: UInt64 = 500_000
        /// Of each.
        public static let claim: UInt64 = 250_000, refund: UInt64 = 150_000
    }

    /// Makes the contract.
    ///
    /// - Throws: ``EscrowRefusal/terms(_:expected:)``.
    public static func creation(_ terms: EscrowTerms) throws(EscrowRefusal) -> ChainOrder {
        ChainOrder("create escrow", to: nil, data: try terms.creation(), gas: Gas.creation)
    }

    /// Where a contract comes to be that an account makes by its transaction of this number (Yellow Paper, section 7).
    public static func address(createdBy account: ChainAddress, nonce: UInt64) -> ChainAddress {
        let name = RLP.list([.bytes(account.bytes), .number(UInt128(nonce))]).encoded
        guard let address = ChainAddress(Array(Keccak256.hash(name).bytes.suffix(20))) else {
            preconditionFailure("20 bytes")
        }
        return address
    }

    /// Pays a task's pot into the escrow, by the token's own transfer, from the account whose desk does it.
    ///
    /// - Parameter amount: In minor units.
    /// - Throws: ``EscrowRefusal/amount``.
    public func funding(_ amount: Int64) throws(EscrowRefusal) -> ChainOrder {
        guard (1...TaskTerms.Limit.amount).contains(amount) else { throw .amount }
        let (units, isTooMuch) = terms.unit.multipliedReportingOverflow(by: UInt128(amount))
        guard !isTooMuch else { throw .amount }
        return ChainOrder(
            "fund", to: terms.token,
            data: CallWords.call(
                "transfer(address,uint256)", CallWords.word(contract.address) + CallWords.word(units)),
            gas: Gas.payment)
    }

    /// Lets what the referees decided stand.
    ///
    /// - Throws: ``EscrowRefusal`` where the signatures are not a quorum's.
    public func order(_ decision: EscrowDecision, signed signatures: [ChainSignature]) throws(EscrowRefusal)
        -> ChainOrder
    {
        var bySigner: [ChainAddress: ChainSignature] = [:]
        for signature in signatures {
            guard let signer = signature.signer(of: decision.hash), terms.referees.contains(signer),
                bySigner.updateValue(signature, forKey: signer) == nil
            else { throw .signature }
        }
        guard bySigner.count >= terms.quorum else {
            throw .approvals(count: bySigner.count, quorum: terms.quorum)
        }
        let seats = terms.referees.flatMap { referee in
            CallWords.word(referee)
                + (bySigner[referee].map { CallWords.word(UInt64($0.isOdd ? 28 : 27)) + $0.r.bytes + $0.s.bytes }
                    ?? [UInt8](repeating: 0, count: 96))
        }
        let words =
            decision.root.bytes + CallWords.word(UInt64(terms.quorum)) + CallWords.word(UInt64(3 * 32))
            + CallWords.word(UInt64(terms.referees.count)) + seats
        return ChainOrder(
            "decide", to: contract.address,
            data: CallWords.call("decide(bytes32,uint256,(address,uint256,uint256,uint256)[])", words),
            gas: Gas.decision)
    }

    /// Pays a leaf.
    public func claim(_ claim: ChainClaim, path: [Digest256]) -> ChainOrder {
        ChainOrder("claim", to: contract.address, data: claim.call(path: path), gas: Gas.claim)
    }

    /// Gives the sponsor what is left. Each has a number, since it can be asked for again.
    public func refund(_ number: Int = 1) -> ChainOrder {
        ChainOrder("refund \(number)", to: contract.address, data: CallWords.call("refund()"), gas: Gas.refund)
    }
}

/// What referees sign: what stood, until when that could be changed, and what is to stand. It is of use once, in one contract.
public struct EscrowDecision: Sendable, Hashable {
    /// Of which escrow.
    public let contract: ChainContract
    /// The contract's `root` and `closes` before.
    public let before: Digest256, closes: UInt64
    /// What is to stand: a root of ``ChainClaim/tree(_:)``, or ``Escrow/nothing``.
    public let root: Digest256

    /// The decision.
    public init(contract: ChainContract, before: Digest256, closes: UInt64, root: Digest256) {
        self.contract = contract
        self.before = before
        self.closes = closes
        self.root = root
    }

    /// What is signed: Keccak-256 of four words, of which the first begins as EIP-191's version 0 asks.
    public var hash: Digest256 {
        Keccak256.hash(contract.domain.bytes + before.bytes + CallWords.word(closes) + root.bytes)
    }
}
