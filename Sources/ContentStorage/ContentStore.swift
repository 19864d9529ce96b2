public import ContentAddressing
internal import Foundation
internal import Synchronization

/// A folder of content that is public: what was published, and the blocks that it consists of.
///
/// | | |
/// |---|---|
/// | `published/<cid>` | one file for each that was published: its name and size |
/// | `blocks/<shard>/<cid>` | blocks, each as it is |
/// | `lock` | which process has the folder open |
///
/// It gives blocks of what is published alone, each of which is checked against its CID by who reads it (``BlockSource/block(_:)``). What
/// is published was durable before: blocks first, then the file that says so. After
/// a crash in the middle, what was begun is removed when the folder is opened.
///
/// Links are not followed in it, and what it did not put there is left alone. While something is damaged no block is removed: which of them
/// it needs is not known any more.
///
/// One process at a time has it open. Any number of threads read while one writes. Everything here waits for the disk: call it on threads that may.
public final class ContentStore: BlockSource {
    /// What was published.
    public struct Published: Sendable, Hashable, Codable {
        /// What names it.
        public let root: CID
        /// What its owner calls it: 1 to 255 bytes, no control characters.
        public let name: String
        /// The file's bytes; of a folder, those of all its blocks.
        public let size: UInt64
    }

    fileprivate struct Kept {
        /// How many that are published need it.
        var needed: Int
        var bytes: Int
    }

    fileprivate struct State {
        var published: [CID: Published] = [:]
        var kept: [CID: Kept] = [:]
        var damaged: [CID: ContentError] = [:]
        /// Bytes of all blocks that are there.
        var used: UInt64 = 0
    }

    /// The most bytes of all blocks together.
    public let quota: UInt64
    private let path: String
    private let folder: BlockFolder
    private let lock: BlockFiles.Lock
    private let writing = Mutex<Void>(())
    private let state = Mutex(State())

    /// Opens a folder, or makes one. Blocks that nothing published needs, and what a crash left, are removed.
    ///
    /// - Throws: ``ContentError`` where the disk does not let it, or another process has the folder open.
    public init(at path: String, quota: UInt64) throws(ContentError) {
        self.path = path
        self.quota = quota
        folder = BlockFolder(path: path + "/blocks")
        let isNew = try BlockFiles.makeFolder(path, followsLink: true)
        lock = try BlockFiles.Lock(path + "/lock")
        for name in ["blocks", "published"] { _ = try BlockFiles.makeFolder(path + "/" + name) }
        for shard in try shards() { _ = try BlockFiles.makeFolder(shard) }
        try BlockFiles.synchronize(folder: path)
        if isNew {
            let parent = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
            try BlockFiles.synchronize(folder: parent)
        }
        let read = try readPublished()
        state.withLock { $0 = read }
        try sweep()
    }

    // MARK: What is there

    /// What is published, sorted by root.
    public var published: [Published] {
        state.withLock { $0.published.values.sorted { $0.root.description < $1.root.description } }
    }

    /// What was published and is not given, since blocks of it are gone or damaged: published again, or withdrawn, it is mended.
    public var damaged: [CID: ContentError] { state.withLock { $0.damaged } }

    /// The bytes of all blocks together.
    public var usedBytes: UInt64 { state.withLock { $0.used } }

    /// The bytes kept for a block of what is published; nil for any other.
    public func bytes(of cid: CID) throws(ContentError) -> [UInt8]? {
        guard isNeeded(cid) else { return nil }
        return try folder.bytes(of: cid)
    }

    /// How many they are.
    public func byteCount(of cid: CID) -> Int? { state.withLock { $0.kept[cid.v1]?.bytes } }

    private func isNeeded(_ cid: CID) -> Bool { state.withLock { $0.kept[cid.v1] != nil } }

    /// Writes a published file's bytes to a path, where it is whole or not at all.
    ///
    /// - Throws: ``ContentError``.
    public func export(_ root: CID, to path: String) throws(ContentError) {
        let file = try BlockFiles.PartialFile(path)
        var reader = try UnixFSReader(root, in: self, most: .max)
        while let bytes = try reader.next() { try file.write(bytes) }
        try file.place()
        try BlockFiles.synchronize(
            folder: URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false))
    }

    // MARK: Publishing

    /// Publishes a file.
    ///
    /// - Throws: ``ContentError``, also for more than the quota; then nothing is published, and nothing is left of it.
    public func publish(file: String, name: String) throws(ContentError) -> Published {
        let pieces = try BlockFiles.Pieces(file)
        return try publish(name: name, reading: { () throws(ContentError) -> [UInt8]? in try pieces.next() })
    }

    /// Publishes a file whose bytes are given piece by piece, until nil.
    ///
    /// - Throws: ``ContentError``, also what `reading` throws.
    public func publish(
        name: String, reading: () throws(ContentError) -> [UInt8]?
    ) throws(ContentError) -> Published {
        try publish(
            name: name,
            root: { writing throws(ContentError) in
                var importer = UnixFSImporter()
                while let piece = try reading() {
                    try importer.append(piece) { block throws(ContentError) in try writing.add(block, to: self) }
                }
                return try importer.finish { block throws(ContentError) in try writing.add(block, to: self) }.root
            })
    }

    /// Publishes what a CAR of one root is about; its bytes are given piece by piece, until nil. Blocks that the root does not lead to are left out.
    ///
    /// - Throws: ``ContentError`` also where blocks are missing, or are no file or folder.
    public func publish(
        name: String, archive reading: () throws(ContentError) -> [UInt8]?
    ) throws(ContentError) -> Published {
        try publish(
            name: name,
            root: { writing throws(ContentError) in
                // Sections that repeat a block are written once, and read as often as there are.
                var reader = ArchiveReader(most: quota < .max / 4 ? 2 * quota + 1 << 20 : .max)
                while let piece = try reading() {
                    try reader.append(piece)
                    while let block = try reader.next() { try writing.add(block, to: self) }
                }
                try reader.finish()
                guard let roots = reader.header?.roots, roots.count == 1 else {
                    throw .malformed(.archive, offset: 0, expected: "one root")
                }
                return roots[0]
            })
    }

    /// Publishes a folder of what is published: names and roots.
    ///
    /// - Throws: ``ContentError`` also where one of them is not published.
    public func publish(
        folder entries: [(name: String, root: CID)], name: String
    ) throws(ContentError) -> Published {
        try publish(
            name: name,
            root: { writing throws(ContentError) in
                var links: [(name: String, cid: CID, cumulativeSize: UInt64)] = []
                for entry in entries {
                    guard isNeeded(entry.root) else { throw .missing(entry.root) }
                    links.append((entry.name, entry.root, try GraphSurvey(of: entry.root, in: folder).bytes))
                }
                let block = try Block.folder(links)
                try writing.add(block, to: self)
                return block.cid
            })
    }

    /// Blocks that are being written for something that is not published yet.
    private struct Writing {
        private(set) var added: Set<CID> = []
        /// Of those, what no file was there for: blocks of something that is damaged may have been.
        private(set) var made: Set<CID> = []
        private(set) var folders: Set<String> = []
        private var bytes: UInt64 = 0
        private var written: [BlockFiles.PartialFile] = []
        private var unplaced = 0

        /// Many blocks are written and then made durable together; each keeps its file open until then.
        private static let blocksAtOnce = 128, bytesAtOnce = 32 << 20

        mutating func add(_ block: Block, to store: ContentStore) throws(ContentError) {
            let cid = block.cid.v1
            guard !added.contains(cid), try !store.isWhole(cid) else { return }
            let used = store.usedBytes + bytes + UInt64(block.bytes.count)
            guard used <= store.quota else { throw .tooLarge("bytes of all content", most: store.quota) }
            let shard = store.folder.shard(of: cid)
            if try BlockFiles.makeFolder(shard) { folders.insert(store.folder.path) }
            folders.insert(shard)
            added.insert(cid)
            bytes += UInt64(block.bytes.count)
            let path = store.folder.file(of: cid)
            if try BlockFiles.byteCount(path) == nil { made.insert(cid) }
            let file = try BlockFiles.PartialFile(path)
            try file.write(block.bytes)
            written.append(file)
            unplaced += block.bytes.count
            if written.count >= Self.blocksAtOnce || unplaced >= Self.bytesAtOnce { try place() }
        }

        mutating func place() throws(ContentError) {
            try BlockFiles.PartialFile.place(written)
            (written, unplaced) = ([], 0)
        }
    }

    /// Whether a block is kept and not damaged.
    private func isWhole(_ cid: CID) throws(ContentError) -> Bool {
        guard isNeeded(cid), let bytes = try folder.bytes(of: cid) else { return false }
        return cid.names(bytes)
    }

    private func publish(
        name: String, root body: (inout Writing) throws(ContentError) -> CID
    ) throws(ContentError) -> Published {
        guard Self.isName(name) else {
            throw .malformed(.unixFS, offset: 0, expected: "a name of 1 to 255 bytes without control characters")
        }
        return try writing.withLock { _ throws(ContentError) in
            var writing = Writing()
            do throws(ContentError) {
                let root = try body(&writing).v1
                try writing.place()
                let survey = try GraphSurvey(of: root, in: folder)
                try BlockFiles.synchronize(folders: writing.folders)
                let published = Published(root: root, name: name, size: survey.size)
                try record(published)
                state.withLock { $0.add(published, survey.blocks) }
                // It is published now: what cannot be removed is when the folder is opened.
                try? remove(writing.made.subtracting(survey.blocks.keys))
                return published
            } catch {
                // Nothing that is published needs them; what cannot be removed now is when the folder is opened.
                try? remove(writing.made)
                throw error
            }
        }
    }

    static func isName(_ name: String) -> Bool {
        (1...255).contains(name.utf8.count)
            && !name.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }

    private func record(_ published: Published) throws(ContentError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(published) else { throw .storage(published.name, reason: "no JSON") }
        try BlockFiles.place(Array(data), at: recordFile(of: published.root))
        try BlockFiles.synchronize(folder: path + "/published")
    }

    private func recordFile(of root: CID) -> String { path + "/published/" + root.v1.description }

    /// Removes those of the blocks that nothing published needs.
    private func remove(_ blocks: some Sequence<CID>) throws(ContentError) {
        for cid in blocks where !isNeeded(cid) { try BlockFiles.remove(folder.file(of: cid)) }
    }

    // MARK: Withdrawing

    /// Publishes no longer, and removes the blocks that nothing else needs. Whoever has them already keeps them, and caches are told that they may.
    ///
    /// - Returns: Whether it was published.
    /// - Throws: ``ContentError``.
    public func withdraw(_ root: CID) throws(ContentError) -> Bool {
        let root = root.v1
        return try writing.withLock { _ throws(ContentError) in
            guard state.withLock({ $0.published[root] != nil || $0.damaged[root] != nil }) else { return false }
            let blocks = try? GraphSurvey(of: root, in: folder).blocks
            try BlockFiles.remove(recordFile(of: root))
            try BlockFiles.synchronize(folder: path + "/published")
            guard let blocks, state.withLock({ $0.published[root] != nil }) else {
                // Its blocks cannot be told from what others need: all is read again, and they go when the folder is opened.
                let read = try readPublished()
                state.withLock { $0 = read }
                return true
            }
            state.withLock { $0.remove(root, blocks) }
            // What is damaged may share them, and how much of them cannot be told: they go when the folder is opened and nothing is.
            if damaged.isEmpty { try remove(blocks.keys) }
            return true
        }
    }

    // MARK: Opening

    private func readPublished() throws(ContentError) -> State {
        var state = State()
        for name in try BlockFiles.names(in: path + "/published") {
            guard let (root, isPartial) = Self.own(name) else { continue }
            let file = path + "/published/" + name
            if isPartial {
                if try BlockFiles.isFile(file) { try BlockFiles.remove(file) }
                continue
            }
            do throws(ContentError) {
                let published = try Self.published(file, root)
                let survey = try GraphSurvey(of: root, in: folder)
                guard survey.size == published.size else {
                    throw .inconsistent(root, expected: "\(published.size) bytes")
                }
                state.add(published, survey.blocks)
            } catch {
                state.damaged[root] = error
            }
        }
        return state
    }

    private static func published(_ file: String, _ root: CID) throws(ContentError) -> Published {
        guard let bytes = try BlockFiles.read(file, most: 4096),
            let published = try? JSONDecoder().decode(Published.self, from: Data(bytes)), published.root == root,
            isName(published.name)
        else { throw .storage(file, reason: "expected the name and size of what is published") }
        return published
    }

    /// What a name of the store's own stands for, and whether it is that of a file that is being written; nil for any other name.
    private static func own(_ name: String) -> (cid: CID, isPartial: Bool)? {
        let isPartial = name.hasSuffix(BlockFiles.partial)
        let text = isPartial ? String(name.dropLast(BlockFiles.partial.count)) : name
        guard let cid = try? CID(text), cid.v1.description == text else { return nil }
        return (cid, isPartial)
    }

    /// The folders of blocks, by their names alone.
    private func shards() throws(ContentError) -> [String] {
        try BlockFiles.names(in: folder.path).filter(BlockFolder.isShard).map { folder.path + "/" + $0 }
    }

    /// Removes blocks that nothing published needs. Where something is damaged they stay: what is left of it may be of use to its owner.
    private func sweep() throws(ContentError) {
        let isMended = state.withLock { $0.damaged.isEmpty }
        for shard in try shards() {
            for name in try BlockFiles.names(in: shard) {
                guard let (cid, isPartial) = Self.own(name), folder.shard(of: cid) == shard else { continue }
                let isUseless = isPartial || (isMended && !isNeeded(cid))
                if isUseless, try BlockFiles.isFile(shard + "/" + name) { try BlockFiles.remove(shard + "/" + name) }
            }
        }
    }
}

extension ContentStore.State {
    fileprivate mutating func add(_ content: ContentStore.Published, _ blocks: [CID: Int]) {
        damaged[content.root] = nil
        let isNew = published.updateValue(content, forKey: content.root) == nil
        guard isNew else { return }
        for (cid, bytes) in blocks {
            if kept[cid] == nil { used += UInt64(bytes) }
            kept[cid, default: ContentStore.Kept(needed: 0, bytes: bytes)].needed += 1
        }
    }

    fileprivate mutating func remove(_ root: CID, _ blocks: [CID: Int]) {
        (published[root], damaged[root]) = (nil, nil)
        for (cid, bytes) in blocks {
            guard let block = kept[cid] else { continue }
            if block.needed > 1 {
                kept[cid]?.needed -= 1
            } else {
                kept[cid] = nil
                used -= UInt64(bytes)
            }
        }
    }
}
