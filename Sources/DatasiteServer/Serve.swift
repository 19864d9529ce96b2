public import Datasite
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

/// Serves a datasite until it is told to stop: by SIGTERM or SIGINT, by a graceful shutdown of the service group that
/// it runs in, or at once by cancellation. Exchanges in progress are finished first, for at most
/// `Limits.shutdownGrace`.
///
/// - Parameters:
///   - onMetrics: Called with the port of `/metrics`, if there is one.
///   - onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`, or the datasite's problem if another server holds it.
public func serve(
    _ configuration: DatasiteServerConfiguration, datasite: Datasite,
    onMetrics: @escaping @Sendable (Int) -> Void = { _ in },
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    try configuration.check()
    let lock = try datasite.acquireServerLock()
    defer { lock.release() }
    // Before anything is said to listen: the services of a group start side by side.
    try await requireFree("127.0.0.1", configuration.metricsPort)
    try await requireFree(configuration.host, configuration.port)
    let server = try DatasiteHTTP(configuration: configuration, datasite: datasite)
    var services: [any Service] = []
    if let port = configuration.metricsPort {
        services.append(server.metricsApplication(port: port, onListening: onMetrics))
    }
    services.append(server.application(onListening: onListening))
    var group = ServiceGroupConfiguration(
        services: services, gracefulShutdownSignals: configuration.handlesSignals ? [.sigterm, .sigint] : [],
        logger: server.libraryLogger)
    group.maximumGracefulShutdownDuration = .nanoseconds(configuration.limits.shutdownGrace.nanoseconds)
    do {
        try await ServiceGroup(configuration: group).run()
    } catch let error as IOError {
        throw ServerError.cannotListen(
            host: configuration.host, port: configuration.port, reason: reason(error))
    }
    configuration.logger.info("stopped")
}

/// Refuses a port on which something listens already.
private func requireFree(_ host: String, _ port: Int?) async throws {
    guard let port, port != 0 else { return }
    do {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port).get()
        try await listener.close()
    } catch let error as IOError {
        throw ServerError.cannotListen(host: host, port: port, reason: reason(error))
    }
}

/// The system's words, without the call that failed.
private func reason(_ error: IOError) -> String {
    error.errnoCode == EADDRINUSE ? "another program listens there" : String(cString: strerror(error.errnoCode))
}

/// The parts of one server: what it counts is shared by both of its listeners.
struct DatasiteHTTP {
    let configuration: DatasiteServerConfiguration
    let datasite: Datasite
    let metrics = Metrics()
    let connections = ConnectionCount()
    private let tls: TLSConfiguration?

    init(configuration: DatasiteServerConfiguration, datasite: Datasite) throws {
        self.configuration = configuration
        self.datasite = datasite
        tls = try configuration.certificate.map(Self.tlsConfiguration)
    }

    /// The libraries' own messages matter where they warn; what is served is logged by us.
    var libraryLogger: Logger {
        var logger = configuration.logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    func application(onListening: @escaping @Sendable (Int) -> Void) -> some Service {
        let responder = DatasiteResponder(
            datasite: datasite, limits: configuration.limits, metrics: metrics, logger: configuration.logger,
            isBehindProxy: configuration.isBehindProxy)
        let (logger, host) = (configuration.logger, configuration.host)
        let scheme = tls == nil ? "http" : "https"
        return Application(
            responder: responder,
            server: listener(tls: tls, connections: connections),
            configuration: .init(address: .hostname(host, port: configuration.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("listening", metadata: ["url": "\(scheme)://\(host):\(port)"])
                onListening(port)
            },
            logger: libraryLogger)
    }

    func metricsApplication(port: Int, onListening: @escaping @Sendable (Int) -> Void) -> some Service {
        let (metrics, connections, datasite, logger) = (metrics, connections, datasite, configuration.logger)
        let responder = CallbackResponder<Exchange> { request, _ in
            guard request.uri.path == "/metrics" else { return Reply.problem(.notFound) }
            guard request.method == .get else { return Reply.problem(.methodNotAllowed(["GET"]), allow: ["GET"]) }
            let page = metrics.rendered(connections: connections.value, statistics: datasite.statistics())
            return Reply.buffer(ByteBuffer(string: page), status: .ok, type: "text/plain; version=0.0.4")
        }
        return Application(
            responder: responder,
            server: listener(tls: nil, connections: ConnectionCount()),
            configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("metrics", metadata: ["url": "http://127.0.0.1:\(port)/metrics"])
                onListening(port)
            },
            logger: libraryLogger)
    }

    private func listener(tls: TLSConfiguration?, connections: ConnectionCount) -> HTTPServerBuilder {
        var limits = configuration.limits
        if configuration.isBehindProxy { limits.connectionsPerAddress = limits.connections }
        let (bounds, metrics) = (limits, metrics)
        return HTTPServerBuilder { responder in
            let channel = LimitedChannel(
                responder: responder, limits: bounds, metrics: metrics, connections: connections)
            guard let tls else { return channel }
            return try TLSChannel(channel, tlsConfiguration: tls)
        }
    }

    private static func tlsConfiguration(_ files: DatasiteServerConfiguration.Certificate) throws -> TLSConfiguration {
        let chain: [NIOSSLCertificateSource]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.chainFile).map { .certificate($0) }
        } catch {
            throw ServerError.certificate(file: files.chainFile, reason: "no PEM certificates can be read from it")
        }
        do {
            let key = try NIOSSLPrivateKey(file: files.keyFile, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            return configuration
        } catch {
            throw ServerError.certificate(file: files.keyFile, reason: "no PEM private key can be read from it")
        }
    }
}
