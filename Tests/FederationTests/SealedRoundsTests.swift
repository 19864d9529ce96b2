import Crypto
import Foundation
import Testing

@testable import Federation

/// Sites that compute together in sealed rounds, by way of a relay that may lie.
@Suite("Sealed rounds")
struct SealedRoundsTests {
    private static let identities = (0..<3).map { _ in Curve25519.Signing.PrivateKey() }
    private static let roster = identities.map(\.publicKey.rawRepresentation)
    private static let run = Data(repeating: 7, count: 16)

    private static func terms(_ place: Int, agreement: UInt8 = 1) throws -> SealedRoundsTerms {
        try SealedRoundsTerms(
            run: run, agreement: Data(repeating: agreement, count: 32), roster: roster, place: place)
    }

    private static func sites(agreement: [UInt8] = [1, 1, 1]) throws -> [SealedRoundsParticipant] {
        try (0..<3).map { place in
            try SealedRoundsParticipant(terms(place, agreement: agreement[place]), identity: identities[place])
        }
    }

    private static func relay(rounds: Int = 4, mostBytes: Int = 1_000) -> SealedRoundsRelay {
        SealedRoundsRelay(sites: 3, rounds: rounds, mostBytes: mostBytes)
    }

    /// One round of all sites: what each had.
    private static func round(
        _ sites: inout [SealedRoundsParticipant], _ relay: inout SealedRoundsRelay
    ) throws -> [[Data]] {
        for place in sites.indices {
            let reply = try relay.answer(wire(sites[place].message), from: place)
            #expect(try SealedRoundsReply(reading: reply.bytes) == reply)
        }
        return try sites.indices.map { place in
            let asks = SealedRoundsMessage(.asks, round: sites[place].round)
            let reply = try relay.answer(wire(asks), from: place)
            return try #require(try sites[place].take(reply))
        }
    }

    private static func wire(_ message: SealedRoundsMessage) throws -> SealedRoundsMessage {
        let read = try SealedRoundsMessage(reading: message.bytes)
        #expect(read == message)
        return read
    }

    @Test(
        "Each site has what the others sent to it, round for round, in one session; the relay keeps two rounds and can read none"
    )
    func whole() throws {
        var (sites, relay) = (try Self.sites(), Self.relay())
        #expect(try Self.round(&sites, &relay).allSatisfy { $0 == [Data(), Data()] })
        #expect(Set(sites.compactMap(\.session)).count == 1 && sites[0].session?.count == 32)
        for number in 1..<4 {
            for place in sites.indices {
                try sites[place].send(sites[place].terms.others.map { Data("\(number): \(place) to \($0)".utf8) })
                #expect(
                    sites[place].message.frames.allSatisfy { !String(decoding: $0, as: UTF8.self).contains(" to ") })
            }
            let received = try Self.round(&sites, &relay)
            for place in sites.indices {
                #expect(received[place] == sites[place].terms.others.map { Data("\(number): \($0) to \(place)".utf8) })
            }
        }
        #expect(relay.isComplete && relay.wholeRounds == 4)
        // Another run has another session, of the same sites.
        var (again, other) = (try Self.sites(), Self.relay())
        _ = try Self.round(&again, &other)
        #expect(again[0].session != sites[0].session)
    }

    @Test(
        "A frame that is changed, exchanged, sent back or of another round or session is not taken, and the right one is taken behind it"
    )
    func lies() throws {
        var (sites, relay) = (try Self.sites(), Self.relay())
        _ = try Self.round(&sites, &relay)
        var (strangers, theirs) = (try Self.sites(), Self.relay())
        _ = try Self.round(&strangers, &theirs)
        for place in sites.indices {
            try sites[place].send([Data("same".utf8), Data("same".utf8)])
            try strangers[place].send([Data("same".utf8), Data("same".utf8)])
        }
        let old = sites.map(\.message.frames)
        _ = try Self.round(&sites, &relay)
        for place in sites.indices { try sites[place].send([Data("same".utf8), Data("same".utf8)]) }
        let now = sites.map(\.message.frames)
        // To the first site: from the second its first frame, from the third its first.
        let right = [now[1][0], now[2][0]]
        var changed = right
        changed[0][20] ^= 1
        let lies: [[Data]] = [
            changed, [right[1], right[0]], [now[0][0], right[1]], [old[1][0], right[1]],
            [strangers[1].message.frames[0], right[1]], [now[1][1], right[1]], [Data(), right[1]],
        ]
        for frames in lies {
            #expect(throws: SealedRoundsObstacle.self) {
                try sites[0].take(SealedRoundsReply(round: 2, isHeld: true, frames: frames))
            }
        }
        #expect(throws: SealedRoundsObstacle.reply) {
            try sites[0].take(SealedRoundsReply(round: 1, isHeld: true, frames: right))
        }
        #expect(throws: SealedRoundsObstacle.reply) {
            try sites[0].take(SealedRoundsReply(round: 2, isHeld: true, frames: [right[0]]))
        }
        let taken = try sites[0].take(SealedRoundsReply(round: 2, isHeld: true, frames: right))
        #expect(taken == [Data("same".utf8), Data("same".utf8)])
    }

    @Test("Greetings of other terms, of other sites, or of a key without secrets make no session")
    func greetings() throws {
        var sites = try Self.sites(agreement: [1, 1, 2])
        let frames = sites.map(\.message.frames)
        #expect(throws: SealedRoundsObstacle.notFromSite(2)) {
            try sites[0].take(SealedRoundsReply(round: 0, isHeld: true, frames: [frames[1][0], frames[2][0]]))
        }
        #expect(throws: SealedRoundsObstacle.notFromSite(1)) {
            try sites[0].take(SealedRoundsReply(round: 0, isHeld: true, frames: [frames[2][0], frames[1][0]]))
        }
        let content = Data(count: 32) + Data(repeating: 3, count: 16)
        let signed = try Self.identities[1].signature(for: Self.terms(1).signed(content, of: 1))
        #expect(throws: SealedRoundsObstacle.notFromSite(1)) {
            try sites[0].take(SealedRoundsReply(round: 0, isHeld: true, frames: [content + signed, frames[1][0]]))
        }
        #expect(sites[0].session == nil)
        #expect(throws: SealedRoundsObstacle.self) {
            try SealedRoundsParticipant(Self.terms(0), identity: Self.identities[1])
        }
        #expect(throws: SealedRoundsObstacle.self) {
            try SealedRoundsTerms(
                run: Self.run, agreement: Data(count: 32), roster: [Self.roster[0], Self.roster[0]], place: 0)
        }
    }

    @Test("A relay that begins anew behind rounds that another relayed tells all that nothing comes of the run")
    func begunAnew() throws {
        var relay = Self.relay(rounds: 9, mostBytes: 20)
        let frames = [Data([1, 2]), Data([3])]
        let far = try relay.answer(SealedRoundsMessage(.brings, round: 5, frames: frames), from: 1)
        #expect(far == SealedRoundsReply(round: 5, isHeld: false, left: 1) && !relay.isComplete)
        #expect(try relay.answer(SealedRoundsMessage(.asks, round: 4), from: 0).left == 1)
        // Beyond all rounds is no round.
        #expect(throws: FrameError.message) {
            try relay.answer(SealedRoundsMessage(.brings, round: 9, frames: frames), from: 1)
        }
        // A place that nobody has is nobody who left.
        var site = try Self.sites()[0]
        #expect(throws: SealedRoundsObstacle.reply) {
            try site.take(SealedRoundsReply(round: 0, isHeld: false, left: 7))
        }
        #expect(throws: SealedRoundsObstacle.left(2)) {
            try site.take(SealedRoundsReply(round: 0, isHeld: false, left: 2))
        }
    }

    @Test("A relay takes one list a round, in turn, of the declared size; when a site leaves all others are told")
    func relaying() throws {
        var relay = Self.relay(rounds: 2, mostBytes: 20)
        let frames = [Data([1, 2]), Data([3])]
        func brings(_ round: Int, _ frames: [Data]) -> SealedRoundsMessage {
            SealedRoundsMessage(.brings, round: round, frames: frames)
        }
        #expect(throws: FrameError.message) { try relay.answer(brings(0, [Data([1])]), from: 0) }
        #expect(throws: FrameError.message) { try relay.answer(brings(0, [Data(count: 12), Data([1])]), from: 0) }
        #expect(throws: FrameError.sender) { try relay.answer(brings(0, frames), from: 3) }
        #expect(try relay.answer(brings(0, frames), from: 0) == SealedRoundsReply(round: 0, isHeld: true))
        // The first stays.
        _ = try relay.answer(brings(0, [Data([9]), Data([9])]), from: 0)
        // Not before all brought the round before.
        #expect(throws: FrameError.message) { try relay.answer(brings(1, frames), from: 0) }
        _ = try relay.answer(brings(0, frames), from: 1)
        let reply = try relay.answer(brings(0, frames), from: 2)
        // From the first site its second frame.
        #expect(reply.frames == [Data([3]), Data([3])])
        for place in 0..<3 { _ = try relay.answer(brings(1, frames), from: place) }
        #expect(relay.isComplete)
        #expect(throws: FrameError.message) { try relay.answer(brings(2, frames), from: 0) }
        // Behind the end nobody leaves.
        _ = try relay.answer(SealedRoundsMessage(.leaves, round: 1), from: 2)
        #expect(relay.left == nil)

        relay = Self.relay()
        var sites = try Self.sites()
        _ = try relay.answer(sites[0].message, from: 0)
        _ = try relay.answer(sites[1].leaving, from: 1)
        let told = try relay.answer(SealedRoundsMessage(.asks, round: 0), from: 0)
        #expect(told.left == 1 && told.frames == nil)
        #expect(throws: SealedRoundsObstacle.left(1)) { try sites[0].take(told) }
    }

    @Test(
        "Where rounds are fewer than there might have been, a run is complete once all sites say that they came to their end, and not before"
    )
    func ending() throws {
        var (sites, relay) = (try Self.sites(), Self.relay(rounds: 9))
        #expect(throws: FrameError.message) { try relay.answer(Self.wire(sites[0].ending), from: 0) }
        _ = try Self.round(&sites, &relay)
        for place in sites.indices { try sites[place].send([Data([1]), Data([2])]) }
        // Behind the round before the last, and before all brought the last.
        #expect(throws: FrameError.message) { try relay.answer(Self.wire(sites[0].ending), from: 0) }
        _ = try relay.answer(Self.wire(sites[0].message), from: 0)
        #expect(throws: FrameError.message) { try relay.answer(Self.wire(sites[0].ending), from: 0) }
        _ = try Self.round(&sites, &relay)
        for place in sites.indices {
            #expect(!relay.isComplete)
            // Said twice it is said once.
            for _ in 0..<2 { _ = try relay.answer(Self.wire(sites[place].ending), from: place) }
        }
        #expect(relay.isComplete && relay.wholeRounds == 2)
        _ = try relay.answer(sites[0].leaving, from: 0)
        #expect(relay.left == nil)
    }

    @Test("Bytes that are no message or reply are refused, whatever their lengths say")
    func malformed() throws {
        let message = SealedRoundsMessage(.brings, round: 3, frames: [Data([1, 2]), Data()]).bytes
        for count in 0..<message.count where count != 11 {
            #expect(throws: FrameError.message) { try SealedRoundsMessage(reading: message.prefix(count)) }
        }
        for bytes in [Data([4, 0, 0, 0, 0]), Data([0, 0, 0, 0, 0, 1, 0, 0, 0, 1]), Data([1, 0, 0, 0, 0])] {
            #expect(throws: FrameError.message) { try SealedRoundsMessage(reading: bytes) }
        }
        let long = Data([1, 0, 0, 0, 0, 255, 255, 255, 255, 1])
        #expect(throws: FrameError.message) { try SealedRoundsMessage(reading: long) }
        #expect(throws: FrameError.message) { try SealedRoundsReply(reading: Data([1, 1, 0, 0, 0, 0])) }
        #expect(throws: FrameError.message) { try SealedRoundsReply(reading: Data([8, 0, 0, 0, 0, 0])) }
        let reply = SealedRoundsReply(round: 5, isHeld: true, left: 2)
        #expect(try SealedRoundsReply(reading: reply.bytes) == reply)
    }
}
