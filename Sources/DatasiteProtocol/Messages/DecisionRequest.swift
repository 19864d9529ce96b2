/// An owner's decision (`POST /v1/requests/{id}/approve` or `/deny`).
public struct DecisionRequest: Sendable, Hashable, Codable {
    /// Why, in words for the researcher.
    public var reason: String?

    /// A decision, with its reason.
    public init(reason: String? = nil) {
        self.reason = reason
    }
}

extension DecisionRequest {
    /// Reads a decision's body strictly; an empty body is a decision without a reason.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        if bytes.isEmpty {
            self.init()
            return
        }
        var object = try StrictObject(StrictJSON(parsing: bytes))
        self.init(reason: try object.optionalString("reason"))
        try object.finish()
    }
}
