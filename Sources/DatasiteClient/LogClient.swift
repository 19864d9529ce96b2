import DatasiteProtocol
import Foundation
import NIOHTTP1

/// A transparency log, or a witness of logs, seen by who reads or asks it: bytes there and back, none of which is to be believed before it is verified.
public final class LogClient: Sendable {
    private let transport: Transport

    /// - Parameters:
    ///   - url: The log's prefix (`https://site.example.org/log`), or the witness's.
    ///   - options: Whom to trust for TLS, and how long to wait; no token is sent.
    /// - Throws: `TransportError`.
    public init(url: String, options: ClientOptions = ClientOptions()) throws {
        transport = try Transport(url: url, token: nil, options: options, isPrivate: false)
    }

    /// What is at a path below the prefix; nil: nothing is.
    ///
    /// - Parameter largest: How many bytes are read at most.
    /// - Throws: `TransportError`; a `Problem` for another status than 200 and 404.
    public func get(_ path: String, largest: Int) async throws -> [UInt8]? {
        let reply = try await transport.exchange(.GET, "/" + path, nil, largest: largest, timeout: .seconds(30))
        switch reply.status {
        case 200: return reply.body
        case 404: return nil
        default:
            throw (try? JSONDecoder().decode(Problem.self, from: Data(reply.body)))
                ?? Problem(.siteUnavailable, "\(path): status \(reply.status)")
        }
    }

    /// Sends a body, and gives the status and the body of the answer.
    ///
    /// - Throws: `TransportError`.
    public func post(_ path: String, _ body: [UInt8]) async throws -> (status: Int, body: [UInt8]) {
        try await transport.exchange(.POST, "/" + path, body, largest: 1 << 20, timeout: .seconds(10))
    }

    /// Something for each time that a market announces that its log has grown, until the connection ends.
    ///
    /// - Parameter size: The log's, as far as it is known.
    /// - Throws: `TransportError`, `Problem`.
    public func announcements(after size: Int) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        try await transport.stream("/announcements", after: size) ?? AsyncThrowingStream { $0.finish() }
    }

    /// Closes the connections.
    public func close() async throws { try await transport.close() }
}
