/// How a task comes to its end.
public enum Ending: String, Sendable, Codable, CaseIterable, Hashable {
    /// The sponsor cancelled a task on which nobody relied yet.
    case cancelled
    /// The sponsor paid and never opened it.
    case notOpened
    /// Nobody showed a proposal.
    case noProposal
    /// A model reached the target, as the sponsor declared or the referees found.
    case won
    /// A model's feedback reached the target, and the sponsor was silent.
    case wonByDefault
    /// No model reached the target, as the sponsor declared, the referees found, or the feedback on every model shows.
    case missed
    /// The sponsor did not evaluate what she had to, and nothing that she evaluated reached the target.
    case evaluatorFailed
}

/// How a pot is divided.
public enum Division: String, Sendable, Codable, CaseIterable, Hashable {
    /// Back to the sponsor.
    case refund
    /// Among owners, by their contributions' scores, clipped at zero.
    case byScore
    /// Among owners, by the number of their updates that count on the winner's path.
    case byUpdatesOfWinner
    /// Among owners, by the number of their updates that count.
    case byUpdates
    /// Among scientists, by improvement over the best so far, and a part to ancestors of the winner.
    case byImprovement
    /// Among scientists, one part for each proposal of which a model was trained.
    case byProposal
    /// To providers, what was delivered at the posted price; the rest is refunded.
    case metered
}

/// What a party did in a role, as the log shows it.
public enum Conduct: String, Sendable, Codable, CaseIterable, Hashable {
    /// What it had to.
    case kept
    /// Nothing that counts, and nothing that anybody waited for.
    case idle
    /// It did not do what others waited for: a model of a shown proposal, an update that it had committed to, a job, an evaluation, a vote.
    case vanished
    /// It committed to a proposal and never showed it.
    case concealed
    /// It was found wrong by the referees: a declaration, a job, an accusation.
    case refuted
    /// Nobody decided.
    case undecided
}

/// The one table of all ways to end: what happens to each pot and each deposit, who counts as honest.
///
/// Money that honest work earned is paid whatever else happened; what nobody earned returns to the sponsor; deposits return but where the log or the
/// referees show a wrong. Forfeited deposits pay the referees of the dispute that found the wrong, and the rest of them goes to an account that is neither
/// the sponsor's nor the accuser's: nobody gains by another's forfeit, and an accomplice who accuses first saves nothing.
public enum EndingTable {
    /// A line: an ending.
    public struct Row: Sendable, Hashable {
        /// What it comes to.
        public let ending: Ending
        /// The stage that follows: settled, or refunded at once.
        public let stage: Stage
        /// How the pots are divided.
        public let data: Division, computation: Division, expertise: Division
        /// What the sponsor did; a refuted declaration is ``Conduct/refuted`` whatever the ending.
        public let sponsor: Conduct
    }

    /// Every ending.
    public static let rows: [Row] = [
        Row(.cancelled, .cancelled, (.refund, .refund, .refund), sponsor: .idle),
        Row(.notOpened, .expired, (.refund, .refund, .refund), sponsor: .vanished),
        Row(.noProposal, .expired, (.refund, .refund, .refund), sponsor: .idle),
        Row(.won, .settled, (.byScore, .metered, .byImprovement), sponsor: .kept),
        Row(.wonByDefault, .settled, (.byUpdatesOfWinner, .metered, .byImprovement), sponsor: .vanished),
        Row(.missed, .settled, (.refund, .metered, .refund), sponsor: .kept),
        Row(.evaluatorFailed, .settled, (.byUpdates, .metered, .byProposal), sponsor: .vanished),
    ]

    /// The line of an ending.
    public static func row(_ ending: Ending) -> Row {
        rows.first { $0.ending == ending }
            ?? Row(ending, .expired, (.refund, .refund, .refund), sponsor: .idle)
    }

    /// A line: what follows from a conduct in a role.
    public struct ConductRow: Sendable, Hashable {
        /// In which role.
        public let role: Role
        /// What was done.
        public let conduct: Conduct
        /// Whether the deposit returns.
        public let depositReturns: Bool
        /// What it says of the party: true: good; false: bad; nil: nothing.
        public let isGood: Bool?
    }

    /// Every conduct that has a consequence.
    public static let conducts: [ConductRow] = [
        ConductRow(.sponsor, .kept, returns: true, isGood: true),
        ConductRow(.sponsor, .idle, returns: true, isGood: nil),
        ConductRow(.sponsor, .vanished, returns: true, isGood: false),
        ConductRow(.sponsor, .refuted, returns: false, isGood: false),
        ConductRow(.scientist, .kept, returns: true, isGood: true),
        ConductRow(.scientist, .idle, returns: true, isGood: nil),
        ConductRow(.scientist, .vanished, returns: true, isGood: false),
        ConductRow(.scientist, .concealed, returns: false, isGood: false),
        ConductRow(.owner, .kept, returns: true, isGood: true),
        ConductRow(.owner, .idle, returns: true, isGood: nil),
        ConductRow(.owner, .vanished, returns: true, isGood: false),
        ConductRow(.provider, .kept, returns: true, isGood: true),
        ConductRow(.provider, .idle, returns: true, isGood: nil),
        ConductRow(.provider, .vanished, returns: true, isGood: false),
        ConductRow(.provider, .refuted, returns: false, isGood: false),
        ConductRow(.referee, .kept, returns: true, isGood: true),
        ConductRow(.referee, .idle, returns: true, isGood: nil),
        ConductRow(.referee, .vanished, returns: true, isGood: false),
    ]

    /// What becomes of the deposit of whoever raised a dispute, by what came of it: upheld, rejected, not decided.
    public static let accusers: [Conduct: Bool] = [.kept: true, .refuted: false, .undecided: true]

    /// The line of a conduct in a role; where there is none, the deposit returns and nothing is said.
    public static func row(_ role: Role, _ conduct: Conduct) -> ConductRow {
        conducts.first { $0.role == role && $0.conduct == conduct }
            ?? ConductRow(role, conduct, returns: true, isGood: nil)
    }
}

extension EndingTable.Row {
    init(
        _ ending: Ending, _ stage: Stage, _ pots: (Division, Division, Division), sponsor: Conduct
    ) {
        self.init(
            ending: ending, stage: stage, data: pots.0, computation: pots.1, expertise: pots.2, sponsor: sponsor)
    }
}

extension EndingTable.ConductRow {
    init(_ role: Role, _ conduct: Conduct, returns: Bool, isGood: Bool?) {
        self.init(role: role, conduct: conduct, depositReturns: returns, isGood: isGood)
    }
}
