import Datasite
import DatasiteProtocol
import Federation
import Foundation
import Logging
import Synchronization
import Testing

@testable import DatasiteServer

@Suite("Places for frames that are read", .timeLimit(.minutes(10)))
struct FramePlacesTests {
    /// Ten places of 100 bytes, 20 seconds each, by a clock that is set.
    private final class Reading: Sendable {
        private final class Clock: Sendable {
            let time = Mutex(Duration.zero)
        }

        private let clock: Clock
        private let gone = Mutex<Set<String>>([])
        let places: FramePlaces

        init() {
            let clock = Clock()
            self.clock = clock
            places = FramePlaces(bytes: 1_000, deadline: .seconds(20)) { clock.time.withLock { $0 } }
        }

        func wait(_ seconds: Double) { clock.time.withLock { $0 += .seconds(seconds) } }

        func enter(_ address: String, as name: String? = nil, received: Int = 10) throws -> FramePlaces.Place {
            let name = name ?? address
            return try places.enter(bytes: 100, received: received, from: Network.all(of: address)) {
                self.gone.withLock { _ = $0.insert(name) }
            }
        }

        func isGone(_ name: String) -> Bool { gone.withLock { $0.contains(name) } }
    }

    @Test("Where there is room nobody goes; a place that is let go of is free, and its bytes count once")
    func room() throws {
        let reading = Reading()
        var places = try (0..<10).map { try reading.enter("10.0.\($0).1", received: 100) }
        #expect(throws: Problem.tooManyFrames) { try reading.enter("10.1.0.1") }
        places.removeLast()
        places.append(try reading.enter("10.1.0.1", received: 100))
        #expect(reading.places.count == 10 && !(0..<10).contains { reading.isGone("10.0.\($0).1") })
        #expect(throws: Problem.tooManyFrames) { try reading.enter("10.1.0.2") }
    }

    @Test(
        "A newcomer has the place of whoever is furthest behind the pace; who keeps it stays, and so the next one is refused"
    )
    func pace() throws {
        let reading = Reading()
        var places: [FramePlaces.Place] = []
        for number in 0..<10 { places.append(try reading.enter("10.0.\(number).1", received: 0)) }
        reading.wait(5)
        // A quarter of the time is over: all but two have sent that much.
        for (number, place) in places.enumerated() { place.note(received: number == 3 ? 5 : number == 7 ? 20 : 26) }
        places.append(try reading.enter("10.1.0.1"))
        #expect(reading.isGone("10.0.3.1") && !reading.isGone("10.0.7.1"))
        places.append(try reading.enter("10.1.1.1"))
        #expect(reading.isGone("10.0.7.1"))
        #expect(throws: Problem.tooManyFrames) { try reading.enter("10.1.2.1") }
        // Whose place went to another takes none with it.
        places.remove(at: 3)
        #expect(reading.places.count == 10)
    }

    @Test(
        "One that holds many places, from one address, one subnet, or one network of IPv6, makes room, however fast it sends",
        arguments: [
            (0..<10).map { _ in "10.0.0.1" }, (0..<10).map { "10.0.0.\($0)" }, (0..<10).map { "2001:db8::\($0)" },
            (0..<10).map { "2001:db8:0:\($0)::1" },
        ])
    func networks(addresses: [String]) throws {
        let reading = Reading()
        let held = try addresses.enumerated().map { try reading.enter($1, as: "\($0)", received: 99) }
        let place = try reading.enter("192.0.2.1", received: 0)
        #expect((0..<10).count { reading.isGone("\($0)") } == 1)
        withExtendedLifetime((held, place)) {}
    }

    @Test("From where a frame was verified a body is displaced by no stranger, and displaces one that keeps its pace")
    func known() throws {
        let reading = Reading()
        reading.places.recognise(Network.all(of: "192.0.2.1"))
        let site = try reading.enter("192.0.2.1", received: 0)
        var strangers = try (0..<9).map { try reading.enter("10.0.\($0).1", received: 100) }
        reading.wait(10)
        // It is late, and they are not.
        #expect(throws: Problem.tooManyFrames) { try reading.enter("10.1.0.1") }
        #expect(!reading.isGone("192.0.2.1"))
        strangers.append(try reading.enter("192.0.2.1", as: "again", received: 0))
        #expect((0..<9).count { reading.isGone("10.0.\($0).1") } == 1 && !reading.isGone("192.0.2.1"))
        withExtendedLifetime(site) {}
    }

    @Test(
        "Strangers from as many networks as there are places, who come again and again and send next to nothing, keep out nobody who comes again and sends at the pace that is needed"
    )
    func flood() throws {
        let reading = Reading()
        var (held, next) = ([FramePlaces.Place](), 0)
        func strangers() {
            for _ in 0..<4 {
                next += 1
                if let place = try? reading.enter("10.\(next % 13).1.1", as: "stranger", received: 1) {
                    held.append(place)
                }
            }
            // A connection that was displaced ends, and lets go.
            if held.count > 40 { held.removeFirst(held.count - 40) }
        }
        for _ in 0..<20 { strangers() }
        for site in 0..<20 {
            let name = "site \(site)"
            // Those who have just come are not late yet: a site that finds no place comes again, as it does in life, and soon finds one.
            var entered: FramePlaces.Place?
            for _ in 0..<10 where entered == nil {
                reading.wait(0.1)
                entered = try? reading.enter("192.0.\(site).1", as: name, received: 10)
            }
            let place = try #require(entered)
            for step in 1...18 {
                reading.wait(1)
                place.note(received: 10 + 5 * step)
                strangers()
            }
            #expect(!reading.isGone(name), "\(name)")
        }
    }

    // MARK: served

    private static let start = FrameStart.sites(2, run: Data(repeating: 3, count: 16))
    private static let begin = Array("PRM1".utf8) + [UInt8](repeating: 3, count: 16) + [1, 0, 0, 0]

    private func serve(largest: Int, _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        let (ports, port) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let configuration = DatasiteServerConfiguration(port: 0, handlesSignals: false, logger: logger)
        let frames = Frames(
            path: "/frames", start: Self.start, largest: largest, unknown: "nobody", namesSenders: true,
            answer: { LeavingFrame(whole: Array("taken: \(try await $0.whole(atMost: largest).count)".utf8)) })
        let server = Task { try await serveFrames(configuration, frames) { port.yield($0) } }
        defer { server.cancel() }
        try await body(try #require(await ports.first { _ in true }))
    }

    private static func head(_ length: Int) -> [UInt8] {
        Array("POST /frames HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n".utf8)
    }

    private final class Gate: Sendable {
        let isOpen = Mutex(false)
    }

    /// Opens so many connections that send this and wait, and then runs what is to be run.
    private func among(
        _ count: Int, port: Int, sending bytes: [UInt8], _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> [String] {
        let (open, opened) = AsyncStream<Void>.makeStream()
        let over = Gate()
        return try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<count {
                group.addTask {
                    try await RawConnection.open(port: port) { connection in
                        try await connection.send(bytes)
                        opened.yield()
                        while !over.isOpen.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
                        connection.finish()
                        return await connection.readToEnd()
                    }
                }
            }
            var waiting = count
            for await _ in open {
                waiting -= 1
                if waiting == 0 { break }
            }
            // What was sent is read before what comes now.
            try await Task.sleep(for: .milliseconds(200))
            try await body()
            over.isOpen.withLock { $0 = true }
            return try await group.reduce(into: []) { if let text = $1 { $0.append(text) } }
        }
    }

    @Test(
        "Strangers whose bodies do not come, or are not for this run, hold no place: a site's frame is read behind a hundred of them"
    )
    func strangers() async throws {
        try await serve(largest: 3_000) { port in
            for bytes in [Self.head(3_000) + Array("PRM1".utf8), Self.head(3_000) + Self.begin, Self.head(3_000)] {
                _ = try await among(100, port: port, sending: bytes) {
                    let reply = try await RawConnection.open(port: port) { connection in
                        try await connection.send(Self.head(2_000) + Self.begin)
                        try await Task.sleep(for: .milliseconds(20))
                        try await connection.send([UInt8](repeating: 1, count: 2_000 - Self.begin.count))
                        return try await connection.read(until: "taken")
                    }
                    #expect(reply.hasPrefix("HTTP/1.1 200 ") && reply.hasSuffix("taken: 2000"), "\(reply)")
                }
            }
        }
    }

    @Test("A frame that is for another run, or of no place in it, is refused at its first bytes")
    func firstBytes() async throws {
        var other = Self.begin
        other[10] ^= 1
        var stranger = Self.begin
        stranger[20] = 2
        let cases = [(other, "404"), (stranger, "403"), (Array("GET / and so on, in place of a frame".utf8), "400")]
        try await serve(largest: 64 << 20) { port in
            for (bytes, status) in cases {
                let reply = try await RawConnection.open(port: port) { connection in
                    try await connection.send(Self.head(64 << 20) + bytes)
                    return try await connection.read(until: "}")
                }
                #expect(reply.hasPrefix("HTTP/1.1 \(status) "), "\(reply)")
            }
        }
    }

    @Test("Strangers who know the run, and declare the largest frames, make room for one that comes: they are told so")
    func displaced() async throws {
        // 16 places.
        let largest = 128 << 20
        try await serve(largest: largest) { port in
            let strangers = try await among(30, port: port, sending: Self.head(largest) + Self.begin) {
                for number in 1...5 {
                    let length = 1_000_000 * number
                    let reply = try await RawConnection.open(port: port) { connection in
                        try await connection.send(Self.head(length) + Self.begin)
                        let rest = [UInt8](repeating: 1, count: length - Self.begin.count)
                        try await connection.send(Array(rest[..<1_000]))
                        try await connection.send(Array(rest[1_000...]))
                        return try await connection.read(until: "taken: \(length)")
                    }
                    #expect(reply.hasPrefix("HTTP/1.1 200 "), "\(reply.prefix(300))")
                }
            }
            let told = strangers.count { $0.hasPrefix("HTTP/1.1 503 ") && $0.contains("as many frames") }
            #expect(told >= 14, "those beyond the places")
        }
    }

    @Test("What is larger than an aggregator or a coordinator reads is refused with the number that it reads")
    func tooLarge() async throws {
        try await serve(largest: 3_000) { port in
            let reply = try await RawConnection.open(port: port) { connection in
                try await connection.send(Self.head(3_001))
                return try await connection.read(until: "}")
            }
            #expect(
                reply.hasPrefix("HTTP/1.1 413 ") && reply.contains("larger than the 3000 bytes that this server reads"))
            #expect(!reply.contains("question"))
        }
    }
}
