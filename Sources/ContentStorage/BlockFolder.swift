internal import ContentAddressing

/// All blocks of a folder, published or not: `blocks/<shard>/<cid>`, the shard being the two characters before the last, which are as good as random.
struct BlockFolder: BlockSource {
    let path: String

    func shard(of cid: CID) -> String { path + "/" + String(cid.v1.description.suffix(3).prefix(2)) }

    /// Two of the letters and digits of base32.
    static func isShard(_ name: String) -> Bool {
        name.utf8.count == 2
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains($0)
            }
    }

    func file(of cid: CID) -> String { shard(of: cid) + "/" + cid.v1.description }

    func bytes(of cid: CID) throws(ContentError) -> [UInt8]? {
        try BlockFiles.read(file(of: cid), most: Block.mostBytes)
    }

    func byteCount(of cid: CID) throws(ContentError) -> Int? { try BlockFiles.byteCount(file(of: cid)) }

    /// All blocks below a root with their bytes, and how many bytes the file has; of a folder, how many all blocks have. Each block is read
    /// once and no leaf is, however many paths there are.
    ///
    /// - Throws: ``ContentError`` where one is not there, they are no file or folder, or lie deeper than is given (``GraphWalk/mostDepth``).
    func reach(_ root: CID) throws(ContentError) -> (blocks: [CID: Int], size: UInt64) {
        var reached = Reached()
        var path = [try reached.enter(root.v1, in: self)]
        while var node = path.popLast() {
            guard let child = node.rest.popLast() else {
                reached.heights[node.cid] = node.height
                if let above = path.indices.last { path[above].height = max(path[above].height, node.height + 1) }
                continue
            }
            let height = reached.heights[child]
            // Of all ways to a block the longest counts: a walk may come to it by any.
            guard path.count + 1 + (height ?? 0) <= GraphWalk<Self>.mostDepth else {
                throw .tooLarge("levels of a graph", most: UInt64(GraphWalk<Self>.mostDepth))
            }
            if let height {
                node.height = max(node.height, height + 1)
                path.append(node)
            } else {
                path += [node, try reached.enter(child, in: self)]
            }
        }
        for (cid, size) in reached.expected where reached.fileSizes[cid] != size {
            throw .inconsistent(cid, expected: "a file of \(size) bytes, as its parent says")
        }
        let all = reached.blocks.values.reduce(0) { $0 + UInt64($1) }
        return (reached.blocks, reached.fileSizes[root.v1] ?? all)
    }

    /// A node on the way down, and what of its links is still to be followed.
    private struct Node {
        let cid: CID
        var rest: [CID]
        /// Of what was followed.
        var height = 0
    }

    /// What was read of a graph.
    private struct Reached {
        var blocks: [CID: Int] = [:]
        var fileSizes: [CID: UInt64] = [:]
        var expected: [(cid: CID, size: UInt64)] = []
        /// Levels below a block, of those that were followed to their ends.
        var heights: [CID: Int] = [:]

        mutating func enter(_ cid: CID, in folder: BlockFolder) throws(ContentError) -> Node {
            guard cid.codec == .dagPB else {
                guard let count = try folder.byteCount(of: cid) else { throw .missing(cid) }
                (blocks[cid], fileSizes[cid]) = (count, UInt64(count))
                return Node(cid: cid, rest: [])
            }
            let block = try folder.block(cid)
            blocks[cid] = block.bytes.count
            let node = try DAGNode(block.bytes)
            let file = try UnixFSNode(of: node, in: cid)
            if file.kind == .file {
                fileSizes[cid] = file.fileSize
                expected += zip(node.links, file.blockSizes).map { ($0.cid.v1, $1) }
            }
            return Node(cid: cid, rest: node.links.map(\.cid.v1))
        }
    }
}
