import Foundation
import Testing

@testable import TransparencyLog

/// A witness's storage in memory, with compare and swap.
final class WitnessStore {
    var records: [LogOrigin: WitnessedLog] = [:]
    /// Every size and root whose cosignature left, in the order of storing.
    private(set) var history: [TreeHead] = []

    init(_ logs: [LogIdentity]) {
        for log in logs { records[log.origin] = WitnessedLog(log) }
    }

    func swap(_ before: WitnessedLog, _ after: WitnessedLog) -> Bool {
        guard records[before.log.origin] == before else { return false }
        records[before.log.origin] = after
        if let head = after.latest?.head { history.append(head) }
        return true
    }
}

@Suite
struct WitnessTests {
    private let witness: Witness
    private let key: SigningKey
    private let log: TestLog
    private let store: WitnessStore

    init() throws {
        key = try cosigner("witness.example/w1", seed: 40)
        witness = try Witness(cosigner: key.signer)
        var log = try TestLog()
        try log.append(count: 700)
        self.log = log
        store = WitnessStore([log.identity])
    }

    private func decide(_ body: [UInt8], at time: UInt64 = 1000) throws -> WitnessDecision {
        try witness.decide(body, at: time) { store.records[$0] }
    }

    private func ask(_ body: [UInt8], at time: UInt64 = 1000) throws -> WitnessReply {
        switch try decide(body, at: time) {
        case .refuse(let reply, _): reply
        case .repeatReply(let reply): reply
        case .cosign(let pending): try pending.reply(storing: store.swap)
        }
    }

    private func request(_ old: UInt64, _ new: UInt64) throws -> AddCheckpointRequest {
        var tiles = try VerifiedTiles(head: log.head(at: new), read: everyTile)
        return try AddCheckpointRequest(
            oldSize: old, proof: tiles.consistencyProof(from: old), checkpoint: log.checkpoint(at: new))
    }

    /// Tiles of each size, also those that were never written for a checkpoint.
    private func everyTile(_ path: TilePath) throws -> [UInt8] {
        if let bytes = log.stored[path] { return bytes }
        let (level, width) = if case .hashes(let level) = path.content { (level, path.width) } else { (0, 0) }
        let span = 1 << (8 * level)
        return (0..<width).flatMap { place in
            let start = (Int(path.index) * 256 + place) * span
            return ReferenceTree.root(log.leaves[start..<start + span]).bytes
        }
    }

    private func expectCosigned(_ reply: WitnessReply, _ checkpoint: SignedCheckpoint, at time: UInt64 = 1000) throws {
        guard case .cosigned(let lines) = reply else {
            Issue.record("\(reply)")
            return
        }
        let verified = try checkpoint.adding(lines).note.verify(KnownKeys([key.verifierKey]))
        #expect(verified.map(\.time) == [time])
        #expect(reply.status == 200)
        #expect(try WitnessReply(status: 200, body: reply.body) == reply)
    }

    @Test("The specification's request is read and written with the same bytes")
    func format() throws {
        let body = """
            old 20852014
            PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
            jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
            5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
            /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

            example.com/behind-the-sofa
            20852163
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
            — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=

            """
        let request = try AddCheckpointRequest(parsing: Array(body.utf8))
        #expect(request.oldSize == 20_852_014 && request.proof.hashes.count == 4)
        #expect(request.checkpoint.head.size == 20_852_163 && request.checkpoint.note.signatures.count == 2)
        #expect(request.bytes == Array(body.utf8))
    }

    @Test("A log that grows is cosigned step by step, and again at the same size with a later time")
    func growth() throws {
        try expectCosigned(ask(request(0, 5).bytes), log.checkpoint(at: 5))
        try expectCosigned(ask(request(5, 300).bytes), log.checkpoint(at: 300))
        // Whoever asks again at once gets what was stored: nothing is signed, and nothing stored.
        try expectCosigned(ask(request(300, 300).bytes, at: 1059), log.checkpoint(at: 300))
        try expectCosigned(ask(request(300, 300).bytes, at: 900), log.checkpoint(at: 300))
        try expectCosigned(ask(request(300, 300).bytes, at: 2000), log.checkpoint(at: 300), at: 2000)
        try expectCosigned(ask(request(300, 700).bytes), log.checkpoint(at: 700))
        #expect(store.history.map(\.size) == [5, 300, 300, 700])
        // What monitors are served: the log's signature and the cosignature.
        let served = try #require(store.records[log.identity.origin]?.latest)
        try served.verify(log.identity)
        #expect(try served.note.verify(KnownKeys([key.verifierKey])).count == 1)
    }

    @Test("An empty log is cosigned with the empty tree's root alone")
    func emptyLog() throws {
        let empty = try log.sign(.empty)
        let none = ConsistencyProof(hashes: [])
        let wrong = try log.sign(TreeHead(size: 0, root: .leaf([])))
        #expect(try ask(AddCheckpointRequest(oldSize: 0, proof: none, checkpoint: wrong).bytes) == .unprocessable)
        try expectCosigned(ask(AddCheckpointRequest(oldSize: 0, proof: none, checkpoint: empty).bytes), empty)
        try expectCosigned(ask(request(0, 5).bytes), log.checkpoint(at: 5))
    }

    @Test("400 for what is no request, and for an old size above the checkpoint's")
    func badRequests() throws {
        let good = try request(0, 5).bytes
        let text = String(decoding: good, as: UTF8.self)
        for wrong in [
            "", "old 0\n", text.replacing("old 0", with: "old 00"), text.replacing("old 0", with: "old"),
            text.replacing("old 0", with: "old  0"), text.replacing("old 0\n", with: "old 0\r\n"),
            text.replacing("old 0\n", with: "old 0 \n"), text.replacing("old 0\n\n", with: "old 0\n"),
            text.replacing("old 0\n\n", with: "old 0\nAAAA\n\n"), String(text.dropLast()), "\n" + text,
            text.replacing("old 0", with: "old 9223372036854775808"), text + "x", text + "\n",
        ] {
            #expect(try ask(Array(wrong.utf8)) == .badRequest)
        }
        let hash = MerkleHash.emptyTree.base64 + "\n"
        let many = text.replacing("old 0\n", with: "old 0\n" + String(repeating: hash, count: 64))
        #expect(try ask(Array(many.utf8)) == .badRequest)
        let most = text.replacing("old 0\n", with: "old 0\n" + String(repeating: hash, count: 63))
        #expect(try ask(Array(most.utf8)) == .unprocessable)
        #expect(try ask(Array(text.replacing("old 0", with: "old 6").utf8)) == .badRequest)
        #expect(try ask([UInt8](repeating: 10, count: 3_000_000)) == .badRequest)
        #expect(store.history.isEmpty)
    }

    @Test("404 for an unknown origin; 403 for a checkpoint that no trusted key signed, or one of wrong bytes")
    func unknownAndForbidden() throws {
        var stranger = try TestLog(name: "log.example/stranger")
        try stranger.append(count: 2)
        let none = ConsistencyProof(hashes: [])
        let unknown = try AddCheckpointRequest(oldSize: 0, proof: none, checkpoint: stranger.checkpoint())
        #expect(try ask(unknown.bytes) == .notFound)
        let impostor = try TestLog(seed: 7)
        let forged = try impostor.sign(log.head(at: 5))
        #expect(try ask(AddCheckpointRequest(oldSize: 0, proof: none, checkpoint: forged).bytes) == .forbidden)
        // The right name and ID over another signature, before a right one.
        let good = try log.checkpoint(at: 5)
        let wrong = NoteSignature(key: log.key.verifierKey, signature: forged.note.signatures[0].signature)
        let both = try SignedCheckpoint(
            SignedNote(text: good.note.text, signatures: [wrong] + good.note.signatures))
        #expect(try ask(AddCheckpointRequest(oldSize: 0, proof: none, checkpoint: both).bytes) == .forbidden)
        // 403 and 404 come before 400 for reversed sizes.
        let reversed = Array(String(decoding: unknown.bytes, as: UTF8.self).replacing("old 0", with: "old 9").utf8)
        #expect(try ask(reversed) == .notFound)
        #expect(store.history.isEmpty)
    }

    @Test("409 with the size that was cosigned, whatever the proof; nothing is stored")
    func conflicts() throws {
        _ = try ask(request(0, 300).bytes)
        for (old, new) in [(0, 5), (0, 300), (5, 300), (299, 700)] as [(UInt64, UInt64)] {
            let reply = try ask(request(old, new).bytes)
            #expect(reply == .conflict(size: 300) && reply.status == 409)
            #expect(reply.body == Array("300\n".utf8) && reply.contentType == "text/x.tlog.size")
            #expect(try WitnessReply(status: 409, body: reply.body) == reply)
        }
        #expect(store.history.map(\.size) == [300])
    }

    @Test(
        "422 for a proof that does not verify, a proof from nothing, and another root of the same size, with evidence")
    func unprocessable() throws {
        let checkpoint = try log.checkpoint(at: 300)
        let proof = ConsistencyProof(hashes: [.emptyTree])
        #expect(
            try ask(AddCheckpointRequest(oldSize: 0, proof: proof, checkpoint: checkpoint).bytes) == .unprocessable)
        _ = try ask(request(0, 300).bytes)
        var hashes = try request(300, 700).proof.hashes
        hashes.swapAt(0, 1)
        let wrong = try AddCheckpointRequest(
            oldSize: 300, proof: ConsistencyProof(hashes: hashes), checkpoint: log.checkpoint(at: 700))
        #expect(try ask(wrong.bytes) == .unprocessable)

        var fork = try TestLog()
        try fork.append(count: 300, from: "fork")
        let other = try fork.checkpoint()
        for old in [300, 5] as [UInt64] {
            let body = try AddCheckpointRequest(
                oldSize: old, proof: ConsistencyProof(hashes: []), checkpoint: other)
            guard case .refuse(let reply, let evidence?) = try decide(body.bytes) else {
                Issue.record("no evidence")
                continue
            }
            #expect(reply == (old == 300 ? .unprocessable : .conflict(size: 300)))
            try evidence.verify(log.identity)
            let read = try JSONDecoder().decode(SplitView.self, from: JSONEncoder().encode(evidence))
            #expect(read == evidence)
        }
        #expect(store.history.map(\.size) == [300])
    }

    @Test("Of two requests that were decided from one record, the second one to store is not cosigned")
    func race() throws {
        _ = try ask(request(0, 5).bytes)
        guard case .cosign(let first) = try decide(request(5, 300).bytes),
            case .cosign(let second) = try decide(request(5, 700).bytes)
        else {
            Issue.record("not cosigned")
            return
        }
        try expectCosigned(second.reply(storing: store.swap), log.checkpoint(at: 700))
        #expect(throws: WitnessError.recordChanged) { try first.reply(storing: store.swap) }
        #expect(store.history.map(\.size) == [5, 700])
    }

    @Test("Storage that fails lets no cosignature out, and a pending one is not printed")
    func failingStorage() throws {
        struct Full: Error {}
        guard case .cosign(let pending) = try decide(request(0, 5).bytes) else { return }
        #expect(throws: Full.self) { try pending.reply { _, _ in throw Full() } }
        var dumped = "\(pending) \(String(reflecting: pending))"
        dump(pending, to: &dumped)
        #expect(!dumped.contains("signature:") && !dumped.contains("witness.example"))
    }

    @Test("A line that stands a hundred times, and lines of strangers, are not kept")
    func manyLines() throws {
        let good = try log.checkpoint(at: 5)
        let stranger = try TestLog(seed: 9).key
        let lines =
            Array(repeating: good.note.signatures[0], count: 99) + [try stranger.signer.signature(of: good.note.text)]
        let checkpoint = try SignedCheckpoint(SignedNote(text: good.note.text, signatures: lines))
        let body = try AddCheckpointRequest(oldSize: 0, proof: ConsistencyProof(hashes: []), checkpoint: checkpoint)
        try expectCosigned(ask(body.bytes), good)
        #expect(store.records[log.identity.origin]?.latest?.note.signatures.count == 2)
    }

    @Test("A witness's record outlasts being written and read; one of another log is refused")
    func record() throws {
        _ = try ask(request(0, 5).bytes)
        let record = try #require(store.records[log.identity.origin])
        let data = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(WitnessedLog.self, from: data) == record)
        // The checkpoint's line ends in an escaped newline, the origin in a quotation mark.
        let text = String(decoding: data, as: UTF8.self).replacing("hospital\"", with: "other\"")
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(WitnessedLog.self, from: Data(text.utf8)) }
    }

    @Test("The log learns the witness's size, keeps its cosignature, and refuses a wrong, a missing and a future one")
    func logsSide() throws {
        _ = try ask(request(0, 5).bytes)
        var contact = try WitnessContact(key: key.verifierKey)
        let checkpoint = try log.checkpoint(at: 300)
        var tiles = try VerifiedTiles(head: checkpoint.head, read: everyTile)
        let first = try contact.request(for: checkpoint, tiles: &tiles)
        #expect(first.oldSize == 0)
        #expect(try contact.receive(ask(first.bytes), for: checkpoint, latestTime: 1000) == .askAgain(size: 5))
        let second = try contact.request(for: checkpoint, tiles: &tiles)
        let reply = try ask(second.bytes, at: 1005)
        #expect(throws: WitnessError.timeInFuture(key.verifierKey.name, time: 1005, latest: 1004)) {
            try contact.receive(reply, for: checkpoint, latestTime: 1004)
        }
        #expect(throws: WitnessError.wrongCosignature(key.verifierKey.name)) {
            try contact.receive(reply, for: log.checkpoint(at: 5), latestTime: 1005)
        }
        #expect(throws: WitnessError.noCosignature(key.verifierKey.name)) {
            let stranger = try log.key.signer.signature(of: checkpoint.note.text)
            _ = try contact.receive(.cosigned([stranger]), for: checkpoint, latestTime: 1005)
        }
        #expect(contact.size == 5)
        guard case .cosigned(let line, 1005) = try contact.receive(reply, for: checkpoint, latestTime: 1005) else {
            Issue.record("not cosigned")
            return
        }
        #expect(try checkpoint.adding([line]).note.signatures.count == 2 && contact.size == 300)
        #expect(throws: WitnessError.contradiction(key.verifierKey.name, size: 300)) {
            try contact.receive(.conflict(size: 300), for: checkpoint, latestTime: 1005)
        }
        #expect(try contact.receive(.conflict(size: 301), for: checkpoint, latestTime: 1005) == .ahead(size: 301))
        #expect(try contact.receive(.forbidden, for: checkpoint, latestTime: 1005) == .refused(.forbidden))
        #expect(try JSONDecoder().decode(WitnessContact.self, from: JSONEncoder().encode(contact)) == contact)
        let smaller = try log.checkpoint(at: 5)
        var smallTiles = try VerifiedTiles(head: smaller.head, read: everyTile)
        #expect(throws: WitnessError.sizesReversed(old: 300, new: 5)) {
            try contact.request(for: smaller, tiles: &smallTiles)
        }
    }

    @Test("Replies that are none are refused")
    func replies() throws {
        for (status, body) in [
            (200, ""), (200, "\n"), (200, "— a AAAAAAA="), (200, "x"), (409, ""), (409, "5"), (409, "05\n"),
            (409, "5\n\n"),
            (409, "-1\n"), (409, "9223372036854775808\n"), (500, ""), (201, ""), (-1, ""),
        ] {
            #expect(throws: WitnessError.self) { try WitnessReply(status: status, body: Array(body.utf8)) }
        }
        #expect(throws: WitnessError.self) {
            try WitnessReply(status: 404, body: [UInt8](repeating: 0, count: 2_000_000))
        }
        for reply in [WitnessReply.badRequest, .forbidden, .notFound, .unprocessable] {
            #expect(try WitnessReply(status: reply.status, body: Array("why".utf8)) == reply)
        }
        #expect(throws: WitnessError.notACosigner(log.key.verifierKey.name)) { try Witness(cosigner: log.key.signer) }
        #expect(throws: WitnessError.notACosigner(log.key.verifierKey.name)) {
            try WitnessContact(key: log.key.verifierKey)
        }
    }
}
