import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// An HTTP/1 channel whose every connection stands behind a `ConnectionGuard`.
struct LimitedChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let limits: Limits
    private let metrics: Metrics
    private let admission: Admission

    init(
        responder: @escaping HTTPChannelHandler.Responder, limits: Limits, metrics: Metrics,
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
        let verdict = admission.enter(id, from: Network.all(of: channel.remoteAddress)) { [metrics] in
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
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
