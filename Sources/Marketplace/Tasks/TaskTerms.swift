/// What a task promises, frozen at funding: everybody who takes part relies on its ``digest``.
public struct TaskTerms: Sendable, Hashable, Codable {
    /// Limits of what a task can ask, in one place.
    public enum Limit {
        /// The most that a pot, a limit or a gain of fraud may be, in minor units.
        public static let amount: Int64 = 1_000_000_000_000_000
        /// The latest time, in seconds.
        public static let time: Int64 = 1 << 52
        /// The most proposals, and rounds of training.
        public static let proposals = 256, rounds = 4_096
        /// The most owners, providers and referees: a verdict on so many owners and evaluations is no longer than ``SignedEntry/mostBytes``.
        public static let owners = 512, providers = 256, referees = 31
        /// The most jobs of computation, and evaluations.
        public static let jobs = 4_096, evaluations = 1_024
        /// The deepest that a tree of models grows.
        public static let depth = 200
    }

    /// What is paid at the most for what, in minor units.
    public struct Pot: Sendable, Hashable, Codable {
        /// To owners of data.
        public var data: Int64
        /// To providers of computation; paid whether or not the target is reached.
        public var computation: Int64
        /// To scientists.
        public var expertise: Int64

        /// The three parts.
        public init(data: Int64, computation: Int64, expertise: Int64) {
            self.data = data
            self.computation = computation
            self.expertise = expertise
        }

        /// All of it.
        public var total: Int64 { data + computation + expertise }
    }

    /// What is measured, and where it begins and is to end.
    public struct Goal: Sendable, Hashable, Codable {
        /// A digest of the metric's definition.
        public var metric: Digest256
        /// Whether more is better.
        public var direction: Direction
        /// What is had without the task. A multiple of the step.
        public var baseline: Score
        /// What is to be reached.
        public var target: Score
        /// The Ladder's step: feedback moves by whole steps only.
        public var step: Score
        /// A commitment to the validation rows.
        public var validation: Digest256
        /// How many models are evaluated at the most, of all proposals and of each.
        public var evaluations: Int, evaluationsEach: Int
        /// How many models that reached the target are evaluated on the untouched part.
        public var finalists: Int

        /// The goal.
        public init(
            metric: Digest256, direction: Direction, baseline: Score, target: Score, step: Score,
            validation: Digest256, evaluations: Int, evaluationsEach: Int, finalists: Int
        ) {
            self.metric = metric
            self.direction = direction
            self.baseline = baseline
            self.target = target
            self.step = step
            self.validation = validation
            self.evaluations = evaluations
            self.evaluationsEach = evaluationsEach
            self.finalists = finalists
        }
    }

    /// How pots are divided.
    public struct Formula: Sendable, Hashable, Codable {
        /// Which part of the expertise pot goes to the winner's ancestors, in thousandths; the rest to whoever improved on the best so far.
        public var ancestorThousandths: Int64
        /// A contribution counts from so many standard errors above zero, in thousandths.
        public var significanceThousandths: Int64
        /// What 10^9 units of metered work cost, in minor units, and what a proposal's work may cost at the most.
        public var price: Int64, computationEach: Int64

        /// The formula.
        public init(
            ancestorThousandths: Int64, significanceThousandths: Int64, price: Int64, computationEach: Int64
        ) {
            self.ancestorThousandths = ancestorThousandths
            self.significanceThousandths = significanceThousandths
            self.price = price
            self.computationEach = computationEach
        }
    }

    /// What one fraud brings at the most, in minor units: what a newcomer's deposit is (``DepositPolicy``). A sponsor's is the pots of data and expertise.
    public struct FraudGains: Sendable, Hashable, Codable {
        /// Of a proposal, and of an owner's part.
        public var scientist: Int64, owner: Int64
        /// Of a provider: what its work that is not settled may come to.
        public var provider: Int64
        /// What a dispute costs whoever raises it without being right.
        public var dispute: Int64

        /// The gains.
        public init(scientist: Int64, owner: Int64, provider: Int64, dispute: Int64) {
            self.scientist = scientist
            self.owner = owner
            self.provider = provider
            self.dispute = dispute
        }
    }

    /// Who decides disputes: so many equal votes of these parties.
    public struct Court: Sendable, Hashable, Codable {
        /// Different parties, the sponsor not among them.
        public var referees: [PartyName]
        /// More than half of them.
        public var quorum: Int
        /// What a decision costs, out of the loser's deposit.
        public var fee: Int64

        /// The court.
        public init(referees: [PartyName], quorum: Int, fee: Int64) {
            self.referees = referees
            self.quorum = quorum
            self.fee = fee
        }
    }

    /// When what ends: seconds since an epoch that everybody knows; windows in seconds.
    public struct Schedule: Sendable, Hashable, Codable {
        /// A funded task that is not open by then expires.
        public var openBy: Int64
        /// Proposals of the first wave are committed before this, and shown from then on until `revealUntil`.
        public var proposalsUntil: Int64, revealUntil: Int64
        /// How long after its commitment a later proposal is shown at the earliest.
        public var revealDelay: Int64
        /// Models are trained, and their evaluation asked for, before this.
        public var trainUntil: Int64
        /// The sponsor evaluates and declares before this.
        public var declareUntil: Int64
        /// How long a declaration waits for the log's checkpoint, how long it can be disputed, how long a dispute can last, and how long
        /// payouts can be claimed before they are sent.
        public var checkpointPatience: Int64, challengeWindow: Int64, rulingWindow: Int64, claimWindow: Int64

        /// The schedule.
        public init(
            openBy: Int64, proposalsUntil: Int64, revealUntil: Int64, revealDelay: Int64, trainUntil: Int64,
            declareUntil: Int64, checkpointPatience: Int64, challengeWindow: Int64, rulingWindow: Int64,
            claimWindow: Int64
        ) {
            self.openBy = openBy
            self.proposalsUntil = proposalsUntil
            self.revealUntil = revealUntil
            self.revealDelay = revealDelay
            self.trainUntil = trainUntil
            self.declareUntil = declareUntil
            self.checkpointPatience = checkpointPatience
            self.challengeWindow = challengeWindow
            self.rulingWindow = rulingWindow
            self.claimWindow = claimWindow
        }
    }

    /// A digest of the words that people read: purpose, rules, privacy limits.
    public var rules: Digest256
    /// What is paid at the most.
    public var pot: Pot
    /// What is to be reached.
    public var goal: Goal
    /// How pots are divided.
    public var formula: Formula
    /// What deposits are measured by.
    public var gains: FraudGains
    /// Who decides disputes.
    public var court: Court
    /// When what ends.
    public var schedule: Schedule

    /// The terms; they are checked where a task is drafted.
    public init(
        rules: Digest256, pot: Pot, goal: Goal, formula: Formula, gains: FraudGains, court: Court, schedule: Schedule
    ) {
        self.rules = rules
        self.pot = pot
        self.goal = goal
        self.formula = formula
        self.gains = gains
        self.court = court
        self.schedule = schedule
    }

    /// SHA-256 over every field in a canonical form: what is funded, and what all rely on.
    public var digest: Digest256 {
        var bytes = CanonicalBytes("terms")
        append(to: &bytes)
        return bytes.digest
    }
}
