import DatasiteClient
import DatasiteProtocol
import Foundation
import Logging
import Synchronization
import Testing

@testable import Datasite
@testable import DatasiteServer

@Suite("A disk that does not answer holds up who waits for it, and nobody else", .timeLimit(.minutes(20)))
struct SlowDiskTests {
    /// A disk that can be stopped: whoever comes to it then waits, on the thread that came.
    private final class Disk: Sendable {
        private let isStopped = Mutex(false)
        private let gate = DispatchSemaphore(value: 0)
        private let waiting = Mutex(0)

        var count: Int { waiting.withLock { $0 } }
        func stop() { isStopped.withLock { $0 = true } }

        func pass() {
            guard isStopped.withLock({ $0 }) else { return }
            waiting.withLock { $0 += 1 }
            gate.wait()
        }

        func start() {
            isStopped.withLock { $0 = false }
            for _ in 0..<10_000 { gate.signal() }
        }
    }

    @Test("While every read and every commit waits, the catalogue answers; then all that waited is done")
    func catalogueAnswers() async throws {
        let served = try ServedSite(policy: "{loss: pure, total: {epsilon: 1000}, approval: owner}")
        let disk = Disk()
        var configuration = Datasite.Configuration()
        configuration.beforeDisk = { disk.pass() }
        let site = try Datasite(path: served.path, configuration: configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = Task {
            try await serve(
                DatasiteServerConfiguration(
                    port: 0, metricsPort: nil, certificate: nil, isBehindProxy: false, handlesSignals: false,
                    logger: logger),
                datasite: site, onListening: { port.yield($0) })
        }
        defer {
            disk.start()
            server.cancel()
        }
        let url = "http://127.0.0.1:\(try #require(await ports.first { _ in true }))"
        let ada = try DatasiteClient(url: url, token: served.token("ada"))
        let olga = try DatasiteClient(url: url, token: served.token("olga"))
        // The same researcher, whose questions wait on connections of their own.
        let asker = try DatasiteClient(url: url, token: served.token("ada"))
        // Connections of its own: those of one client are few, and those that wait stay taken.
        let onlooker = try DatasiteClient(url: url, token: served.token("aud"))
        var pending: [String] = []
        for _ in 0..<4 {
            guard case .pending(let request) = try await ada.ask(ServedSite.question) else { continue }
            pending.append(request.id)
        }
        #expect(pending.count == 4)
        _ = try await ada.datasets()

        // Streams of events look at the database again and again.
        let watcher = try DatasiteClient(url: url, token: served.token("ada"))
        let streams = pending.map { id in
            Task { try await watcher.events(of: id).reduce(into: []) { $0.append($1.state) } }
        }

        disk.stop()
        // More of each than there are threads for Swift's tasks: what blocked one would block all.
        let count = 4 * ProcessInfo.processInfo.activeProcessorCount
        let denials = pending.map { id in Task { try await olga.deny(id, reason: "no") } }
        let reads = (0..<count).flatMap { _ in
            [
                Task { _ = try await olga.budget() }, Task { _ = try await olga.audit() },
                Task { _ = try await ada.requests() },
                Task { _ = try await asker.ask(ServedSite.question, idempotencyKey: UUID().uuidString) },
            ]
        }
        while disk.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        for _ in 0..<20 {
            #expect(try await onlooker.datasets().count == 1)
            #expect(try await onlooker.dataset("visits").detail().summary.name == "visits")
        }
        #expect(disk.count >= 2)
        disk.start()
        for read in reads { try await read.value }
        for denial in denials { #expect(try await denial.value.state == "denied") }
        for stream in streams { #expect(try await stream.value == [.pending, .denied]) }
        server.cancel()
        _ = try? await server.value
    }
}
