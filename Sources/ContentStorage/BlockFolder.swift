internal import ContentAddressing

/// All blocks of a folder, published or not: `blocks/<shard>/<cid>`, the shard being the two characters before the last, which are as good as random.
struct BlockFolder: BlockSource {
    let path: String

    func shard(of cid: CID) -> String { path + "/" + String(cid.v1.description.suffix(3).prefix(2)) }

    func file(of cid: CID) -> String { shard(of: cid) + "/" + cid.v1.description }

    func bytes(of cid: CID) throws(ContentError) -> [UInt8]? {
        try BlockFiles.read(file(of: cid), most: Block.mostBytes)
    }

    func byteCount(of cid: CID) throws(ContentError) -> Int? { try BlockFiles.byteCount(file(of: cid)) }

    /// All blocks below a root with their bytes, and how many bytes the file has; of a folder, how many all blocks have. Each block is read
    /// once and no leaf is, however many paths there are.
    ///
    /// - Throws: ``ContentError`` where one is not there, or they are no file or folder.
    func reach(_ root: CID) throws(ContentError) -> (blocks: [CID: Int], size: UInt64) {
        var blocks: [CID: Int] = [:]
        var fileSizes: [CID: UInt64] = [:]
        var expected: [(cid: CID, size: UInt64)] = []
        var pending = [root.v1]
        while let cid = pending.popLast() {
            guard blocks[cid] == nil else { continue }
            guard cid.codec == .dagPB else {
                guard let count = try byteCount(of: cid) else { throw .missing(cid) }
                (blocks[cid], fileSizes[cid]) = (count, UInt64(count))
                continue
            }
            let block = try block(cid)
            blocks[cid] = block.bytes.count
            let node = try DAGNode(block.bytes)
            let file = try UnixFSNode(of: node, in: cid)
            if file.kind == .file {
                fileSizes[cid] = file.fileSize
                expected += zip(node.links, file.blockSizes).map { ($0.cid.v1, $1) }
            }
            pending += node.links.map(\.cid.v1)
        }
        for (cid, size) in expected where fileSizes[cid] != size {
            throw .inconsistent(cid, expected: "a file of \(size) bytes, as its parent says")
        }
        return (blocks, fileSizes[root.v1] ?? blocks.values.reduce(0) { $0 + UInt64($1) })
    }
}
