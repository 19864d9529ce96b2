import DatasiteProtocol
import Foundation

/// A coordinator of devices, or an aggregator of a tally, seen from a device that dials out to it: frames there and back, which say themselves who they are from.
///
/// It runs on Linux, macOS and iOS; what is in the frames is made by `Federation`'s `Device`, with an app's own `LocalWork`, or by its `TallyDevice`.
public final class DevicesClient: Sendable {
    private let transport: Transport

    /// - Parameters:
    ///   - url: Where it is: `https://devices.example.org`.
    ///   - options: Whom to trust for TLS, and how long to wait.
    /// - Throws: `TransportError`.
    public init(url: String, options: ClientOptions = ClientOptions()) throws {
        // Updates are for the coordinator alone: plain HTTP goes to this machine.
        transport = try Transport(url: url, token: nil, options: options, isPrivate: true)
    }

    /// What is done, among whom, and by whose key replies are signed: the JSON of a `DeviceRun.Description`.
    ///
    /// - Throws: `Problem`, `TransportError`.
    public func description(timeout: Duration = .seconds(60)) async throws -> [UInt8] {
        try await transport.get("/v1/devices", timeout: timeout).body
    }

    /// Sends a signed frame, and gives the reply's bytes.
    ///
    /// - Parameters:
    ///   - largest: A longer reply is not read.
    ///   - timeout: How long to wait for it.
    /// - Throws: `Problem`, `TransportError`.
    public func exchange(_ frame: [UInt8], largest: Int, timeout: Duration = .seconds(60)) async throws -> [UInt8] {
        try await transport.post("/v1/devices/messages", frame, largest: largest, timeout: timeout)
    }

    /// Closes the connections.
    public func close() async throws { try await transport.close() }
}
