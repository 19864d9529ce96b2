import Foundation
import Logging
import Synchronization
import Testing

@testable import DatasiteServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("The log holds up nobody, ends nothing, and cannot be filled from outside", .timeLimit(.minutes(20)))
struct LogTests {
    @Test("Lines reach the descriptor whole and in order")
    func order() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let lines = (0..<500).map { "line \($0)\n" }
        for line in lines { output.write(line) }
        output.flush(milliseconds: 30_000)
        try pipe.fileHandleForWriting.close()
        let data = try #require(try pipe.fileHandleForReading.readToEnd())
        #expect(String(decoding: data, as: UTF8.self) == lines.joined())
        #expect(output.dropped == 0)
    }

    @Test("A pipe that nobody reads takes memory up to a bound, and then lines are dropped and counted")
    func unread() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, capacity: 10_000)
        let line = String(repeating: "a", count: 999) + "\n"
        // No call waits, or this would never end. What the pipe itself takes differs by system.
        for _ in 0..<5_000 { output.write(line) }
        #expect(output.dropped >= 5_000 - (1 << 20) / line.utf8.count - 10)
        output.flush(milliseconds: 10)
        // When somebody reads again, the rest comes and new lines do.
        let dropped = output.dropped
        let reader = DescriptorReader(pipe.fileHandleForReading)
        output.flush(milliseconds: 30_000)
        output.write("again\n")
        output.flush(milliseconds: 30_000)
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: reader.value(), as: UTF8.self)
        #expect(text.hasSuffix("a\nagain\n") && text.utf8.count == (5_000 - dropped) * 1_000 + 6)
        #expect(output.dropped == dropped)
    }

    @Test("A pipe that does not wait by itself is waited for")
    func nonBlocking() throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        #expect(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0)
        let output = LogOutput(descriptor: descriptor)
        for number in 0..<20_000 { output.write("line \(number)\n") }
        let dropped = output.dropped
        let reader = DescriptorReader(pipe.fileHandleForReading)
        output.flush(milliseconds: 30_000)
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: reader.value(), as: UTF8.self)
        #expect(text.hasSuffix("line 19999\n"))
        #expect(output.dropped == dropped && dropped == 0)
    }

    @Test("A full disk and a reader that has ended lose lines, counted, and nothing else")
    func failing() throws {
        signal(SIGPIPE, SIG_IGN)
        let ended = Pipe()
        try ended.fileHandleForReading.close()
        var outputs = [LogOutput(descriptor: ended.fileHandleForWriting.fileDescriptor), LogOutput(descriptor: -1)]
        let full = open("/dev/full", O_WRONLY)
        defer { if full >= 0 { close(full) } }
        if full >= 0 { outputs.append(LogOutput(descriptor: full)) }
        for output in outputs {
            for _ in 0..<3 { output.write("lost\n") }
            output.flush(milliseconds: 30_000)
            #expect(output.dropped == 3)
        }
        _ = ended.fileHandleForWriting
    }

    // MARK: Refusals

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])

        var logger: Logger {
            Logger(label: "test") { label in
                JSONLogHandler(label: label, level: .debug) { line in self.all.withLock { $0.append(line) } }
            }
        }
    }

    private func refusal(_ peer: String, status: Int = 401, user: String? = nil) -> RequestRecord {
        var record = RequestRecord(method: "GET", peer: peer)
        (record.status, record.user, record.problem) = (status, user, "urn:parley:problem:unauthenticated")
        return record
    }

    @Test("Repeated refusals of one network are one line, and after the window one with their number")
    func repeated() {
        let lines = Lines()
        let log = RefusalLog(logger: lines.logger)
        let start = ContinuousClock.now
        for number in 0..<1_000 { log.write(refusal("192.0.2.1"), at: start + .milliseconds(number)) }
        for number in 0..<100 { log.write(refusal("2001:db8::\(number)"), at: start + .seconds(1)) }
        log.write(refusal("192.0.2.1", status: 404), at: start)
        log.write(refusal("192.0.2.1", user: "ada"), at: start)
        #expect(lines.all.withLock { $0.count } == 4)
        // Whatever comes after the window brings the numbers.
        var answered = refusal("192.0.2.2")
        (answered.status, answered.problem) = (200, nil)
        log.write(answered, at: start + .seconds(61))
        let all = lines.all.withLock { $0 }
        #expect(all.count == 7)
        #expect(all.filter { $0.contains("\"repeated\":\"999\"") && $0.contains("\"peer\":\"192.0.2.1\"") }.count == 1)
        #expect(all.filter { $0.contains("\"repeated\":\"99\"") && $0.contains("\"peer\":\"2001:db8::0\"") }.count == 1)
        log.write(refusal("192.0.2.1"), at: start + .seconds(62))
        log.write(refusal("192.0.2.1"), at: start + .seconds(62))
        log.finish()
        #expect(lines.all.withLock { $0.suffix(2).map { $0.contains("\"repeated\":\"1\"") } } == [false, true])
    }

    @Test("However many addresses knock, a window's lines are bounded, and every refusal is in a number")
    func bounded() {
        let lines = Lines()
        let log = RefusalLog(logger: lines.logger)
        let start = ContinuousClock.now
        for number in 0..<50_000 {
            log.write(refusal("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"), at: start)
        }
        log.finish()
        let all = lines.all.withLock { $0 }
        #expect(all.count == RefusalLog.largestTable + 1)
        #expect(all.last?.contains("\"repeated\":\"\(50_000 - RefusalLog.largestTable)\"") == true)
    }

    @Test("A server writes two lines for hundreds of refusals of one address")
    func served() async throws {
        let served = try ServedSite()
        try await served.serve { ports in
            for _ in 0..<300 {
                let status = try await served.raw("GET", "/v1/whoami", ports).status
                #expect(status == 401)
            }
        }
        let lines = served.log.withLock { $0 }.filter { $0.contains("\"status\":\"401\"") }
        let counted = lines.compactMap { $0.firstMatch(of: /"repeated":"(\d+)"/).flatMap { Int($0.1) } }
        // One window on a machine that is not very slow; each window is two lines at most in any case.
        #expect(lines.count <= 20)
        #expect(lines.count - counted.count + counted.reduce(0, +) == 300)
    }
}

/// What a descriptor gives until its end, read on a thread of its own.
private final class DescriptorReader: Sendable {
    private let data = Mutex(Data())
    private let done = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        let descriptor = handle.fileDescriptor
        Thread.detachNewThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                guard count > 0 else { break }
                data.withLock { $0.append(contentsOf: buffer[..<count]) }
            }
            done.signal()
        }
    }

    func value() -> Data {
        done.wait()
        return data.withLock { $0 }
    }
}
