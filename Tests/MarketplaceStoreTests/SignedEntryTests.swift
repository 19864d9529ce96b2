import Foundation
import MarketplaceStore
import Testing

@testable import Marketplace

@Suite("Entries are signed by whoever asks")
struct SignedEntryTests {
    private let clerk = party("clerk"), sue = party("sue"), mallory = party("mallory")

    private func operate(_ market: inout Market, _ action: MarketAction, at time: Int64 = 0) throws -> MarketAnswer {
        let entry = try signer("clerk").sign(action, by: clerk, in: market.id, time: time)
        return market.apply(try market.admit(entry))
    }

    /// Sue and mallory are registered, and have 100 each.
    private func market() throws -> Market {
        var market = Market.ofTests()
        for one in [sue, mallory] {
            #expect(try operate(&market, .register(one, key: signer(one.text).publicKey)) == .done(.none))
            #expect(try operate(&market, .credit(one, amount: 100)) == .done(.none))
        }
        return market
    }

    private func refusal(_ entry: SignedEntry, by market: Market) -> AdmissionRefusal? {
        do throws(AdmissionRefusal) {
            _ = try market.admit(entry)
            return nil
        } catch { return error }
    }

    @Test("Terms whose numbers are as large as numbers are: refused, and nothing traps")
    func extremes() {
        let fields: [WritableKeyPath<TaskTerms, Int>] = [
            \.court.quorum, \.goal.evaluations, \.goal.evaluationsEach, \.goal.finalists,
        ]
        let amounts: [WritableKeyPath<TaskTerms, Int64>] = [
            \.pot.data, \.pot.computation, \.pot.expertise, \.formula.price, \.formula.computationEach,
            \.formula.ancestorThousandths, \.formula.significanceThousandths, \.gains.scientist, \.gains.owner,
            \.gains.provider, \.gains.dispute, \.court.fee, \.schedule.openBy, \.schedule.proposalsUntil,
            \.schedule.revealUntil, \.schedule.revealDelay, \.schedule.trainUntil, \.schedule.declareUntil,
            \.schedule.checkpointPatience, \.schedule.challengeWindow, \.schedule.rulingWindow,
            \.schedule.claimWindow,
        ]
        for extreme in [Int64.min, .max, 1 << 62, -(1 << 62), .max / 2 + 1] {
            for field in fields {
                var terms = TaskTerms.example
                terms[keyPath: field] = Int(extreme)
                #expect(throws: MarketRefusal.self) { try terms.check(sponsor: party("sue")) }
            }
            for field in amounts {
                var terms = TaskTerms.example
                terms[keyPath: field] = extreme
                #expect(throws: MarketRefusal.self) { try terms.check(sponsor: party("sue")) }
            }
        }
    }

    @Test("Nobody acts in another's name: neither a party nor the operator, nor with no signature")
    func names() throws {
        let market = try market()
        let action = MarketAction.withdraw(amount: 10)
        #expect(refusal(try signer("sue").sign(action, by: sue, in: market.id), by: market) == nil)
        #expect(refusal(try signer("mallory").sign(action, by: sue, in: market.id), by: market) == .signature(sue))
        #expect(refusal(try signer("clerk").sign(action, by: sue, in: market.id), by: market) == .signature(sue))
        let credit = MarketAction.credit(mallory, amount: 1_000)
        #expect(
            refusal(try signer("mallory").sign(credit, by: clerk, in: market.id, time: 1), by: market)
                == .signature(clerk))
        #expect(
            refusal(try signer("zoe").sign(action, by: party("zoe"), in: market.id), by: market)
                == .unknownParty(party("zoe")))
        let good = try signer("sue").sign(action, by: sue, in: market.id)
        #expect(
            refusal(SignedEntry(good.request, signature: [UInt8](repeating: 0, count: 64)), by: market)
                == .signature(sue))
        #expect(refusal(SignedEntry(good.request, signature: []), by: market) == .signature(sue))
    }

    @Test("Any bit changed in an entry makes it nobody's, or other bytes than an entry's")
    func bits() throws {
        let market = try market()
        let entry = try signer("sue").sign(
            .task(hashed("task"), .vote(dispute: 3, .upheld(nil))), by: sue, in: market.id)
        let bytes = entry.journalBytes
        #expect(try SignedEntry(journalBytes: bytes) == entry)
        var admitted = 0
        for place in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[place] ^= 1 << UInt8(bit)
                guard let read = try? SignedEntry(journalBytes: changed) else { continue }
                #expect(read.journalBytes == changed)
                if refusal(read, by: market) == nil { admitted += 1 }
            }
        }
        #expect(admitted == 0)
    }

    @Test("An entry of one market is of no use in another, whichever way it is brought there")
    func markets() throws {
        let (first, second) = (try market(), Market.ofTests("second"))
        let entry = try signer("sue").sign(.withdraw(amount: 10), by: sue, in: first.id)
        var other = second
        #expect(try operate(&other, .register(sue, key: signer("sue").publicKey)) == .done(.none))
        #expect(refusal(entry, by: other) == .otherMarket(first.id))
        let request = entry.request
        let renamed = SignedEntry(
            SignedEntry.Request(
                market: second.id, by: request.by, nonce: request.nonce, time: nil, action: request.action),
            signature: entry.signature)
        #expect(refusal(renamed, by: other) == .signature(sue))
        #expect(renamed.key != entry.key)
    }

    @Test("The same entry again is done once; nobody takes another's key")
    func twice() throws {
        var market = try market()
        let entry = try signer("sue").sign(.withdraw(amount: 10), by: sue, in: market.id)
        for _ in 0..<3 { #expect(market.apply(try market.admit(entry)) == .done(.none)) }
        #expect(market.book[Market.account(of: sue)]?.balance == 90)
        // The same nonce in another name, and with something else.
        let copy = try signer("mallory").sign(
            .withdraw(amount: 10), by: mallory, in: market.id, nonce: entry.request.nonce)
        #expect(copy.key != entry.key)
        #expect(market.apply(try market.admit(copy)) == .done(.none))
        let more = try signer("sue").sign(.withdraw(amount: 20), by: sue, in: market.id, nonce: entry.request.nonce)
        #expect(market.apply(try market.admit(more)) == .keyIsTaken)
        #expect(market.book[Market.account(of: sue)]?.balance == 90)
    }

    @Test("The clock is the operator's: others have no time, and what they ask is done at its latest")
    func clock() throws {
        var market = try market()
        #expect(try operate(&market, .clock, at: 50) == .done(.none) && market.time == 50)
        let late = try signer("sue").sign(.withdraw(amount: 1), by: sue, in: market.id, time: 1 << 59)
        #expect(refusal(late, by: market) == .time(sue))
        let timeless = try signer("clerk").sign(.clock, by: clerk, in: market.id)
        #expect(refusal(timeless, by: market) == .time(clerk))
        let asked = try signer("sue").sign(.clock, by: sue, in: market.id)
        #expect(market.apply(try market.admit(asked)) == .refused(.party(sue, expected: "the market's operator")))
        let own = try signer("sue").sign(.withdraw(amount: 1), by: sue, in: market.id)
        #expect(market.apply(try market.admit(own)) == .done(.none))
        #expect(market.time == 50)
        #expect(try operate(&market, .clock, at: 49) == .clockWentBack(latest: 50))
    }

    @Test("A key is registered once, by the operator, whose own is the market's")
    func keys() throws {
        var market = try market()
        let again = try operate(&market, .register(sue, key: signer("mallory").publicKey))
        #expect(again != .done(.none) && market.keys[sue] == signer("sue").publicKey)
        let own = try signer("sue").sign(.register(party("zoe"), key: signer("sue").publicKey), by: sue, in: market.id)
        #expect(market.apply(try market.admit(own)) == .refused(.party(sue, expected: "the market's operator")))
        let other = try operate(&market, .register(clerk, key: signer("mallory").publicKey))
        #expect(other == .refused(.value("the operator's key", expected: "the market's own")))
        #expect(PartyKey(hex: "00") == nil && !"\(signer("sue"))".contains(hashed("key of sue").hex))
    }

    @Test("The largest verdict that terms allow is no longer than a leaf of the log")
    func longest() throws {
        let name = String(repeating: "n", count: 60)
        let contributions = (0..<TaskTerms.Limit.owners).map {
            Contribution(owner: party(name + "\(1_000 + $0)"), score: .zero, error: .zero)
        }
        let finals = (0..<TaskTerms.Limit.evaluations).map { Verdict.Final(node: $0, score: .zero) }
        let verdict = Verdict(finals: finals, contributions: contributions)
        let long = party(String(repeating: "s", count: 64))
        let entry = try signer("sue").sign(
            .task(hashed("task"), .vote(dispute: 0, .upheld(verdict))), by: long, in: hashed("market"), time: 1)
        #expect(entry.journalBytes.count <= SignedEntry.mostBytes)
        var market = try market()
        #expect(try operate(&market, .register(long, key: signer("sue").publicKey)) == .done(.none))
        let longer = Verdict(finals: finals + finals, contributions: contributions)
        let refused = try signer("sue").sign(.task(hashed("task"), .declare(longer)), by: long, in: market.id)
        #expect(refusal(refused, by: market) == .tooLong(refused.journalBytes.count))
    }
}
