import ContentAddressing
import ContentStorage
import DatasiteProtocol
import Foundation
import Logging
import NIOCore
import Testing

@testable import DatasiteServer

/// Public content as strangers reach it.
@Suite("A gateway as strangers reach it", .timeLimit(.minutes(20)))
struct ContentRoutesTests {
    @Test("Who takes nothing of an archive holds no place for long; until then others are told to come again")
    func slowReaders() async throws {
        let site = try ServedSite()
        let store = try ContentStore(at: site.path + "/content", quota: 1 << 30)
        // More than the system holds for a connection.
        var pieces = (0..<32).map { [UInt8](repeating: $0, count: 1 << 20) }
        let root = try store.publish(name: "file", reading: { pieces.popLast() }).root
        let (ports, port) = AsyncStream<Int>.makeStream()
        let configuration = DatasiteServerConfiguration(
            port: 0, limits: ServerLimits(paceInterval: .seconds(5)), handlesSignals: false,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let server = Task {
            defer { port.finish() }
            try await serveContent(configuration, store: store) { port.yield($0) }
        }
        defer { server.cancel() }
        let listening = try #require(await ports.first { _ in true })
        let served = ServedSite.Ports(http: listening, metrics: 0)
        let path = "/ipfs/\(root)?format=raw"
        try await withThrowingTaskGroup(of: Void.self) { readers in
            for _ in 0..<16 {
                readers.addTask {
                    try await RawConnection.open(port: listening, reads: false) { connection in
                        try await connection.send("GET /ipfs/\(root)?format=car HTTP/1.1\r\nHost: a\r\n\r\n")
                        try await Task.sleep(for: .seconds(100))
                    }
                }
            }
            while try await site.raw("GET", path, served).status != 503 { try await Task.sleep(for: .milliseconds(20)) }
            // The test's time is over long before an archive's hour is.
            while try await site.raw("GET", path, served).status != 200 { try await Task.sleep(for: .milliseconds(50)) }
            readers.cancelAll()
            while (try? await readers.next()) != nil {}
        }
        server.cancel()
        _ = try? await server.value
    }

    @Test("Places are counted by network where addresses are for nothing")
    func holders() {
        #expect(Network.holder(of: "2001:db8:1:2::5") == Network.holder(of: "2001:db8:1:2:ffff::1%eth0"))
        #expect(Network.holder(of: "2001:db8:1:2::5") != Network.holder(of: "2001:db8:1:3::5"))
        #expect(Network.holder(of: "192.0.2.1") == Network.holder(of: "::ffff:192.0.2.1"))
        #expect(Network.holder(of: "192.0.2.1") != Network.holder(of: "192.0.2.2"))
        #expect(Network.holder(of: "unknown") == "unknown")
    }
}
