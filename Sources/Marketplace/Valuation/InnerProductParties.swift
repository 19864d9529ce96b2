/// Inner products of a sponsor's vectors with an owner's updates, summed over rounds on shares, of which the sums alone are opened: neither sees the other's vector or a round's product.
///
/// In a round the sponsor, who has g and a, sends g - a, and the owner, who has u and b, sends u - b. With shares r + s = <a, b> of a ``CorrelationDealer``,
///
///     <g, u - b> + r   at the sponsor,   and   <g - a, b> + s   at the owner,
///
/// sum to <g, u> modulo 2^64 (Beaver 1997; Du and Atallah, "Privacy-preserving cooperative statistical computations", 2001). Vectors are in fixed point, so that sums are exact.
///
/// **Privacy.** Each message is a vector under a mask of ChaCha20 that serves once: to a party without the key it is random, whatever the vector. A simulator with the totals alone makes
/// all that a semi-honest party sees. The sponsor learns, for each owner, the totals of her parts over all rounds that both count: one number a part. She knows her own vectors, so
/// that a total is one linear equation in sums of updates: with few rounds, many parts, or vectors that she chose for it, totals say something about an update. That is
/// why totals are charged unless each update is private by itself (``ScoreNoise``), and why nothing but totals is opened.
///
/// **Threat model.** Sponsor and owner follow the protocol but look at all they see; the dealer colludes with neither. Who deviates is not stopped here: an owner can give another
/// update than to the aggregation, or open another share, and a sponsor another vector. What bounds it: a total beyond what clipped vectors have is refused; the totals must sum
/// to what the model's own steps did (``ContributionReport``), so that who raises her own is found unless another one lowers his; commitments and receipts let a referee compute both
/// again under an owner's explicit policy.
///
/// **Once.** A mask serves one round; state is stored before a message is sent, since a copy of an earlier state would use a mask twice, and two vectors under one mask tell
/// their difference.
public struct InnerProductSponsor: Sendable, CustomStringConvertible, CustomReflectable {
    private let terms: ValuationTerms
    private let correlation: SponsorCorrelation
    private var next = 0
    private var pending: (round: Int, vectors: [[UInt64]], shares: [UInt64])?
    private var sums: [UInt64]
    private var rounds: [Int] = []

    /// Her side for one owner.
    ///
    /// - Throws: ``ValuationError/otherSession``.
    public init(terms: ValuationTerms, correlation: SponsorCorrelation) throws(ValuationError) {
        guard correlation.terms == terms.digest else { throw .otherSession }
        self.terms = terms
        self.correlation = correlation
        sums = correlation.noise
    }

    /// Begins a round. One that was begun and not answered is not counted; rounds can be left out, and do not go back.
    ///
    /// - Parameter vectors: One a part, each as long as the model; clipped to the terms' norm.
    /// - Throws: ``ValuationError``.
    public mutating func begin(round: Int, vectors: [[Float]]) throws(ValuationError) -> MaskedGradients {
        guard (next..<terms.rounds).contains(round) else {
            throw .round(round, expected: "\(next) to \(terms.rounds - 1)")
        }
        guard vectors.count == terms.folds else { throw .length(vectors.count, expected: terms.folds) }
        var encoded: [[UInt64]] = []
        var masked: [[UInt64]] = []
        var shares: [UInt64] = []
        for (fold, vector) in vectors.enumerated() {
            let words = try terms.encoded(vector, norm: terms.gradientNorm)
            let (mask, share) = terms.sponsorMask(correlation.key, round: round, fold: fold)
            encoded.append(words)
            masked.append(zip(words, mask).map { $0 &- $1 })
            shares.append(share)
        }
        next = round + 1
        pending = (round, encoded, shares)
        return MaskedGradients(terms: terms.digest, owner: correlation.owner, round: round, words: masked)
    }

    /// Takes the owner's answer and ends the round.
    ///
    /// - Throws: ``ValuationError``; nothing is counted then.
    public mutating func take(_ update: MaskedUpdate) throws(ValuationError) {
        guard update.terms == terms.digest, update.owner == correlation.owner else { throw .otherSession }
        guard let pending, pending.round == update.round else {
            throw .round(update.round, expected: "the round that was begun")
        }
        guard update.words.count == terms.dimension else {
            throw .length(update.words.count, expected: terms.dimension)
        }
        for fold in sums.indices {
            sums[fold] &+= ValuationTerms.product(pending.vectors[fold], update.words) &+ pending.shares[fold]
        }
        rounds.append(pending.round)
        self.pending = nil
    }

    /// Opens the totals with the owner's share.
    ///
    /// - Parameter noiseBound: What noise may add to a total at the most, in the totals' unit.
    /// - Returns: By part.
    /// - Throws: ``ValuationError``.
    public func open(_ opened: OpenedTotals, noiseBound: Double = 0) throws(ValuationError) -> [Double] {
        guard opened.terms == terms.digest, opened.owner == correlation.owner else { throw .otherSession }
        guard opened.shares.count == terms.folds else { throw .length(opened.shares.count, expected: terms.folds) }
        guard opened.rounds == rounds else { throw .differentRounds }
        let totals = zip(sums, opened.shares).map { ValuationTerms.decoded($0 &+ $1) }
        let bound = Double(rounds.count) * (terms.updateNorm * terms.gradientNorm + terms.roundingError) + noiseBound
        guard totals.allSatisfy({ abs($0) <= bound }) else { throw .outOfBounds(opened.owner) }
        return totals
    }

    /// The owner and the number of rounds alone.
    public var description: String { "InnerProductSponsor(owner: \(correlation.owner), rounds: \(rounds.count))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The owner's side of ``InnerProductSponsor``, where privacy and threat model stand.
public struct InnerProductOwner: Sendable, CustomStringConvertible, CustomReflectable {
    private let terms: ValuationTerms
    private let correlation: OwnerCorrelation
    private var next = 0
    private var sums: [UInt64]
    private var rounds: [Int] = []
    private var isOpened = false

    /// Her side.
    ///
    /// - Throws: ``ValuationError/otherSession``.
    public init(terms: ValuationTerms, correlation: OwnerCorrelation) throws(ValuationError) {
        guard correlation.terms == terms.digest else { throw .otherSession }
        self.terms = terms
        self.correlation = correlation
        sums = correlation.noise
    }

    /// Answers a round, and counts it.
    ///
    /// - Parameter update: As long as the model; clipped to the terms' norm.
    /// - Throws: ``ValuationError``; nothing is counted then.
    public mutating func answer(_ gradients: MaskedGradients, update: [Float]) throws(ValuationError) -> MaskedUpdate {
        guard gradients.terms == terms.digest, gradients.owner == correlation.owner else { throw .otherSession }
        let round = gradients.round
        guard !isOpened, (next..<terms.rounds).contains(round) else {
            throw .round(round, expected: isOpened ? "none: the totals are opened" : "\(next) to \(terms.rounds - 1)")
        }
        guard gradients.words.count == terms.folds else {
            throw .length(gradients.words.count, expected: terms.folds)
        }
        for words in gradients.words where words.count != terms.dimension {
            throw .length(words.count, expected: terms.dimension)
        }
        let words = try terms.encoded(update, norm: terms.updateNorm)
        let mask = correlation.key.expanded(stream: round, count: terms.dimension)
        for fold in sums.indices {
            sums[fold] &+=
                ValuationTerms.product(gradients.words[fold], mask)
                &+ correlation.corrections[round * terms.folds + fold]
        }
        next = round + 1
        rounds.append(round)
        let masked = zip(words, mask).map { $0 &- $1 }
        return MaskedUpdate(terms: terms.digest, owner: correlation.owner, round: round, words: masked)
    }

    /// Her share of the totals, at settlement. No round follows.
    public mutating func open() -> OpenedTotals {
        isOpened = true
        return OpenedTotals(terms: terms.digest, owner: correlation.owner, rounds: rounds, shares: sums)
    }

    /// The owner and the number of rounds alone.
    public var description: String { "InnerProductOwner(owner: \(correlation.owner), rounds: \(rounds.count))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
