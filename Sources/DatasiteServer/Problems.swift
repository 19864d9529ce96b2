import DatasiteProtocol
import Foundation

extension Problem {
    static let malformedRequest = Problem(
        type: "urn:parley:problem:invalid-request", title: "Malformed request", status: 400,
        detail: "the bytes are not an HTTP/1.1 request")
    static let headersTooLarge = Problem(
        type: "urn:parley:problem:too-large", title: "Header fields too large", status: 431,
        detail: "the request's header fields are larger than this server reads")
    static let targetTooLong = Problem(
        type: "urn:parley:problem:too-large", title: "Request target too long", status: 414,
        detail: "the path and query are longer than this server reads")
    static let bodyTooLarge = Problem(
        type: "urn:parley:problem:too-large", title: "Body too large", status: 413,
        detail: "the body is larger than this server reads",
        hint: "a question is at most 64 KiB of JSON unless the owner set another limit")
    static let framingTooLarge = Problem(
        type: "urn:parley:problem:too-large", title: "Request too large", status: 413,
        detail: "what comes beside the head and body of the request (chunk sizes and extensions) is larger than this "
            + "server reads")
    static let cutOff = Problem(
        type: "urn:parley:problem:invalid-request", title: "Invalid request", status: 400,
        detail: "the body ended before its declared length")
    static let invalidHost = Problem(
        type: "urn:parley:problem:invalid-request", title: "Invalid request", status: 400,
        detail: "a request needs exactly one 'Host', of a name or an address and perhaps a port")
    static let tooManyConnections = Problem(
        type: "urn:parley:problem:busy", title: "Too many connections", status: 503,
        detail: "the datasite has as many connections as it accepts, in all or from your address",
        hint: "close those that are not needed, and try again in a moment")
    static let unauthenticated = Problem(
        type: "urn:parley:problem:unauthenticated", title: "Not authenticated", status: 401,
        detail: "a valid bearer token is required",
        hint: "send 'Authorization: Bearer TOKEN' with the token that the owner gave you; it may have been revoked")
    static let metricsUnauthenticated = Problem(
        type: "urn:parley:problem:unauthenticated", title: "Not authenticated", status: 401,
        detail: "metrics need the token that is in the file metrics.token of the site's folder",
        hint: "send 'Authorization: Bearer TOKEN'")
    static let notFound = Problem(
        type: "urn:parley:problem:not-found", title: "Not found", status: 404, detail: "there is no such resource",
        hint: "the paths are listed in openapi.yaml")
    static let internalError = Problem(
        type: "urn:parley:problem:internal", title: "Internal error", status: 500,
        detail: "the datasite failed to answer; its owner's log says more")

    static func requestTimeout(_ detail: String) -> Problem {
        Problem(type: "urn:parley:problem:timeout", title: "Request timeout", status: 408, detail: detail)
    }

    static func invalidRequest(_ detail: String, hint: String? = nil) -> Problem {
        Problem(
            type: "urn:parley:problem:invalid-request", title: "Invalid request", status: 400, detail: detail,
            hint: hint)
    }

    static func forbidden(_ role: Role, allowed: Set<Role>) -> Problem {
        let names = allowed.map(\.rawValue).sorted().joined(separator: " or ")
        return Problem(
            type: "urn:parley:problem:forbidden", title: "Not allowed", status: 403,
            detail: "the role \(role.rawValue) may not do this; \(names) may")
    }

    static func methodNotAllowed(_ allowed: [String]) -> Problem {
        Problem(
            type: "urn:parley:problem:method-not-allowed", title: "Method not allowed", status: 405,
            detail: "this resource takes \(allowed.joined(separator: ", "))")
    }

    static let unsupportedMediaType = Problem(
        type: "urn:parley:problem:unsupported-media-type", title: "Unsupported media type", status: 415,
        detail: "the body must be 'Content-Type: application/json'")

    /// The problem document's bytes.
    var encoded: [UInt8] {
        // A problem holds text and numbers only: encoding it does not fail; the type is said if it ever did.
        (try? JSONEncoding.bytes(self)) ?? Array(#"{"type":"urn:parley:problem:internal"}"#.utf8)
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
