import NIOCore

/// Counts what comes over the wire before the HTTP codec takes it apart: chunk extensions and the like never come out of
/// it, and would otherwise count against no limit.
final class WireMeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connectionGuard: ConnectionGuard

    init(_ connectionGuard: ConnectionGuard) { self.connectionGuard = connectionGuard }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connectionGuard.count(wireBytes: unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
        connectionGuard.checkWire()
    }
}
