/// Where a job stands, for those who wait for it: public terms alone.
public enum JobState: String, Sendable, Hashable, Codable, CaseIterable {
    /// It waits for its owners' approval.
    case pending
    /// The last owner who was needed has approved it: it is charged, and computed next.
    case approved
    /// It is being computed, or a file is being read.
    case running
    /// The process that computed it has ended before it: what was charged is completed under that charge when it is asked for.
    case interrupted
    /// The machine failed, or had no place for it. What was charged is kept; asked for again, it is computed under that charge.
    case failed
    /// The answer is stored.
    case released
    /// The table was added.
    case done
    /// An owner refused it.
    case denied
    /// Nobody decided in time, a table that it reads changed, or the policy refused it by the time when it was approved.
    case lapsed
    /// Withdrawn by whoever asked, or by an owner.
    case cancelled

    /// Whether nothing follows.
    public var isFinal: Bool {
        switch self {
        case .released, .done, .denied, .lapsed, .cancelled: true
        case .pending, .approved, .running, .interrupted, .failed: false
        }
    }

    /// Whether nothing follows by itself: somebody has to ask again.
    public var hasStopped: Bool { isFinal || self == .interrupted || self == .failed }
}
