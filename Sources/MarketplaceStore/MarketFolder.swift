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
    /// Where.
    public let path: String
    /// What it was made with.
    public let description: MarketDescription
    private let key: PlatformKey
    private let ledger: DurableLedger<Market>
    private let leaves: LeafQueue
    private var writer: TileWriter
    /// What the checkpoint is over.
    private var signed: TreeHead?

    /// The market, as its durable entries made it.
    public var market: Market { ledger.state }
    /// How many entries there are.
    public var count: Int { ledger.position.count }

    /// Entries that are stored and not yet in the tree.
    private final class LeafQueue {
        private var bytes: [[UInt8]] = []

        func append(_ entries: [[UInt8]]) { bytes += entries }
        func takeAll() -> [[UInt8]] {
            defer { bytes = [] }
            return bytes
        }
    }

    /// The files of a folder.
    enum File {
        static func description(_ path: String) -> String { path + "/market.json" }
        static func entries(_ path: String) -> String { path + "/entries" }
        static func checkpoint(_ path: String) -> String { path + "/checkpoint" }
        static func draw(_ task: Digest256, _ path: String) -> String { "\(path)/draws/\(task)" }
        static func tile(_ tile: TilePath, _ path: String) -> String { "\(path)/\(tile)" }
    }

    /// Makes a folder for a new market, which nothing has the name of yet. It is there as a whole, or not at all.
    ///
    /// - Parameter key: The platform's.
    /// - Throws: ``MarketFolderError``.
    public static func create(
        at path: String, operatorName: PartyName, policy: DepositPolicy, key: PlatformKey
    ) throws(MarketFolderError) -> MarketFolder {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .malformed(path, expected: "a name that nothing has yet")
        }
        let description = MarketDescription(
            market: .fresh(), operatorName: operatorName, operatorKey: key.signer.publicKey, policy: policy)
        let partial = "\(path).\(description.market.hex.prefix(16)).partial"
        do {
            try DurableFiles.makeFolder(partial)
            try DurableFiles.replace(File.description(partial), with: description.bytes)
            _ = try MarketFolder(begun: partial, key: key)
            try DurableFiles.rename(partial, to: path)
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw Self.error(error, path)
        }
        return try MarketFolder(at: path, key: key)
    }

    /// Opens a folder to add to it: applies every entry again, and adds what a crash left out of the tree.
    ///
    /// - Throws: ``MarketFolderError``, also where another process has it open, the key is not the operator's, or the entries are not those that were signed.
    public convenience init(at path: String, key: PlatformKey) throws(MarketFolderError) {
        // Without its description a folder would be made by opening its log.
        guard FileManager.default.fileExists(atPath: File.checkpoint(path)) else {
            throw .malformed(
                File.checkpoint(path), expected: "a market's signed checkpoint, which its folder has from the first")
        }
        try self.init(begun: path, key: key)
    }

    private init(begun path: String, key: PlatformKey) throws(MarketFolderError) {
        (self.path, self.key) = (path, key)
        description = try Self.description(of: path)
        guard key.signer.publicKey == description.operatorKey else {
            throw .otherKey(key.signer.publicKey, expected: description.operatorKey)
        }
        let leaves = LeafQueue()
        self.leaves = leaves
        ledger = try Self.ledger(path, description, leaves)
        writer = TileWriter()
        do { try resume() } catch { throw Self.error(error, path) }
    }

    private static func ledger(
        _ path: String, _ description: MarketDescription, _ leaves: LeafQueue
    ) throws(MarketFolderError) -> DurableLedger<Market> {
        let file: LogFile
        do throws(DiskError) { file = try LogFile(path: File.entries(path)) } catch { throw .disk(error) }
        do throws(StoreError) {
            return try DurableLedger(file, from: description.beginning) { leaves.append($0) }
        } catch { throw .store(error) }
    }

    static func description(of path: String) throws(MarketFolderError) -> MarketDescription {
        let file = File.description(path)
        let bytes = try DurableFiles.read(file, most: MarketDescription.mostBytes, expected: "a market's description")
        return try MarketDescription(reading: bytes, file: file)
    }

    private static func error(_ error: any Error, _ path: String) -> MarketFolderError {
        switch error {
        case let error as MarketFolderError: error
        case let error as DiskError: .disk(error)
        case let error as StoreError: .store(error)
        default: .contradiction("\(path): \(error)")
        }
    }

    // MARK: the tree

    /// Makes the tree of all entries, finds the checkpoint's among its beginnings, and signs the whole.
    private func resume() throws {
        let signed = try Self.checkpoint(of: path, log: description.log)
        var missing: [TileWrite] = []
        let known = signed?.head ?? writer.head
        func meet() throws {
            guard writer.head.size == known.size else { return }
            guard writer.head == known else {
                throw MarketFolderError.contradiction(
                    "the first \(known.size) entries are not those over which the checkpoint was signed")
            }
            // They were durable before the checkpoint was signed; who took one away has it back.
            let path = path
            missing = writer.takeWrites().filter { !FileManager.default.fileExists(atPath: File.tile($0.path, path)) }
        }
        try meet()
        for leaf in leaves.takeAll() {
            try writer.append(leaf)
            try meet()
        }
        guard writer.head.size >= known.size else {
            throw MarketFolderError.contradiction(
                "there are \(writer.head.size) entries, and a checkpoint over \(known.size): the log of entries was cut, or put back from a copy"
            )
        }
        try DurableFiles.write(missing.map { (File.tile($0.path, path), $0.bytes) })
        self.signed = signed?.head
        if writer.head != self.signed { try sign() }
    }

    /// The checkpoint of a folder, signed by the market's operator; nil: there is none.
    static func checkpoint(of path: String, log: LogIdentity) throws -> SignedCheckpoint? {
        let file = File.checkpoint(path)
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let bytes = try DurableFiles.read(file, most: SignedNote.largestSize, expected: "a signed checkpoint")
        do {
            let checkpoint = try SignedCheckpoint(parsing: bytes)
            try checkpoint.verify(log)
            return checkpoint
        } catch {
            throw MarketFolderError.contradiction("the checkpoint is not signed by the market's operator: \(error)")
        }
    }

    /// Tiles, then the checkpoint, each durable before the next; then what no reader of it needs goes.
    private func sign() throws {
        let (before, earlier) = (writer, signed?.size ?? 0)
        do {
            try DurableFiles.write(writer.takeWrites().map { (File.tile($0.path, path), $0.bytes) })
            let checkpoint = try Checkpoint(
                origin: description.log.origin, head: writer.head,
                extensions: [Self.stateLine(market.fingerprint)])
            let signed = try SignedCheckpoint(signing: checkpoint, with: [key.signing(description)])
            try DurableFiles.replace(File.checkpoint(path), with: signed.bytes)
            self.signed = writer.head
        } catch {
            // What could not be written is given again.
            writer = before
            throw error
        }
        removePartials(since: earlier)
    }

    /// The line of a checkpoint that tells the market's state.
    static func stateLine(_ state: Digest256) -> [UInt8] { Array("state \(state)".utf8) }

    /// Takes the partial tiles of smaller trees away: their beginnings stand in the ones that came after them.
    private func removePartials(since before: UInt64) {
        let size = writer.head.size
        for content: TilePath.Content in [.entries] + (0..<8).map({ .hashes(level: $0) }) {
            let shift = if case .hashes(let level) = content { UInt64(8 * level + 8) } else { UInt64(8) }
            for index in before >> shift...size >> shift {
                let current = try? TilePath(content, index: index, ofTreeWithSize: size)
                guard let full = try? TilePath(content, index: index) else { continue }
                let folder = File.tile(full, path) + ".p"
                for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                    guard current?.isPartial != true || name != "\(current?.width ?? 0)" else { continue }
                    try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
                }
            }
        }
    }

    // MARK: entries

    /// Stores signed entries with one synchronisation, applies them in their order, and signs a checkpoint over them.
    ///
    /// - Returns: An answer to each, which is durable. Entries that are nobody's are answered with `notAdmitted`, and are not stored.
    /// - Throws: ``MarketFolderError``: no entry has an answer then. What was stored is there when it is asked again.
    public func apply(_ entries: [SignedEntry]) throws(MarketFolderError) -> [MarketAnswer] {
        let answers: [MarketAnswer]
        do throws(StoreError) { answers = try ledger.apply(entries) } catch { throw .store(error) }
        do {
            for leaf in leaves.takeAll() { try writer.append(leaf) }
            // Also over what an earlier call stored and could not sign.
            if writer.head != signed { try sign() }
        } catch { throw Self.error(error, path) }
        return answers
    }

    /// Asks for something in the operator's name, at a time of its clock; nil: the latest.
    ///
    /// - Throws: ``MarketFolderError``.
    @discardableResult
    public func operate(_ action: MarketAction, at time: Int64? = nil) throws(MarketFolderError) -> MarketAnswer {
        let entry: SignedEntry
        do {
            entry = try key.signer.sign(
                action, by: description.operatorName, in: description.market, time: time ?? market.time)
        } catch { throw Self.error(error, path) }
        return try apply([entry])[0]
    }

    /// Brings the log's present checkpoint to a task whose result was declared: it draws the rows that a dispute opens. Its bytes are kept in the folder, so that a referee can prove the
    /// draw (``MarketAudit/drawProof(of:)``): the entry holds their digest alone.
    ///
    /// - Throws: ``MarketFolderError``.
    @discardableResult
    public func draw(for task: Digest256, at time: Int64? = nil) throws(MarketFolderError) -> MarketAnswer {
        let bytes: [UInt8]
        do {
            let file = File.checkpoint(path)
            bytes = try DurableFiles.read(file, most: SignedNote.largestSize, expected: "a signed checkpoint")
            // What drew already stays.
            if market[task]?.stage == .declared {
                try DurableFiles.write([(File.draw(task, path), bytes)])
            }
        } catch { throw Self.error(error, path) }
        return try operate(.task(task, .checkpoint(.sha256(bytes))), at: time)
    }
}
