import DatasiteClient
import DatasiteProtocol
import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import DatasiteServer

/// A server that says whatever a test wants: an impostor, or a proxy's error page.
private struct Impostor {
    static func run(
        _ respond: @escaping @Sendable (Request) -> Response, _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let application = Application(
            responder: CallbackResponder<Exchange> { request, _ in respond(request) },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let server = Task { try await application.run() }
        defer { server.cancel() }
        let listening = try #require(await ports.first { _ in true })
        try await body("http://127.0.0.1:\(listening)")
    }
}

@Suite("The client believes only what the pinned key signed", .timeLimit(.minutes(20)))
struct ClientTests {
    @Sendable private static func golden(_ name: String) -> [UInt8] { (try? Fixture.golden(name)) ?? [] }

    private func ask(
        key: String? = Fixture.goldenKey, question: AskRequest? = nil,
        _ respond: @escaping @Sendable (Request) -> Response
    ) async throws -> (outcome: AskOutcome?, error: TransportError?) {
        let result = Mutex<(AskOutcome?, TransportError?)>((nil, nil))
        let request = try question ?? AskRequest(decoding: Fixture.golden("request.json"))
        try await Impostor.run(respond) { url in
            let site = try DatasiteClient(url: url, token: "t", options: ClientOptions(pinnedKey: key))
            do {
                let outcome = try await site.ask(request)
                result.withLock { $0 = (outcome, nil) }
            } catch {
                let error = try #require(error as? TransportError)
                result.withLock { $0 = (nil, error) }
            }
        }
        return result.withLock { $0 }
    }

    @Test("A true answer is returned, and its question's receipt with it")
    func released() async throws {
        let (outcome, _) = try await ask { _ in
            Reply.released(answer: Self.golden("answer.json"), receipt: Self.golden("receipt.json"))
        }
        let answer = try #require(outcome?.answer)
        #expect(answer.rows.count == 2)
        #expect(answer.rows[1][1].upper == .text("Infinity"))
    }

    @Test("A changed answer, a changed receipt, a missing receipt, another question: nothing is returned")
    func tampered() async throws {
        let answers: [@Sendable (Request) -> Response] = [
            { _ in Reply.released(answer: Self.golden("answer.json") + [0x20], receipt: Self.golden("receipt.json")) },
            { _ in
                let receipt = String(decoding: Self.golden("receipt.json"), as: UTF8.self)
                    .replacing("\"journalIndex\":4", with: "\"journalIndex\":5")
                return Reply.released(answer: Self.golden("answer.json"), receipt: Array(receipt.utf8))
            },
            { _ in
                let receipt = String(decoding: Self.golden("receipt.json"), as: UTF8.self)
                    .replacing("\"body\":{", with: "\"body\":{\"note\":\"unsigned\",")
                return Reply.released(answer: Self.golden("answer.json"), receipt: Array(receipt.utf8))
            },
            { _ in Reply.bytes(Self.golden("answer.json")) },
            { _ in
                var response = Reply.bytes(Self.golden("answer.json"))
                response.headers[.parleyReceipt] = "!"
                return response
            },
        ]
        for respond in answers {
            let (outcome, error) = try await ask(respond)
            #expect(outcome == nil)
            #expect(error?.kind == .invalidReceipt)
        }
        let other = AskRequest(dataset: "randhie", sql: "SELECT COUNT(*) FROM randhie", budget: .epsilon(0.5))
        let (outcome, error) = try await ask(question: other) { _ in
            Reply.released(answer: Self.golden("answer.json"), receipt: Self.golden("receipt.json"))
        }
        #expect(outcome == nil)
        #expect(error?.kind == .invalidReceipt)
    }

    @Test("Work is returned with its bytes as they were sent; that of another engine, or with changed bytes, is not")
    func work() async throws {
        let changed = Mutex(false)
        try await Impostor.run({ _ in
            let extra: [UInt8] = changed.withLock { $0 } ? [0x20] : []
            return Reply.released(answer: Self.golden("answer.json") + extra, receipt: Self.golden("receipt.json"))
        }) { url in
            let site = try DatasiteClient(url: url, token: "t", options: ClientOptions(pinnedKey: Fixture.goldenKey))
            guard case .released(let work) = try await site.submit(engine: "questions", ["a": 1]) else {
                Issue.record("not released")
                return
            }
            #expect(work.bytes == Self.golden("answer.json") && work.receiptBytes == Self.golden("receipt.json"))
            let other = await failure { _ = try await site.submit(engine: "echo", ["a": 1]) }
            #expect(other.transport?.kind == .invalidReceipt)
            changed.withLock { $0 = true }
            let tampered = await failure { _ = try await site.submit(engine: "questions", ["a": 1]) }
            #expect(tampered.transport?.kind == .invalidReceipt)
        }
    }

    @Test("A site with another key than the pinned one is refused; without a pin, its first key is kept")
    func pinning() async throws {
        let other = SiteDescription(name: "x", publicKey: "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
        let (outcome, error) = try await ask(key: other.publicKey) { _ in
            Reply.released(answer: Self.golden("answer.json"), receipt: Self.golden("receipt.json"))
        }
        #expect(outcome == nil)
        #expect(error?.kind == .invalidReceipt)
        let keys = Mutex([other.publicKey, Fixture.goldenKey])
        try await Impostor.run { _ in
            let key = keys.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return (try? Reply.json(SiteDescription(name: "x", publicKey: key))) ?? Response(status: .badGateway)
        } _: { url in
            let site = try DatasiteClient(url: url, token: nil)
            #expect(try await site.description() == other)
            #expect(await failure { _ = try await site.description() }.transport?.kind == .invalidReceipt)
        }
    }

    @Test(
        "A server that dies with the question in hand: it is said that the question was sent, not that nobody is there")
    func deadServer() async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let port = try #require(listener.channel.localAddress?.port)
        let request = try AskRequest(decoding: Fixture.golden("request.json"))
        let site = try DatasiteClient(
            url: "http://127.0.0.1:\(port)", token: "t", options: ClientOptions(pinnedKey: Fixture.goldenKey))
        async let asked = failure { _ = try await site.ask(request) }
        try? await listener.executeThenClose { connections in
            for try await connection in connections {
                try await connection.executeThenClose { inbound, _ in
                    for try await _ in inbound { break }
                    try await listener.channel.close()
                }
                break
            }
        }
        let error = try #require(await asked.transport)
        #expect(error.kind == .interrupted, "\(error)")
        #expect(error.hint.contains("idempotency key"))
    }

    @Test("What is no datasite is said to be none; redirects, which would carry the token, are not followed")
    func notADatasite() async throws {
        let visits = Mutex(0)
        for status in [HTTPResponse.Status.ok, .movedPermanently, .temporaryRedirect, .badGateway, .forbidden] {
            try await Impostor.run { request in
                visits.withLock { $0 += 1 }
                var response = Reply.buffer(ByteBuffer(string: "<html>"), status: status, type: "text/html")
                response.headers[.location] = "/v1/elsewhere"
                return response
            } _: { url in
                let site = try DatasiteClient(url: url, token: "t")
                #expect(await failure { _ = try await site.datasets() }.transport?.kind == .notADatasite, "\(status)")
            }
        }
        #expect(visits.withLock { $0 } == 5)
    }

    @Test("A reply that is longer than what is read is said to be, with the bound that it exceeds")
    func longReply() async throws {
        try await Impostor.run({ _ in Reply.bytes([UInt8](repeating: 7, count: 70_000)) }) { url in
            let client = try DevicesClient(url: url)
            #expect(try await client.exchange([1], largest: 1 << 20).count == 70_000)
            for (largest, words) in [(64 << 10, "64 KiB"), (1_000, "1000 bytes")] {
                let error = try #require(
                    await #expect(throws: TransportError.self) { try await client.exchange([1], largest: largest) })
                #expect(
                    error.kind == .notADatasite && error.detail.contains("sent more than the \(words) that"), "\(error)"
                )
            }
            try await client.close()
        }
    }

    @Test("A problem document is thrown as it was sent, of a kind that this version does not know too")
    func problem() async throws {
        let document = #"{"type":"urn:parley:problem:x","title":"X","status":422,"detail":"d","hint":"h","position":3}"#
        let sent = try JSONDecoder().decode(Problem.self, from: Data(document.utf8))
        try await Impostor.run { _ in
            Reply.problem(sent)
        } _: { url in
            let site = try DatasiteClient(url: url, token: "t")
            #expect(await failure { _ = try await site.datasets() }.problem == sent)
        }
    }

    @Test(
        "A URL that cannot be one, or would send a token in the clear, is refused before anything is sent",
        arguments: [
            "", "data.example.org", "ftp://a", "http://", "http://data.example.org", "https://u:p@a", "https://a?b=c",
        ])
    func urls(_ url: String) {
        #expect { try DatasiteClient(url: url, token: "t") } throws: {
            ($0 as? TransportError)?.kind == .invalidURL
        }
    }

    @Test("Where nobody listens, that is said")
    func unreachable() async throws {
        let site = try DatasiteClient(url: "http://127.0.0.1:1", token: "t")
        #expect(await failure { _ = try await site.datasets() }.transport?.kind == .unreachable)
    }
}

@Suite("TLS", .timeLimit(.minutes(20)))
struct TLSTests {
    static let certificate = DatasiteServerConfiguration.Certificate(
        chainFile: Fixture.path("tls/server.pem"), keyFile: Fixture.path("tls/server-test-only.key"))

    @Test("A private authority is trusted where it is named, and nowhere else; plain HTTP gets no answer")
    func privateAuthority() async throws {
        let served = try ServedSite()
        try await served.serve(certificate: Self.certificate) { ports in
            let url = "https://localhost:\(ports.http)"
            let trusting = try DatasiteClient(
                url: url, token: served.token("ada"),
                options: ClientOptions(certificateAuthority: Fixture.path("tls/authority.pem")))
            #expect(try await trusting.identity().name == "ada")
            guard case .released = try await trusting.ask(ServedSite.question) else {
                Issue.record("not released")
                return
            }
            let strict = try DatasiteClient(url: url, token: served.token("ada"))
            #expect(await failure { _ = try await strict.identity() }.transport?.kind == .untrusted)
            let plain = try await served.raw("GET", "/v1/site", ports)
            #expect(plain.status == 0)
        }
    }

    @Test("A certificate that cannot be read is named")
    func unreadable() async throws {
        let served = try ServedSite()
        for certificate in [
            DatasiteServerConfiguration.Certificate(chainFile: "/nowhere.pem", keyFile: Self.certificate.keyFile),
            .init(chainFile: Self.certificate.chainFile, keyFile: Self.certificate.chainFile),
        ] {
            let configuration = DatasiteServerConfiguration(
                port: 0, certificate: certificate, handlesSignals: false)
            await #expect { try await serve(configuration, datasite: served.site) } throws: {
                guard case .certificate = $0 as? ServerError else { return false }
                return true
            }
        }
        #expect {
            try DatasiteClient(url: "https://a", token: nil, options: .init(certificateAuthority: "/nowhere"))
        } throws: { ($0 as? TransportError)?.kind == .untrusted }
    }
}
