/// What of an HTTP request a gateway looks at.
public struct GatewayRequest: Sendable, Hashable {
    /// `GET` or `HEAD`.
    public var method: String
    /// The path as it came, percent-encoded: `/ipfs/{cid}`, for a CAR with a path below it.
    public var path: String
    /// What is behind `?`, as it came.
    public var query: String
    /// `Accept`; more than one field joined by commas.
    public var accept: String?
    /// `If-None-Match`, likewise.
    public var ifNoneMatch: String?
    /// `Range`.
    public var range: String?
    /// `If-Range`.
    public var ifRange: String?
    /// `Cache-Control`.
    public var cacheControl: String?
    /// `Service-Worker`.
    public var serviceWorker: String?

    /// A request.
    public init(
        method: String = "GET", path: String, query: String = "", accept: String? = nil, ifNoneMatch: String? = nil,
        range: String? = nil, ifRange: String? = nil, cacheControl: String? = nil, serviceWorker: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.accept = accept
        self.ifNoneMatch = ifNoneMatch
        self.range = range
        self.ifRange = ifRange
        self.cacheControl = cacheControl
        self.serviceWorker = serviceWorker
    }
}

/// What is answered: status, header fields, and the body piece by piece.
public struct GatewayAnswer<Source: BlockSource>: Sendable {
    /// The status code.
    public let status: Int
    /// Header fields in their order; none twice. `Content-Length` is among them where the length is known; otherwise the transfer is chunked.
    public let headers: [(name: String, value: String)]
    /// The body; empty for `HEAD`.
    public var body: GatewayBody<Source>

    /// The value of a header field, by its name in any case.
    public subscript(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// A body, piece by piece: one block at a time is in memory.
public struct GatewayBody<Source: BlockSource>: Sendable {
    enum Content: Sendable {
        case bytes([UInt8])
        case archive(ArchiveWriter<Source>)
        case nothing
    }

    var content: Content

    /// The next bytes; nil at the end.
    ///
    /// - Throws: ``ContentError`` where a block was taken away or damaged meanwhile: then the connection is cut, so that the peer does not
    ///   take what came for the whole.
    public mutating func next() throws(ContentError) -> [UInt8]? {
        switch content {
        case .bytes(let bytes):
            content = .nothing
            return bytes.isEmpty ? nil : bytes
        case .archive(var writer):
            // Not held twice while the walk goes on.
            content = .nothing
            let piece = try writer.next()
            content = .archive(writer)
            return piece
        case .nothing: return nil
        }
    }
}

/// Why a request is not answered with content.
struct GatewayRefusal: Error {
    let status: Int
    let message: String
    var headers: [(name: String, value: String)] = []
}
