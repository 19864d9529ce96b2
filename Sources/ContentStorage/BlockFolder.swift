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
}
