/// Pays the leaves of a settlement: what a claim becomes where the money is. There are three: ``CreditRail``, the market's own book;
/// ``AccountRail``, accounts at a bank or a card processor, of which nothing but a recording fake exists here; and the escrow of a chain, in
/// `ChainRail`.
///
/// A rail moves nothing itself. It says what moves the money, the same for the same claim, under a name by which whoever carries it out does it
/// once, however often it is told.
public protocol PayoutRail: Sendable {
    /// What pays a claim.
    associatedtype Instruction: Sendable
    /// What a ``Settlement`` is bound to that is paid by this rail, at most 256 bytes: its leaves are worth nothing on another.
    var binding: [UInt8] { get }
    /// What pays the claim; whether it leads to the settlement's root is for whoever carries it out.
    ///
    /// - Throws: ``PayoutRefusal`` where the rail has no way to the party.
    func instruction(for claim: Claim) throws(PayoutRefusal) -> Instruction
}

/// Why a rail does not pay a claim.
public enum PayoutRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nobody said where the party is paid.
    case noDestination(PartyName)
    /// The leaf is not one of the settlement that the rail pays.
    case otherSettlement(index: Int)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .noDestination(let party):
            "\(party) has no address or account on this rail: expected one before settlement"
        case .otherSettlement(let index):
            "leaf \(index) is not in the settlement that this rail pays: expected one of its claims"
        }
    }
}

/// Internal credits: a movement of the book. Done once, since the task notes which leaves are paid.
public struct CreditRail: PayoutRail {
    /// From where it is paid.
    public let payable: AccountName

    /// The rail that pays from a task's account.
    public init(payable: AccountName) { self.payable = payable }

    /// Nothing: a settlement is the market's by itself.
    public var binding: [UInt8] { [] }

    /// The movement to the party's account.
    public func instruction(for claim: Claim) -> [BookStep] {
        var steps: [BookStep] = []
        steps.move(claim.leaf.amount, from: payable, to: Market.account(of: claim.leaf.party))
        return steps
    }
}

/// Accounts at a bank or a card processor. **An interface: no bank or processor was ever connected.** ``RecordedTransfers`` takes its
/// instructions in tests and pays nobody.
public struct AccountRail: PayoutRail {
    /// What an institution is told.
    public struct Transfer: Sendable, Hashable {
        /// Under which the institution does it once (its "idempotency key"): the leaf's digest.
        public let key: Digest256
        /// Where to, as the institution names it: a token, never a card's or an account's number.
        public let destination: String
        /// In the currency's minor units.
        public let amount: Int64
        /// By ISO 4217.
        public let currency: String
    }

    /// The institution and the merchant's account there: what settlements are bound to.
    public let merchant: String
    /// By ISO 4217.
    public let currency: String
    private let destinations: [PartyName: String]

    /// The rail of a merchant's account.
    public init(merchant: String, currency: String, destinations: [PartyName: String]) {
        self.merchant = merchant
        self.currency = currency
        self.destinations = destinations
    }

    /// SHA-256 of the merchant's account and the currency.
    public var binding: [UInt8] {
        var bytes = CanonicalBytes("account-rail")
        bytes.append(merchant)
        bytes.append(currency)
        return bytes.digest.bytes
    }

    /// The transfer.
    public func instruction(for claim: Claim) throws(PayoutRefusal) -> Transfer {
        guard let destination = destinations[claim.leaf.party] else { throw .noDestination(claim.leaf.party) }
        return Transfer(
            key: .sha256(claim.leaf.bytes), destination: destination, amount: claim.leaf.amount, currency: currency)
    }
}

/// A fake institution: it records what it was told, once a key, and pays nobody.
public struct RecordedTransfers: Sendable {
    /// By key.
    public private(set) var transfers: [Digest256: AccountRail.Transfer] = [:]

    /// It was told nothing yet.
    public init() {}

    /// Takes a transfer; false where its key stands for another one, as institutions refuse it.
    public mutating func take(_ transfer: AccountRail.Transfer) -> Bool {
        guard let known = transfers[transfer.key] else {
            transfers[transfer.key] = transfer
            return true
        }
        return known == transfer
    }
}
