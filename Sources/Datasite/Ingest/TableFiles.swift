import CZlib
import Dispatch
import Foundation
import Synchronization
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A table's files in one folder: its parts, and `table.json`, which describes them with their checksums.
struct TableFiles: Sendable {
    let directory: String

    static let descriptionName = "table.json"

    /// What `table.json` holds.
    struct Contents: Codable {
        var formatVersion = 1
        var table: TableDescription
        /// CRC-32 (RFC 1952) of each part, by its file's name.
        var checksums: [String: UInt32]
    }

    /// Maps the table's parts; nothing is read but the description and the texts' offsets.
    func open(schema: Schema) throws -> Table {
        let contents = try readContents()
        return try Table(schema: schema, description: contents.table) { part in try mapFile(path(part.name)) }
    }

    /// Reads every part and compares checksums; gives the names of those that differ.
    func damagedParts() throws -> [String] {
        let contents = try readContents()
        var damaged: [String] = []
        for part in contents.table.parts {
            guard let bytes = try? mapFile(path(part.name)) else {
                damaged.append(part.name)
                continue
            }
            let sum = bytes.withBytes { checksum(0, $0) }
            if contents.checksums[part.name] != sum { damaged.append(part.name) }
        }
        return damaged
    }

    private func readContents() throws -> Contents {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path(Self.descriptionName)))
        } catch {
            throw IngestError.unreadable(path: directory, reason: "it holds no table")
        }
        guard let contents = try? JSONDecoder().decode(Contents.self, from: data), contents.formatVersion == 1 else {
            throw IngestError.unreadable(path: directory, reason: "its description is damaged or of a newer version")
        }
        return contents
    }

    private func path(_ name: String) -> String { directory + "/" + name }
}

/// CRC-32 of more bytes.
@Sendable func checksum(_ sum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return sum }
    return UInt32(
        truncatingIfNeeded: crc32_z(UInt(sum), base.assumingMemoryBound(to: UInt8.self), z_size_t(bytes.count)))
}

/// Writes a table's parts into a folder beside its place and moves it there when all is on the disk.
final class TableWriter: Sendable {
    private let directory: String
    let partial: String
    private let files = Mutex<[TablePart: PartWriter]>([:])

    init(directory: String) throws {
        self.directory = directory
        partial = directory + ".partial"
        try? FileManager.default.removeItem(atPath: partial)
        guard mkdir(partial, 0o700) == 0 else { throw IngestError.unwritable(path: partial, reason: systemError()) }
    }

    /// Adds bytes to a part.
    func append(_ part: TablePart, _ bytes: [UInt8]) throws {
        try withFile(part) { try $0.append(bytes) }
    }

    private func withFile<Result: Sendable>(
        _ part: TablePart, _ body: (PartWriter) throws -> Result
    ) throws -> Result {
        try files.withLock { files in
            if let file = files[part] { return try body(file) }
            let file = try PartWriter(path: partial + "/" + part.name)
            files[part] = file
            return try body(file)
        }
    }

    /// The table so far, before it is durable.
    func open(_ description: TableDescription, _ schema: Schema) throws -> Table {
        try Table(schema: schema, description: description) { part in
            try withFile(part) { try $0.drain() }
            return try mapFile(partial + "/" + part.name)
        }
    }

    /// Removes parts that the table is not to have.
    func discard(_ parts: Set<TablePart>) throws {
        for part in parts {
            files.withLock { $0[part] = nil }
            guard unlink(partial + "/" + part.name) == 0 else {
                throw IngestError.unwritable(path: partial, reason: systemError())
            }
        }
    }

    /// Makes the table durable and visible, in this order. The parts are synchronised at the same time: the system then
    /// needs one round for all.
    func commit(_ description: TableDescription) throws {
        var files: [Durability] = []
        var checksums: [String: UInt32] = [:]
        for part in description.parts {
            let (file, sum) = try withFile(part) { file in
                try file.drain()
                return (file.durability, file.sum)
            }
            files.append(file)
            checksums[part.name] = sum
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let contents = try encoder.encode(TableFiles.Contents(table: description, checksums: checksums))
        let file = try PartWriter(path: partial + "/" + TableFiles.descriptionName)
        try file.append(Array(contents))
        try file.drain()
        let all = files + [file.durability]
        for result in concurrently(all.count, { index in Result { try all[index].finish() } }) { try result.get() }
        try synchronize(partial)
        guard rename(partial, directory) == 0 else {
            throw IngestError.unwritable(path: directory, reason: systemError())
        }
        try synchronize((directory as NSString).deletingLastPathComponent.nonEmpty ?? ".")
    }

    /// Removes what was written.
    func abandon() {
        files.withLock { $0 = [:] }
        try? FileManager.default.removeItem(atPath: partial)
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

/// One growing file.
private final class PartWriter {
    let durability: Durability
    private let path: String
    private let descriptor: OwnedDescriptor
    private(set) var sum: UInt32 = 0
    private var buffer: [UInt8] = []
    private var written = 0
    private var begun = 0
    private static let bufferBytes = 1 << 17
    /// Writing to the disk begins after so many bytes, so that the last synchronisation has little left to do.
    private static let beginBytes = 8 << 20

    init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
        self.descriptor = OwnedDescriptor(descriptor)
        durability = Durability(path: path, self.descriptor)
    }

    func append(_ bytes: [UInt8]) throws {
        sum = bytes.withUnsafeBytes { checksum(sum, $0) }
        if buffer.count + bytes.count >= Self.bufferBytes {
            try drain()
            try write(bytes)
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    /// Gives the system what is held back.
    func drain() throws {
        try write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = systemWrite(descriptor.descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
                done += count
            }
        }
        written += bytes.count
        if written - begun >= Self.beginBytes {
            begun = written
            durability.begin()
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// Makes one file's contents durable, a part of them early.
private final class Durability: Sendable {
    private let path: String
    private let file: OwnedDescriptor
    private let pending = DispatchGroup()
    private let failure = Mutex<String?>(nil)
    private static let queue = DispatchQueue(label: "parley.synchronize", attributes: .concurrent)

    init(path: String, _ file: OwnedDescriptor) {
        self.path = path
        self.file = file
    }

    /// Synchronises what was written so far, on a thread of its own.
    func begin() {
        Self.queue.async(group: pending) { self.synchronize() }
    }

    /// Synchronises the rest. A failure that the system told once, to an earlier synchronisation, counts too.
    func finish() throws {
        synchronize()
        pending.wait()
        if let reason = failure.withLock({ $0 }) { throw IngestError.unwritable(path: path, reason: reason) }
    }

    private func synchronize() {
        guard fsync(file.descriptor) != 0 else { return }
        let reason = systemError()
        failure.withLock { $0 = $0 ?? reason }
    }
}
