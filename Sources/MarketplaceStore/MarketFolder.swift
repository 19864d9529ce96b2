internal import Foundation
public import Marketplace
internal import TransparencyLog

/// A market's folder: its description, the log of its signed entries, and these entries as a transparency log (tlog-tiles) with a checkpoint that the platform signs. All of it is
/// public: whoever has a copy checks every signature and the tree, and makes the same market again (``MarketAudit``).
///
///     market.json   name, operator, operator's key, policy
///     entries       every entry, in order (EntryLog): durable before it is applied
///     tile/         the same entries and their Merkle tree
///     checkpoint    size, root and hash of the market's state, signed
///     draws/        by task: the checkpoint that draws validation rows in a dispute (`draw`)
///
/// Whoever adds to it holds the lock on `entries`. An answer is given when the entry and a checkpoint over it are durable. A crash between leaves entries without a checkpoint,
/// over which the next one goes: tiles and checkpoint follow from the entries, so that there is one root for each size. The private key is not in it.
public final class MarketFolder {
    private let sealed: SealedFolder
    private let key: PlatformKey

    /// Where.
    public var path: String { sealed.path }
    /// What it was made with.
    public var description: MarketDescription { sealed.description }
    /// The market, as its durable entries made it.
    public var market: Market { sealed.ledger.state }
    /// How many entries there are.
    public var count: Int { sealed.ledger.position.count }
    /// The checkpoint, as it stands in the folder.
    public var checkpoint: [UInt8] { sealed.checkpoint?.bytes ?? [] }

    /// Makes a folder for a new market, which nothing has the name of yet. It is there as a whole, or not at all.
    ///
    /// - Parameter key: The platform's.
    /// - Throws: ``MarketFolderError``.
    public static func create(
        at path: String, operatorName: PartyName, policy: DepositPolicy, key: PlatformKey
    ) throws(MarketFolderError) -> MarketFolder {
        let description = MarketDescription(
            market: .fresh(), operatorName: operatorName, operatorKey: key.signer.publicKey, policy: policy)
        try SealedFolder.create(path, description) { _ = try MarketFolder(begun: $0, key: key) }
        return try MarketFolder(at: path, key: key)
    }

    /// Opens a folder to add to it: applies every entry again, and adds what a crash left out of the tree.
    ///
    /// - Throws: ``MarketFolderError``, also where another process has it open, the key is not the operator's, or the entries are not those that were signed.
    public convenience init(at path: String, key: PlatformKey) throws(MarketFolderError) {
        // Without its description a folder would be made by opening its log.
        let file = SealedFolder.File.checkpoint(path)
        guard FileManager.default.fileExists(atPath: file) else {
            throw .malformed(file, expected: "a market's signed checkpoint, which its folder has from the first")
        }
        try self.init(begun: path, key: key)
    }

    private init(begun path: String, key: PlatformKey) throws(MarketFolderError) {
        let description = try SealedFolder.description(of: path)
        guard key.signer.publicKey == description.operatorKey else {
            throw .otherKey(key.signer.publicKey, expected: description.operatorKey)
        }
        self.key = key
        sealed = try SealedFolder(path)
        do { try seal() } catch { throw SealedFolder.error(error, path) }
    }

    /// Signs over what no checkpoint is over: also what an earlier call stored and could not sign.
    private func seal() throws {
        try sealed.grow()
        guard sealed.isBehind else { return }
        let (sealed, key) = (sealed, key)
        try sealed.seal { head in
            let checkpoint = try Checkpoint(
                origin: sealed.description.log.origin, head: head,
                extensions: [SealedFolder.stateLine(sealed.ledger.fingerprint())])
            return try SignedCheckpoint(signing: checkpoint, with: [key.signing(sealed.description)])
        }
    }

    /// Stores signed entries, applies them in their order, and signs a checkpoint over them.
    ///
    /// - Returns: An answer to each, which is durable. Entries that are nobody's are answered with `notAdmitted`, and are not stored.
    /// - Throws: ``MarketFolderError``: no entry has an answer then. What was stored is there when it is asked again.
    public func apply(_ entries: [SignedEntry]) throws(MarketFolderError) -> [MarketAnswer] {
        let answers: [MarketAnswer]
        do throws(StoreError) { answers = try sealed.ledger.apply(entries) } catch { throw .store(error) }
        do { try seal() } catch { throw SealedFolder.error(error, path) }
        return answers
    }

    /// Adds a witness's cosignature to the checkpoint, if that is still over the same tree.
    func add(_ line: NoteSignature, to head: TreeHead) throws(MarketFolderError) {
        guard let checkpoint = sealed.checkpoint, checkpoint.head == head else { return }
        do { try sealed.replace(try checkpoint.adding([line])) } catch { throw SealedFolder.error(error, path) }
    }

    /// Why a checkpoint that the operator signed is none of this log's; nil: it is.
    func contradiction(of seen: SignedCheckpoint) throws(MarketFolderError) -> String? {
        do {
            guard seen.head.size > 0 else { return nil }
            guard let own = sealed.checkpoint, own.head.size >= seen.head.size else {
                return
                    "a witness saw \(seen.head.size) entries of this market, and here are \(count): the folder was put back, and goes on nowhere"
            }
            let path = path
            var tiles = try VerifiedTiles(head: own.head) { tile in
                try DurableFiles.read(
                    SealedFolder.File.tile(tile, path), most: MarketCopy.longestBundle, expected: "a tile of the log")
            }
            guard try tiles.head(at: seen.head.size) != seen.head else { return nil }
            return
                "a witness saw another history of the first \(seen.head.size) entries: the folder is one of two, and goes on nowhere"
        } catch { throw SealedFolder.error(error, path) }
    }

    /// Signs what the operator asks for, at a time of its clock; nil: the latest.
    ///
    /// - Throws: ``MarketFolderError``.
    func signed(_ action: MarketAction, at time: Int64?) throws(MarketFolderError) -> SignedEntry {
        do {
            return try key.signer.sign(
                action, by: description.operatorName, in: description.market, time: time ?? market.time)
        } catch { throw SealedFolder.error(error, path) }
    }

    /// Asks for something in the operator's name, at a time of its clock; nil: the latest.
    ///
    /// - Throws: ``MarketFolderError``.
    @discardableResult
    public func operate(_ action: MarketAction, at time: Int64? = nil) throws(MarketFolderError) -> MarketAnswer {
        try apply([signed(action, at: time)])[0]
    }

    /// Brings the log's present checkpoint to a task whose result was declared: it draws the rows that a dispute opens. Its bytes are kept in the folder, so that a referee can prove the
    /// draw (``MarketAudit/drawProof(of:)``): the entry holds their digest alone.
    ///
    /// - Throws: ``MarketFolderError``.
    @discardableResult
    public func draw(for task: Digest256, at time: Int64? = nil) throws(MarketFolderError) -> MarketAnswer {
        try keepDraw(for: task)
        return try operate(.task(task, .checkpoint(.sha256(checkpoint))), at: time)
    }

    /// Keeps the present checkpoint as the one that draws a task's rows; what drew already stays.
    func keepDraw(for task: Digest256) throws(MarketFolderError) {
        guard market[task]?.stage == .declared else { return }
        do { try DurableFiles.write([(SealedFolder.File.draw(task, path), checkpoint)]) } catch {
            throw SealedFolder.error(error, path)
        }
    }
}
