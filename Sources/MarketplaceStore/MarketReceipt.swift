public import Foundation
public import Marketplace
internal import TransparencyLog

/// What a party has of a task, and the signed entries that it follows from, each with its proof that it is in the market's log: what a referee, or a court, checks without the log.
///
/// **What it does not prove**: that the earnings are those of all entries of the task, and that nothing came later. A whole copy of the log does (``MarketAudit``). A contribution's score is what was declared
/// and not corrected: updates are in no entry.
public struct MarketReceipt: Sendable, Codable {
    /// A payout, and what claims it.
    public struct Paid: Sendable, Codable {
        /// How much, as what.
        public let payout: Marketplace.Payout
        /// The leaf, with its path to the settlement's root.
        public let claim: Claim
        /// Whether it was paid already.
        public let isPaid: Bool
    }

    /// A signed entry, and the proof that it is in the log.
    public struct Entry: Sendable, Codable {
        /// Its place in the log, from 0.
        public let number: Int
        /// Who asked.
        public let by: PartyName
        /// What is signed, and the signature.
        public let bytes: Data
        /// The proof of inclusion (c2sp.org/tlog-proof).
        public let proof: String
    }

    /// In which market.
    public let market: Digest256
    /// Under which its log is signed.
    public let operatorKey: PartyKey
    /// Of which task.
    public let task: Digest256
    /// Whose.
    public let party: PartyName
    /// How far the task is.
    public let stage: Stage
    /// As they were funded.
    public let terms: TaskTerms
    /// Their digest.
    public let termsDigest: Digest256
    /// What stands as the result.
    public let declaration: MarketTask.Declaration?
    /// What everybody earned, of which the payouts are made.
    public let earnings: Earnings?
    /// To which the claims lead.
    public let settlementRoot: Digest256?
    /// The party's.
    public let payouts: [Paid]
    /// The party's own, those that terms, declaration and payouts follow from, and those that give these parties their keys.
    public let entries: [Entry]

    /// The receipt of a party.
    ///
    /// - Throws: ``MarketFolderError``.
    public init(of party: PartyName, in task: MarketTask, _ audit: MarketAudit) throws(MarketFolderError) {
        (market, operatorKey) = (audit.description.market, audit.description.operatorKey)
        (self.task, self.party, stage) = (task.id, party, task.stage)
        (terms, termsDigest) = (task.terms, task.terms.digest)
        (declaration, settlementRoot) = (task.declaration, task.settlement?.root)
        earnings = task.declaration.map { task.earnings($0) }
        let settled = zip(task.settlement?.payouts ?? [], task.settlement?.claims ?? [])
        payouts = zip(settled, task.isPaid).filter { $0.0.0.party == party }.map {
            Paid(payout: $0.0.0, claim: $0.0.1, isPaid: $0.1)
        }
        let done = audit.entries.enumerated().filter { if case .done = $0.element.answer { true } else { false } }
        let chosen = done.filter { Self.matters($0.element.entry, to: party, in: task.id) }
        let parties = Set(chosen.map(\.element.entry.request.by))
        var entries: [Entry] = []
        for (number, one) in done
        where Self.matters(one.entry, to: party, in: task.id) || Self.givesKey(one.entry, to: parties) {
            entries.append(
                Entry(
                    number: number, by: one.entry.request.by, bytes: Data(one.entry.journalBytes),
                    proof: String(decoding: try audit.proof(ofEntry: number), as: UTF8.self)))
        }
        self.entries = entries
    }

    /// The party's own entries of the task, and those that terms, scores and payouts follow from.
    private static func matters(_ entry: SignedEntry, to party: PartyName, in task: Digest256) -> Bool {
        switch entry.request.action {
        case .draft: return entry.key == task
        case .task(task, let action):
            switch action {
            case .amend, .fund, .score, .declare, .checkpoint, .dispute, .vote, .settle: return true
            default: return entry.request.by == party
            }
        default: return false
        }
    }

    private static func givesKey(_ entry: SignedEntry, to parties: Set<PartyName>) -> Bool {
        switch entry.request.action {
        case .register(let party, _): parties.contains(party)
        case .rotate: parties.contains(entry.request.by)
        default: false
        }
    }

    // MARK: checking

    /// Checks everything that the receipt can show.
    ///
    /// - Parameter key: The operator's, from elsewhere.
    /// - Throws: ``MarketFolderError``: the first thing that is wrong.
    public func verify(_ key: PartyKey) throws(MarketFolderError) {
        guard key == operatorKey else { throw .otherKey(operatorKey, expected: key) }
        let requests = try verifiedEntries()
        try verifyTerms(requests)
        guard let declaration else { return try demand(payouts.isEmpty, "payouts without a declaration") }
        try demand(isOf(requests, declaration), "the declaration is not that of the entries")
        try verifyPayouts(requests, declaration)
    }

    private func demand(_ holds: Bool, _ words: String) throws(MarketFolderError) {
        guard holds else { throw .contradiction(words) }
    }

    /// Each is in the log and signed under its party's key of then.
    private func verifiedEntries() throws(MarketFolderError) -> [SignedEntry] {
        var keys: [PartyName: PartyKey] = [:]
        var verified: [SignedEntry] = []
        var last = -1
        for entry in entries {
            let signed: SignedEntry
            do {
                try Self.verify(entry, log: LogIdentity(market: market, operatorKey: operatorKey))
                signed = try SignedEntry(journalBytes: [UInt8](entry.bytes))
            } catch { throw .contradiction("entry \(entry.number): \(error)") }
            try demand(entry.number > last, "entry \(entry.number) is not behind entry \(last)")
            last = entry.number
            let request = signed.request
            try demand(
                request.market == market && request.by == entry.by,
                "entry \(entry.number) is of another market or party")
            // The operator's entries, and no others, have a time.
            let signer = request.time == nil ? keys[request.by] : operatorKey
            try demand(
                signer.map { signed.isSigned(under: $0) } ?? false,
                "entry \(entry.number) is not signed under a key that the receipt shows to be \(request.by)'s")
            switch request.action {
            case .register(let party, let key): keys[party] = key
            case .rotate(let key): keys[request.by] = key
            default: break
            }
            verified.append(signed)
        }
        return verified
    }

    private static func verify(_ entry: Entry, log: LogIdentity) throws {
        let proof = try LogProof(parsing: Array(entry.proof.utf8))
        guard proof.index == UInt64(entry.number) else {
            throw MarketFolderError.contradiction("the proof is of entry \(proof.index)")
        }
        _ = try proof.verify(
            .leaf([UInt8](entry.bytes)), policy: LogPolicy("quorum none\n"), log: log, latestTime: .max)
    }

    private func verifyTerms(_ requests: [SignedEntry]) throws(MarketFolderError) {
        var drafted: TaskTerms?
        for entry in requests {
            switch entry.request.action {
            case .draft(let terms) where entry.key == task: drafted = terms
            case .task(task, .amend(let terms)): drafted = terms
            case .task(task, .fund(let digest)):
                try demand(digest == termsDigest, "the terms are not those that were funded")
            default: break
            }
        }
        try demand(drafted == terms && terms.digest == termsDigest, "the terms are not those of the draft")
    }

    /// Whether it is what the sponsor declared, or what a quorum of the referees put in its place.
    private func isOf(_ requests: [SignedEntry], _ declaration: MarketTask.Declaration) -> Bool {
        guard let verdict = declaration.verdict else { return true }
        guard declaration.isCorrected else {
            return requests.contains { $0.request.action == .task(task, .declare(verdict)) }
        }
        let votes = Dictionary(grouping: requests) { entry -> Int? in
            guard case .task(task, .vote(let dispute, .upheld(verdict))) = entry.request.action else { return nil }
            return dispute
        }
        return votes.contains { dispute, entries in
            let voters = Set(entries.map(\.request.by)).intersection(terms.court.referees)
            return dispute != nil && voters.count >= terms.court.quorum
        }
    }

    /// From terms, declaration and earnings to the root and the claims.
    private func verifyPayouts(
        _ requests: [SignedEntry], _ declaration: MarketTask.Declaration
    ) throws(MarketFolderError) {
        let settled = requests.compactMap { entry -> (Salt, [UInt8])? in
            guard case .task(task, .settle(let seed, let binding)) = entry.request.action else { return nil }
            return (seed, binding)
        }
        guard let (seed, binding) = settled.first, let earnings, let settlementRoot else {
            return try demand(payouts.isEmpty, "payouts without a settlement")
        }
        try demand(
            declaration.verdict == nil || earnings.contributions == declaration.verdict?.contributions,
            "the contributions are not those that were declared")
        let settlement: Settlement
        let sponsor = requests.first { $0.key == task }?.request.by ?? party
        do throws(MarketRefusal) {
            let all = try earnings.payouts(EndingTable.row(declaration.ending), terms: terms, sponsor: sponsor)
            settlement = try Settlement(
                basis: MarketTask.basis(of: declaration, task: task, terms: terms), payouts: all, seed: seed,
                binding: binding)
        } catch { throw .contradiction("the payouts do not follow: \(error)") }
        try demand(settlement.root == settlementRoot, "the payouts do not lead to the settlement's root")
        let own = zip(settlement.payouts, settlement.claims).filter { $0.0.party == party }
        try demand(
            own.map(\.0) == payouts.map(\.payout) && own.map(\.1) == payouts.map(\.claim),
            "the payouts are not those that follow from terms, declaration and earnings")
    }
}
