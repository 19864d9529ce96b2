import Foundation
import Marketplace
import Testing

@testable import ChainRail

@Suite("The escrow's terms and the contract that is committed")
struct ContractTests {
    private func terms() throws -> EscrowTerms {
        EscrowTerms(
            token: try key(number: 20).address, sponsor: try key(number: 1).address,
            referees: try [2, 3, 4].map { try key(number: $0).address }, quorum: 2, deadline: 1_000, window: 100,
            claimPeriod: 100)
    }

    @Test("The code that the program carries is the artefact's, of the source that lies beside it")
    func artefact() throws {
        struct Artefact: Decodable {
            let compiler: String, source: String, bytecode: String, runtime: String
        }
        // Where the sources are moved away from the tests there is nothing to compare.
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        folder = folder.deletingLastPathComponent().appending(path: "Sources/ChainRail/Contract")
        let artefact = try JSONDecoder().decode(
            Artefact.self, from: Data(contentsOf: folder.appending(path: "Escrow.json")))
        let source = Digest256.sha256([UInt8](try Data(contentsOf: folder.appending(path: "Escrow.vy"))))
        #expect(artefact.source == source.hex && EscrowCode.source == source.hex, "run make contract")
        #expect(artefact.bytecode == "0x" + EscrowCode.bytecode && artefact.runtime == "0x" + EscrowCode.runtime)
        #expect(artefact.compiler == "vyper 0.4.3" && artefact.bytecode.contains(EscrowCode.runtime))
    }

    @Test("Terms with which no contract can be made are refused, with the field's name")
    func refusals() throws {
        let zero = try #require(ChainAddress([UInt8](repeating: 0, count: 20)))
        let good = try terms()
        try good.check()
        let wrong: [(String, (inout EscrowTerms) -> Void)] = [
            ("token", { $0.token = zero }), ("sponsor", { $0.sponsor = zero }),
            ("referees", { $0.referees = [] }), ("referees", { $0.referees.reverse() }),
            ("referees", { $0.referees[1] = $0.referees[0] }), ("referees", { $0.referees[0] = zero }),
            ("referees", { $0.sponsor = $0.referees[1] }), ("quorum", { $0.quorum = 1 }), ("quorum", { $0.quorum = 4 }),
            ("quorum", { $0.quorum = -1 }), ("deadline", { $0.deadline = 0 }), ("deadline", { $0.deadline = .max }),
            ("window and claim period", { $0.window = 0 }), ("window and claim period", { $0.claimPeriod = .max }),
            ("unit", { $0.unit = 0 }),
        ]
        for (field, change) in wrong {
            var terms = good
            change(&terms)
            do throws(EscrowRefusal) {
                _ = try terms.creation()
                Issue.record("\(field) was taken")
            } catch {
                guard case .terms(field, _) = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }

    @Test("A funding of no amount, too much, or more of the token's units than there are numbers is refused")
    func funding() throws {
        var terms = try terms()
        let contract = ChainContract(chain: 1, address: try key(number: 30).address)
        for amount in [0, -1, TaskTerms.Limit.amount + 1, Int64.max] {
            #expect(throws: EscrowRefusal.amount) { try Escrow(contract: contract, terms: terms).funding(amount) }
        }
        terms.unit = .max
        #expect(throws: EscrowRefusal.amount) { try Escrow(contract: contract, terms: terms).funding(2) }
    }

    @Test("A decision needs different referees' signatures, over this decision")
    func signatures() throws {
        let contract = ChainContract(chain: 1, address: try key(number: 30).address)
        let escrow = Escrow(contract: contract, terms: try terms())
        let decision = EscrowDecision(contract: contract, before: Escrow.nothing, closes: 1_000, root: .sha256([1]))
        let signed = try [2, 3, 4, 5].map { try key(number: $0).sign(decision.hash) }
        _ = try escrow.order(decision, signed: Array(signed[0..<3]))
        #expect(throws: EscrowRefusal.approvals(count: 1, quorum: 2)) {
            try escrow.order(decision, signed: [signed[0]])
        }
        #expect(throws: EscrowRefusal.signature) { try escrow.order(decision, signed: [signed[0], signed[0]]) }
        #expect(throws: EscrowRefusal.signature) { try escrow.order(decision, signed: [signed[0], signed[3]]) }
        let other = EscrowDecision(contract: contract, before: Escrow.nothing, closes: 1_001, root: .sha256([1]))
        #expect(throws: EscrowRefusal.signature) { try escrow.order(other, signed: Array(signed[0..<2])) }
    }
}

@Suite("Rails: what a claim becomes")
struct RailTests {
    @Test("On a chain: the order of the leaf, for a party with an address, of this settlement alone")
    func chain() throws {
        let contract = ChainContract(chain: 1, address: try key(number: 30).address)
        let terms = EscrowTerms(
            token: try key(number: 20).address, sponsor: try key(number: 1).address,
            referees: [try key(number: 2).address], quorum: 1, deadline: 1_000, window: 100, claimPeriod: 100)
        let escrow = Escrow(contract: contract, terms: terms)
        let (claims, payees) = try settlement([5, 6, 7], contract: contract)
        let rail = try EscrowRail(escrow: escrow, claims: claims, payees: payees)
        #expect(rail.binding == contract.binding)
        let orders = try claims.map { try rail.instruction(for: $0) }
        #expect(Set(orders.map(\.name)).count == 3 && orders.allSatisfy { $0.to == contract.address })
        #expect(try rail.instruction(for: claims[1]).name == orders[1].name)
        let (others, _) = try settlement([5, 6, 8], contract: contract)
        #expect(throws: PayoutRefusal.otherSettlement(index: 2)) { try rail.instruction(for: others[2]) }
        let party = claims[2].leaf.party
        #expect(throws: PayoutRefusal.noDestination(party)) {
            try EscrowRail(escrow: escrow, claims: claims, payees: payees.filter { $0.key != party })
        }
        #expect(throws: PayoutRefusal.otherSettlement(index: 1)) {
            try EscrowRail(escrow: escrow, claims: Array(claims.dropFirst()), payees: payees)
        }
    }

    @Test(
        "Credits: a movement of the book. Accounts: a transfer under the leaf's own key, which a recording fake takes once"
    )
    func others() throws {
        let contract = ChainContract(chain: 1, address: try key(number: 30).address)
        let (claims, payees) = try settlement([5, 6], contract: contract)
        let payable = MarketTask.Accounts(.sha256([1])).payable
        let steps = CreditRail(payable: payable).instruction(for: claims[0])
        let account = Market.account(of: claims[0].leaf.party)
        #expect(steps == [.move(Movement(from: payable, to: account, amount: 5))])

        let destinations = payees.mapValues { "token-of-\($0)" }
        let rail = AccountRail(merchant: "bank/1", currency: "EUR", destinations: destinations)
        #expect(rail.binding != AccountRail(merchant: "bank/1", currency: "USD", destinations: destinations).binding)
        var told = RecordedTransfers()
        for claim in claims + claims { #expect(told.take(try rail.instruction(for: claim))) }
        #expect(told.transfers.values.map(\.amount).sorted() == [5, 6])
        let dearer = AccountRail(merchant: "bank/1", currency: "USD", destinations: destinations)
        #expect(!told.take(try dearer.instruction(for: claims[0])) && told.transfers.count == 2)
        #expect(throws: PayoutRefusal.noDestination(claims[0].leaf.party)) {
            try AccountRail(merchant: "bank/1", currency: "EUR", destinations: [:]).instruction(for: claims[0])
        }
    }
}
