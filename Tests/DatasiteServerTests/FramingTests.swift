import NIOCore
import Synchronization
import Testing

@testable import DatasiteServer

@Suite("Requests are framed as RFC 9112 has it, and what the codec swallows counts too", .timeLimit(.minutes(20)))
struct FramingTests {
    private let server = LimitedServer()

    @Test(
        "A Host that is missing, double or no host is refused",
        arguments: [
            "", "Host: a\r\nHost: a\r\n", "Host: a\r\nhOST: b\r\n", "Host:\r\n", "Host: a b\r\n", "Host: a, b\r\n",
            "Host: user@a\r\n", "Host: a/b\r\n", "Host: http://a\r\n", "Host: a:port\r\n", "Host: a:\r\n",
            "Host: [::1\r\n", "Host: a:1:2\r\n", "Host: a:123456\r\n", "Host: é\r\n",
        ])
    func wrongHost(_ host: String) async throws {
        try await server.run(ServerLimits()) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send("GET / HTTP/1.1\r\n\(host)\r\n")
                return await connection.readToEnd()
            }
            #expect(reply.hasPrefix("HTTP/1.1 400 "), "\(reply)")
            #expect(reply.contains("urn:parley:problem:invalid-request"))
            #expect(server.metrics.breaches(.invalidHost) == 1)
            #expect(server.wholeRequests.withLock { $0 } == 0)
        }
    }

    @Test(
        "A Host of a name or an address is taken, with a port or without",
        arguments: [
            "a", "data.example.org:443", "127.0.0.1:8787", "[::1]", "[2001:db8::1]:8787", "a_b",
            "xn--bcher-kva.example",
        ])
    func rightHost(_ host: String) async throws {
        try await server.run(ServerLimits()) { port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                return try await connection.read(until: "fine")
            }
            #expect(reply.hasPrefix("HTTP/1.1 200 "), "\(reply)")
        }
    }

    @Test(
        "A connection of HTTP/1.0 ends after its response, and so does one that says so in any letters",
        arguments: [
            "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, close\r\n\r\n",
            // The second is no HTTP: the first is answered all the same, once.
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n\u{16}",
        ])
    func lastRequest(_ request: String) async throws {
        try await server.run(ServerLimits(idleDeadline: .hours(1))) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send(request + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                return await connection.readToEnd()
            }
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
            #expect(reply.contains("connection: close\r\n"))
            #expect(reply.hasSuffix("fine"))
            #expect(server.wholeRequests.withLock { $0 } == 1, "what follows is not read")
        }
    }

    @Test("Who expects 100 Continue is told so before its body; who would be refused is refused instead")
    func expectation() async throws {
        try await server.run(ServerLimits(bodyBytes: 100)) { [server] port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
                let told = try await connection.read(until: "\r\n\r\n")
                #expect(told == "HTTP/1.1 100 Continue\r\n\r\n")
                try await connection.send("ab")
                return try await connection.read(until: "fine")
            }
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
            let refused = try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\nExpect: 100-continue\r\n\r\n")
                return await connection.readToEnd()
            }
            #expect(refused.hasPrefix("HTTP/1.1 413 "))
            #expect(server.wholeRequests.withLock { $0 } == 1)
        }
    }

    @Test("Chunk extensions, empty lines and trailers without end are cut off like a body without end")
    func swallowed() async throws {
        let limits = ServerLimits(headerBytes: 1_000, targetBytes: 100, framingBytes: 10_000)
        try await server.run(limits) { [server] port in
            let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let extensions = "1;" + String(repeating: "x", count: 4_000)
            for (start, piece) in [
                (chunked + "1;", String(repeating: "x", count: 4_000)), (chunked, extensions + "\r\na\r\n"),
                ("", "\r\n\r\n\r\n\r\n"),
            ] {
                let before = server.metrics.breaches(.framingTooLarge)
                let reply = try await RawConnection.open(port: port) { connection in
                    async let reply = connection.readToEnd()
                    try await connection.send(start)
                    for _ in 0..<10_000 where await !connection.trySend(piece) { break }
                    connection.finish()
                    return await reply
                }
                #expect(server.metrics.breaches(.framingTooLarge) == before + 1, "\(piece.prefix(10))")
                #expect(reply.isEmpty || reply == "<reset>" || reply.hasPrefix("HTTP/1.1 413 "), "\(reply)")
            }
            #expect(server.wholeRequests.withLock { $0 } == 0)
            // A body in many chunks is none of this, nor are many requests on one connection.
            let body = String(repeating: "1;a=b\r\nx\r\n", count: 200) + "0\r\n\r\n"
            try await RawConnection.open(port: port) { connection in
                for _ in 0..<50 {
                    try await connection.send(chunked + body)
                    #expect(try await connection.read(until: "fine").hasPrefix("HTTP/1.1 200 "))
                }
            }
        }
    }

    @Test("A breach after the answer was given ends the connection: a second answer would be the next request's")
    func answeredAlready() async throws {
        let served = try ServedSite()
        try await served.serve(limits: ServerLimits(bodyBytes: 100)) { ports in
            let reply = try await RawConnection.open(port: ports.http) { connection in
                try await connection.send("POST /v1/ask HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                let answered = try await connection.read(until: "}")
                #expect(answered.hasPrefix("HTTP/1.1 401 "))
                async let rest = connection.readToEnd()
                for _ in 0..<1_000
                where await !connection.trySend("20\r\n" + String(repeating: "x", count: 32) + "\r\n") { break }
                connection.finish()
                return await rest
            }
            #expect(!reply.contains("HTTP/1.1"), "\(reply)")
        }
    }

    @Test("A breach is counted under the status that the peer was told, wherever it was found")
    func statuses() async throws {
        let served = try ServedSite()
        let token = try #require(served.token("ada"))
        let start =
            "POST /v1/ask HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer \(token)\r\n"
        // Deadlines are short only where one of them is what is tested: a busy machine takes its time.
        try await breach(
            served, ServerLimits(headDeadline: .milliseconds(100)), [("", 408)],
            counted: [#"{operation="none",status="408"} "#])
        try await breach(
            served, ServerLimits(bodyDeadline: .milliseconds(100)), [(start + "Content-Length: 10\r\n\r\nhalf", 408)],
            counted: [#"{operation="ask",status="408"} "#])
        try await breach(
            served, ServerLimits(bodyBytes: 1_000),
            [
                (start + "Content-Length: 1001\r\n\r\n", 413),
                (start + "Transfer-Encoding: chunked\r\n\r\n500\r\n" + String(repeating: "a", count: 1_100), 413),
                (start + "Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", 400),
                ("GET /health HTTP/1.1\r\n\r\n", 400), ("not http\r\n\r\n", 400),
            ],
            counted: [
                "{operation=\"ask\",status=\"413\"} 2\n", "{operation=\"ask\",status=\"400\"} 1\n",
                "{operation=\"none\",status=\"400\"} 2\n",
            ])
        #expect(served.log.withLock { $0 }.filter { $0.contains("\"status\":\"5") } == [])
    }

    @Test("The record of a refusal names its address, also when the peer has gone")
    func peers() async throws {
        let served = try ServedSite()
        let token = try #require(served.token("ada"))
        let head =
            "POST /v1/ask HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer \(token)\r\n"
        try await served.serve(limits: ServerLimits(bodyBytes: 1_000)) { ports in
            for _ in 0..<50 {
                try await RawConnection.open(port: ports.http) { connection in
                    _ = await connection.trySend(
                        head + "Transfer-Encoding: chunked\r\n\r\n500\r\n" + String(repeating: "a", count: 1_100))
                }
            }
        }
        let records = served.log.withLock { $0 }.filter { $0.contains("\"peer\"") }
        #expect(!records.isEmpty)
        #expect(records.filter { !$0.contains("\"peer\":\"127.0.0.1\"") } == [])
    }

    @Test("A connection that comes in the moment in which the server stops is closed, and ends nothing else")
    func stopping() async throws {
        let served = try ServedSite()
        for _ in 0..<20 {
            try await served.serve { ports in
                for _ in 0..<40 {
                    try await RawConnection.open(port: ports.http) { connection in
                        _ = await connection.trySend("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                    }
                }
            }
        }
        // Whoever comes next is served as before.
        try await served.serve { ports in
            let reply = try await served.raw("GET", "/health", ports)
            #expect(reply.status == 200)
        }
    }

    private func breach(
        _ served: ServedSite, _ limits: ServerLimits, _ breaches: [(text: String, status: Int)], counted: [String]
    ) async throws {
        try await served.serve(limits: limits) { ports in
            for (text, status) in breaches {
                let reply = try await RawConnection.open(port: ports.http) { connection in
                    if !text.isEmpty { try await connection.send(text) }
                    return await connection.readToEnd()
                }
                #expect(reply.hasPrefix("HTTP/1.1 \(status) "), "\(text): \(reply)")
            }
            // What reached a route is counted when the route is done with it, a little after the peer was told. (Where a
            // deadline is short, a connection for metrics may meet it too, so that more than one is counted.)
            var page = ""
            for _ in 0..<1_000 where !counted.allSatisfy({ page.contains($0) }) {
                page = try await served.metrics(ports).body
                try #require(!page.contains(#"status="500""#), "\(page)")
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(counted.allSatisfy { page.contains($0) }, "\(page)")
        }
    }
}
