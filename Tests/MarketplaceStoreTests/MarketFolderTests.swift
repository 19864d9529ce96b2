import Foundation
import MarketplaceStore
import Testing
import TransparencyLog

@testable import Marketplace

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("A market's folder proves itself")
struct MarketFolderTests {
    private func played() throws -> (place: TemporaryPath, play: PlayedFolder) {
        let place = TemporaryPath()
        var play = try PlayedFolder(at: place.path)
        let winner = try play.train()
        try play.settle(winner: winner)
        return (place, play)
    }

    /// A folder that nobody has open, with the entries' bytes.
    private func closed() throws -> (place: TemporaryPath, entries: [[UInt8]], market: MarketDescription) {
        let (place, play) = try played()
        let description = play.folder.description
        var entries: [[UInt8]] = []
        _ = try EntryLog.read(bytes(place.path + "/entries"), beginning: description.beginning.beginning) { bytes, _ in
            entries.append([UInt8](bytes))
        }
        return (place, entries, description)
    }

    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    private func write(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    /// Entries in a log whose chain is right: each in a batch of its own.
    private func write(_ entries: [[UInt8]], _ description: MarketDescription, _ path: String) throws {
        var position = LogPosition(count: 0, digest: description.beginning.beginning)
        var bytes = position.digest.bytes
        for entry in entries {
            let (more, end) = EntryLog.batch([entry], after: position)
            bytes += more
            position = end
        }
        try write(bytes, path + "/entries")
    }

    /// Both who has no key and who opens it find out.
    private func contradicted(_ path: String, _ words: String, location: SourceLocation = #_sourceLocation) {
        do throws(MarketFolderError) {
            _ = try MarketAudit(of: path)
            Issue.record("it was verified", sourceLocation: location)
        } catch {
            #expect(error.isContradiction && "\(error)".contains(words), "\(error)", sourceLocation: location)
        }
        #expect(throws: MarketFolderError.self, sourceLocation: location) {
            try MarketFolder(at: path, key: .ofTests)
        }
    }

    @Test("Played from draft to payouts: a copy is verified without a key, and comes to the same state")
    func whole() throws {
        let (place, play) = try played()
        let audit = try MarketAudit(of: place.path, key: signer("clerk").publicKey)
        #expect(audit.market.fingerprint == play.folder.market.fingerprint && audit.count == play.folder.count)
        #expect(audit.unsealed == 0 && audit.market[play.task]?.stage == .settled)
        let task = try #require(audit.market[play.task])
        let flow = audit.money.flow(of: task, in: audit.market.book)
        // Of the pot of 120,000 the last claim, one of these, is still held.
        #expect(flow.funded == 120_000 && flow.isWhole && flow.held > 0 && flow.heldDeposits == 0)
        #expect(flow.held == Int128(task.settlement?.payouts.last?.amount ?? -1) && flow.deposited == flow.returned)
        try play.end()
        let over = try MarketAudit(of: place.path)
        let end = try #require(over.market[play.task])
        #expect(end.stage == .paidOut && over.money.flow(of: end, in: over.market.book).held == 0)
        // Olga's data were worth three times omar's.
        let paid = Dictionary(
            uniqueKeysWithValues: end.settlement?.payouts.map { ("\($0.role) \($0.party)", $0.amount) } ?? [])
        #expect(paid["owner olga"] == 45_000 && paid["owner omar"] == 15_000 && paid["provider pia"] == 4_000)
    }

    @Test(
        "Closed and opened again it is the same, and goes on; another's key opens nothing; one process has it at a time"
    )
    func reopened() throws {
        let (place, play) = try played()
        #expect(throws: MarketFolderError.self) { try MarketFolder(at: place.path, key: .ofTests) }
        let other = TemporaryPath()
        try FileManager.default.copyItem(atPath: place.path, toPath: other.path)
        #expect(throws: MarketFolderError.otherKey(signer("sue").publicKey, expected: signer("clerk").publicKey)) {
            try MarketFolder(at: other.path, key: try #require(PlatformKey(seed: hashed("key of sue").bytes)))
        }
        let again = try MarketFolder(at: other.path, key: .ofTests)
        #expect(again.market.fingerprint == play.folder.market.fingerprint)
        try again.operate(.credit(party("sue"), amount: 1))
        #expect(try MarketAudit(of: other.path).market.fingerprint == again.market.fingerprint)
        #expect(throws: MarketFolderError.self) {
            try MarketFolder.create(at: other.path, operatorName: party("clerk"), policy: .ofTests, key: .ofTests)
        }
        // Another market under the same name and key has no entry of this one.
        #expect(throws: MarketFolderError.otherKey(signer("clerk").publicKey, expected: signer("sue").publicKey)) {
            try MarketAudit(of: other.path, key: signer("sue").publicKey)
        }
    }

    @Test("What is nobody's is answered, and leaves no trace in the folder")
    func nobodys() throws {
        let (place, play) = try played()
        let (count, before) = (play.folder.count, try bytes(place.path + "/checkpoint"))
        let forged = try signer("ben").sign(.withdraw(amount: 5), by: party("olga"), in: play.folder.description.market)
        #expect(try play.folder.apply([forged]) == [.notAdmitted(.signature(party("olga")))])
        // A party that is registered in the same call acts from there on.
        let market = play.folder.description.market
        let register = try signer("clerk").sign(
            .register(party("zoe"), key: signer("zoe").publicKey), by: party("clerk"), in: market, time: 600)
        let first = try signer("zoe").sign(.withdraw(amount: 0), by: party("zoe"), in: market)
        #expect(try bytes(place.path + "/checkpoint") == before && play.folder.count == count)
        let answers = try play.folder.apply([register, first, register])
        let second = try play.folder.apply([signer("zoe").sign(.withdraw(amount: 0), by: party("zoe"), in: market)])
        #expect(answers == [.done(.none), second[0], .done(.none)])
        guard case .refused(.book) = second[0] else {
            Issue.record("\(second)")
            return
        }
        #expect(play.folder.count == count + 3)
        #expect(try MarketAudit(of: place.path).market.fingerprint == play.folder.market.fingerprint)
    }

    @Test("A forged entry, another market's, a repeated one: behind all others, in a chain that is right")
    func foreign() throws {
        let (place, entries, description) = try closed()
        let forged = try signer("ben").sign(.withdraw(amount: 5), by: party("olga"), in: description.market)
        try write(entries + [forged.journalBytes], description, place.path)
        contradicted(place.path, "the signature is not olga's")
        let elsewhere = try signer("olga").sign(.withdraw(amount: 5), by: party("olga"), in: hashed("elsewhere"))
        try write(entries + [elsewhere.journalBytes], description, place.path)
        contradicted(place.path, "is signed for market")
        try write(entries + [entries[entries.count - 1]], description, place.path)
        contradicted(place.path, "a repeated entry")
        try write(entries, description, place.path)
        #expect(try MarketAudit(of: place.path).count == entries.count)
    }

    @Test("A suffix that is left out, exchanged or written anew, and a tail that is cut, are not what was signed")
    func suffix() throws {
        let (place, entries, description) = try closed()
        let last = entries.count - 1
        try write(Array(entries[..<last]), description, place.path)
        contradicted(place.path, "the log of entries was cut")
        // Two claims the other way round: each is signed, and the money is the same.
        var swapped = entries
        swapped.swapAt(last, last - 1)
        try write(swapped, description, place.path)
        contradicted(place.path, "are not those over which")
        // Another last entry, which its party did sign.
        let mine = try signer("olga").sign(.withdraw(amount: 5), by: party("olga"), in: description.market)
        try write(Array(entries[..<last]) + [mine.journalBytes], description, place.path)
        contradicted(place.path, "are not those over which")
        // An early one left out: what follows is no longer what was answered.
        var without = entries
        without.remove(at: 20)
        try write(without + [mine.journalBytes], description, place.path)
        contradicted(place.path, "are not those over which")
    }

    @Test("A checkpoint under another key, of another state, or none")
    func checkpoint() throws {
        let (place, entries, description) = try closed()
        let file = place.path + "/checkpoint"
        let good = try bytes(file)
        let checkpoint = try SignedCheckpoint(parsing: good).checkpoint
        let name = try KeyName("parley.market/\(description.market)")
        func write(_ extensions: [[UInt8]], seed: String) throws {
            let signer = try SigningKey(name: name, kind: .ed25519, seed: hashed("key of \(seed)").bytes).signer
            let changed = try Checkpoint(origin: checkpoint.origin, head: checkpoint.head, extensions: extensions)
            try self.write(SignedCheckpoint(signing: changed, with: [signer]).bytes, file)
        }
        try write(checkpoint.extensions, seed: "mallory")
        contradicted(place.path, "not signed by the market's operator")
        // The operator itself says another state: who reads finds out.
        try write([Array("state \(hashed("other"))".utf8)], seed: "clerk")
        #expect(throws: MarketFolderError.self) { try MarketAudit(of: place.path) }
        try write(checkpoint.extensions, seed: "clerk")
        #expect(try MarketAudit(of: place.path).count == entries.count)
        try FileManager.default.removeItem(atPath: file)
        #expect(throws: MarketFolderError.self) { try MarketAudit(of: place.path) }
        #expect(throws: MarketFolderError.self) { try MarketFolder(at: place.path, key: .ofTests) }
    }

    @Test("What is no file, or is longer than a market's can be, is refused before it is read")
    func oddFiles() throws {
        let (place, _, _) = try closed()
        let tile = try #require(
            try FileManager.default.subpathsOfDirectory(atPath: place.path + "/tile").first {
                !$0.hasSuffix(".p") && $0.contains(".p/")
            })
        for name in ["checkpoint", "market.json", "entries", "tile/" + tile] {
            let file = place.path + "/" + name
            let good = try bytes(file)
            try FileManager.default.removeItem(atPath: file)
            // Nobody ever writes into the pipe.
            #expect(mkfifo(file, 0o600) == 0)
            #expect(throws: MarketFolderError.self, "\(name)") { try MarketAudit(of: place.path) }
            unlink(file)
            try write(good, file)
            // Ten gigabytes that take no room on the disk.
            #expect(truncate(file, 10 << 30) == 0)
            #expect(throws: MarketFolderError.self, "\(name)") { try MarketAudit(of: place.path) }
            try write(good, file)
        }
        _ = try MarketAudit(of: place.path)
    }

    @Test("A tile that is changed or missing is found, and one that is missing is made again by who opens the folder")
    func tiles() throws {
        let (place, _, _) = try closed()
        let files = try FileManager.default.subpathsOfDirectory(atPath: place.path + "/tile").filter {
            !$0.hasSuffix(".p")
        }
        .map { place.path + "/tile/" + $0 }
        .filter { !((try? URL(filePath: $0).resourceValues(forKeys: [.isDirectoryKey]).isDirectory) ?? true) }
        #expect(files.count == 2, "the hashes and the entries of the last checkpoint, and of no earlier one")
        for file in files {
            let good = try bytes(file)
            var changed = good
            changed[good.count / 2] ^= 1
            try write(changed, file)
            #expect(throws: MarketFolderError.self) { try MarketAudit(of: place.path) }
            try FileManager.default.removeItem(atPath: file)
            #expect(throws: MarketFolderError.self) { try MarketAudit(of: place.path) }
            _ = try MarketFolder(at: place.path, key: .ofTests)
            #expect(try bytes(file) == good && MarketAudit(of: place.path).unsealed == 0)
        }
    }

    @Test(
        "What a crash left behind the checkpoint is told, is no part of the state, and is signed by who opens the folder"
    )
    func unsealed() throws {
        let (place, entries, description) = try closed()
        let sealed = try MarketAudit(of: place.path)
        let next = try signer("olga").sign(.withdraw(amount: 5), by: party("olga"), in: description.market)
        try write(entries + [next.journalBytes], description, place.path)
        let torn = try bytes(place.path + "/entries")
        try write(torn + torn[200..<250], place.path + "/entries")
        let audit = try MarketAudit(of: place.path)
        #expect(audit.unsealed == 1 && audit.market.fingerprint == sealed.market.fingerprint)
        let folder = try MarketFolder(at: place.path, key: .ofTests)
        #expect(folder.count == entries.count + 1)
        let again = try MarketAudit(of: place.path)
        #expect(again.unsealed == 0 && again.market.fingerprint == folder.market.fingerprint)
    }

    @Test("An entry's proof of inclusion is verified without the folder")
    func proofs() throws {
        let (place, entries, description) = try closed()
        let audit = try MarketAudit(of: place.path)
        let name = try KeyName("parley.market/\(description.market)")
        let key = try VerifierKey(name: name, kind: .ed25519, publicKey: description.operatorKey.value.bytes)
        for number in [0, 17, entries.count - 1] {
            let proof = try LogProof(parsing: audit.proof(ofEntry: number))
            let policy = try LogPolicy("quorum none\n")
            let found = try proof.verify(
                .leaf(entries[number]), policy: policy, log: LogIdentity(key: key), latestTime: 0)
            #expect(found.checkpoint.head.size == UInt64(entries.count))
            #expect(throws: (any Error).self) {
                try proof.verify(.leaf(entries[3]), policy: policy, log: LogIdentity(key: key), latestTime: 0)
            }
        }
    }

    @Test("More entries than a tile holds, one call at a time")
    func many() throws {
        let place = TemporaryPath()
        let folder = try MarketFolder.create(
            at: place.path, operatorName: party("clerk"), policy: .ofTests, key: .ofTests)
        try folder.operate(.register(party("sue"), key: signer("sue").publicKey))
        for number in 0..<30 {
            let credits = try (0..<20).map { _ in
                try signer("clerk").sign(
                    .credit(party("sue"), amount: 1), by: party("clerk"), in: folder.description.market,
                    time: Int64(number))
            }
            _ = try folder.apply(credits)
        }
        let audit = try MarketAudit(of: place.path)
        #expect(audit.count == 601 && audit.market.book[Market.account(of: party("sue"))]?.balance == 600)
        let partials = try FileManager.default.subpathsOfDirectory(atPath: place.path + "/tile").filter {
            $0.contains(".p/")
        }
        #expect(partials.count == 3, "\(partials)")
    }
}
