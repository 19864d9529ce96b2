import Secrets
import Testing

@testable import TransparencyLog

@Suite
struct TileTests {
    @Test(
        "Paths of the specification are read and written",
        arguments: [
            ("tile/0/000", 0, 0, 256), ("tile/0/x001/x234/067", 0, 1_234_067, 256),
            ("tile/0/x001/x234/067.p/13", 0, 1_234_067, 13), ("tile/63/999.p/255", 63, 999, 255),
            ("tile/1/x001/000", 1, 1000, 256), ("tile/7/000.p/1", 7, 0, 1),
        ])
    func paths(_ path: String, level: Int, index: UInt64, width: Int) throws {
        let expected = try TilePath(.hashes(level: level), index: index, width: width)
        #expect(try TilePath(path) == expected)
        #expect(expected.description == path)
    }

    @Test("Bundle paths, and the largest index")
    func bundlePaths() throws {
        #expect(try TilePath("tile/entries/x123/456.p/7") == TilePath(.entries, index: 123_456, width: 7))
        let largest = try TilePath(.entries, index: TilePath.largestIndex)
        #expect(try TilePath(largest.description) == largest)
    }

    @Test(
        "Anything else is no path",
        arguments: [
            "", "tile", "tile/0", "tile/0/", "tile//000", "/tile/0/000", "tile/0/000/", "tile/00/000", "tile/64/000",
            "tile/-1/000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001",
            "tile/0/x001/x000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1/", "tile/0/000.P/1", "tile/0/.p/1", "tile/0/x001.p/1", "tile/0/000.p/1.p/1", "Tile/0/000",
            "tile/entries", "tile/Entries/000", "tile/0/٣٣٣", "tile/0/000\n", "tile/0/ 00", "tile/0/+00",
            "tile/data/000",
            "tile/0/x999/x999/x999/x999/x999/999", "tile/0/x001/x001/x001/x001/x001/x001/001",
            "tile/18446744073709551616/000", "tile/0/000.p/1\0",
        ])
    func wrongPaths(_ path: String) {
        #expect(throws: TileError.self) { try TilePath(path) }
    }

    @Test("A hostile path is not looked at in full")
    func longPath() {
        #expect(throws: TileError.malformedPath("at most 64 characters")) {
            try TilePath(parsing: Array(repeating: UInt8(ascii: "/"), count: 10_000_000))
        }
    }

    @Test("The resources of a tree of 70,000 entries are those of the specification, and that of 256")
    func partialTiles() throws {
        var log = try TestLog()
        try log.append(count: 256)
        #expect(Set(log.stored.keys.map(\.description)) == ["tile/0/000", "tile/entries/000", "tile/1/000.p/1"])
        log = try TestLog()
        try log.append(count: 70_000)
        let names = Set(log.stored.keys.filter { $0.content != .entries }.map(\.description))
        #expect(names.filter { $0.hasPrefix("tile/0/") && !$0.contains(".p") }.count == 273)
        let others: Set<String> = names.filter { !$0.hasPrefix("tile/0/") || $0.contains(".p") }
        #expect(others == ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"])
        #expect(
            log.stored[try TilePath("tile/entries/000")]?.count == 256 * 2 + "entry 0".utf8.count * 10
                + "entry 10".utf8.count * 90 + "entry 100".utf8.count * 156)
    }

    @Test("Proofs from tiles are the RFC's, with a bounded number of reads, at sizes around each edge")
    func proofsFromTiles() throws {
        var log = try TestLog()
        var random = SeededGenerator(seed: 3)
        for size in [1, 2, 255, 256, 257, 511, 512, 1000, 2100] {
            try log.append(count: size - log.leaves.count)
            for _ in 0..<12 {
                let (index, old) = (random.below(size), random.below(size + 1))
                var tiles = try log.tiles()
                let inclusion = try tiles.inclusionProof(of: UInt64(index))
                #expect(tiles.readCount <= 4)
                #expect(inclusion.hashes == ReferenceTree.path(index, log.leaves[...]))
                try inclusion.verify(log.leaves[index], at: UInt64(index), in: tiles.head)
                tiles = try log.tiles()
                let consistency = try tiles.consistencyProof(from: UInt64(old))
                #expect(tiles.readCount <= 4)
                try consistency.verify(from: log.head(at: UInt64(old)), to: tiles.head)
                #expect(try tiles.head(at: UInt64(old)) == log.head(at: UInt64(old)))
            }
        }
    }

    @Test("A small cache gives the same proofs, and reads again what it dropped")
    func smallCache() throws {
        var log = try TestLog()
        try log.append(count: 256 * 12)
        var tiles = try VerifiedTiles(head: log.writer.head, cacheLimit: 0, read: log.read)
        for round in 0..<3 {
            for index in stride(from: 5, to: 256 * 12, by: 256) {
                let proof = try tiles.inclusionProof(of: UInt64(index))
                try proof.verify(log.leaves[index], at: UInt64(index), in: tiles.head)
            }
            #expect(tiles.readCount >= 12 * (round + 1))
        }
    }

    @Test("Each flipped bit, cut and added byte of a tile that is read is found out, and names its tile")
    func tamperedTiles() throws {
        var log = try TestLog()
        try log.append(count: 1300)
        for path in log.stored.keys {
            guard case .hashes = path.content, let bytes = log.stored[path] else { continue }
            let index = path == (try TilePath("tile/0/002")) ? 2 * 256 : UInt64(1299)
            for change in 0..<4 {
                var other = bytes
                switch change {
                case 0: other[bytes.count - 1] ^= 1
                case 1: other.removeLast()
                case 2: other.append(0)
                default: other = Array(repeating: 0, count: 10_000_000)
                }
                let served = other
                let read: (TilePath) throws -> [UInt8] = { $0 == path ? served : try log.read($0) }
                let head = log.writer.head
                #expect(throws: TileError.self, "\(path), change \(change)") {
                    var tiles = try VerifiedTiles(head: head, read: read)
                    _ = try tiles.inclusionProof(of: index)
                    for bundle in 0..<6 { _ = try tiles.entries(bundle: UInt64(bundle)) }
                }
            }
        }
    }

    @Test("Tiles of a suffix that was forged and hashed again do not pass for the signed tree")
    func forgedSuffix() throws {
        var (honest, forged) = (try TestLog(), try TestLog())
        try honest.append(count: 600)
        try honest.append(count: 400)
        try forged.append(count: 600)
        try forged.append(count: 400, from: "forged")
        let head = honest.writer.head
        #expect(throws: TileError.rootMismatch(size: 1000)) { try VerifiedTiles(head: head, read: forged.read) }
        // The edge is honest, and one full tile below it is not.
        let altered = try TilePath("tile/0/002")
        var tiles = try VerifiedTiles(head: head) { $0 == altered ? try forged.read($0) : try honest.read($0) }
        #expect(throws: TileError.hashMismatch(altered)) { try tiles.inclusionProof(of: 700) }
        _ = try tiles.inclusionProof(of: 100)
        let bundle = try TilePath("tile/entries/002")
        tiles = try VerifiedTiles(head: head) { $0 == bundle ? try forged.read($0) : try honest.read($0) }
        #expect(throws: TileError.entryMismatch(index: 600)) { try tiles.entries(bundle: 2) }
    }

    @Test("The full tile and the full bundle do where the partial ones are gone; what lies beyond the tree is dropped")
    func fullForPartial() throws {
        var log = try TestLog()
        try log.append(count: 300)
        try log.append(count: 300)
        let head = log.head(at: 300)
        let read: (TilePath) throws -> [UInt8] = { path in
            let full = try TilePath(path.content, index: path.index)
            return try log.stored[full] ?? log.read(path)
        }
        var tiles = try VerifiedTiles(head: head, read: read)
        let proof = try tiles.inclusionProof(of: 299)
        try proof.verify(log.leaves[299], at: 299, in: head)
        let bundle = try tiles.entries(bundle: 1)
        #expect(bundle.count == 44 && Array(bundle[43]) == Array("entry 299".utf8))
        #expect(try EntryBundle(bundle.bytes, at: TilePath(.entries, index: 1, width: 44)) == bundle)
    }

    @Test("Entries of 0 and of 65,535 bytes are read back; one byte more is refused and changes nothing")
    func entryLengths() throws {
        var log = try TestLog()
        let longest = [UInt8](repeating: 7, count: 65_535)
        try log.append([[], longest, []])
        var tiles = try log.tiles()
        let bundle = try tiles.entries(bundle: 0)
        #expect((0..<3).map { Array(bundle[$0]) } == [[], longest, []])
        #expect(throws: TileError.entryTooLong(65_536)) { try log.append([longest + [7]]) }
        #expect(log.writer.frontier.size == 3)
        #expect(try EntryBundle([[], longest, []]) == bundle)
    }

    @Test("Bundles that are cut, too long, or of another number of entries are refused")
    func wrongBundles() throws {
        let path = try TilePath(.entries, index: 0, width: 2)
        for bytes: [UInt8] in [
            [], [0], [0, 0], [0, 1, 5, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 9, 1, 0, 0],
        ] {
            #expect(throws: TileError.malformedBundle(path)) { try EntryBundle(bytes, at: path) }
        }
        let huge = [UInt8](repeating: 0, count: 20_000_000)
        #expect(throws: TileError.malformedBundle(path)) { try EntryBundle(huge, at: path) }
        #expect(try EntryBundle([0, 0, 0, 1, 5], at: path).count == 2)
    }

    @Test("A writer that starts again from its tiles at any size goes on with the same bytes")
    func resuming() throws {
        var whole = try TestLog()
        try whole.append(count: 800)
        var log = try TestLog()
        var random = SeededGenerator(seed: 5)
        while log.leaves.count < 800 {
            try log.append(count: min(1 + random.below(60), 800 - log.leaves.count))
            let head = log.head(at: UInt64(log.leaves.count))
            let stored = log.stored
            log.writer = try TileWriter(resuming: head) { path in
                guard let bytes = stored[path] else { throw TestLog.Missing(path: path) }
                return bytes
            }
            #expect(log.writer.head == head)
        }
        #expect(log.writer.frontier == whole.writer.frontier)
        for (path, bytes) in whole.stored where log.stored[path] != bytes { Issue.record("\(path)") }
        #expect(throws: (any Error).self) {
            try TileWriter(resuming: TreeHead(size: 800, root: .emptyTree), read: whole.read)
        }
    }

    @Test("What a stored head needs is never written again, whatever is appended, and after each start")
    func noRewriting() throws {
        var (random, head) = (SeededGenerator(seed: 13), TreeHead.empty)
        var stored: [TilePath: [UInt8]] = [:]
        for _ in 0..<120 {
            let before = stored
            var writer = try TileWriter(resuming: head) { before[$0] ?? [] }
            for _ in 0..<3 {
                for _ in 0..<random.below(40) { try writer.append([UInt8(random.below(256))]) }
                for write in writer.takeWrites() {
                    #expect(stored.updateValue(write.bytes, forKey: write.path) == nil, "\(write.path)")
                }
                head = writer.head
            }
            #expect(writer.takeWrites().isEmpty)
        }
        #expect(head.size > 4096)
    }

    @Test("No path is read but those that the tree has, and none beyond it can be asked for")
    func onlyExistingPaths() throws {
        var log = try TestLog()
        try log.append(count: 700)
        var tiles = try log.tiles()
        for node in [
            MerkleNode(level: 0, index: 700), MerkleNode(level: 9, index: 1), MerkleNode(level: 62, index: 0),
            MerkleNode(level: 63, index: 0), MerkleNode(level: -1, index: 0), MerkleNode(level: 0, index: .max),
            MerkleNode(level: 62, index: .max),
        ] {
            #expect(throws: TileError.self) { try tiles.hash(of: node) }
        }
        #expect(throws: TileError.self) { try tiles.entries(bundle: 3) }
        #expect(throws: TileError.self) { try tiles.entries(bundle: .max) }
        #expect(throws: MerkleError.self) { try tiles.inclusionProof(of: 700) }
        #expect(throws: MerkleError.self) { try tiles.head(at: 701) }
        #expect(tiles.readCount == 2)
        #expect(throws: MerkleError.impossibleHead) {
            try VerifiedTiles(head: TreeHead(size: 0, root: .leaf([])), read: log.read)
        }
        _ = try VerifiedTiles(head: .empty) { path in throw TestLog.Missing(path: path) }
    }
}
