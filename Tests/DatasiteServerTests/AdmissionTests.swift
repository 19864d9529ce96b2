import NIOCore
import Synchronization
import Testing

@testable import DatasiteServer

/// Connections that are only names, to see who is let in and who is sent away.
private final class Visitors {
    final class Name: Sendable {}

    final class Gone: Sendable { let ids = Mutex<Set<ObjectIdentifier>>([]) }

    let admission: Admission
    private var names: [Name] = []
    private let gone = Gone()

    init(_ limits: ServerLimits) { admission = Admission(limits: limits) }

    func enter(_ address: String) -> (id: ObjectIdentifier, verdict: Admission.Verdict) {
        let name = Name()
        names.append(name)
        let id = ObjectIdentifier(name)
        let verdict = admission.enter(id, from: Network.all(of: address)) { [gone] in
            gone.ids.withLock { _ = $0.insert(id) }
        }
        return (id, verdict)
    }

    /// With a valid token; `isWaiting`: for an answer.
    func enterKnown(_ address: String, isWaiting: Bool) -> ObjectIdentifier {
        let id = enter(address).id
        admission.recognise(id, true)
        admission.note(id, isWaiting: isWaiting)
        return id
    }

    func isGone(_ id: ObjectIdentifier) -> Bool { gone.ids.withLock { $0.contains(id) } }
}

@Suite("Places are for those who use them, and nobody holds all of them", .timeLimit(.minutes(20)))
struct AdmissionTests {
    @Test("Addresses are counted by who can hold them: IPv4 each and by 24 bits, IPv6 by 64, 56 and 48")
    func networks() throws {
        func bytes(_ text: String) throws -> [[UInt8]] {
            Network.all(of: try SocketAddress(ipAddress: text, port: 1)).map(\.prefix)
        }
        #expect(try bytes("192.0.2.1") == [[192, 0, 2], [192, 0, 2, 1]])
        #expect(try bytes("::ffff:192.0.2.1") == bytes("192.0.2.1"))
        #expect(
            try bytes("2001:db8:1:2ff::1") == [
                [0x20, 1, 0xD, 0xB8, 0, 1], [0x20, 1, 0xD, 0xB8, 0, 1, 2], [0x20, 1, 0xD, 0xB8, 0, 1, 2, 0xFF],
            ])
        #expect(try bytes("2001:db8:0:1::1") == bytes("2001:db8:0:1:ffff::2"))
        #expect(try bytes("2001:db8:0:1::1") != bytes("2001:db8:0:2::1"))
        #expect(Network.all(of: "fe80::1%eth0") == Network.all(of: "fe80::1"))
        #expect(Network.all(of: "local").isEmpty)
    }

    @Test(
        "Four networks that fill every place keep nobody out: not with idle connections, not with new ones without end",
        arguments: [
            ["198.51.100.1", "203.0.113.1", "192.0.2.1", "100.64.0.1"],
            ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"],
        ])
    func fourNetworks(_ attackers: [String]) {
        let visitors = Visitors(ServerLimits())
        for number in 0..<2_000 { _ = visitors.enter(attackers[number % 4]) }
        let legitimate = visitors.enter("8.8.8.8")
        #expect(legitimate.verdict == .admitted)
        for number in 0..<3_000 { _ = visitors.enter(attackers[number % 4]) }
        #expect(!visitors.isGone(legitimate.id), "who holds one place is not sent away for those who hold hundreds")
        #expect(visitors.admission.count <= 512)
    }

    @Test("One home with many networks gets no more than a site's share, each of its homes a subnet's, and so on down")
    func widths() {
        let limits = ServerLimits(
            connections: 100, connectionsPerAddress: 4, connectionsPerSubnet: 6, connectionsPerSite: 9)
        func admitted(_ addresses: [String]) -> Int {
            let visitors = Visitors(limits)
            for address in addresses { _ = visitors.enter(address) }
            return visitors.admission.count
        }
        #expect(admitted((0..<50).map { _ in "192.0.2.1" }) == 4)
        #expect(admitted((0..<50).map { "192.0.2.\($0)" }) == 6)
        #expect(admitted((0..<50).map { "192.0.\($0).1" }) == 50)
        #expect(admitted((0..<50).map { "2001:db8:1:1::\($0)" }) == 4)
        #expect(admitted((0..<50).map { "2001:db8:1:\(10 + $0)::1" }) == 6)
        #expect(admitted((0..<50).map { "2001:db8:1:\($0 + 10)00::1" }) == 9)
        #expect(admitted((0..<50).map { "2001:db8:\($0)::1" }) == 50)
    }

    @Test("Strangers go first, then who asks nothing; who is known and waits for an answer stays")
    func order() {
        let visitors = Visitors(ServerLimits(connections: 4, refusalsAtOnce: 1))
        let waiting = [
            visitors.enterKnown("10.0.0.1", isWaiting: true), visitors.enterKnown("10.0.1.1", isWaiting: true),
        ]
        let idle = visitors.enterKnown("10.0.2.1", isWaiting: false)
        let stranger = visitors.enter("10.0.3.1").id
        visitors.admission.note(stranger, isWaiting: true)
        #expect(visitors.enter("10.0.4.1").verdict == .admitted)
        #expect(visitors.isGone(stranger) && !visitors.isGone(idle))
        let fifth = visitors.enterKnown("10.0.5.1", isWaiting: true)
        let sixth = visitors.enterKnown("10.0.6.1", isWaiting: true)
        #expect(visitors.isGone(idle))
        #expect(!waiting.contains(where: visitors.isGone) && !visitors.isGone(fifth) && !visitors.isGone(sixth))
        // All wait for answers: nobody is sent away, and who is refused takes no place.
        let refused = visitors.enter("10.0.7.1")
        #expect(refused.verdict == .refused && visitors.admission.count == 4)
        #expect(visitors.enter("10.0.8.1").verdict == .dropped)
        visitors.admission.leave(refused.id)
        #expect(visitors.enter("10.0.8.1").verdict == .refused)
        // An answer was given: there is a place again.
        visitors.admission.note(fifth, isWaiting: false)
        #expect(visitors.enter("10.0.9.1").verdict == .admitted)
        #expect(visitors.isGone(fifth))
    }

    @Test("Who leaves frees its place, once")
    func leaving() {
        let visitors = Visitors(ServerLimits(connections: 2))
        let first = visitors.enter("10.0.0.1").id
        _ = visitors.enter("10.0.0.1")
        let third = visitors.enter("10.0.0.2")
        #expect(visitors.isGone(first) && third.verdict == .admitted)
        visitors.admission.leave(first)
        #expect(visitors.admission.count == 2, "it had given up its place already")
        visitors.admission.leave(third.id)
        #expect(visitors.admission.count == 1)
    }

    @Test(
        "At the socket: an idle stranger's connection is closed for a newcomer, and who waits for an answer keeps hers")
    func atTheSocket() async throws {
        let server = LimitedServer()
        try await server.run(ServerLimits(connections: 1)) { port in
            try await RawConnection.open(port: port) { first in
                try await first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await first.read(until: "fine")
                try await RawConnection.open(port: port) { second in
                    try await second.send("POST /known HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
                    #expect(await first.readToEnd() == "", "closed without a word")
                    #expect(server.metrics.breaches(.evicted) == 1)
                    try await second.send("ab")
                    #expect(try await second.read(until: "fine").hasPrefix("HTTP/1.1 200 "))
                }
            }
        }
    }

    @Test("At the socket: where nobody can go, one connection too many is told so, and does not count")
    func refused() async throws {
        let server = LimitedServer()
        try await server.run(ServerLimits(connections: 1)) { port in
            try await RawConnection.open(port: port) { first in
                // Nobody knows yet whether it will be told, but that it waits is the server's own knowledge.
                server.hold()
                try await first.send("GET /known HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = await server.heads.stream.first { true }
                let refused = try await RawConnection.open(port: port) { await $0.readToEnd() }
                #expect(refused.hasPrefix("HTTP/1.1 503 "))
                #expect(refused.contains("retry-after: 1"))
                #expect(refused.contains("urn:parley:problem:busy"))
                #expect(server.metrics.breaches(.tooManyConnections) == 1)
                #expect(server.admission.count == 1)
                server.release()
                #expect(try await first.read(until: "fine").hasPrefix("HTTP/1.1 200 "))
            }
        }
    }
}
