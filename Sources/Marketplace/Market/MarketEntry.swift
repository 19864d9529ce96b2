/// What a party asks the market to do, and when: of an ``AdmittedEntry``, at the market's time.
struct MarketEntry: Sendable, Hashable, Codable {
    /// Names the entry: who asks again with the same key has the same answer, and nothing is done twice. A draft's key is its task's name.
    let key: Digest256
    /// Seconds since the market's epoch, which do not go back. No part of the content: a repeated entry may come later.
    let time: Int64
    /// Who asks.
    let by: PartyName
    /// What is asked.
    let action: MarketAction

    init(key: Digest256, time: Int64, by: PartyName, action: MarketAction) {
        self.key = key
        self.time = time
        self.by = by
        self.action = action
    }

    /// A digest of who asks what.
    var content: Digest256 {
        var bytes = CanonicalBytes("market-entry")
        bytes.append(by.text)
        action.append(to: &bytes)
        return bytes.digest
    }
}

/// What can be asked of the market.
public enum MarketAction: Sendable, Hashable, Codable {
    /// By the operator: a party has an account from now on, and acts under this key.
    case register(PartyName, key: PartyKey)
    /// By the operator: the entry's time has come.
    case clock
    /// A party acts under this key from the next entry on, and no longer under the one before.
    case rotate(PartyKey)
    /// By the operator: a party paid so much in.
    case credit(PartyName, amount: Int64)
    /// A party takes so much out.
    case withdraw(amount: Int64)
    /// A sponsor writes a task, whose name is the entry's key.
    case draft(TaskTerms)
    /// Something of a task.
    case task(Digest256, TaskAction)
}

/// What can be asked of a task: each moves it by one transition.
public enum TaskAction: Sendable, Hashable, Codable {
    /// By the sponsor: other terms for a draft.
    case amend(TaskTerms)
    /// By the sponsor: pays the pots and her deposit, and freezes the terms of this digest.
    case fund(terms: Digest256)
    /// By the sponsor: proposals may come.
    case open
    /// By the sponsor, as long as nobody committed to anything: ends and refunds.
    case cancel
    /// A scientist commits to a proposal (``Commitment``), with a deposit.
    case commitProposal(Digest256)
    /// A scientist shows a proposal below a node of the tree, the root's number being 0.
    case showProposal(Int, parent: Int, content: Digest256, salt: Salt)
    /// A party takes part as owner or provider, with a deposit.
    case join(Role)
    /// A scientist begins a round of training that goes on from a node.
    case beginRound(parent: Int)
    /// An owner commits to an update.
    case commitUpdate(round: Int, Digest256)
    /// A scientist ends the commitments of a round: updates are shown from now on.
    case closeRound(Int)
    /// An owner shows an update's digest.
    case showUpdate(round: Int, content: Digest256, salt: Salt)
    /// A scientist adds the model that a round came to, with the digest of its receipts of cost and privacy.
    case finishRound(Int, content: Digest256, receipts: Digest256)
    /// A scientist lets a provider compute for a proposal, up to a limit in minor units and a time.
    case authorise(proposal: Int, provider: PartyName, limit: Int64, until: Int64)
    /// A provider delivers a job's result, with the metered units of work and a receipt's digest.
    case deliver(job: Int, units: Int64, receipt: Digest256)
    /// A scientist asks for a model's evaluation.
    case requestEvaluation(node: Int)
    /// By the sponsor: an evaluation's feedback by the Ladder (Blum and Hardt 2015); nil: no improvement on the best so far.
    case score(evaluation: Int, Score?)
    /// By the sponsor: the final scores of the candidates in their order, and who contributed what to the winner.
    case declare(Verdict)
    /// By the operator: the log's first checkpoint after the declaration, which draws the rows that are opened in a dispute.
    case checkpoint(Digest256)
    /// Somebody who takes part says that something is wrong, with a deposit.
    case dispute(DisputeSubject)
    /// A referee's vote.
    case vote(dispute: Int, Ruling)
    /// Fixes the payouts; the seed salts the leaves, the binding is what a rail binds the root to.
    case settle(seed: Salt, binding: [UInt8])
    /// Pays a leaf to its party.
    case claim(Claim)
    /// Does what is due by the time.
    case tick
}

/// Final scores, and the contributions to the model that wins by them.
public struct Verdict: Sendable, Hashable, Codable {
    /// A model's score on the untouched part of the validation rows.
    public struct Final: Sendable, Hashable, Codable {
        /// Which model.
        public let node: Int
        /// Its score.
        public let score: Score

        /// The final score.
        public init(node: Int, score: Score) {
            self.node = node
            self.score = score
        }
    }

    /// Of different models, in the order of their nodes: the sponsor's of all ``MarketTask/candidates``; the referees' of any models whose evaluation was asked for.
    public let finals: [Final]
    /// Of owners whose updates count on the winner's path, each once; none where no candidate reaches the target.
    public let contributions: [Contribution]

    /// The verdict; it is checked where it is applied.
    public init(finals: [Final], contributions: [Contribution]) {
        self.finals = finals
        self.contributions = contributions
    }
}

/// What is said to be wrong.
public enum DisputeSubject: Sendable, Hashable, Codable {
    /// The sponsor's declaration.
    case declaration
    /// A provider's job.
    case job(Int)
}

/// A referee's answer to a dispute. Equal answers of a quorum decide.
public enum Ruling: Sendable, Hashable, Codable {
    /// Nothing is wrong.
    case rejected
    /// It is wrong; of a declaration, with what is right.
    case upheld(Verdict?)
}

/// What an entry came to.
public enum MarketAnswer: Sendable, Hashable, Codable {
    /// It was done.
    case done(MarketResult)
    /// Nothing was done, and nothing will be under this key.
    case refused(MarketRefusal)
    /// The key stands for another content: nothing was done.
    case keyIsTaken
    /// It is nobody's: nothing was done, and nothing is kept.
    case notAdmitted(AdmissionRefusal)
    /// The time is before one that the market has seen, or below 0: nothing was done, and the key is free.
    case clockWentBack(latest: Int64)
}

/// What was made.
public enum MarketResult: Sendable, Hashable, Codable {
    /// Nothing that has a name.
    case none
    /// A task.
    case task(Digest256)
    /// A proposal of this number.
    case proposal(Int)
    /// A node of the tree.
    case node(Int)
    /// A round of training.
    case round(Int)
    /// A job of computation.
    case job(Int)
    /// An evaluation.
    case evaluation(Int)
    /// A dispute.
    case dispute(Int)
    /// The root of the payouts.
    case settlement(root: Digest256)
}
