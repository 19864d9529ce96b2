import ContentAddressing
import Foundation
import Secrets
import Testing

@testable import ContentStorage

/// A path that is gone when the test is over.
final class Place {
    let path = FileManager.default.temporaryDirectory.appending(path: "content-\(UUID().uuidString)").path()
    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Every file below, and how long it is.
    func files(_ folder: String = "") -> [String: Int] {
        var found: [String: Int] = [:]
        let root = path + folder
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? [] {
            let attributes = try? FileManager.default.attributesOfItem(atPath: root + "/" + name)
            if attributes?[.type] as? FileAttributeType == .typeRegular { found[name] = attributes?[.size] as? Int }
        }
        return found
    }
}

func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var words = SeededGenerator(seed: seed)
    return Array((0..<(count + 7) / 8).flatMap { _ in withUnsafeBytes(of: words.next()) { Array($0) } }.prefix(count))
}

extension ContentStore {
    func publish(_ bytes: [UInt8], _ name: String) throws(ContentError) -> Published {
        var pieces = bytes.isEmpty ? [] : [bytes]
        return try publish(name: name, reading: { pieces.popLast() })
    }

    func read(_ root: CID) throws(ContentError) -> [UInt8] {
        var reader = try UnixFSReader(root, in: self, most: .max)
        var bytes: [UInt8] = []
        while let piece = try reader.next() { bytes += piece }
        return bytes
    }
}

@Suite("A folder of public content")
struct ContentStoreTests {
    @Test(
        "What is published is there when the folder is opened again, with its name and size, and comes back as it was")
    func published() throws {
        let place = Place()
        var roots: [CID: [UInt8]] = [:]
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            for (number, count) in [0, 1, 1 << 20, 1 << 20 + 1, 3_500_000].enumerated() {
                let bytes = random(count, UInt64(number))
                let published = try store.publish(bytes, "file \(number)")
                #expect(published.size == UInt64(count) && published.name == "file \(number)")
                roots[published.root] = bytes
            }
            #expect(store.usedBytes == UInt64(place.files("/blocks").values.reduce(0, +)))
        }
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        #expect(
            store.published.count == 5 && store.damaged.isEmpty && Set(store.published.map(\.root)) == Set(roots.keys))
        for (root, bytes) in roots { #expect(try store.read(root) == bytes) }
        let file = try #require(roots.first { $0.value.count == 3_500_000 })
        let out = Place()
        try store.export(file.key, to: out.path)
        #expect(try Array(Data(contentsOf: URL(filePath: out.path))) == file.value)
        // The same bytes once more, from a file, under another name.
        let used = store.usedBytes
        let again = try store.publish(file: out.path, name: "again")
        #expect(again.root == file.key && store.usedBytes == used && store.published.count == 5)
        #expect(store.published.contains { $0.name == "again" })
        #expect(store.usedBytes == UInt64(place.files("/blocks").values.reduce(0, +)))
    }

    @Test("A block that is in the folder and that nothing published needs is not given")
    func unpublished() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        _ = try store.publish(random(100, 1), "file")
        let hidden = try Block(random(50, 2), codec: .raw)
        let file = BlockFolder(path: place.path + "/blocks").file(of: hidden.cid)
        try FileManager.default.createDirectory(
            at: URL(filePath: file).deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(hidden.bytes).write(to: URL(filePath: file))
        #expect(try BlockFolder(path: place.path + "/blocks").bytes(of: hidden.cid) == hidden.bytes)
        #expect(try store.bytes(of: hidden.cid) == nil && store.byteCount(of: hidden.cid) == nil)
        for query in ["format=raw", "format=car"] {
            #expect(TrustlessGateway(store).answer(.init(path: "/ipfs/\(hidden.cid)", query: query)).status == 404)
        }
    }

    @Test("What is withdrawn is gone with its blocks, but for those that something else needs")
    func withdrawn() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let (a, b, c) = (random(1 << 20, 1), random(1 << 20, 2), random(1 << 20, 3))
        let first = try store.publish(a + b, "first").root
        let second = try store.publish(b + c, "second").root
        let folder = try store.publish(folder: [("first", first)], name: "folder").root
        #expect(try store.withdraw(first))
        #expect(try store.read(first) == a + b)
        #expect(try store.withdraw(folder))
        #expect(throws: ContentError.missing(first)) { try store.read(first) }
        #expect(try store.read(second) == b + c && !store.withdraw(first))
        #expect(store.usedBytes == UInt64(place.files("/blocks").values.reduce(0, +)))
        #expect(place.files("/blocks").count == 3)
        #expect(try store.withdraw(second))
        #expect(place.files("/blocks").isEmpty && place.files("/published").isEmpty && store.usedBytes == 0)
    }

    @Test("More than the quota is refused, and nothing of it is left")
    func quota() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 3 << 20)
        let kept = try store.publish(random(1 << 20, 1), "kept")
        let before = place.files()
        #expect(throws: ContentError.tooLarge("bytes of all content", most: 3 << 20)) {
            try store.publish(random(4 << 20, 2), "large")
        }
        #expect(place.files() == before && store.published == [kept])
        // What is there already costs nothing, and what is withdrawn gives back its place.
        _ = try store.publish(random(1 << 20, 1), "kept again")
        _ = try store.publish(random(2 << 20 - 200, 3), "as much as there is")
        #expect(throws: ContentError.self) { try store.publish(random(200, 4), "one more") }
        #expect(try store.withdraw(kept.root))
        _ = try store.publish(random(200, 4), "one more")
    }

    @Test("A file that cannot be read to its end, or has a name that is none, leaves nothing")
    func failures() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let before = place.files()
        var count = 0
        #expect(throws: ContentError.storage("file", reason: "gone")) {
            try store.publish(
                name: "file",
                reading: { () throws(ContentError) in
                    count += 1
                    if count > 3 { throw .storage("file", reason: "gone") }
                    return random(1 << 20, UInt64(count))
                })
        }
        for name in ["", String(repeating: "x", count: 256), "a\nb", "a\u{85}"] {
            #expect(throws: ContentError.self) { try store.publish([1], name) }
        }
        #expect(throws: ContentError.self) { try store.publish(file: place.path, name: "a folder") }
        #expect(throws: ContentError.self) { try store.publish(file: place.path + "/none", name: "none") }
        #expect(place.files() == before && store.published.isEmpty && store.usedBytes == 0)
    }

    @Test("A CAR is published as what it is about; what is incomplete, lying or beside it is not")
    func archives() throws {
        let (place, other) = (Place(), Place())
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let root = try store.publish(random(2_500_000, 5), "file").root
        var writer = ArchiveWriter(of: root, in: store)
        var pieces: [[UInt8]] = []
        while let piece = try writer.next() { pieces.append(piece) }
        let there = try ContentStore(at: other.path, quota: 1 << 30)
        func publish(_ pieces: [[UInt8]]) throws(ContentError) -> ContentStore.Published {
            var rest = Array(pieces.reversed())
            return try there.publish(name: "from a CAR", archive: { rest.popLast() })
        }
        let before = other.files()
        #expect(throws: ContentError.self) { try publish(pieces.dropLast()) }
        #expect(throws: ContentError.self) { try publish(Array(pieces.dropFirst())) }
        #expect(throws: ContentError.self) { try publish(pieces.dropLast() + [pieces[pieces.count - 1].dropLast()]) }
        #expect(throws: ContentError.self) { try publish([]) }
        var lie = pieces
        lie[pieces.count - 1][100] ^= 1
        #expect(throws: ContentError.self) { try publish(lie) }
        #expect(throws: ContentError.self) {
            try publish([ArchiveHeader(roots: [root, root]).encoded] + pieces.dropFirst())
        }
        #expect(other.files() == before && there.published.isEmpty)
        // Each block is what its CID says, and a parent says of its child what is not true.
        let leaf = try Block(random(16, 4), codec: .raw)
        for size: UInt8 in [15, 16, 17] {
            let link = DAGNode.Link(leaf.cid, name: "", cumulativeSize: 16)
            let node = DAGNode(links: [link], data: [8, 2, 0x18, size, 0x20, size])
            var all = MemoryBlocks()
            all.insert(leaf)
            all.insert(try Block(node.encoded, codec: .dagPB))
            let parent = CID.of(node.encoded, codec: .dagPB)
            let sections = [parent, leaf.cid].map { cid -> [UInt8] in
                let bytes = all.bytes(of: cid) ?? []
                return [UInt8(cid.bytes.count + bytes.count)] + cid.bytes + bytes
            }
            let car = [ArchiveHeader(roots: [parent]).encoded] + sections
            if size == 16 {
                #expect(try publish(car).size == 16 && there.withdraw(parent))
            } else {
                let error = #expect(throws: ContentError.self) { try publish(car) }
                #expect(error == .inconsistent(leaf.cid, expected: "a file of \(size) bytes, as its parent says"))
            }
        }
        // One more block that belongs to nothing is left out.
        let extra = try Block(random(99, 6), codec: .raw)
        var section: [UInt8] = [UInt8(extra.cid.bytes.count + extra.bytes.count) | 0x80, 1]
        section += extra.cid.bytes + extra.bytes
        let published = try publish(pieces + [section])
        #expect(published.root == root && published.size == 2_500_000)
        #expect(try there.read(root) == store.read(root) && place.files("/blocks") == other.files("/blocks"))
    }

    @Test("Half-written files and blocks of what was never published are gone once the folder is opened")
    func crash() throws {
        let place = Place()
        let kept: ContentStore.Published
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            kept = try store.publish(random(1_500_000, 1), "kept")
            // As a crash leaves it: a block without what needs it, half a block, half a record.
            let gone = try store.publish(random(1_200_000, 2), "gone").root
            try FileManager.default.removeItem(atPath: place.path + "/published/\(gone)")
            try Data([1]).write(to: URL(filePath: place.path + "/published/\(gone).partial"))
            let block = BlockFolder(path: place.path + "/blocks").file(of: gone)
            try Data([1]).write(to: URL(filePath: block + ".partial"))
        }
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        #expect(store.published == [kept] && place.files("/published").count == 1)
        #expect(Set(place.files("/blocks").values) == [1 << 20, 1_500_000 - 1 << 20, 108])
        #expect(store.usedBytes == UInt64(place.files("/blocks").values.reduce(0, +)))
    }

    @Test("A block that is damaged or gone on the disk is never given; published again, the content is whole")
    func damage() throws {
        for change in 0..<3 {
            let place = Place()
            let bytes = random(2_000_000, 1)
            let root: CID
            do {
                let store = try ContentStore(at: place.path, quota: 1 << 30)
                root = try store.publish(bytes, "file").root
                var walk = GraphWalk(from: root, in: store)
                _ = try walk.next()
                let leaf = try #require(try walk.next()).cid
                let file = URL(filePath: BlockFolder(path: place.path + "/blocks").file(of: leaf))
                switch change {
                case 0: try FileManager.default.removeItem(at: file)
                case 1: try Data(bytes.prefix(1 << 20 - 1)).write(to: file)
                default: try Data([UInt8](repeating: 1, count: 1 << 20)).write(to: file)
                }
                let error = #expect(throws: ContentError.self) { try store.read(root) }
                #expect(error == (change == 0 ? .missing(leaf) : .wrongBytes(leaf)))
                let status = TrustlessGateway(store).answer(.init(path: "/ipfs/\(leaf)", query: "format=raw")).status
                #expect(status == 500)
            }
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            // A leaf is read when it is asked for; that one is gone or shorter is seen before.
            #expect(store.damaged.isEmpty == (change == 2) && store.published.isEmpty == (change != 2))
            if change != 2 {
                #expect(TrustlessGateway(store).answer(.init(path: "/ipfs/\(root)", query: "format=car")).status == 404)
            }
            #expect(try store.publish(bytes, "file").root == root)
            #expect(try store.read(root) == bytes && store.damaged.isEmpty)
        }
    }

    @Test("What was damaged while the folder was open can be withdrawn, and what shares blocks with it stays")
    func withdrawnDamage() throws {
        let place = Place()
        let (a, b) = (random(1 << 20, 1), random(1 << 20, 2))
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            let root = try store.publish(a + b, "damaged").root
            let stays = try store.publish(a, "stays").root
            try FileManager.default.removeItem(
                atPath: BlockFolder(path: place.path + "/blocks").file(of: CID.of(b, codec: .raw)))
            #expect(try store.withdraw(root) && !store.withdraw(root))
            #expect(try store.published.map(\.root) == [stays] && store.read(stays) == a)
            #expect(try store.bytes(of: root) == nil && store.usedBytes == 1 << 20)
        }
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        #expect(store.published.map(\.name) == ["stays"] && place.files("/blocks").values.map { $0 } == [1 << 20])
    }

    @Test("A folder that another has open, that is none, or that holds what is not its own is refused or left")
    func opening() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 10)
        #expect(throws: ContentError.self) { try ContentStore(at: place.path, quota: 10) }
        #expect(throws: ContentError.self) { try ContentStore(at: place.path + "/none/there", quota: 10) }
        #expect(throws: ContentError.self) { try ContentStore(at: place.path + "/lock", quota: 10) }
        withExtendedLifetime(store) {}
        let other = Place()
        do { _ = try ContentStore(at: other.path, quota: 10).publish([1, 2], "two") }
        try Data("{}".utf8).write(to: URL(filePath: other.path + "/published/\(CID.of([3], codec: .raw))"))
        try Data("x".utf8).write(to: URL(filePath: other.path + "/blocks/ab"))
        #expect(throws: ContentError.self) { try ContentStore(at: other.path, quota: 10) }
        try FileManager.default.removeItem(atPath: other.path + "/blocks/ab")
        let opened = try ContentStore(at: other.path, quota: 10)
        #expect(opened.published.count == 1 && opened.damaged.count == 1)
        #expect(try opened.withdraw(CID.of([3], codec: .raw)) && opened.damaged.isEmpty)
    }

    @Test("Many read while one publishes and withdraws; what they get is right, or is not there")
    func threads() async throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let bytes = random(1_300_000, 9)
        let stays = try store.publish(random(1_100_000, 8), "stays").root
        let comes = try store.publish(bytes, "comes").root
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<30 {
                        #expect((try? store.read(stays))?.count == 1_100_000)
                        do { #expect(try store.read(comes) == bytes) } catch {
                            guard case .missing? = error as? ContentError else {
                                Issue.record("\(error)")
                                return
                            }
                        }
                    }
                }
            }
            group.addTask {
                for _ in 0..<10 {
                    _ = try? store.withdraw(comes)
                    _ = try? store.publish(bytes, "comes")
                }
            }
        }
        #expect(try store.read(comes) == bytes)
    }
}

@Suite("A process that is killed while it publishes", .serialized)
struct KilledPublisherTests {
    @Test("Killed 12 times with SIGKILL: what it told of is there and whole, and nothing half is")
    func killed() throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
            path: "parley-bench")
        guard FileManager.default.isExecutableFile(atPath: program.path()) else {
            print("skipped: there is no parley-bench beside the tests")
            return
        }
        let place = Place()
        var random = SeededGenerator(seed: 12)
        for time in 0..<12 {
            let process = BegunProcess()
            process.executableURL = program
            process.arguments = ["child", "content-publish", place.path]
            let output = Pipe()
            process.standardOutput = output
            try process.begin()
            var told = Data()
            while told.count(where: { $0 == UInt8(ascii: "\n") }) < 1 + time / 2 {
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { break }
                told += more
            }
            usleep(UInt32(random.next() % 30_000))
            process.killAndWait()
            told += output.fileHandleForReading.readDataToEndOfFile()
            let lines = String(decoding: told, as: UTF8.self).split(separator: "\n").map(String.init)
            let store = try ContentStore(at: place.path, quota: 1 << 32)
            #expect(store.damaged.isEmpty && store.usedBytes == UInt64(place.files("/blocks").values.reduce(0, +)))
            for content in store.published { #expect(UInt64(try store.read(content.root).count) == content.size) }
            let there = Set(store.published.map(\.root.description))
            let gone = Set(lines.filter { $0.hasPrefix("-") }.map { String($0.dropFirst()) })
            // The last one told may have been withdrawn before that was told.
            for line in lines.dropLast() where !line.hasPrefix("-") && !gone.contains(line) {
                #expect(there.contains(line))
            }
            #expect(there.isDisjoint(with: gone))
            #expect(place.files().keys.allSatisfy { !$0.hasSuffix(".partial") })
        }
    }
}
