import Datasite
import DatasiteProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// Responses: JSON, never cached by anyone between, never guessed at by a browser.
enum Reply {
    static let text = "text/plain; charset=utf-8"

    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        bytes(try JSONEncoding.bytes(value), status: status)
    }

    static func bytes(_ body: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        buffer(ByteBuffer(bytes: body), status: status, type: "application/json")
    }

    /// An answer's stored bytes, unchanged, with its receipt beside them.
    static func released(answer: [UInt8], receipt: [UInt8]) -> Response {
        var response = bytes(answer)
        response.headers[.parleyReceipt] = Base64URL.encode(receipt)
        return response
    }

    /// The stored bytes of a release that all may read, in pieces, each of which the peer takes before the next.
    static func download(_ release: SyntheticTableRelease, tag: String, holding place: Places.Place) -> Response {
        var response = pieces(release.answer, type: "application/json", holding: place)
        response.headers[.parleyReceipt] = Base64URL.encode(release.receipt)
        (response.headers[.eTag], response.headers[.cacheControl]) = (tag, "private, no-cache")
        return response
    }

    /// Bytes in pieces, each of which the peer takes before the next.
    static func pieces(_ bytes: [UInt8], type: String, holding place: any Sendable) -> Response {
        let bytes = ByteBuffer(bytes: bytes)
        var response = buffer(ByteBuffer(), status: .ok, type: type)
        response.body = ResponseBody(contentLength: bytes.readableBytes) { writer in
            var rest = bytes
            while let piece = rest.readSlice(length: min(rest.readableBytes, 1 << 18)), piece.readableBytes > 0 {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
            withExtendedLifetime(place) {}
        }
        return response
    }

    static func unchanged(_ tag: String) -> Response {
        Response(status: .notModified, headers: [.eTag: tag, .cacheControl: "private, no-cache"])
    }

    static func pending(_ summary: RequestSummary) throws -> Response {
        var response = try json(summary, status: .accepted)
        response.headers[.location] = "/v1/requests/\(summary.id)"
        return response
    }

    static func result(_ result: AskResult) throws -> Response {
        switch result {
        case .released(let answer, let receipt): released(answer: answer, receipt: receipt)
        case .pending(let summary): try pending(summary)
        }
    }

    static func problem(_ problem: Problem, allow: [String] = []) -> Response {
        var response = buffer(
            ByteBuffer(bytes: problem.encoded), status: .init(code: problem.status), type: "application/problem+json")
        switch problem.status {
        case 401: response.headers[.wwwAuthenticate] = "Bearer"
        case 405: response.headers[.allow] = allow.joined(separator: ", ")
        case 503: response.headers[.retryAfter] = "1"
        default: break
        }
        return response
    }

    static func buffer(_ body: ByteBuffer, status: HTTPResponse.Status, type: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store", .noSniff: "nosniff"],
            body: ResponseBody(byteBuffer: body))
    }
}
