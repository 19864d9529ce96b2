import Datasite
import DatasiteProtocol
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

/// The events of one request as server-sent events (HTML, section 9.2), until it stops, the server does, or the stream's time
/// is over: whoever comes again with `Last-Event-ID` goes on where she was.
///
/// The database is looked at for each stream apart, since what happens there may happen in another process. So a reader who
/// takes nothing holds up nobody but herself.
struct EventStream: AsyncSequence, Sendable {
    let datasite: Datasite
    let request: String
    let identity: Identity
    let limits: ServerLimits
    /// The number of the last event that she knows, and what came after it.
    let after: Int
    let first: EventPage
    let place: Places.Place

    static let type = "text/event-stream"

    var response: Response {
        Response(
            status: .ok, headers: [.contentType: Self.type, .cacheControl: "no-store", .noSniff: "nosniff"],
            body: ResponseBody(asyncSequence: self))
    }

    func makeAsyncIterator() -> Iterator { Iterator(self) }

    struct Iterator: AsyncIteratorProtocol {
        private let stream: EventStream
        private let end: ContinuousClock.Instant
        private var spoken = ContinuousClock.now
        private var page: EventPage?
        private var last: Int

        init(_ stream: EventStream) {
            self.stream = stream
            end = .now + stream.limits.streamDuration.duration
            (page, last) = (stream.first, stream.after)
        }

        mutating func next() async throws -> ByteBuffer? {
            while true {
                guard let page = try await nextPage() else { return nil }
                if page.hasStopped { self.page = EventPage(events: [], hasStopped: true) }
                if !page.events.isEmpty {
                    (last, spoken) = (page.events.last?.number ?? last, .now)
                    return ByteBuffer(bytes: try page.events.flatMap(EventStream.text))
                }
                if spoken + stream.limits.streamHeartbeat.duration <= .now {
                    // A comment: whether the peer is still there is known only by speaking to it.
                    spoken = .now
                    return ByteBuffer(string: ":\n\n")
                }
            }
        }

        /// The first at once, each other after a pause; nil where the stream ends.
        private mutating func nextPage() async throws -> EventPage? {
            if let page {
                self.page = nil
                return page.hasStopped && page.events.isEmpty ? nil : page
            }
            guard !Task.isShuttingDownGracefully, ContinuousClock.now < end else { return nil }
            try await Task.sleep(for: stream.limits.streamPause.duration)
            let (request, identity, known) = (stream.request, stream.identity, last)
            do {
                return try await stream.datasite.reading { try $0.events(of: request, after: known, as: identity) }
            } catch is Problem {
                // Said where she asks again.
                return nil
            }
        }
    }

    private static func text(_ event: RequestEvent) throws -> [UInt8] {
        Array("id: \(event.number)\nevent: \(event.state.rawValue)\ndata: ".utf8) + (try JSONEncoding.bytes(event))
            + Array("\n\n".utf8)
    }
}

extension TimeAmount {
    var duration: Duration { .nanoseconds(nanoseconds) }
}
