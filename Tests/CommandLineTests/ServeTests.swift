import DatasiteClient
import DatasiteProtocol
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("The server does not fall", .timeLimit(.minutes(20)))
struct ServeTests {
    /// Where a log can go wrong.
    enum Sink: String, CaseIterable {
        case fullDisk, endedReader, unreadPipe, closed
    }

    @Test("A log that cannot be written ends no server and holds up no request", arguments: Sink.allCases)
    func failingLog(_ sink: Sink) async throws {
        let place = try Workplace()
        #expect(try place.parley("site", "init").status == 0)
        let token = try place.parley("user", "add", "ana", "--role", "researcher").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let pipe = Pipe()
        let server: Workplace.Server
        switch sink {
        case .fullDisk:
            // macOS has no such device.
            guard let full = FileHandle(forWritingAtPath: "/dev/full") else { return }
            server = try place.serve(log: full)
        case .endedReader:
            server = try place.serve(log: pipe)
            try pipe.fileHandleForReading.close()
        case .unreadPipe:
            try Self.fill(pipe)
            server = try place.serve(log: pipe)
        case .closed: server = try place.serve(log: nil)
        }
        try await Self.knock(server, token: token)
        #expect(server.process.isRunning)
        #expect(server.interrupt() == 0, "it ends when it is told to, and says that it did")
        withExtendedLifetime(pipe) {}
    }

    /// So that the next byte would wait.
    private static func fill(_ pipe: Pipe) throws {
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        let flags = fcntl(descriptor, F_GETFL)
        try #require(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0)
        let block = [UInt8](repeating: 0x0A, count: 4_096)
        while write(descriptor, block, block.count) > 0 {}
        while write(descriptor, block, 1) > 0 {}
        try #require(fcntl(descriptor, F_SETFL, flags) == 0)
    }

    /// Each wrong token is a line of the log, as is each question.
    private static func knock(_ server: Workplace.Server, token: String) async throws {
        for _ in 0..<20 {
            let stranger = try DatasiteClient(url: server.url, token: "parley_wrong")
            do {
                _ = try await stranger.budget()
                Issue.record("a wrong token was taken")
            } catch let problem as Problem { #expect(problem.status == 401) }
            try await stranger.close()
        }
        let known = try DatasiteClient(url: server.url, token: token)
        for _ in 0..<20 {
            do {
                _ = try await known.preview(AskRequest(dataset: "none", sql: "SELECT 1", budget: .epsilon(1)))
            } catch is Problem {}
        }
        #expect(try await known.datasets().isEmpty)
        try await known.close()
    }
}
