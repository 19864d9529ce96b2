import ContentStorage
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
    private let places: FramePlaces
    private let streams: Places, downloads: Places

    private let content: ContentResponder?

    /// - Parameter content: What is given below `/ipfs`; nil: nothing.
    init(office: MarketOffice, content: ContentStore?, limits: ServerLimits) {
        self.content = content.map { ContentResponder($0) }
        (self.office, self.limits) = (office, limits)
        places = FramePlaces(bytes: 256 * SignedEntry.mostBytes, deadline: limits.bodyDeadline.duration)
        downloads = Places(all: 32, each: 8, refusal: .tooManyAnswers)
        streams = Places(all: limits.streams, each: limits.streamsPerUser, refusal: .tooManyStreams)
    }

    static let type = "application/octet-stream"

    func respond(to request: Request, context: Exchange) async throws -> Response {
        if let content, ContentResponder.serves(request.uri.path) {
            return try await content.respond(to: request, context: context)
        }
        do {
            if request.method != .post { _ = try await request.wholeBody(largest: 0) }
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case ("/entries", .post):
                return try await answer(to: body(request, context, largest: SignedEntry.mostBytes), context)
            case ("/registrations", .post):
                return try await register(body(request, context, largest: Registration.mostBytes))
            case ("/entries", _), ("/registrations", _):
                return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
            case ("/announcements", .get): return try announcements(request, context)
            case ("/market.json", .get): return try await file("market.json", type: "application/json", context)
            case ("/checkpoint", .get): return try await file("checkpoint", type: Reply.text, context)
            case (let path, .get) where path.hasPrefix("/tile/"):
                // There is one name for each tile, and none leads out of the folder.
                guard let tile = try? TilePath(String(path.dropFirst())) else { throw Problem.notFound }
                return try await self.tile(tile, context)
            case (let path, .get) where path.hasPrefix("/draws/"):
                guard let task = Digest256(hex: String(path.dropFirst(7))) else { throw Problem.notFound }
                return try await file("draws/\(task)", type: Reply.text, context)
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

    /// A body, which takes a place until it is whole: where there is no room, strangers and whoever is slow make room for those from whose network entries were taken.
    private func body(_ request: Request, _ context: Exchange, largest: Int) async throws -> [UInt8] {
        let declared = request.headers[.contentLength].flatMap { Int($0) } ?? largest
        let place = try places.enter(
            bytes: min(declared, largest), received: 0, from: Network.all(of: context.peer), displace: context.displace)
        var (pieces, bytes) = (request.pieces(largest: largest), [UInt8]())
        while let piece = try await pieces.next() {
            bytes += piece
            place.note(received: bytes.count)
        }
        return bytes
    }

    /// Files are replaced as a whole. A long one takes a place as long as it is being sent.
    private func file(_ name: String, type: String, _ context: Exchange) async throws -> Response {
        guard let bytes = await contents(name) else { throw Problem.notFound }
        guard bytes.count > Self.short else { return Reply.buffer(ByteBuffer(bytes: bytes), status: .ok, type: type) }
        let place = try downloads.enter(Network.holder(of: context.peer))
        var response = Reply.buffer(ByteBuffer(), status: .ok, type: type)
        response.body = ResponseBody(contentLength: bytes.count) { writer in
            var rest = ByteBuffer(bytes: bytes)
            while let piece = rest.readSlice(length: min(rest.readableBytes, 1 << 18)), piece.readableBytes > 0 {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
            withExtendedLifetime(place) {}
        }
        return response
    }

    private static let short = 64 << 10

    private func contents(_ name: String) async -> [UInt8]? {
        let path = "\(office.path)/\(name)"
        return await Task.detached { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }.value
    }

    /// A tile; of one that has grown since, the part that was asked for, so that a reader of a log that grows gets what her checkpoint is over.
    private func tile(_ tile: TilePath, _ context: Exchange) async throws -> Response {
        if !tile.isPartial { return try await file("\(tile)", type: Self.type, context) }
        for _ in 0..<4 {
            guard let current = try? TilePath(tile.content, index: tile.index, ofTreeWithSize: UInt64(office.size)),
                current.width >= tile.width
            else { throw Problem.notFound }
            if current.width == tile.width { return try await file("\(tile)", type: Self.type, context) }
            guard let bytes = await contents("\(current)") else { continue }
            switch tile.content {
            case .hashes: return whole(Array(bytes.prefix(MerkleHash.byteCount * tile.width)))
            case .entries:
                let bundle = try EntryBundle(bytes, at: current)
                return whole(try EntryBundle((0..<tile.width).map { [UInt8](bundle[$0]) }).bytes)
            }
        }
        throw Problem.notFound
    }

    private func whole(_ bytes: [UInt8]) -> Response {
        Reply.buffer(ByteBuffer(bytes: bytes), status: .ok, type: Self.type)
    }

    // MARK: what is asked

    private struct Stored: Encodable {
        let entry: String
        let size: Int
    }

    private func answer(to body: [UInt8], _ context: Exchange) async throws -> Response {
        let entry: SignedEntry
        do { entry = try SignedEntry(journalBytes: body) } catch { throw Problem(.invalidRequest, "\(error)") }
        let (answer, size) = try await office.submit(entry)
        switch answer {
        case .notAdmitted(let refusal): throw Problem(.forbidden, "\(refusal)")
        case .clockWentBack(let latest):
            throw Problem(.conflict, "the market's clock is at \(latest) s: expected a time that is not before it")
        case .keyIsTaken: throw Problem(.conflict, "the nonce stands for another entry: expected a fresh one")
        // What it came to stands in the log, and is verified there.
        case .done, .refused:
            places.recognise(Network.all(of: context.peer))
            return try Reply.json(Stored(entry: entry.key.hex, size: size))
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
        let place = try streams.enter(Network.holder(of: context.peer))
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
