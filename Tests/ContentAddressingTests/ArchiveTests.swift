import Testing

@testable import ContentAddressing

func archived(_ root: CID, _ source: some BlockSource) throws(ContentError) -> [UInt8] {
    var writer = ArchiveWriter(of: root, in: source)
    var bytes: [UInt8] = []
    while let piece = try writer.next() { bytes += piece }
    return bytes
}

func read(
    _ bytes: [UInt8], pieces: Int = .max, most: UInt64 = 1 << 30
) throws(ContentError) -> (roots: [CID], blocks: [Block]) {
    var reader = ArchiveReader(most: most)
    var blocks: [Block] = []
    var place = 0
    repeat {
        let end = pieces < bytes.count - place ? place + pieces : bytes.count
        try reader.append(bytes[place..<end])
        while let block = try reader.next() { blocks.append(block) }
        place = end
    } while place < bytes.count
    try reader.finish()
    return (reader.header?.roots ?? [], blocks)
}

@Suite("CARs")
struct ArchiveTests {
    @Test("A CAR of one block has the bytes that the specification says")
    func bytes() throws {
        let block = try Block(Array("hello world".utf8), codec: .raw)
        var blocks = MemoryBlocks()
        blocks.insert(block)
        let cid = block.cid.bytes
        let expected: [UInt8] =
            [58, 0xA2, 0x65] + Array("roots".utf8) + [0x81, 0xD8, 0x2A, 0x58, 37, 0] + cid + [0x67]
            + Array("version".utf8)
            + [1] + [47] + cid + block.bytes
        #expect(try archived(block.cid, blocks) == expected)
        // Of version 0, one byte less in two places.
        let v0 = imported(Array("hello world".utf8), .v0)
        let other = try archived(v0.file.root, v0.blocks)
        #expect(other[0] == 56 && other[12] == 35 && other[14...15] == [0x12, 0x20])
        #expect(try read(other).roots == [v0.file.root] && read(other).blocks.map(\.cid) == [v0.file.root])
    }

    @Test("What is written is read again, whatever the pieces; depth first, each block once")
    func roundTrips() throws {
        for bytes in [
            seeded(0), seeded(10), seeded(1_000), [UInt8](repeating: 3, count: 1_000), seeded(160) + seeded(160),
        ] {
            let (file, blocks) = imported(bytes, small())
            let car = try archived(file.root, blocks)
            #expect(try archived(file.root, blocks) == car)
            for pieces in [1, 2, 7, 100, .max] {
                let (roots, found) = try read(car, pieces: pieces)
                #expect(roots == [file.root] && found.first?.cid == file.root)
                #expect(found.count == Set(found.map(\.cid)).count && found.count == blocks.count)
                var again = MemoryBlocks()
                var known: Set<CID> = [file.root]
                for block in found {
                    // Whoever streams it knows each block before it comes.
                    #expect(known.contains(block.cid))
                    if block.cid.codec == .dagPB { known.formUnion(try DAGNode(block.bytes).links.map(\.cid)) }
                    again.insert(block)
                }
                #expect(try exported(file.root, again) == bytes)
            }
        }
    }

    @Test("A CAR that ends anywhere but behind a block is refused, and so is one with anything behind its last")
    func truncated() throws {
        let (file, blocks) = imported(seeded(100), small())
        let car = try archived(file.root, blocks)
        var ends: Set<Int> = []
        var place = 0
        var writer = ArchiveWriter(of: file.root, in: blocks)
        while let piece = try writer.next() {
            place += piece.count
            ends.insert(place)
        }
        for count in 0...car.count {
            let error = refusal { _ = try read(Array(car.prefix(count))) }
            #expect((error == nil) == ends.contains(count), "\(count)")
        }
        for padding: [UInt8] in [[0], [0, 0, 0], [1], [0x80], [36] + file.root.bytes + [9]] {
            #expect(refusal { _ = try read(car + padding) } != nil)
        }
        #expect(refusal { _ = try read([]) } != nil)
    }

    @Test("Any byte that is changed is noticed, but in what names the root")
    func changed() throws {
        let (file, blocks) = imported(seeded(64), small())
        let car = try archived(file.root, blocks)
        let whole = try read(car)
        for place in car.indices {
            for change in [1, 0x80] as [UInt8] {
                var wrong = car
                wrong[place] ^= change
                guard let (roots, found) = try? read(wrong) else { continue }
                // Roots are a claim; blocks are as their CIDs say, and another CID is another block.
                #expect(found == whole.blocks && roots != whole.roots, "\(place)")
            }
        }
    }

    @Test("Headers of another form, version or length, and blocks of another hash are refused before anything is kept")
    func headers() throws {
        let root = CID.of([1], codec: .raw)
        let good = ArchiveHeader(roots: [root]).encoded
        #expect(try read(good).roots == [root])
        #expect(try read(ArchiveHeader(roots: []).encoded).roots == [])
        #expect(try read(ArchiveHeader(roots: Array(repeating: root, count: 64)).encoded).roots.count == 64)
        #expect(refusal { _ = try read(ArchiveHeader(roots: Array(repeating: root, count: 65)).encoded) } != nil)
        func header(_ body: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            Varint.append(UInt64(body.count), to: &bytes)
            return bytes + body
        }
        let body = Array(good.dropFirst())
        let roots = Array("eroots".utf8)
        let version = Array("gversion".utf8)
        let bad: [[UInt8]] = [
            header([0xA1] + version + [2]), header([0xA2] + version + [1] + roots + [0x80]),
            header([0xA2] + roots + [0x80] + version + [2]),
            header([0xA2] + roots + [0x9F, 0xFF] + version + [1]), header([0xA2] + roots + [0x98, 1] + body[8...]),
            header(body + [0]),
            header([0xA2] + roots + [0x80] + version + [0x18, 1]), header([0xA3] + body.dropFirst()),
            header([0xA2] + roots + [0x9A, 0xFF, 0xFF, 0xFF, 0xFF]),
            header([0xA2] + roots + [0x81, 0xD8, 0x2A, 0x45, 0, 1, 0x55, 0, 0] + version + [1]), header([]),
            [0xBA, 0] + body,
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [UInt8](repeating: 0x80, count: 20),
            [0x81, 0x20] + [UInt8](repeating: 0, count: 4097),
        ]
        for bytes in bad { #expect(refusal { _ = try read(bytes) } != nil, "\(bytes)") }
        // A CARv2 begins with a header of version 2.
        #expect(refusal { _ = try read([0x0A, 0xA1] + version + [2] + [UInt8](repeating: 0, count: 40)) } != nil)
        // Two MiB is the most of a block, and it is not waited for.
        var huge: [UInt8] = []
        Varint.append(UInt64(Block.mostBytes + 37), to: &huge)
        #expect(
            refusal { _ = try read(good + huge) }
                == .tooLarge("bytes of a section of a CAR", most: UInt64(Block.mostBytes + 36)))
        #expect(
            refusal { _ = try read(good + good, most: UInt64(good.count)) }
                == .tooLarge("bytes of a CAR", most: UInt64(good.count)))
        let largest = try Block([UInt8](repeating: 1, count: Block.mostBytes), codec: .raw)
        #expect(try read(good + ArchiveWriter<MemoryBlocks>.head(of: largest) + largest.bytes).blocks == [largest])
        #expect(refusal { _ = try Block([UInt8](repeating: 1, count: Block.mostBytes + 1), codec: .raw) } != nil)
    }

    @Test("Where a refusal says that something is, there it is")
    func offsets() throws {
        let (file, blocks) = imported(seeded(100), small())
        let car = try archived(file.root, blocks)
        for pieces in [1, 50, .max] {
            let error = refusal { _ = try read(car + [0], pieces: pieces) }
            #expect(
                error
                    == .malformed(.archive, offset: car.count, expected: "a section of a byte at least, and no padding")
            )
        }
    }
}
