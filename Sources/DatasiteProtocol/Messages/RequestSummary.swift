/// A request and where it stands (`GET /v1/requests`, and the body of a 202).
public struct RequestSummary: Sendable, Hashable, Codable {
    /// The request's id.
    public var id: String
    /// Who asked.
    public var researcher: String
    /// The dataset that was asked.
    public var dataset: String
    /// What was asked: a question's SQL, or other work in words.
    public var sql: String
    /// What it costs, or would have cost.
    public var charge: Loss
    /// "pending", "reserved", "released", "denied", "lapsed", "cancelled".
    public var state: String
    /// The owners who approved it, by name.
    public var approvals: [String]
    /// How many different owners must approve.
    public var approvalsNeeded: Int
    /// Why it was denied or refused, or lapsed.
    public var reason: String?
    /// RFC 3339, UTC.
    public var created: String
    /// The kind of work; nil from a server that knows one kind alone.
    public var engine: String?
    /// What the answer is for, in the asker's words.
    public var purpose: String?
    /// Whether the charge is held or stays: false for what was denied, lapsed or withdrawn, which costs nothing; nil from a
    /// server that does not say.
    public var isCharged: Bool?

    /// A summary, by its parts.
    public init(
        id: String, researcher: String, dataset: String, sql: String, charge: Loss, state: String,
        approvals: [String], approvalsNeeded: Int, reason: String?, created: String, engine: String? = nil,
        purpose: String? = nil, isCharged: Bool? = nil
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
        self.engine = engine
        self.purpose = purpose
        self.isCharged = isCharged
    }
}
