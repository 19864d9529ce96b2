import Datasite
import DatasiteProtocol
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import DatasiteClient
@testable import DatasiteServer

@Suite("What becomes of a request is told while it happens, to those who may know", .timeLimit(.minutes(20)))
struct EventStreamTests {
    private static let held = "{loss: pure, total: {epsilon: 1000}, approval: owner}"

    /// A request that waits for its owner.
    private func pending(_ served: ServedSite, _ ports: ServedSite.Ports) async throws -> String {
        guard case .pending(let request) = try await served.client("ada", ports).ask(ServedSite.question) else {
            throw NotPending()
        }
        return request.id
    }

    private struct NotPending: Error {}

    private func head(_ served: ServedSite, _ id: String, as name: String = "ada", after: Int? = nil) throws -> String {
        let token = try #require(served.token(name))
        return "GET /v1/requests/\(id)/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
            + (after.map { "Last-Event-ID: \($0)\r\n" } ?? "") + "Connection: close\r\n\r\n"
    }

    @Test("From waiting to the answer: each once, in order, and then the stream ends")
    func whole() async throws {
        let served = try ServedSite(policy: Self.held)
        try await served.serve { ports in
            let id = try await pending(served, ports)
            let (ada, olga) = (try served.client("ada", ports), try served.client("olga", ports))
            let own = Task { try await ada.events(of: id).reduce(into: []) { $0.append($1) } }
            let owners = Task { try await olga.events(of: id, after: 1).reduce(into: []) { $0.append($1) } }
            _ = try await olga.approve(id)
            let events = try await own.value
            #expect(events.map(\.state) == [.pending, .approved, .running, .released])
            #expect(events.map(\.number) == [1, 2, 3, 4])
            #expect(events.allSatisfy { $0.request == id })
            #expect(try await owners.value == Array(events.dropFirst()))
            // What has ended tells all of it again, or what is left.
            #expect(try await ada.events(of: id).reduce(into: []) { $0.append($1) } == events)
            #expect(try await ada.events(of: id, after: 3).reduce(into: []) { $0.append($1) } == [events[3]])
            #expect(try await ada.events(of: id, after: 4).reduce(into: []) { $0.append($1) }.isEmpty)
            #expect(try await ada.jobs(all: true).map(\.state) == [.released])
            #expect(try await ada.jobs().isEmpty)
        }
    }

    @Test("On the wire they are server-sent events: id, name and one line of JSON; Last-Event-ID goes on behind it")
    func wire() async throws {
        let served = try ServedSite()
        try await served.serve { ports in
            guard case .released(let released) = try await served.client("ada", ports).ask(ServedSite.question) else {
                throw NotPending()
            }
            let path = "/v1/requests/\(released.answer.request)/events"
            let reply = try await served.raw("GET", path, as: "ada", ports)
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "text/event-stream")
            #expect(reply.headers["cache-control"] == "no-store")
            let lines = reply.body.split(whereSeparator: \.isNewline).filter { $0.contains(":") }
            #expect(lines.prefix(2) == ["id: 1", "event: running"])
            #expect(lines.dropFirst(3).prefix(2) == ["id: 2", "event: released"])
            let data = try #require(lines.dropFirst(2).first?.dropFirst("data: ".count))
            let event = try JSONDecoder().decode(RequestEvent.self, from: Data(data.utf8))
            #expect(event.state == .running && event.words == "computing")
            let rest = try await served.raw("GET", path, as: "ada", headers: ["Last-Event-ID": "1"], ports)
            #expect(!rest.body.contains("id: 1") && rest.body.contains("id: 2"))
            let none = try await served.raw("GET", path, as: "ada", headers: ["Last-Event-ID": "2"], ports)
            #expect(none.status == 204 && none.body.isEmpty)
            for wrong in ["-1", "x", "1.5", ""] {
                let refused = try await served.raw("GET", path, as: "ada", headers: ["Last-Event-ID": wrong], ports)
                #expect(try refused.problem().kind == .invalidRequest, "\(wrong)")
            }
            #expect(try await served.raw("HEAD", path, as: "ada", ports).body.isEmpty)
        }
    }

    @Test(
        "Another researcher's request is not there, for events, jobs and cancelling; an owner may cancel, an auditor not"
    )
    func strangers() async throws {
        let served = try ServedSite(policy: Self.held)
        let token = try served.site.addUser("bea", role: .researcher)
        try await served.serve { ports in
            let id = try await pending(served, ports)
            let bea = try DatasiteClient(url: "http://127.0.0.1:\(ports.http)", token: token)
            #expect(await failure { for try await _ in bea.events(of: id) {} }.problem?.kind == .notFound)
            #expect(await failure { _ = try await bea.cancelJob(id) }.problem?.kind == .notFound)
            #expect(try await bea.jobs(all: true).isEmpty)
            let ada = try served.client("ada", ports)
            #expect(try await ada.jobs().map(\.id) == [id])
            let auditor = await failure { _ = try await served.client("aud", ports).cancelJob(id) }
            #expect(auditor.problem?.kind == .forbidden)
            #expect(try await served.client("olga", ports).cancelJob(id).state == .cancelled)
            #expect(await failure { _ = try await ada.cancelJob(id) }.problem?.kind == .conflict)
            let states = try await ada.events(of: id).reduce(into: []) { $0.append($1.state) }
            #expect(states == [.pending, .cancelled])
            #expect(try await ada.budget()[0].lines[0].spent.epsilon == 0)
            // Tables are the owners'.
            #expect(try await served.client("olga", ports).jobs(all: true).map(\.kind) == [.add, .request])
            #expect(try await ada.jobs(all: true).map(\.kind) == [.request])
        }
    }

    @Test("So many streams are open of one user and in all; a place is free again when one ends")
    func places() async throws {
        let served = try ServedSite(policy: Self.held)
        let limits = ServerLimits(streams: 3, streamsPerUser: 2, streamPause: .milliseconds(5))
        try await served.serve(limits: limits) { ports in
            let id = try await pending(served, ports)
            let path = "/v1/requests/\(id)/events"
            let request = try head(served, id)
            try await RawConnection.open(port: ports.http) { first in
                try await first.send(request)
                _ = try await first.read(until: "event: pending")
                try await RawConnection.open(port: ports.http) { second in
                    try await second.send(request)
                    _ = try await second.read(until: "event: pending")
                    let refused = try await served.raw("GET", path, as: "ada", ports)
                    #expect(try refused.problem().kind == .busy)
                    #expect(refused.headers["retry-after"] == "1")
                    let owners = try head(served, id, as: "olga")
                    try await RawConnection.open(port: ports.http) { third in
                        try await third.send(owners)
                        _ = try await third.read(until: "event: pending")
                        let full = try await served.raw("GET", path, as: "otto", ports)
                        #expect(try full.problem().kind == .busy)
                    }
                }
                _ = try await served.client("olga", ports).deny(id, reason: "no")
                _ = try await first.read(until: "event: denied")
            }
            // The streams have ended; their places come back when the server has written their ends.
            while try await served.raw("GET", path, as: "ada", ports).status == 503 {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test("A reader who takes nothing holds up nobody; a stream speaks now and then, and ends after its time")
    func slowReader() async throws {
        let served = try ServedSite(policy: Self.held)
        let limits = ServerLimits(
            responseDeadline: .seconds(1), streamPause: .milliseconds(5), streamHeartbeat: .milliseconds(5),
            streamDuration: .seconds(5))
        try await served.serve(limits: limits) { ports in
            let id = try await pending(served, ports)
            let request = try head(served, id)
            try await RawConnection.open(port: ports.http, reads: false) { slow in
                try await slow.send(request)
                // Longer than a response may take: each part of a stream has that time.
                let text = try await RawConnection.open(port: ports.http) { reader in
                    try await reader.send(request)
                    return await reader.readToEnd()
                }
                #expect(text.ranges(of: ":\n\n").count > 2)
                #expect(text.hasSuffix("0\r\n\r\n"), "the stream was cut off")
                #expect(!text.contains("denied"))
                // The client comes again where a stream has ended.
                let ada = try served.client("ada", ports)
                let following = Task { try await ada.events(of: id).reduce(into: []) { $0.append($1.state) } }
                let again = try Regex(#"requests_total\{operation="getEvents",status="200"\} ([4-9]|\d\d)"#)
                while try await served.metrics(ports).body.firstMatch(of: again) == nil {
                    try await Task.sleep(for: .milliseconds(20))
                }
                _ = try await served.client("olga", ports).deny(id, reason: "no")
                #expect(try await following.value == [.pending, .denied])
            }
        }
    }

    @Test("A shutdown ends streams whole, and does not wait for them")
    func shutdown() async throws {
        let served = try ServedSite(policy: Self.held)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, port) = AsyncStream<Int>.makeStream()
        // A grace that no test outlasts.
        let configuration = DatasiteServerConfiguration(
            port: 0, limits: ServerLimits(streamPause: .milliseconds(5), shutdownGrace: .hours(1)),
            handlesSignals: false,
            logger: logger)
        let service = Served(site: served.site, configuration: configuration) { port.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
        let running = Task { try await group.run() }
        let http = try #require(await ports.first { _ in true })
        let id = try await pending(served, ServedSite.Ports(http: http, metrics: 0))
        let request = try head(served, id)
        let text = try await RawConnection.open(port: http) { connection in
            try await connection.send(request)
            let begun = try await connection.read(until: "event: pending")
            await group.triggerGracefulShutdown()
            return begun + (await connection.readToEnd())
        }
        #expect(text.hasSuffix("0\r\n\r\n"), "the stream was cut off: \(text)")
        try await running.value
    }

    private struct Served: Service {
        let site: Datasite
        let configuration: DatasiteServerConfiguration
        let onListening: @Sendable (Int) -> Void

        func run() async throws {
            try await DatasiteServer.serve(configuration, datasite: site, onListening: onListening)
        }
    }
}

@Suite("Server-sent events are read as they come")
struct EventParserTests {
    private static let event = RequestEvent(
        request: "r", number: 7, state: .running, step: 1, steps: 3, words: "counting", time: "2026-11-21T09:30:00Z")

    @Test("In pieces of any size, with comments, unknown fields and either line end", arguments: [1, 2, 7, 1_000])
    func pieces(_ size: Int) throws {
        let json = String(decoding: try JSONEncoder().encode(Self.event), as: UTF8.self)
        for end in ["\n", "\r\n"] {
            let text =
                ":\(end)\(end)id: 7\(end)event: running\(end)retry: 3\(end)data: \(json)\(end)\(end)data:\(json)\(end)\(end)"
            let bytes = Array(text.utf8)
            var parser = EventParser()
            var events: [RequestEvent] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                events += try parser.take(bytes[start..<min(start + size, bytes.count)])
            }
            #expect(events == [Self.event, Self.event])
        }
    }

    @Test(
        "What is no event is no datasite's",
        arguments: ["data: {}\n\n", "data: x\n\n", String(repeating: "x", count: 70_000)])
    func wrong(_ text: String) {
        var parser = EventParser()
        #expect(throws: TransportError.self) { try parser.take(Array(text.utf8)) }
    }
}
