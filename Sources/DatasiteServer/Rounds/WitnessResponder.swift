import Datasite
import DatasiteProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// From a request to a witness's answer.
struct WitnessResponder: HTTPResponder {
    typealias Context = Exchange

    let witness: WitnessFolder
    /// Checkpoints are some hundred bytes, and proofs at most 63 hashes; cosignatures of others may be there.
    let largestBody = 64 << 10
    private let bodies = Places(all: 64, each: 8, refusal: .tooManyFrames)

    func respond(to request: Request, context: Exchange) async throws -> Response {
        do {
            // What is asked for has no body.
            if request.method != .post { _ = try await request.wholeBody(largest: 0) }
            let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: false)
            switch (request.uri.path, request.method) {
            case ("/health", .get): return Reply.bytes(Array(#"{"status":"ok"}"#.utf8))
            case ("/add-checkpoint", .post):
                let place = try bodies.enter(context.peer)
                defer { withExtendedLifetime(place) {} }
                let (status, type, body) = try await witness.answer(
                    try await request.wholeBody(largest: largestBody))
                return Reply.buffer(ByteBuffer(bytes: body), status: .init(code: status), type: type)
            case ("/add-checkpoint", _): return Reply.problem(.methodNotAllowed(["POST"]), allow: ["POST"])
            case (_, .get) where path.count == 3 && path[2] == "evidence":
                guard let evidence = witness.evidence(String(path[1])) else { throw Problem.notFound }
                return Reply.bytes(evidence)
            case (_, .get) where path.count == 3 && path[2] == "checkpoint":
                guard let checkpoint = witness.latest(String(path[1])) else { throw Problem.notFound }
                return Reply.buffer(ByteBuffer(bytes: checkpoint), status: .ok, type: Reply.text)
            default: throw Problem.notFound
            }
        } catch let problem as Problem {
            return Reply.problem(problem)
        } catch {
            return Reply.problem(.internalError)
        }
    }
}
