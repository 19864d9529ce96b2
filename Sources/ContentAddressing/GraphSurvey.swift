/// What a graph consists of: each of its nodes is read once, and no leaf is, however many ways lead to it. It holds all links.
public struct GraphSurvey: Sendable {
    /// All blocks, and how many bytes each has.
    public let blocks: [CID: Int]
    /// How many bytes the file has; of a folder, all blocks.
    public let size: UInt64
    /// The bytes of all blocks, each once.
    public var bytes: UInt64 { blocks.values.reduce(0) { $0 + UInt64($1) } }
    /// The bytes of all blocks, each as often as ways lead to it, which is what a walk gives that gives duplicates; `UInt64.max` for that and more.
    public let repeatedBytes: UInt64

    /// Surveys what is below a root.
    ///
    /// - Parameter opensFolders: Whether what is in folders counts; otherwise what lists their entries alone.
    /// - Throws: ``ContentError`` where a block is not there, they are no file or folder, or lie deeper than a walk goes (``GraphWalk/mostDepth``).
    public init(
        of root: CID, in source: some BlockSource, opensFolders: Bool = true
    ) throws(ContentError) {
        var reached = Reached(opensFolders: opensFolders)
        try reached.follow(root.v1, in: source)
        for (cid, size) in reached.expected where reached.fileSizes[cid] != size {
            throw .inconsistent(cid, expected: "a file of \(size) bytes, as its parent says")
        }
        blocks = reached.blocks
        repeatedBytes = reached.below[root.v1]?.bytes ?? 0
        size = reached.fileSizes[root.v1] ?? reached.blocks.values.reduce(0) { $0 + UInt64($1) }
    }

    /// Below a block, itself included.
    private struct Below {
        /// Levels of links on the longest way.
        var levels = 0
        /// As often as ways lead to them.
        var bytes: UInt64

        mutating func add(_ child: Below) {
            levels = max(levels, child.levels + 1)
            let (sum, overflow) = bytes.addingReportingOverflow(child.bytes)
            bytes = overflow ? .max : sum
        }
    }

    /// A node on the way down, and which of its links are still to be followed.
    private struct Node {
        let cid: CID
        var rest: [CID]
        var below: Below
    }

    private struct Reached {
        let opensFolders: Bool
        var blocks: [CID: Int] = [:]
        var fileSizes: [CID: UInt64] = [:]
        var expected: [(cid: CID, size: UInt64)] = []
        /// Of blocks that were followed to their ends.
        var below: [CID: Below] = [:]

        init(opensFolders: Bool) { self.opensFolders = opensFolders }

        mutating func follow(_ root: CID, in source: some BlockSource) throws(ContentError) {
            var way = [try enter(root, in: source)]
            let most = GraphWalk<MemoryBlocks>.mostDepth
            while var node = way.popLast() {
                guard let child = node.rest.popLast() else {
                    below[node.cid] = node.below
                    if let above = way.indices.last { way[above].below.add(node.below) }
                    continue
                }
                let known = below[child]
                // Of all ways to a block the longest counts: a walk may come to it by any.
                guard way.count + 1 + (known?.levels ?? 0) <= most else {
                    throw .tooLarge("levels of a graph", most: UInt64(most))
                }
                if let known { node.below.add(known) }
                way.append(node)
                if known == nil { way.append(try enter(child, in: source)) }
            }
        }

        private mutating func enter(_ cid: CID, in source: some BlockSource) throws(ContentError) -> Node {
            guard cid.codec == .dagPB else {
                guard let count = try source.byteCount(of: cid) else { throw .missing(cid) }
                (blocks[cid], fileSizes[cid]) = (count, UInt64(count))
                return Node(cid: cid, rest: [], below: Below(bytes: UInt64(count)))
            }
            let block = try source.block(cid)
            blocks[cid] = block.bytes.count
            let node = try DAGNode(block.bytes)
            let file = try UnixFSNode(of: node, in: cid)
            if file.kind == .file {
                fileSizes[cid] = file.fileSize
                expected += zip(node.links, file.blockSizes).map { ($0.cid.v1, $1) }
            }
            let isOpened = opensFolders || file.kind == .file
            return Node(
                cid: cid, rest: isOpened ? node.links.map(\.cid.v1) : [],
                below: Below(bytes: UInt64(block.bytes.count)))
        }
    }
}
