import DatasiteProtocol
import Foundation

extension Problem {
    static let malformedRequest = Problem(
        .invalidRequest, "the bytes are not an HTTP/1.1 request")
    static let headersTooLarge = Problem(
        .tooLarge, "the request's header fields are larger than this server reads", status: 431)
    static let targetTooLong = Problem(
        .tooLarge, "the path and query are longer than this server reads", status: 414)
    /// - Parameter largest: Of the server that says so, in bytes.
    static func bodyTooLarge(_ largest: Int) -> Problem {
        let size = largest.isMultiple(of: 1 << 10) ? "\(largest >> 10) KiB" : "\(largest) bytes"
        return Problem(.tooLarge, "the body is larger than the \(size) that this server reads")
    }
    static let framingTooLarge = Problem(
        .tooLarge,
        "what comes beside the head and body of the request (chunk sizes and extensions) is larger than this "
            + "server reads")
    static let cutOff = Problem(
        .invalidRequest, "the body ended before its declared length")
    static let invalidHost = Problem(
        .invalidRequest, "a request needs exactly one 'Host', of a name or an address and perhaps a port")
    static let tooManyConnections = Problem(
        .busy, "the datasite has as many connections as it accepts, in all or from your address",
        hint: "close those that are not needed, and try again in a moment")
    static let tooManyStreams = Problem(
        .busy, "as many event streams are open as may be, in all or of yours",
        hint: "close those that are not needed; `GET /v1/requests/{id}` says where a request stands")
    static let tooManyDownloads = Problem(
        .busy, "as many synthetic tables are being sent as may be, in all or to you",
        hint: "try again when one has arrived")
    static let tooManyAnswers = Problem(
        .busy, "as many answers are being sent as may be, in all or to you", hint: "ask again when one has arrived")
    static let tooManyFrames = Problem(
        .busy, "as many frames are being read as may be", hint: "send it again in a moment")
    static let unauthenticated = Problem(
        .unauthenticated, "a valid bearer token is required",
        hint: "send 'Authorization: Bearer TOKEN' with the token that the owner gave you; it may have been revoked")
    static let metricsUnauthenticated = Problem(
        .unauthenticated, "metrics need the token that is in the file metrics.token of the site's folder",
        hint: "send 'Authorization: Bearer TOKEN'")
    static let notFound = Problem(
        .notFound, "there is no such resource",
        hint: "the paths are listed in openapi.yaml")
    static let internalError = Problem(
        .internalError, "the datasite failed to answer; its owner's log says more")

    static func requestTimeout(_ detail: String) -> Problem {
        Problem(.timeout, detail)
    }

    static func invalidRequest(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.invalidRequest, detail, hint: hint)
    }

    static func forbidden(_ role: Role, allowed: Set<Role>) -> Problem {
        let names = allowed.map(\.rawValue).sorted().joined(separator: " or ")
        return Problem(
            .forbidden, "the role \(role.rawValue) may not do this; \(names) may")
    }

    static func methodNotAllowed(_ allowed: [String]) -> Problem {
        Problem(
            .methodNotAllowed, "this resource takes \(allowed.joined(separator: ", "))")
    }

    static let unsupportedMediaType = Problem(
        .unsupportedMediaType, "the body must be 'Content-Type: application/json'")

    /// The problem document's bytes.
    var encoded: [UInt8] {
        // A problem holds text and numbers only: encoding it does not fail; the type is said if it ever did.
        (try? JSONEncoding.bytes(self)) ?? Array(#"{"type":"\#(Kind.internalError.urn)"}"#.utf8)
    }
}

/// JSON as this server writes it.
enum JSONEncoding {
    static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
