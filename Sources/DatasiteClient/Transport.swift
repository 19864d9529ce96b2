import AsyncHTTPClient
import DatasiteProtocol
import Foundation
import NIOCore
import NIOFoundationCompat
package import NIOHTTP1
import NIOPosix
import NIOSSL

/// One datasite's HTTP, with every failure turned into a `Problem` or a `TransportError`.
package final class Transport: Sendable {
    package struct Reply: Sendable {
        var status: Int
        var headers: HTTPHeaders
        package var body: [UInt8]
    }

    /// More than any answer or audit page; a response beyond it is not from a datasite.
    package static let largestResponse = 64 << 20

    let base: String
    private let token: String?
    private let http: HTTPClient

    /// - Parameter isPrivate: Whether what is sent is not for others' eyes; with a token it never is.
    package init(url: String, token: String?, options: ClientOptions, isPrivate: Bool = false) throws(TransportError) {
        base = try Self.base(
            of: url, isPrivate: isPrivate || token != nil, allowsPlainHTTP: options.allowsPlainHTTP)
        self.token = token
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(10)
        configuration.httpVersion = .http1Only
        // Trying again until the time-out would turn "nobody listens" into "did not answer in time".
        configuration.connectionPool.retryConnectionEstablishment = false
        if let file = options.certificateAuthority {
            guard FileManager.default.isReadableFile(atPath: file) else {
                throw TransportError(
                    .untrusted, "the certificate authority's file '\(file)' cannot be read",
                    hint: "give the path of a PEM file")
            }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(file)
            configuration.tlsConfiguration = tls
        }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit {
        http.shutdown { _ in }
    }

    func close() async throws {
        try await http.shutdown()
    }

    package func get(_ path: String, timeout: Duration, largest: Int = Transport.largestResponse) async throws -> Reply
    {
        try await send(HTTPMethod.GET, path, body: nil, headers: [:], timeout: timeout, largest: largest)
    }

    package func post(
        _ path: String, _ body: some Encodable, headers: HTTPHeaders = [:], timeout: Duration
    ) async throws -> Reply {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return try await send(
            .POST, path, body: Array(try encoder.encode(body)), headers: headers, timeout: timeout)
    }

    /// Bytes there and back.
    package func post(_ path: String, _ body: [UInt8], largest: Int, timeout: Duration) async throws -> [UInt8] {
        try await send(
            .POST, path, body: body, headers: ["Content-Type": "application/octet-stream"], timeout: timeout,
            largest: largest
        ).body
    }

    /// A request of another protocol than a datasite's: whatever the status, the body is the answer.
    func exchange(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, largest: Int, timeout: Duration
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let body { request.body = .bytes(body) }
        let (http, sent, base) = (http, request, base)
        return try await withThrowingTaskGroup(of: (status: Int, body: [UInt8])?.self) { group in
            group.addTask {
                do {
                    let response = try await http.execute(sent, timeout: .init(timeout))
                    let buffer = try await response.body.collect(upTo: largest)
                    return (Int(response.status.code), Array(buffer.readableBytesView))
                } catch { throw Self.transportError(error, base, largest: largest) }
            }
            // A body that comes a byte at a time has its end too.
            group.addTask {
                try await Task.sleep(for: timeout * 2)
                return nil
            }
            defer { group.cancelAll() }
            guard let reply = try await group.next() ?? nil else {
                throw Self.transportError(HTTPClientError.deadlineExceeded, base)
            }
            return reply
        }
    }

    private func send(
        _ method: HTTPMethod, _ path: String, body: [UInt8]?, headers: HTTPHeaders, timeout: Duration,
        largest: Int = Transport.largestResponse
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers = headers
        request.headers.add(name: "Accept", value: "application/json, application/problem+json")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            if !request.headers.contains(name: "Content-Type") {
                request.headers.add(name: "Content-Type", value: "application/json")
            }
            request.body = .bytes(body)
        }
        let reply: Reply
        do {
            let response = try await http.execute(request, timeout: .init(timeout))
            // Why it was refused is told whole, however short an answer would be.
            let isAnswer = (200..<300).contains(response.status.code)
            let buffer = try await response.body.collect(upTo: isAnswer ? largest : max(largest, 64 << 10))
            reply = Reply(
                status: Int(response.status.code), headers: response.headers, body: Array(buffer.readableBytesView))
        } catch {
            throw Self.transportError(error, base, largest: largest)
        }
        guard (200..<300).contains(reply.status) else { throw Self.refusal(reply, base) }
        return reply
    }

    /// The bytes of an event stream, as they come; nil if there is nothing to be told any more. A datasite ends a stream after a
    /// quarter of an hour.
    func stream(
        _ path: String, after number: Int
    ) async throws -> AsyncThrowingStream<[UInt8], any Error>? {
        var request = HTTPClientRequest(url: base + path)
        request.headers.add(name: "Last-Event-ID", value: String(number))
        request.headers.add(name: "Accept", value: "text/event-stream, application/problem+json")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        let (base, http) = (base, http)
        let response: HTTPClientResponse
        do { response = try await http.execute(request, timeout: .minutes(20)) } catch {
            throw Self.transportError(error, base)
        }
        if response.status == .noContent { return nil }
        guard response.status == .ok else {
            let body = try? await response.body.collect(upTo: 1 << 20)
            throw Self.refusal(
                Reply(
                    status: Int(response.status.code), headers: response.headers,
                    body: body.map { Array($0.readableBytesView) } ?? []), base)
        }
        return AsyncThrowingStream { continuation in
            let reading = Task {
                do {
                    for try await buffer in response.body { continuation.yield(Array(buffer.readableBytesView)) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: Self.transportError(error, base))
                }
            }
            continuation.onTermination = { _ in reading.cancel() }
        }
    }

    // MARK: Failures

    private static func refusal(_ reply: Reply, _ base: String) -> any Error {
        let type = reply.headers.first(name: "content-type") ?? ""
        if type.hasPrefix("application/problem+json"),
            let problem = try? JSONDecoder().decode(Problem.self, from: Data(reply.body))
        {
            return problem
        }
        return TransportError(
            .notADatasite, "\(base) answered with status \(reply.status) and no problem document",
            hint: "check that the URL is a datasite's, and what a proxy in between says")
    }

    private static func transportError(
        _ error: any Error, _ base: String, largest: Int = largestResponse
    ) -> TransportError {
        switch error {
        case is NIOTooManyBytesError:
            TransportError(
                .notADatasite, "\(base) sent more than the \(size(largest)) that such an answer has at most",
                hint: "check the URL: what answers there is something else")
        case let error as HTTPClientError where isTimeout(error):
            TransportError(
                .timedOut, "\(base) did not answer in time",
                hint: "ask again: a repeated question with the same idempotency key is not charged twice")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            untrusted(base)
        case is NIOConnectionError: unreachable(base)
        // An address in numbers is connected to without a name's look-up, and fails with the system's own error.
        case let error as IOError where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode):
            unreachable(base)
        default:
            TransportError(
                .interrupted, "the connection to \(base) broke before the response was whole",
                hint: "ask again: a repeated question with the same idempotency key is not charged twice")
        }
    }

    private static func size(_ bytes: Int) -> String {
        if bytes.isMultiple(of: 1 << 20) { return "\(bytes >> 20) MiB" }
        return bytes.isMultiple(of: 1 << 10) ? "\(bytes >> 10) KiB" : "\(bytes) bytes"
    }

    private static func unreachable(_ base: String) -> TransportError {
        TransportError(
            .unreachable, "cannot connect to \(base)",
            hint: "check the URL, and that the datasite is running (its owner runs 'parley serve')")
    }

    private static func untrusted(_ base: String) -> TransportError {
        TransportError(
            .untrusted, "the TLS certificate of \(base) is not trusted",
            hint: "check the URL; for a private authority give its certificate (--ca FILE)")
    }

    private static func isTimeout(_ error: HTTPClientError) -> Bool {
        [.deadlineExceeded, .readTimeout, .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout]
            .contains(error)
    }

    // MARK: URL

    private static func base(
        of url: String, isPrivate: Bool, allowsPlainHTTP: Bool
    ) throws(TransportError) -> String {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(), let host = parts.host,
            ["http", "https"].contains(scheme), !host.isEmpty, parts.query == nil, parts.fragment == nil,
            parts.user == nil, parts.password == nil
        else {
            throw TransportError(
                .invalidURL, "'\(url)' is not the URL of a datasite",
                hint: "it looks like https://data.example.org or http://127.0.0.1:8080, without a query or a password")
        }
        let isLoopback = ["127.0.0.1", "localhost", "::1", "[::1]"].contains(host)
        guard scheme == "https" || isLoopback || allowsPlainHTTP || !isPrivate else {
            throw TransportError(
                .invalidURL, "'\(url)' would send what is private (your token, say) over the network in the clear",
                hint: "use https")
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }
}
