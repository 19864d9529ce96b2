internal import ModularArithmetic

/// The verification of all that three parties sent before, in one batch: of conjunctions over GF(2^64) and of products over GR(2^64, 64), side by side.
///
/// **Rounds.** In the first one each prover is told words from which the weights of its claims are drawn; two a level follow (``FoldingProof``), of which the last one needs no challenge told, and one in which verifiers show each other what is left.
///
/// **Coins.** Both verifiers of party j have the key of number j + 2, which j lacks and which one of them drew: where j deviates, they are honest, and their coins are pseudorandom to it until they tell them. A verifier tells
/// coins only when it has itself received what they are drawn for, since it cannot know whether the other one has: of what was sent before the proof each of both has a part, so that each tells a half of the words that weights
/// follow from; coefficients go to the second one alone, which tells challenges. A verifier that tells other coins makes the proof of an honest prover fail, and learns nothing: all that the prover sends is under masks.
///
/// **Soundness.** One party deviates, so that one proof may be false. Weights of gates miss an error with probability 2^-64, those of numbers with 2^-63; the first fold has polynomials of degree 126 and 30, others of 14 and 6; levels
/// are below 14 and 18 for 2^44 gates and 2^38 products. Altogether at most (1 + 126 + 14 * 14 + 2 + 30 + 6 * 18) / (2^64 - 1) < 2^-55, with AES as a pseudorandom function.
struct BatchProof: Sendable, CustomStringConvertible, CustomReflectable {
    private var gates: FoldingProof<GateStatement>
    private var numbers: FoldingProof<NumberStatement>
    private let keys: PairwiseKeys
    let levels: Int

    init(_ records: VerifiedRecords, party: ComputingParty, keys: PairwiseKeys) {
        gates = FoldingProof(
            GateStatement(
                terms: records.gates, steps: records.gateSteps, claims: records.claims, party: party, keys: keys),
            keys: keys, number: 0)
        numbers = FoldingProof(
            NumberStatement(
                elements: records.elements, steps: records.elementSteps, claims: records.productClaims,
                products: records.products, party: party, keys: keys),
            keys: keys, number: 1)
        self.keys = keys
        levels = max(gates.levels, numbers.levels)
    }

    /// Of nothing there is no proof.
    var rounds: Int { Self.rounds(levels) }

    static func rounds(_ levels: Int) -> Int { levels == 0 ? 0 : 1 + 2 * levels }

    private enum Round {
        case seeds
        case coefficients(Int)
        case challenges(Int)
        case last
    }

    private func kind(_ round: Int) -> Round {
        switch round {
        case 0: .seeds
        case rounds - 1: .last
        default: round % 2 == 1 ? .coefficients(round / 2) : .challenges(round / 2 - 1)
        }
    }

    /// Words that each party sends in a round.
    func traffic(_ round: Int) -> Traffic {
        switch kind(round) {
        case .seeds: Traffic(next: ThreePartyRounds.seedWords, previous: ThreePartyRounds.seedWords)
        case .coefficients(let level): Traffic(next: gates.words(level) + numbers.words(level))
        case .challenges: Traffic(previous: 1)
        case .last:
            Traffic(next: gates.lastWords + numbers.lastWords, previous: gates.lastWords + numbers.lastWords)
        }
    }

    /// Coins of the proof of the party behind, from the own key, and of the party before, from the next one.
    private func coins(_ count: Int, _ stream: MaskStream) -> (first: [UInt64], second: [UInt64]) {
        (keys.own.words(count, stream), keys.next.words(count, stream))
    }

    /// The half that first verifiers tell, or the one that second verifiers do.
    private func seeds(isSecond: Bool) -> (first: [UInt64], second: [UInt64]) {
        coins(ThreePartyRounds.seedWords, MaskStream(0, .coins, part: isSecond ? 1 : 0))
    }

    /// A level's challenges; never zero.
    private func challenges(_ level: Int) -> (first: UInt64, second: UInt64) {
        let words = coins(1, MaskStream(0, .coins, layer: level + 1))
        return (max(words.first[0], 1), max(words.second[0], 1))
    }

    mutating func send(_ round: Int) -> Outgoing {
        switch kind(round) {
        case .seeds:
            let halves = [false, true].map { seeds(isSecond: $0) }
            return Outgoing(next: halves[0].first, previous: halves[1].second)
        case .coefficients(let level):
            return Outgoing(next: gates.sendCoefficients(level) + numbers.sendCoefficients(level))
        case .challenges(let level):
            return Outgoing(previous: [challenges(level).second])
        case .last:
            let (one, two) = (gates.last, numbers.last)
            return Outgoing(next: one.next + two.next, previous: one.previous + two.previous)
        }
    }

    private mutating func fold(_ level: Int, own: UInt64) {
        let challenges = challenges(level)
        gates.fold(level, own: own, first: challenges.first, second: challenges.second)
        numbers.fold(level, own: own, first: challenges.first, second: challenges.second)
    }

    /// Takes what both others sent; false where one of them deviated.
    mutating func receive(_ round: Int, _ incoming: Incoming) -> Bool {
        var incoming = incoming
        switch kind(round) {
        case .seeds:
            let halves = [false, true].map { seeds(isSecond: $0) }
            func joined(_ one: some Sequence<UInt64>, _ two: some Sequence<UInt64>) -> ProofCoins {
                ProofCoins(zip(one, two).map { $0 ^ $1 })
            }
            let own = joined(incoming.previous, incoming.next)
            let first = joined(halves[0].first, halves[1].first)
            let second = joined(halves[0].second, halves[1].second)
            gates.begin(own: own, first: first, second: second)
            numbers.begin(own: own, first: first, second: second)
        case .coefficients(let level):
            gates.takeCoefficients(Array(incoming.taken(next: 0, previous: gates.words(level)).previous))
            numbers.takeCoefficients(Array(incoming.previous))
            // The prover has no use for the last challenge.
            if level == levels - 1 { fold(level, own: 1) }
        case .challenges(let level):
            guard let own = incoming.next.first, own != 0 else { return false }
            fold(level, own: own)
        case .last:
            let ofGates = incoming.taken(next: gates.lastWords, previous: gates.lastWords)
            return gates.holds(ofGates) && numbers.holds(incoming)
        }
        return true
    }

    var description: String { "BatchProof" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
