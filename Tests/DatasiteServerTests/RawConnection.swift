import NIOCore
import NIOPosix
import Testing

/// A TCP connection that says exactly what a test wants said.
struct RawConnection: Sendable {
    private let received: AsyncStream<String>
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    /// Connects, runs `body`, and closes.
    ///
    /// - Parameter reads: Whether what the peer sends is taken from the socket.
    static func open<Result: Sendable>(
        port: Int, reads: Bool = true, _ body: @escaping @Sendable (RawConnection) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let (received, continuation) = AsyncStream<String>.makeStream()
            let pump = Task {
                guard reads else { return }
                do {
                    for try await buffer in inbound { continuation.yield(String(buffer: buffer)) }
                } catch {
                    continuation.yield("<reset>")
                }
                continuation.finish()
            }
            defer { pump.cancel() }
            return try await body(RawConnection(received: received, outbound: outbound))
        }
    }

    func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    func send(_ bytes: [UInt8]) async throws {
        try await outbound.write(ByteBuffer(bytes: bytes))
    }

    /// Sends and says whether the peer was still there.
    func trySend(_ text: String) async -> Bool {
        do {
            try await send(text)
            return true
        } catch {
            return false
        }
    }

    /// Says that nothing more will be sent.
    func finish() { outbound.finish() }

    /// All that comes until the peer ends the connection.
    func readToEnd() async -> String {
        await received.reduce(into: "") { $0 += $1 }
    }

    /// What comes until it holds `needle` that many times.
    func read(until needle: String, times: Int = 1) async throws -> String {
        var text = ""
        for await piece in received {
            text += piece
            if text.ranges(of: needle).count >= times { return text }
        }
        return text
    }
}
