import NIOCore
import NIOPosix
import Testing

/// A TCP connection that says exactly what a test wants said.
final class RawConnection: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private init(channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) {
        self.channel = channel
    }

    /// Connects, runs `body`, and closes.
    static func open<Result: Sendable>(
        port: Int, _ body: @Sendable (Exchange) async throws -> Result
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
            try await body(Exchange(inbound: inbound, outbound: outbound))
        }
    }

    struct Exchange: Sendable {
        let inbound: NIOAsyncChannelInboundStream<ByteBuffer>
        let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

        func send(_ text: String) async throws {
            try await outbound.write(ByteBuffer(string: text))
        }

        /// Sends and does not mind that the peer has gone.
        func trySend(_ text: String) async -> Bool {
            do {
                try await send(text)
                return true
            } catch {
                return false
            }
        }

        func finish() { outbound.finish() }

        /// All that comes until the peer ends the connection.
        func readToEnd() async -> String {
            var text = ""
            do {
                for try await buffer in inbound { text += String(buffer: buffer) }
            } catch {
                text += "<reset>"
            }
            return text
        }

        /// What comes until it holds `needle` that many times.
        func read(until needle: String, times: Int = 1) async throws -> String {
            var text = ""
            for try await buffer in inbound {
                text += String(buffer: buffer)
                if text.ranges(of: needle).count >= times { return text }
            }
            return text
        }
    }
}
