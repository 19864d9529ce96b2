public import Datasite
import DatasiteProtocol
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Serves a datasite until it is told to stop: by SIGTERM or SIGINT, by a graceful shutdown of the service group that
/// it runs in, or by cancellation. Exchanges in progress are finished first, for at most `ServerLimits.shutdownGrace` (after a
/// cancellation half a second). What waits for its time slot then stays reserved and charged, and is answered when it is
/// asked for again.
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
    // A log whose reader has ended is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let lock = try datasite.acquireServerLock()
    defer { lock.release() }
    try notifyOwners(datasite, configuration.logger)
    await datasite.resumeLongWork()
    // Before anything is said to listen: the services of a group start side by side.
    try await requireFree("127.0.0.1", configuration.metricsPort)
    try await requireFree(configuration.host, configuration.port)
    let server = try DatasiteHTTP(configuration: configuration, datasite: datasite)
    var services: [any Service] = []
    if let port = configuration.metricsPort {
        services.append(try server.metricsApplication(port: port, onListening: onMetrics))
    }
    let logging = Task { await publishLog(of: datasite, configuration.logger) }
    defer { logging.cancel() }
    let departure = Departure(grace: .nanoseconds(configuration.limits.shutdownGrace.nanoseconds))
    services.append(LeavingService(base: server.application(onListening: onListening), departure: departure))
    var group = ServiceGroupConfiguration(
        services: services, gracefulShutdownSignals: configuration.handlesSignals ? [.sigterm, .sigint] : [],
        logger: server.libraryLogger)
    group.maximumGracefulShutdownDuration = .nanoseconds(configuration.limits.shutdownGrace.nanoseconds)
    let running = ServiceGroup(configuration: group)
    do {
        try await departure.first { try await running.run() }
    } catch let error as IOError {
        throw ServerError.cannotListen(
            host: configuration.host, port: configuration.port, reason: reason(error))
    }
    await datasite.stopNotifying(grace: .seconds(2))
    server.log.finish()
    configuration.logger.info("stopped")
    LogOutput.standardError.flush(milliseconds: 1_000)
}

/// Brings the log up to the journal each second. What fails is said once, and tried again.
private func publishLog(of datasite: Datasite, _ logger: Logger) async {
    var failed: String?
    while !Task.isCancelled {
        do {
            _ = try await datasite.reading { try $0.publishLog() }
            failed = nil
        } catch {
            let problem = (error as? Problem)?.detail ?? String(describing: type(of: error))
            if problem != failed { logger.error("the log", metadata: ["problem": .string(problem)]) }
            failed = problem
        }
        try? await Task.sleep(for: .seconds(1))
    }
}

/// Starts the owner's notify hook for what begins to wait. What the hook prints is hers, and goes to her log.
private func notifyOwners(_ datasite: Datasite, _ logger: Logger) throws {
    try datasite.startNotifying { report in
        var metadata: Logger.Metadata = ["request": .string(report.request ?? "several")]
        metadata["problem"] = report.problem.map { .string($0) }
        if !report.output.isEmpty { metadata["output"] = .string(report.output) }
        logger.log(level: report.problem == nil ? .info : .warning, "notify hook", metadata: metadata)
    }
}

/// Refuses a port on which something listens already.
func requireFree(_ host: String, _ port: Int?) async throws {
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
func reason(_ error: IOError) -> String {
    error.errnoCode == EADDRINUSE ? "another program listens there" : String(cString: strerror(error.errnoCode))
}

/// The parts of one server: what it counts is shared by both of its listeners.
struct DatasiteHTTP {
    let configuration: DatasiteServerConfiguration
    let datasite: Datasite
    let metrics = Metrics()
    let log: RefusalLog
    private let admission: Admission
    private let limits: ServerLimits
    private let tls: TLSConfiguration?

    init(configuration: DatasiteServerConfiguration, datasite: Datasite) throws {
        self.configuration = configuration
        self.datasite = datasite
        log = RefusalLog(logger: configuration.logger)
        var limits = configuration.limits
        if configuration.isBehindProxy {
            limits.connectionsPerAddress = limits.connections
            limits.connectionsPerSubnet = limits.connections
            limits.connectionsPerSite = limits.connections
        }
        self.limits = limits
        admission = Admission(limits: limits)
        tls = try configuration.certificate.map { try $0.serverConfiguration() }
        if let file = configuration.certificate?.keyFile, Self.isOpenToOthers(file) {
            configuration.logger.warning("others may read the TLS key: chmod 600", metadata: ["file": .string(file)])
        }
    }

    private static func isOpenToOthers(_ file: String) -> Bool {
        var status = stat()
        return stat(file, &status) == 0 && status.st_mode & 0o007 != 0
    }

    /// The libraries' own messages matter where they warn; what is served is logged by us.
    var libraryLogger: Logger {
        var logger = configuration.logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    func application(onListening: @escaping @Sendable (Int) -> Void) -> some Service {
        let responder = DatasiteResponder(
            datasite: datasite, limits: configuration.limits, metrics: metrics, log: log, admission: admission,
            isBehindProxy: configuration.isBehindProxy)
        let (logger, host) = (configuration.logger, configuration.host)
        let scheme = tls == nil ? "http" : "https"
        return Application(
            responder: responder,
            server: listener(tls: tls, admission: admission),
            configuration: .init(address: .hostname(host, port: configuration.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("listening", metadata: ["url": "\(scheme)://\(host):\(port)"])
                onListening(port)
            },
            logger: libraryLogger)
    }

    /// Counts and times tell more of the data than an answer may: they are for whoever can read the token in the site's
    /// folder, not for every user of this machine.
    func metricsApplication(port: Int, onListening: @escaping @Sendable (Int) -> Void) throws -> some Service {
        let (metrics, admission, datasite, logger) = (metrics, admission, datasite, configuration.logger)
        let token = try datasite.metricsToken()
        let responder = CallbackResponder<Exchange> { request, _ in
            guard request.uri.path == "/metrics" else { return Reply.problem(.notFound) }
            guard request.method == .get else { return Reply.problem(.methodNotAllowed(["GET"]), allow: ["GET"]) }
            guard let sent = DatasiteResponder.bearerToken(request.headers[.authorization]), token.matches(sent) else {
                return Reply.problem(.metricsUnauthenticated)
            }
            let page = metrics.rendered(
                connections: admission.count, droppedLogLines: LogOutput.standardError.dropped,
                statistics: datasite.statistics())
            return Reply.buffer(ByteBuffer(string: page), status: .ok, type: "text/plain; version=0.0.4")
        }
        return Application(
            responder: responder,
            server: listener(tls: nil, admission: Admission(limits: limits)),
            configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("metrics", metadata: ["url": "http://127.0.0.1:\(port)/metrics"])
                onListening(port)
            },
            logger: libraryLogger)
    }

    private func listener(tls: TLSConfiguration?, admission: Admission) -> HTTPServerBuilder {
        let (limits, metrics) = (limits, metrics)
        return HTTPServerBuilder { responder in
            let channel = LimitedChannel(responder: responder, limits: limits, metrics: metrics, admission: admission)
            guard let tls else { return channel }
            return try TLSChannel(channel, tlsConfiguration: tls)
        }
    }
}
