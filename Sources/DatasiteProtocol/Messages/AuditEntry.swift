/// An entry of the audit trail (`GET /v1/audit`): who asked what, when, for how much; what was refused and why.
public struct AuditEntry: Sendable, Hashable, Codable {
    public var index: Int64
    public var time: String
    /// "released", "refused", "denied", "approved", "user added", "dataset added", ...
    public var action: String
    public var actor: String
    public var dataset: String?
    public var detail: String
    public var charge: Loss?
    /// SHA-256 of the journal up to and with this entry, hex.
    public var hash: String

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
