/// What a party does in a task. One party may hold several, but a referee no other in the same task.
public enum Role: String, Sendable, Codable, CaseIterable, Hashable, Comparable {
    /// Pays, and evaluates.
    case sponsor
    /// Proposes models.
    case scientist
    /// Trains on data that stays with it.
    case owner
    /// Computes what is public.
    case provider
    /// Decides disputes.
    case referee

    /// In the order of the cases.
    public static func < (a: Role, b: Role) -> Bool { a.number < b.number }

    /// The place among the cases, from 0: what leaves of a settlement hold.
    var number: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// How far a task is.
public enum Stage: String, Sendable, Codable, CaseIterable, Hashable {
    /// Written, and may still be changed.
    case draft
    /// Paid for: its terms are frozen.
    case funded
    /// Proposals are committed, then shown.
    case open
    /// Models are trained and evaluated.
    case training
    /// The winner is declared, or that there is none; the log's next checkpoint is awaited.
    case declared
    /// The declaration can be disputed.
    case challenge
    /// Referees decide a dispute.
    case dispute
    /// Everybody's payout is fixed, and can be claimed.
    case settled
    /// Nothing is left to pay.
    case paidOut
    /// Ended by the sponsor before anybody relied on it; refunded.
    case cancelled
    /// Ended by time before there was anything to train; refunded.
    case expired

    /// Whether nothing can follow.
    public var isOver: Bool { self == .paidOut || self == .cancelled || self == .expired }
}
