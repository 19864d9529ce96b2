public import Datasite
import DatasiteProtocol
import Federation
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
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
        FramesResponder(
            path: "/v1/rounds/messages", largestBody: run.largestMessage, senders: run.roster.count,
            unknown: "the frame is not signed by a site of this run", answer: { try await run.answer($0) }),
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
        FramesResponder(
            path: "/v1/devices/messages", largestBody: largest, senders: 256,
            unknown: "the frame is not signed by a device that was enrolled", answer: whole(run.answer),
            description: ("/v1/devices", description)), onListening: onListening)
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
        FramesResponder(
            path: "/v1/devices/messages", largestBody: run.largestFrame, senders: run.role == .leader ? 256 : 2,
            unknown: run.role == .leader
                ? "the report is not signed by a device that was enrolled"
                : "the job is not signed by the plan's leader",
            answer: whole(run.answer)), onListening: onListening)
}

/// An answer to frames that are small enough to be held.
private func whole(
    _ answer: @escaping @Sendable ([UInt8]) async throws -> [UInt8]
) -> @Sendable (ArrivingFrame) async throws -> LeavingFrame {
    // No body is longer than what the responder reads.
    { LeavingFrame(whole: try await answer(try await $0.whole(atMost: .max - 1))) }
}

private func serveFrames(
    _ configuration: DatasiteServerConfiguration, _ responder: FramesResponder,
    onListening: @escaping @Sendable (Int) -> Void
) async throws {
    try configuration.check()
    signal(SIGPIPE, SIG_IGN)
    try await requireFree(configuration.host, configuration.port)
    var limits = configuration.limits
    limits.bodyBytes = responder.largestBody
    // A large model takes its time on a slow line: 1 MB a second.
    let slow = TimeAmount.seconds(Int64(responder.largestBody >> 20))
    (limits.bodyDeadline, limits.responseDeadline) = (
        max(limits.bodyDeadline, slow), max(limits.responseDeadline, slow)
    )
    let metrics = Metrics()
    let admission = Admission(limits: limits)
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

/// From a frame to a frame.
struct FramesResponder: HTTPResponder {
    typealias Context = Exchange

    private let path: String
    let largestBody: Int
    /// What a frame is told that nobody signed who may.
    private let unknown: String
    private let answer: @Sendable (ArrivingFrame) async throws -> LeavingFrame
    /// What is told to all, and where.
    private let description: (path: String, body: [UInt8])?
    /// Whoever sends a frame is known only when it is whole: of large ones few are read at a time.
    private let bodies: Places

    /// - Parameter senders: How many are there at a time, about.
    init(
        path: String, largestBody: Int, senders: Int, unknown: String,
        answer: @escaping @Sendable (ArrivingFrame) async throws -> LeavingFrame,
        description: (path: String, body: [UInt8])? = nil
    ) {
        (self.path, self.largestBody, self.unknown) = (path, largestBody, unknown)
        (self.answer, self.description) = (answer, description)
        let most = max(16, min(2 * senders, (1 << 30) / largestBody))
        bodies = Places(all: most, each: max(4, most / 2), refusal: .tooManyFrames)
    }

    static let type = "application/octet-stream"

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case (path, .post):
                return response(try await answered(request, context.peer))
            case (description?.path, .get): return Reply.bytes(description?.body ?? [])
            case (path, _): return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
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

    /// The reply to a request's body, which is read as it comes. Its place is left when it is there, whoever then waits for the reply.
    private func answered(_ request: Request, _ peer: String) async throws -> LeavingFrame {
        var place: Places.Place? = try bodies.enter(peer)
        var pieces = request.pieces(largest: largestBody)
        return try await answer(
            ArrivingFrame {
                let piece = try await pieces.next()
                if piece == nil { place = nil }
                withExtendedLifetime(place) {}
                return piece
            })
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
        case .sender: Problem(.forbidden, unknown)
        case .run: Problem(.notFound, "\(error)")
        case .replayed: Problem(.conflict, "\(error)")
        }
    }
}
