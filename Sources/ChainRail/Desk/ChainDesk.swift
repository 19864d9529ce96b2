public import Marketplace
internal import Secrets

/// Brings an account's orders onto a chain, each once: a state machine without I/O, which takes a node's answers and a clock, and returns requests.
///
/// The order of number i has the transaction number `firstNonce + i` from its first signature on, and never another. All that is ever signed
/// for it, with higher fees where it is stuck, shares that number, and a chain takes one transaction of a number: so an order is done at most
/// once, whatever a node says, loses or repeats, and whatever the chain takes back. What is signed is stored before it is sent
/// (``turn(at:storing:)``), so that this holds across a crash too.
///
/// **Threat model.** The node may lose, repeat and delay, and lie: on the chain's number (nothing is signed), fees (nothing is signed above the
/// policy's limit), numbers of any size. A node that lies about receipts or the account's count can hold orders up, or have one taken for done
/// that is not; it cannot have one done twice, nor money go elsewhere. Who has to know that money came asks a node of her own. The account
/// belongs to this desk alone: where somebody else signs with its key, the desk stops. Reorganisations of up to ``ChainPolicy/confirmations``
/// blocks less one are expected.
public struct ChainDesk: Sendable {
    /// The most orders of a desk.
    public static let mostOrders = 8_192

    /// Whose transactions they are.
    public var account: ChainAddress { key.address }
    /// On which chain (EIP-155).
    public let chain: UInt64
    /// How it deals with its chain.
    public var policy: ChainPolicy
    /// Why nothing goes on, or slowly, as of the last look. Each look begins anew: nothing is signed in one that shows trouble.
    public var trouble: ChainTrouble? { view.trouble ?? lastTrouble }

    let key: ChainKey
    var firstNonce: UInt64?
    var entries: [Entry] = []
    private var places: [Digest256: Int] = [:]
    private var isStored = true

    private var step = Step.rest(until: .min)
    private var asked: [UInt64: Asked] = [:]
    private var askedAt: Int64 = 0
    /// Begins anywhere, so that an answer to a desk before a crash is not taken for one to this.
    private var nextID = SecureRandom.bytes(4).reduce(0) { $0 << 8 | UInt64($1) } << 20
    private var view = View()
    private var lastTrouble: ChainTrouble?

    /// A desk without orders.
    public init(key: ChainKey, chain: UInt64, policy: ChainPolicy = ChainPolicy()) {
        self.key = key
        self.chain = chain
        self.policy = policy
    }

    /// One order and what was signed for it, the oldest first.
    struct Entry: Sendable {
        let order: ChainOrder
        var signed: [Signed] = []
        var outcome: Outcome?
        /// A node's pool asks for more.
        var isUnderpriced = false
    }

    struct Signed: Sendable {
        let fees: ChainPolicy.Fees
        let time: Int64
        let bytes: [UInt8]
        let signature: ChainSignature
        var hash: Digest256 { Keccak256.hash(bytes) }
    }

    /// What became of an order.
    public enum Outcome: Sendable, Hashable, Codable {
        /// It was done, in the block of this number.
        case done(block: UInt64)
        /// The contract refused it, in the block of this number; it will not be tried again.
        case refused(block: UInt64)
    }

    /// Where an order is.
    public enum Progress: Sendable, Hashable {
        /// Not signed yet.
        case waiting
        /// Sent, with this transaction number, signed so many times.
        case sent(nonce: UInt64, signatures: Int)
        /// Over.
        case over(Outcome)
    }

    /// Adds an order. It is kept from the next turn on; the same again changes nothing.
    ///
    /// - Throws: ``ChainDeskError/tooMany``, ``ChainDeskError/data``, and ``ChainDeskError/notMade(_:)`` where it calls, or names, a contract that an
    ///   order of this desk is to make and that is not there yet: money at an address where nothing came to be is lost.
    public mutating func add(_ order: ChainOrder) throws(ChainDeskError) {
        guard places[order.name] == nil else { return }
        guard entries.count < Self.mostOrders else { throw .tooMany }
        guard order.data.count <= ChainOrder.mostData else { throw .data(order.data.count) }
        for (place, entry) in entries.enumerated() where order.to != nil && entry.order.to == nil {
            if case .done? = entry.outcome { continue }
            guard let made = address(madeAt: place), order.to == made || order.data.contains(made.bytes) else {
                continue
            }
            throw .notMade(progress(of: entry.order))
        }
        insert(Entry(order: order))
        isStored = false
    }

    mutating func insert(_ entry: Entry) {
        places[entry.order.name] = entries.count
        entries.append(entry)
    }

    /// Where an order is; nil where it was never added.
    public func progress(of order: ChainOrder) -> Progress? {
        guard let place = places[order.name] else { return nil }
        if let outcome = entries[place].outcome { return .over(outcome) }
        guard let nonce = nonce(at: place) else { return .waiting }
        return .sent(nonce: nonce, signatures: entries[place].signed.count)
    }

    /// The contract that an order made, in a block that is deep enough. That its code and state are what they should be is for everybody to look
    /// at before anything is paid to it (``EscrowTerms/code(at:)``).
    ///
    /// - Throws: ``ChainDeskError/notMade(_:)`` until then, and where its creation was refused.
    public func contract(madeBy order: ChainOrder) throws(ChainDeskError) -> ChainContract {
        guard order.to == nil, case .over(.done)? = progress(of: order), let place = places[order.name],
            let address = address(madeAt: place)
        else { throw .notMade(order.to == nil ? progress(of: order) : nil) }
        return ChainContract(chain: chain, address: address)
    }

    /// As far as is known: until something was signed, the account's number may still change.
    private func address(madeAt place: Int) -> ChainAddress? {
        firstNonce.map { Escrow.address(createdBy: account, nonce: $0 + UInt64(place)) }
    }

    private func nonce(at place: Int) -> UInt64? {
        entries[place].signed.isEmpty ? nil : firstNonce.map { $0 + UInt64(place) }
    }

    /// Whether every order is over.
    public var isIdle: Bool { entries.allSatisfy { $0.outcome != nil } }

    // MARK: the conversation

    private enum Step {
        /// Nothing is asked before a time.
        case rest(until: Int64)
        /// Which chain it is, and its latest block.
        case head
        /// The account's counts, and what became of what was sent.
        case account
        /// Whether the blocks that seem deep enough are still there.
        case depth
    }

    private enum Asked {
        case chain, head
        case count, countBefore
        case receipt(place: Int, hash: Digest256)
        case block(UInt64)
        case sending(place: Int, hash: Digest256)
    }

    /// What one look at the chain showed.
    private struct View {
        var isRightChain = false
        var head: NodeBlock?
        var count: UInt64?, countBefore: UInt64?
        var receipts: [Int: NodeReceipt] = [:]
        var receiptAnswers = 0
        var hashes: [UInt64: [UInt8]] = [:]
        var trouble: ChainTrouble?
    }

    /// What is to be asked of a node now. Call it again when answers came (``take(_:)``), and at least every few seconds; an answer that does
    /// not come is given up after a while.
    ///
    /// - Parameters:
    ///   - time: Seconds, of a clock that may stand still and jump: nothing but patience depends on it.
    ///   - store: Keeps the bytes durable in place of those before, and returns when they are. Called before requests are given out whose
    ///     bytes are not stored yet.
    /// - Throws: What `store` throws: then nothing is asked, and the desk is as before.
    public mutating func turn<Failure: Error>(
        at time: Int64, storing store: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) -> [ChainRequest] {
        let before = self
        let requests = requests(at: time)
        if !isStored {
            do throws(Failure) { try store(stored) } catch {
                self = before
                throw error
            }
            isStored = true
        }
        return requests
    }

    private mutating func requests(at time: Int64) -> [ChainRequest] {
        if !asked.isEmpty {
            guard isLater(time, than: askedAt, by: policy.patience) else { return [] }
            asked = [:]
            view.trouble = view.trouble ?? .answers
            step = .rest(until: time)
        }
        askedAt = time
        switch step {
        case .rest(let until):
            guard time >= until || isLater(until, than: time, by: policy.interval + 1), !isIdle else { return [] }
            lastTrouble = view.trouble
            view = View()
            step = .head
            return [ask(.chain) { .chain(id: $0) }, ask(.head) { .block(nil, id: $0) }]
        case .head:
            guard view.isRightChain, let head = view.head else { return giveUp(at: time) }
            step = .account
            return askAccount(head: head.number.value)
        case .account:
            guard view.receiptAnswers == sentPlaces.reduce(0, { $0 + entries[$1].signed.count }) else {
                return giveUp(at: time)
            }
            step = .depth
            let blocks = askDepth()
            return blocks.isEmpty ? act(at: time) : blocks
        case .depth: return act(at: time)
        }
    }

    /// Whether so many seconds passed, without ever overflowing.
    private func isLater(_ time: Int64, than earlier: Int64, by seconds: Int64) -> Bool {
        let (passed, overflow) = time.subtractingReportingOverflow(earlier)
        return overflow ? time > earlier : passed >= seconds
    }

    private mutating func rest(from time: Int64) {
        step = .rest(until: time.addingReportingOverflow(policy.interval).partialValue)
    }

    private mutating func giveUp(at time: Int64) -> [ChainRequest] {
        view.trouble = view.trouble ?? .answers
        rest(from: time)
        return []
    }

    private mutating func ask(_ what: Asked, _ request: (UInt64) -> ChainRequest) -> ChainRequest {
        defer { nextID += 1 }
        asked[nextID] = what
        return request(nextID)
    }

    /// The orders that are on their way.
    private var sentPlaces: [Int] {
        entries.indices.filter { entries[$0].outcome == nil && !entries[$0].signed.isEmpty }
    }

    private mutating func askAccount(head: UInt64) -> [ChainRequest] {
        let account = account
        var requests = [ask(.count) { .count(of: account, at: nil, id: $0) }]
        if head >= policy.confirmations {
            let block = head - policy.confirmations
            requests.append(ask(.countBefore) { .count(of: account, at: block, id: $0) })
        }
        for place in sentPlaces {
            for hash in entries[place].signed.map(\.hash) {
                requests.append(ask(.receipt(place: place, hash: hash)) { .receipt(of: hash, id: $0) })
            }
        }
        return requests
    }

    private mutating func askDepth() -> [ChainRequest] {
        let blocks = Set(view.receipts.values.filter(isDeep).map(\.blockNumber.value))
        guard !blocks.isEmpty else { return [] }
        // The latest block too, which may be another and less high than before.
        return [ask(.head) { .block(nil, id: $0) }]
            + blocks.sorted().map { block in ask(.block(block)) { .block(block, id: $0) } }
    }

    private func isDeep(_ receipt: NodeReceipt) -> Bool {
        guard let head = view.head?.number.value, receipt.blockNumber.value <= head else { return false }
        return head - receipt.blockNumber.value >= policy.confirmations - 1
    }

    // MARK: what follows from a look

    private mutating func act(at time: Int64) -> [ChainRequest] {
        rest(from: time)
        noteWhatIsOver()
        guard let count = view.count, let base = view.head?.baseFeePerGas?.value else {
            view.trouble = .answers
            return []
        }
        guard isAccountOurs(count) else { return [] }
        let missing = sentPlaces.filter { view.receipts[$0] == nil }
        do throws(ChainKeyError) {
            // What comes after the first that is missing waits for it.
            if let first = missing.first { try replace(first, base: base, at: time) }
            try signNext(count: count, base: base, at: time)
        } catch {
            view.trouble = .key(error)
            return []
        }
        let places = sentPlaces.filter { view.receipts[$0] == nil }
        return places.compactMap { place in
            entries[place].signed.last.map { signed in
                ask(.sending(place: place, hash: signed.hash)) { .send(signed.bytes, id: $0) }
            }
        }
    }

    private mutating func noteWhatIsOver() {
        for (place, receipt) in view.receipts where isDeep(receipt) {
            // The block that the receipt names must be the one that is there now.
            guard view.hashes[receipt.blockNumber.value] == receipt.blockHash.bytes else { continue }
            let block = receipt.blockNumber.value
            entries[place].outcome = receipt.status.value == 1 ? .done(block: block) : .refused(block: block)
            isStored = false
        }
    }

    private mutating func isAccountOurs(_ count: UInt64) -> Bool {
        let signed = entries.prefix { !$0.signed.isEmpty }.count
        guard let firstNonce, signed > 0 else {
            guard count <= UInt64.max >> 1 else {
                view.trouble = .answers
                return false
            }
            // Until something is signed, whatever others did before counts.
            self.firstNonce = count
            return true
        }
        let before = view.countBefore ?? 0
        if before > firstNonce + UInt64(signed) {
            view.trouble = .accountIsUsed
            return false
        }
        for place in sentPlaces where view.receipts[place] == nil && before > firstNonce + UInt64(place) {
            view.trouble = .numberIsTaken(entries[place].order.name, nonce: firstNonce + UInt64(place))
            return false
        }
        return true
    }

    private mutating func replace(_ place: Int, base: UInt64, at time: Int64) throws(ChainKeyError) {
        guard let last = entries[place].signed.last else { return }
        let isStuck = isLater(time, than: last.time, by: policy.replaceAfter)
        guard isStuck || entries[place].isUnderpriced else { return }
        guard entries[place].signed.count < policy.mostSignatures, let fees = policy.raised(last.fees, base: base)
        else {
            view.trouble = .feeLimit(policy.mostFee)
            return
        }
        try sign(place, fees, at: time)
    }

    private mutating func signNext(count: UInt64, base: UInt64, at time: Int64) throws(ChainKeyError) {
        guard let firstNonce else { return }
        while let place = entries.firstIndex(where: \.signed.isEmpty), sentPlaces.count < policy.mostAtOnce {
            // Somebody else's transaction would have this number.
            guard count <= firstNonce + UInt64(place) else {
                view.trouble = .accountIsUsed
                return
            }
            guard let fees = policy.fees(base: base) else {
                view.trouble = .feeLimit(policy.mostFee)
                return
            }
            try sign(place, fees, at: time)
        }
    }

    private mutating func sign(_ place: Int, _ fees: ChainPolicy.Fees, at time: Int64) throws(ChainKeyError) {
        let transaction = transaction(at: place, fees)
        let signature = try key.sign(transaction.signingHash)
        entries[place].signed.append(
            Signed(fees: fees, time: time, bytes: transaction.encoded(with: signature), signature: signature))
        entries[place].isUnderpriced = false
        isStored = false
    }

    func transaction(at place: Int, _ fees: ChainPolicy.Fees) -> ChainTransaction {
        let order = entries[place].order
        return ChainTransaction(
            chain: chain, nonce: (firstNonce ?? 0) + UInt64(place), maximumFee: UInt128(fees.maximum),
            priorityFee: UInt128(fees.priority), gas: order.gas, to: order.to, value: 0, data: order.data)
    }

    // MARK: answers

    /// Takes a node's answer. One to a request that is not waited for, an earlier or a repeated one, changes nothing.
    ///
    /// - Throws: ``ChainAnswerError``, for whoever keeps a journal: the desk asks again by itself.
    public mutating func take(_ answer: [UInt8]) throws(ChainAnswerError) {
        guard let what = asked.removeValue(forKey: try ChainAnswer.id(of: answer)) else { return }
        do throws(ChainAnswerError) { try take(answer, to: what) } catch {
            view.trouble = view.trouble ?? .answers
            throw error
        }
    }

    private mutating func take(_ answer: [UInt8], to what: Asked) throws(ChainAnswerError) {
        switch what {
        case .chain:
            let number = try number(in: answer, of: "eth_chainId")
            view.isRightChain = number == chain
            if number != chain { view.trouble = .otherChain(number, expected: chain) }
        case .head: view.head = try block(in: answer)
        case .count: view.count = try number(in: answer, of: "eth_getTransactionCount")
        case .countBefore: view.countBefore = try number(in: answer, of: "eth_getTransactionCount")
        case .block(let number):
            let block = try block(in: answer)
            if block.number.value == number { view.hashes[number] = block.hash.bytes }
        case .receipt(let place, let hash):
            let expected = "null, or the transaction's receipt"
            let receipt = try ChainAnswer.result(
                NodeReceipt.self, in: answer, of: "eth_getTransactionReceipt", expected: expected)
            guard let receipt else {
                view.receiptAnswers += 1
                return
            }
            guard receipt.transactionHash.bytes == hash.bytes, receipt.blockHash.bytes.count == 32,
                receipt.status.value <= 1
            else { throw .result(method: "eth_getTransactionReceipt", expected: expected) }
            view.receiptAnswers += 1
            view.receipts[place] = receipt
        case .sending(let place, let hash):
            do throws(ChainAnswerError) {
                _ = try ChainAnswer.result(
                    NodeBytes.self, in: answer, of: "eth_sendRawTransaction", expected: "the transaction's hash")
            } catch .node(let words) {
                noteRefusal(words, place: place, hash: hash)
            }
        }
    }

    private func number(in answer: [UInt8], of method: String) throws(ChainAnswerError) -> UInt64 {
        let expected = "a number of at most 64 bits"
        guard let number = try ChainAnswer.result(NodeNumber.self, in: answer, of: method, expected: expected) else {
            throw .result(method: method, expected: expected)
        }
        return number.value
    }

    private func block(in answer: [UInt8]) throws(ChainAnswerError) -> NodeBlock {
        let (method, expected) = ("eth_getBlockByNumber", "a block with its base fee")
        guard let block = try ChainAnswer.result(NodeBlock.self, in: answer, of: method, expected: expected),
            block.hash.bytes.count == 32
        else { throw .result(method: method, expected: expected) }
        return block
    }

    /// Nodes say in words why they do not take a transaction. Nothing is decided by them but whether to ask for higher fees: what the chain has
    /// is what counts.
    private mutating func noteRefusal(_ words: String, place: Int, hash: Digest256) {
        let said = words.lowercased()
        if said.contains("underpriced") || said.contains("fee too low") || said.contains("max fee per gas less") {
            if entries[place].signed.last?.hash == hash { entries[place].isUnderpriced = true }
        } else if said.contains("insufficient funds") {
            view.trouble = .funds
        } else if !["already known", "known transaction", "already imported", "nonce too low"].contains(
            where: said.contains)
        {
            view.trouble = .node(words)
        }
    }
}
