/// Work of any kind that researchers may ask for (`POST /v1/requests`): `{"engine": ..., "request": {...}, "purpose": ...}`.
public struct WorkRequest: Sendable {
    /// The kind of work: `questions`, or another that the site has.
    public var engine: String
    /// What is asked, in the engine's own form; the engine reads it, and refuses what it does not know.
    public var request: StrictObject
    /// What the answer is for, at most 2,000 bytes: owners who decide read it, and a policy may want it.
    public var purpose: String?

    /// Reads a body strictly: an unknown key is an error.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        engine = try object.string("engine")
        request = try object.object("request")
        purpose = try object.optionalString("purpose")
        try object.finish()
    }
}
