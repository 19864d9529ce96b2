import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import DatasiteServer

/// A server with nothing behind its limits but a responder that reads the body and counts.
final class LimitedServer: Sendable {
    let metrics = Metrics()
    private let admissions = Mutex(Admission(limits: ServerLimits()))
    let wholeRequests = Mutex(0)
    /// Yields when a request's head has reached the responder.
    let heads = AsyncStream<Void>.makeStream()

    private let held = Mutex<(stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)?>(nil)

    /// From now on whole requests wait for `release`.
    func hold() { held.withLock { $0 = AsyncStream<Void>.makeStream() } }

    func release() { held.withLock { $0?.continuation.finish() } }

    /// Of the server that runs.
    var admission: Admission { admissions.withLock { $0 } }

    func run(
        _ limits: ServerLimits, answer: ByteBuffer = ByteBuffer(string: "fine"), onShutdown: @Sendable () -> Void = {},
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let admission = Admission(limits: limits)
        admissions.withLock { $0 = admission }
        let responder = CallbackResponder<Exchange> { request, exchange in
            admission.recognise(exchange.connection, request.uri.path == "/known")
            self.heads.continuation.yield()
            for try await _ in request.body {}
            if let held = self.held.withLock({ $0 }) { _ = await held.stream.first { true } }
            self.wholeRequests.withLock { $0 += 1 }
            return Reply.buffer(answer, status: .ok, type: "text/plain")
        }
        let (ports, port) = AsyncStream<Int>.makeStream()
        let metrics = metrics
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let application = Application(
            responder: responder,
            server: HTTPServerBuilder { responder in
                LimitedChannel(responder: responder, limits: limits, metrics: metrics, admission: admission)
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let group = ServiceGroup(configuration: .init(services: [application], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let listening = await ports.first { _ in true }
            try await body(try #require(listening))
            await group.triggerGracefulShutdown()
            onShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Waits, without limit but the test's own, until the server has ended a connection for that reason.
    func until(_ breach: ConnectionGuard.Breach, count: Int = 1) async throws {
        while metrics.breaches(breach) < count { try await Task.sleep(for: .milliseconds(2)) }
    }
}
