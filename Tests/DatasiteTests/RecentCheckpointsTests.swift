import Testing
import TransparencyLog

@testable import Datasite

/// Times are said, not measured.
@Suite("Checkpoints that wait for witnesses")
struct RecentCheckpointsTests {
    private let log: SigningKey
    private let witnesses: [SigningKey]
    private let start = ContinuousClock.now

    init() throws {
        log = try SigningKey.generate(name: KeyName("log.example"), kind: .ed25519)
        witnesses = try ["a.example", "b.example"].map {
            try SigningKey.generate(name: KeyName($0), kind: .ed25519Cosignature)
        }
    }

    private func checkpoint(_ size: Int) throws -> SignedCheckpoint {
        var frontier = MerkleFrontier()
        for number in 0..<size { try frontier.append(.leaf(Array("\(number)".utf8))) }
        return try SignedCheckpoint(
            signing: Checkpoint(origin: LogOrigin("log.example"), head: frontier.head), with: [log.signer])
    }

    private func line(_ witness: Int, _ checkpoint: SignedCheckpoint) throws -> NoteSignature {
        try witnesses[witness].signer.cosignature(of: checkpoint.checkpoint, at: 1_700_000_000)
    }

    private func recent() -> RecentCheckpoints {
        var recent = RecentCheckpoints()
        recent.cosigners = witnesses.map(\.verifierKey)
        return recent
    }

    @Test(
        "While the log grows all witnesses are offered one checkpoint, until all have cosigned it; it is what is served then"
    )
    func alignment() throws {
        var recent = recent()
        let keys = witnesses.map(\.verifierKey)
        let (first, second, third) = (try checkpoint(1), try checkpoint(2), try checkpoint(3))
        recent.add(first, at: start)
        #expect(recent.offer(to: keys[0], at: start) == first && recent.served(at: start) == first)
        recent.add(second, at: start + .seconds(1))
        let one = try #require(try recent.add(line(0, first), to: first.head))
        #expect(one.note.signatures.count == 2)
        // The second one is a second behind, and cosigns the same.
        let now = start + .seconds(1)
        #expect(recent.offer(to: keys[0], at: now) == nil && recent.offer(to: keys[1], at: now) == one)
        recent.add(third, at: now)
        let both = try #require(try recent.add(line(1, first), to: first.head))
        #expect(both.note.signatures.count == 3 && recent.served(at: now) == both)
        #expect(recent.offer(to: keys[1], at: now) == third && recent.offer(to: keys[0], at: now) == third)
        // A line that comes twice stands once.
        #expect(try recent.add(line(1, first), to: first.head) == both)
    }

    @Test(
        "A witness that is gone holds what is offered up for three seconds, and what is served no longer; its late answer counts"
    )
    func late() throws {
        var recent = recent()
        let keys = witnesses.map(\.verifierKey)
        let (first, second) = (try checkpoint(1), try checkpoint(2))
        recent.add(first, at: start)
        _ = recent.offer(to: keys[0], at: start)
        _ = try recent.add(line(0, first), to: first.head)
        recent.add(second, at: start + .seconds(1))
        #expect(recent.offer(to: keys[0], at: start + .milliseconds(2_999)) == nil)
        #expect(recent.offer(to: keys[0], at: start + .seconds(3)) == second)
        #expect(recent.served(at: start + .milliseconds(3_999))?.head == first.head)
        #expect(recent.served(at: start + .seconds(4)) == second)
        let late = try #require(try recent.add(line(1, first), to: first.head))
        #expect(late.note.signatures.count == 3 && recent.newestFirst.map(\.head) == [second.head, first.head])
        // Without witnesses nothing waits.
        recent.cosigners = []
        #expect(recent.served(at: start + .seconds(1)) == second)
    }

    @Test("A bounded number is remembered, and the same one once")
    func bounded() throws {
        var recent = recent()
        let first = try checkpoint(1)
        recent.add(first, at: start)
        for size in 1...200 { recent.add(try checkpoint(size), at: start) }
        #expect(recent.newestFirst.count == 64 && recent.newestFirst[0].head.size == 200)
        #expect(try recent.add(line(0, first), to: first.head) == nil)
        #expect(RecentCheckpoints().served(at: start) == nil)
        var none = RecentCheckpoints()
        #expect(none.offer(to: witnesses[0].verifierKey, at: start) == nil)
    }
}
