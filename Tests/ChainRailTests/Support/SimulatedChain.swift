import Foundation
import Marketplace
import Secrets

@testable import ChainRail

/// A chain in memory with an ERC-20 token and escrows, as `Escrow.vy` says them, and a node that answers for it: blocks are made, taken back
/// and lost, and answers go astray as a seed says.
struct SimulatedChain {
    static let number: UInt64 = 31_337
    static let token = Escrow.address(createdBy: ChainKey.tokenMaker, nonce: 0)
    static let secondsEach: UInt64 = 12

    struct Transaction {
        let hash: Digest256
        let sender: ChainAddress
        let nonce: UInt64
        let maximumFee: UInt128, priorityFee: UInt128
        let to: ChainAddress?
        let data: [UInt8]
    }

    struct Held {
        var terms: Words
        var root = Escrow.nothing
        var closes: UInt64
        var paid: Set<UInt64> = []
    }

    /// What the constructor was given, as words.
    struct Words {
        let sponsor: ChainAddress, referees: [ChainAddress], quorum: Int
        let window: UInt64, claimPeriod: UInt64
    }

    struct State {
        var nonces: [ChainAddress: UInt64] = [:]
        var balances: [ChainAddress: UInt64] = [:]
        var escrows: [ChainAddress: Held] = [:]
        var receipts: [Digest256: (block: UInt64, isDone: Bool)] = [:]
    }

    struct Block {
        let hash: Digest256
        let time: UInt64
        let state: State
        let transactions: [Transaction]
    }

    private(set) var blocks: [Block]
    /// By sender and number: the one with the highest fees.
    private(set) var pool: [ChainAddress: [UInt64: Transaction]] = [:]
    var baseFee: UInt64 = 1_000_000_000
    var coinless: Set<ChainAddress> = []
    /// All that was ever sent, by sender and number: what it was for. More than one is a second payment in waiting.
    private(set) var purposes: [ChainAddress: [UInt64: Set<Digest256>]] = [:]
    private var salt: UInt64 = 0
    private var highest: UInt64 = 0

    init(balances: [ChainAddress: UInt64]) {
        var state = State()
        state.balances = balances
        blocks = [Block(hash: .sha256([0]), time: 1_000_000, state: state, transactions: [])]
    }

    var head: Block { blocks[blocks.count - 1] }
    var height: UInt64 { UInt64(blocks.count - 1) }

    // MARK: blocks

    /// Makes a block of what the pool has, where the draw takes it; each sender's in order.
    mutating func mine(seconds: UInt64 = secondsEach, taking isTaken: () -> Bool) {
        var state = head.state
        var included: [Transaction] = []
        let time = head.time + seconds
        for (sender, waiting) in pool.sorted(by: { $0.key.description < $1.key.description }) {
            while let next = waiting[state.nonces[sender, default: 0]], next.maximumFee >= UInt128(baseFee),
                !coinless.contains(sender), isTaken()
            {
                state.apply(next, block: height + 1, time: time)
                included.append(next)
                pool[sender]?[next.nonce] = nil
            }
        }
        salt += 1
        let name = Digest256.sha256(head.hash.bytes + CallWords.word(salt))
        blocks.append(Block(hash: name, time: time, state: state, transactions: included))
        highest = max(highest, height)
    }

    /// Takes blocks back, none that ever was as deep as what is thought final; their transactions are in the pool again, where the draw does
    /// not lose them.
    mutating func reorganise(depth: Int, confirmations: UInt64, losing isLost: () -> Bool) -> Int {
        let depth = min(depth, max(0, blocks.count - 1 - Int(highest - min(highest, confirmations - 1))))
        for _ in 0..<depth {
            for transaction in blocks.removeLast().transactions where !isLost() { insert(transaction) }
        }
        return depth
    }

    mutating func losePool() { pool = [:] }

    private mutating func insert(_ transaction: Transaction) {
        pool[transaction.sender, default: [:]][transaction.nonce] = transaction
    }

    // MARK: the node

    /// The answer to a request.
    func answer(_ request: ChainRequest) -> String {
        let parameters = (try? JSONSerialization.jsonObject(with: Data(request.parameters.utf8))) as? [Any] ?? []
        let texts = parameters.map { $0 as? String ?? "" }
        switch request.method {
        case "eth_chainId": return quoted(Self.number)
        case "eth_getBlockByNumber":
            guard let block = number(texts[0]), block < blocks.count else { return "null" }
            let (hash, time) = (blocks[block].hash.hex, blocks[block].time)
            return
                #"{"number":\#(quoted(UInt64(block))),"hash":"0x\#(hash)","timestamp":\#(quoted(time)),"baseFeePerGas":\#(quoted(baseFee)),"transactions":[]}"#
        case "eth_getTransactionCount":
            guard let block = number(texts[1]), block < blocks.count, let account = ChainAddress(texts[0]) else {
                return "null"
            }
            return quoted(blocks[block].state.nonces[account, default: 0])
        case "eth_getTransactionReceipt":
            guard let hash = Digest256(hex: String(texts[0].dropFirst(2))), let receipt = head.state.receipts[hash]
            else {
                return "null"
            }
            let block = blocks[Int(receipt.block)].hash.hex
            return
                #"{"transactionHash":"\#(texts[0])","blockHash":"0x\#(block)","blockNumber":\#(quoted(receipt.block)),"status":\#(quoted(receipt.isDone ? 1 : 0))}"#
        default: return "null"
        }
    }

    private func number(_ tag: String) -> Int? { tag == "latest" ? blocks.count - 1 : Int(tag.dropFirst(2), radix: 16) }
    private func quoted(_ number: UInt64) -> String { "\"0x" + String(number, radix: 16) + "\"" }

    /// Takes a transaction into the pool; else what a node says.
    mutating func send(_ raw: [UInt8]) -> String? {
        guard let transaction = Transaction(raw, chain: Self.number) else { return "invalid transaction" }
        let purpose = Digest256.sha256((transaction.to?.bytes ?? []) + transaction.data)
        purposes[transaction.sender, default: [:]][transaction.nonce, default: []].insert(purpose)
        if coinless.contains(transaction.sender) { return "insufficient funds for gas * price + value" }
        guard transaction.nonce >= head.state.nonces[transaction.sender, default: 0] else { return "nonce too low" }
        if let there = pool[transaction.sender]?[transaction.nonce] {
            if there.hash == transaction.hash { return "already known" }
            guard transaction.maximumFee * 10 >= there.maximumFee * 11,
                transaction.priorityFee * 10 >= there.priorityFee * 11
            else { return "replacement transaction underpriced" }
        }
        insert(transaction)
        return nil
    }
}

extension ChainKey {
    static var tokenMaker: ChainAddress { ChainAddress([UInt8](repeating: 7, count: 20)) ?? fresh().key.address }
}

extension SimulatedChain.Transaction {
    init?(_ raw: [UInt8], chain: UInt64) {
        guard raw.first == 2, case .list(let fields)? = RLP(Array(raw.dropFirst())), fields.count == 12 else {
            return nil
        }
        let items = fields.map { if case .bytes(let bytes) = $0 { bytes } else { [UInt8]() } }
        func number(_ place: Int) -> UInt128 { items[place].reduce(0) { $0 << 8 | UInt128($1) } }
        func word(_ place: Int) -> Digest256? {
            Digest256([UInt8](repeating: 0, count: max(0, 32 - items[place].count)) + items[place])
        }
        let transaction = ChainTransaction(
            chain: UInt64(number(0)), nonce: UInt64(number(1)), maximumFee: number(3), priorityFee: number(2),
            gas: UInt64(number(4)), to: ChainAddress(items[5]), value: number(6), data: items[7])
        guard transaction.chain == chain, let r = word(10), let s = word(11),
            let signature = ChainSignature(isOdd: number(9) == 1, r: r, s: s),
            let sender = signature.signer(of: transaction.signingHash)
        else { return nil }
        self.init(
            hash: Keccak256.hash(raw), sender: sender, nonce: transaction.nonce, maximumFee: transaction.maximumFee,
            priorityFee: transaction.priorityFee, to: transaction.to, data: transaction.data)
    }
}

extension SimulatedChain.State {
    /// Reads a call's words.
    private struct Reader {
        let data: ArraySlice<UInt8>
        func bytes(_ word: Int) -> [UInt8] { Array(data.dropFirst(4 + 32 * word).prefix(32)) }
        func number(_ word: Int) -> UInt64 { bytes(word).suffix(8).reduce(0) { $0 << 8 | UInt64($1) } }
        func address(_ word: Int) -> ChainAddress? { ChainAddress(Array(bytes(word).suffix(20))) }
        func digest(_ word: Int) -> Digest256? { Digest256(bytes(word)) }
    }

    mutating func apply(_ transaction: SimulatedChain.Transaction, block: UInt64, time: UInt64) {
        let before = self
        let isDone = run(transaction, time: time)
        if !isDone { self = before }
        nonces[transaction.sender, default: 0] += 1
        receipts[transaction.hash] = (block, isDone)
    }

    private mutating func run(_ transaction: SimulatedChain.Transaction, time: UInt64) -> Bool {
        guard let to = transaction.to else { return create(transaction, time: time) }
        let call = Reader(data: transaction.data[...])
        let selector = Array(transaction.data.prefix(4))
        if to == SimulatedChain.token, selector == ChainClaim.selector("transfer(address,uint256)") {
            return call.address(0).map { move(call.number(1), from: transaction.sender, to: $0) } ?? false
        }
        guard var held = escrows[to] else { return false }
        switch selector {
        case ChainClaim.selector(ChainClaim.signature):
            guard let payee = call.address(2), time >= held.closes, held.paid.insert(call.number(1)).inserted,
                leads(call, to: held.root, at: to)
            else { return false }
            escrows[to] = held
            return move(call.number(4), from: to, to: payee)
        case ChainClaim.selector("refund()"):
            guard time >= held.closes + (held.root == Escrow.nothing ? 0 : held.terms.claimPeriod) else { return false }
            return move(balances[to, default: 0], from: to, to: held.terms.sponsor)
        default:
            guard time < held.closes, let root = call.digest(0), approvals(call, held, at: to) >= held.terms.quorum
            else {
                return false
            }
            held.root = root
            held.closes = time + held.terms.window
            escrows[to] = held
            return true
        }
    }

    private mutating func create(_ transaction: SimulatedChain.Transaction, time: UInt64) -> Bool {
        let code = (EscrowCode.bytecode.count / 2)
        guard transaction.data.count > code + 9 * 32 else { return false }
        let call = Reader(data: transaction.data.dropFirst(code - 4))
        let referees = (0..<Int(call.number(8))).compactMap { call.address(9 + $0) }
        guard let sponsor = call.address(1) else { return false }
        let terms = SimulatedChain.Words(
            sponsor: sponsor, referees: referees, quorum: Int(call.number(3)), window: call.number(5),
            claimPeriod: call.number(6))
        let address = Escrow.address(createdBy: transaction.sender, nonce: transaction.nonce)
        escrows[address] = SimulatedChain.Held(terms: terms, closes: call.number(4))
        return call.number(4) > time
    }

    private mutating func move(_ amount: UInt64, from: ChainAddress, to: ChainAddress) -> Bool {
        guard balances[from, default: 0] >= amount else { return false }
        balances[from, default: 0] -= amount
        balances[to, default: 0] += amount
        return true
    }

    private func leads(_ call: Reader, to root: Digest256, at contract: ChainAddress) -> Bool {
        let domain = ChainContract(chain: SimulatedChain.number, address: contract).domain
        let leaf = domain.bytes + (0..<6).flatMap { call.bytes($0) }
        let path = (0..<Int(call.number(7))).compactMap { call.digest(8 + $0) }
        return ClaimTree.verify(leaf, path: path, root: root) { Keccak256.hash($0) }
    }

    private func approvals(_ call: Reader, _ held: SimulatedChain.Held, at contract: ChainAddress) -> Int {
        guard let root = call.digest(0), Int(call.number(1)) == held.terms.quorum else { return 0 }
        let decision = EscrowDecision(
            contract: ChainContract(chain: SimulatedChain.number, address: contract), before: held.root,
            closes: held.closes, root: root)
        return held.terms.referees.indices.count { place in
            let seat = 4 + 4 * place
            guard call.address(seat) == held.terms.referees[place], call.number(seat + 1) != 0,
                let r = call.digest(seat + 2),
                let s = call.digest(seat + 3),
                let signature = ChainSignature(isOdd: call.number(seat + 1) == 28, r: r, s: s)
            else { return false }
            return signature.signer(of: decision.hash) == held.terms.referees[place]
        }
    }
}
