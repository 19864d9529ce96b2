import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The open connections of one server, in all and by where they come from.
final class ConnectionCount: Sendable {
    private struct State {
        var total = 0
        var byOrigin: [[UInt8]: Int] = [:]
    }

    private let state = Mutex(State())

    var value: Int { state.withLock { $0.total } }

    /// Counts one more and says how many that makes, and how many of that origin.
    func enter(_ origin: [UInt8]) -> (total: Int, ofOrigin: Int) {
        state.withLock { state in
            state.total += 1
            state.byOrigin[origin, default: 0] += 1
            return (state.total, state.byOrigin[origin, default: 0])
        }
    }

    func leave(_ origin: [UInt8]) {
        state.withLock { state in
            state.total -= 1
            let left = state.byOrigin[origin, default: 1] - 1
            state.byOrigin[origin] = left > 0 ? left : nil
        }
    }

    /// What one party can be taken to hold: an IPv4 address, or an IPv6 network of 64 bits (RFC 4291, section 2.5.4).
    static func origin(_ address: SocketAddress?) -> [UInt8] {
        guard let text = address?.ipAddress?.prefix(while: { $0 != "%" }) else { return [] }
        var four = in_addr()
        if inet_pton(AF_INET, String(text), &four) == 1 { return withUnsafeBytes(of: four, Array.init) }
        var six = in6_addr()
        guard inet_pton(AF_INET6, String(text), &six) == 1 else { return [] }
        let bytes = withUnsafeBytes(of: six, Array.init)
        let isMapped = bytes.prefix(12) == ArraySlice([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
        return isMapped ? Array(bytes.suffix(4)) : Array(bytes.prefix(8))
    }
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
        let origin = ConnectionCount.origin(channel.remoteAddress)
        let open = connections.enter(origin)
        let admitted = open.total <= limits.connections && open.ofOrigin <= limits.connectionsPerAddress
        channel.closeFuture.whenComplete { [connections] _ in connections.leave(origin) }
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
