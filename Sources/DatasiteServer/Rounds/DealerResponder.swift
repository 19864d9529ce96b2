public import Datasite
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import HTTPTypes
import Hummingbird

/// From a request to a dealer's answer: `POST /v1/rounds/messages` takes a signed question, `GET /v1/dealer` says who it is, and `GET /v1/dealer/zeros` measures the line.
struct DealerResponder: HTTPResponder {
    typealias Context = Exchange

    let office: DealerOffice
    /// Of whoever measures the line.
    private let zeros = Places(all: 4, each: 2, refusal: .tooManyFrames)
    private static let mostZeros = 16 << 20

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case ("/v1/dealer", .get):
                struct Description: Encodable {
                    var key: Data
                    var time: UInt64
                    var version = 1
                }
                return try Reply.json(
                    Description(key: office.key, time: UInt64(max(0, Date().timeIntervalSince1970))))
            case ("/v1/dealer/zeros", .get):
                guard let count = request.uri.queryParameters["bytes"].flatMap({ Int($0) }),
                    (1...Self.mostZeros).contains(count)
                else { throw Problem.invalidRequest("'bytes' is a number from 1 to \(Self.mostZeros)") }
                let place = try zeros.enter(context.peer)
                return Reply.pieces([UInt8](repeating: 0, count: count), type: FramesResponder.type, holding: place)
            case ("/v1/rounds/messages", .post):
                let bytes = try await request.wholeBody(largest: SignedQuestion.mostBytes)
                let held = try await office.answer(bytes)
                return Reply.pieces(held.bytes, type: FramesResponder.type, holding: held)
            case ("/v1/rounds/messages", _): return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
            default: throw Problem.notFound
            }
        } catch let problem as Problem {
            return Reply.problem(problem)
        } catch {
            return Reply.problem(.internalError)
        }
    }
}

/// Serves a dealer of correlations, until it is told to stop. What it sends is as secret as the parties' inputs: other hosts than this machine need TLS.
///
/// - Parameter onListening: Called with the port once connections are accepted.
/// - Throws: `ServerError`.
public func serveDealer(
    _ configuration: DatasiteServerConfiguration, office: DealerOffice,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    // A step of half a gigabyte on a line of 1 MB a second.
    try await serveAlone(
        configuration, largest: SignedQuestion.mostBytes, longestAnswer: .minutes(10), onListening: onListening
    ) { _, _ in DealerResponder(office: office) }
}
