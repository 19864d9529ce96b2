public import Foundation

/// Asks a site to be dealt what a prediction on shares takes, ahead of time: the body of `POST /v1/predictions/{name}/preparations`. Nothing is charged for it.
public struct PreparationRequest: Sendable, Hashable, Codable {
    /// ``ServedPrediction/version``, as whoever asks saw it.
    public var version: String
    /// How many predictions it is for.
    public var rows: Int
    /// The key by which the dealer knows whoever asks, 32 bytes, drawn for this session, in hexadecimal digits: the later request's.
    public var key: String
    /// The id of a request that was charged already, for which it is: then nothing of what one may prepare ahead of time bounds it.
    public var request: String?

    /// A request, by its parts.
    public init(version: String, rows: Int, key: String, request: String? = nil) {
        (self.version, self.rows, self.key, self.request) = (version, rows, key, request)
    }

    /// Reads a body strictly: an unknown key is an error.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        version = try object.string("version")
        rows = Int(clamping: try object.integer("rows"))
        key = try object.string("key")
        request = try object.optionalString("request")
        try object.finish()
    }
}

/// A site's part of what a prediction on shares takes: how far it is dealt.
public struct Preparation: Sendable, Hashable, Codable {
    /// How far it is.
    public enum State: String, Sendable, Hashable, Codable {
        /// The dealer's replies are coming.
        case dealing
        /// It is on the site's disk, and serves one request.
        case ready
        /// Nothing comes of it.
        case failed
    }

    /// The session's name, 32 hexadecimal digits, which its dealer drew.
    public var session: String
    /// The dataset whose policy the model has.
    public var dataset: String
    /// Sixteen bytes that name the model's weights, in hexadecimal digits.
    public var version: String
    /// How many predictions it is for.
    public var rows: Int
    /// How far it is.
    public var state: State
    /// How much the site has, in bytes: what it takes of its disk.
    public var bytes: Int
    /// How much it will have.
    public var wholeBytes: Int
    /// Until then it serves: RFC 3339, UTC.
    public var expires: String
    /// Why nothing comes of it.
    public var detail: String?

    /// A preparation, by its parts.
    public init(
        session: String, dataset: String, version: String, rows: Int, state: State, bytes: Int, wholeBytes: Int,
        expires: String, detail: String? = nil
    ) {
        (self.session, self.dataset, self.version, self.rows) = (session, dataset, version, rows)
        (self.state, self.bytes, self.wholeBytes) = (state, bytes, wholeBytes)
        (self.expires, self.detail) = (expires, detail)
    }
}

/// What a dealer told a party of a session that was given up: the party's signed question and the dealer's signed reply, which show it to the session's other party.
public struct OpeningProof: Sendable, Hashable, Codable {
    /// The question's bytes.
    public var question: Data
    /// The reply's bytes.
    public var reply: Data

    /// A proof, by its parts.
    public init(question: Data, reply: Data) { (self.question, self.reply) = (question, reply) }

    /// Reads a body strictly: an unknown key is an error.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        question = try Self.data(&object, "question")
        reply = try Self.data(&object, "reply")
        try object.finish()
    }

    private static func data(_ object: inout StrictObject, _ key: String) throws(JSONError) -> Data {
        guard let data = Data(base64Encoded: try object.string(key)) else {
            throw JSONError("'\(key)' must be text in base64")
        }
        return data
    }
}
