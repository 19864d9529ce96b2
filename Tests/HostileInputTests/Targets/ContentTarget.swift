import ContentAddressing

/// The readers of content that anybody sends: CIDs, dag-pb and UnixFS, CARs, and what is asked of a gateway. What is read is written again
/// with the same bytes, and a refusal says why.
enum ContentTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        identifiers(input) + node(input) + archive(input) + request(input)
    }

    private static func identifiers(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        if let cid = try? CID(bytes: input), cid.bytes != input { found.append("CID: other bytes than were read") }
        if let text = String(validating: input, as: UTF8.self), let cid = try? CID(text) {
            if !cid.description.utf8.elementsEqual(input) { found.append("CID: another text than was read") }
            if (try? CID(bytes: cid.bytes)) != cid { found.append("CID: not read again") }
        }
        return found
    }

    private static func node(_ input: [UInt8]) -> [String] {
        do throws(ContentError) {
            let node = try DAGNode(input)
            guard node.encoded == input else { return ["dag-pb: written with other bytes than were read"] }
            let file = try UnixFSNode(of: node, in: CID.of(input, codec: .dagPB))
            let sum = file.blockSizes.reduce(UInt64(file.data.count)) { $0 &+ $1 }
            return file.kind == .folder || (sum == file.fileSize && file.blockSizes.count == node.links.count)
                ? [] : ["UnixFS: sizes that are not those of the links"]
        } catch { return error.description.isEmpty ? ["dag-pb: a refusal without words"] : [] }
    }

    /// Whole and in pieces it is the same; what is whole holds blocks that are right, and its files come back or are refused.
    private static func archive(_ input: [UInt8]) -> [String] {
        let (whole, error) = read(input, pieces: max(1, input.count))
        let (parts, other) = read(input, pieces: 3)
        guard whole == parts, error == other else { return ["CAR: pieces are read otherwise than the whole"] }
        guard whole.allSatisfy({ $0.cid.names($0.bytes) }) else { return ["CAR: a block that its CID does not name"] }
        guard error == nil, let root = whole.first?.cid else {
            return error?.description.isEmpty == true ? ["CAR: a refusal without words"] : []
        }
        var blocks = MemoryBlocks()
        for block in whole { blocks.insert(block) }
        var walk = GraphWalk(from: root, in: blocks)
        var count = 0
        do throws(ContentError) { while try walk.next() != nil { count += 1 } } catch { return [] }
        guard count <= whole.count else { return ["CAR: a walk with more blocks than there are"] }
        do throws(ContentError) {
            var reader = try UnixFSReader(root, in: blocks, most: 1 << 16)
            var size: UInt64 = 0
            while let piece = try reader.next() { size += UInt64(piece.count) }
            return size == reader.size ? [] : ["CAR: a file with another size than its root says"]
        } catch { return [] }
    }

    private static func read(_ input: [UInt8], pieces: Int) -> ([Block], ContentError?) {
        var (reader, blocks) = (ArchiveReader(most: 1 << 20), [Block]())
        do throws(ContentError) {
            for start in stride(from: 0, to: input.count, by: pieces) {
                try reader.append(input[start..<min(start + pieces, input.count)])
                while let block = try reader.next() { blocks.append(block) }
            }
            try reader.finish()
            return (blocks, nil)
        } catch { return (blocks, error) }
    }

    /// Lines: path, query, and header fields; `R` and `F` in them stand for the CIDs of a file and a folder.
    private static func request(_ input: [UInt8]) -> [String] {
        guard let site = Self.site else { return ["no file and folder"] }
        var lines = String(decoding: input, as: UTF8.self).split(
            separator: "\n", maxSplits: 6, omittingEmptySubsequences: false
        ).map(String.init)
        lines[0] = lines[0].replacing("R", with: site.root.description).replacing("F", with: site.folder.description)
        lines += Array(repeating: "", count: 6)
        let request = GatewayRequest(
            method: lines[6] == "HEAD" ? "HEAD" : "GET", path: lines[0], query: lines[1], accept: lines[2],
            ifNoneMatch: lines[3],
            range: lines[4], ifRange: lines[5].isEmpty ? nil : lines[5])
        var answer = TrustlessGateway(site.blocks).answer(request)
        let isPrintable = answer.headers.allSatisfy { $0.value.utf8.allSatisfy { (0x20..<0x7F).contains($0) } }
        guard isPrintable else { return ["gateway: a header field that is none"] }
        var bytes: [UInt8] = []
        do throws(ContentError) { while let piece = try answer.body.next() { bytes += piece } } catch {
            return ["gateway: \(error), of content that is whole"]
        }
        guard request.method == "GET" || bytes.isEmpty else { return ["gateway: HEAD with a body"] }
        guard [200, 206, 304, 400, 404, 406, 416].contains(answer.status) else {
            return ["gateway: status \(answer.status)"]
        }
        guard answer.status < 300, request.method == "GET", !lines[0].contains(TrustlessGateway<MemoryBlocks>.probe)
        else { return [] }
        if let length = answer["Content-Length"], length != "\(bytes.count)" {
            return ["gateway: another length than it says"]
        }
        guard answer["Content-Type"]?.hasPrefix("application/vnd.ipld.car") == true else { return [] }
        let (blocks, error) = read(bytes, pieces: bytes.count)
        let isPublished = blocks.allSatisfy { site.blocks.bytes(of: $0.cid) != nil }
        return error == nil && isPublished && !blocks.isEmpty ? [] : ["gateway: a CAR that is none"]
    }

    private static let site: (blocks: MemoryBlocks, root: CID, folder: CID)? = {
        var blocks = MemoryBlocks()
        guard let profile = UnixFSProfile(chunkBytes: 8, links: 3, hasRawLeaves: true) else { return nil }
        var importer = UnixFSImporter(profile)
        importer.append(Array("a file of some pieces, of some pieces".utf8)) { blocks.insert($0) }
        let file = importer.finish { blocks.insert($0) }
        guard let folder = try? Block.folder([("a b", file.root, file.cumulativeSize)]) else { return nil }
        blocks.insert(folder)
        return (blocks, file.root, folder.cid)
    }()
}
