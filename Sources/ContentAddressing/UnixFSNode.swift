/// What a dag-pb node says of files (specs.ipfs.tech/unixfs): a piece of a file, or a folder.
///
/// Read are files and folders, in one form alone; sharded folders, symbolic links, modes, times and the old raw type are refused.
public struct UnixFSNode: Sendable, Hashable {
    /// What it is.
    public enum Kind: UInt64, Sendable, Hashable {
        /// A folder whose entries are the node's links.
        case folder = 1
        /// A file: the node's own bytes, then those of its links.
        case file = 2
    }

    /// What it is.
    public let kind: Kind
    /// Bytes of the file that the node holds itself.
    public let data: [UInt8]
    /// How many bytes of the file there are below each link, in the order of links.
    public let blockSizes: [UInt64]
    /// How many bytes of the file there are in all.
    public let fileSize: UInt64

    /// A folder.
    static let folder = UnixFSNode(kind: .folder, data: [], blockSizes: [], fileSize: 0)

    private init(kind: Kind, data: [UInt8], blockSizes: [UInt64], fileSize: UInt64) {
        (self.kind, self.data, self.blockSizes, self.fileSize) = (kind, data, blockSizes, fileSize)
    }

    /// A file of bytes of its own and of links with so many bytes each.
    init(file data: [UInt8], blockSizes: [UInt64]) {
        self.init(
            kind: .file, data: data, blockSizes: blockSizes,
            fileSize: blockSizes.reduce(UInt64(data.count)) { $0 + $1 })
    }

    /// The message's bytes.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        Protobuf.append(kind.rawValue, field: 1, to: &bytes)
        guard kind == .file else { return bytes }
        if !data.isEmpty { Protobuf.append(data, field: 2, to: &bytes) }
        Protobuf.append(fileSize, field: 3, to: &bytes)
        for size in blockSizes { Protobuf.append(size, field: 4, to: &bytes) }
        return bytes
    }

    /// Reads the message, and holds it to its node.
    ///
    /// - Throws: ``ContentError`` also where sizes and links contradict each other.
    public init(of node: DAGNode, in cid: CID) throws(ContentError) {
        guard let bytes = node.data else { throw .inconsistent(cid, expected: "a UnixFS message in it") }
        try self.init(bytes)
        guard kind == .file else {
            let names = node.links.map { Array(($0.name ?? "").utf8) }
            guard Set(names).count == names.count, names.allSatisfy(Self.isNameOfEntry) else {
                throw .inconsistent(cid, expected: "entries with a name of their own each, without /")
            }
            return
        }
        guard node.links.count == blockSizes.count, node.links.allSatisfy({ ($0.name ?? "").isEmpty }) else {
            throw .inconsistent(cid, expected: "a size for each link, and no names")
        }
        // Otherwise a file of a few bytes could have any number of blocks.
        guard !blockSizes.contains(0) else { throw .inconsistent(cid, expected: "bytes below each link") }
        var sum = UInt64(data.count)
        for size in blockSizes {
            let (next, overflow) = sum.addingReportingOverflow(size)
            guard !overflow else { throw .inconsistent(cid, expected: "sizes whose sum is a size") }
            sum = next
        }
        guard sum == fileSize else { throw .inconsistent(cid, expected: "a file of \(sum) bytes, as its parts have") }
    }

    static func isNameOfEntry(_ name: [UInt8]) -> Bool {
        !name.isEmpty && !name.contains(UInt8(ascii: "/")) && !name.contains(0) && name != Array(".".utf8)
            && name != Array("..".utf8)
    }

    private init(_ bytes: [UInt8]) throws(ContentError) {
        var cursor = ByteCursor(bytes[...], form: .unixFS)
        guard try cursor.byte() == Protobuf.tag(1, .varint) else { throw cursor.malformed("the type first") }
        let type = try cursor.varint()
        guard let kind = Kind(rawValue: type) else {
            throw .unsupported("the UnixFS type \(type)", expected: "1 (a folder) or 2 (a file)")
        }
        var (data, size): ([UInt8]?, UInt64?) = (nil, nil)
        var sizes: [UInt64] = []
        while !cursor.isAtEnd {
            switch try cursor.byte() {
            case Protobuf.tag(2, .bytes) where kind == .file && data == nil && size == nil:
                let bytes = try cursor.take(try cursor.length())
                guard !bytes.isEmpty else { throw cursor.malformed("data of a byte at least, or none") }
                data = Array(bytes)
            case Protobuf.tag(3, .varint) where kind == .file && size == nil: size = try cursor.varint()
            case Protobuf.tag(4, .varint) where size != nil: sizes.append(try cursor.varint())
            default:
                throw cursor.malformed(kind == .folder ? "no other field of a folder" : "data, size and sizes of links")
            }
        }
        guard kind == .folder || size != nil else { throw cursor.malformed("the file's size") }
        self.init(kind: kind, data: data ?? [], blockSizes: sizes, fileSize: size ?? 0)
    }
}

extension Block {
    /// A folder of files and folders, in one block. Entries are sorted by their names' bytes.
    ///
    /// - Throws: ``ContentError`` for names that are empty, `.`, `..`, used twice or hold `/`, and for more entries than a block takes.
    public static func folder(_ entries: [(name: String, cid: CID, cumulativeSize: UInt64)]) throws(ContentError)
        -> Block
    {
        let links = entries.map { DAGNode.Link($0.cid, name: $0.name, cumulativeSize: $0.cumulativeSize) }
        let node = DAGNode(links: links, data: UnixFSNode.folder.encoded)
        let block = try Block(node.encoded, codec: .dagPB)
        _ = try UnixFSNode(of: node, in: block.cid)
        return block
    }
}
