/// A request and where it stands (`GET /v1/requests`, and the body of a 202).
public struct RequestSummary: Sendable, Hashable, Codable {
    public var id: String
    public var researcher: String
    public var dataset: String
    public var sql: String
    public var charge: Loss
    /// "pending", "reserved", "released", "denied", "lapsed", "refused".
    public var state: String
    public var approvals: [String]
    public var approvalsNeeded: Int
    public var reason: String?
    /// RFC 3339, UTC.
    public var created: String

    public init(
        id: String, researcher: String, dataset: String, sql: String, charge: Loss, state: String,
        approvals: [String], approvalsNeeded: Int, reason: String?, created: String
    ) {
        self.id = id
        self.researcher = researcher
        self.dataset = dataset
        self.sql = sql
        self.charge = charge
        self.state = state
        self.approvals = approvals
        self.approvalsNeeded = approvalsNeeded
        self.reason = reason
        self.created = created
    }
}
