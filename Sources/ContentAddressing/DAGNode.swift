/// A node of dag-pb: links and data (ipld.io/specs/codecs/dag-pb/spec).
///
/// A block is read in one form alone: links before data, each link's fields in the order of the specification, none twice and no others,
/// integers in their shortest form. So what is read is written again with the same
/// bytes. The specification lets decoders also take data before links, as old programs wrote it; it is refused here.
public struct DAGNode: Sendable, Hashable {
    /// A link to another block.
    public struct Link: Sendable, Hashable {
        /// What it leads to.
        public let cid: CID
        /// Its name; nil and an empty one are different bytes and mean the same. Names are compared by their UTF-8.
        public let name: String?
        /// How many bytes all blocks below have together, as who wrote it says; nobody checks it.
        public let cumulativeSize: UInt64?

        /// A link.
        public init(_ cid: CID, name: String?, cumulativeSize: UInt64?) {
            (self.cid, self.name, self.cumulativeSize) = (cid, name, cumulativeSize)
        }

        /// By bytes: Swift takes differently composed characters for the same.
        public static func == (a: Link, b: Link) -> Bool {
            guard a.cid == b.cid, a.cumulativeSize == b.cumulativeSize else { return false }
            return switch (a.name, b.name) {
            case (nil, nil): true
            case (let x?, let y?): x.utf8.elementsEqual(y.utf8)
            default: false
            }
        }
    }

    /// In the order of the block.
    public let links: [Link]
    /// What the node holds itself: a UnixFS message.
    public let data: [UInt8]?

    /// A node; links are sorted by name, and stay in their order where names are the same.
    public init(links: [Link], data: [UInt8]?) {
        let isSorted = links.indices.dropFirst().allSatisfy { !Self.precedes(links[$0], links[$0 - 1]) }
        // Swift's sort is stable.
        self.links = isSorted ? links : links.sorted(by: Self.precedes)
        self.data = data
    }

    private static func precedes(_ a: Link, _ b: Link) -> Bool {
        (a.name ?? "").utf8.lexicographicallyPrecedes((b.name ?? "").utf8)
    }

    /// The block's bytes.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(links.count * 52 + (data?.count ?? 0) + 8)
        for link in links {
            var message: [UInt8] = []
            Protobuf.append(link.cid.bytes, field: 1, to: &message)
            if let name = link.name { Protobuf.append(Array(name.utf8), field: 2, to: &message) }
            if let size = link.cumulativeSize { Protobuf.append(size, field: 3, to: &message) }
            Protobuf.append(message, field: 2, to: &bytes)
        }
        if let data { Protobuf.append(data, field: 1, to: &bytes) }
        return bytes
    }

    /// Reads a block's bytes.
    ///
    /// - Throws: ``ContentError``.
    public init(_ bytes: [UInt8]) throws(ContentError) {
        var cursor = ByteCursor(bytes[...], form: .node)
        var links: [Link] = []
        var data: [UInt8]?
        while !cursor.isAtEnd {
            guard data == nil else { throw cursor.malformed("the end behind the data") }
            switch try cursor.byte() {
            case Protobuf.tag(2, .bytes): links.append(try Self.link(&cursor))
            case Protobuf.tag(1, .bytes): data = Array(try cursor.take(try cursor.length()))
            default: throw cursor.malformed("a link or the data")
            }
        }
        (self.links, self.data) = (links, data)
    }

    private static func link(_ cursor: inout ByteCursor) throws(ContentError) -> Link {
        let count = try cursor.length()
        let end = cursor.offset + count
        var (cid, name, size): (CID?, String?, UInt64?) = (nil, nil, nil)
        var last: UInt8 = 0
        while cursor.offset < end {
            let tag = try cursor.byte()
            guard tag > last else { throw cursor.malformed("a link's fields once each, in their order") }
            last = tag
            switch tag {
            case Protobuf.tag(1, .bytes):
                var inner = ByteCursor(try cursor.take(try cursor.length()), form: .cid)
                cid = try CID(reading: &inner)
                guard inner.isAtEnd else { throw inner.malformed("the end of the CID") }
            case Protobuf.tag(2, .bytes):
                name = String(validating: try cursor.take(try cursor.length()), as: UTF8.self)
                guard name != nil else { throw cursor.malformed("a name in UTF-8") }
            case Protobuf.tag(3, .varint): size = try cursor.varint()
            default: throw cursor.malformed("a link's hash, name or size")
            }
        }
        guard cursor.offset == end else { throw cursor.malformed("a link of \(count) bytes") }
        guard let cid else { throw cursor.malformed("a link's hash") }
        return Link(cid, name: name, cumulativeSize: size)
    }
}

/// What of Protocol Buffers dag-pb and UnixFS need (protobuf.dev/programming-guides/encoding).
enum Protobuf {
    enum Wire: UInt8 { case varint = 0, bytes = 2 }

    /// Of fields 1 to 15.
    static func tag(_ field: UInt8, _ wire: Wire) -> UInt8 { field << 3 | wire.rawValue }

    static func append(_ value: UInt64, field: UInt8, to bytes: inout [UInt8]) {
        bytes.append(tag(field, .varint))
        Varint.append(value, to: &bytes)
    }

    static func append(_ value: [UInt8], field: UInt8, to bytes: inout [UInt8]) {
        bytes.append(tag(field, .bytes))
        Varint.append(UInt64(value.count), to: &bytes)
        bytes.append(contentsOf: value)
    }
}
