import DatasiteProtocol
import Foundation
import Tables
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files of a datasite's log: what is served (tiles and the checkpoint), and which entry of the journal each leaf is of. All of it but the
/// signatures follows from the journal again.
struct LogFolder: Sendable {
    let path: String

    /// What an owner does about damage.
    static let repairing = "`parley log fsck --repair` makes the log's files anew from the journal"

    /// As it is served.
    var checkpoint: String { path + "/checkpoint" }
    /// The last one that a witness cosigned.
    var cosigned: String { path + "/cosigned" }
    /// Size and root of what is durable: before the checkpoint, which is signed over it.
    var head: String { path + "/head.json" }
    /// Eight bytes for each leaf: the journal's entry, doubled, and 1 more for a count.
    var index: String { path + "/index" }
    /// The origin, as it was when the log was begun.
    var origin: String { path + "/origin" }
    /// A checkpoint under the site's own key that this log does not lead to.
    var contradiction: String { path + "/contradiction" }
    /// What witnesses cosigned last, as far as the site knows.
    var witnesses: String { path + "/witnesses.json" }

    var exists: Bool { FileManager.default.fileExists(atPath: origin) }

    func resource(_ tile: TilePath) -> String { path + "/\(tile)" }

    /// Held by the process that adds to the log.
    func lock() throws -> TrainingFolder.Lock {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Problem.unavailable("\(path) cannot be opened: \(SiteFolder.reason())") }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                close(descriptor)
                throw Problem.unavailable("\(path) cannot be locked: \(SiteFolder.reason())")
            }
        }
        return TrainingFolder.Lock(descriptor)
    }

    /// Writes a file in one step, durably.
    func replace(_ file: String, with bytes: [UInt8]) throws {
        let parent = URL(filePath: file).deletingLastPathComponent().path
        try TrainingFolder.replace(file, with: bytes, in: parent)
    }

    /// Writes tiles, which are durable together: folders are synchronised once, however many tiles they get.
    func write(_ tiles: [TileWrite]) throws {
        var folders: Set<String> = []
        for tile in tiles {
            let file = resource(tile.path)
            try folders.formUnion(made(URL(filePath: file).deletingLastPathComponent().path))
            try TrainingFolder.place(file, with: tile.bytes)
        }
        for folder in folders { try SiteFolder.synchronize(folder) }
    }

    /// Makes a folder, and those above it that are missing.
    ///
    /// - Returns: Those that have a new entry then, or will get one.
    private func made(_ folder: String) throws -> [String] {
        if FileManager.default.fileExists(atPath: folder) { return [folder] }
        let above = try made(URL(filePath: folder).deletingLastPathComponent().path)
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw Problem.unavailable("\(folder) cannot be made: \(SiteFolder.reason())")
        }
        return above + [folder]
    }

    /// Takes the partial tiles away that a full one has replaced.
    func removePartials(of tile: TilePath) {
        guard !tile.isPartial else { return }
        try? FileManager.default.removeItem(atPath: resource(tile) + ".p")
    }

    /// Takes away what a tree of this size needs no more: the partial tiles of smaller ones, whose beginnings its own have. So the folder does not keep when the
    /// log was signed.
    func removePartials(before size: UInt64) {
        for content: TilePath.Content in [.entries] + (0..<8).map({ .hashes(level: $0) }) {
            let level = if case .hashes(let level) = content { level } else { 0 }
            guard let tile = try? TilePath(content, index: size >> UInt64(8 * level + 8), ofTreeWithSize: size) else {
                continue
            }
            for width in Self.widths(of: tile, in: path) where width != tile.width {
                guard let other = try? TilePath(content, index: tile.index, width: width) else { continue }
                try? FileManager.default.removeItem(atPath: resource(other))
            }
        }
    }

    func read(_ tile: TilePath) throws -> [UInt8] {
        guard let bytes = Self.read(tile, in: path) else {
            throw Problem.unavailable(
                "the log's \(tile) is missing, or cannot be read", hint: LogFolder.repairing)
        }
        return bytes
    }

    /// A tile of a log in a folder; a partial one also out of a wider one, which takes its place.
    ///
    /// - Returns: nil: there is none.
    static func read(_ tile: TilePath, in folder: String) -> [UInt8]? {
        func contents(_ tile: TilePath) -> [UInt8]? {
            FileManager.default.contents(atPath: "\(folder)/\(tile)").map { Array($0) }
        }
        // While it is looked for, the log may grow.
        for _ in 0..<3 {
            if let bytes = contents(tile) { return bytes }
            guard tile.isPartial else { return nil }
            for width in widths(of: tile, in: folder) + [TilePath.fullWidth] where width > tile.width {
                guard let wider = try? TilePath(tile.content, index: tile.index, width: width) else { continue }
                if let bytes = contents(wider) { return try? tile.beginning(of: bytes, width: width) }
            }
        }
        return nil
    }

    /// The widths of the partial tiles that are there in a tile's place, the narrowest first.
    private static func widths(of tile: TilePath, in folder: String) -> [Int] {
        guard let full = try? TilePath(tile.content, index: tile.index) else { return [] }
        let names = try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(full).p")
        return (names ?? []).compactMap { Int($0) }.sorted()
    }

    func readHead() throws -> TreeHead? {
        guard let bytes = FileManager.default.contents(atPath: head) else { return nil }
        guard let head = try? JSONDecoder().decode(TreeHead.self, from: bytes) else {
            throw Problem.unavailable("\(head) is damaged", hint: LogFolder.repairing)
        }
        return head
    }
}

/// Which entry of the journal each leaf of the log is of: ascending, so that a leaf is found by its entry.
struct LogIndex: Sendable {
    struct Record: Equatable, Sendable {
        let number: Int64
        let isCount: Bool

        fileprivate var word: UInt64 { UInt64(number) << 1 | (isCount ? 1 : 0) }
        fileprivate init(word: UInt64) { (number, isCount) = (Int64(word >> 1), word & 1 == 1) }
        init(number: Int64, isCount: Bool) { (self.number, self.isCount) = (number, isCount) }
    }

    let path: String

    /// Adds records behind the first `count`, durably: what lies behind these was of a head that was never stored.
    func append(_ records: [Record], after count: Int) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure() }
        defer { close(file) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * records.count)
        for record in records { withUnsafeBytes(of: record.word.littleEndian) { bytes += $0 } }
        guard ftruncate(file, off_t(8 * count)) == 0 else { throw failure() }
        var done = 0
        try bytes.withUnsafeBytes { raw in
            while done < raw.count {
                let written = pwrite(
                    file, raw.baseAddress.map { $0 + done }, raw.count - done, off_t(8 * count + done))
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw failure() }
                done += written
            }
        }
        guard fsync(file) == 0 else { throw failure() }
    }

    private func failure() -> Problem { .unavailable("\(path) cannot be written: \(SiteFolder.reason())") }

    /// The first records, read where they are.
    ///
    /// - Parameter count: As the head says.
    func records(_ count: Int) throws -> Records {
        guard count > 0 else { return Records(bytes: Data(), count: 0) }
        guard let bytes = try? Data(contentsOf: URL(filePath: path), options: .alwaysMapped), bytes.count >= 8 * count
        else {
            throw Problem.unavailable(
                "\(path) is shorter than the log", hint: LogFolder.repairing)
        }
        return Records(bytes: bytes, count: count)
    }

    struct Records {
        fileprivate let bytes: Data
        let count: Int

        subscript(_ place: Int) -> Record {
            bytes.withUnsafeBytes {
                Record(word: UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * place, as: UInt64.self)))
            }
        }

        var last: Record? { count == 0 ? nil : self[count - 1] }

        /// The place of the leaf of an entry; nil: a refusal, or not in the log yet.
        func place(of number: Int64) -> Int? {
            let wanted = Record(number: number, isCount: false).word
            var (low, high) = (0, count)
            // Doubled numbers, and a count before its own day's first entry: an entry's word comes behind the count's of its number.
            while low < high {
                let middle = (low + high) / 2
                if key(self[middle]) < key(Record(word: wanted)) { low = middle + 1 } else { high = middle }
            }
            return low < count && self[low].word == wanted ? low : nil
        }

        private func key(_ record: Record) -> UInt64 { UInt64(record.number) << 1 | (record.isCount ? 0 : 1) }
    }
}
