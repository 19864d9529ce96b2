import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

/// What a deviating party sees. Every test draws from fixed seeds; with the system's randomness a correct protocol would fail one of them once in a million runs.
@Suite(
    "With abort, what one of three sees before an opening says nothing"
)
struct ThreePartyAbortViewTests {
    static let runs = 2000
    static let alarm = ThreePartyViewTests.alarm

    /// Of each round's words some: all of short messages, and of a polynomial's coefficients the first and the last.
    private func sample(_ view: [[UInt64]], proof: Int) -> [UInt64] {
        view.enumerated().flatMap { round, words in
            words.count <= (round < proof ? 12 : 6) ? words : Array(words.prefix(3) + words.suffix(3))
        }
    }

    private func trio(_ inputs: [RingTensor]?, reveals: Bool = true, seed: UInt64) throws -> Trio {
        let (program, given, weights) = try ThreePartyAbortTests.program(reveals: reveals)
        return try Trio(program, inputs ?? given, weights: weights, security: .withAbort, seed: seed)
    }

    @Test(
        "Each word that a party receives before an opening, of steps and of proofs, is uniform, and each two are independent"
    )
    func uniform() throws {
        let (program, _, _) = try ThreePartyAbortTests.program(reveals: false)
        let proof = try ThreePartyAbortTests.rounds(program).proof
        var views = [ViewStatistics(), ViewStatistics(), ViewStatistics()]
        for seed in 0..<UInt64(Self.runs) {
            let run = try trio(nil, reveals: false, seed: seed).run()
            for party in 0..<3 { views[party].add(sample(run.received[party], proof: proof)) }
        }
        for view in views { #expect(view.uniformity > Self.alarm) }
    }

    @Test("What a party sees up to the abort that its deviation brings about is the same whatever the others gave")
    func deviating() throws {
        let zeros = try ComputingParty.three.map { _ in try tensor([1, 2], [0, 0]) }
        for deviator in ComputingParty.three {
            let (program, given, _) = try ThreePartyAbortTests.program()
            let rounds = try ThreePartyAbortTests.rounds(program)
            var others = zeros
            others[deviator.rawValue] = given[deviator.rawValue]
            var views = [ViewStatistics(), ViewStatistics()]
            for seed in 0..<UInt64(Self.runs / 2) {
                for (number, inputs) in [given, others].enumerated() {
                    let trio = try trio(inputs, seed: seed + UInt64(number * Self.runs))
                    let result = try Deviation(trio: trio, deviator: deviator) { round, _, words in
                        // In the middle of a comparison.
                        round == 5 && !words.isEmpty ? words.map { $0 ^ 3 } : words
                    }.run()
                    #expect(result.view.count == rounds.opening)
                    views[number].add(sample(result.view, proof: rounds.proof))
                }
            }
            #expect(views[0].homogeneity(with: views[1]) > Self.alarm, "\(deviator)")
        }
    }

    @Test(
        "Coins are told by who has received what they are drawn for, in the round behind it, and stand in no message before"
    )
    func order() throws {
        let trio = try trio(nil, seed: 15)
        let (proof, opening) = try ThreePartyAbortTests.rounds(trio.program)
        let honest = try trio.run()
        let levels = (opening - proof - 1) / 2
        #expect(levels >= 3)
        for prover in ComputingParty.three {
            let (first, second) = (prover.previous, prover.next)
            let keys = honest.keys
            func told(_ round: Int, _ from: ComputingParty, _ expected: [UInt64]) {
                let sent = honest.sent
                #expect(sent[round][from.rawValue][prover]?.words == expected)
                let before = sent[..<round].flatMap { $0.flatMap { $0.toNext.words + $0.toPrevious.words } }
                #expect(Set(before).isDisjoint(with: expected))
            }
            // Results came to the first verifier, what a party claims of its input to the second one.
            told(proof, first, keys[first.rawValue].own.words(2, MaskStream(0, .coins)))
            told(proof, second, keys[second.rawValue].next.words(2, MaskStream(0, .coins, part: 1)))
            for level in 0..<levels - 1 {
                // Coefficients came to the second one, a round before.
                let round = proof + 2 * level + 2
                let coin = keys[second.rawValue].next.words(1, MaskStream(0, .coins, layer: level + 1))
                told(round, second, coin)
                #expect(honest.sent[round][first.rawValue][prover]?.words.isEmpty == true)
                #expect(honest.sent[round - 1][prover.rawValue][second]?.words.isEmpty == false)
            }
        }
    }
}
