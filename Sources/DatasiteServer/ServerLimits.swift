public import NIOCore

/// Everything that a client can make the server hold or wait for, in one place.
///
/// The library's defaults leave a connection open for as long as its peer likes; here every phase of an exchange has an
/// absolute deadline, which a byte now and then does not extend.
public struct ServerLimits: Sendable, Hashable {
    /// From the connection (TLS handshake included) to the end of its first request's head.
    public var headDeadline: TimeAmount
    /// From the end of one answer to the end of the next request's head.
    public var idleDeadline: TimeAmount
    /// From the end of a request's head to the end of its body.
    public var bodyDeadline: TimeAmount
    /// From the first byte of a response to its last one being taken by the peer.
    public var responseDeadline: TimeAmount
    /// What a peer must take of an answer that waits for it in every ``paceInterval``, in bytes; 0: whatever it likes, until the deadline. It is
    /// for answers with long deadlines, whose places a few who take next to nothing would hold.
    public var leastTaken: Int
    /// Over how long ``leastTaken`` is looked at.
    public var paceInterval: TimeAmount
    /// How long a refused peer's bytes are read and thrown away, so that it can still read why.
    public var lingerDeadline: TimeAmount
    /// The largest body; a question is text that a person writes.
    public var bodyBytes: Int
    /// The largest body of `POST /v1/requests` and its preview: a model may be in it.
    public var workBytes: Int
    /// The most bytes of all header fields of a request together.
    public var headerBytes: Int
    /// The most bytes of one header field, name and value.
    public var headerFieldBytes: Int
    /// The most header fields of a request.
    public var headerFields: Int
    /// The longest request target (path and query).
    public var targetBytes: Int
    /// The longest `Idempotency-Key`.
    public var idempotencyKeyBytes: Int
    /// The most bytes of a request that are neither its head nor its body: chunk sizes, chunk extensions, trailers. A refused
    /// peer's bytes are read to this bound too.
    public var framingBytes: Int
    /// The most connections at one time; the next gets the place of one that is idle or unauthenticated, or is told 503 and
    /// closed.
    public var connections: Int
    /// The most connections from one IPv4 address or IPv6 network of 64 bits, so that nobody alone keeps others out.
    /// Behind a proxy all come from its address, and the proxy must see to it.
    public var connectionsPerAddress: Int
    /// The same for an IPv4 network of 24 bits or an IPv6 network of 56.
    public var connectionsPerSubnet: Int
    /// The same for an IPv6 network of 48 bits.
    public var connectionsPerSite: Int
    /// The most connections that are being told that there is no place; the next are closed without a word.
    public var refusalsAtOnce: Int
    /// The most entries in one page of a list.
    public var page: Int
    /// The most event streams at one time.
    public var streams: Int
    /// The most of one user.
    public var streamsPerUser: Int
    /// The most synthetic tables that are sent at one time.
    public var downloads: Int
    /// The most to one user.
    public var downloadsPerUser: Int
    /// How often a stream looks for events.
    public var streamPause: TimeAmount
    /// How long a stream is silent at most.
    public var streamHeartbeat: TimeAmount
    /// How long a stream lasts at most: whoever wants more comes again.
    public var streamDuration: TimeAmount
    /// How long a shutdown waits for exchanges in progress.
    public var shutdownGrace: TimeAmount

    /// Limits; without arguments those of a site that people ask questions of.
    public init(
        headDeadline: TimeAmount = .seconds(10), idleDeadline: TimeAmount = .seconds(60),
        bodyDeadline: TimeAmount = .seconds(20), responseDeadline: TimeAmount = .seconds(60),
        leastTaken: Int = 0, paceInterval: TimeAmount = .seconds(60),
        lingerDeadline: TimeAmount = .seconds(2), bodyBytes: Int = 64 << 10, workBytes: Int = 2 << 20,
        headerBytes: Int = 16 << 10, headerFieldBytes: Int = 8 << 10, headerFields: Int = 64,
        targetBytes: Int = 2 << 10,
        idempotencyKeyBytes: Int = 128, framingBytes: Int = 64 << 10, connections: Int = 512,
        connectionsPerAddress: Int = 128, connectionsPerSubnet: Int = 192, connectionsPerSite: Int = 256,
        refusalsAtOnce: Int = 64, page: Int = 1_000, streams: Int = 64, streamsPerUser: Int = 8,
        downloads: Int = 8, downloadsPerUser: Int = 2, streamPause: TimeAmount = .milliseconds(250),
        streamHeartbeat: TimeAmount = .seconds(15),
        streamDuration: TimeAmount = .minutes(15), shutdownGrace: TimeAmount = .seconds(30)
    ) {
        self.headDeadline = headDeadline
        self.idleDeadline = idleDeadline
        self.bodyDeadline = bodyDeadline
        self.responseDeadline = responseDeadline
        self.leastTaken = leastTaken
        self.paceInterval = paceInterval
        self.lingerDeadline = lingerDeadline
        self.bodyBytes = bodyBytes
        self.workBytes = workBytes
        self.headerBytes = headerBytes
        self.headerFieldBytes = headerFieldBytes
        self.headerFields = headerFields
        self.targetBytes = targetBytes
        self.idempotencyKeyBytes = idempotencyKeyBytes
        self.framingBytes = framingBytes
        self.connections = connections
        self.connectionsPerAddress = connectionsPerAddress
        self.connectionsPerSubnet = connectionsPerSubnet
        self.connectionsPerSite = connectionsPerSite
        self.refusalsAtOnce = refusalsAtOnce
        self.page = page
        self.streams = streams
        self.streamsPerUser = streamsPerUser
        self.downloads = downloads
        self.downloadsPerUser = downloadsPerUser
        self.streamPause = streamPause
        self.streamHeartbeat = streamHeartbeat
        self.streamDuration = streamDuration
        self.shutdownGrace = shutdownGrace
    }
}

extension ServerLimits {
    /// The longest message of a round, in bytes.
    static let largestMessage = 256 << 20
    private static let work: Set<Substring> = ["/v1/requests", "/v1/requests/preview"]

    /// The largest body of a request to that target.
    func largestBody(at target: String) -> Int {
        let path = target.prefix { $0 != "?" }
        // A message of a round is as long as the work says, once it is known whose it is.
        if path.hasPrefix("/v1/requests/"), path.hasSuffix("/rounds") { return Self.largestMessage }
        return Self.work.contains(path) ? max(bodyBytes, workBytes) : bodyBytes
    }
}
