internal import Foundation
public import Marketplace
internal import TransparencyLog

/// What a copy of a market's folder proves to who has no key: every entry is signed by the party in whose name it asks, the entries are those over which the operator signed a
/// checkpoint, and applied again they come to the state that the checkpoint says, in which no money was made or lost.
///
/// **What it does not prove**: that the operator shows everybody the same log (compare checkpoints, or let witnesses cosign them), that its clock is right, that a party is who
/// its name says, or that a score is true. Without a key from elsewhere, that the operator is the one whom one means.
public struct MarketAudit: Sendable {
    /// What the market was made with.
    public let description: MarketDescription
    /// The market as of the checkpoint.
    public let market: Market
    /// How many entries the checkpoint is over.
    public let count: Int
    /// How many entries stand behind, which no checkpoint is over yet: a crash can leave them. They are signed, and no part of ``market``.
    public let unsealed: Int
    /// Where each task's money is.
    public let money: MarketMoney
    /// Every entry that the checkpoint is over, and what it came to.
    public let entries: [(entry: SignedEntry, answer: MarketAnswer)]
    private let path: String
    private let signed: SignedCheckpoint

    /// The signed checkpoint, as it stands in the folder.
    public var checkpoint: [UInt8] { signed.bytes }

    /// Reads a folder, which another process may be adding to.
    ///
    /// - Parameters:
    ///   - key: The operator's, from elsewhere; nil: the one that the folder tells.
    ///   - verified: A ``MarketCopy/position`` that the caller kept of this market: where the log goes through it, signatures before it are not verified again.
    /// - Throws: ``MarketFolderError``, of which ``MarketFolderError/isContradiction`` tells whether something was changed.
    public init(
        of path: String, key: PartyKey? = nil, verified: LogPosition? = nil
    ) throws(MarketFolderError) {
        let file = SealedFolder.File.checkpoint(path)
        var before = Self.checkpoint(file)
        for _ in 0..<8 {
            do throws(MarketFolderError) {
                try self.init(once: path, key: key, verified: verified)
                return
            } catch {
                // Partial tiles go when a checkpoint over more entries has come: that one is read then.
                let now = Self.checkpoint(file)
                guard !error.isContradiction, now != before else { throw error }
                before = now
            }
        }
        try self.init(once: path, key: key, verified: verified)
    }

    private static func checkpoint(_ file: String) -> [UInt8]? {
        try? DurableFiles.read(file, most: SignedNote.largestSize, expected: "a signed checkpoint")
    }

    private init(once path: String, key: PartyKey?, verified: LogPosition?) throws(MarketFolderError) {
        let description = try SealedFolder.description(of: path)
        if let key, key != description.operatorKey { throw .otherKey(description.operatorKey, expected: key) }
        // First the checkpoint: entries that come while this reads stand behind it.
        let (signed, replay): (SignedCheckpoint, Replay)
        do {
            guard let checkpoint = try SealedFolder.checkpoint(of: path, log: description.log) else {
                throw MarketFolderError.malformed(
                    SealedFolder.File.checkpoint(path),
                    expected: "a signed checkpoint, which the folder has from the first")
            }
            signed = checkpoint
            replay = try Replay(of: path, description, upTo: checkpoint.head, verified: verified)
            try Self.checkTiles(of: path, head: checkpoint.head)
        } catch let error as MarketFolderError { throw error } catch { throw .contradiction("\(path): \(error)") }
        guard signed.checkpoint.extensions == [SealedFolder.stateLine(replay.market.fingerprint)] else {
            throw .contradiction(
                "the entries come to the state \(replay.market.fingerprint), which is not the one that the operator signed"
            )
        }
        try Self.checkDraws(of: path, replay.market)
        let wrong = replay.money.contradictions(in: replay.market)
        guard wrong.isEmpty else { throw .contradiction(wrong.joined(separator: "; ")) }
        (self.path, self.signed, self.description) = (path, signed, description)
        (market, money, entries) = (replay.market, replay.money, replay.entries)
        (count, unsealed) = (replay.entries.count, replay.unsealed)
    }

    /// The proof that an entry is in the log (c2sp.org/tlog-proof), which whoever has the operator's key checks without the folder.
    ///
    /// - Parameter number: From 0, below ``count``.
    /// - Throws: ``MarketFolderError``.
    public func proof(ofEntry number: Int) throws(MarketFolderError) -> [UInt8] {
        do {
            var tiles = try Self.tiles(of: path, head: signed.head)
            return try LogProof(
                index: UInt64(number), inclusion: tiles.inclusionProof(of: UInt64(number)), checkpoint: signed
            ).bytes
        } catch { throw .contradiction("\(path): \(error)") }
    }

    /// What proves which validation rows a task's dispute opens: for the sponsor's datasite, which knows nothing of the market but its name and two keys.
    ///
    /// - Throws: ``MarketFolderError``, also where no checkpoint was brought to the task, or the folder does not keep it.
    public func drawProof(of task: MarketTask) throws(MarketFolderError) -> DrawProof {
        guard let drawn = task.checkpoint else {
            throw .malformed(
                path, expected: "a task to which the operator brought a checkpoint, behind its declaration")
        }
        let (file, digest) = (SealedFolder.File.draw(task.id, path), task.terms.digest)
        let checkpoint = try DurableFiles.read(
            file, most: SignedNote.largestSize, expected: "the checkpoint that draws rows of the task")
        guard Digest256.sha256(checkpoint) == drawn else {
            throw .contradiction("\(file) is not the checkpoint that the operator brought to the task")
        }
        var (terms, places) = ([UInt8]?.none, [Int?](repeating: nil, count: 3))
        for (number, (entry, answer)) in entries.enumerated() {
            guard case .done = answer else { continue }
            switch entry.request.action {
            case .draft(let drafted) where entry.key == task.id && drafted.digest == digest: terms = entry.journalBytes
            case .task(task.id, .amend(let amended)) where amended.digest == digest: terms = entry.journalBytes
            case .task(task.id, .fund): places[0] = number
            case .task(task.id, .declare): places[1] = number
            case .task(task.id, .checkpoint): places[2] = number
            default: break
            }
        }
        guard let terms, let funding = places[0], let declaration = places[1], let drawing = places[2] else {
            throw .malformed(
                path, expected: "a task that its sponsor funded and declared: one who was silent opens no rows")
        }
        return DrawProof(
            terms: terms, funding: try logged(funding), declaration: try logged(declaration),
            drawing: try logged(drawing), checkpoint: checkpoint)
    }

    private func logged(_ number: Int) throws(MarketFolderError) -> DrawProof.Logged {
        DrawProof.Logged(entry: entries[number].entry.journalBytes, proof: try proof(ofEntry: number))
    }

    /// A checkpoint that is kept because it draws rows is the one in the log. (A copy may lack it.)
    private static func checkDraws(of path: String, _ market: Market) throws(MarketFolderError) {
        for task in market.allTasks {
            let file = SealedFolder.File.draw(task.id, path)
            guard let drawn = task.checkpoint, FileManager.default.fileExists(atPath: file) else { continue }
            let bytes = try DurableFiles.read(file, most: SignedNote.largestSize, expected: "a signed checkpoint")
            guard Digest256.sha256(bytes) == drawn else {
                throw .contradiction("\(file) is not the checkpoint that the operator brought to the task")
            }
        }
    }

    /// Tasks whose rows are drawn by a checkpoint that is not here: in a dispute nothing could be opened by this folder.
    public var missingDraws: [Digest256] { SealedFolder.missingDraws(of: path, market) }

    /// Each bundle of entries is read and led to the signed root, through every tile.
    private static func checkTiles(of path: String, head: TreeHead) throws {
        var tiles = try tiles(of: path, head: head)
        for bundle in 0..<(head.size + 255) / 256 { _ = try tiles.entries(bundle: bundle) }
    }

    private static func tiles(of path: String, head: TreeHead) throws -> VerifiedTiles {
        try VerifiedTiles(head: head) { tile in
            // A bundle of the longest entries, each behind its length.
            let most = TilePath.fullWidth * (SignedEntry.mostBytes + 2)
            return try DurableFiles.read(
                SealedFolder.File.tile(tile, path), most: most, expected: "a tile of the market's log")
        }
    }
}

/// The entries of a folder, applied again.
private struct Replay {
    var market: Market
    var money = MarketMoney()
    var entries: [(entry: SignedEntry, answer: MarketAnswer)] = []
    var unsealed = 0
    private var frontier = MerkleFrontier()
    /// Entries that may stand behind a checkpoint.
    private static let mostBehind = 4_096

    init(
        of path: String, _ description: MarketDescription, upTo head: TreeHead, verified: LogPosition?
    ) throws {
        market = description.beginning
        let file = SealedFolder.File.entries(path)
        // As long as the checkpoint's entries and a crash's last batch can be, and no longer.
        let count = Int(min(head.size, 1 << 40)) + Self.mostBehind
        let data = try DurableFiles.read(
            file, most: count * (SignedEntry.mostBytes + 256), expected: "the market's log of entries")
        var (audited, behind) = (self, self.market)
        // A market is a value: what stands behind the checkpoint is verified on one of its own.
        var isBehind = head.size == 0
        do throws(EntryLogError) {
            let known = try EntryLog.count(of: data, beginning: market.beginning, through: verified)
            _ = try EntryLog.read(data, beginning: market.beginning) { bytes, position throws(EntryLogError) in
                let record = position.count - 1
                let entry = try DurableLedger<Market>.entry(bytes, position)
                guard !isBehind else {
                    _ = behind.take(try DurableLedger.admitted(entry, record: record, in: behind))
                    audited.unsealed += 1
                    return
                }
                try audited.take(entry, [UInt8](bytes), record: record, isKnown: position.count <= known)
                isBehind = audited.entries.count == Int(head.size)
                if isBehind { behind = audited.market }
            }
        } catch { throw MarketFolderError.store(.log(error)) }
        self = audited
        guard UInt64(entries.count) == head.size else {
            throw MarketFolderError.contradiction(
                "there are \(entries.count) entries, and a checkpoint over \(head.size): the log of entries was cut")
        }
        guard frontier.head == head else {
            throw MarketFolderError.contradiction(
                "the \(head.size) entries are not those over which the operator signed the checkpoint")
        }
    }

    private mutating func take(
        _ entry: SignedEntry, _ bytes: [UInt8], record: Int, isKnown: Bool
    ) throws(EntryLogError) {
        let admitted = try DurableLedger.admitted(entry, record: record, isKnown: isKnown, in: market)
        do { try frontier.append(.leaf(bytes)) } catch { throw .foreign(record: record, reason: "\(error)") }
        var moved: [BookEntry] = []
        let answer = market.apply(admitted) { moved.append($0) }
        if case .done = answer { for one in moved { money.note(one) } }
        entries.append((entry, answer))
    }
}
