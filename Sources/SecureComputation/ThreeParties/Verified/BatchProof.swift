internal import Crypto
internal import Foundation
internal import ModularArithmetic

/// The verification of all that three parties sent before, in one batch: of conjunctions over GF(2^64) and of products over GR(2^64, 64), side by side, and that what must be zero is.
///
/// **Rounds.** In the first one each prover is told two words, from which the weights of its claims are drawn; two a level follow (``FoldingProof``), and one in which verifiers show each other what is left, and
/// hashes.
///
/// **Coins.** Both verifiers of party j have the key of number j + 2, which j lacks and which one of them drew: where j deviates, they are honest, and their coins are pseudorandom to it until they tell them. Whoever tells them
/// is the one that has received what they are drawn for, and never the other one, who cannot know whether j sent it yet: results go to the first verifier, which tells the words that weights are drawn from, and
/// coefficients to the second one, which tells challenges. A verifier that tells others than they are makes the proof of an honest prover fail, and learns nothing: all that the prover sends is under masks.
///
/// **Soundness.** One party deviates, so that one proof may be false. Weights of gates miss an error with probability 2^-64, those of numbers with 2^-63; the first fold has polynomials of degree 126 and 30, others of 14 and 6; levels
/// are below 14 and 18 for 2^44 gates and 2^38 products. Altogether at most (1 + 126 + 14 * 14 + 2 + 30 + 6 * 18) / (2^64 - 1) < 2^-55, with AES as a pseudorandom function.
struct BatchProof: Sendable {
    private var gates: FoldingProof<GateStatement>
    private var numbers: FoldingProof<NumberStatement>
    private let keys: PairwiseKeys
    /// The components of what must be zero.
    private let zeros: ReplicatedWords
    private let session: [UInt8]
    let levels: Int
    private var challenge: UInt64 = 0

    init(_ records: VerifiedRecords, zeros: ReplicatedWords, keys: PairwiseKeys, session: [UInt8]) {
        gates = FoldingProof(
            GateStatement(terms: records.gates, steps: records.gateSteps, keys: keys), keys: keys, number: 0)
        numbers = FoldingProof(
            NumberStatement(
                elements: records.elements, steps: records.elementSteps, products: records.products, keys: keys),
            keys: keys, number: 1)
        (self.keys, self.zeros, self.session) = (keys, zeros, session)
        levels = max(gates.levels, numbers.levels)
    }

    /// Of nothing there is no proof.
    var rounds: Int { Self.rounds(levels) }

    static func rounds(_ levels: Int) -> Int { levels == 0 ? 0 : 2 + 2 * levels }

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
        case .seeds: Traffic(next: ThreePartyRounds.seedWords)
        case .coefficients(let level): Traffic(next: gates.words(level) + numbers.words(level))
        case .challenges: Traffic(previous: 1)
        case .last:
            Traffic(next: gates.lastWords + numbers.lastWords + 4, previous: gates.lastWords + numbers.lastWords + 4)
        }
    }

    /// Coins of the proof of the party behind, from the own key, and of the party before, from the next one.
    private func coins(_ count: Int, _ level: Int) -> (first: [UInt64], second: [UInt64]) {
        let stream = MaskStream(0, .coins, layer: level)
        return (keys.own.words(count, stream), keys.next.words(count, stream))
    }

    private static func notZero(_ coins: (first: [UInt64], second: [UInt64])) -> (first: UInt64, second: UInt64) {
        (max(coins.first[0], 1), max(coins.second[0], 1))
    }

    mutating func send(_ round: Int) -> Outgoing {
        switch kind(round) {
        case .seeds:
            let seeds = coins(ThreePartyRounds.seedWords, 0)
            return Outgoing(next: seeds.first)
        case .coefficients(let level):
            return Outgoing(next: gates.sendCoefficients(level) + numbers.sendCoefficients(level))
        case .challenges(let level):
            let challenges = Self.notZero(coins(1, level + 1))
            return Outgoing(previous: [challenges.second])
        case .last:
            let (one, two) = (gates.last, numbers.last)
            return Outgoing(
                next: one.next + two.next + zeroDigest(zeros.own),
                previous: one.previous + two.previous + zeroDigest(zeros.next))
        }
    }

    /// Takes what both others sent; false where one of them deviated.
    mutating func receive(_ round: Int, _ incoming: Incoming) -> Bool {
        var incoming = incoming
        switch kind(round) {
        case .seeds:
            let seeds = coins(ThreePartyRounds.seedWords, 0)
            let own = ProofCoins(Array(incoming.previous))
            let (first, second) = (ProofCoins(seeds.first), ProofCoins(seeds.second))
            gates.begin(own: own, first: first, second: second)
            numbers.begin(own: own, first: first, second: second)
        case .coefficients(let level):
            gates.takeCoefficients(Array(incoming.taken(next: 0, previous: gates.words(level)).previous))
            numbers.takeCoefficients(Array(incoming.previous))
        case .challenges(let level):
            guard let own = incoming.next.first, own != 0 else { return false }
            let challenges = Self.notZero(coins(1, level + 1))
            gates.fold(level, own: own, first: challenges.first, second: challenges.second)
            numbers.fold(level, own: own, first: challenges.first, second: challenges.second)
        case .last:
            let one = incoming.taken(next: gates.lastWords, previous: gates.lastWords)
            let two = incoming.taken(next: numbers.lastWords, previous: numbers.lastWords)
            // The component that this party lacks is what the others' leave to zero.
            let expected = zeroDigest(zip(zeros.own, zeros.next).map { $0 ^ $1 })
            return gates.holds(one) && numbers.holds(two) && incoming.next.elementsEqual(expected)
                && incoming.previous.elementsEqual(expected)
        }
        return true
    }

    private func zeroDigest(_ words: [UInt64]) -> [UInt64] {
        Self.digest("parley/three-party-zero/1", session, words)
    }

    /// SHA-256 of what it is for, the session and words, as four words.
    static func digest(_ purpose: String, _ session: [UInt8], _ words: [UInt64]) -> [UInt64] {
        var hash = SHA256()
        hash.update(data: Array(purpose.utf8) + session)
        words.map(\.littleEndian).withUnsafeBytes { hash.update(bufferPointer: $0) }
        let digest = Array(hash.finalize())
        return (0..<4).map { word(digest, 8 * $0) }
    }
}
