import ContentAddressing
import Foundation
import Synchronization
import Testing

@testable import ContentStorage

@Suite("What else there is in a folder of content")
struct ContentFolderTests {
    private let files = FileManager.default

    /// A file in a folder, that folder in another, and so on: so many levels below the root.
    private func nested(_ levels: Int) throws -> (root: CID, car: [[UInt8]]) {
        var blocks = [try Block(Array("deep".utf8), codec: .raw)]
        for _ in 0..<levels { blocks.append(try Block.folder([("a", blocks[blocks.count - 1].cid, 1)])) }
        let sections = blocks.map { [UInt8($0.cid.bytes.count + $0.bytes.count)] + $0.cid.bytes + $0.bytes }
        let root = blocks[blocks.count - 1].cid
        return (root, [ArchiveHeader(roots: [root]).encoded] + sections)
    }

    private func publish(_ car: [[UInt8]], in store: ContentStore) throws -> ContentStore.Published {
        var rest = Array(car.reversed())
        return try store.publish(name: "a CAR", archive: { rest.popLast() })
    }

    @Test("What is published can be given: as deep as a walk goes, and no deeper, by whichever way")
    func depth() throws {
        let place = Place()
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let (root, car) = try nested(32)
        #expect(try publish(car, in: store).root == root)
        #expect(TrustlessGateway(store).answer(.init(path: "/ipfs/\(root)", query: "format=car")).status == 200)
        var writer = ArchiveWriter(of: root, in: store)
        var sections = 0
        while try writer.next() != nil { sections += 1 }
        #expect(sections == 1 + 33)
        let before = place.files()
        #expect(throws: ContentError.tooLarge("levels of a graph", most: 32)) {
            try publish(try nested(33).car, in: store)
        }
        #expect(throws: ContentError.tooLarge("levels of a graph", most: 32)) {
            try store.publish(folder: [("one more", root)], name: "folder")
        }
        // The same block at a short way and at a long one, whichever is met first.
        for names in [("a", "b"), ("b", "a")] {
            let leaf = try store.publish([1], "leaf").root
            let (deep, _) = try nested(31)
            #expect(try publish(try nested(31).car, in: store).root == deep)
            let both = try store.publish(folder: [(names.0, deep), (names.1, leaf)], name: "as deep").root
            #expect(throws: ContentError.tooLarge("levels of a graph", most: 32)) {
                try store.publish(folder: [(names.0, both), (names.1, deep)], name: "deeper by one way")
            }
            for root in [leaf, deep, both] { #expect(try store.withdraw(root)) }
        }
        #expect(place.files() == before)
    }

    @Test("Files of others in the folder are left alone, and links in it are refused or left, never followed")
    func strays() throws {
        let (place, elsewhere) = (Place(), Place())
        let bytes = random(2_000_000, 1)
        let root = try ContentStore(at: place.path, quota: 1 << 30).publish(bytes, "file").root
        // Another store's block, which here nothing needs.
        let theirs = try ContentStore(at: elsewhere.path, quota: 1 << 30).publish([7], "theirs").root
        let shard = BlockFolder(path: elsewhere.path + "/blocks").shard(of: theirs)
        let strays = [
            "/.DS_Store", "/published/.DS_Store", "/published/notes.partial", "/blocks/.DS_Store", "/blocks/notes",
            "/blocks/notes.partial",
        ]
        for stray in strays { try Data("x".utf8).write(to: URL(filePath: place.path + stray)) }
        let own = try #require(files.contentsOfDirectory(atPath: place.path + "/blocks").first { $0.count == 2 })
        let inside = ["._x", "x.partial", "\(CID.of([9], codec: .raw))"]
        for name in inside { try Data("x".utf8).write(to: URL(filePath: place.path + "/blocks/\(own)/" + name)) }
        // Links by names of the store's own, and by others.
        let links = [
            "/blocks/link": elsewhere.path + "/blocks", "/blocks/\(own)/\(theirs).partial": shard + "/\(theirs)",
            "/published/\(theirs)": elsewhere.path + "/published/\(theirs)",
        ]
        for (name, target) in links {
            try files.createSymbolicLink(atPath: place.path + name, withDestinationPath: target)
        }
        let theirFiles = elsewhere.files()
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            #expect(try store.published.map(\.root) == [root] && store.read(root) == bytes)
            #expect(store.damaged.keys.map { $0 } == [theirs])
            #expect(try store.bytes(of: theirs) == nil)
        }
        for name in strays + inside.map({ "/blocks/\(own)/" + $0 }) {
            #expect(files.fileExists(atPath: place.path + name), "\(name)")
        }
        for name in links.keys {
            #expect((try? files.destinationOfSymbolicLink(atPath: place.path + name)) != nil, "\(name)")
        }
        #expect(elsewhere.files() == theirFiles)
        // A link in the place of a folder of blocks, and in that of all of them.
        try files.createSymbolicLink(atPath: place.path + "/blocks/22", withDestinationPath: shard)
        let error = #expect(throws: ContentError.self) { try ContentStore(at: place.path, quota: 1 << 30) }
        #expect("\(try #require(error))".hasSuffix("/blocks/22: expected a folder, and no link to one"))
        let other = Place()
        try files.createDirectory(atPath: other.path, withIntermediateDirectories: true)
        try files.createSymbolicLink(
            atPath: other.path + "/blocks", withDestinationPath: elsewhere.path + "/blocks")
        #expect(throws: ContentError.self) { try ContentStore(at: other.path, quota: 1 << 30) }
        #expect(elsewhere.files() == theirFiles)
        // The store itself may be anywhere.
        let link = Place()
        try files.createSymbolicLink(atPath: link.path, withDestinationPath: elsewhere.path)
        #expect(try ContentStore(at: link.path, quota: 1 << 30).published.map(\.root) == [theirs])
    }

    @Test("What is left of something damaged stays, whatever is withdrawn or fails beside it")
    func sharedWithDamaged() throws {
        let place = Place()
        let (a, b, c) = (random(1 << 20, 1), random(1 << 20, 2), random(1 << 20, 3))
        let blocks = BlockFolder(path: place.path + "/blocks")
        let (shared, lost) = (CID.of(a, codec: .raw), CID.of(b, codec: .raw))
        let damaged: CID
        let other: CID
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            damaged = try store.publish(a + b, "damaged").root
            other = try store.publish(a + c, "other").root
        }
        try files.removeItem(atPath: blocks.file(of: lost))
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            #expect(store.damaged.keys.map { $0 } == [damaged])
            #expect(try store.withdraw(other) && store.published.isEmpty)
            #expect(try blocks.bytes(of: shared) == a)
            // What fails halfway takes nothing with it that was there.
            #expect(throws: ContentError.storage("pieces", reason: "gone")) {
                var pieces = [c, a]
                return try store.publish(
                    name: "fails",
                    reading: { () throws(ContentError) in
                        guard let piece = pieces.popLast() else { throw .storage("pieces", reason: "gone") }
                        return piece
                    })
            }
            #expect(try blocks.bytes(of: shared) == a)
        }
        do {
            let store = try ContentStore(at: place.path, quota: 1 << 30)
            #expect(try blocks.bytes(of: shared) == a)
            // The lost part alone mends it.
            _ = try store.publish(b, "the lost part")
            #expect(try GraphSurvey(of: damaged, in: blocks).size == 2 << 20)
            #expect(try store.publish(a + b, "mended").root == damaged && store.damaged.isEmpty)
            #expect(try store.withdraw(damaged) && store.withdraw(lost))
        }
        // What stayed goes once nothing is damaged.
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        #expect(store.usedBytes == 0 && place.files("/blocks").isEmpty)
    }

    @Test("Files are made durable many at a time, each once, and the first failure is told")
    func atOnce() throws {
        let (seen, inside) = (Counted(), Counted())
        let together = DispatchSemaphore(value: 0)
        try AtOnce.run(1_000) { index in
            seen.add(index)
            // The first wait for each other: one after the other they would wait for ever.
            guard index < 8 else { return }
            if inside.add(index) == 8 { for _ in 0..<8 { together.signal() } }
            #expect(together.wait(timeout: .now() + 60) == .success)
        }
        #expect(seen.all.sorted() == Array(0..<1_000))
        let failed = Counted()
        #expect(throws: ContentError.storage("5", reason: "full")) {
            try AtOnce.run(1_000_000) { index throws(ContentError) in
                failed.add(index)
                if index == 5 { throw .storage("5", reason: "full") }
            }
        }
        #expect(failed.all.count < 1_000_000)
        try AtOnce.run(0) { _ in Issue.record("nothing is to be done") }
    }
}

private final class Counted: Sendable {
    private let indices = Mutex<[Int]>([])
    var all: [Int] { indices.withLock { $0 } }

    /// How many there are then.
    @discardableResult func add(_ index: Int) -> Int {
        indices.withLock {
            $0.append(index)
            return $0.count
        }
    }
}
