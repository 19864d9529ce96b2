internal import ModularArithmetic

/// Three proofs side by side, one of each party to both others, that inner products of vectors are what was claimed: of each the part of one party, as prover, as the first verifier of the party behind it and as the second one of the
/// party before it.
///
/// **A level.** The vectors' parts are coefficients of A(X) and B(X); the prover shares all coefficients of A B but the middle one, which is the claim, between the verifiers: one share follows from a key, the other one
/// is sent. Both then tell a challenge, which they draw from the key that the prover lacks, and all fold: the claim is A B of the challenge, a share of it at each verifier, and the vectors are A and B of
/// it. Behind the last level each vector is one element, which the verifiers show each other with their shares of the claim (Boyle, Gilboa, Ishai and Nof 2019, section 4.2, in the folding of Bootle et al. 2016).
///
/// **Soundness.** A claim that is false stays so but for at most 2 (radix - 1) of 2^64 challenges a level: A B and what the prover says differ in a coefficient, by what vanishes at no more of them. The prover
/// cannot know a challenge before it has sent what that is drawn for.
///
/// **Privacy.** A verifier sees a share of coefficients, uniform to it, and one element at the end, to which a random one that it does not know was added, times an invertible one: challenges
/// are never zero. The other's last share follows. The prover sees challenges.
struct FoldingProof<Statement: ProofStatement>: Sendable, CustomStringConvertible, CustomReflectable {
    typealias Ring = Statement.Ring
    let statement: Statement
    let keys: PairwiseKeys
    /// A number of this kind of proof, below 4.
    let number: Int

    private var own: (first: [UInt64], second: [UInt64]) = ([], [])
    /// As the first verifier of the party behind, and as the second one of the party before.
    private var first: (vector: [UInt64], claim: [UInt64]) = ([], [])
    private var second: (vector: [UInt64], claim: [UInt64]) = ([], [])
    private var coins: (own: ProofCoins, first: ProofCoins, second: ProofCoins)?
    /// Shares of the level's coefficients, of the party behind and of the party before.
    private var shares: (first: [UInt64], second: [UInt64]) = ([], [])

    init(_ statement: Statement, keys: PairwiseKeys, number: Int) {
        (self.statement, self.keys, self.number) = (statement, keys, number)
    }

    /// How many levels there are.
    var levels: Int { Self.levels(statement) }

    static func levels(_ statement: Statement) -> Int {
        // A mask beside each vector.
        statement.isEmpty ? 0 : 1 + Ring.levels(statement.vectorCount + 2)
    }

    /// Words that the prover sends at a level.
    func words(_ level: Int) -> Int {
        guard level < levels else { return 0 }
        return (level == 0 ? statement.coefficientCount : 2 * Ring.radix - 2) * Ring.width
    }

    /// Words that each verifier shows at the end.
    var lastWords: Int { statement.isEmpty ? 0 : 2 * Ring.width }

    private func stream(_ level: Int, _ part: Int) -> MaskStream {
        MaskStream(number, .proof, layer: level, part: part)
    }

    mutating func begin(own: ProofCoins, first: ProofCoins, second: ProofCoins) {
        guard !statement.isEmpty else { return }
        coins = (own, first, second)
        self.first.claim = statement.claim(isFirst: true, first)
        self.second.claim = statement.claim(isFirst: false, second)
    }

    /// What goes to the party behind.
    mutating func sendCoefficients(_ level: Int) -> [UInt64] {
        guard level < levels, let coins else { return [] }
        let all = level == 0 ? statement.coefficients(coins.own) : Ring.coefficients(own.first, own.second)
        shares.first = keys.next.words(all.count, stream(level, 0))
        return Ring.subtracted(all, keys.own.words(all.count, stream(level, 0)))
    }

    mutating func takeCoefficients(_ words: [UInt64]) { shares.second = words }

    /// Folds by challenges: the own one, and those of the parties whose proofs it verifies.
    mutating func fold(
        _ level: Int, own ownChallenge: UInt64, first firstChallenge: UInt64, second secondChallenge: UInt64
    ) {
        guard level < levels, let coins else { return }
        guard level > 0 else {
            return foldFirst(coins, own: ownChallenge, first: firstChallenge, second: secondChallenge)
        }
        first.claim = Ring.claim(first.claim, shares.first, firstChallenge)
        second.claim = Ring.claim(second.claim, shares.second, secondChallenge)
        first.vector = Ring.folded(first.vector, firstChallenge, isFirst: true)
        second.vector = Ring.folded(second.vector, secondChallenge, isFirst: false)
        own.first = Ring.folded(own.first, ownChallenge, isFirst: true)
        own.second = Ring.folded(own.second, ownChallenge, isFirst: false)
    }

    private mutating func foldFirst(
        _ coins: (own: ProofCoins, first: ProofCoins, second: ProofCoins), own ownChallenge: UInt64,
        first firstChallenge: UInt64, second secondChallenge: UInt64
    ) {
        if statement.coefficientCount > 0 {
            first.claim = Ring.claim(first.claim, shares.first, firstChallenge)
            second.claim = Ring.claim(second.claim, shares.second, secondChallenge)
        }
        first.claim = Ring.added(first.claim, statement.laterClaim(isFirst: true, coins.first))
        second.claim = Ring.added(second.claim, statement.laterClaim(isFirst: false, coins.second))
        /// A vector, the mask behind it, and a zero where the other vector has its own.
        func masked(isOwn: Bool, isFirst: Bool, _ coins: ProofCoins, _ challenge: UInt64, by key: CipherKey) -> [UInt64]
        {
            let mask = key.words(Ring.width, stream(0, isFirst ? 1 : 2))
            return statement.vector(isOwn: isOwn, isFirst: isFirst, coins, challenge)
                + (isFirst ? mask + Ring.zero : Ring.zero + mask)
        }
        first.vector = masked(isOwn: false, isFirst: true, coins.first, firstChallenge, by: keys.next)
        second.vector = masked(isOwn: true, isFirst: false, coins.second, secondChallenge, by: keys.own)
        own.first = masked(isOwn: true, isFirst: true, coins.own, ownChallenge, by: keys.own)
        own.second = masked(isOwn: false, isFirst: false, coins.own, ownChallenge, by: keys.next)
    }

    /// What the other verifier is shown: of the party behind's proof to the party before, and the other way round.
    var last: Outgoing {
        statement.isEmpty
            ? Outgoing() : Outgoing(next: second.vector + second.claim, previous: first.vector + first.claim)
    }

    /// Whether both proofs that this party verifies hold.
    func holds(_ incoming: Incoming) -> Bool {
        statement.isEmpty
            || Self.holds(first, Array(incoming.previous)) && Self.holds(second, Array(incoming.next))
    }

    private static func holds(_ own: (vector: [UInt64], claim: [UInt64]), _ other: [UInt64]) -> Bool {
        let product = Ring.product(own.vector, Array(other.prefix(Ring.width)))
        return product == Ring.added(own.claim, Array(other.suffix(Ring.width)))
    }

    var description: String { "FoldingProof" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
