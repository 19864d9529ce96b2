internal import Foundation
public import Marketplace
public import TransparencyLog

/// A copy of a market's folder that somebody keeps who need not believe whoever serves it: what comes is stored only when every entry is signed by the party in whose name it asks, the entries lead from what is there to
/// the root that the operator signed, and come to the state that it signed.
///
/// It has the form of the market's own folder (``MarketFolder``), so that everything that reads one reads it. A market that shows another history than it showed before, or goes back, is found out: both
/// signed checkpoints are kept then beside the copy, in `PATH.evidence`.
public final class MarketCopy {
    private let sealed: SealedFolder

    /// Where.
    public var path: String { sealed.path }
    /// What the market was made with.
    public var description: MarketDescription { sealed.description }
    /// The market as of the entries that are here.
    public var market: Market { sealed.ledger.state }
    /// How many there are.
    public var count: Int { sealed.ledger.position.count }
    /// Behind the last of them. Its digest is over all, so that whoever keeps it where nobody else writes knows them again, here or in any other copy, and need not verify them twice.
    public var position: LogPosition { sealed.ledger.position }
    /// The checkpoint over them, as the operator signed it; empty: there is none yet.
    public var checkpoint: [UInt8] { sealed.checkpoint?.bytes ?? [] }

    /// The longest description and the longest checkpoint that are read, in bytes.
    public static let longestDescription = MarketDescription.mostBytes, longestCheckpoint = SignedNote.largestSize
    /// The longest bundle of 256 entries, in bytes.
    public static let longestBundle = TilePath.fullWidth * (SignedEntry.mostBytes + 2)

    /// The most new entries that are taken at once, and the most bytes of them.
    public static let mostAtOnce = UInt64(1) << 20, mostBytesAtOnce = 1 << 30

    /// Begins a copy without entries.
    ///
    /// - Parameters:
    ///   - description: The bytes of the market's `market.json`.
    ///   - key: The operator's, from elsewhere; nil: the one that the description tells.
    /// - Throws: ``MarketFolderError``.
    public static func create(
        at path: String, description bytes: [UInt8], key: PartyKey? = nil
    ) throws(MarketFolderError) -> MarketCopy {
        let description = try MarketDescription(reading: bytes, file: "market.json")
        if let key, key != description.operatorKey { throw .otherKey(description.operatorKey, expected: key) }
        try SealedFolder.create(path, description) { _ = try SealedFolder($0) }
        return try MarketCopy(at: path)
    }

    /// Opens a copy.
    ///
    /// - Parameter verified: A ``position`` that the caller kept of this market: where the log goes through it, signatures before it are not verified again.
    /// - Throws: ``MarketFolderError``, also where another process has it open.
    public init(at path: String, verified: LogPosition? = nil) throws(MarketFolderError) {
        guard FileManager.default.fileExists(atPath: SealedFolder.File.description(path)) else {
            throw .malformed(path, expected: "a copy of a market")
        }
        sealed = try SealedFolder(path, verified: verified)
    }

    /// What is missing up to a checkpoint: tiles below the market's prefix, in the order in which ``take(_:bundles:)`` wants them; nil: nothing new.
    ///
    /// - Throws: ``MarketFolderError`` for a checkpoint that the operator did not sign, or that goes back.
    public func missing(for checkpoint: [UInt8]) throws(MarketFolderError) -> [TilePath]? {
        do { return try missing(for: SealedFolder.checkpoint(checkpoint, log: description.log)) } catch {
            throw SealedFolder.error(error, path)
        }
    }

    private func missing(for next: SignedCheckpoint) throws -> [TilePath]? {
        let (have, size) = (sealed.writer.head.size, next.head.size)
        guard size >= sealed.checkpoint?.head.size ?? 0, size >= have else {
            throw keep(next, "the market goes back: \(size) entries, where there were \(have)")
        }
        guard size > have else {
            guard next.head == sealed.writer.head else {
                throw keep(next, "the market shows another history of the same \(size) entries")
            }
            if next != sealed.checkpoint { try sealed.seal { _ in next } }
            return nil
        }
        guard size - have <= Self.mostAtOnce else {
            throw MarketFolderError.contradiction(
                "the market says that it has \(size - have) new entries: a copy takes at most \(Self.mostAtOnce) at once"
            )
        }
        return try (have / 256...(size - 1) / 256).map { try TilePath(.entries, index: $0, ofTreeWithSize: size) }
    }

    /// Verifies the entries up to a checkpoint, and stores them.
    ///
    /// - Parameter bundles: The bytes of ``missing(for:)``, in their order.
    /// - Returns: The new entries, and what each came to.
    /// - Throws: ``MarketFolderError``; nothing was stored then.
    public func take(
        _ checkpoint: [UInt8], bundles: [[UInt8]]
    ) throws(MarketFolderError) -> [(entry: SignedEntry, answer: MarketAnswer)] {
        do {
            let next = try SealedFolder.checkpoint(checkpoint, log: description.log)
            let paths = try missing(for: next) ?? []
            guard paths.count == bundles.count else {
                throw MarketFolderError.contradiction("\(paths.count) bundles of entries were expected")
            }
            let leaves = try zip(paths, bundles).flatMap { path, bytes in
                let bundle = try EntryBundle(bytes, at: path)
                return (0..<bundle.count).map { [UInt8](bundle[$0]) }
            }.dropFirst(Int(sealed.writer.head.size % 256))
            let (state, entries) = try replayed(Array(leaves), next)
            try sealed.ledger.adopt(Array(leaves), as: state)
            try sealed.grow()
            try sealed.seal { _ in next }
            return entries
        } catch { throw SealedFolder.error(error, path) }
    }

    private func replayed(
        _ leaves: [[UInt8]], _ next: SignedCheckpoint
    ) throws -> (Market, [(entry: SignedEntry, answer: MarketAnswer)]) {
        var (state, tree) = (market, sealed.writer)
        var entries: [(entry: SignedEntry, answer: MarketAnswer)] = []
        for leaf in leaves {
            let record = count + entries.count
            let entry: SignedEntry
            do { entry = try SignedEntry(journalBytes: leaf) } catch {
                throw MarketFolderError.store(.log(.entry(record: record, error)))
            }
            let admitted: AdmittedEntry
            do { admitted = try DurableLedger.admitted(entry, record: record, in: state) } catch {
                throw MarketFolderError.store(.log(error))
            }
            try tree.append(leaf)
            entries.append((entry, state.take(admitted)))
        }
        guard tree.head == next.head else {
            throw keep(
                next, "the \(next.head.size) entries that it sends are not those over which the operator signed")
        }
        state.rememberFingerprint()
        guard next.checkpoint.extensions == [SealedFolder.stateLine(state.fingerprint)] else {
            throw keep(next, "the entries come to the state \(state.fingerprint), which is not the one that was signed")
        }
        return (state, entries)
    }

    /// Tasks whose rows are drawn by a checkpoint that this copy does not have yet.
    public var missingDraws: [Digest256] { SealedFolder.missingDraws(of: path, market) }

    /// Keeps the checkpoint that draws a task's rows, if it is the one whose digest stands in the log (``MarketAudit/drawProof(of:)``).
    ///
    /// - Throws: ``MarketFolderError``.
    public func keepDraw(_ bytes: [UInt8], of task: Digest256) throws(MarketFolderError) {
        guard market[task]?.checkpoint == Digest256.sha256(bytes) else {
            throw .contradiction("the checkpoint that draws rows of task \(task) is not the one in the log")
        }
        do { try DurableFiles.write([(SealedFolder.File.draw(task, path), bytes)]) } catch {
            throw SealedFolder.error(error, path)
        }
    }

    /// Keeps both checkpoints, which are signed.
    private func keep(_ other: SignedCheckpoint, _ words: String) -> MarketFolderError {
        let folder = path + ".evidence"
        for kept in [sealed.checkpoint, other].compactMap({ $0 }) {
            let name = "\(folder)/checkpoint-\(kept.head.size)-\(Digest256.sha256(kept.bytes).hex.prefix(16))"
            try? DurableFiles.write([(name, kept.bytes)])
        }
        return .contradiction("\(words) (the signed checkpoints are kept in \(folder))")
    }
}
