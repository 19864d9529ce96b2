import Datasite
import DatasiteProtocol
import Federation
import HTTPTypes
import Hummingbird
import NIOCore

/// The operations, each in terms of the datasite; what is encoded here is the closed set of `DatasiteProtocol`.
struct Routes: Sendable {
    let datasite: Datasite
    let limits: ServerLimits
    private let cache = ResponseCache()
    private let streams: Places
    private let downloads: Places

    init(datasite: Datasite, limits: ServerLimits) {
        self.datasite = datasite
        self.limits = limits
        streams = Places(all: limits.streams, each: limits.streamsPerUser, refusal: .tooManyStreams)
        downloads = Places(all: limits.downloads, each: limits.downloadsPerUser, refusal: .tooManyDownloads)
    }

    func respond(to call: Call) async throws -> Response {
        switch call.operation {
        case .health: return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
        case .site: return try Reply.json(datasite.description)
        case .whoami: return try Reply.json(call.requireIdentity())
        case .listDatasets: return try catalogue("") { try JSONEncoding.bytes(datasite.datasets()) }
        case .getDataset:
            if let identity = call.identity, try datasite.hasOwnLimit(identity, in: call.parameter) {
                return try await reading(call) { try JSONEncoding.bytes($0.dataset(call.parameter, as: $1)) }
            }
            return try catalogue(call.parameter) { try JSONEncoding.bytes(datasite.dataset(call.parameter)) }
        case .getSynthetic: return try await synthetic(call)
        case .preview, .ask, .mock: return try await question(call)
        case .submit, .previewWork: return try await work(call)
        case .listRequests: return try await requests(call)
        case .getRequest: return try await reading(call) { try JSONEncoding.bytes($0.request(call.parameter, as: $1)) }
        case .getReview:
            let identity = try call.requireIdentity()
            return try Reply.json(await datasite.review(call.parameter, as: identity))
        case .getAnswer: return Reply.bytes(try await datasite.answer(call.parameter, as: call.requireIdentity()))
        case .getReceipt: return try await reading(call) { try $0.receipt(call.parameter, as: $1) }
        case .getProof:
            return try await log(call, Reply.text, seconds: nil) { datasite, identity in
                guard let identity else { throw Problem.unauthenticated }
                return try datasite.proof(of: call.parameter, as: identity)
            }
        case .getCheckpoint:
            return try await log(call, Reply.text, seconds: 1) { site, _ in try site.logCheckpoint() }
        case .getTile:
            return try await log(call, "application/octet-stream", seconds: 31_536_000) { site, _ in
                try site.logTile("tile/" + call.parameter)
            }
        case .compareCheckpoint:
            let bytes = try await call.request.wholeBody(largest: 8 << 10)
            return try await log(call, Reply.text, seconds: nil) { site, _ in
                try site.compareLog(bytes)
                return try site.logCheckpoint()
            }
        case .getEvents: return try await events(call)
        case .approve, .deny: return try await decision(call)
        case .listJobs: return try await jobs(call)
        case .cancelJob:
            let body = try await decoded(call.request, mayBeEmpty: true) { bytes throws(JSONError) in
                try DecisionRequest(decoding: bytes)
            }
            guard body.reason == nil else { throw Problem.invalidRequest("cancelling takes no 'reason'") }
            return try Reply.json(await datasite.cancelJob(call.parameter, by: call.requireIdentity()))
        case .budget: return try await reading(call) { try JSONEncoding.bytes($0.budget(as: $1)) }
        case .audit: return try await audit(call)
        case .getPrediction:
            return try await reading(call) { site, _ in try JSONEncoding.bytes(site.prediction(of: call.parameter)) }
        case .getMaskedWeights: return try await maskedWeights(call)
        case .checkDealer:
            _ = try call.requireIdentity()
            return try Reply.json(await datasite.dealerCheck(of: call.parameter))
        case .prepare:
            let body = try await decoded(call.request) { bytes throws(JSONError) in
                try PreparationRequest(decoding: bytes)
            }
            return try Reply.json(
                await datasite.prepare(body, of: call.parameter, as: call.requireIdentity()), status: .accepted)
        case .listPreparations: return try Reply.json(await datasite.preparations(of: call.requireIdentity()))
        case .checkPreparation:
            return try Reply.json(await datasite.checkPreparation(call.parameter, by: call.requireIdentity()))
        case .compareOpening:
            let proof = try await decoded(call.request) { bytes throws(JSONError) in
                try OpeningProof(decoding: bytes)
            }
            try await datasite.compareOpening(proof, of: call.parameter, by: call.requireIdentity())
            return Response(status: .noContent)
        case .cancelPreparation:
            return try Reply.json(await datasite.cancelPreparation(call.parameter, by: call.requireIdentity()))
        case .exchangeRound: return try await round(call)
        }
    }

    /// What reads the database, away from the few threads that serve every request.
    private func reading(
        _ call: Call, _ body: @escaping @Sendable (Datasite, Identity) throws -> [UInt8]
    ) async throws -> Response {
        let identity = try call.requireIdentity()
        return Reply.bytes(try await datasite.reading(for: identity.name) { try body($0, identity) })
    }

    /// What is read of the log, away from the few threads that serve every request.
    ///
    /// - Parameter seconds: For how long anybody may keep it; nil: nobody.
    private func log(
        _ call: Call, _ type: String, seconds: Int?,
        _ body: @escaping @Sendable (Datasite, Identity?) throws -> [UInt8]
    ) async throws -> Response {
        let identity = call.identity
        // Strangers are one user together, whose name is nobody's: they take their turn, and never all threads.
        let bytes = try await datasite.reading(for: identity?.name ?? "") { try body($0, identity) }
        var response = Reply.buffer(ByteBuffer(bytes: bytes), status: .ok, type: type)
        if let seconds {
            response.headers[.cacheControl] = "public, max-age=\(seconds)" + (seconds > 3_600 ? ", immutable" : "")
        }
        return response
    }

    /// What follows from the catalogue alone, the same for everyone: encoded once a version. No dataset's name is empty.
    private func catalogue(_ name: String, make: () throws -> [UInt8]) throws -> Response {
        let body = try cache.body(name, version: datasite.catalogueVersion(), make: make)
        return Reply.buffer(body, status: .ok, type: "application/json")
    }

    /// A release, the same for all, and large: who has it already is not sent it again, and few are sent it at a time.
    private func synthetic(_ call: Call) async throws -> Response {
        let (name, user) = (call.parameter, try call.requireIdentity().name)
        let known = call.request.headers[.ifNoneMatch].map { $0.split(separator: ",") } ?? []
        let tag = "\"\(try datasite.syntheticRequest(of: name))\""
        if known.contains(where: { $0.trimmingPrefix { $0 == " " } == tag }) { return Reply.unchanged(tag) }
        let place = try downloads.enter(user)
        let table = try await datasite.reading(for: user) { try $0.syntheticTable(of: name) }
        return Reply.download(table, tag: "\"\(table.request)\"", holding: place)
    }

    /// The same for all, and large: few are sent it at a time.
    private func maskedWeights(_ call: Call) async throws -> Response {
        let user = try call.requireIdentity().name
        let place = try downloads.enter(user)
        let bytes = try await datasite.reading(for: user) { try $0.maskedWeights(of: call.parameter) }
        return Reply.pieces(bytes, type: FramesResponder.type, holding: place)
    }

    /// A message to work that goes on: empty, it asks whether the work is ready.
    private func round(_ call: Call) async throws -> Response {
        let identity = try call.requireIdentity()
        let greeting = try await datasite.greeting(of: call.parameter, as: identity)
        let message = try await call.request.wholeBody(largest: greeting.mostBytes)
        guard !message.isEmpty else {
            return Reply.buffer(ByteBuffer(bytes: greeting.bytes), status: .ok, type: FramesResponder.type)
        }
        guard let reply = try await datasite.exchange(message, with: call.parameter, as: identity) else {
            return Response(status: .noContent)
        }
        return Reply.buffer(ByteBuffer(bytes: reply), status: .ok, type: FramesResponder.type)
    }

    private func question(_ call: Call) async throws -> Response {
        let identity = try call.requireIdentity()
        let key = call.operation == .ask ? try idempotencyKey(call.request) : nil
        let request = try await decoded(call.request) { bytes throws(JSONError) in try AskRequest(decoding: bytes) }
        switch call.operation {
        case .preview: return try Reply.json(await datasite.preview(request, as: identity))
        case .mock: return Reply.bytes(try await datasite.mock(request, as: identity))
        default: return try Reply.result(await datasite.ask(request, as: identity, idempotencyKey: key))
        }
    }

    private func work(_ call: Call) async throws -> Response {
        let identity = try call.requireIdentity()
        let key = call.operation == .submit ? try idempotencyKey(call.request) : nil
        // A model takes a while to be read: in her turn, away from the few threads that serve every request.
        let bytes = try await json(call.request, largest: max(limits.bodyBytes, limits.workBytes))
        let request = try await datasite.reading(for: identity.name) { _ in
            do { return try WorkRequest(decoding: bytes) } catch {
                throw Problem.invalidRequest((error as? JSONError)?.description ?? "the body cannot be read")
            }
        }
        if call.operation == .previewWork { return try Reply.json(await datasite.preview(request, as: identity)) }
        return try Reply.result(await datasite.submit(request, as: identity, idempotencyKey: key))
    }

    private func decision(_ call: Call) async throws -> Response {
        let identity = try call.requireIdentity()
        let decision = try await decoded(call.request, mayBeEmpty: true) { bytes throws(JSONError) in
            try DecisionRequest(decoding: bytes)
        }
        if call.operation == .approve { return try Reply.json(await datasite.approve(call.parameter, by: identity)) }
        guard let reason = decision.reason, !reason.isEmpty else {
            throw Problem.invalidRequest("'reason' is missing", hint: "say why: the researcher reads it")
        }
        return try Reply.json(await datasite.deny(call.parameter, by: identity, reason: reason))
    }

    private func audit(_ call: Call) async throws -> Response {
        let query = try QueryString(call.request.uri.query, known: call.operation.queryKeys)
        let from = try query.integer("from", in: 1...Int64.max)
        let limit = try pageSize(query)
        return try await reading(call) { try JSONEncoding.bytes($0.audit(as: $1, from: from, limit: limit)) }
    }

    private func requests(_ call: Call) async throws -> Response {
        let query = try QueryString(call.request.uri.query, known: call.operation.queryKeys)
        let (state, before, limit) = (query.text("state"), query.text("before"), try pageSize(query))
        return try await reading(call) {
            try JSONEncoding.bytes($0.requests(as: $1, state: state, before: before, limit: limit))
        }
    }

    private func jobs(_ call: Call) async throws -> Response {
        let query = try QueryString(call.request.uri.query, known: call.operation.queryKeys)
        let all = query.text("all")
        guard [nil, "true", "false"].contains(all) else { throw Problem.invalidRequest("'all' must be true or false") }
        let limit = try pageSize(query)
        return try await reading(call) { try JSONEncoding.bytes($0.jobs(as: $1, all: all == "true", limit: limit)) }
    }

    /// What can be refused is refused before the stream begins.
    private func events(_ call: Call) async throws -> Response {
        let (id, identity) = (call.parameter, try call.requireIdentity())
        let header = call.request.headers[.lastEventID]
        guard let after = header.map({ Int($0) }) ?? 0, after >= 0 else {
            throw Problem.invalidRequest("'Last-Event-ID' must be the number of an event of this request")
        }
        let place = try streams.enter(identity.name)
        let first = try await datasite.reading { try $0.events(of: id, after: after, as: identity) }
        // What an `EventSource` takes for the end (HTML, section 9.2.3).
        if first.events.isEmpty, first.hasStopped { return Response(status: .noContent) }
        return EventStream(
            datasite: datasite, request: id, identity: identity, limits: limits, after: after, first: first,
            place: place
        ).response
    }

    private func pageSize(_ query: QueryString) throws -> Int {
        Int(try query.integer("limit", in: 1...Int64(limits.page)) ?? Int64(limits.page))
    }

    // MARK: Reading

    private func idempotencyKey(_ request: Request) throws -> String? {
        guard let key = request.headers[.idempotencyKey] else { return nil }
        let visible = key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard visible, !key.isEmpty, key.utf8.count <= limits.idempotencyKeyBytes else {
            throw Problem.invalidRequest(
                "'Idempotency-Key' must be 1 to \(limits.idempotencyKeyBytes) visible ASCII characters")
        }
        return key
    }

    private func decoded<Message>(
        _ request: Request, mayBeEmpty: Bool = false, by decode: ([UInt8]) throws(JSONError) -> Message
    ) async throws -> Message {
        let bytes = try await json(request, largest: limits.bodyBytes, mayBeEmpty: mayBeEmpty)
        do {
            return try decode(bytes)
        } catch {
            throw Problem.invalidRequest(error.description)
        }
    }

    private func json(_ request: Request, largest: Int, mayBeEmpty: Bool = false) async throws -> [UInt8] {
        let bytes = try await request.wholeBody(largest: largest)
        let type = request.headers[.contentType]?.split(separator: ";").first.map(String.init)
        guard type?.lowercased() == "application/json" || (mayBeEmpty && bytes.isEmpty) else {
            throw Problem.unsupportedMediaType
        }
        return bytes
    }

}

extension Request {
    /// The whole body. A stream that ends early must not pass for a short body: an owner's decision may be empty.
    func wholeBody(largest: Int) async throws -> [UInt8] {
        var pieces = pieces(largest: largest)
        var bytes: [UInt8] = []
        while let piece = try await pieces.next() { bytes += piece }
        return bytes
    }

    /// The body, piece by piece.
    func pieces(largest: Int) -> BodyPieces {
        BodyPieces(
            iterator: body.makeAsyncIterator(), declared: headers[.contentLength].flatMap { Int($0) }, largest: largest)
    }
}

/// A request's body, of which no more is taken than is allowed, and which ends where it says.
struct BodyPieces {
    private var iterator: RequestBody.AsyncIterator
    private let declared: Int?
    private let largest: Int
    private var count = 0

    fileprivate init(iterator: RequestBody.AsyncIterator, declared: Int?, largest: Int) {
        (self.iterator, self.declared, self.largest) = (iterator, declared, largest)
    }

    /// - Throws: A `Problem`: too large, or cut off.
    mutating func next() async throws -> [UInt8]? {
        let buffer: ByteBuffer?
        do { buffer = try await iterator.next(isolation: #isolation) } catch let breach as ConnectionGuard.Breach {
            // The peer was told already; it is counted as what it was told.
            throw breach.problem(largest) ?? .cutOff
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem.cutOff
        }
        guard let buffer else {
            if let declared, declared != count { throw Problem.cutOff }
            return nil
        }
        guard buffer.readableBytes <= largest - count else { throw Problem.bodyTooLarge(largest) }
        count += buffer.readableBytes
        return Array(buffer.readableBytesView)
    }
}

/// A query string, read strictly.
private struct QueryString {
    private var values: [String: String] = [:]

    init(_ text: String?, known: Set<String>) throws {
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard known.contains(parts[0]), parts.count == 2, values.updateValue(parts[1], forKey: parts[0]) == nil
            else {
                let names = known.sorted().joined(separator: ", ")
                throw Problem.invalidRequest(
                    known.isEmpty ? "this resource takes no query" : "the query takes, once each: \(names)")
            }
        }
    }

    func text(_ key: String) -> String? { values[key] }

    func integer(_ key: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let text = values[key] else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw Problem.invalidRequest("'\(key)' must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

extension HTTPField.Name {
    static let idempotencyKey = parley("Idempotency-Key")
    static let parleyReceipt = parley("Parley-Receipt")
    static let lastEventID = parley("Last-Event-ID")
    static let noSniff = parley("X-Content-Type-Options")
    static let forwardedFor = parley("X-Forwarded-For")

    /// The names above are valid tokens (RFC 9110, section 5.6.2).
    private static func parley(_ name: String) -> HTTPField.Name { HTTPField.Name(name) ?? .server }
}
