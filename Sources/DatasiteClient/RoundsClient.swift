import DatasiteProtocol
import Foundation
import NIOHTTP1

/// A coordinator of rounds, seen from a site that dials out to it: frames there and back, which say themselves who they are from.
public final class RoundsClient: Sendable {
    private let transport: Transport

    /// - Parameters:
    ///   - url: Where it is: `https://rounds.example.org`.
    ///   - options: Whom to trust for TLS, and how long to wait; no token is sent, and no key is pinned here.
    /// - Throws: `TransportError`.
    public init(url: String, options: ClientOptions = ClientOptions()) throws {
        // What is in a frame is for the coordinator alone: plain HTTP goes to this machine.
        transport = try Transport(url: url, token: nil, options: options, isPrivate: true)
    }

    /// Sends a signed frame, and gives the reply's bytes.
    ///
    /// - Parameters:
    ///   - largest: A longer reply is not read.
    ///   - timeout: How long to wait for it.
    /// - Throws: `Problem`, `TransportError`.
    public func exchange(_ frame: [UInt8], largest: Int, timeout: Duration = .seconds(60)) async throws -> [UInt8] {
        try await transport.post("/v1/rounds/messages", frame, largest: largest, timeout: timeout)
    }

    /// Closes the connections.
    public func close() async throws { try await transport.close() }
}
