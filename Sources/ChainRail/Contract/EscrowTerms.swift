public import Marketplace

/// What an escrow is made with, and cannot be changed afterwards: `Contract/Escrow.vy` says what each does.
public struct EscrowTerms: Sendable, Hashable, Codable {
    /// Limits, in one place: the contract's own, and for times what keeps its sums far from overflowing.
    public enum Limit {
        /// The most referees.
        public static let referees = 31
        /// The latest time, and the longest window, in seconds.
        public static let time: UInt64 = 1 << 40
    }

    /// The ERC-20 token that is paid in.
    public var token: ChainAddress
    /// Who gets back what is left.
    public var sponsor: ChainAddress
    /// Who decides, in ascending order, the sponsor not among them.
    public var referees: [ChainAddress]
    /// How many of them have to sign: more than half.
    public var quorum: Int
    /// Until when the first root can stand, in the chain's seconds since 1970.
    public var deadline: UInt64
    /// How long a decision can be replaced by another, in seconds: the challenge window.
    public var window: UInt64
    /// How long what stands can be claimed before the rest goes back, in seconds.
    public var claimPeriod: UInt64
    /// How many of the token's smallest units one minor unit of the settlement is.
    public var unit: UInt128

    /// The terms; ``check()`` says whether a contract can be made with them. Referees are put in order.
    public init(
        token: ChainAddress, sponsor: ChainAddress, referees: [ChainAddress], quorum: Int, deadline: UInt64,
        window: UInt64, claimPeriod: UInt64, unit: UInt128 = 1
    ) {
        self.token = token
        self.sponsor = sponsor
        self.referees = referees.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        self.quorum = quorum
        self.deadline = deadline
        self.window = window
        self.claimPeriod = claimPeriod
        self.unit = unit
    }

    /// Whether a contract can be made with them.
    ///
    /// - Throws: ``EscrowRefusal/terms(_:expected:)``.
    public func check() throws(EscrowRefusal) {
        let zero = ChainAddress([UInt8](repeating: 0, count: 20))
        guard token != zero else { throw .terms("token", expected: "a contract's address, not zero") }
        guard sponsor != zero else { throw .terms("sponsor", expected: "an address, not zero") }
        guard (1...Limit.referees).contains(referees.count) else {
            throw .terms("referees", expected: "1 to \(Limit.referees)")
        }
        let pairs = zip(referees, referees.dropFirst())
        guard pairs.allSatisfy({ $0.bytes.lexicographicallyPrecedes($1.bytes) }) else {
            throw .terms("referees", expected: "different addresses in ascending order")
        }
        guard !referees.contains(sponsor), referees.first != zero else {
            throw .terms("referees", expected: "neither zero nor the sponsor")
        }
        guard quorum <= referees.count, 2 * quorum > referees.count else {
            throw .terms("quorum", expected: "more than half of the referees, at most all")
        }
        guard (1...Limit.time).contains(deadline) else { throw .terms("deadline", expected: "1 to \(Limit.time) s") }
        guard (1...Limit.time).contains(window), (1...Limit.time).contains(claimPeriod) else {
            throw .terms("window and claim period", expected: "1 to \(Limit.time) s")
        }
        guard unit > 0 else { throw .terms("unit", expected: "at least one of the token's units") }
    }

    /// The data of the transaction that makes the contract.
    ///
    /// - Throws: ``EscrowRefusal/terms(_:expected:)``.
    public func creation() throws(EscrowRefusal) -> [UInt8] {
        try check()
        let head =
            CallWords.word(token) + CallWords.word(sponsor) + CallWords.word(UInt64(8 * 32))
            + CallWords.word(UInt64(quorum)) + CallWords.word(deadline) + CallWords.word(window)
            + CallWords.word(claimPeriod) + CallWords.word(unit)
        let list = CallWords.word(UInt64(referees.count)) + referees.flatMap { CallWords.word($0) }
        return ([UInt8](hex: EscrowCode.bytecode) ?? []) + head + list
    }

    /// What a chain has to have as the contract's code if it is an escrow with these terms: all of them but the deadline, which is the first
    /// `closes`.
    public func code(at contract: ChainContract) -> [UInt8] {
        ([UInt8](hex: EscrowCode.runtime) ?? []) + CallWords.word(token) + CallWords.word(sponsor) + court.bytes
            + CallWords.word(window) + CallWords.word(claimPeriod) + CallWords.word(unit) + contract.domain.bytes
    }

    /// The quorum and the referees: Keccak-256 of what came before and the next one, each as a word.
    var court: Digest256 {
        var court = CallWords.word(UInt64(max(0, quorum)))
        for referee in referees { court = Keccak256.hash(court + CallWords.word(referee)).bytes }
        guard let court = Digest256(court) else { preconditionFailure("32 bytes") }
        return court
    }
}

/// Why something is not done with an escrow.
public enum EscrowRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// A field of the terms.
    case terms(String, expected: String)
    /// A decision without enough referees' signatures.
    case approvals(count: Int, quorum: Int)
    /// A signature that is no referee's, or one's second.
    case signature
    /// An amount that no settlement has.
    case amount

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .terms(let field, let expected): "\(field) of the escrow's terms: expected \(expected)"
        case .approvals(let count, let quorum): "\(count) referees signed the decision: expected \(quorum)"
        case .signature: "a signature under the decision: expected those of different referees of the escrow"
        case .amount: "an amount: expected 1 to \(TaskTerms.Limit.amount) minor units"
        }
    }
}
