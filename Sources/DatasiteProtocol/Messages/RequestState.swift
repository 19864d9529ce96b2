/// Where a request stands (docs/privacy.md, rule 8).
public enum RequestState: String, Sendable, Hashable, Codable, CaseIterable {
    /// Its charge is held until owners decide; it is given back on denial or lapse, since no row was read.
    case pending
    /// Charged durably, for good; an answer may be computed once.
    case reserved
    /// Answer, receipt and journal entry are stored.
    case released
    /// Refused by an owner.
    case denied
    /// Nobody decided in time, a table that it reads changed, or the policy refused it by the time when it was approved.
    case lapsed
    /// Withdrawn by whoever asked, or by an owner: what was held is given back, and what was charged for good is kept.
    case cancelled

    /// The states that may follow: there is no way back from a charge once rows may have been read.
    public var successors: Set<RequestState> {
        switch self {
        case .pending: [.reserved, .denied, .lapsed, .cancelled]
        case .reserved: [.released, .cancelled]
        case .released, .denied, .lapsed, .cancelled: []
        }
    }
}
