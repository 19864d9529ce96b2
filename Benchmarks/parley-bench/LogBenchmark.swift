import Foundation
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The transparency log: what it adds durably beside a plain loop of writing and synchronising, what a proof takes from the tiles of ten million entries, and how
/// fast a million entries are verified. On one thread; of durability by the clock, since it waits for the disk.
struct LogBenchmark {
    let workplace: Workplace

    struct Missing: Error {}

    func run() throws {
        try durable()
        try proofs(10_000_000)
    }

    /// 400 bytes, as a datasite's entries have, no two alike.
    private static func entry(_ number: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(ascii: "0"), count: 400)
        for place in 0..<8 { bytes[place] = UInt8(truncatingIfNeeded: number >> (8 * place)) }
        return bytes
    }

    /// Entries in batches of those that came meanwhile: each is durable when its batch's tiles, head and signature are, in this order.
    private func durable() throws {
        let folder = workplace.folder.appending(path: "log").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let key = try SigningKey.generate(name: KeyName("log.example"), kind: .ed25519)
        var changed: Set<String> = []
        func write(_ name: String, _ bytes: [UInt8]) throws {
            let path = folder + "/" + name
            let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            changed.insert(parent)
            let file = open(path + ".partial", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            defer { close(file) }
            guard file >= 0, pwrite(file, bytes, bytes.count, 0) == bytes.count, fsync(file) == 0,
                rename(path + ".partial", path) == 0
            else { throw Missing() }
        }
        /// Folders get many files, and are synchronised once, as a datasite does.
        func synchronize() throws {
            for parent in changed {
                let directory = open(parent, O_RDONLY)
                defer { close(directory) }
                guard fsync(directory) == 0 else { throw Missing() }
            }
            changed = []
        }
        var writer = TileWriter()
        var waits: [Double] = []
        let (batches, size) = (20, 4_096)
        let start = wallSeconds()
        for batch in 0..<batches {
            let begun = wallSeconds()
            for number in 0..<size { try writer.append(Self.entry(batch * size + number)) }
            for tile in writer.takeWrites() { try write("\(tile.path)", tile.bytes) }
            try synchronize()
            try write("head", Array("\(writer.head)".utf8))
            try synchronize()
            let signed = try SignedCheckpoint(
                signing: Checkpoint(origin: LogOrigin("log.example"), head: writer.head), with: [key.signer])
            try write("checkpoint", signed.bytes)
            try synchronize()
            waits.append(wallSeconds() - begun)
        }
        let seconds = wallSeconds() - start
        // The same disk, an entry at a time.
        let plain = open(folder + "/plain", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(plain) }
        let loop = wallSeconds()
        for number in 0..<1_000 {
            let bytes = Self.entry(number)
            guard pwrite(plain, bytes, bytes.count, off_t(number * bytes.count)) == bytes.count, fsync(plain) == 0
            else { throw Missing() }
        }
        let plainSeconds = wallSeconds() - loop
        report(
            "log-durable",
            [
                ("entries_per_s", Double(batches * size) / seconds),
                // Whoever comes first in a batch waits for all of it, and for the one before.
                ("p99_ms", 1_000 * 2 * waits.sorted()[Int(0.99 * Double(batches - 1))]),
                ("plain_fsync_per_s", 1_000 / plainSeconds),
            ])
    }

    private func proofs(_ size: Int) throws {
        var writer = TileWriter()
        var stored: [TilePath: [UInt8]] = [:]
        let audited = 1_000_000
        let keptBundles = UInt64(audited / 256 + 1)
        func store(_ writes: [TileWrite]) {
            // Of those that nobody verifies below the hashes are enough.
            for write in writes where write.path.content != .entries || write.path.index <= keptBundles {
                stored[write.path] = write.bytes
            }
        }
        let building = processorSeconds()
        for number in 0..<size {
            try writer.append(number <= audited + 256 ? Self.entry(number) : [UInt8(truncatingIfNeeded: number)])
            if number & 0xffff == 0 { store(writer.takeWrites(withPartial: false)) }
        }
        store(writer.takeWrites())
        report("log-append", [("entries_per_cpu_s", Double(size) / (processorSeconds() - building))])
        let head = writer.head
        let read: (TilePath) throws -> [UInt8] = { path in
            guard let bytes = stored[path] else { throw Missing() }
            return bytes
        }
        var random = SystemNumbers(seed: 1)
        let indices = (0..<2_000).map { _ in UInt64.random(in: 0..<UInt64(size), using: &random) }
        var start = processorSeconds()
        for index in indices {
            var tiles = try VerifiedTiles(head: head, read: read)
            _ = try tiles.inclusionProof(of: index)
        }
        let inclusion = (processorSeconds() - start) / Double(indices.count)
        start = processorSeconds()
        for index in indices {
            var tiles = try VerifiedTiles(head: head, read: read)
            _ = try tiles.consistencyProof(from: index)
        }
        let consistency = (processorSeconds() - start) / Double(indices.count)
        report(
            "log-proof",
            [
                ("entries", Double(size)), ("inclusion_cpu_ms", 1_000 * inclusion),
                ("consistency_cpu_ms", 1_000 * consistency),
            ])
        var auditor = try VerifiedTiles(head: head, read: read)
        start = processorSeconds()
        var seen = 0
        for bundle in 0..<(audited + 255) / 256 { seen += try auditor.entries(bundle: UInt64(bundle)).count }
        report(
            "log-verify",
            [("entries", Double(seen)), ("entries_per_cpu_s", Double(seen) / (processorSeconds() - start))])
    }

    /// A public sequence, so that each run asks for the same places.
    private struct SystemNumbers: RandomNumberGenerator {
        var state: UInt64
        init(seed: UInt64) { state = seed }
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }
}
