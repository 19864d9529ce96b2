import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// An HTTP/1 channel whose every connection stands behind a `ConnectionGuard`.
struct LimitedChannel: ServerChildChannel {
    /// A connection, and the address that it came from: the channel forgets it when it closes.
    struct Value: ServerChildChannelValue {
        fileprivate let connection: Connection
        let peer: String?

        var channel: any Channel { connection.base.channel }
    }

    /// Closes a connection that nobody came to serve: one that is accepted in the moment in which the server stops is handed to no one, and NIO ends the
    /// process where a channel is let go that was never closed.
    fileprivate final class Connection: Sendable {
        let base: HTTP1Channel.Value
        private let isServed = Mutex(false)

        init(_ base: HTTP1Channel.Value) { self.base = base }

        func serve(_ body: (HTTP1Channel.Value) async -> Void) async {
            isServed.withLock { $0 = true }
            await body(base)
        }

        deinit {
            guard !isServed.withLock({ $0 }) else { return }
            Task { [base] in try? await base.executeThenClose { _, _ in } }
        }
    }

    /// The address of the connection that the present task serves.
    @TaskLocal static var peer: String?

    private let base: HTTP1Channel
    private let limits: ServerLimits
    private let metrics: Metrics
    private let admission: Admission

    init(
        responder: @escaping HTTPChannelHandler.Responder, limits: ServerLimits, metrics: Metrics,
        admission: Admission
    ) {
        self.limits = limits
        self.metrics = metrics
        self.admission = admission
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerBytes,
            maxHeaderFieldCount: limits.headerFields)
        base = HTTP1Channel(
            responder: responder, configuration: .init(idleTimeout: nil, httpDecoderConfiguration: decoder))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let id = ObjectIdentifier(channel)
        let address = channel.remoteAddress
        let verdict = admission.enter(id, from: Network.all(of: address)) { [metrics] in
            metrics.countBreach(.evicted)
            channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { [admission] _ in admission.leave(id) }
        let (limits, metrics, admission) = (limits, metrics, admission)
        return base.setup(channel: channel, logger: logger).map(Connection.init).flatMapThrowing { connection in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let connectionGuard = ConnectionGuard(limits: limits, metrics: metrics, verdict: verdict) {
                admission.note(id, isWaiting: $0)
            }
            try pipeline.addHandler(connectionGuard, position: .after(decoder))
            try pipeline.addHandler(WireMeter(connectionGuard), position: .before(decoder))
            return Value(connection: connection, peer: address?.ipAddress)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await Self.$peer.withValue(value.peer) {
            await value.connection.serve { await base.handle(value: $0, logger: logger) }
        }
    }
}
