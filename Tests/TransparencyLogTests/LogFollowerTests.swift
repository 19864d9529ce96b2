import Foundation
import Testing

@testable import TransparencyLog

@Suite
struct LogFollowerTests {
    private func step(
        _ follower: LogFollower, _ log: TestLog, _ checkpoint: SignedCheckpoint? = nil
    ) throws -> LogFollower.Step {
        try follower.step(to: checkpoint ?? log.checkpoint(), latestTime: 1000, read: log.read)
    }

    private func followed(_ log: TestLog) throws -> LogFollower {
        guard case .first(let follower) = try step(LogFollower(log: log.identity), log) else {
            throw FollowerError.noSplit
        }
        return follower
    }

    @Test("A log that grows is followed, and the new entries are told; the state outlasts being written and read")
    func growth() throws {
        var log = try TestLog()
        var follower = try followed(log)
        #expect(follower.latest?.head == .empty)
        for count in [3, 1, 300, 1, 0, 700] {
            let old = UInt64(log.leaves.count)
            try log.append(count: count)
            switch try step(follower, log) {
            case .same: #expect(count == 0)
            case .grew(let next, let entries):
                #expect(entries == old..<old + UInt64(count))
                follower = try JSONDecoder().decode(LogFollower.self, from: JSONEncoder().encode(next))
                #expect(follower == next)
            default: Issue.record("not followed")
            }
        }
        #expect(follower.latest?.head == log.writer.head)
    }

    @Test("An old checkpoint is seen as one; where the log lost its tiles, that is not known")
    func rollback() throws {
        var log = try TestLog()
        try log.append(count: 300)
        let (old, small) = (try log.checkpoint(), log)
        try log.append(count: 300)
        let follower = try followed(log)
        let new = try log.checkpoint()
        #expect(try step(follower, log, old) == .wentBack(from: new, to: old, isPrefix: true))
        #expect(try step(follower, small, old) == .wentBack(from: new, to: old, isPrefix: nil))
    }

    /// Two logs of one key that agree in the first entries.
    private func fork(at common: Int, _ first: Int, _ second: Int) throws -> (TestLog, TestLog) {
        var one = try TestLog()
        try one.append(count: common)
        var other = one
        try one.append(count: first)
        try other.append(count: second, from: "fork")
        return (one, other)
    }

    @Test(
        "A fork is proved by two signed checkpoints, whether the new one is smaller, as large or larger",
        arguments: [(0, 5, 5), (0, 1, 900), (256, 1, 1), (300, 400, 300), (300, 300, 400), (511, 1, 600)])
    func forks(common: Int, first: Int, second: Int) throws {
        let (one, other) = try fork(at: common, first, second)
        let follower = try followed(one)
        let new = try other.checkpoint()
        // Tiles of either tree are there, as where a log keeps both.
        let step = try follower.step(to: new, latestTime: 1000) { path in
            if second < first { try one.read(path) } else { try other.read(path) }
        }
        guard case .splitView(let split) = step else {
            Issue.record("\(step)")
            return
        }
        try split.verify(one.identity)
        #expect(Set([split.smaller, split.larger]) == Set([new, try one.checkpoint()]))
        let read = try JSONDecoder().decode(SplitView.self, from: JSONEncoder().encode(split))
        try read.verify(one.identity)
        // It accuses nobody else, and nothing can be changed in it.
        #expect(throws: NoteError.self) { try read.verify(TestLog(seed: 9).identity) }
        let swapped = SplitView(
            smaller: split.larger, larger: split.smaller, prefixRoot: split.prefixRoot, proof: split.proof)
        if first != second { #expect(throws: (any Error).self) { try swapped.verify(one.identity) } }
    }

    @Test("An honest log cannot be accused: no root but the right one has a proof")
    func noFalseAccusation() throws {
        var log = try TestLog()
        try log.append(count: 300)
        let small = try log.checkpoint()
        try log.append(count: 300)
        let large = try log.checkpoint()
        var tiles = try log.tiles()
        let proof = try tiles.consistencyProof(from: 300)
        for root in [nil, small.head.root, large.head.root, MerkleHash.emptyTree] {
            let accusation = SplitView(smaller: small, larger: large, prefixRoot: root, proof: proof)
            #expect(throws: (any Error).self) { try accusation.verify(log.identity) }
        }
        let same = SplitView(smaller: large, larger: large)
        #expect(throws: FollowerError.noSplit) { try same.verify(log.identity) }
        let (one, other) = try fork(at: 0, 5, 5)
        #expect(throws: NoteError.self) {
            let forged = try TestLog(seed: 9).sign(other.head(at: 5))
            try SplitView(smaller: one.checkpoint(), larger: forged).verify(one.identity)
        }
    }

    @Test("A checkpoint of another log, of another key, from the future or without tiles is not followed")
    func refused() throws {
        var log = try TestLog()
        try log.append(count: 300)
        let witness = try cosigner("w", seed: 4)
        let follower = LogFollower(log: log.identity, cosigners: [witness.verifierKey])
        let checkpoint = try log.checkpoint()
        let line = try witness.signer.cosignature(of: checkpoint.checkpoint, at: 1001)
        #expect(throws: FollowerError.timeInFuture(witness.verifierKey.name, time: 1001, latest: 1000)) {
            try step(follower, log, checkpoint.adding([line]))
        }
        let onTime = try witness.signer.cosignature(of: checkpoint.checkpoint, at: 1000)
        guard case .first = try step(follower, log, checkpoint.adding([onTime])) else {
            Issue.record("not followed")
            return
        }
        let witnessOnly = try SignedCheckpoint(SignedNote(text: checkpoint.note.text, signatures: [onTime]))
        #expect(throws: FollowerError.notSignedByLog) { try step(follower, log, witnessOnly) }
        let impostor = try TestLog(seed: 9)
        #expect(throws: NoteError.noKnownSignature) { try step(follower, log, impostor.sign(checkpoint.head)) }
        let other = try TestLog(name: "log.example/other")
        #expect(throws: NoteError.wrongOrigin(expected: log.identity.origin, found: other.identity.origin)) {
            try step(follower, log, other.sign(checkpoint.head))
        }
        #expect(throws: FollowerError.impossibleHead) {
            try step(follower, log, log.sign(TreeHead(size: 0, root: .leaf([]))))
        }
        #expect(throws: TestLog.Missing.self) { try follower.step(to: checkpoint, latestTime: 1000, read: other.read) }
        // A signed head without a tree: its tiles cannot be there.
        #expect(throws: TileError.rootMismatch(size: 300)) {
            try step(follower, log, log.sign(TreeHead(size: 300, root: .emptyTree)))
        }
    }
}
