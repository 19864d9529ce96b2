import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// The number of open connections of one server.
final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// Counts one more and says how many that makes.
    func enter() -> Int { count.add(1, ordering: .relaxed).newValue }

    func leave() { count.subtract(1, ordering: .relaxed) }
}

/// An HTTP/1 channel whose every connection stands behind a `ConnectionGuard`.
struct LimitedChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let limits: Limits
    private let metrics: Metrics
    private let connections: ConnectionCount

    init(
        responder: @escaping HTTPChannelHandler.Responder, limits: Limits, metrics: Metrics,
        connections: ConnectionCount
    ) {
        self.limits = limits
        self.metrics = metrics
        self.connections = connections
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerBytes,
            maxHeaderFieldCount: limits.headerFields)
        base = HTTP1Channel(
            responder: responder, configuration: .init(idleTimeout: nil, httpDecoderConfiguration: decoder))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let admitted = connections.enter() <= limits.connections
        channel.closeFuture.whenComplete { [connections] _ in connections.leave() }
        let (limits, metrics) = (limits, metrics)
        return base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let connectionGuard = ConnectionGuard(limits: limits, metrics: metrics, admitted: admitted)
            try pipeline.addHandler(connectionGuard, position: .after(decoder))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
