/// An entry of the audit trail (`GET /v1/audit`): who asked what, when, for how much; what was refused and why.
public struct AuditEntry: Sendable, Hashable, Codable {
    /// The entry's number; 1 is the first.
    public var index: Int64
    /// RFC 3339, UTC.
    public var time: String
    /// "released", "refused", "denied", "approved", "user added", "dataset added", ...
    public var action: String
    /// The user who did it, or the datasite itself.
    public var actor: String
    /// The dataset that it is about, if it is about one.
    public var dataset: String?
    /// What was done, in words.
    public var detail: String
    /// What was charged, if anything was.
    public var charge: Loss?
    /// SHA-256 of the journal up to and with this entry, hex.
    public var hash: String

    /// An entry, by its parts.
    public init(
        index: Int64, time: String, action: String, actor: String, dataset: String?, detail: String, charge: Loss?,
        hash: String
    ) {
        self.index = index
        self.time = time
        self.action = action
        self.actor = actor
        self.dataset = dataset
        self.detail = detail
        self.charge = charge
        self.hash = hash
    }
}
