/// A task from draft to payout: a pure state machine. ``Market`` moves it by entries, and its money with it.
///
/// An action is first worked out (`plan`): who may do it, when, and what it moves; the state is not touched before the book has taken the money. All that is refused changes
/// nothing. Money of a task lies in accounts of its own (``Accounts-swift.struct``), and leaves them by ``EndingTable`` alone.
public struct MarketTask: Sendable, Hashable, Codable {
    /// The key of its draft.
    public let id: Digest256
    /// Who pays.
    public let sponsor: PartyName
    /// What it promises; frozen from funding on.
    public internal(set) var terms: TaskTerms
    /// How far it is.
    public internal(set) var stage = Stage.draft
    /// How it ended.
    public internal(set) var ending: Ending?
    /// The sponsor's deposit, in minor units.
    public internal(set) var sponsorDeposit: Int64 = 0
    /// In the order of their commitments.
    public internal(set) var proposals: [Proposal] = []
    /// The deposits of owners, and of providers.
    public internal(set) var owners: [PartyName: Int64] = [:], providers: [PartyName: Int64] = [:]
    /// In the order of their beginnings.
    public internal(set) var rounds: [Round] = []
    /// In the order in which they were authorised.
    public internal(set) var jobs: [Job] = []
    /// In the order in which they were asked for.
    public internal(set) var evaluations: [Evaluation] = []
    /// Models that improved on the best so far, in the order of their feedback, and by how much, in billionths.
    public internal(set) var improvements: [Improvement] = []
    /// The models.
    public internal(set) var tree: ModelTree
    /// What stands as the result.
    public internal(set) var declaration: Declaration?
    /// When training ended.
    public internal(set) var declared: Int64?
    /// The checkpoint that draws rows in a dispute, when the challenge began, and when it ends.
    public internal(set) var checkpoint: Digest256?
    /// When the present stage ends at the latest, from the declaration on.
    public internal(set) var stageEnds: Int64 = 0
    /// In the order in which they were raised.
    public internal(set) var disputes: [Dispute] = []
    /// The payouts.
    public internal(set) var settlement: Settlement?
    /// Which leaves were paid.
    public internal(set) var isPaid: [Bool] = []
    /// The place of each commitment in the order of all.
    var commitments: [Digest256: Int] = [:]
    /// The earliest commitment to each proposal and to each update that was shown.
    var proposalContents: [Digest256: Int] = [:], updateContents: [Digest256: Int] = [:]

    init(id: Digest256, sponsor: PartyName, terms: TaskTerms) {
        self.id = id
        self.sponsor = sponsor
        self.terms = terms
        tree = ModelTree(task: id, sponsor: sponsor)
    }

    /// A scientist's proposal.
    public struct Proposal: Sendable, Hashable, Codable {
        /// Whose.
        public let scientist: PartyName
        /// What it was committed to with.
        public let commitment: Digest256
        /// Its place among all commitments, and its time.
        public let order: Int, time: Int64
        /// What is at stake.
        public let deposit: Int64
        /// What it is, and where it stands in the tree, from when it is shown.
        public internal(set) var content: Digest256?, node: Int?
        /// Whether a model of it was trained.
        public internal(set) var hasModel = false
    }

    /// A round of training.
    public struct Round: Sendable, Hashable, Codable {
        /// Of which proposal, and from which node it goes on.
        public let proposal: Int, parent: Int
        /// When its commitments ended.
        public internal(set) var closed: Int64?
        /// The model that it came to, and the digest of its receipts of cost and privacy.
        public internal(set) var node: Int?, receipts: Digest256?
        /// By owner.
        public internal(set) var updates: [PartyName: Update] = [:]
    }

    /// An owner's update.
    public struct Update: Sendable, Hashable, Codable {
        /// What it was committed to with, and the place among all commitments.
        public let commitment: Digest256, order: Int
        /// What it is, from when it is shown.
        public internal(set) var content: Digest256?
    }

    /// Computation for a proposal.
    public struct Job: Sendable, Hashable, Codable {
        /// For which, by whom.
        public let proposal: Int, provider: PartyName
        /// The most that it costs, and when it is over.
        public let limit: Int64, until: Int64
        /// What it costs, from when it is delivered, and the digest of its receipt: what is executed again where it is doubted.
        public internal(set) var due: Int64?, receipt: Digest256?
        /// Whether the referees found it wrong.
        public internal(set) var isRefuted = false
    }

    /// A model's evaluation.
    public struct Evaluation: Sendable, Hashable, Codable {
        /// Of which node, of which proposal.
        public let node: Int, proposal: Int
        /// Whether the sponsor answered.
        public internal(set) var isAnswered = false
    }

    /// A model that improved on the best so far.
    public struct Improvement: Sendable, Hashable, Codable {
        /// Which.
        public let node: Int
        /// The feedback, and by how much it is better than the one before, in billionths.
        public let score: Score, gain: Int64
    }

    /// What stands as the result of the task.
    public struct Declaration: Sendable, Hashable, Codable {
        /// How it ends.
        public let ending: Ending
        /// The winner's node.
        public let winner: Int?
        /// The final scores and contributions; nil: the sponsor was silent.
        public let verdict: Verdict?
        /// Whether it is the referees', and not the sponsor's.
        public let isCorrected: Bool
    }

    /// A dispute.
    public struct Dispute: Sendable, Hashable, Codable {
        /// About what, and by whom.
        public let subject: DisputeSubject, accuser: PartyName
        /// When it is over at the latest.
        public let until: Int64
        /// By referee.
        public internal(set) var votes: [PartyName: Ruling] = [:]
        /// What came of it, from when it is over: upheld is ``Conduct/kept``, rejected ``Conduct/refuted``, not decided ``Conduct/undecided``.
        public internal(set) var outcome: Conduct?
        /// The vote of the quorum.
        public internal(set) var ruling: Ruling?
    }

    /// The best feedback so far: the baseline's at the beginning.
    public var best: Score { improvements.last?.score ?? terms.goal.baseline }

    /// The models whose final score decides: those whose feedback reached the target, the best first, at most the terms' finalists.
    public var candidates: [Int] {
        improvements.filter { reachesTarget($0.score) }.suffix(terms.goal.finalists).reversed().map(\.node)
    }

    func reachesTarget(_ score: Score) -> Bool {
        terms.goal.direction.gain(from: terms.goal.target, to: score) >= 0
    }

    /// Whether an update was shown, and nobody committed to the same earlier.
    public func counts(_ update: Update) -> Bool { update.content.map { updateContents[$0] == update.order } ?? false }

    /// Whether a proposal was shown, and nobody committed to the same earlier.
    public func counts(_ proposal: Proposal) -> Bool {
        proposal.content.map { proposalContents[$0] == proposal.order } ?? false
    }

    /// The proposal that a node of the tree belongs to.
    func proposal(of node: Int) -> Int? {
        tree.specification(above: node).flatMap { node in proposals.firstIndex { $0.node == node } }
    }

    /// Who is paid for a node: the scientist of its proposal, or of an earlier one to the same content.
    func author(of node: Int) -> PartyName? {
        guard let own = proposal(of: node), let content = proposals[own].content else { return nil }
        return proposals.first { $0.order == proposalContents[content] }?.scientist
    }

    /// Whether a party takes part, in any role.
    public func takesPart(_ party: PartyName) -> Bool {
        party == sponsor || owners[party] != nil || providers[party] != nil
            || proposals.contains { $0.scientist == party }
    }

    // MARK: money

    /// The accounts of a task.
    public struct Accounts: Sendable {
        /// The three pots.
        public let data: AccountName, computation: AccountName, expertise: AccountName
        /// What was delivered and is not yet paid.
        public let due: AccountName
        /// Everybody's deposits.
        public let deposits: AccountName
        /// What is settled and not yet paid.
        public let payable: AccountName

        /// In a fixed order, the deposits last.
        public var all: [AccountName] { [data, computation, expertise, due, payable, deposits] }

        /// The accounts of the task of that name.
        public init(_ task: Digest256) {
            func name(_ text: String) -> AccountName { AccountName(unchecked: "task/\(task.hex)/\(text)") }
            data = name("pot-data")
            computation = name("pot-computation")
            expertise = name("pot-expertise")
            due = name("due")
            deposits = name("deposits")
            payable = name("payable")
        }
    }

    /// Its accounts.
    public var accounts: Accounts { Accounts(id) }

    /// The name of a job's hold on the computation pot.
    public func hold(ofJob job: Int) -> Digest256 {
        var bytes = CanonicalBytes("job-hold")
        bytes.append(id)
        bytes.append(job)
        return bytes.digest
    }
}

/// What an action comes to: the money that it moves, and the change that follows once the book has taken it.
struct Effect {
    var steps: [BookStep] = []
    var events: [ReputationEvent] = []
    var result = MarketResult.none
    var change: (inout MarketTask) -> Void
}

extension [BookStep] {
    /// Adds a movement, unless there is nothing to move.
    mutating func move(_ amount: Int64, from: AccountName, to: AccountName) {
        if amount != 0 { append(.move(Movement(from: from, to: to, amount: amount))) }
    }
}
