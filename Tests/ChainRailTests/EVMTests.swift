import Foundation
import Marketplace
import Testing

@testable import ChainRail

/// An escrow on a real EVM, with a sponsor, three referees of whom two decide, and payees.
private struct Stage {
    let node: EVMNode
    let token: ChainAddress
    let sponsor: ChainKey, referees: [ChainKey]
    var escrow: Escrow
    /// Whose transactions everything after the funding is: anybody's.
    var desk: ChainDesk
    let policy = ChainPolicy(confirmations: 2, interval: 0, replaceAfter: 1_000)

    init(token name: String = "TestToken", pot: Int64 = 1_000) throws {
        node = try EVMNode()
        token = try node.token(name)
        sponsor = try key(number: 1)
        referees = try (2...4).map { try key(number: $0) }
        let chain = try node.chain
        let terms = EscrowTerms(
            token: token, sponsor: sponsor.address, referees: referees.map(\.address), quorum: 2,
            deadline: try node.time + 100_000, window: 1_000, claimPeriod: 5_000, unit: 10_000)
        let anybody = try key(number: 5)
        for account in [sponsor.address, anybody.address] { try node.ask("test_give", [account.description]) }
        try node.send(
            token,
            CallWords.call(
                "mint(address,uint256)", CallWords.word(sponsor.address) + CallWords.word(UInt128(10_000_000))))

        var office = ChainDesk(key: sponsor, chain: chain, policy: policy)
        let creation = try Escrow.creation(terms)
        try office.add(creation)
        try node.run(&office)
        escrow = Escrow(contract: try office.contract(madeBy: creation), terms: terms)
        guard case .over(.done) = office.progress(of: creation) else { throw Missing(what: "the contract") }
        try office.add(try escrow.funding(pot))
        try node.run(&office)
        #expect(try node.number(.balance, of: escrow) == UInt128(pot) * 10_000)
        desk = ChainDesk(key: anybody, chain: chain, policy: policy)
    }

    struct Missing: Error { let what: String }

    /// Whether an order was done, and not refused by the contract.
    mutating func isDone(_ order: ChainOrder) throws -> Bool {
        try desk.add(order)
        try node.run(&desk)
        guard case .over(let outcome) = desk.progress(of: order) else { throw Missing(what: order.purpose) }
        if case .done = outcome { return true }
        return false
    }

    /// The same call under another purpose, so that it is another order.
    func again(_ order: ChainOrder, _ purpose: String) -> ChainOrder {
        ChainOrder(purpose, to: order.to, data: order.data, gas: order.gas)
    }

    func decision(_ root: Digest256) throws -> EscrowDecision {
        EscrowDecision(
            contract: escrow.contract, before: try digest(node.bytes(.root, of: escrow).hexadecimal.dropFirst(2)),
            closes: UInt64(try node.number(.closes, of: escrow)), root: root)
    }

    /// A decision that the first so many referees signed.
    func order(_ decision: EscrowDecision, by signers: [ChainKey]? = nil, terms: EscrowTerms? = nil) throws
        -> ChainOrder
    {
        let signers = signers ?? Array(referees.prefix(2))
        let escrow = Escrow(contract: escrow.contract, terms: terms ?? escrow.terms)
        return try escrow.order(decision, signed: signers.map { try $0.sign(decision.hash) })
    }

    func balance(_ holder: ChainAddress) throws -> UInt128 { try node.balance(of: holder, token: token) }

    func travel(_ seconds: Int) throws { try node.ask("test_travel", [seconds]) }
}

@Suite(
    .enabled(
        if: EVMNode.python != nil,
        "no Python with eth-tester: set PARLEY_EVM_PYTHON to one, or run scripts/evm-environment"))
struct EVMTests {
    @Test("A task is paid on a real EVM: made, funded, decided by two of three, claimed once each, the rest refunded")
    func wholeWay() throws {
        var stage = try Stage()
        let (node, escrow) = (stage.node, stage.escrow)
        // Anybody knows by its code that it is this contract, with these terms.
        #expect(try node.bytes(.code, of: escrow) == escrow.terms.code(at: escrow.contract))
        #expect(try node.bytes(.root, of: escrow) == Escrow.nothing.bytes)
        #expect(try node.number(.closes, of: escrow) == UInt128(escrow.terms.deadline))

        let (claims, payees) = try settlement([500, 300, 150, 50], contract: escrow.contract)
        let rail = try EscrowRail(escrow: escrow, claims: claims, payees: payees)
        let orders = try claims.map { try rail.instruction(for: $0) }
        let decision = try stage.decision(rail.root)

        // Signatures of one referee, of a stranger, under another contract or root, and a court of somebody else's are refused.
        var alone = escrow.terms
        alone.quorum = 1
        alone.referees = [stage.referees[0].address]
        #expect(!(try stage.isDone(try stage.order(decision, by: [stage.referees[0]], terms: alone))))
        var few = escrow.terms
        few.quorum = 1
        #expect(!(try stage.isDone(try stage.order(decision, by: [stage.referees[0]], terms: few))))
        let stranger = try key(number: 9)
        var strange = escrow.terms
        strange.referees =
            EscrowTerms(
                token: strange.token, sponsor: strange.sponsor,
                referees: [stage.referees[0].address, stage.referees[1].address, stranger.address], quorum: 2,
                deadline: 1,
                window: 1, claimPeriod: 1
            ).referees
        #expect(!(try stage.isDone(try stage.order(decision, by: [stage.referees[0], stranger], terms: strange))))
        // The calls that were just refused are right but for the signers: that of the referees is done.
        let decided = try stage.order(decision)
        #expect(try stage.isDone(decided))
        #expect(try node.bytes(.root, of: escrow) == rail.root.bytes)

        // Within the window nothing is paid or refunded; a decision is of use once.
        #expect(!(try stage.isDone(stage.again(orders[0], "too early"))))
        #expect(!(try stage.isDone(escrow.refund(1))))
        #expect(!(try stage.isDone(stage.again(decided, "replayed"))))
        try stage.travel(1_001)
        let late = try stage.order(try stage.decision(Escrow.nothing))
        #expect(!(try stage.isDone(late)))

        // Each leaf once, to its address, whoever claims.
        #expect(try stage.isDone(orders[0]))
        #expect(!(try stage.isDone(stage.again(orders[0], "claimed again"))))
        #expect(try stage.balance(try key(number: 100).address) == 5_000_000)
        #expect(try node.number(.isPaid(0), of: escrow) == 1 && node.number(.isPaid(1), of: escrow) == 0)
        // With another amount, payee, path or index there is nothing.
        let leaf = claims[1].leaf
        let richer = ClaimLeaf(
            settlement: leaf.settlement, index: 1, party: leaf.party, role: leaf.role, amount: 301, salt: leaf.salt)
        let elsewhere = ClaimLeaf(
            settlement: leaf.settlement, index: 9, party: leaf.party, role: leaf.role, amount: 300, salt: leaf.salt)
        let payee = try #require(payees[leaf.party])
        let leaves = claims.compactMap { claim in
            payees[claim.leaf.party].map { ChainClaim(leaf: claim.leaf, payee: $0, contract: escrow.contract) }
        }
        let path = try #require(ChainClaim.tree(leaves)?.path(of: 1))
        for (number, wrong) in [
            escrow.claim(ChainClaim(leaf: richer, payee: payee, contract: escrow.contract), path: path),
            escrow.claim(ChainClaim(leaf: elsewhere, payee: payee, contract: escrow.contract), path: path),
            escrow.claim(ChainClaim(leaf: leaf, payee: stranger.address, contract: escrow.contract), path: path),
            escrow.claim(ChainClaim(leaf: leaf, payee: payee, contract: escrow.contract), path: path.dropLast()),
            escrow.claim(ChainClaim(leaf: leaf, payee: payee, contract: escrow.contract), path: path + path),
        ].enumerated() { #expect(!(try stage.isDone(stage.again(wrong, "wrong \(number)")))) }
        #expect(try stage.isDone(orders[1]) && stage.isDone(orders[2]))

        // What nobody claimed goes back after the claim period; a claim after that finds nothing.
        #expect(!(try stage.isDone(escrow.refund(2))))
        try stage.travel(5_000)
        #expect(try stage.isDone(escrow.refund(3)))
        #expect(!(try stage.isDone(orders[3])))
        #expect(try stage.balance(stage.sponsor.address) == 500_000)
        #expect(try stage.balance(try key(number: 101).address) == 3_000_000)
        #expect(try stage.balance(try key(number: 102).address) == 1_500_000)
        #expect(try stage.balance(try key(number: 103).address) == 0)
        #expect(try node.number(.balance, of: escrow) == 0)
    }

    @Test("A claim that a reorganisation takes back is sent again with the same number, and paid once")
    func reorganisation() throws {
        var stage = try Stage()
        let node = stage.node
        let (claims, payees) = try settlement([600, 400], contract: stage.escrow.contract)
        let rail = try EscrowRail(escrow: stage.escrow, claims: claims, payees: payees)
        #expect(try stage.isDone(try stage.order(try stage.decision(rail.root))))
        try stage.travel(1_001)
        let order = try rail.instruction(for: claims[0])
        try stage.desk.add(order)
        stage.desk.policy.confirmations = 4
        let snapshot = try node.ask("test_snapshot", [])
        var (time, sent) = (Int64(0), Set<String>())
        func turn() throws {
            for request in try stage.desk.turn(at: time, storing: { (_: [UInt8]) throws in }) {
                if request.method == "eth_sendRawTransaction" { sent.insert(request.parameters) }
                try stage.desk.take(node.answer(request.json))
            }
            time += 1
        }
        let payee = try key(number: 100).address
        for _ in 0..<12 { try turn() }
        // It is in a block, which is not deep yet.
        #expect(try stage.balance(payee) == 6_000_000 && !stage.desk.isIdle)
        try node.ask("test_revert", [snapshot])
        try node.ask("test_mine", [1])
        #expect(try stage.balance(payee) == 0)
        for _ in 0..<4 { try turn() }
        #expect(try stage.balance(payee) == 6_000_000 && sent.count == 1)
        try node.run(&stage.desk)
        #expect(try stage.balance(payee) == 6_000_000)
        guard case .over(.done) = stage.desk.progress(of: order) else { throw Stage.Missing(what: "the claim") }
    }

    @Test("A stuck transaction is replaced with higher fees under its number, and done once")
    func replacement() throws {
        var stage = try Stage()
        let node = stage.node
        let (claims, payees) = try settlement([1_000], contract: stage.escrow.contract)
        let rail = try EscrowRail(escrow: stage.escrow, claims: claims, payees: payees)
        let order = try stage.order(try stage.decision(rail.root))
        try stage.desk.add(order)
        stage.desk.policy.replaceAfter = 5
        // eth-tester has no pool that replaces: it is told of the first one only once the second is signed.
        var time: Int64 = 0
        var raw: [[UInt8]] = []
        while raw.count < 2, time < 100 {
            for request in try stage.desk.turn(at: time, storing: { (_: [UInt8]) throws in }) {
                if request.method == "eth_sendRawTransaction" {
                    let sent = try bytes(request.parameters.dropFirst(4).dropLast(2))
                    if raw.last != sent { raw.append(sent) }
                    try stage.desk.take(Array(#"{"id":\#(request.id),"result":"0x"}"#.utf8))
                } else {
                    try stage.desk.take(node.answer(request.json))
                }
            }
            time += 1
        }
        try #require(raw.count == 2)
        #expect(stage.desk.progress(of: order) == .sent(nonce: 0, signatures: 2))
        // The older one is included after all: the desk finds it by its own name.
        try node.ask("eth_sendRawTransaction", [raw[0].hexadecimal])
        try node.run(&stage.desk)
        guard case .over(.done) = stage.desk.progress(of: order) else { throw Stage.Missing(what: "the decision") }
        // And the node takes no other of that number.
        let answer = try node.answer(ChainRequest.send(raw[1], id: 7).json)
        #expect(String(decoding: answer, as: UTF8.self).contains("error"))
    }

    @Test("Within the window a quorum replaces what stands, or lets nothing stand: then all goes back")
    func challenge() throws {
        var stage = try Stage()
        let escrow = stage.escrow
        let (claims, payees) = try settlement([1_000], contract: escrow.contract)
        let wrong = try EscrowRail(escrow: escrow, claims: claims, payees: payees)
        let other = Digest256.sha256([9])
        #expect(try stage.isDone(try stage.order(try stage.decision(wrong.root))))
        let first = try stage.node.number(.closes, of: escrow)
        try stage.travel(900)
        // By two others: the third and the second.
        let court = [stage.referees[2], stage.referees[1]]
        #expect(try stage.isDone(try stage.order(try stage.decision(other), by: court)))
        #expect(try stage.node.number(.closes, of: escrow) > first + 800)
        #expect(try stage.isDone(try stage.order(try stage.decision(Escrow.nothing))))
        #expect(!(try stage.isDone(escrow.refund(1))))
        try stage.travel(1_001)
        #expect(!(try stage.isDone(try wrong.instruction(for: claims[0]))))
        #expect(try stage.isDone(escrow.refund(2)))
        #expect(try stage.balance(stage.sponsor.address) == 10_000_000)
    }

    @Test("Without a decision until the deadline all goes back, and no decision is taken any more")
    func silence() throws {
        var stage = try Stage()
        #expect(!(try stage.isDone(stage.escrow.refund(1))))
        try stage.travel(100_001)
        #expect(!(try stage.isDone(try stage.order(try stage.decision(.sha256([1]))))))
        #expect(try stage.isDone(stage.escrow.refund(2)))
        #expect(try stage.balance(stage.sponsor.address) == 10_000_000)
    }

    @Test("A root that promises more than the pot pays who comes first, and never more than there is")
    func tooMuch() throws {
        var stage = try Stage(pot: 100)
        let (claims, payees) = try settlement([70, 60, 30], contract: stage.escrow.contract)
        let rail = try EscrowRail(escrow: stage.escrow, claims: claims, payees: payees)
        #expect(try stage.isDone(try stage.order(try stage.decision(rail.root))))
        try stage.travel(1_001)
        #expect(try stage.isDone(try rail.instruction(for: claims[0])))
        #expect(!(try stage.isDone(try rail.instruction(for: claims[1]))))
        // What was refused is not taken for paid.
        #expect(try stage.node.number(.isPaid(1), of: stage.escrow) == 0)
        #expect(try stage.isDone(try rail.instruction(for: claims[2])))
        #expect(try stage.node.number(.balance, of: stage.escrow) == 0)
    }

    @Test("Leaves of another contract, or of another chain, are worth nothing, even where referees accept their root")
    func binding() throws {
        var stage = try Stage()
        let here = stage.escrow.contract
        for (number, contract) in [
            ChainContract(chain: here.chain + 1, address: here.address),
            ChainContract(chain: here.chain, address: stage.token),
        ].enumerated() {
            let (claims, payees) = try settlement([1_000], contract: contract)
            let foreign = Escrow(contract: contract, terms: stage.escrow.terms)
            let rail = try EscrowRail(escrow: foreign, claims: claims, payees: payees)
            #expect(try stage.isDone(try stage.order(try stage.decision(rail.root))))
            let snapshot = try stage.node.ask("test_snapshot", [])
            try stage.travel(1_001)
            let order = try rail.instruction(for: claims[0])
            let call = ChainOrder("foreign \(number)", to: here.address, data: order.data, gas: order.gas)
            let desk = stage.desk
            #expect(!(try stage.isDone(call)))
            try stage.node.ask("test_revert", [snapshot])
            stage.desk = desk
        }
    }

    @Test(
        "Tokens: one that answers nothing pays; one that answers false pays nothing and the leaf stays; one that calls back gains nothing"
    )
    func tokens() throws {
        var silent = try Stage(token: "SilentToken")
        let (claims, payees) = try settlement([600, 400], contract: silent.escrow.contract)
        let quiet = try EscrowRail(escrow: silent.escrow, claims: claims, payees: payees)
        #expect(try silent.isDone(try silent.order(try silent.decision(quiet.root))))
        try silent.travel(1_001)
        #expect(try silent.isDone(try quiet.instruction(for: claims[0])))
        #expect(try silent.balance(try key(number: 100).address) == 6_000_000)

        var stage = try Stage()
        let (mine, addresses) = try settlement([600, 400], contract: stage.escrow.contract)
        let rail = try EscrowRail(escrow: stage.escrow, claims: mine, payees: addresses)
        #expect(try stage.isDone(try stage.order(try stage.decision(rail.root))))
        try stage.travel(1_001)
        let orders = try mine.map { try rail.instruction(for: $0) }
        func behave(_ behaviour: UInt64, _ payload: [UInt8] = []) throws {
            let padded = payload + [UInt8](repeating: 0, count: (32 - payload.count % 32) % 32)
            try stage.node.send(
                stage.token,
                CallWords.call(
                    "behave(uint256,address,bytes)",
                    CallWords.word(behaviour) + CallWords.word(stage.escrow.contract.address)
                        + CallWords.word(UInt64(96))
                        + CallWords.word(UInt64(payload.count)) + padded))
        }
        try behave(1)
        #expect(!(try stage.isDone(orders[0])))
        #expect(try stage.node.number(.isPaid(0), of: stage.escrow) == 0)
        // From within the transfer: the same leaf, another leaf, and the refund.
        for (number, call) in [orders[0].data, orders[1].data, stage.escrow.refund().data].enumerated() {
            try behave(2, call)
            #expect(!(try stage.isDone(stage.again(orders[0], "calls back \(number)"))))
        }
        try behave(0)
        #expect(try stage.isDone(stage.again(orders[0], "honest")))
        #expect(try stage.isDone(orders[1]))
        #expect(try stage.balance(try key(number: 100).address) == 6_000_000)
        #expect(try stage.node.number(.balance, of: stage.escrow) == 0)
    }

    @Test("The largest court decides, and the longest path is read, within the gas that orders have")
    func largest() throws {
        let node = try EVMNode()
        let (chain, maker) = (try node.chain, try key(number: 1))
        try node.ask("test_give", [maker.address.description])
        let token = try node.token("TestToken")
        let referees = try (0..<UInt8(EscrowTerms.Limit.referees)).map { try key(number: 50 + $0) }
        let terms = EscrowTerms(
            token: token, sponsor: try key(number: 2).address, referees: referees.map(\.address), quorum: 31,
            deadline: try node.time + 100_000, window: 1_000, claimPeriod: 5_000)
        var desk = ChainDesk(key: maker, chain: chain, policy: ChainPolicy(confirmations: 1, interval: 0))
        let creation = try Escrow.creation(terms)
        try desk.add(creation)
        try node.run(&desk)
        let contract = try desk.contract(madeBy: creation)
        let escrow = Escrow(contract: contract, terms: terms)
        #expect(try node.bytes(.code, of: escrow) == terms.code(at: contract))
        try node.send(
            token, CallWords.call("mint(address,uint256)", CallWords.word(contract.address) + CallWords.word(UInt64(9)))
        )

        // A leaf under 32 siblings.
        let (claims, payees) = try settlement([9], contract: contract)
        let payee = try #require(payees[claims[0].leaf.party])
        let claim = ChainClaim(leaf: claims[0].leaf, payee: payee, contract: contract)
        let path = (0..<32).map { Digest256.sha256([$0]) }
        let root = path.reduce(Keccak256.hash([0] + claim.bytes)) {
            Keccak256.hash([1] + min($0, $1).bytes + max($0, $1).bytes)
        }
        let decision = EscrowDecision(contract: contract, before: Escrow.nothing, closes: terms.deadline, root: root)
        let orders = [
            try escrow.order(decision, signed: referees.map { try $0.sign(decision.hash) }),
            escrow.claim(claim, path: path),
        ]
        for order in orders {
            try desk.add(order)
            try node.run(&desk)
            guard case .over(.done) = desk.progress(of: order) else {
                Issue.record("\(order.purpose)")
                return
            }
            try node.ask("test_travel", [1_001])
        }
        #expect(try node.balance(of: payee, token: token) == 9)
    }

    @Test("A node of another chain: nothing is signed")
    func otherChain() throws {
        let node = try EVMNode()
        var desk = ChainDesk(key: try key(number: 1), chain: 1, policy: ChainPolicy(interval: 0))
        try desk.add(ChainOrder("anything", to: nil, data: [0], gas: 100_000))
        for time in 0..<20 {
            for request in try desk.turn(at: Int64(time), storing: { (_: [UInt8]) throws in }) {
                #expect(request.method != "eth_sendRawTransaction")
                try desk.take(node.answer(request.json))
            }
        }
        #expect(desk.trouble == .otherChain(try node.chain, expected: 1))
    }
}
