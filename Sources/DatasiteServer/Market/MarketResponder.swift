import DatasiteProtocol
import Foundation
import HTTPTypes
import Hummingbird
import Marketplace
import MarketplaceStore
import NIOCore
import ServiceLifecycle
import TransparencyLog

/// From a request to a market's answer. What is read is the market's folder, which is public; what is asked is signed.
struct MarketResponder: HTTPResponder {
    typealias Context = Exchange

    let office: MarketOffice
    let limits: ServerLimits
    private let bodies = Places(all: 256, each: 32, refusal: .tooManyFrames)
    private let streams: Places

    init(office: MarketOffice, limits: ServerLimits) {
        (self.office, self.limits) = (office, limits)
        streams = Places(all: limits.streams, each: limits.streamsPerUser, refusal: .tooManyStreams)
    }

    static let type = "application/octet-stream"

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            if request.method != .post { _ = try await request.wholeBody(largest: 0) }
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case ("/entries", .post):
                return try await answer(to: body(request, context, largest: SignedEntry.mostBytes))
            case ("/registrations", .post):
                return try await register(body(request, context, largest: Registration.mostBytes))
            case ("/entries", _), ("/registrations", _):
                return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
            case ("/announcements", .get): return try announcements(request, context)
            case ("/market.json", .get): return try await file("market.json", type: "application/json")
            case ("/checkpoint", .get): return try await file("checkpoint", type: Reply.text)
            case (let path, .get) where path.hasPrefix("/tile/"):
                // There is one name for each tile, and none leads out of the folder.
                guard let tile = try? TilePath(String(path.dropFirst())) else { throw Problem.notFound }
                return try await file("\(tile)", type: Self.type)
            default: throw Problem.notFound
            }
        } catch let problem as Problem {
            return Reply.problem(problem)
        } catch let refusal as MarketOffice.Refusal {
            var response = Reply.problem(Self.problem(refusal))
            if case .tooMany(let seconds) = refusal { response.headers[.retryAfter] = "\(seconds)" }
            return response
        } catch let error as MarketFolderError {
            // Its words name paths of the operator's.
            let words =
                error.isContradiction
                ? "the market's folder is not what was seen of it, and takes nothing until its operator has put it right"
                : "the market cannot store anything at the moment"
            return Reply.problem(Problem(.siteUnavailable, words))
        } catch {
            return Reply.problem(.internalError)
        }
    }

    private func body(_ request: Request, _ context: Exchange, largest: Int) async throws -> [UInt8] {
        let place = try bodies.enter(context.peer)
        defer { withExtendedLifetime(place) {} }
        return try await request.wholeBody(largest: largest)
    }

    /// Files are replaced as a whole.
    private func file(_ name: String, type: String) async throws -> Response {
        let path = "\(office.path)/\(name)"
        let read = Task.detached { FileManager.default.contents(atPath: path) }
        guard let bytes = await read.value else { throw Problem.notFound }
        return Reply.buffer(ByteBuffer(bytes: bytes), status: .ok, type: type)
    }

    // MARK: what is asked

    private struct Stored: Encodable {
        let entry: String
        let size: Int
    }

    private func answer(to body: [UInt8]) async throws -> Response {
        let entry: SignedEntry
        do { entry = try SignedEntry(journalBytes: body) } catch { throw Problem(.invalidRequest, "\(error)") }
        let (answer, size) = try await office.submit(entry)
        switch answer {
        case .notAdmitted(let refusal): throw Problem(.forbidden, "\(refusal)")
        case .clockWentBack(let latest):
            throw Problem(.conflict, "the market's clock is at \(latest) s: expected a time that is not before it")
        case .keyIsTaken: throw Problem(.conflict, "the nonce stands for another entry: expected a fresh one")
        // What it came to stands in the log, and is verified there.
        case .done, .refused: return try Reply.json(Stored(entry: entry.key.hex, size: size))
        }
    }

    private func register(_ body: [UInt8]) async throws -> Response {
        let registration: Registration
        do { registration = try Registration(bytes: body) } catch { throw Problem(.invalidRequest, "\(error)") }
        try await office.register(registration)
        return try Reply.json(Stored(entry: registration.party.text, size: office.size))
    }

    private static func problem(_ refusal: MarketOffice.Refusal) -> Problem {
        switch refusal {
        case .tooMany(let seconds):
            Problem(
                .busy, "as much was asked as may be at once", hint: "ask again in \(seconds) seconds", status: 429)
        case .registersNobody:
            Problem(
                .forbidden, "the market's operator registers parties itself",
                hint: "tell it your name and your public key: parley market admit URL NAME KEY")
        case .registration:
            Problem(.forbidden, "the registration is not signed for this market under the key that it names")
        case .nameIsTaken(let party):
            Problem(.conflict, "the name \(party) has another key", hint: "choose another name")
        }
    }

    // MARK: announcements

    /// The size of the log whenever it has grown, as server-sent events: who hears of it reads the log, and believes nothing else.
    private func announcements(_ request: Request, _ context: Exchange) throws -> Response {
        let place = try streams.enter(context.peer)
        let after = request.headers[.lastEventID].flatMap { Int($0) } ?? 0
        let stream = MarketAnnouncements(office: office, limits: limits, after: after, place: place)
        return Response(
            status: .ok, headers: [.contentType: EventStream.type, .cacheControl: "no-store", .noSniff: "nosniff"],
            body: ResponseBody(asyncSequence: stream))
    }
}

/// One reader's announcements, until the server stops or the stream's time is over.
struct MarketAnnouncements: AsyncSequence, Sendable {
    let office: MarketOffice
    let limits: ServerLimits
    let after: Int
    let place: Places.Place

    func makeAsyncIterator() -> Iterator { Iterator(self) }

    struct Iterator: AsyncIteratorProtocol {
        private let stream: MarketAnnouncements
        private let end: ContinuousClock.Instant
        private var spoken = ContinuousClock.now
        private var last: Int

        init(_ stream: MarketAnnouncements) {
            self.stream = stream
            end = .now + stream.limits.streamDuration.duration
            last = stream.after
        }

        mutating func next() async throws -> ByteBuffer? {
            while !Task.isShuttingDownGracefully, ContinuousClock.now < end {
                let size = stream.office.size
                if size > last {
                    (last, spoken) = (size, .now)
                    return ByteBuffer(string: "id: \(size)\nevent: grown\ndata: {\"size\":\(size)}\n\n")
                }
                if spoken + stream.limits.streamHeartbeat.duration <= .now {
                    spoken = .now
                    return ByteBuffer(string: ":\n\n")
                }
                try await Task.sleep(for: stream.limits.streamPause.duration)
            }
            return nil
        }
    }
}
