public import DatasiteProtocol
import Foundation
import NIOHTTP1
import Synchronization

/// A datasite, seen from outside: ask it, and believe only what its key signed.
///
/// ```swift
/// import DatasiteClient
/// import DatasiteProtocol
///
/// func count(token: String) async throws -> AskOutcome {
///     let site = try DatasiteClient(url: "https://data.example.org", token: token)
///     return try await site.dataset("randhie").ask("SELECT COUNT(*) FROM randhie", budget: .epsilon(0.5))
/// }
/// ```
///
/// Every method throws `Problem` (the datasite refuses, and says why) or `TransportError` (nothing believable came
/// back, with a next step).
public final class DatasiteClient: Sendable {
    package let transport: Transport
    package let options: ClientOptions
    private let pinned: Mutex<ReceiptVerifier?>

    /// - Parameters:
    ///   - url: Where the site is, such as `https://data.example.org`.
    ///   - token: The bearer token; nil reaches only `description()`.
    /// - Throws: `TransportError` for a URL or a file that cannot be used, `ReceiptError` for a malformed pinned key.
    public init(url: String, token: String?, options: ClientOptions = ClientOptions()) throws {
        transport = try Transport(url: url, token: token, options: options)
        self.options = options
        pinned = Mutex(try options.pinnedKey.map { key throws(ReceiptError) in try ReceiptVerifier(publicKey: key) })
    }

    /// The URL without a trailing slash: what a pinned key is kept under.
    public var url: String { transport.base }

    /// Closes the client's connections now; without it they are closed when the client goes. Nothing can be asked
    /// afterwards.
    public func close() async throws { try await transport.close() }

    // MARK: The site

    /// The site's name and key. A key that is not the pinned one is refused.
    public func description() async throws -> SiteDescription {
        let site: SiteDescription = try await get("/v1/site")
        let verifier = try receiptCheck { () throws(ReceiptError) in try ReceiptVerifier(publicKey: site.publicKey) }
        let expected = pinned.withLock { pinned in
            if pinned == nil { pinned = verifier }
            return pinned?.publicKey ?? site.publicKey
        }
        guard expected == site.publicKey else {
            throw Self.invalidReceipt(.otherKey(expected: expected, found: site.publicKey))
        }
        return site
    }

    /// Who this token is.
    public func identity() async throws -> Identity { try await get("/v1/whoami") }

    /// The datasets of the site, with what is public of each.
    ///
    /// - Throws: ``TransportError``, or the `Problem` with which the site refused.
    public func datasets() async throws -> [DatasetSummary] { try await get("/v1/datasets") }

    /// A dataset by name; nothing is sent until something is asked of it.
    public func dataset(_ name: String) -> RemoteDataset { RemoteDataset(name: name, site: self) }

    /// What was spent and what is left, for each dataset and each limit that binds this researcher, in the policy's
    /// unit of loss.
    public func budget() async throws -> [BudgetReport] { try await get("/v1/budget") }

    /// Entries of the journal from `index` (1 is the first), or the newest ones; at most `limit`, up to 1,000.
    public func audit(from index: Int64? = nil, limit: Int = 1_000) async throws -> [AuditEntry] {
        try await get("/v1/audit?" + (index.map { "from=\($0)&" } ?? "") + "limit=\(limit)")
    }

    /// More than any synthetic table: a million values.
    private static let largestTable = 512 << 20

    fileprivate func syntheticTable(of dataset: String) async throws -> ReleasedAnswer {
        let verifier = try await verifier()
        let reply = try await transport.get(
            "/v1/datasets/\(Self.escaped(dataset))/synthetic", timeout: options.questionTimeout,
            largest: Self.largestTable)
        let released = try released(reply.body, receipt: Self.receiptBytes(reply), request: nil, by: verifier)
        guard released.receipt.body.assets.contains(where: { $0.dataset == dataset }) else {
            throw Self.invalidReceipt(.wrongRequest)
        }
        return released
    }

    // MARK: Questions

    /// Cost and expected error; nothing is spent.
    public func preview(_ request: AskRequest) async throws -> Preview {
        try Self.decode(await transport.post("/v1/preview", request, timeout: options.timeout).body)
    }

    /// An answer on made-up rows, free of charge.
    public func mock(_ request: AskRequest) async throws -> Answer {
        try Self.decode(await transport.post("/v1/mock", request, timeout: options.questionTimeout).body)
    }

    /// Asks, and verifies the receipt before it returns.
    ///
    /// - Parameter idempotencyKey: Names this attempt: repeated with the same key, the same question is charged once
    ///   and gets the same bytes. Without one, a random key is made, under which a broken connection is tried once more.
    public func ask(_ request: AskRequest, idempotencyKey: String? = nil) async throws -> AskOutcome {
        let verifier = try await verifier()
        let reply = try await charged("/v1/ask", request, key: idempotencyKey)
        if reply.status == 202 { return .pending(try Self.decode(reply.body)) }
        return .released(
            try released(reply.body, receipt: Self.receiptBytes(reply), request: request, by: verifier))
    }

    // MARK: Other work

    /// Asks for work of any kind that the site offers to researchers, and verifies the receipt before it returns.
    ///
    /// - Parameters:
    ///   - body: The request in the engine's own form.
    ///   - purpose: What the answer is for.
    ///   - idempotencyKey: As for ``ask(_:idempotencyKey:)``.
    public func submit(
        engine: String, _ body: some Encodable & Sendable, purpose: String? = nil, idempotencyKey: String? = nil
    ) async throws -> WorkOutcome {
        let verifier = try await verifier()
        let reply = try await charged(
            "/v1/requests", SentWork(engine: engine, request: body, purpose: purpose), key: idempotencyKey)
        if reply.status == 202 { return .pending(try Self.decode(reply.body)) }
        let receiptBytes = try Self.receiptBytes(reply)
        let receipt = try verified(reply.body, receipt: receiptBytes, request: nil, by: verifier)
        guard receipt.body.engine == engine else { throw Self.invalidReceipt(.wrongRequest) }
        return .released(ReleasedWork(bytes: reply.body, receipt: receipt, receiptBytes: receiptBytes))
    }

    /// What work of any kind would cost, and what is known of it beforehand: nothing is spent.
    ///
    /// - Parameter body: The request in the engine's own form.
    public func preview(
        engine: String, _ body: some Encodable & Sendable, purpose: String? = nil
    ) async throws -> Preview {
        try Self.decode(
            try await transport.post(
                "/v1/requests/preview", SentWork(engine: engine, request: body, purpose: purpose),
                timeout: options.questionTimeout
            ).body)
    }

    /// What was released for a request of any kind, verified by its receipt: the bytes as they were sent.
    public func work(_ id: String) async throws -> ReleasedWork {
        let verifier = try await verifier()
        let path = "/v1/requests/\(Self.escaped(id))"
        let bytes = try await transport.get(path + "/answer", timeout: options.questionTimeout).body
        let receiptBytes = try await transport.get(path + "/receipt", timeout: options.timeout).body
        let receipt = try verified(bytes, receipt: receiptBytes, request: nil, by: verifier)
        guard receipt.body.request == id else { throw Self.invalidReceipt(.wrongRequest) }
        return ReleasedWork(bytes: bytes, receipt: receipt, receiptBytes: receiptBytes)
    }

    private struct SentWork<Body: Encodable & Sendable>: Encodable, Sendable {
        var engine: String
        var request: Body
        var purpose: String?
    }

    /// Sends what is charged under a key, and once more where the connection broke.
    private func charged(
        _ path: String, _ body: some Encodable & Sendable, key: String?
    ) async throws -> Transport.Reply {
        let key = key ?? UUID().uuidString
        func send() async throws -> Transport.Reply {
            try await transport.post(
                path, body, headers: ["Idempotency-Key": key], timeout: options.questionTimeout)
        }
        do {
            return try await send()
        } catch let error as TransportError where error.kind == .interrupted {
            do {
                return try await send()
            } catch let again as TransportError where again.kind == .unreachable {
                // That nobody listens any more must not hide that the request had been sent.
                throw error
            }
        }
    }

    /// That a request's release stands in the site's log: a `.tlog-proof` (c2sp.org/tlog-proof), which carries the receipt, and is to be verified offline.
    ///
    /// - Throws: The problem `not-found` while it is not in the log yet.
    public func proof(_ id: String) async throws -> [UInt8] {
        try await transport.get("/v1/requests/\(Self.escaped(id))/proof", timeout: options.timeout).body
    }

    private static func receiptBytes(_ reply: Transport.Reply) throws(TransportError) -> [UInt8] {
        guard let header = reply.headers.first(name: "Parley-Receipt"), let receipt = Base64URL.decode(header) else {
            throw TransportError(
                .invalidReceipt, "the answer came without a receipt", hint: "do not rely on it; tell the site's owner")
        }
        return receipt
    }

    // MARK: Requests

    /// Requests, newest first: at most `limit`, up to 1,000; those older than `before`; those in that state.
    public func requests(
        state: String? = nil, before: String? = nil, limit: Int = 1_000
    ) async throws -> [RequestSummary] {
        let filters = [state.map { "state=\(Self.escaped($0))&" }, before.map { "before=\(Self.escaped($0))&" }]
        return try await get("/v1/requests?" + filters.compactMap(\.self).joined() + "limit=\(limit)")
    }

    /// A request as its owner sees it before she decides: with expected errors, and its answer on mock rows.
    public func review(_ id: String) async throws -> RequestReview {
        try await get("/v1/requests/\(Self.escaped(id))/review")
    }

    /// One request: its question, charge and state.
    public func request(_ id: String) async throws -> RequestSummary {
        try await get("/v1/requests/\(Self.escaped(id))")
    }

    /// A released answer, again, verified by its receipt. A request that was approved meanwhile is computed now.
    public func answer(_ id: String) async throws -> ReleasedAnswer {
        let work = try await work(id)
        return ReleasedAnswer(
            answer: try Self.decode(work.bytes), bytes: work.bytes, receipt: work.receipt,
            receiptBytes: work.receiptBytes)
    }

    /// A receipt, its signature verified.
    public func receipt(_ id: String) async throws -> Receipt {
        let verifier = try await verifier()
        let path = "/v1/requests/\(Self.escaped(id))/receipt"
        let receipt = try Self.receipt(await transport.get(path, timeout: options.timeout).body)
        try receiptCheck { () throws(ReceiptError) in try verifier.verify(receipt) }
        guard receipt.body.request == id else { throw Self.invalidReceipt(.wrongRequest) }
        return receipt
    }

    /// Approves a pending request as an owner. It is answered once enough different owners have approved.
    public func approve(_ id: String) async throws -> RequestSummary {
        try await decide(id, "approve", DecisionRequest())
    }

    /// Denies a pending request as an owner; what was reserved for it is given back. The researcher is shown `reason`.
    public func deny(_ id: String, reason: String) async throws -> RequestSummary {
        try await decide(id, "deny", DecisionRequest(reason: reason))
    }

    private func decide(_ id: String, _ verb: String, _ decision: DecisionRequest) async throws -> RequestSummary {
        let path = "/v1/requests/\(Self.escaped(id))/\(verb)"
        return try Self.decode(await transport.post(path, decision, timeout: options.timeout).body)
    }

    // MARK: Jobs

    /// Requests that are under way or were cut short, newest first; for owners also the tables that are being added.
    ///
    /// - Parameter all: Those that have ended too.
    public func jobs(all: Bool = false, limit: Int = 1_000) async throws -> [JobSummary] {
        try await get("/v1/jobs?all=\(all)&limit=\(limit)")
    }

    /// Cancels a job, as whoever asked or as an owner. What waits is withdrawn, and what it held is given back; what is being
    /// computed stays charged, and no answer comes of it.
    public func cancelJob(_ id: String) async throws -> JobSummary {
        let path = "/v1/jobs/\(Self.escaped(id))/cancel"
        return try Self.decode(await transport.post(path, DecisionRequest(), timeout: options.timeout).body)
    }

    /// What became of a request and what becomes of it, as it is told, until it stops (``DatasiteProtocol/JobState``). A
    /// connection that breaks is made again; nothing is told twice.
    ///
    /// - Parameter number: Only events after this one.
    public func events(of id: String, after number: Int = 0) -> AsyncThrowingStream<RequestEvent, any Error> {
        let path = "/v1/requests/\(Self.escaped(id))/events"
        return AsyncThrowingStream { continuation in
            let following = Task {
                do {
                    try await EventFollowing(path: path, transport: self.transport).run(after: number) {
                        continuation.yield($0)
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in following.cancel() }
        }
    }

    // MARK: Trust

    /// The pinned key's verifier; the site's own key is pinned now if none was.
    private func verifier() async throws -> ReceiptVerifier {
        if let verifier = pinned.withLock({ $0 }) { return verifier }
        let key = try await description().publicKey
        return try receiptCheck { () throws(ReceiptError) in try ReceiptVerifier(publicKey: key) }
    }

    private func released(
        _ bytes: [UInt8], receipt receiptBytes: [UInt8], request: AskRequest?, by verifier: ReceiptVerifier
    ) throws -> ReleasedAnswer {
        let receipt = try verified(bytes, receipt: receiptBytes, request: request, by: verifier)
        return ReleasedAnswer(
            answer: try Self.decode(bytes), bytes: bytes, receipt: receipt, receiptBytes: receiptBytes)
    }

    private func verified(
        _ bytes: [UInt8], receipt receiptBytes: [UInt8], request: AskRequest?, by verifier: ReceiptVerifier
    ) throws -> Receipt {
        let receipt = try Self.receipt(receiptBytes)
        try receiptCheck { () throws(ReceiptError) in
            try verifier.verify(receipt, answer: bytes, request: request)
        }
        return receipt
    }

    private func receiptCheck<Result>(_ check: () throws(ReceiptError) -> Result) throws(TransportError) -> Result {
        do {
            return try check()
        } catch {
            throw Self.invalidReceipt(error)
        }
    }

    private static func invalidReceipt(_ error: ReceiptError) -> TransportError {
        let hint =
            switch error {
            case .otherKey:
                "if the owner says that the key changed, log in again; otherwise someone may stand in between"
            default: "do not rely on this answer; keep both files and tell the site's owner"
            }
        return TransportError(.invalidReceipt, error.description, hint: hint)
    }

    // MARK: Messages

    private func get<Message: Decodable>(_ path: String) async throws -> Message {
        try Self.decode(await transport.get(path, timeout: options.timeout).body)
    }

    /// Answers may gain keys in later versions, so unknown ones are passed over here.
    package static func decode<Message: Decodable>(_ bytes: [UInt8]) throws(TransportError) -> Message {
        do {
            return try JSONDecoder().decode(Message.self, from: Data(bytes))
        } catch {
            throw TransportError(
                .notADatasite, "the response is not the \(Message.self) that was expected",
                hint: "check that the URL is a datasite's and that it speaks version 1 of the protocol")
        }
    }

    private static func receipt(_ bytes: [UInt8]) throws(TransportError) -> Receipt {
        do {
            return try Receipt(decoding: bytes)
        } catch {
            throw TransportError(
                .invalidReceipt, "the receipt cannot be read: \(error.message)",
                hint: "do not rely on this answer; tell the site's owner")
        }
    }

    package static func escaped(_ component: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return component.addingPercentEncoding(withAllowedCharacters: unreserved) ?? component
    }

    fileprivate func detail(of dataset: String) async throws -> DatasetDetail {
        try await get("/v1/datasets/\(Self.escaped(dataset))")
    }
}

/// One dataset of a site.
public struct RemoteDataset: Sendable {
    /// Its name at the site.
    public let name: String
    let site: DatasiteClient

    /// Dictionary, policy and mock rows.
    public func detail() async throws -> DatasetDetail { try await site.detail(of: name) }

    /// Its synthetic table, if an owner has released one: an answer whose columns are the dataset's, its receipt verified. It is
    /// the same for all, and costs nothing more.
    public func syntheticTable() async throws -> ReleasedAnswer { try await site.syntheticTable(of: name) }

    /// Asks in SQL and verifies the receipt before it returns.
    public func ask(
        _ sql: String, budget: Budget, hints: QuestionHints = QuestionHints(), idempotencyKey: String? = nil
    ) async throws -> AskOutcome {
        try await site.ask(request(sql, budget, hints), idempotencyKey: idempotencyKey)
    }

    /// Cost and expected error of a question; nothing is spent.
    public func preview(
        _ sql: String, budget: Budget, hints: QuestionHints = QuestionHints()
    ) async throws -> Preview {
        try await site.preview(request(sql, budget, hints))
    }

    /// The question's answer on made-up rows, free of charge.
    public func mock(
        _ sql: String, budget: Budget, hints: QuestionHints = QuestionHints()
    ) async throws -> Answer {
        try await site.mock(request(sql, budget, hints))
    }

    /// The message that a question becomes: what a receipt's request digest is taken over.
    public func request(_ sql: String, _ budget: Budget, _ hints: QuestionHints = QuestionHints()) -> AskRequest {
        AskRequest(
            dataset: name, sql: sql, budget: budget, selectionDelta: hints.selectionDelta,
            groupsPerUnit: hints.groupsPerUnit, rowsPerGroup: hints.rowsPerGroup, boundingShares: hints.boundingShares)
    }
}
