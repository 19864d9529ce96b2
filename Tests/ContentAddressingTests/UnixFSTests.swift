import Testing

@testable import ContentAddressing

@Suite("Files as blocks")
struct UnixFSTests {
    @Test("Files that Kubo's own tests add have the CIDs that it gave them (unixfs-v1-2025, IPIP-499)")
    func kuboV1() {
        #expect(
            imported(seeded(1 << 20, "chunk-v1-seed")).file.root.description
                == "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta")
        #expect(
            imported(seeded((1 << 20) + 1, "chunk-v1-seed")).file.root.description
                == "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64")
        #expect(
            imported([], .v1).file.root.description == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
    }

    @Test("At 1,024 links and one byte more, the tree is Kubo's: 1 GiB of its test's bytes")
    func kuboLinks() {
        var bytes = SeededBytes("v1-2025-seed")
        var importer = UnixFSImporter(.v1)
        var leaves = 0
        for _ in 0..<1024 { importer.append(bytes.next(1 << 20)) { _ in leaves += 1 } }
        var nodes: [Block] = []
        let atMost = importer.finish { if $0.cid.codec == .dagPB { nodes.append($0) } else { leaves += 1 } }
        #expect(atMost.root.description == "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm")
        #expect(atMost.size == 1 << 30 && nodes.count == 1 && leaves == 1024)
        importer.append(bytes.next(1)) { _ in }
        nodes = []
        let over = importer.finish { if $0.cid.codec == .dagPB { nodes.append($0) } }
        #expect(over.root.description == "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe")
        #expect(over.size == 1 << 30 + 1 && nodes.count == 3)
    }

    @Test("The old profile too (unixfs-v0-2015)")
    func kuboV0() {
        #expect(
            imported(Array("hello world".utf8), .v0).file.root.description
                == "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD")
        #expect(imported([], .v0).file.root.description == "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
        let sizes = [
            (262_144, "chunk-v0-seed", "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE"),
            (262_145, "chunk-v0-seed", "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ"),
            (174 << 18, "v0-seed", "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2"),
            (174 << 18 + 1, "v0-seed", "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW"),
            (175 << 18, "v0-seed", "QmepeWtdmS1hHXx1oZXsPUv6bMrfRRKfZcoPPU4eEfjnbf"),
        ]
        for (size, seed, cid) in sizes {
            let count = seed == "v0-seed" && cid.hasPrefix("QmV8") ? (174 << 18) + 1 : size
            #expect(imported(seeded(count, seed), .v0).file.root.description == cid, "\(count) of \(seed)")
        }
    }

    @Test("Whatever the size and however the bytes come, the file is the same, and its bytes come back")
    func roundTrips() throws {
        let sizes = [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 144, 145, 431, 432, 433, 1296, 1297, 5_000]
        for size in sizes {
            let bytes = seeded(size, "file \(size)")
            for raw in [true, false] {
                let (file, blocks) = imported(bytes, small(raw: raw))
                #expect(file.size == UInt64(size))
                #expect(try exported(file.root, blocks) == bytes, "\(size) \(raw)")
                for pieces in [1, 7, 16, 40] where size < 1_000 {
                    #expect(imported(bytes, small(raw: raw), pieces: pieces).file == file, "\(size) by \(pieces)")
                }
            }
        }
    }

    @Test("All leaves are at one depth, every node but the last of a level is full, and sizes are sums")
    func shape() throws {
        for leaves in [1, 2, 3, 4, 9, 10, 27, 28, 81, 82, 100] {
            let (file, blocks) = imported(seeded(leaves * 16), small())
            var depths: Set<Int> = []
            func walk(_ cid: CID, _ depth: Int, isLast: Bool) throws -> (size: UInt64, cumulative: UInt64) {
                let block = try blocks.block(cid)
                guard cid.codec == .dagPB else {
                    depths.insert(depth)
                    return (16, 16)
                }
                let node = try DAGNode(block.bytes)
                let inside = try UnixFSNode(of: node, in: cid)
                #expect(isLast || node.links.count == 3)
                var (size, cumulative): (UInt64, UInt64) = (0, UInt64(block.bytes.count))
                for (index, link) in node.links.enumerated() {
                    let below = try walk(link.cid, depth + 1, isLast: isLast && index == node.links.count - 1)
                    #expect(inside.blockSizes[index] == below.size && link.cumulativeSize == below.cumulative)
                    (size, cumulative) = (size + below.size, cumulative + below.cumulative)
                }
                #expect(inside.fileSize == size)
                return (size, cumulative)
            }
            let (size, cumulative) = try walk(file.root, 0, isLast: true)
            #expect(size == file.size && cumulative == file.cumulativeSize && depths.count == 1)
        }
    }

    @Test("The importer holds one leaf and one node's links a level, whatever the file's size")
    func memory() {
        var importer = UnixFSImporter(small(8, links: 4))
        var blocks = 0
        for _ in 0..<20_000 { importer.append([UInt8](repeating: 7, count: 8)) { _ in blocks += 1 } }
        let held = Mirror(reflecting: importer).descendant("levels") as? [[Any]]
        #expect(blocks > 20_000 && held.map { $0.allSatisfy { $0.count <= 4 } && $0.count <= 8 } == true)
    }

    @Test("A node that is read is written with the same bytes; whatever has another form is refused")
    func oneForm() throws {
        let (file, blocks) = imported(seeded(40), small())
        let bytes = try blocks.block(file.root).bytes
        let node = try DAGNode(bytes)
        #expect(node.encoded == bytes && node.links.count == 3)
        let data = try #require(node.data)
        let link = node.links[0]
        var message: [UInt8] = []
        Protobuf.append(link.cid.bytes, field: 1, to: &message)
        func wrapped(_ message: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            Protobuf.append(message, field: 2, to: &bytes)
            return bytes
        }
        var inner: [UInt8] = []
        Protobuf.append(data, field: 1, to: &inner)
        #expect(try DAGNode(wrapped(message) + inner).links == [.init(link.cid, name: nil, cumulativeSize: nil)])
        #expect(try DAGNode([]).links.isEmpty)
        let bad: [[UInt8]] = [
            inner + wrapped(message), inner + inner, wrapped([]), wrapped(message + message), wrapped(message + [0x18]),
            wrapped([0x12, 0] + message), wrapped(message + [0x18, 0x80, 0]), wrapped(message + [0x12, 1, 0xFF]),
            wrapped(message + [0x22, 0]), [0x1A, 0], [0x10, 1], [0x0A, 5], [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            wrapped([0x0A, 4, 1, 0x55, 0, 0]), wrapped(message.dropLast()), bytes + [0], Array(bytes.dropLast()),
        ]
        for bytes in bad {
            let error = refusal { _ = try DAGNode(bytes) }
            #expect(error != nil, "\(bytes)")
        }
        // A link's inner length that reaches over its end.
        #expect(refusal { _ = try DAGNode([0x12, 3, 0x0A, 0x24] + link.cid.bytes) } != nil)
    }

    @Test("A UnixFS message of another type, form or size is refused")
    func messages() throws {
        let cid = CID.of([], codec: .dagPB)
        func read(_ message: [UInt8], links: [DAGNode.Link] = []) -> ContentError? {
            refusal { _ = try UnixFSNode(of: DAGNode(links: links, data: message), in: cid) }
        }
        let leaf = DAGNode.Link(CID.of([1], codec: .raw), name: "", cumulativeSize: 1)
        #expect(
            read([8, 2, 0x18, 0]) == nil && read([8, 1]) == nil && read([8, 2, 0x18, 1, 0x20, 1], links: [leaf]) == nil)
        let bad: [[UInt8]] = [
            [], [8], [8, 0, 0x18, 0], [8, 3], [8, 4], [8, 5, 0x28, 0x22], [8, 2], [8, 2, 0x12, 0, 0x18, 0],
            [8, 2, 0x18, 1], [8, 2, 0x12, 1, 9, 0x18, 2], [8, 2, 0x18, 0, 0x12, 1, 9], [8, 2, 0x18, 0, 0x38, 1],
            [8, 2, 0x18, 0, 0x22, 0], [8, 1, 0x18, 0], [8, 2, 0x18, 0x80, 0], [8, 2, 0x18, 0, 0x18, 0],
            [8, 2, 0x18, 1, 0x20, 1],
        ]
        for message in bad { #expect(read(message) != nil, "\(message)") }
        #expect(read([8, 2, 0x18, 0], links: [leaf]) != nil)
        #expect(read([8, 2, 0x18, 0, 0x20, 0], links: [leaf]) != nil)
        #expect(read([8, 2, 0x18, 1, 0x20, 1], links: [.init(leaf.cid, name: "x", cumulativeSize: 1)]) != nil)
        let huge = [UInt8](repeating: 0xFF, count: 8) + [0x7F]
        #expect(read([8, 2, 0x18, 1, 0x20] + huge + [0x20] + huge + [0x20] + huge, links: [leaf, leaf, leaf]) != nil)
        #expect(refusal { _ = try UnixFSNode(of: DAGNode(links: [], data: nil), in: cid) } != nil)
    }

    @Test("Folders are sorted by bytes and have one entry a name; Kubo's fixture of one has its CID")
    func folders() throws {
        let hello = CID.of(Array("hello world\n".utf8), codec: .raw)
        let ascii = CID.of(Array("hello application/vnd.ipld.car\n".utf8), codec: .raw)
        let block = try Block.folder([("hello.txt", hello, 12), ("ascii.txt", ascii, 31)])
        #expect(block.cid.description == "bafybeiggghzz6dlue3m6nb2dttnbrygxh3lrjl5764f2m4gq7dgzdt55o4")
        let above = try Block.folder([("subdir", block.cid, UInt64(block.bytes.count) + 43)])
        #expect(above.cid.description == "bafybeietjm63oynimmv5yyqay33nui4y4wx6u3peezwetxgiwvfmelutzu")
        for names in [["a", "a"], [""], ["a/b"], ["."], [".."], ["a\u{0}"]] {
            #expect(refusal { _ = try Block.folder(names.map { ($0, hello, 12) }) } != nil)
        }
        // Characters that Swift takes for the same are two names.
        let two = try Block.folder([("e\u{301}", hello, 12), ("\u{E9}", hello, 12)])
        #expect(
            try DAGNode(two.bytes).links.map { Array(($0.name ?? "").utf8) } == [[0x65, 0xCC, 0x81], [0xC3, 0xA9]])
    }

    @Test("A block that is changed, exchanged, cut, taken away or said to be of another size is found")
    func lies() throws {
        let bytes = seeded(300)
        let (file, blocks) = imported(bytes, small())
        var cids: [CID] = []
        var walk = GraphWalk(from: file.root, in: blocks)
        while let block = try walk.next() { cids.append(block.cid) }
        for cid in cids {
            var gone = blocks
            gone.remove(cid)
            #expect(refusal { _ = try exported(file.root, gone) } == .missing(cid))
            for change in 0..<3 {
                var wrong = try blocks.block(cid).bytes
                switch change {
                case 0: wrong[wrong.count / 2] ^= 1
                case 1: wrong.removeLast()
                default: wrong.append(0)
                }
                let lying = Lying(blocks: blocks, cid: cid, bytes: wrong)
                #expect(refusal { _ = try exported(file.root, lying) } == .wrongBytes(cid))
            }
        }
        // A parent that says of its child what is not true: its own CID is right.
        let (child, inside) = imported(seeded(16), small())
        for size in [15, 17, UInt64.max >> 2] {
            let node = DAGNode(
                links: [.init(child.root, name: "", cumulativeSize: 16)],
                data: UnixFSNode(file: [], blockSizes: [size]).encoded)
            let block = try Block(node.encoded, codec: .dagPB)
            var all = inside
            all.insert(block)
            let error = refusal { _ = try exported(block.cid, all, most: .max) }
            #expect(error == .inconsistent(child.root, expected: "\(size) bytes, as its parent says"))
            #expect(refusal { _ = try exported(block.cid, all, most: 10) } == .tooLarge("bytes of a file", most: 10))
        }
    }

    @Test("A graph of a few blocks with endlessly many paths costs no more than its blocks, or its bound")
    func bombs() throws {
        var blocks = MemoryBlocks()
        var last = try Block([1], codec: .raw)
        blocks.insert(last)
        var size: UInt64 = 1
        for _ in 0..<20 {
            let link = DAGNode.Link(last.cid, name: "", cumulativeSize: 0)
            let data = UnixFSNode(file: [], blockSizes: [size, size, size]).encoded
            last = try Block(DAGNode(links: [link, link, link], data: data).encoded, codec: .dagPB)
            blocks.insert(last)
            size *= 3
        }
        var walk = GraphWalk(from: last.cid, in: blocks)
        var count = 0
        while try walk.next() != nil { count += 1 }
        #expect(count == 21)
        #expect(
            refusal { _ = try exported(last.cid, blocks, most: 1 << 20) } == .tooLarge("bytes of a file", most: 1 << 20)
        )
        var twice = GraphWalk(from: last.cid, in: blocks, givesDuplicates: true)
        let error = refusal { while try twice.next() != nil {} }
        #expect(error == .tooLarge("blocks of a walk", most: 1 << 20))
        // Of its bytes, those asked for: however they lie, one way down.
        for range in [0...0, 5...9, size / 3 - 1...size / 3, size - 1...size - 1] as [ClosedRange<UInt64>] {
            var part = GraphWalk(from: last.cid, in: blocks, scope: .bytes(range))
            var count = 0
            while try part.next() != nil { count += 1 }
            #expect(count == 21)
        }
        // Deeper than any file is.
        for depth in 21...40 {
            let link = DAGNode.Link(last.cid, name: "", cumulativeSize: 0)
            last = try Block(
                DAGNode(links: [link], data: UnixFSNode(file: [], blockSizes: [size]).encoded).encoded, codec: .dagPB)
            blocks.insert(last)
            var deep = GraphWalk(from: last.cid, in: blocks)
            let error = refusal { while try deep.next() != nil {} }
            #expect(error == (depth > 32 ? .tooLarge("levels of a graph", most: 32) : nil), "\(depth)")
        }
    }

    @Test("Of a range of bytes, exactly the blocks that overlap it are given, also where blocks are the same")
    func ranges() throws {
        // The last two have nodes that are met again with others of their leaves in the range, at one level and at two.
        let contents = [
            seeded(500), [UInt8](repeating: 0, count: 500), seeded(160) + seeded(160) + seeded(180),
            (0..<10).flatMap { _ in seeded(48) } + seeded(20), (0..<3).flatMap { _ in seeded(144) } + seeded(68),
        ]
        for bytes in contents {
            let (file, blocks) = imported(bytes, small())
            for lower in stride(from: 0, to: 500, by: 23) {
                for upper in stride(from: lower, to: 500, by: 37) {
                    let range = UInt64(lower)...UInt64(upper)
                    var walk = GraphWalk(from: file.root, in: blocks, scope: .bytes(range))
                    var given: [CID] = []
                    while let block = try walk.next() { given.append(block.cid) }
                    #expect(try Set(given).count == given.count && Set(given) == needed(file.root, blocks, range))
                    var twice = GraphWalk(from: file.root, in: blocks, scope: .bytes(range), givesDuplicates: true)
                    var all: [UInt8] = []
                    while let block = try twice.next() { if block.cid.codec == .raw { all += block.bytes } }
                    let (first, last) = (lower / 16 * 16, min(upper / 16 * 16 + 16, 500))
                    #expect(all == Array(bytes[first..<last]))
                }
            }
        }
    }

    /// Written down another way: every node whose bytes overlap.
    private func needed(_ root: CID, _ blocks: MemoryBlocks, _ range: ClosedRange<UInt64>) throws -> Set<CID> {
        var found: Set<CID> = [root]
        func walk(_ cid: CID, _ offset: UInt64) throws {
            guard cid.codec == .dagPB else { return }
            let node = try DAGNode(try blocks.block(cid).bytes)
            var place = offset
            for (link, size) in zip(node.links, try UnixFSNode(of: node, in: cid).blockSizes) {
                if (place...place + size - 1).overlaps(range) {
                    found.insert(link.cid)
                    try walk(link.cid, place)
                }
                place += size
            }
        }
        try walk(root, 0)
        return found
    }
}

/// Gives other bytes for one block.
struct Lying: BlockSource {
    let blocks: MemoryBlocks
    let cid: CID
    let bytes: [UInt8]

    func bytes(of asked: CID) -> [UInt8]? { asked == cid ? bytes : blocks.bytes(of: asked) }
    func byteCount(of asked: CID) -> Int? { bytes(of: asked)?.count }
}
