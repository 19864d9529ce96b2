/// What a CAR begins with (ipld.io/specs/transport/car/carv1): dag-cbor of the version, 1, and of what the file is about.
public struct ArchiveHeader: Sendable, Hashable {
    /// The most roots that are read.
    public static let mostRoots = 64

    /// What the CAR is about.
    public let roots: [CID]

    /// A header.
    public init(roots: [CID]) { self.roots = roots }

    private static let label = Array("roots".utf8)
    private static let version = Array("version".utf8)

    /// The header's bytes, with their length before them.
    public var encoded: [UInt8] { Self.encoded(roots.map(\.bytes)) }

    /// RFC 8949 with the rules of dag-cbor: shortest lengths, shorter keys first, links as byte strings behind tag 42 and a zero byte.
    static func encoded(_ roots: [[UInt8]]) -> [UInt8] {
        var header: [UInt8] = [0xA2, 0x60 + UInt8(label.count)] + label
        header += head(0x80, roots.count)
        for root in roots { header += [0xD8, 42] + head(0x40, root.count + 1) + [0] + root }
        header += [0x60 + UInt8(version.count)] + version + [1]
        var bytes: [UInt8] = []
        Varint.append(UInt64(header.count), to: &bytes)
        return bytes + header
    }

    private static func head(_ type: UInt8, _ count: Int) -> [UInt8] {
        count < 24
            ? [type + UInt8(count)]
            : count < 256 ? [type + 24, UInt8(count)] : [type + 25, UInt8(count >> 8), UInt8(count & 255)]
    }

    /// Reads the bytes behind the length, in their one form.
    init(_ bytes: ArraySlice<UInt8>) throws(ContentError) {
        var cursor = ByteCursor(bytes, form: .archive)
        try Self.expect([0xA2, 0x60 + UInt8(Self.label.count)] + Self.label, "a map with roots first", &cursor)
        let count = try Self.count(0x80, &cursor)
        guard count <= Self.mostRoots else { throw .tooLarge("roots of a CAR", most: UInt64(Self.mostRoots)) }
        var roots: [CID] = []
        for _ in 0..<count {
            try Self.expect([0xD8, 42], "a link", &cursor)
            let length = try Self.count(0x40, &cursor)
            var link = ByteCursor(try cursor.take(length), form: .archive)
            guard try link.byte() == 0 else { throw cursor.malformed("a link that begins with a zero byte") }
            roots.append(try CID(reading: &link))
            guard link.isAtEnd else { throw cursor.malformed("the end of a root") }
        }
        try Self.expect([0x60 + UInt8(Self.version.count)] + Self.version, "the version behind the roots", &cursor)
        guard try cursor.byte() == 1 else {
            throw .unsupported("a CAR of another version", expected: "version 1")
        }
        guard cursor.isAtEnd else { throw cursor.malformed("the header's end") }
        self.roots = roots
    }

    private static func expect(_ bytes: [UInt8], _ what: String, _ cursor: inout ByteCursor) throws(ContentError) {
        guard cursor.rest.starts(with: bytes) else { throw cursor.malformed(what) }
        _ = try cursor.take(bytes.count)
    }

    private static func count(_ type: UInt8, _ cursor: inout ByteCursor) throws(ContentError) -> Int {
        let head = try cursor.byte()
        switch head {
        case type..<type + 24: return Int(head - type)
        case type + 24:
            let count = try cursor.byte()
            guard count >= 24 else { throw cursor.malformed("a length in its shortest form") }
            return Int(count)
        case type + 25, type + 26, type + 27: throw .tooLarge("a length in the header of a CAR", most: 255)
        default: throw cursor.malformed(type == 0x80 ? "a list" : "a byte string")
        }
    }
}

/// A CAR as pieces of bytes: the header, then a section a block, depth first. The same root and source give the same bytes.
public struct ArchiveWriter<Source: BlockSource>: Sendable {
    /// What comes before anything else: the header, or the bytes of a block whose length and CID were given.
    private var due: [UInt8]?
    private var walks: [GraphWalk<Source>]

    /// All blocks from the root on, each once (`order=dfs; dups=n`).
    public init(of root: CID, in source: Source) {
        self.init(header: ArchiveHeader(roots: [root]).encoded, walks: [GraphWalk(from: root, in: source)])
    }

    /// What each walk gives, one after the other.
    init(header: [UInt8], walks: [GraphWalk<Source>]) {
        due = header
        self.walks = walks.reversed()
    }

    /// The next bytes: of a small block all of its section, of a large one what is before it, and then the block, which is not copied; nil
    /// at the end.
    ///
    /// - Throws: ``ContentError`` where a block is not there, or not what its CID says.
    public mutating func next() throws(ContentError) -> [UInt8]? {
        if let due {
            self.due = nil
            return due
        }
        while !walks.isEmpty {
            if let block = try walks[walks.count - 1].next() {
                let head = Self.head(of: block)
                guard block.bytes.count > Self.joinedBytes else { return head + block.bytes }
                due = block.bytes
                return head
            }
            walks.removeLast()
        }
        return nil
    }

    private static var joinedBytes: Int { 16 << 10 }

    /// A section's length and CID.
    static func head(of block: Block) -> [UInt8] {
        let name = block.cid.bytes
        var bytes: [UInt8] = []
        Varint.append(UInt64(name.count + block.bytes.count), to: &bytes)
        return bytes + name
    }
}

/// Reads a CAR whose bytes come piece by piece. Each block is checked against its CID before it is given; holds one section and a piece.
///
/// Refused are other versions, headers and integers that are not in their one form, sections without a block (padding), and an end in the
/// middle of one. Roots may be missing among the blocks, and blocks may be there that no
/// root leads to, or twice: whoever takes them decides.
public struct ArchiveReader: Sendable {
    /// The most bytes of a header.
    public static let mostHeaderBytes = 4096

    private let most: UInt64
    private var buffer: [UInt8] = []
    /// Where in the buffer the next section begins.
    private var start = 0
    /// How many bytes were read before the buffer's first.
    private var before: UInt64 = 0

    /// What the CAR is about, once it was read: after the first call of ``next()`` that gave a block, or after ``finish()``.
    public private(set) var header: ArchiveHeader?

    /// Nothing so far; `most` bounds the bytes of the whole CAR.
    public init(most: UInt64) { self.most = most }

    /// Adds the next bytes.
    ///
    /// - Throws: ``ContentError`` for more than there may be.
    public mutating func append(_ bytes: some Collection<UInt8>) throws(ContentError) {
        guard UInt64(bytes.count) <= most - min(most, before + UInt64(buffer.count)) else {
            throw .tooLarge("bytes of a CAR", most: most)
        }
        if start > 0 {
            before += UInt64(start)
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next block; nil where more bytes are needed.
    ///
    /// - Throws: ``ContentError``.
    public mutating func next() throws(ContentError) -> Block? {
        if header == nil {
            guard let body = try section(atMost: Self.mostHeaderBytes) else { return nil }
            header = try located { () throws(ContentError) in try ArchiveHeader(buffer[body]) }
            start = body.upperBound
        }
        guard let body = try section(atMost: Block.mostBytes + 36) else { return nil }
        let block = try located { () throws(ContentError) in
            var cursor = ByteCursor(buffer[body], form: .archive)
            let cid = try CID(reading: &cursor)
            return try Block(verifying: Array(cursor.rest), as: cid)
        }
        start = body.upperBound
        return block
    }

    /// Where the next section's bytes lie in the buffer; nil where they are not all there yet.
    private func section(atMost most: Int) throws(ContentError) -> Range<Int>? {
        var cursor = ByteCursor(buffer[start...], form: .archive)
        let head = buffer[start...].prefix(Varint.mostBytes)
        guard head.count == Varint.mostBytes || head.contains(where: { $0 < 0x80 }) else { return nil }
        let length = try located { () throws(ContentError) in try cursor.varint() }
        guard length > 0 else { throw malformed("a section of a byte at least, and no padding") }
        guard length <= UInt64(most) else { throw .tooLarge("bytes of a section of a CAR", most: UInt64(most)) }
        let begin = start + cursor.offset
        return buffer.count - begin < Int(length) ? nil : begin..<begin + Int(length)
    }

    /// Says that all bytes were given.
    ///
    /// - Throws: ``ContentError`` where the CAR ends in the middle of a section, or has no header.
    public func finish() throws(ContentError) {
        guard header != nil, start == buffer.count else { throw malformed("the rest of a section") }
    }

    private func malformed(_ expected: String) -> ContentError {
        .malformed(.archive, offset: Int(clamping: before + UInt64(start)), expected: expected)
    }

    /// Offsets count from the CAR's beginning.
    private func located<Result>(_ body: () throws(ContentError) -> Result) throws(ContentError) -> Result {
        do throws(ContentError) { return try body() } catch {
            guard case .malformed(let form, let offset, let expected) = error else { throw error }
            throw .malformed(form, offset: Int(clamping: before + UInt64(start)) + offset, expected: expected)
        }
    }
}
