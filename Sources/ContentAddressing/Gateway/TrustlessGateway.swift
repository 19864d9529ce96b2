/// A trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway) as a function of a request: single blocks, and CARs of what is
/// below a path, which whoever asks can check. HTTP, TLS and who may connect are the caller's.
///
/// What the source gives is public, and nothing else is answered: a source must give only what was published. It is never asked for
/// anything but what a request names or a published block links to, and looks nowhere else.
///
/// | | |
/// |---|---|
/// | formats | `raw`, `car` (version 1, `order=dfs`, `dups=n`, or `y` where asked for), by `format` or `Accept` |
/// | scopes of a CAR | `dag-scope=block`, `entity`, `all`, `entity-bytes`: exactly the blocks that the specification names |
/// | not here | files put together, IPNS, folders in shards, CAR version 2, other orders: 400, 404 or 406, with what would be right |
public struct TrustlessGateway<Source: BlockSource>: Sendable {
    /// The identity CID of no bytes, with which clients find out whether there is a gateway.
    public static var probe: String { "bafkqaaa" }
    /// The most segments of a path below a CID.
    public static var mostSegments: Int { 32 }
    /// A CAR with `dups=y` has at most so many times the bytes of the blocks that it is of, or ``freeRepeatedBytes``: a few blocks can be made to
    /// occur any number of times, and ask a server for as much.
    public static var mostRepetition: UInt64 { 16 }
    /// 64 MiB.
    public static var freeRepeatedBytes: UInt64 { 64 << 20 }

    private let source: Source

    /// A gateway to what the source gives.
    public init(_ source: Source) { self.source = source }

    /// The answer to a request.
    public func answer(_ request: GatewayRequest) -> GatewayAnswer<Source> {
        do throws(GatewayRefusal) {
            return try content(request)
        } catch {
            return refusal(error, isHead: request.method == "HEAD")
        }
    }

    private func refusal(_ refusal: GatewayRefusal, isHead: Bool) -> GatewayAnswer<Source> {
        // What was asked is in it, which may be any text: a terminal shows printable ASCII alone, and the rest as an address has it.
        let message = Array((Percent.printable(refusal.message) + "\n").utf8)
        var headers = refusal.headers
        let hasBody = refusal.status != 304
        if hasBody {
            headers += [
                ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "\(message.count)"),
                ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("Access-Control-Allow-Origin", "*"),
            ]
        }
        return GatewayAnswer(
            status: refusal.status, headers: headers,
            body: GatewayBody(content: hasBody && !isHead ? .bytes(message) : .nothing))
    }

    private func content(_ request: GatewayRequest) throws(GatewayRefusal) -> GatewayAnswer<Source> {
        guard request.method == "GET" || request.method == "HEAD" else {
            throw GatewayRefusal(
                status: 405, message: "\(request.method.prefix(16)): expected GET or HEAD",
                headers: [("Allow", "GET, HEAD")])
        }
        guard request.serviceWorker == nil else {
            throw GatewayRefusal(status: 400, message: "no service worker is served here")
        }
        let query = try GatewayQuery(request.query)
        let (name, path) = try Self.parts(request.path)
        let format = try GatewayFormat(query: query, accept: request.accept)
        let target = Target(name: name, path: path, query: query, format: format)
        guard name != Self.probe else { return try probed(target, request) }
        let root: CID
        do throws(ContentError) { root = try CID(name) } catch {
            throw GatewayRefusal(status: 400, message: "\(name.prefix(128)): \(error)")
        }
        guard try found({ () throws(ContentError) in try source.byteCount(of: root) }) != nil else {
            if request.cacheControl?.lowercased().contains("only-if-cached") == true {
                throw GatewayRefusal(status: 412, message: "\(root) is not here")
            }
            throw GatewayRefusal(status: 404, message: "\(root) is not published here")
        }
        switch format.kind {
        case .raw: return try raw(root, target, request)
        case .car: return try archive(root, target, request)
        }
    }

    /// `/ipfs/{cid}/{path}`: the CID and the path's segments.
    private static func parts(_ path: String) throws(GatewayRefusal) -> (name: String, path: [String]) {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.count >= 3, segments[0].isEmpty, segments[1] == "ipfs", !segments[2].isEmpty else {
            throw GatewayRefusal(status: 404, message: "expected /ipfs/ and a CID")
        }
        // A folder may be written with a slash at its end.
        let below = segments.dropFirst(3)
        let names = below.last?.isEmpty == true ? below.dropLast() : below
        guard names.count <= mostSegments else {
            throw GatewayRefusal(status: 400, message: "expected at most \(mostSegments) segments of a path")
        }
        var decoded: [String] = []
        for segment in names {
            guard let name = Percent.decoded(segment.utf8), !name.isEmpty else {
                throw GatewayRefusal(status: 400, message: "expected a path of names, percent-encoded UTF-8")
            }
            decoded.append(name)
        }
        return (String(segments[2]), decoded)
    }

    private func found<Value>(_ body: () throws(ContentError) -> Value) throws(GatewayRefusal) -> Value {
        do throws(ContentError) { return try body() } catch {
            // What went wrong is the owner's to know: a path on her disk may be in it.
            throw GatewayRefusal(status: 500, message: "the content cannot be read")
        }
    }

    // MARK: Blocks

    private func raw(_ cid: CID, _ target: Target, _ request: GatewayRequest) throws(GatewayRefusal) -> GatewayAnswer<
        Source
    > {
        guard target.path.isEmpty else {
            throw GatewayRefusal(
                status: 400, message: "a block is asked for by its CID: expected no path, or format=car")
        }
        let tag = "\"\(target.name).raw\""
        try Self.compare(tag, request)
        guard let size = try found({ () throws(ContentError) in try source.byteCount(of: cid) }) else {
            throw GatewayRefusal(status: 404, message: "\(cid) is not published here")
        }
        var headers = target.headers(tag: tag, roots: [target.name])
        headers.append(("Accept-Ranges", "bytes"))
        var part = 0..<size
        var status = 200
        // Another version was begun: there is none, but the field may name something else.
        let isWhole = request.ifRange.map { $0 != tag } ?? false
        if let range = request.range, !isWhole, let chosen = ByteRange(range, of: size) {
            guard case .part(let bytes) = chosen else {
                throw GatewayRefusal(
                    status: 416, message: "expected bytes of \(size)", headers: [("Content-Range", "bytes */\(size)")])
            }
            (part, status) = (bytes, 206)
            headers.append(("Content-Range", "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(size)"))
        }
        headers.append(("Content-Length", "\(part.count)"))
        guard request.method == "GET" else {
            return GatewayAnswer(status: status, headers: headers, body: GatewayBody(content: .nothing))
        }
        let block = try found { () throws(ContentError) in try source.block(cid) }
        guard block.bytes.count == size else {
            throw GatewayRefusal(status: 500, message: "the content cannot be read")
        }
        let bytes = part.count == size ? block.bytes : Array(block.bytes[part])
        return GatewayAnswer(status: status, headers: headers, body: GatewayBody(content: .bytes(bytes)))
    }

    // MARK: CARs

    private func archive(_ root: CID, _ target: Target, _ request: GatewayRequest) throws(GatewayRefusal)
        -> GatewayAnswer<Source>
    {
        let (way, end) = try resolve(root, target)
        let scope = try scope(of: end, target)
        if target.format.givesDuplicates { try checkRepetition(of: end, scope) }
        let tag = target.archiveTag
        try Self.compare(tag, request)
        let names = [target.name] + way.dropFirst().map(\.description) + (way.isEmpty ? [] : [end.description])
        var headers = target.headers(tag: tag, roots: names)
        headers.append(("Accept-Ranges", "none"))
        guard request.method == "GET" else {
            return GatewayAnswer(status: 200, headers: headers, body: GatewayBody(content: .nothing))
        }
        // First what proves the path, then what is at its end.
        var walks = way.map { GraphWalk(from: $0, in: source, scope: .block) }
        walks.append(
            GraphWalk(
                from: end, in: source, scope: scope, givesDuplicates: target.format.givesDuplicates,
                except: Set(way.map(\.v1))))
        let header = ArchiveHeader(roots: [end]).encoded
        return GatewayAnswer(
            status: 200, headers: headers,
            body: GatewayBody(content: .archive(ArchiveWriter(header: header, walks: walks))))
    }

    /// Of a part of a file the whole counts, of which the part may be as good as all.
    private func checkRepetition(of end: CID, _ scope: GraphWalk<Source>.Scope) throws(GatewayRefusal) {
        guard scope != .block else { return }
        let survey = try found { () throws(ContentError) in
            try GraphSurvey(of: end, in: source, opensFolders: scope == .all)
        }
        let (most, overflow) = survey.bytes.multipliedReportingOverflow(by: Self.mostRepetition)
        guard overflow || survey.repeatedBytes <= max(most, Self.freeRepeatedBytes) else {
            throw GatewayRefusal(
                status: 406,
                message:
                    "dups=y: expected blocks that repeat to at most \(Self.mostRepetition) times their bytes; with dups=n each is sent once"
            )
        }
    }

    /// The folders on the way, the root first, and what is at the path's end.
    private func resolve(_ root: CID, _ target: Target) throws(GatewayRefusal) -> (way: [CID], end: CID) {
        var way: [CID] = []
        var here = root
        for (index, name) in target.path.enumerated() {
            let reached = "/ipfs/\(target.name)" + target.path[..<index].map { "/" + $0 }.joined()
            let cid = here
            let link = try found { () throws(ContentError) -> DAGNode.Link? in
                guard cid.codec == .dagPB else { return nil }
                let node = try DAGNode(try source.block(cid).bytes)
                guard try UnixFSNode(of: node, in: cid).kind == .folder else { return nil }
                return node.links.first { ($0.name ?? "").utf8.elementsEqual(name.utf8) }
            }
            guard let link else {
                throw GatewayRefusal(status: 404, message: "\(reached) has no entry \(name)")
            }
            way.append(here)
            here = link.cid
        }
        return (way, here)
    }

    private func scope(of end: CID, _ target: Target) throws(GatewayRefusal) -> GraphWalk<Source>.Scope {
        let named = target.query["dag-scope"]
        if let text = target.query["entity-bytes"] {
            guard let bytes = EntityBytes(text) else {
                throw GatewayRefusal(
                    status: 400, message: "entity-bytes: expected from:to in whole numbers, and * for the end")
            }
            guard named == nil || named == "entity" else {
                throw GatewayRefusal(status: 400, message: "entity-bytes goes with dag-scope=entity")
            }
            return try scope(of: end, bytes)
        }
        switch named {
        case "block": return .block
        case "entity": return .entity
        case "all", nil: return .all
        default: throw GatewayRefusal(status: 400, message: "dag-scope: expected block, entity or all")
        }
    }

    private func scope(of end: CID, _ bytes: EntityBytes) throws(GatewayRefusal) -> GraphWalk<Source>.Scope {
        let size = try found { () throws(ContentError) -> UInt64? in
            guard end.codec == .dagPB else { return try source.byteCount(of: end).map { UInt64($0) } }
            let file = try UnixFSNode(of: try DAGNode(try source.block(end).bytes), in: end)
            return file.kind == .file ? file.fileSize : nil
        }
        // Of what is no file, bytes mean nothing.
        guard let size else { return .entity }
        switch bytes.resolved(size) {
        case .range(let range): return .bytes(range)
        case .nothing: return .block
        case .outside: throw GatewayRefusal(status: 400, message: "entity-bytes: expected some of the \(size) bytes")
        }
    }

    // MARK: Both

    private func probed(_ target: Target, _ request: GatewayRequest) throws(GatewayRefusal) -> GatewayAnswer<Source> {
        guard target.path.isEmpty else { throw GatewayRefusal(status: 404, message: "\(Self.probe) has no entries") }
        let tag = target.format.kind == .raw ? "\"\(target.name).raw\"" : target.archiveTag
        try Self.compare(tag, request)
        // Version 1, raw, the identity function, no bytes.
        let bytes = target.format.kind == .raw ? [] : ArchiveHeader.encoded([[1, 0x55, 0, 0]])
        var headers = target.headers(tag: tag, roots: [target.name])
        headers.append(("Content-Length", "\(bytes.count)"))
        return GatewayAnswer(
            status: 200, headers: headers,
            body: GatewayBody(content: request.method == "GET" ? .bytes(bytes) : .nothing))
    }

    /// RFC 9110, section 13.1.2: weakly.
    private static func compare(_ tag: String, _ request: GatewayRequest) throws(GatewayRefusal) {
        guard let known = request.ifNoneMatch else { return }
        let tags = known.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
        guard tags.contains(where: { $0 == "*" || $0 == tag || $0 == "W/" + tag }) else { return }
        throw GatewayRefusal(
            status: 304, message: "",
            headers: [("Etag", tag), ("Cache-Control", Target.cacheControl), ("Vary", "Accept")])
    }
}

/// What is asked for, and the header fields that follow from it.
struct Target {
    static let cacheControl = "public, max-age=29030400, immutable"

    /// The CID as it was written.
    let name: String
    let path: [String]
    let query: GatewayQuery
    let format: GatewayFormat

    /// A CAR's bytes follow from its path, scope and format. `dag-scope` and `entity-bytes` are in it as they were written.
    var archiveTag: String {
        let parts = [
            path.map(Percent.encoded).joined(separator: "/"), query["dag-scope"] ?? "", query["entity-bytes"] ?? "",
            format.givesDuplicates ? "y" : "n",
        ]
        let digest = BlockDigest(of: Array(parts.joined(separator: "\n").utf8))
        return "\"\(name).car.\(Base32.text(Array(digest.bytes.prefix(10))))\""
    }

    func headers(tag: String, roots: [String]) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = [
            ("Content-Type", format.contentType), ("Etag", tag), ("Cache-Control", Self.cacheControl),
            ("Content-Disposition", disposition), ("X-Content-Type-Options", "nosniff"), ("Vary", "Accept"),
            ("X-Ipfs-Path", address), ("X-Ipfs-Roots", roots.joined(separator: ",")),
            ("Access-Control-Allow-Origin", "*"),
            (
                "Access-Control-Expose-Headers",
                "Accept-Ranges, Content-Length, Content-Location, Content-Range, Etag, X-Ipfs-Path, X-Ipfs-Roots"
            ),
        ]
        if format.isNegotiated { headers.append(("Content-Location", location)) }
        return headers
    }

    private var address: String { "/ipfs/\(name)" + path.map { "/" + Percent.encoded($0) }.joined() }

    /// The address that says all by itself.
    private var location: String {
        var parts = ["format=\(format.kind.rawValue)"]
        if format.kind == .car {
            for key in ["dag-scope", "entity-bytes"] {
                if let value = query[key] { parts.append("\(key)=\(Percent.encoded(value))") }
            }
            parts.append("car-version=1&car-order=dfs&car-dups=\(format.givesDuplicates ? "y" : "n")")
        }
        return address + "?" + parts.joined(separator: "&")
    }

    private var disposition: String {
        let end = format.kind == .raw ? "bin" : "car"
        guard let wanted = query["filename"], !wanted.isEmpty, wanted.utf8.count <= 255 else {
            return "attachment; filename=\"\(name).\(end)\""
        }
        // Printable ASCII alone, and nothing that ends the quotes; the rest is in the second form (RFC 8187).
        let plain = wanted.unicodeScalars.map {
            (0x20..<0x7F).contains($0.value) && $0 != "\"" && $0 != "\\" ? Character($0) : "_"
        }
        let both = "attachment; filename=\"\(String(plain))\""
        return wanted.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
            ? both : both + "; filename*=UTF-8''\(Percent.encoded(wanted))"
    }
}
