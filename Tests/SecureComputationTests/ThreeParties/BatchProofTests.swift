import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

@Suite(
    "A proof of all conjunctions and products: what is right is accepted, what is wrong is not, and it rests on coins that a prover cannot know"
)
struct BatchProofTests {
    private func trio(
        _ prover: ComputingParty, gates: Int = 5, elements: Int = 40, _ errors: ProofTrio.Errors = ProofTrio.Errors(),
        seed: UInt64
    ) -> ProofTrio { ProofTrio(gates: gates, elements: elements, prover: prover, errors: errors, seed: seed) }

    /// That both verifiers of a prover refuse, and the prover, which verifies the others' proofs, does not.
    private func expectRefused(_ trio: ProofTrio, _ prover: ComputingParty, _ what: String) {
        #expect(trio.run() == ComputingParty.three.map { $0 == prover }, "\(prover): \(what)")
    }

    @Test("Right results are accepted, whatever their numbers: none, one, and around what a fold takes at once")
    func complete() {
        for (number, sizes) in [(0, 0), (1, 1), (0, 16), (3, 17), (4, 15), (31, 256), (33, 257), (300, 1100)]
            .enumerated()
        {
            let trio = trio(.first, gates: sizes.0, elements: sizes.1, seed: UInt64(number))
            #expect(trio.run() == [true, true, true], "\(sizes)")
        }
    }

    @Test(
        "One wrong bit or word, of any kind of result, anywhere, is refused by both verifiers: lowest, highest and all bits"
    )
    func sound() {
        for prover in ComputingParty.three {
            for (seed, error) in ([1, 1 << 63, ~0, 0x8000_0000_8000_0000] as [UInt64]).enumerated() {
                func refused(_ errors: ProofTrio.Errors, _ what: String) {
                    expectRefused(trio(prover, errors, seed: UInt64(seed)), prover, what)
                }
                for place in 0..<5 { refused(ProofTrio.Errors(gates: [place: error]), "gate \(place)") }
                for place in [0, 1, 2, 3, 15, 16, 38, 39] {
                    refused(ProofTrio.Errors(elements: [place: error]), "element \(place)")
                }
                for place in 0..<6 { refused(ProofTrio.Errors(matrix: [place: error]), "matrix \(place)") }
                for place in stride(from: 0, to: ProofTrio.convolution.resultCount, by: 7) {
                    refused(ProofTrio.Errors(convolution: [place: error]), "convolution \(place)")
                }
                for place in 0..<prover.rawValue {
                    refused(ProofTrio.Errors(claims: [place: error]), "claim \(place)")
                    refused(ProofTrio.Errors(productClaims: [place: error]), "product's claim \(place)")
                }
            }
        }
    }

    @Test("Errors that cancel under equal weights, or whose sum is a multiple of 2^64, are refused")
    func cancelling() {
        let top: UInt64 = 1 << 63
        for prover in ComputingParty.three {
            let all: [ProofTrio.Errors] = [
                ProofTrio.Errors(gates: [0: 5, 3: 5]), ProofTrio.Errors(elements: [0: top, 1: top]),
                ProofTrio.Errors(elements: [4: 9, 20: 0 &- 9]),
                ProofTrio.Errors(matrix: [0: top, 1: top, 2: top, 3: top]),
                ProofTrio.Errors(matrix: [0: 1, 1: ~0, 2: ~0, 3: 1]),
                ProofTrio.Errors(elements: [0: top], matrix: [0: top]),
                ProofTrio.Errors(matrix: [0: 7], convolution: [0: 0 &- 7]),
                ProofTrio.Errors(elements: Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, top) })),
            ]
            for (number, errors) in all.enumerated() {
                expectRefused(trio(prover, errors, seed: UInt64(number)), prover, "\(number)")
            }
        }
    }

    private func inverse(_ a: UInt64) -> UInt64 {
        // a^(2^64 - 2).
        var (result, square) = (UInt64(1), BinaryField.product(a, a))
        for _ in 0..<63 {
            result = BinaryField.product(result, square)
            square = BinaryField.product(square, square)
        }
        return result
    }

    @Test(
        "A broken copy whose weights are known when results are sent accepts two errors that cancel; those made for other weights are refused"
    )
    func weightsKnown() {
        for prover in ComputingParty.three {
            let right = trio(prover, seed: 21)
            func run(_ weights: [UInt64]) -> [Bool] {
                let ratio = BinaryField.product(weights[0], inverse(weights[1]))
                return trio(prover, ProofTrio.Errors(gates: [0: 1, 1: ratio]), seed: 21).run()
            }
            #expect(run(right.weights(prover, 2)) == [true, true, true])
            let refused = ComputingParty.three.map { $0 == prover }
            #expect(run(trio(prover, seed: 22).weights(prover, 2)) == refused)
            #expect(run(right.weights(prover.next, 2)) == refused)
            #expect(run([1, 1]) == refused)
        }
    }

    @Test("A broken copy whose challenge is known when coefficients are sent accepts a false claim; a guess is refused")
    func challengeKnown() {
        for prover in ComputingParty.three {
            let trio = trio(prover, ProofTrio.Errors(gates: [2: 1]), seed: 23)
            let weight = trio.weights(prover, 3)[2]
            func run(_ challenge: UInt64) -> [Bool] {
                // The claim stands at X^63.
                let error = BinaryField.product(weight, BinaryField.powers(challenge, 64)[63])
                return trio.run { round, party, outgoing in
                    if round == 1, party == prover { outgoing.next[0] ^= error }
                }
            }
            #expect(run(trio.challenge(prover, level: 0)) == [true, true, true])
            let refused = ComputingParty.three.map { $0 == prover }
            for guess in [0, 1, trio.challenge(prover, level: 1), trio.challenge(prover.next, level: 0)] {
                #expect(run(guess) == refused)
            }
        }
    }

    @Test(
        "A right prover's words changed on their way, and a verifier's, are refused by somebody; a zero as a challenge at once"
    )
    func changed() {
        var generator = SeededGenerator(seed: 24)
        for prover in ComputingParty.three {
            let trio = trio(prover, gates: 200, elements: 300, seed: 25)
            for round in 0..<9 {
                let (place, offset) = (generator.next(), generator.next() | 1)
                var isChanged = false
                let accepted = trio.run { at, party, outgoing in
                    guard at == round, party == prover, !outgoing.next.isEmpty else { return }
                    outgoing.next[Int(place % UInt64(outgoing.next.count))] ^= offset
                    isChanged = true
                }
                #expect(accepted.allSatisfy { $0 } == !isChanged, "\(round)")
            }
            let zero = trio.run { round, party, outgoing in
                if round == 2, party == prover.next { outgoing.previous[0] = 0 }
            }
            #expect(!zero[prover.rawValue])
        }
    }

    @Test(
        "What verifiers show each other is uniform, of zeros too; a broken copy without the vectors' masks shows what they hold"
    )
    func shown() throws {
        var (fair, broken) = (ViewStatistics(), ViewStatistics())
        for seed in 0..<2000 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let key = (0..<3).map { _ in CipherKey(words: (random.next(), random.next())) }
            let keys = (0..<3).map { PairwiseKeys(own: key[$0], next: key[($0 + 1) % 3], session: []) }
            // One word of conjunctions of zeros.
            let zero = ReplicatedWords(zeros: 1)
            var proofs = ComputingParty.three.map { party in
                FoldingProof(
                    GateStatement(
                        terms: VerifiedRecords.Terms(
                            x: zero, y: zero,
                            z: ReplicatedWords(
                                own: keys[party.rawValue].zeroBits(1, MaskStream(0, .gates)),
                                next: keys[party.next.rawValue].zeroBits(1, MaskStream(0, .gates)))),
                        steps: [(0, 1)], claims: [VerifiedRecords.Terms](repeating: VerifiedRecords.Terms(), count: 3),
                        party: party, keys: keys[party.rawValue]), keys: keys[party.rawValue], number: 0)
            }
            let coins = (0..<3).map { _ in ProofCoins([random.next(), random.next()]) }
            for party in ComputingParty.three {
                proofs[party.rawValue].begin(
                    own: coins[party.rawValue], first: coins[party.next.rawValue],
                    second: coins[party.previous.rawValue])
            }
            var factor: UInt64 = 1
            for level in 0..<proofs[0].levels {
                let challenges = (0..<3).map { _ in random.next() | 1 }
                let sent = proofs.indices.map { proofs[$0].sendCoefficients(level) }
                for party in ComputingParty.three {
                    proofs[party.rawValue].takeCoefficients(sent[party.previous.rawValue])
                    proofs[party.rawValue].fold(
                        level, own: challenges[party.rawValue], first: challenges[party.next.rawValue],
                        second: challenges[party.previous.rawValue])
                }
                // Of two elements each, the mask stands third, in the one part of four, number 2 of eight.
                if level > 0 { factor = BinaryField.powers(challenges[1], 3)[2] }
            }
            let shown = proofs[0].last.previous
            fair.add(shown)
            let mask = key[1].words(1, MaskStream(0, .proof, part: 1))[0]
            broken.add([shown[0] ^ BinaryField.product(factor, mask), shown[1]])
            #expect(proofs[0].levels == 2)
        }
        #expect(fair.uniformity > 1e-6)
        #expect(broken.uniformity < 1e-6)
    }
}
