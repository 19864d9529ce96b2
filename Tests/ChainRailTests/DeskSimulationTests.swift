import Foundation
import Marketplace
import Secrets
import Testing

@testable import ChainRail

/// A party's program with its desk: it crashes, and goes on from what it stored.
private struct Office {
    let key: ChainKey
    let policy: ChainPolicy
    var desk: ChainDesk
    var stored: [UInt8]?
    /// Asked for at every step, as a program does that does not know what it asked before a crash.
    var orders: [ChainOrder] = []
    /// Answers that are on their way.
    var late: [[UInt8]] = []

    init(key: ChainKey, policy: ChainPolicy) {
        self.key = key
        self.policy = policy
        desk = ChainDesk(key: key, chain: SimulatedChain.number, policy: policy)
    }

    mutating func crash() throws {
        late = []
        desk =
            try stored.map { try ChainDesk(stored: $0, key: key) }
            ?? ChainDesk(key: key, chain: SimulatedChain.number, policy: policy)
    }

    func isDone(_ order: ChainOrder) -> Bool {
        if case .over(.done)? = desk.progress(of: order) { return true }
        return false
    }
}

private struct DiskFull: Error {}

/// A task on the simulated chain: an escrow that is made, funded, decided, claimed and refunded, while everything goes wrong.
private struct Simulation {
    static let pot: Int64 = 1_000
    static let amounts: [Int64] = [400, 300, 200, 60]
    var random: SeededGenerator
    var chain: SimulatedChain
    var offices: [Office]
    let policy: ChainPolicy
    var time: Int64 = 0
    var deepest = 0, crashes = 0

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        let policy = ChainPolicy(
            confirmations: 2 + random.next() % 5, interval: 3, patience: 20, replaceAfter: 40,
            mostAtOnce: 1 + Int(random.next() % 4))
        chain = SimulatedChain(balances: [try key(number: 1).address: UInt64(Self.pot) + 500])
        // The sponsor, whoever brings decisions, and whoever claims for all but the last, who claims alone.
        self.policy = policy
        offices = try [1, 5, 6, 103].map { Office(key: try key(number: $0), policy: policy) }
    }

    mutating func chance(_ one: UInt64, in many: UInt64) -> Bool { random.next() % many < one }

    /// One step of everybody, with faults or without.
    mutating func step(isFair: Bool) throws {
        time += Int64(random.next() % 12)
        if !isFair {
            if chance(1, in: 12) {
                let depth = 1 + Int(random.next() % (policy.confirmations - 1))
                var draw = random
                let taken = chain.reorganise(depth: depth, confirmations: policy.confirmations) { draw.next() % 3 == 0 }
                deepest = max(deepest, taken)
                random = draw
            }
            if chance(1, in: 40) { chain.losePool() }
            if chance(1, in: 10) {
                chain.baseFee = chance(1, in: 3) ? 1_000_000_000 << (random.next() % 7) : 1_000_000_000
            }
            if chance(1, in: 25) {
                chain.coinless = chance(1, in: 2) ? [offices[Int(random.next() % 4)].key.address] : []
            }
        } else {
            chain.baseFee = 1_000_000_000
            chain.coinless = []
        }
        var draw = random
        chain.mine { draw.next() % 3 != 0 }
        random = draw
        for place in offices.indices { try turn(place, isFair: isFair) }
    }

    private mutating func turn(_ place: Int, isFair: Bool) throws {
        for order in offices[place].orders { try offices[place].desk.add(order) }
        let isFull = !isFair && chance(1, in: 30)
        var stored = offices[place].stored
        var requests: [ChainRequest] = []
        do {
            requests = try offices[place].desk.turn(at: time) { bytes throws(DiskFull) in
                if isFull { throw DiskFull() }
                stored = bytes
            }
        } catch {}
        offices[place].stored = stored
        // After storing and before sending, between two sendings, or before the answers.
        let crash = !isFair && chance(1, in: 15) ? Int(random.next() % 4) : nil
        for (number, request) in requests.enumerated() {
            if number == crash { break }
            try exchange(request, place: place, isFair: isFair)
        }
        if crash != nil {
            crashes += 1
            try offices[place].crash()
        }
    }

    private mutating func exchange(_ request: ChainRequest, place: Int, isFair: Bool) throws {
        if !isFair, chance(1, in: 30) { return }
        var result = ""
        if request.method == "eth_sendRawTransaction" {
            let raw = try bytes(request.parameters.dropFirst(4).dropLast(2))
            let refusal = chain.send(raw)
            result =
                refusal.map { #""error":{"code":-32000,"message":"\#($0)"}"# }
                ?? #""result":"0x\#(Keccak256.hash(raw).hex)""#
        } else {
            result = #""result":"# + chain.answer(request)
        }
        let answer = Array(#"{"jsonrpc":"2.0","id":\#(request.id),\#(result)}"#.utf8)
        if !isFair, chance(1, in: 30) {
            offices[place].late.append(answer)
            return
        }
        // A block that a reorganisation took back is not there any more: an error, and the desk asks again.
        try? offices[place].desk.take(answer)
        if !isFair, chance(1, in: 20) { try? offices[place].desk.take(answer) }
        if !isFair, chance(1, in: 20) { try? offices[place].desk.take(Array(answer.dropLast(Int(random.next() % 40)))) }
        if let late = offices[place].late.popLast() { try? offices[place].desk.take(late) }
    }

    /// What the chain was this deep: what programs decide by.
    var settled: SimulatedChain.State {
        chain.blocks[max(0, chain.blocks.count - 1 - Int(policy.confirmations))].state
    }

    mutating func go(isFair: Bool = false, until isOver: (Simulation) -> Bool) throws -> Bool {
        for step in 0..<1_500 {
            if isOver(self) { return true }
            // After so long the faults end: then everything has to come to its end.
            try self.step(isFair: isFair || step > 250)
        }
        return isOver(self)
    }
}

@Suite("A desk on a simulated chain")
struct DeskSimulationTests {
    @Test(
        "Whatever is reorganised, lost, repeated, stuck or crashes: all is conserved, nobody is paid twice, and every honest claim is paid",
        arguments: 0..<40)
    func everythingGoesWrong(seed: UInt64) throws {
        var simulation = try Simulation(seed: seed)
        let referees = try (2...4).map { try key(number: $0) }
        let terms = EscrowTerms(
            token: SimulatedChain.token, sponsor: try key(number: 1).address, referees: referees.map(\.address),
            quorum: 2,
            deadline: 1_000_000 + 12 * 4_000, window: 12 * 20, claimPeriod: 12 * 4_000)
        let creation = try Escrow.creation(terms)
        simulation.offices[0].orders = [creation]
        try #require(try simulation.go { $0.offices[0].isDone(creation) })
        let escrow = Escrow(contract: try simulation.offices[0].desk.contract(madeBy: creation), terms: terms)
        let funding = try escrow.funding(Simulation.pot)
        simulation.offices[0].orders.append(funding)
        try #require(try simulation.go { $0.offices[0].isDone(funding) })

        let (claims, payees) = try settlement(Simulation.amounts, contract: escrow.contract)
        let rail = try EscrowRail(escrow: escrow, claims: claims, payees: payees)
        let held = try #require(simulation.settled.escrows[escrow.contract.address])
        let decision = EscrowDecision(
            contract: escrow.contract, before: held.root, closes: held.closes, root: rail.root)
        let signatures = try referees[1...].map { try $0.sign(decision.hash) }
        let order = try escrow.order(decision, signed: signatures)
        simulation.offices[1].orders = [order]
        try #require(try simulation.go { $0.offices[1].isDone(order) })
        func state(_ simulation: Simulation) -> SimulatedChain.Held? {
            simulation.settled.escrows[escrow.contract.address]
        }
        try #require(
            try simulation.go { simulation in
                let blocks = simulation.chain.blocks
                let deep = blocks[max(0, blocks.count - 1 - Int(simulation.policy.confirmations))]
                return state(simulation).map { $0.root == rail.root && deep.time >= $0.closes } ?? false
            })

        // Two programs claim, and both the first leaf: one of them is refused by the contract.
        let orders = try claims.map { try rail.instruction(for: $0) }
        simulation.offices[2].orders = Array(orders[0..<3])
        simulation.offices[3].orders = [orders[3], orders[0]]
        try #require(
            try simulation.go {
                $0.offices[2].desk.isIdle && $0.offices[3].desk.isIdle && state($0)?.paid.count == claims.count
            })
        #expect(state(simulation)?.paid == [0, 1, 2, 3])

        // The rest goes back.
        simulation.chain.mine(seconds: 12 * 4_000) { true }
        for _ in 0..<12 { simulation.chain.mine { true } }
        simulation.offices[0].orders.append(escrow.refund())
        try #require(try simulation.go { $0.offices[0].isDone(escrow.refund()) })
        // The last reorganisation may have left the chain shorter than it was when this was final.
        for _ in 0...simulation.policy.confirmations { simulation.chain.mine { true } }

        let balances = simulation.settled.balances
        #expect(balances.values.reduce(0, +) == UInt64(Simulation.pot) + 500)
        #expect(balances[escrow.contract.address, default: 0] == 0)
        #expect(balances[terms.sponsor] == 500 + UInt64(Simulation.pot - Simulation.amounts.reduce(0, +)))
        for (place, amount) in Simulation.amounts.enumerated() {
            #expect(balances[try key(number: UInt8(100 + place)).address] == UInt64(amount))
        }
        // One purpose a number, and one number a purpose, of all that was ever sent.
        for (sender, numbers) in simulation.chain.purposes {
            #expect(numbers.values.allSatisfy { $0.count == 1 }, "\(sender)")
            let all = numbers.values.flatMap { $0 }
            #expect(Set(all).count == all.count, "\(sender)")
        }
        #expect(simulation.crashes > 0 && simulation.deepest > 0)
    }
}
