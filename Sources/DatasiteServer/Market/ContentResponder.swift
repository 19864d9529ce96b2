import ContentAddressing
public import ContentStorage
import DatasiteProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// A trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway): blocks and archives of what was published, to anybody.
struct ContentResponder: HTTPResponder {
    typealias Context = Exchange

    private let gateway: TrustlessGateway<ContentStore>
    /// An archive has no parts that can be asked for, so that a slow line needs its time: 1 GB at 2.3 Mbit/s.
    static let longest = TimeAmount.hours(1)
    /// Whoever takes less than 16 KiB a second over a minute gives the place to others.
    static let leastTaken = 60 * 16 << 10

    private let downloads = Places(all: 64, each: 16, refusal: .tooManyAnswers)

    init(_ store: ContentStore) { gateway = TrustlessGateway(store) }

    static func serves(_ path: String) -> Bool { path == "/ipfs" || path.hasPrefix("/ipfs/") }

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            if request.uri.path == "/health", request.method == .get {
                return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            }
            _ = try await request.wholeBody(largest: 0)
            guard Self.serves(request.uri.path) else { throw Problem.notFound }
            return try await answer(to: request, context)
        } catch let problem as Problem {
            return Reply.problem(problem)
        } catch {
            return Reply.problem(.internalError)
        }
    }

    private func answer(to request: Request, _ context: Exchange) async throws -> Response {
        let place = try downloads.enter(Network.holder(of: context.peer))
        let asked = GatewayRequest(
            method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "",
            accept: Self.field("Accept", request), ifNoneMatch: Self.field("If-None-Match", request),
            range: Self.field("Range", request), ifRange: Self.field("If-Range", request),
            cacheControl: Self.field("Cache-Control", request), serviceWorker: Self.field("Service-Worker", request))
        // Blocks are read from a disk.
        let gateway = gateway
        let answer = await Task.detached { gateway.answer(asked) }.value
        var response = Response(status: .init(code: answer.status))
        var length: Int?
        for (name, value) in answer.headers {
            guard let field = HTTPField.Name(name) else { continue }
            if field == .contentLength { length = Int(value) } else { response.headers[field] = value }
        }
        let body = answer.body
        // Where a block turns out to be damaged the connection is cut: what was sent is then seen not to be whole.
        response.body = ResponseBody(contentLength: length) { writer in
            var body = body
            while true {
                let (piece, rest) = try await Task.detached { [body] in
                    var body = body
                    return (try body.next(), body)
                }.value
                body = rest
                guard let piece else { break }
                // In parts, so that what is taken of it is seen.
                var bytes = ByteBuffer(bytes: piece)
                while let part = bytes.readSlice(length: min(bytes.readableBytes, 1 << 18)), part.readableBytes > 0 {
                    try await writer.write(part)
                }
            }
            try await writer.finish(nil)
            withExtendedLifetime(place) {}
        }
        return response
    }

    private static func field(_ name: String, _ request: Request) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }
}

/// Serves what a content store holds as a trustless IPFS gateway, until it is told to stop.
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveContent(
    _ configuration: DatasiteServerConfiguration, store: ContentStore,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    let responder = ContentResponder(store)
    try await serveAlone(
        configuration, largest: 1, longestAnswer: ContentResponder.longest, onListening: onListening
    ) { _, _ in responder }
}
