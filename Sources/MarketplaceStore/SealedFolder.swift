internal import Foundation
internal import Marketplace
internal import TransparencyLog

/// The files of a market's folder: durable entries, the tree of them, and what the tree's checkpoint is over. Whoever writes it holds the lock on `entries`.
final class SealedFolder {
    let path: String
    let description: MarketDescription
    let ledger: DurableLedger<Market>
    private let leaves: LeafQueue
    private(set) var writer = TileWriter()
    /// The checkpoint, as it stands in the folder; nil: there is none yet.
    private(set) var checkpoint: SignedCheckpoint?

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

    /// Opens a folder: applies every entry again, and adds what a crash left out of the tree.
    ///
    /// - Parameter verified: Up to where signatures were verified before.
    /// - Throws: ``MarketFolderError``.
    init(_ path: String, verified: LogPosition? = nil) throws(MarketFolderError) {
        self.path = path
        description = try Self.description(of: path)
        let leaves = LeafQueue()
        self.leaves = leaves
        ledger = try Self.ledger(path, description, leaves, verified: verified)
        do { try resume() } catch { throw Self.error(error, path) }
    }

    /// Makes a folder of a description alone, which is renamed to its name as a whole.
    static func create(
        _ path: String, _ description: MarketDescription, fill: (String) throws -> Void
    ) throws(MarketFolderError) {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .malformed(path, expected: "a name that nothing has yet")
        }
        // Another may be making one of the same market.
        let partial = "\(path).\(Digest256.fresh().hex.prefix(16)).partial"
        do {
            try DurableFiles.makeFolder(partial)
            try DurableFiles.replace(File.description(partial), with: description.bytes)
            try fill(partial)
            try DurableFiles.rename(partial, to: path)
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw Self.error(error, path)
        }
    }

    private static func ledger(
        _ path: String, _ description: MarketDescription, _ leaves: LeafQueue, verified: LogPosition?
    ) throws(MarketFolderError) -> DurableLedger<Market> {
        let file: LogFile
        do throws(DiskError) { file = try LogFile(path: File.entries(path)) } catch { throw .disk(error) }
        do throws(StoreError) {
            return try DurableLedger(file, from: description.beginning, verified: verified) { leaves.append($0) }
        } catch { throw .store(error) }
    }

    static func description(of path: String) throws(MarketFolderError) -> MarketDescription {
        let file = File.description(path)
        let bytes = try DurableFiles.read(file, most: MarketDescription.mostBytes, expected: "a market's description")
        return try MarketDescription(reading: bytes, file: file)
    }

    /// Tasks whose rows are drawn by a checkpoint that a folder does not have.
    static func missingDraws(of path: String, _ market: Market) -> [Digest256] {
        market.allTasks.filter { task in
            task.checkpoint != nil && !FileManager.default.fileExists(atPath: File.draw(task.id, path))
        }.map(\.id)
    }

    static func error(_ error: any Error, _ path: String) -> MarketFolderError {
        switch error {
        case let error as MarketFolderError: error
        case let error as DiskError: .disk(error)
        case let error as StoreError: .store(error)
        default: .contradiction("\(path): \(error)")
        }
    }

    // MARK: the tree

    /// Makes the tree of all entries, and finds the checkpoint's among its beginnings.
    private func resume() throws {
        checkpoint = try Self.checkpoint(of: path, log: description.log)
        var missing: [TileWrite] = []
        let known = checkpoint?.head ?? writer.head
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
    }

    /// The checkpoint of a folder, signed by the market's operator; nil: there is none.
    static func checkpoint(of path: String, log: LogIdentity) throws -> SignedCheckpoint? {
        let file = File.checkpoint(path)
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try checkpoint(
            DurableFiles.read(file, most: SignedNote.largestSize, expected: "a signed checkpoint"), log: log)
    }

    static func checkpoint(_ bytes: [UInt8], log: LogIdentity) throws -> SignedCheckpoint {
        do {
            let checkpoint = try SignedCheckpoint(parsing: bytes)
            try checkpoint.verify(log)
            return checkpoint
        } catch {
            throw MarketFolderError.contradiction("the checkpoint is not signed by the market's operator: \(error)")
        }
    }

    /// The line of a checkpoint that tells the market's state.
    static func stateLine(_ state: Digest256) -> [UInt8] { Array("state \(state)".utf8) }

    /// Brings the tree up to what is stored.
    func grow() throws { for leaf in leaves.takeAll() { try writer.append(leaf) } }

    /// Whether entries are stored that no checkpoint is over.
    var isBehind: Bool { writer.head != checkpoint?.head }

    /// Tiles, then a checkpoint over all entries, each durable before the next; then what no reader of it needs goes.
    func seal(_ make: (TreeHead) throws -> SignedCheckpoint) throws {
        let (before, earlier) = (writer, checkpoint?.head.size ?? 0)
        do {
            try DurableFiles.write(writer.takeWrites().map { (File.tile($0.path, path), $0.bytes) })
            let made = try make(writer.head)
            try DurableFiles.replace(File.checkpoint(path), with: made.bytes)
            checkpoint = made
        } catch {
            // What could not be written is given again.
            writer = before
            throw error
        }
        removePartials(since: earlier)
    }

    /// The same tree, under a note with more signatures.
    func replace(_ cosigned: SignedCheckpoint) throws {
        guard cosigned.head == checkpoint?.head else { return }
        try DurableFiles.replace(File.checkpoint(path), with: cosigned.bytes)
        checkpoint = cosigned
    }

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
}
