public import Marketplace

/// Why orders do not go on, or slowly.
public enum ChainTrouble: Sendable, Hashable, CustomStringConvertible {
    /// The node is one of another chain: nothing is signed.
    case otherChain(UInt64, expected: UInt64)
    /// A number of the account was taken by a transaction that the desk did not sign: the order was not done, and will not be.
    case numberIsTaken(Digest256, nonce: UInt64)
    /// More transactions of the account are on the chain than the desk signed.
    case accountIsUsed
    /// The key signs wrongly, or is another's.
    case key(ChainKeyError)
    /// The account cannot pay for gas.
    case funds
    /// The chain asks for more than the policy allows, in wei for a unit of gas.
    case feeLimit(UInt64)
    /// Answers are missing, or are none.
    case answers
    /// What a node said.
    case node(String)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .otherChain(let chain, let expected): "the node is of chain \(chain): expected chain \(expected)"
        case .numberIsTaken(let order, let nonce):
            "transaction \(nonce) of the account is not order \(order.hex.prefix(8))'s: expected an account of this desk alone"
        case .accountIsUsed:
            "the account has transactions that were not made here: expected an account of this desk alone"
        case .key(let error): error.description
        case .funds: "the account cannot pay for gas: expected coins of the chain"
        case .feeLimit(let most): "gas costs more than the limit of \(most) wei: expected a higher limit, or patience"
        case .answers: "the node's answers are missing or malformed: expected those of the execution API"
        case .node(let words): "the node says: \(words)"
        }
    }
}

/// Why a desk does not take an order, or is not made from what was stored.
public enum ChainDeskError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There are as many orders as there may be.
    case tooMany
    /// An order's data are too long.
    case data(Int)
    /// A contract is not there, or not deep enough in the chain: where its creation is. Nil: no order of the desk makes it.
    case notMade(ChainDesk.Progress?)
    /// What was stored is not a desk's, or is damaged.
    case stored(String)
    /// What was stored is another account's.
    case key(ChainKeyError)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .tooMany: "the desk is full: expected at most \(ChainDesk.mostOrders) orders"
        case .data(let count): "an order with \(count) bytes of data: expected at most \(ChainOrder.mostData)"
        case .notMade(.over(.refused)?):
            "the contract was not made, since its creation was refused: expected another one"
        case .notMade(nil): "no order of this desk makes the contract: expected its creation"
        case .notMade:
            "the contract is not made yet: expected that its creation is done, in a block that is deep enough"
        case .stored(let expected): "what was stored is no desk: expected \(expected)"
        case .key(let error): error.description
        }
    }
}
