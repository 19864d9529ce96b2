import ModularArithmetic
import Secrets

@testable import SecureComputation

/// Three parties' proofs of conjunctions and products that need not be right, without a run around them: what a prover sent wrongly it goes on with, as its receiver does.
struct ProofTrio {
    let keys: [PairwiseKeys]
    private let records: [VerifiedRecords]

    /// What is wrong with what a party sent: added to results, gates by exclusive or.
    struct Errors {
        var gates: [Int: UInt64] = [:]
        var elements: [Int: UInt64] = [:]
        var matrix: [Int: UInt64] = [:]
        var convolution: [Int: UInt64] = [:]
        /// To the results of what it claims of its own bits.
        var claims: [Int: UInt64] = [:]
        /// To those of its own numbers.
        var productClaims: [Int: UInt64] = [:]
    }

    static let matrix = BilinearMap.matrices(matrixProduct)
    private static let matrixProduct = (try? MatrixProduct(rows: 3, inner: 4, columns: 2)).unsafelyUnwrapped
    static let convolution = BilinearMap.convolution(
        (try? RingConvolution(input: [2, 4, 5, 4], weights: [6, 2, 3, 2], stride: 2, padding: 1, groups: 2))
            .unsafelyUnwrapped)

    /// - Parameters:
    ///   - gates: Words of conjunctions.
    ///   - elements: Products.
    init(gates: Int, elements: Int, prover: ComputingParty, errors: Errors, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let three = (0..<3).map { _ in CipherKey(words: (random.next(), random.next())) }
        let keys = (0..<3).map { PairwiseKeys(own: three[$0], next: three[($0 + 1) % 3], session: []) }
        var all = [VerifiedRecords](repeating: VerifiedRecords(), count: 3)
        func words(_ count: Int) -> [[UInt64]] { (0..<3).map { _ in (0..<count).map { _ in random.next() } } }
        func held(_ components: [[UInt64]], _ party: Int) -> ReplicatedWords {
            ReplicatedWords(own: components[party], next: components[(party + 1) % 3])
        }
        /// Operands, and what each party sends, with the prover's errors.
        func terms(
            _ left: Int, _ right: Int, _ wrong: [Int: UInt64],
            _ product: (ReplicatedWords, ReplicatedWords) -> [UInt64],
            _ zeros: (PairwiseKeys, Int) -> [UInt64], _ sum: (UInt64, UInt64) -> UInt64
        ) -> [VerifiedRecords.Terms] {
            let (x, y) = (words(left), words(right))
            var z: [[UInt64]] = []
            for party in 0..<3 {
                let cross = product(held(x, party), held(y, party))
                var own = zip(cross, zeros(keys[party], cross.count)).map { sum($0, $1) }
                if party == prover.rawValue { for (place, error) in wrong { own[place] = sum(own[place], error) } }
                z.append(own)
            }
            return (0..<3).map { VerifiedRecords.Terms(x: held(x, $0), y: held(y, $0), z: held(z, $0)) }
        }
        let bits = terms(
            gates, gates, errors.gates, Self.conjunctions, { $0.zeroBits($1, MaskStream(0, .gates)) }, { $0 ^ $1 })
        let maps: [(BilinearMap, [Int: UInt64])] = [
            (.elements(elements), errors.elements), (Self.matrix, errors.matrix),
            (Self.convolution, errors.convolution),
        ]
        let products = maps.enumerated().map { number, map in
            terms(
                map.0.leftCount, map.0.rightCount, map.1, { ProductStep.terms(map.0, $0, $1, threads: 1) },
                { $0.zeros($1, MaskStream(number + 1, .product)) }, { $0 &+ $1 })
        }
        for owner in 0..<3 {
            // Two components, of the result too.
            var (x, y, z) = (words(owner), words(owner), words(owner))
            let third = (owner + 2) % 3
            (x[third], y[third], z[third]) = ([], [], [])
            for i in 0..<owner {
                let next = (owner + 1) % 3
                z[next][i] = z[owner][i] ^ ((x[owner][i] ^ x[next][i]) & (y[owner][i] ^ y[next][i]))
                if owner == prover.rawValue { z[next][i] ^= errors.claims[i] ?? 0 }
            }
            for party in 0..<3 {
                func padded(_ components: [[UInt64]]) -> ReplicatedWords {
                    held(components.map { $0.isEmpty ? [UInt64](repeating: 0, count: owner) : $0 }, party)
                }
                all[party].claims[owner] = VerifiedRecords.Terms(x: padded(x), y: padded(y), z: padded(z))
            }
            // Of numbers the same, with other results.
            for i in 0..<owner {
                let next = (owner + 1) % 3
                z[next][i] = (x[owner][i] &+ x[next][i]) &* (y[owner][i] &+ y[next][i]) &- z[owner][i]
                if owner == prover.rawValue { z[next][i] &+= errors.productClaims[i] ?? 0 }
            }
            for party in 0..<3 {
                func padded(_ components: [[UInt64]]) -> ReplicatedWords {
                    held(components.map { $0.isEmpty ? [UInt64](repeating: 0, count: owner) : $0 }, party)
                }
                all[party].productClaims[owner] = VerifiedRecords.Terms(x: padded(x), y: padded(y), z: padded(z))
            }
        }
        for party in 0..<3 {
            all[party].gates = bits[party]
            all[party].gateSteps = [(0, gates)]
            all[party].elements = products[0][party]
            all[party].elementSteps = [(1, elements)]
            all[party].products = [(Self.matrix, 2, products[1][party]), (Self.convolution, 3, products[2][party])]
        }
        (self.keys, records) = (keys, all)
    }

    private static func conjunctions(_ x: ReplicatedWords, _ y: ReplicatedWords) -> [UInt64] {
        x.own.indices.map { (x.own[$0] & (y.own[$0] ^ y.next[$0])) ^ (x.next[$0] & y.own[$0]) }
    }

    /// Whether each party accepts what both others sent.
    ///
    /// - Parameter change: Round, sender and what it sends.
    func run(_ change: (Int, ComputingParty, inout Outgoing) -> Void = { _, _, _ in }) -> [Bool] {
        var proofs = ComputingParty.three.map { BatchProof(records[$0.rawValue], party: $0, keys: keys[$0.rawValue]) }
        var accepted = [true, true, true]
        for round in 0..<proofs[0].rounds {
            var sent = proofs.indices.map { proofs[$0].send(round) }
            for party in ComputingParty.three { change(round, party, &sent[party.rawValue]) }
            for party in ComputingParty.three {
                let incoming = Incoming(
                    next: sent[party.next.rawValue].previous[...], previous: sent[party.previous.rawValue].next[...])
                if !proofs[party.rawValue].receive(round, incoming) { accepted[party.rawValue] = false }
            }
            // Who refuses stops, and so do all.
            guard accepted.allSatisfy({ $0 }) else { break }
        }
        return accepted
    }

    /// The coins of a party's proof: its weights, and a level's challenge.
    func weights(_ prover: ComputingParty, _ count: Int) -> [UInt64] {
        let verifier = keys[prover.previous.rawValue].own
        let halves = [0, 1].map { verifier.words(2, MaskStream(0, .coins, part: $0)) }
        return ProofCoins(zip(halves[0], halves[1]).map { $0 ^ $1 }).words(count, 0)
    }

    func challenge(_ prover: ComputingParty, level: Int) -> UInt64 {
        keys[prover.previous.rawValue].own.words(1, MaskStream(0, .coins, layer: level + 1))[0]
    }
}
