/// What a witness answers to `add-checkpoint` (c2sp.org/tlog-witness).
public enum WitnessReply: Sendable, Hashable {
    /// 200: cosignature lines.
    case cosigned([NoteSignature])
    /// 400: the body is no request, or its old size is above the checkpoint's.
    case badRequest
    /// 403: no signature of a key that the witness trusts for the origin, or one that does not verify.
    case forbidden
    /// 404: the witness does not know the origin.
    case notFound
    /// 409: the old size is not that of the latest checkpoint that the witness cosigned, which is this one.
    case conflict(size: UInt64)
    /// 422: the proof does not verify, another root of the same size, or an empty tree with a wrong root.
    case unprocessable

    /// The most bytes of a body that is read.
    public static let largestSize = SignedNote.largestSize

    /// The HTTP status.
    public var status: Int {
        switch self {
        case .cosigned: 200
        case .badRequest: 400
        case .forbidden: 403
        case .notFound: 404
        case .conflict: 409
        case .unprocessable: 422
        }
    }

    /// The body; empty but for 200 and 409.
    public var body: [UInt8] {
        switch self {
        case .cosigned(let signatures): signatures.flatMap(\.line)
        case .conflict(let size): Array("\(size)\n".utf8)
        case .badRequest, .forbidden, .notFound, .unprocessable: []
        }
    }

    /// The content type that the specification asks for.
    public var contentType: String {
        if case .conflict = self { "text/x.tlog.size" } else { "text/plain; charset=utf-8" }
    }

    /// Reads a reply; bodies of refusals other than 409 are not looked at. Throws `unexpectedStatus` and `malformedReply`.
    public init(status: Int, body: [UInt8]) throws(WitnessError) {
        guard body.count <= Self.largestSize else { throw .malformedReply("at most \(Self.largestSize) bytes") }
        switch status {
        case 200:
            guard NoteText.validated(body) != nil, let signatures = try? NoteSignature.parse(lines: body) else {
                throw .malformedReply("signature lines, each ending in a newline")
            }
            self = .cosigned(signatures)
        case 400: self = .badRequest
        case 403: self = .forbidden
        case 404: self = .notFound
        case 409:
            guard body.last == NoteText.newline, let size = StrictDecimal.decode(body.dropLast()) else {
                throw .malformedReply("a size from 0 to 2^63 - 1 without leading zeros, and a newline")
            }
            self = .conflict(size: size)
        case 422: self = .unprocessable
        default: throw .unexpectedStatus(status)
        }
    }
}
