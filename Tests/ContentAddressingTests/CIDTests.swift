import Foundation
import Secrets
import Testing

@testable import ContentAddressing

/// Bytes that follow from a seed, as Kubo's tests make them (`test/cli/testutils/random_deterministic.go`): ChaCha20 with the seed's
/// SHA-256 digest as key.
struct SeededBytes {
    private var words: SeededGenerator

    init(_ seed: String) {
        let key = CID.of(Array(seed.utf8), codec: .raw).sha256
        func word(_ place: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(key[8 * place + $1]) << UInt64(8 * $1) } }
        words = SeededGenerator(key: (word(0), word(1), word(2), word(3)))
    }

    /// The next ones; a number that is no multiple of 8 is the last.
    mutating func next(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: (count + 7) / 8 * 8) { buffer, initialized in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for place in 0..<(count + 7) / 8 {
                raw.storeBytes(of: words.next().littleEndian, toByteOffset: 8 * place, as: UInt64.self)
            }
            initialized = count
        }
    }
}

func seeded(_ count: Int, _ seed: String = "bytes") -> [UInt8] {
    var bytes = SeededBytes(seed)
    return bytes.next(count)
}

/// All blocks of a file, and its root.
func imported(_ bytes: [UInt8], _ profile: UnixFSProfile = .v1, pieces: Int = 1 << 20) -> (
    file: UnixFSFile, blocks: MemoryBlocks
) {
    var blocks = MemoryBlocks()
    var importer = UnixFSImporter(profile)
    var place = 0
    while place < bytes.count {
        let end = min(place + pieces, bytes.count)
        importer.append(Array(bytes[place..<end])) { blocks.insert($0) }
        place = end
    }
    let file = importer.finish { blocks.insert($0) }
    return (file, blocks)
}

func exported(_ root: CID, _ blocks: some BlockSource, most: UInt64 = 1 << 30) throws(ContentError) -> [UInt8] {
    var reader = try UnixFSReader(root, in: blocks, most: most)
    var bytes: [UInt8] = []
    while let piece = try reader.next() { bytes += piece }
    return bytes
}

func small(_ chunk: Int = 16, links: Int = 3, raw: Bool = true) -> UnixFSProfile {
    UnixFSProfile(chunkBytes: chunk, links: links, hasRawLeaves: raw) ?? .v1
}

func refusal(_ body: () throws -> Void) -> ContentError? {
    do { try body() } catch { return error as? ContentError }
    return nil
}

@Suite("Content identifiers")
struct CIDTests {
    @Test(
        "The CIDs that IPFS gives well-known bytes",
        arguments: [
            ("hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
            ("hello world\n", "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"),
            ("", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
            ("hello application/vnd.ipld.car", "bafkreifkam6ns4aoolg3wedr4uzrs3kvq66p4pecirz6y2vlrngla62mxm"),
        ])
    func raw(_ text: String, _ cid: String) throws {
        // The last one's file ends with a newline.
        let bytes = Array((text.hasPrefix("hello app") ? text + "\n" : text).utf8)
        let found = CID.of(bytes, codec: .raw)
        #expect(found.description == cid)
        #expect(try CID(cid) == found && CID(bytes: found.bytes) == found)
        #expect(found.names(bytes) && !found.names(bytes + [0]))
        #expect(CID(.raw, sha256: found.sha256) == found && CID(.raw, sha256: [1, 2]) == nil)
        let coded = try JSONEncoder().encode([found])
        #expect(String(decoding: coded, as: UTF8.self) == "[\"\(cid)\"]")
        #expect(try JSONDecoder().decode([CID].self, from: coded) == [found])
    }

    @Test("Both versions of one block's CID are read, and have the bytes that the specification says")
    func versions() throws {
        // An empty folder (specs.ipfs.tech/unixfs).
        let v0 = try CID("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn")
        let v1 = try CID("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")
        #expect(v0.version == .v0 && v0.codec == .dagPB && v0 != v1 && v0.v1 == v1)
        #expect(v0.bytes.count == 34 && v0.bytes.prefix(2) == [0x12, 0x20])
        #expect(v1.bytes.count == 36 && v1.bytes.prefix(4) == [1, 0x70, 0x12, 0x20])
        #expect(v0.description == "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn")
        #expect(try CID(bytes: v0.bytes) == v0)
        #expect(try Block.folder([]).cid == v1)
    }

    @Test(
        "Texts that are no CID, or one that is not read here, are refused with what is wrong",
        arguments: [
            ("", "begins otherwise"), ("b", "another byte"), ("bafkqaaa", "hash function 0x0"),
            ("BAFKREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E", "begins otherwise"),
            ("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f", "whole bytes"),
            ("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5", "whole bytes"),
            ("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e=", "a to z"),
            ("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5eaa", "the end of the CID"),
            ("bafyreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", "codec 0x71"),
            (
                "bafkrgqbqt3gerhas23vuzrapkdeqf4vu2dwxp3srdj6hvg6nhsug2tgyn6mj3u23yx7utftq3i2ckw2fwdh5qmhid5qf3t35yvkc5e5ottlw6",
                "hash function 0x13"
            ),
            ("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N", "46 characters"),
            ("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N0", "46 characters"),
            ("zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz", "begins otherwise"),
            (String(repeating: "b", count: 200), "at most 128"),
        ])
    func refused(_ text: String, _ expected: String) throws {
        let error = try #require(refusal { _ = try CID(text) })
        #expect(error.description.contains(expected), "\(error)")
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([CID].self, from: try JSONEncoder().encode([text]))
        }
    }

    @Test("An integer is read in its shortest form alone, of nine bytes at the most")
    func varints() throws {
        for value in [0, 1, 127, 128, 255, 300, 16_383, 16_384, UInt64(Int64.max)] {
            var bytes: [UInt8] = []
            Varint.append(value, to: &bytes)
            var cursor = ByteCursor(bytes[...], form: .cid)
            #expect(try cursor.varint() == value && cursor.isAtEnd && bytes.count == Varint.byteCount(value))
        }
        for bytes: [UInt8] in [[0x80, 0], [0xFF, 0x80, 0], [0x80], [], [UInt8](repeating: 0xFF, count: 9) + [1]] {
            var cursor = ByteCursor(bytes[...], form: .cid)
            #expect(throws: ContentError.self) { try cursor.varint() }
        }
        // A CID with its length in two bytes is none.
        let cid = CID.of([], codec: .raw)
        #expect(refusal { _ = try CID(bytes: [1, 0x55, 0x12, 0xA0, 0] + cid.sha256) } != nil)
        #expect(refusal { _ = try CID(bytes: [2, 0x55, 0x12, 0x20] + cid.sha256) } != nil)
        #expect(refusal { _ = try CID(bytes: cid.bytes.dropLast()) } != nil)
    }

    @Test("Any text that is read is written the same, and any CID is read again")
    func everyText() throws {
        var bytes = SeededBytes("cids")
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567QmZ189".utf8)
        for _ in 0..<2_000 {
            let digest = bytes.next(32)
            let codec: BlockCodec = digest[0] & 1 == 0 ? .raw : .dagPB
            let cid = try #require(CID(codec, sha256: digest))
            #expect(try CID(cid.description) == cid)
            let v0 = CID(.v0, .dagPB, cid.digest)
            #expect(try CID(v0.description) == v0 && v0.description.count == 46)
            var text = Array((digest[1] & 1 == 0 ? cid : v0).description.utf8)
            text[Int(digest[2]) % text.count] = letters[Int(digest[3]) % letters.count]
            let changed = String(decoding: text, as: UTF8.self)
            if let read = try? CID(changed) { #expect(read.description == changed) }
        }
    }
}
