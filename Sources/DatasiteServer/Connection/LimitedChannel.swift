import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// An HTTP/1 channel whose every connection stands behind a `ConnectionGuard`.
struct LimitedChannel: ServerChildChannel {
    /// A connection, and the address that it came from: the channel forgets it when it closes.
    struct Value: ServerChildChannelValue {
        let base: HTTP1Channel.Value
        let peer: String?

        var channel: any Channel { base.channel }
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
        return base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let connectionGuard = ConnectionGuard(limits: limits, metrics: metrics, verdict: verdict) {
                admission.note(id, isWaiting: $0)
            }
            try pipeline.addHandler(connectionGuard, position: .after(decoder))
            try pipeline.addHandler(WireMeter(connectionGuard), position: .before(decoder))
            return Value(base: value, peer: address?.ipAddress)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await Self.$peer.withValue(value.peer) {
            await base.handle(value: value.base, logger: logger)
        }
    }
}
