import DatasiteProtocol
import Foundation

/// Follows the events of one request over as many connections as it takes.
struct EventFollowing {
    let path: String
    let transport: Transport

    /// Tells each event once, in order; returns when nothing more follows by itself.
    func run(after number: Int, _ tell: (RequestEvent) -> Void) async throws {
        var last = number
        var pause = 0.5
        var wasConnected = false
        while true {
            do {
                var parser = EventParser()
                let stream = try await transport.stream(path, after: last)
                // Nothing is left to tell.
                guard let stream else { return }
                wasConnected = true
                for try await bytes in stream {
                    for event in try parser.take(bytes) where event.number >= last {
                        // The event in whose place an interruption stands was told before.
                        if event.number == last, event.state != .interrupted { continue }
                        (last, pause) = (event.number, 0.5)
                        tell(event)
                        if event.state.hasStopped { return }
                    }
                }
            } catch let error as TransportError
                where wasConnected && [.timedOut, .interrupted, .unreachable].contains(error.kind)
            {
                // The datasite may be starting again.
            } catch let problem as Problem where problem.kind == .busy {
                // As many streams as may be: there is a place later.
            }
            try await Task.sleep(for: .seconds(pause))
            pause = min(pause * 1.5, 30)
        }
    }
}

/// Server-sent events (HTML, section 9.2.6) whose data are of one kind.
struct EventParser {
    /// More than any event of a datasite.
    private static let largestLine = 64 << 10
    private var line: [UInt8] = []
    private var data = ""

    /// - Throws: `TransportError` for what is no event.
    mutating func take(_ bytes: some Sequence<UInt8>) throws(TransportError) -> [RequestEvent] {
        var events: [RequestEvent] = []
        for byte in bytes {
            guard byte == 0x0A else {
                line.append(byte)
                guard line.count <= Self.largestLine else { throw Self.noEvent }
                continue
            }
            if line.last == 0x0D { line.removeLast() }
            if line.isEmpty, !data.isEmpty {
                guard let event = try? JSONDecoder().decode(RequestEvent.self, from: Data(data.utf8)) else {
                    throw Self.noEvent
                }
                events.append(event)
                data = ""
            }
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("data:") { data += text.dropFirst(5).trimmingPrefix(" ") }
            line = []
        }
        return events
    }

    private static let noEvent = TransportError(
        .notADatasite, "the event stream is not of the kind that was expected",
        hint: "check that the URL is a datasite's and that it speaks version 1 of the protocol")
}
