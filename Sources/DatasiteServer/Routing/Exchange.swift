import DatasiteProtocol
import Hummingbird
import Logging
import NIOCore

/// What is known of one request beside its bytes.
struct Exchange: InitializableFromSource {
    let logger: Logger
    /// The address that the connection comes from: the proxy's, behind one.
    let peer: String
    private let channel: any Channel

    /// The connection, as `Admission` knows it.
    var connection: ObjectIdentifier { ObjectIdentifier(channel) }

    init(source: ApplicationRequestContextSource) {
        logger = source.logger
        channel = source.channel
        peer = LimitedChannel.peer ?? "unknown"
    }

    /// Refuses the body that is being read, for another's sake.
    func displace() {
        channel.triggerUserOutboundEvent(ConnectionGuard.Displacement(), promise: nil)
    }
}

/// A request on its way through the routes: who asks, what for, and the body once it is read.
struct Call {
    let operation: Endpoint
    let parameter: String
    let request: Request
    let identity: Identity?

    /// Who asks; routes that need nobody never call it.
    func requireIdentity() throws -> Identity {
        guard let identity else { throw Problem.unauthenticated }
        return identity
    }
}
