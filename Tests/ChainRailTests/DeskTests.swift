import Foundation
import Marketplace
import Secrets
import Testing

@testable import ChainRail

@Suite("A desk and a node that lies")
struct DeskTests {
    private typealias Answers = (ChainRequest) -> String

    /// Lets a desk ask so many turns; what it sent.
    @discardableResult
    private func run(_ desk: inout ChainDesk, turns: Int = 40, _ answers: Answers) throws -> [String] {
        var sent: [String] = []
        for time in 0..<turns {
            for request in try desk.turn(at: Int64(time), storing: { (_: [UInt8]) throws in }) {
                if request.method == "eth_sendRawTransaction" { sent.append(request.parameters) }
                try? desk.take(Array(#"{"jsonrpc":"2.0","id":\#(request.id),\#(answers(request))}"#.utf8))
            }
        }
        return sent
    }

    private func desk(_ change: (inout ChainPolicy) -> Void = { _ in }) throws -> ChainDesk {
        var policy = ChainPolicy(confirmations: 3, interval: 0, patience: 5, replaceAfter: 4)
        change(&policy)
        var desk = ChainDesk(key: try key(number: 1), chain: 31_337, policy: policy)
        try desk.add(order)
        return desk
    }

    private let order = ChainOrder("order", to: nil, data: [1, 2, 3], gas: 100_000)

    /// A node that tells the truth about an empty chain.
    private func honest(
        _ request: ChainRequest, head: String = "0x10", base: String = "0x3b9aca00", count: String = "0x0"
    ) -> String {
        let hash = "0x" + String(repeating: "ab", count: 32)
        switch request.method {
        case "eth_chainId": return #""result":"0x7a69""#
        case "eth_getBlockByNumber":
            return #""result":{"number":"\#(head)","hash":"\#(hash)","timestamp":"0x1","baseFeePerGas":"\#(base)"}"#
        case "eth_getTransactionCount": return #""result":"\#(count)""#
        case "eth_getTransactionReceipt": return #""result":null"#
        default: return #""result":"\#(hash)""#
        }
    }

    @Test("The same order again is the same order, and its number never changes")
    func once() throws {
        var desk = try desk()
        try desk.add(order)
        #expect(desk.entries.count == 1 && desk.progress(of: order) == .waiting)
        let sent = try run(&desk) { honest($0, count: "0x5") }
        guard case .sent(nonce: 5, let signatures) = desk.progress(of: order) else {
            Issue.record("\(String(describing: desk.progress(of: order)))")
            return
        }
        #expect(signatures > 2 && Set(sent).count == signatures)
    }

    /// Receipts of all that is asked for, in a block that is there.
    private func included(_ request: ChainRequest, status: String = "0x1", in block: String = "0x5") -> String {
        guard request.method == "eth_getTransactionReceipt" else {
            let tag = request.parameters.dropFirst(2).prefix { $0 != "\"" }
            return honest(request, head: tag.hasPrefix("0x") ? String(tag) : "0x10", count: "0x0")
        }
        let (own, hash) = (request.parameters.dropFirst(2).dropLast(2), String(repeating: "ab", count: 32))
        return
            #""result":{"transactionHash":"\#(own)","blockHash":"0x\#(hash)","blockNumber":"\#(block)","status":"\#(status)"}"#
    }

    @Test("Nothing is paid to a contract whose creation is not done, deep enough; and it is said where that is")
    func madeFirst() throws {
        let terms = EscrowTerms(
            token: try key(number: 9).address, sponsor: try key(number: 1).address,
            referees: try (2...4).map { try key(number: $0).address }, quorum: 2, deadline: 1_000_000, window: 240,
            claimPeriod: 10_000)
        let creation = try Escrow.creation(terms)
        func begun() throws -> ChainDesk {
            var desk = ChainDesk(
                key: try key(number: 1), chain: 31_337, policy: ChainPolicy(confirmations: 3, interval: 0))
            #expect(throws: ChainDeskError.notMade(nil)) { try desk.contract(madeBy: creation) }
            try desk.add(creation)
            #expect(throws: ChainDeskError.notMade(.waiting)) { try desk.contract(madeBy: creation) }
            return desk
        }
        var desk = try begun()
        // Whoever knows how addresses come to be can name it beforehand.
        let made = ChainContract(chain: 31_337, address: Escrow.address(createdBy: desk.account, nonce: 0))
        let escrow = Escrow(contract: made, terms: terms)
        try run(&desk, turns: 4) { honest($0) }
        let funding = try escrow.funding(1_000)
        func refuses(_ progress: ChainDesk.Progress, _ words: String) throws {
            let error = ChainDeskError.notMade(progress)
            #expect(throws: error) { try desk.contract(madeBy: creation) }
            #expect(throws: error) { try desk.add(funding) }
            #expect(throws: error) { try desk.add(escrow.refund()) }
            #expect(error.description == words && desk.progress(of: funding) == nil)
        }
        let wait = "the contract is not made yet: expected that its creation is done, in a block that is deep enough"
        try refuses(.sent(nonce: 0, signatures: 1), wait)
        // Included, and not deep.
        try run(&desk, turns: 12) { included($0, in: "0xf") }
        try refuses(.sent(nonce: 0, signatures: 1), wait)
        // What has to do with another address waits for nothing.
        try desk.add(ChainOrder("other", to: terms.token, data: [1], gas: 100_000))
        // A stored desk says the same.
        desk = try ChainDesk(stored: desk.stored, key: key(number: 1))
        try refuses(.sent(nonce: 0, signatures: 1), wait)
        try run(&desk) { included($0) }
        #expect(try desk.contract(madeBy: creation) == made)
        try desk.add(funding)
        #expect(desk.progress(of: funding) == .waiting)

        desk = try begun()
        try run(&desk) { included($0, status: "0x0") }
        try refuses(
            .over(.refused(block: 5)),
            "the contract was not made, since its creation was refused: expected another one")
    }

    @Test("Each replacement costs at least a tenth more, and none above the limit")
    func fees() throws {
        var desk = try desk {
            $0.mostFee = 5_000_000_000
            $0.mostSignatures = 100
        }
        try run(&desk, turns: 400) { honest($0) }
        let fees = desk.entries[0].signed.map(\.fees)
        #expect(fees.count > 4 && desk.trouble == .feeLimit(5_000_000_000))
        for (a, b) in zip(fees, fees.dropFirst()) {
            #expect(b.maximum * 10 >= a.maximum * 11 && b.priority * 10 >= a.priority * 11)
        }
        #expect(fees.allSatisfy { $0.maximum <= 5_000_000_000 && $0.priority <= $0.maximum })
    }

    @Test("Nothing is signed for another chain, absurd fees or counts, and numbers that are none: and the desk lives")
    func lies() throws {
        let block = "eth_getBlockByNumber"
        let huge = "0x" + String(repeating: "f", count: 60)
        let lies: [(String, Answers)] = [
            ("another chain", { $0.method == "eth_chainId" ? #""result":"0x1""# : honest($0) }),
            ("a chain of 256 bits", { $0.method == "eth_chainId" ? #""result":"\#(huge)""# : honest($0) }),
            ("a base fee of 64 bits", { honest($0, base: "0xffffffffffffffff") }),
            ("a base fee of 240 bits", { honest($0, base: huge) }),
            ("a count of 64 bits", { honest($0, count: "0xffffffffffffffff") }),
            ("a negative count", { honest($0, count: "-0x1") }), ("no digits", { honest($0, count: "0x") }),
            ("leading zeros", { honest($0, count: "0x00") }), ("a sign", { honest($0, count: "0x+1") }),
            ("no block", { $0.method == block ? #""result":null"# : honest($0) }),
            (
                "no base fee",
                { $0.method == block ? #""result":{"number":"0x1","hash":"0x","timestamp":"0x1"}"# : honest($0) }
            ),
            ("errors", { _ in #""error":{"code":-1,"message":"\u0007\u001b[31m busy"}"# }),
            ("nothing", { _ in #""nothing":1"# }), ("lists", { _ in #""result":[[[[[[1]]]]]]"# }),
        ]
        for (name, lie) in lies {
            var desk = try desk()
            #expect(try run(&desk, lie).isEmpty, "\(name)")
            #expect(desk.trouble != nil && desk.progress(of: order) == .waiting, "\(name)")
            #expect(!(desk.trouble?.description ?? "").unicodeScalars.contains { $0.value < 32 }, "\(name)")
            // It is not worse for it.
            #expect(try !run(&desk, { honest($0) }).isEmpty, "\(name)")
        }
    }

    @Test("A receipt counts only in the block that is there, deep enough, for this transaction")
    func receipts() throws {
        let there = "0x" + String(repeating: "ab", count: 32)
        func answers(hash: String? = nil, block: String, number: String, status: String = "0x1") -> Answers {
            { request in
                guard request.method == "eth_getTransactionReceipt" else {
                    // Any block is asked for by its own number.
                    let tag = request.parameters.dropFirst(2).prefix { $0 != "\"" }
                    return honest(request, head: tag.hasPrefix("0x") ? String(tag) : "0x10", count: "0x0")
                }
                let own = request.parameters.dropFirst(2).dropLast(2)
                return
                    #""result":{"transactionHash":"\#(hash ?? String(own))","blockHash":"\#(block)","blockNumber":"\#(number)","status":"\#(status)"}"#
            }
        }
        let elsewhere = "0x" + String(repeating: "cd", count: 32)
        for (name, lie) in [
            ("another block", answers(block: elsewhere, number: "0x5")),
            ("not deep", answers(block: there, number: "0xf")),
            ("in the future", answers(block: there, number: "0x11")),
            ("of 64 bits", answers(block: there, number: "0xffffffffffffffff")),
            ("another transaction", answers(hash: elsewhere, block: there, number: "0x5")),
            ("a status of 2", answers(block: there, number: "0x5", status: "0x2")),
        ] {
            var desk = try desk()
            try run(&desk, lie)
            #expect(!desk.isIdle, "\(name)")
        }
        var desk = try desk()
        try run(&desk, answers(block: there, number: "0xe"))
        #expect(desk.progress(of: order) == .over(.done(block: 14)))
        desk = try self.desk()
        try run(&desk, answers(block: there, number: "0xe", status: "0x0"))
        #expect(desk.progress(of: order) == .over(.refused(block: 14)))
    }

    @Test("Where somebody else uses the account nothing more is signed, and it is said")
    func usedElsewhere() throws {
        var desk = try desk()
        try run(&desk, turns: 4) { honest($0) }
        let signatures = desk.entries[0].signed.count
        try desk.add(ChainOrder("another", to: nil, data: [], gas: 100_000))
        try run(&desk, turns: 30) { honest($0, count: "0x1") }
        #expect(desk.trouble == .numberIsTaken(order.name, nonce: 0))
        try run(&desk, turns: 30) { honest($0, count: "0x7") }
        #expect(desk.trouble == .accountIsUsed)
        #expect(desk.entries[0].signed.count == signatures && desk.entries[1].signed.isEmpty)
    }

    @Test(
        "What a node says to a transaction: known ones and used numbers are nothing; underpriced ones are raised; the rest is told"
    )
    func refusals() throws {
        for (words, trouble, isRaised) in [
            ("already known", nil, false), ("nonce too low", nil, false),
            ("replacement transaction underpriced", nil, true), ("transaction underpriced", nil, true),
            ("insufficient funds for gas * price + value", ChainTrouble.funds, false),
            ("the pool is full", ChainTrouble.node("the pool is full"), false),
        ] as [(String, ChainTrouble?, Bool)] {
            var desk = try desk { $0.replaceAfter = 1_000 }
            try run(&desk, turns: 12) {
                $0.method == "eth_sendRawTransaction" ? #""error":{"message":"\#(words)"}"# : honest($0)
            }
            #expect(desk.trouble == trouble, "\(words)")
            #expect((desk.entries[0].signed.count > 1) == isRaised, "\(words)")
        }
    }

    @Test("Nothing is given out before it is stored; where storing fails the desk is as before")
    func storing() throws {
        struct Full: Error {}
        var desk = try desk()
        var kept: [UInt8]?
        for time in 0..<40 {
            let before = desk.entries[0].signed.count
            do {
                let requests = try desk.turn(at: Int64(time)) { bytes throws(Full) in
                    if time % 3 != 0 { throw Full() }
                    kept = bytes
                }
                for request in requests {
                    if request.method == "eth_sendRawTransaction" {
                        let stored = try ChainDesk(stored: try #require(kept), key: key(number: 1))
                        let raw = try bytes(request.parameters.dropFirst(4).dropLast(2))
                        #expect(stored.entries[0].signed.map(\.bytes).contains(raw))
                    }
                    try desk.take(Array(#"{"id":\#(request.id),\#(honest(request))}"#.utf8))
                }
            } catch is Full { #expect(desk.entries[0].signed.count == before) }
        }
        #expect(desk.entries[0].signed.count > 1)
    }

    @Test("A stored desk is read as it was; for another key, cut, or with a number changed it is refused")
    func stored() throws {
        var desk = try desk()
        try run(&desk) { honest($0) }
        try desk.add(ChainOrder("another", to: try key(number: 2).address, data: [9], gas: 50_000))
        let stored = desk.stored
        let again = try ChainDesk(stored: stored, key: key(number: 1))
        #expect(again.stored == stored && again.progress(of: order) == desk.progress(of: order))
        let secret = Digest256.sha256([1])
        let text = String(decoding: stored, as: UTF8.self)
        #expect(!text.contains(secret.hex) && !text.contains("\(secret.bytes)"))
        #expect(throws: ChainDeskError.self) { try ChainDesk(stored: stored, key: key(number: 2)) }
        for count in stride(from: 0, to: stored.count, by: 7) {
            #expect(throws: ChainDeskError.self) {
                try ChainDesk(stored: Array(stored.prefix(count)), key: key(number: 1))
            }
        }
        for (from, to) in [
            (#""gas":100000"#, #""gas":100001"#), (#""firstNonce":0"#, #""firstNonce":1"#),
            (#""chain":31337"#, #""chain":1"#),
            (#""data":"0x010203""#, #""data":"0x010204""#), (#""isOdd":"#, #""isOdd":1"#),
            (#""version":1"#, #""version":2"#),
        ] {
            #expect(text.contains(from))
            let changed = Array(text.replacingOccurrences(of: from, with: to).utf8)
            #expect(throws: ChainDeskError.self, "\(from)") { try ChainDesk(stored: changed, key: key(number: 1)) }
        }
    }

    @Test("Any bytes are taken for an answer without harm: they are none, or change nothing")
    func fuzz() throws {
        var random = SeededGenerator(seed: 3)
        var desk = try desk()
        let pieces = [
            "{", "}", "[", "]", #""id":"#, #""result":"#, #""error":"#, "null", "1", "-1", "1e400", #""0x1""#, ",",
            "\"", "\\", "é",
            String(repeating: "[", count: 2_000),
        ]
        for _ in 0..<5_000 {
            let text = (0..<Int(random.next() % 12)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }
                .joined()
            try? desk.take(Array(text.utf8))
        }
        #expect(throws: ChainAnswerError.tooLong(ChainAnswer.mostBytes + 1)) {
            try desk.take([UInt8](repeating: UInt8(ascii: " "), count: ChainAnswer.mostBytes + 1))
        }
        #expect(try !run(&desk, { honest($0) }).isEmpty)
    }

    @Test("An order too long, and one too many, are refused")
    func limits() throws {
        var desk = try desk()
        let long = ChainOrder("long", to: nil, data: [UInt8](repeating: 0, count: ChainOrder.mostData + 1), gas: 1)
        #expect(throws: ChainDeskError.data(ChainOrder.mostData + 1)) { try desk.add(long) }
        for number in 1..<ChainDesk.mostOrders { try desk.add(ChainOrder("\(number)", to: nil, data: [], gas: 1)) }
        #expect(throws: ChainDeskError.tooMany) { try desk.add(ChainOrder("last", to: nil, data: [], gas: 1)) }
    }
}
