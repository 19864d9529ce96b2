import Foundation
import Testing
import TransparencyLog

@testable import Marketplace
@testable import MarketplaceStore

/// A copy of a market that a server shows, which may lie.
@Suite("A copy believes nothing that is not signed")
struct MarketCopyTests {
    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    private func description(_ path: String) throws -> [UInt8] { try bytes(path + "/market.json") }

    /// Brings a copy up to what a folder shows; bundles may be changed on the way.
    @discardableResult
    private func bring(
        _ copy: MarketCopy, from path: String, checkpoint: [UInt8]? = nil,
        changing change: (inout [[UInt8]]) -> Void = { _ in }
    ) throws -> Int {
        let checkpoint = try checkpoint ?? bytes(path + "/checkpoint")
        guard let missing = try copy.missing(for: checkpoint) else { return 0 }
        var bundles = try missing.map { try bytes("\(path)/\($0)") }
        change(&bundles)
        return try copy.take(checkpoint, bundles: bundles).count
    }

    private func evidence(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path + ".evidence")) ?? []).sorted()
    }

    @Test("It follows a market over full and partial bundles, opens again, and is a market's folder")
    func follows() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        var copy: MarketCopy? = try MarketCopy.create(
            at: other.path, description: description(place.path), key: signer("clerk").publicKey)
        #expect(throws: MarketFolderError.self) {
            try MarketCopy.create(
                at: other.path + "2", description: description(place.path), key: signer("eva").publicKey)
        }
        #expect(try bring(try #require(copy), from: place.path) == play.folder.count)
        for count in [1, 200, 40, 256, 300] {
            let before = play.folder.count
            let entries = try (0..<count).map { _ in try play.signed("sue", .withdraw(amount: 1)) }
            _ = try play.folder.apply(entries)
            #expect(try bring(try #require(copy), from: place.path) == play.folder.count - before)
            #expect(copy?.market.fingerprint == play.folder.market.fingerprint)
            #expect(try bring(try #require(copy), from: place.path) == 0)
            if count == 40 {
                copy = nil
                copy = try MarketCopy(at: other.path)
            }
        }
        let audit = try MarketAudit(of: other.path, key: signer("clerk").publicKey)
        #expect(audit.count == play.folder.count)
        #expect(try bytes(other.path + "/checkpoint") == bytes(place.path + "/checkpoint"))
        #expect(evidence(other.path).isEmpty)
    }

    @Test("Whatever a server changes on the way, nothing of it is stored")
    func lies() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        let copy = try MarketCopy.create(at: other.path, description: description(place.path))
        try bring(copy, from: place.path)
        let (count, before) = (copy.count, try bytes(other.path + "/entries"))
        _ = try play.folder.apply((0..<5).map { _ in try play.signed("sue", .withdraw(amount: 1)) })
        let checkpoint = try bytes(place.path + "/checkpoint")
        let size = try bytes(place.path + "/tile/entries/000.p/\(play.folder.count)").count
        for offset in stride(from: size - 1_000, to: size, by: 37) {
            #expect(throws: MarketFolderError.self, "\(offset)") {
                try bring(copy, from: place.path) { $0[0][offset] ^= 1 }
            }
        }
        #expect(throws: MarketFolderError.self) { try bring(copy, from: place.path) { $0 = [] } }
        #expect(throws: MarketFolderError.self) { try bring(copy, from: place.path) { $0[0] = [] } }
        #expect(throws: MarketFolderError.self) { try bring(copy, from: place.path) { $0[0].removeLast(70) } }
        // A checkpoint that the operator did not sign.
        for offset in stride(from: 0, to: checkpoint.count, by: 11) {
            var forged = checkpoint
            forged[offset] ^= 1
            #expect(throws: MarketFolderError.self) { try bring(copy, from: place.path, checkpoint: forged) }
        }
        #expect(copy.count == count)
        #expect(try bytes(other.path + "/entries") == before)
        #expect(try bring(copy, from: place.path) == 5)
    }

    @Test("A market that goes back, or shows another history, is found out, and both checkpoints are kept")
    func forks() throws {
        let (place, fork, other) = (TemporaryPath(), TemporaryPath(), TemporaryPath())
        do { _ = try PlayedFolder(at: place.path) }
        try FileManager.default.copyItem(atPath: place.path, toPath: fork.path)
        let copy = try MarketCopy.create(at: other.path, description: description(place.path))
        let market = copy.description.market
        let (one, two) = (
            try MarketFolder(at: place.path, key: .ofTests), try MarketFolder(at: fork.path, key: .ofTests)
        )
        let old = one.checkpoint
        _ = try one.apply([signer("sue").sign(.withdraw(amount: 1), by: party("sue"), in: market)])
        try bring(copy, from: place.path)
        func found(_ words: String, _ body: () throws -> Void) {
            do {
                try body()
                Issue.record("it was believed")
            } catch {
                #expect(
                    (error as? MarketFolderError)?.isContradiction == true && "\(error)".contains(words), "\(error)")
            }
        }
        found("goes back") { try bring(copy, from: place.path, checkpoint: old) }
        // The same number of entries, and then more.
        _ = try two.apply([signer("sue").sign(.withdraw(amount: 2), by: party("sue"), in: market)])
        found("another history") { try bring(copy, from: fork.path) }
        _ = try two.apply([signer("sue").sign(.withdraw(amount: 3), by: party("sue"), in: market)])
        found("not those over which") { try bring(copy, from: fork.path) }
        // Its own, the old one, and the two of the fork.
        #expect(evidence(other.path).count == 4)
        #expect(try bring(copy, from: place.path) == 0)
    }

    @Test("An operator who signs a state that the entries do not come to is found out")
    func state() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        let description = play.folder.description
        let honest = try SignedCheckpoint(parsing: play.folder.checkpoint)
        let forged = try SignedCheckpoint(
            signing: Checkpoint(
                origin: description.log.origin, head: honest.head,
                extensions: [SealedFolder.stateLine(hashed("richer"))]),
            with: [PlatformKey.ofTests.signing(description)])
        let copy = try MarketCopy.create(at: other.path, description: try bytes(place.path + "/market.json"))
        #expect(throws: MarketFolderError.self) { try bring(copy, from: place.path, checkpoint: forged.bytes) }
        #expect(copy.count == 0)
        #expect(try bring(copy, from: place.path) == play.folder.count)
    }

    @Test(
        "A description with another operator or policy is none of the market's: its state says so; nor is a size that no market has"
    )
    func description() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        let text = String(decoding: try description(place.path), as: UTF8.self)
        for (right, wrong) in [("\"clerk\"", "\"claire\""), ("300000", "400000")] {
            let forged = TemporaryPath()
            #expect(text.contains(right))
            let copy = try MarketCopy.create(
                at: forged.path, description: Array(text.replacing(right, with: wrong).utf8))
            #expect(throws: MarketFolderError.self, "\(wrong)") { try bring(copy, from: place.path) }
            #expect(copy.count == 0)
        }
        let copy = try MarketCopy.create(at: other.path, description: description(place.path))
        for size in [UInt64(1) << 40, 1 << 60] {
            let huge = try SignedCheckpoint(
                signing: Checkpoint(
                    origin: play.folder.description.log.origin,
                    head: TreeHead(size: size, root: MerkleHash(hashed("root").bytes) ?? .emptyTree), extensions: []),
                with: [PlatformKey.ofTests.signing(play.folder.description)])
            #expect(throws: MarketFolderError.self) { try copy.missing(for: huge.bytes) }
        }
    }

    @Test("What was verified is not verified again where the log goes through it, to the last byte; what came since is")
    func verified() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        let copy = try MarketCopy.create(at: other.path, description: description(place.path))
        try bring(copy, from: place.path)
        let end = copy.position
        #expect(end.count == play.folder.count)
        // Nobody's signature, which an ordinary look finds: one that was looked at before is not looked at again.
        let honest = try play.signed("sue", .withdraw(amount: 1))
        let forged = SignedEntry(honest.request, signature: [UInt8](repeating: 1, count: 64))
        let base = try bytes(other.path + "/entries")
        func log(_ entries: [SignedEntry], at path: String, flipping place: Int? = nil) throws -> LogPosition {
            let (added, position) = EntryLog.batch(entries.map(\.journalBytes), after: end)
            var all = base + added
            if let place { all[place] ^= 1 }
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data(description(other.path)).write(to: URL(filePath: path + "/market.json"))
            try Data(all).write(to: URL(filePath: path + "/entries"))
            return position
        }
        let first = TemporaryPath()
        let position = try log([forged], at: first.path)
        #expect(throws: MarketFolderError.self) { try MarketCopy(at: first.path) }
        #expect(throws: MarketFolderError.self) { try MarketCopy(at: first.path, verified: end) }
        #expect(try MarketCopy(at: first.path, verified: position).count == end.count + 1)
        // Another digest, another number, and a place that the log does not reach.
        for wrong in [
            LogPosition(count: position.count, digest: hashed("another")),
            LogPosition(count: position.count - 1, digest: position.digest),
            LogPosition(count: position.count + 1, digest: position.digest),
            LogPosition(count: -1, digest: position.digest), LogPosition(count: .max, digest: position.digest),
        ] {
            #expect(throws: MarketFolderError.self) { try MarketCopy(at: first.path, verified: wrong) }
        }
        // A forged entry behind what was verified, and an honest one.
        let second = TemporaryPath()
        let known = try log([honest], at: second.path)
        #expect(try MarketCopy(at: second.path, verified: end).position == known)
        let third = TemporaryPath()
        _ = try log([honest, forged], at: third.path)
        #expect(throws: MarketFolderError.self) { try MarketCopy(at: third.path, verified: known) }
        // Whatever byte of what was verified is another: it is another log.
        for place in stride(from: 0, to: base.count, by: base.count / 40) {
            let changed = TemporaryPath()
            _ = try log([forged], at: changed.path, flipping: place)
            #expect(throws: MarketFolderError.self, "\(place)") { try MarketCopy(at: changed.path, verified: position) }
        }
        // An audit goes by the same.
        let audit = try MarketAudit(of: other.path, verified: end)
        #expect(audit.count == end.count && audit.market.fingerprint == copy.market.fingerprint)
        #expect(audit.entries.map(\.entry) == (try MarketAudit(of: other.path)).entries.map(\.entry))
    }

    @Test("A copy that a crash left between entries and checkpoint goes on")
    func crash() throws {
        let (place, other) = (TemporaryPath(), TemporaryPath())
        let play = try PlayedFolder(at: place.path)
        let old: [UInt8]
        do {
            let copy = try MarketCopy.create(at: other.path, description: description(place.path))
            try bring(copy, from: place.path)
            old = copy.checkpoint
            _ = try play.folder.apply((0..<300).map { _ in try play.signed("sue", .withdraw(amount: 1)) })
            try bring(copy, from: place.path)
        }
        // Tiles and checkpoint as they were before.
        try Data(old).write(to: URL(filePath: other.path + "/checkpoint"))
        try FileManager.default.removeItem(atPath: other.path + "/tile")
        let copy = try MarketCopy(at: other.path)
        #expect(copy.count == play.folder.count)
        #expect(try bring(copy, from: place.path) == 0)
        #expect(try MarketAudit(of: other.path).count == play.folder.count)
    }
}
