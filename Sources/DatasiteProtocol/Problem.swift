/// A problem document (RFC 9457), `application/problem+json`.
public struct Problem: Sendable, Hashable, Codable, Error {
    /// "urn:parley:problem:over-budget" and so on.
    public var type: String
    public var title: String
    public var status: Int
    public var detail: String
    /// The next step.
    public var hint: String?
    /// The 0-based UTF-8 offset in the SQL text, where the problem has one.
    public var position: Int?

    public init(
        type: String, title: String, status: Int, detail: String, hint: String? = nil, position: Int? = nil
    ) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.hint = hint
        self.position = position
    }
}
