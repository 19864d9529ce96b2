import Foundation
import Synchronization
import Testing
import TransparencyLog

@testable import Marketplace
@testable import MarketplaceStore

/// A clock that tests move.
private final class Hands: Sendable {
    private let value = Mutex<Int64>(0)
    var time: Int64 {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// A market with an office, whose clock stands.
private struct Opened {
    let place = TemporaryPath()
    let hands = Hands()
    let office: MarketOffice

    init(pace: MarketOffice.Pace = .init(burst: 500, hourly: 1_000), newcomers: MarketOffice.Pace? = nil) throws {
        let hands = hands
        let folder = try MarketFolder.create(
            at: place.path, operatorName: party("clerk"), policy: .ofTests, key: .ofTests)
        try folder.operate(.register(party("clerk"), key: signer("clerk").publicKey))
        for name in PlayedFolder.parties {
            try folder.operate(.register(party(name), key: signer(name).publicKey))
            try folder.operate(.credit(party(name), amount: 1_000_000))
        }
        office = MarketOffice(folder, pace: pace, newcomers: newcomers, now: { hands.time })
    }

    func ask(_ by: String, _ action: MarketAction, key: String? = nil) async throws -> MarketAnswer {
        let entry = try signer(key ?? by).sign(action, by: party(by), in: office.description.market)
        return try await office.submit(entry).answer
    }

    func audit() throws -> MarketAudit { try MarketAudit(of: place.path) }
}

@Suite("A market that is open to many", .timeLimit(.minutes(5)))
struct MarketOfficeTests {
    @Test("The clock comes before what is asked in a new second; where nothing is asked there are no entries")
    func clock() async throws {
        let opened = try Opened()
        let before = opened.office.size
        opened.hands.time = 50
        try await opened.office.tick()
        #expect(opened.office.size == before)
        #expect(try await opened.ask("sue", .withdraw(amount: 1)) == .done(.none))
        #expect(try await opened.ask("sue", .withdraw(amount: 2)) == .done(.none))
        let entries = try opened.audit().entries.dropFirst(before).map(\.entry.request.action)
        #expect(entries == [.clock, .withdraw(amount: 1), .withdraw(amount: 2)])
        // A clock that goes back moves nothing.
        opened.hands.time = 20
        #expect(try await opened.ask("sue", .withdraw(amount: 3)) == .done(.none))
        #expect(try opened.audit().market.time == 50)
    }

    @Test("What ends by time ends though nobody asks: a task that no one opened, and one whose sponsor went silent")
    func due() async throws {
        let opened = try Opened()
        let draft = try signer("sue").sign(.draft(.example), by: party("sue"), in: opened.office.description.market)
        _ = try await opened.office.submit(draft)
        let task = draft.key
        _ = try await opened.ask("sue", .task(task, .fund(terms: TaskTerms.example.digest)))
        #expect(try opened.audit().market[task]?.stage == .funded)
        opened.hands.time = TaskTerms.example.schedule.openBy
        try await opened.office.tick()
        let market = try opened.audit().market
        #expect(market[task]?.stage == .expired)
        #expect(market.book[Market.account(of: party("sue"))]?.balance == 1_000_000)
        // Once is enough.
        let size = opened.office.size
        try await opened.office.tick()
        #expect(opened.office.size == size)
    }

    @Test("A declaration gets the log's own next checkpoint, its challenge ends by itself, and everybody is paid")
    func lifecycle() async throws {
        let (place, hands) = (TemporaryPath(), Hands())
        let (task, winner, market) = try trained(place.path)
        hands.time = try MarketAudit(of: place.path).market.time
        let verdict = Verdict(
            finals: [.init(node: winner, score: Score(0.84) ?? .zero)],
            contributions: ["olga", "omar"].map {
                Contribution(owner: party($0), score: Score(0.2) ?? .zero, error: Score(0.01) ?? .zero)
            })
        let path = place.path
        let declare = try signer("sue").sign(.task(task, .declare(verdict)), by: party("sue"), in: market)
        let office = MarketOffice(try MarketFolder(at: path, key: .ofTests), now: { hands.time })
        #expect(try await office.submit(declare).answer == .done(.none))
        var state = try #require(try MarketAudit(of: path).market[task])
        #expect(state.stage == .challenge && state.checkpoint != nil)
        hands.time = state.stageEnds
        try await office.tick()
        state = try #require(try MarketAudit(of: path).market[task])
        #expect(state.stage == .settled)
        hands.time = state.stageEnds
        try await office.tick()
        let audit = try MarketAudit(of: path)
        #expect(audit.market[task]?.stage == .paidOut && audit.money.contradictions(in: audit.market).isEmpty)
        // The checkpoint that draws rows is one that was signed when the declaration stood in the log.
        let place2 = audit.entries.firstIndex { $0.entry.key == declare.key }
        let drawn = audit.entries.firstIndex {
            $0.entry.request.action == .task(task, .checkpoint(state.checkpoint ?? hashed("")))
        }
        #expect(try #require(place2) < (try #require(drawn)))
    }

    /// A folder that nobody has open, with a task up to its models.
    private func trained(_ path: String) throws -> (task: Digest256, winner: Int, market: Digest256) {
        var play = try PlayedFolder(at: path)
        let winner = try play.train()
        return (play.task, winner, play.folder.description.market)
    }

    @Test("A party has its pace, which nobody else uses up; the operator has none")
    func pace() async throws {
        let opened = try Opened(pace: .init(burst: 3, hourly: 3_600))
        // What others send in her name is not hers.
        for _ in 0..<5 {
            let answer = try await opened.ask("olga", .withdraw(amount: 1), key: "ada")
            #expect(answer == .notAdmitted(.signature(party("olga"))))
        }
        for _ in 0..<3 { #expect(try await opened.ask("olga", .withdraw(amount: 1)) == .done(.none)) }
        await #expect(throws: MarketOffice.Refusal.tooMany(seconds: 1)) {
            _ = try await opened.ask("olga", .withdraw(amount: 1))
        }
        #expect(try await opened.ask("ada", .withdraw(amount: 1)) == .done(.none))
        opened.hands.time += 1
        #expect(try await opened.ask("olga", .withdraw(amount: 1)) == .done(.none))
        for number in 0..<10 {
            let entry = try signer("clerk").sign(
                .credit(party("olga"), amount: 1), by: party("clerk"), in: opened.office.description.market,
                time: 10 + Int64(number))
            #expect(try await opened.office.submit(entry).answer == .done(.none))
        }
    }

    @Test("What was asked before is answered again: it moves no clock, stores nothing, and is nobody's pace")
    func replays() async throws {
        let opened = try Opened(pace: .init(burst: 3, hourly: 3_600))
        let market = opened.office.description.market
        let own = try signer("olga").sign(.withdraw(amount: 1), by: party("olga"), in: market)
        let clerks = try signer("clerk").sign(.clock, by: party("clerk"), in: market, time: 5)
        for entry in [own, clerks] { #expect(try await opened.office.submit(entry).answer == .done(.none)) }
        let size = opened.office.size
        for _ in 0..<50 {
            opened.hands.time += 1
            for entry in [own, clerks] { #expect(try await opened.office.submit(entry).answer == .done(.none)) }
            // The same nonce for something else.
            let other = try signer("olga").sign(
                .withdraw(amount: 2), by: party("olga"), in: market, nonce: own.request.nonce)
            #expect(try await opened.office.submit(other).answer == .keyIsTaken)
            // What is nobody's.
            #expect(
                try await opened.ask("olga", .withdraw(amount: 1), key: "ada")
                    == .notAdmitted(.signature(party("olga"))))
        }
        #expect(opened.office.size == size)
        opened.hands.time = 0
        for _ in 0..<2 { #expect(try await opened.ask("olga", .withdraw(amount: 1)) == .done(.none)) }
        await #expect(throws: MarketOffice.Refusal.self) { _ = try await opened.ask("olga", .withdraw(amount: 1)) }
    }

    @Test("Long entries cost their bytes of the pace; a registration that is sent again is none of the newcomers'")
    func bytes() async throws {
        let opened = try Opened(pace: .init(burst: 40, hourly: 3_600), newcomers: .init(burst: 2, hourly: 3_600))
        let claim = Claim(
            leaf: ClaimLeaf(
                settlement: hashed("s"), index: 0, party: party("olga"), role: .owner, amount: 1,
                salt: Salt(hashed("t"))),
            path: (0..<1_000).map { hashed("\($0)") })
        let long = MarketAction.task(hashed("none"), .claim(claim))
        let first = try await opened.ask("olga", long)
        guard case .refused = first else {
            Issue.record("\(first)")
            return
        }
        await #expect(throws: MarketOffice.Refusal.self) { _ = try await opened.ask("olga", long) }
        #expect(try await opened.ask("olga", .withdraw(amount: 1)) == .done(.none))
        let (office, market) = (opened.office, opened.office.description.market)
        let ivy = try signer("ivy").registration(of: party("ivy"), in: market)
        for _ in 0..<20 { try await office.register(ivy) }
        try await office.register(try signer("eve").registration(of: party("eve"), in: market))
    }

    @Test("Newcomers register under a key that they have, in this market, so many an hour; a name is taken once")
    func newcomers() async throws {
        let opened = try Opened(newcomers: .init(burst: 2, hourly: 3_600))
        let (office, market) = (opened.office, opened.office.description.market)
        let ivy = try signer("ivy").registration(of: party("ivy"), in: market)
        #expect(try Registration(bytes: ivy.bytes) == ivy)
        await #expect(throws: MarketOffice.Refusal.registration) {
            try await office.register(try signer("ivy").registration(of: party("ivy"), in: hashed("another")))
        }
        // The signature is over the name.
        var forged = ivy.bytes
        let name = try #require(forged.firstRange(of: Array("ivy".utf8)))
        forged.replaceSubrange(name, with: Array("eva".utf8))
        await #expect(throws: MarketOffice.Refusal.registration) {
            try await office.register(try Registration(bytes: forged))
        }
        try await office.register(ivy)
        // Again: done already.
        try await office.register(ivy)
        #expect(try opened.audit().market.keys[party("ivy")] == signer("ivy").publicKey)
        opened.hands.time += 10
        for taken in ["ivy", "clerk", "sue"] {
            await #expect(throws: MarketOffice.Refusal.nameIsTaken(party(taken))) {
                try await office.register(try signer("eva").registration(of: party(taken), in: market))
            }
            opened.hands.time += 10
        }
        for name in ["n1", "n2"] {
            try await office.register(try signer(name).registration(of: party(name), in: market))
        }
        await #expect(throws: MarketOffice.Refusal.tooMany(seconds: 1)) {
            try await office.register(try signer("n3").registration(of: party("n3"), in: market))
        }
        let closed = try Opened()
        await #expect(throws: MarketOffice.Refusal.registersNobody) {
            try await closed.office.register(ivy)
        }
    }

    @Test("Many at once, one of whom takes a new key: all that is stored is read again, and no old key acts behind it")
    func many() async throws {
        let opened = try Opened()
        let market = opened.office.description.market
        let (parties, office) = (PlayedFolder.parties, opened.office)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<20 {
                for name in parties {
                    let entry =
                        round == 10 && name == "olga"
                        ? try signer(name).sign(.rotate(signer("olga 2").publicKey), by: party(name), in: market)
                        : try signer(name).sign(.withdraw(amount: 1), by: party(name), in: market)
                    group.addTask { _ = try await office.submit(entry) }
                }
            }
            try await group.waitForAll()
        }
        let audit = try opened.audit()
        #expect(audit.market.keys[party("olga")] == signer("olga 2").publicKey)
        let old = try await opened.ask("olga", .withdraw(amount: 1))
        #expect(old == .notAdmitted(.signature(party("olga"))))
        #expect(try await opened.ask("olga", .withdraw(amount: 1), key: "olga 2") == .done(.none))
    }
}

@Suite("A party's key")
struct KeyRotationTests {
    @Test("In one batch: behind the new key the old one signs nothing, and the folder is read again")
    func batch() throws {
        let place = TemporaryPath()
        do {
            let play = try PlayedFolder(at: place.path)
            let (old, new) = (signer("olga"), signer("olga 2"))
            let market = play.folder.description.market
            let answers = try play.folder.apply([
                old.sign(.withdraw(amount: 1), by: party("olga"), in: market),
                old.sign(.rotate(new.publicKey), by: party("olga"), in: market),
                old.sign(.withdraw(amount: 2), by: party("olga"), in: market),
                new.sign(.withdraw(amount: 3), by: party("olga"), in: market),
                signer("ada").sign(.withdraw(amount: 4), by: party("ada"), in: market),
            ])
            #expect(
                answers == [
                    .done(.none), .done(.none), .notAdmitted(.signature(party("olga"))), .done(.none), .done(.none),
                ])
            let balance = play.folder.market.book[Market.account(of: party("olga"))]?.balance
            #expect(balance == 999_996)
        }
        let again = try MarketFolder(at: place.path, key: .ofTests)
        #expect(try MarketAudit(of: place.path).market.fingerprint == again.market.fingerprint)
        // The operator's own key is the market's.
        let refused = try again.operate(.rotate(signer("eva").publicKey))
        #expect(refused == .refused(.party(party("clerk"), expected: "anybody but the operator")))
    }
}
