public import ContentStorage
public import Datasite
import DatasiteProtocol
import Federation
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import Marketplace
public import MarketplaceStore
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Serves a coordinator's run to the sites that dial out to it, until it is told to stop: `POST /v1/rounds/messages` takes a participant's signed frame
/// (`SignedMessage`) and answers with the coordinator's (`SignedReply`); nothing else is served but `/health`.
///
/// Who is not in the roster is told that, and nothing of the run. Frames are not secret to each other's authors, but models and shares go to those they are
/// for: other hosts than this machine need TLS.
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveRounds(
    _ configuration: DatasiteServerConfiguration, run: some CoordinatedRun,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    try await serveFrames(
        configuration,
        Frames(
            path: "/v1/rounds/messages", start: run.frameStart, largest: run.largestMessage,
            unknown: "the frame is not signed by a site of this run", namesSenders: true,
            answer: { try await run.answer($0) }),
        onListening: onListening)
}

/// Serves a coordinator of devices to those that dial out to it, until it is told to stop: `GET /v1/devices` says what is done, `POST /v1/devices/messages` takes a
/// device's signed frame (`SignedDeviceMessage`) and answers with the coordinator's (`SignedDeviceReply`). Cycles end in time though no device says anything.
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveDevices(
    _ configuration: DatasiteServerConfiguration, run: DeviceRun,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    let ticking = Task {
        while !Task.isCancelled {
            // A full disk may have room again before the next second.
            try? await run.tick()
            try await Task.sleep(for: .seconds(1))
        }
    }
    defer { ticking.cancel() }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let description = Array(try encoder.encode(run.description))
    let largest = (64 << 10) + 11 * run.description.cycles.parameterCount
    try await serveFrames(
        configuration,
        Frames(
            path: "/v1/devices/messages", start: run.frameStart, largest: largest,
            unknown: "the frame is not signed by \(deviceWords(run.description.enroller))", namesSenders: false,
            answer: whole(run.answer),
            description: ("/v1/devices", description)), onListening: onListening)
}

/// Serves a witness of logs, until it is told to stop: `POST /add-checkpoint` and `GET /{origin hash}/checkpoint` (c2sp.org/tlog-witness).
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveWitness(
    _ configuration: DatasiteServerConfiguration, witness: WitnessFolder,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    let responder = WitnessResponder(witness: witness)
    try await serveAlone(configuration, largest: responder.largestBody, onListening: onListening) { _, _ in responder }
}

/// Serves a market, until it is told to stop: its folder as a transparency log (`GET /checkpoint`, `/tile/…`, `/market.json`), `POST /entries` for what parties sign, `POST /registrations` for newcomers, and `GET
/// /announcements` for who waits for news. The operator's clock runs, and what is due by it is done.
///
/// - Parameters:
///   - content: What is given below `/ipfs` as a trustless gateway; nil: nothing.
///   - onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveMarket(
    _ configuration: DatasiteServerConfiguration, office: MarketOffice, content: ContentStore? = nil,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    let logger = configuration.logger
    let ticking = Task {
        var failed = false
        while !Task.isCancelled {
            do {
                try await office.tick()
                failed = false
            } catch is CancellationError { return } catch {
                if !failed { logger.error("the market", metadata: ["problem": "\(error)"]) }
                failed = true
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
    defer { ticking.cancel() }
    try await serveAlone(
        configuration, largest: SignedEntry.mostBytes, longestAnswer: content == nil ? .zero : ContentResponder.longest,
        onListening: onListening
    ) { _, limits in
        MarketResponder(office: office, content: content, limits: limits)
    }
}

/// Serves an aggregator of a tally, until it is told to stop: `POST /v1/devices/messages` takes devices' reports and the collector's question at a leader, and the leader's jobs at a helper.
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveTally(
    _ configuration: DatasiteServerConfiguration, run: TallyRun,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    try await serveFrames(
        configuration,
        Frames(
            path: "/v1/devices/messages", start: run.frameStart, largest: run.largestFrame,
            unknown: run.role == .leader
                ? "the report is not signed by \(deviceWords(run.task.plan.enroller))"
                : "the job is not signed by the plan's leader",
            namesSenders: run.role == .helper, answer: whole(run.answer)), onListening: onListening)
}

/// An answer to frames that are small enough to be held.
private func whole(
    _ answer: @escaping @Sendable ([UInt8]) async throws -> [UInt8]
) -> @Sendable (ArrivingFrame) async throws -> LeavingFrame {
    // No body is longer than what the responder reads.
    { LeavingFrame(whole: try await answer(try await $0.whole(atMost: .max - 1))) }
}

private func deviceWords(_ enroller: (some Any)?) -> String {
    enroller == nil ? "the device that it names" : "a device that was enrolled"
}

func serveFrames(
    _ configuration: DatasiteServerConfiguration, _ frames: Frames,
    onListening: @escaping @Sendable (Int) -> Void
) async throws {
    try await serveAlone(configuration, largest: frames.largest, onListening: onListening) { admission, limits in
        FramesResponder(frames, admission, deadline: limits.bodyDeadline)
    }
}

/// A server beside a datasite's, until it is told to stop.
///
/// - Parameter largest: A longer body is not read.
func serveAlone<Responder: HTTPResponder>(
    _ configuration: DatasiteServerConfiguration, largest: Int, longestAnswer: TimeAmount = .zero,
    onListening: @escaping @Sendable (Int) -> Void, responder: (Admission, ServerLimits) -> Responder
) async throws where Responder.Context == Exchange {
    try configuration.check()
    signal(SIGPIPE, SIG_IGN)
    try await requireFree(configuration.host, configuration.port)
    var limits = configuration.limits
    limits.bodyBytes = largest
    // A large model takes its time on a slow line: 1 MB a second.
    let slow = TimeAmount.seconds(Int64(largest >> 20))
    (limits.bodyDeadline, limits.responseDeadline) = (
        max(limits.bodyDeadline, slow), max(limits.responseDeadline, slow, longestAnswer)
    )
    if longestAnswer > .zero, limits.leastTaken == 0 { limits.leastTaken = ContentResponder.leastTaken }
    let metrics = Metrics()
    let admission = Admission(limits: limits)
    let responder = responder(admission, limits)
    let tls = try configuration.certificate.map { try $0.serverConfiguration() }
    let server = HTTPServerBuilder { [limits] responder in
        let channel = LimitedChannel(responder: responder, limits: limits, metrics: metrics, admission: admission)
        guard let tls else { return channel }
        return try TLSChannel(channel, tlsConfiguration: tls)
    }
    var logger = configuration.logger
    logger.logLevel = max(logger.logLevel, .warning)
    let application = Application(
        responder: responder, server: server,
        configuration: .init(address: .hostname(configuration.host, port: configuration.port), serverName: nil),
        onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: logger)
    let departure = Departure(grace: .seconds(2))
    var group = ServiceGroupConfiguration(
        services: [LeavingService(base: application, departure: departure)],
        gracefulShutdownSignals: configuration.handlesSignals ? [.sigterm, .sigint] : [], logger: logger)
    group.maximumGracefulShutdownDuration = .seconds(2)
    let running = ServiceGroup(configuration: group)
    do { try await departure.first { try await running.run() } } catch let error as IOError {
        throw ServerError.cannotListen(host: configuration.host, port: configuration.port, reason: reason(error))
    }
}

/// What is served: frames of a run, and their answers.
struct Frames: Sendable {
    let path: String
    /// With what they begin.
    let start: FrameStart
    /// In bytes.
    let largest: Int
    /// What a frame is told that nobody signed who may.
    let unknown: String
    /// Whether those who may sign are few and named: where they are is remembered then. Devices are anybody, anywhere.
    let namesSenders: Bool
    let answer: @Sendable (ArrivingFrame) async throws -> LeavingFrame
    /// What is told to all, and where.
    var description: (path: String, body: [UInt8])?
}

/// From a frame to a frame.
struct FramesResponder: HTTPResponder {
    typealias Context = Exchange

    private let frames: Frames
    private let admission: Admission
    let places: FramePlaces

    /// - Parameter deadline: In which a body must be whole.
    init(_ frames: Frames, _ admission: Admission, deadline: TimeAmount) {
        (self.frames, self.admission) = (frames, admission)
        places = FramePlaces(
            bytes: max(1 << 30, 16 * frames.largest), deadline: .nanoseconds(deadline.nanoseconds))
    }

    static let type = "application/octet-stream"

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case (frames.path, .post): return response(try await answer(request, context))
            case (frames.description?.path, .get): return Reply.bytes(frames.description?.body ?? [])
            case (frames.path, _): return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
            default: return Reply.problem(.notFound)
            }
        } catch let problem as Problem {
            return Reply.problem(problem)
        } catch let error as FrameError {
            return Reply.problem(problem(error))
        } catch {
            return Reply.problem(.internalError)
        }
    }

    private func answer(_ request: Request, _ context: Exchange) async throws -> LeavingFrame {
        let networks = Network.all(of: context.peer)
        let reply: LeavingFrame
        do { reply = try await frames.answer(frame(request, context, networks)) } catch let error as FrameError {
            admission.recognise(context.connection, false)
            throw error
        }
        // Whoever is named, and was verified, makes room for no stranger.
        if frames.namesSenders {
            admission.recognise(context.connection, true)
            places.recognise(networks)
        }
        return reply
    }

    /// A frame, read as it comes: what is for this run is seen at its first bytes, and takes a place from there on until it is whole.
    private func frame(_ request: Request, _ context: Exchange, _ networks: [Network]) -> ArrivingFrame {
        let bytes = request.headers[.contentLength].flatMap { Int($0) } ?? frames.largest
        var pieces = request.pieces(largest: frames.largest)
        var place: FramePlaces.Place?
        var start: [UInt8] = []
        var received = 0
        return ArrivingFrame(abandon: context.displace) {
            let piece = try await pieces.next()
            received += piece?.count ?? 0
            if start.count < frames.start.count, let piece {
                start += piece.prefix(frames.start.count - start.count)
                if start.count == frames.start.count {
                    try frames.start.check(start)
                    if received < bytes {
                        place = try places.enter(
                            bytes: bytes, received: received, from: networks, displace: context.displace)
                    }
                }
            }
            place?.note(received: received)
            if piece == nil || received >= bytes { place = nil }
            return piece
        }
    }

    private func response(_ frame: LeavingFrame) -> Response {
        var response = Reply.buffer(ByteBuffer(), status: .ok, type: Self.type)
        response.body = ResponseBody(contentLength: frame.count) { writer in
            var pieces = frame.pieces
            while let piece = try await pieces.next() { try await writer.write(ByteBuffer(bytes: piece)) }
            try await writer.finish(nil)
        }
        return response
    }

    private func problem(_ error: FrameError) -> Problem {
        switch error {
        case .frame, .message: .invalidRequest("\(error)")
        case .sender: Problem(.forbidden, frames.unknown)
        case .run: Problem(.notFound, "\(error)")
        case .replayed: Problem(.conflict, "\(error)")
        }
    }
}
