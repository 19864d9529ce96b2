import DatasiteClient
import DatasiteProtocol
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import Datasite
@testable import DatasiteServer

@Suite("No peer can hold a connection, memory or the server for longer than the limits say", .timeLimit(.minutes(20)))
struct LimitsTests {
    static let short = TimeAmount.milliseconds(150)
    private let server = LimitedServer()

    @Test("A head that drips in is cut off at its deadline, however alive it looks")
    func slowHead() async throws {
        try await server.run(ServerLimits(headDeadline: Self.short)) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                async let reply = connection.readToEnd()
                try await connection.send("GET / HTTP/1.1\r\nX-Drip: ")
                while server.metrics.breaches(.headDeadline) == 0, await connection.trySend("a") {
                    try await Task.sleep(for: .milliseconds(5))
                }
                connection.finish()
                return await reply
            }
            #expect(reply.hasPrefix("HTTP/1.1 408 "))
            #expect(reply.contains("content-type: application/problem+json"))
            #expect(server.metrics.breaches(.headDeadline) == 1)
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test("A connection that says nothing is cut off too")
    func silence() async throws {
        try await server.run(ServerLimits(headDeadline: Self.short)) { [server] port in
            let reply = try await RawConnection.open(port: port) { await $0.readToEnd() }
            #expect(reply.hasPrefix("HTTP/1.1 408 "))
            #expect(server.metrics.breaches(.headDeadline) == 1)
        }
    }

    @Test("A body that drips in is cut off at its deadline, and is never taken for a whole one")
    func slowBody() async throws {
        try await server.run(ServerLimits(bodyDeadline: Self.short)) { [server] port in
            for framing in ["Content-Length: 60000", "Transfer-Encoding: chunked"] {
                let before = server.metrics.breaches(.bodyDeadline)
                let reply = try await RawConnection.open(port: port) { connection in
                    async let reply = connection.readToEnd()
                    try await connection.send("POST / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
                    while server.metrics.breaches(.bodyDeadline) == before, await connection.trySend("1\r\na\r\n") {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    connection.finish()
                    return await reply
                }
                #expect(reply.hasPrefix("HTTP/1.1 408 "), "\(framing)")
            }
            #expect(server.metrics.breaches(.bodyDeadline) == 2)
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test("A connection that breaks off in a body, or half-closes, did not send a request")
    func truncatedBody() async throws {
        try await server.run(ServerLimits()) { [server] port in
            for framing in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
                let reply = try await RawConnection.open(port: port) { connection in
                    try await connection.send("POST / HTTP/1.1\r\nHost: a\r\n\(framing)")
                    connection.finish()
                    return await connection.readToEnd()
                }
                #expect(!reply.contains("200"), "\(reply)")
            }
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test("A body over the cap is refused at its head, or at the byte that is too many")
    func bigBody() async throws {
        try await server.run(ServerLimits(bodyBytes: 1_000)) { [server] port in
            let declared = try await RawConnection.open(port: port) { connection in
                try await connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
                return await connection.readToEnd()
            }
            #expect(declared.hasPrefix("HTTP/1.1 413 "))
            let chunked = try await RawConnection.open(port: port) { connection in
                async let reply = connection.readToEnd()
                try await connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                let chunk = "100\r\n" + String(repeating: "a", count: 256) + "\r\n"
                for _ in 0..<1_000 where await !connection.trySend(chunk) { break }
                connection.finish()
                return await reply
            }
            #expect(chunked.hasPrefix("HTTP/1.1 413 "))
            #expect(server.metrics.breaches(.bodyTooLarge) == 2)
            #expect(server.wholeRequests.withLock { $0 } == 0)
            let largest = try await RawConnection.open(port: port) { connection in
                let body = String(repeating: "a", count: 1_000)
                try await connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n\(body)")
                return try await connection.read(until: "fine")
            }
            #expect(largest.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("Between requests a connection may stay for so long")
    func idle() async throws {
        try await server.run(ServerLimits(idleDeadline: Self.short)) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                return await connection.readToEnd()
            }
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
            #expect(reply.hasSuffix("fine"))
            #expect(server.metrics.breaches(.idleDeadline) == 1)
        }
    }

    @Test("A peer that does not read its answer is cut off")
    func slowReader() async throws {
        let large = ByteBuffer(repeating: UInt8(ascii: "a"), count: 64 << 20)
        try await server.run(ServerLimits(responseDeadline: Self.short), answer: large) { [server] port in
            try await RawConnection.open(port: port, reads: false) { connection in
                try await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try await server.until(.responseDeadline)
            }
            #expect(server.metrics.breaches(.responseDeadline) == 1)
        }
    }

    @Test("A peer that takes next to nothing is cut off long before the deadline; one that has taken its answer is not")
    func pace() async throws {
        let large = ByteBuffer(repeating: UInt8(ascii: "a"), count: 64 << 20)
        let limits = ServerLimits(
            responseDeadline: .hours(1), leastTaken: 1 << 10, paceInterval: Self.short)
        try await server.run(limits, answer: large) { [server] port in
            try await RawConnection.open(port: port, reads: false) { connection in
                try await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                try await server.until(.slowReader)
            }
            #expect(server.metrics.breaches(.slowReader) == 1 && server.metrics.breaches(.responseDeadline) == 0)
        }
        try await server.run(limits) { [server] port in
            try await RawConnection.open(port: port) { connection in
                for _ in 0..<2 {
                    try await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    #expect(try await connection.read(until: "fine").hasSuffix("fine"))
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
            #expect(server.metrics.breaches(.slowReader) == 1)
        }
    }

    @Test(
        "What is not HTTP, or has too much of a head, gets a problem document and the end of the connection",
        arguments: [
            ("\u{16}\u{3}\u{1}hello\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 9 << 10) + "\r\n\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: a\r\n", count: 65) + "\r\n", 431),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n"
                    + String(repeating: "X: " + String(repeating: "a", count: 1_000) + "\r\n", count: 17)
                    + "\r\n", 431
            ),
        ])
    func malformed(_ text: String, _ status: Int) async throws {
        try await server.run(ServerLimits()) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send(text)
                return await connection.readToEnd()
            }
            #expect(reply.hasPrefix("HTTP/1.1 \(status) "), "\(reply)")
            #expect(reply.contains("urn:parley:problem:"))
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test("A request target has a bound at the socket already")
    func endlessTarget() async throws {
        try await server.run(ServerLimits()) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                async let reply = connection.readToEnd()
                try await connection.send("GET /")
                let piece = String(repeating: "a", count: 4 << 10)
                for _ in 0..<4_096 where await !connection.trySend(piece) { break }
                connection.finish()
                return await reply
            }
            #expect(!reply.contains("200 OK"))
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test("Within the limits, requests follow one another on one connection, pipelined too")
    func keepAlive() async throws {
        try await server.run(ServerLimits()) { [server] port in
            try await RawConnection.open(port: port) { connection in
                let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                for _ in 0..<3 {
                    try await connection.send(request)
                    let reply = try await connection.read(until: "fine")
                    #expect(reply.hasPrefix("HTTP/1.1 200 "))
                }
                try await connection.send(request + request + request)
                let replies = try await connection.read(until: "fine", times: 3)
                #expect(replies.ranges(of: "HTTP/1.1 200 ").count == 3)
            }
            #expect(server.wholeRequests.withLock { $0 } == 6)
        }
    }

    @Test("A shutdown ends idle connections and finishes")
    func shutdown() async throws {
        let (answered, signal) = AsyncStream<Void>.makeStream()
        let client = Mutex<Task<String, any Error>?>(nil)
        try await server.run(ServerLimits()) { port in
            let task = Task {
                try await RawConnection.open(port: port) { connection in
                    try await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    _ = try await connection.read(until: "fine")
                    signal.yield()
                    return await connection.readToEnd()
                }
            }
            client.withLock { $0 = task }
            _ = await answered.first { true }
        }
        #expect(try await client.withLock { $0 }?.value == "")
        #expect(server.metrics.breaches(.idleDeadline) == 0)
    }

    @Test("A request that is under way when the shutdown begins is answered")
    func shutdownUnderWay() async throws {
        let client = Mutex<Task<String, any Error>?>(nil)
        let (shuttingDown, signal) = AsyncStream<Void>.makeStream()
        try await server.run(ServerLimits(), onShutdown: { signal.yield() }) { [server] port in
            let task = Task {
                try await RawConnection.open(port: port) { connection in
                    try await connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
                    _ = await shuttingDown.first { true }
                    try await connection.send("cd")
                    return await connection.readToEnd()
                }
            }
            client.withLock { $0 = task }
            _ = await server.heads.stream.first { true }
        }
        let reply = try await client.withLock { $0 }?.value
        #expect(reply?.hasPrefix("HTTP/1.1 200 ") == true)
        #expect(server.wholeRequests.withLock { $0 } == 1)
    }

    @Test("A shutdown leaves what outlasts its grace; the answer is there for whoever asks again, and charged once")
    func shutdownGrace() async throws {
        let served = try ServedSite()
        let (asleep, sleeps) = AsyncStream<Void>.makeStream()
        let (slot, slotEnd) = AsyncStream<Void>.makeStream()
        defer { slotEnd.finish() }
        var configuration = Datasite.Configuration()
        // An answer whose slot does not end while this test runs.
        configuration.clock = SiteClock(
            now: SiteClock.system.now, instant: { .zero },
            sleepUntil: { _ in
                sleeps.yield()
                _ = await slot.first { _ in true }
            })
        let slow = try Datasite(path: served.path, configuration: configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, port) = AsyncStream<Int>.makeStream()
        let service = ServingService(
            configuration: DatasiteServerConfiguration(
                port: 0, metricsPort: nil, certificate: nil, isBehindProxy: false,
                limits: ServerLimits(shutdownGrace: .milliseconds(200)), handlesSignals: false, logger: logger),
            datasite: slow, onListening: { port.yield($0) })
        let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
        let serving = Task { try await group.run() }
        let listening = try #require(await ports.first { _ in true })
        let client = try DatasiteClient(url: "http://127.0.0.1:\(listening)", token: served.token("ada"))
        let asking = Task { _ = try await client.ask(ServedSite.question, idempotencyKey: "grace") }
        _ = await asleep.first { _ in true }
        // The slot does not end before this test does: a server that waits for it would wait for ever.
        await group.triggerGracefulShutdown()
        try await serving.value
        asking.cancel()
        let ada = Identity(name: "ada", role: .researcher)
        guard case .released = try await served.site.ask(ServedSite.question, as: ada, idempotencyKey: "grace") else {
            Issue.record("the reserved answer is not given")
            return
        }
        #expect(try served.site.verify().problems == [])
    }
}

/// A datasite's server as one service of a group.
private struct ServingService: Service {
    let configuration: DatasiteServerConfiguration
    let datasite: Datasite
    let onListening: @Sendable (Int) -> Void

    func run() async throws {
        try await serve(configuration, datasite: datasite, onListening: onListening)
    }
}
