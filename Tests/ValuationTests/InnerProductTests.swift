import Secrets
import Testing

@testable import Marketplace

func party(_ name: String) -> PartyName {
    guard let party = PartyName(name) else { preconditionFailure("\(name) is no name") }
    return party
}

extension ValuationTerms {
    static func ofTests(dimension: Int = 6, folds: Int = 3, rounds: Int = 4) throws -> ValuationTerms {
        try ValuationTerms(
            session: Digest256.sha256(Array("test".utf8)), dimension: dimension, folds: folds, rounds: rounds,
            updateNorm: 2, gradientNorm: 3)
    }
}

/// A sponsor and an owner with their correlations.
struct Pair {
    let terms: ValuationTerms
    var sponsor: InnerProductSponsor
    var owner: InnerProductOwner

    init(_ terms: ValuationTerms, noise: [Int64]? = nil, seed: UInt64 = 1) throws {
        self.terms = terms
        var random = SeededGenerator(seed: seed)
        let (sponsor, owner) = try CorrelationDealer(terms: terms).deal(to: party("olga"), noise: noise, using: &random)
        self.sponsor = try InnerProductSponsor(terms: terms, correlation: sponsor)
        self.owner = try InnerProductOwner(terms: terms, correlation: owner)
    }
}

@Suite("Inner products that neither side sees")
struct InnerProductTests {
    private func vector(_ random: inout SeededGenerator, _ count: Int, _ size: Double = 1) -> [Float] {
        (0..<count).map { _ in Float(size * (Double(random.next() >> 11) * 0x1p-52 - 1)) }
    }

    @Test("Totals over rounds are the inner products of the clipped vectors, to the stated rounding")
    func exact() throws {
        var random = SeededGenerator(seed: 1)
        for size in [0.01, 0.5, 1, 20] {
            var pair = try Pair(.ofTests(dimension: 300))
            var expected = [Double](repeating: 0, count: 3)
            for round in [0, 2, 3] {
                let vectors = (0..<3).map { _ in vector(&random, 300, size) }
                let update = vector(&random, 300, size)
                for fold in 0..<3 {
                    let (g, u) = (DataValue.clipped(vectors[fold], to: 3), DataValue.clipped(update, to: 2))
                    expected[fold] += zip(g, u).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                }
                let masked = try pair.sponsor.begin(round: round, vectors: vectors)
                try pair.sponsor.take(try pair.owner.answer(masked, update: update))
            }
            let totals = try pair.sponsor.open(pair.owner.open())
            for fold in 0..<3 { #expect(abs(totals[fold] - expected[fold]) <= 3 * pair.terms.roundingError) }
        }
    }

    @Test("By hand: (1, 2, -1) and (1, 0.5, 1), and the sum of parts' shares is a multiple of 2^-40 exactly")
    func byHand() throws {
        var pair = try Pair(.ofTests(dimension: 3, folds: 2))
        let masked = try pair.sponsor.begin(round: 0, vectors: [[1, 2, -1], [0, 0, 0.5]])
        try pair.sponsor.take(try pair.owner.answer(masked, update: [1, 0.5, 1]))
        #expect(try pair.sponsor.open(pair.owner.open()) == [1, 0.5])
    }

    @Test(
        "Messages and shares are uniform whatever the vectors: chi-square over their top bytes, false alarm 1e-6 each")
    func uniform() throws {
        for fill in [Float(0), 0.02] {
            var counts = [[Int]](repeating: [Int](repeating: 0, count: 256), count: 3)
            var pair = try Pair(.ofTests(dimension: 4_096, folds: 2))
            for round in 0..<4 {
                let vector = [Float](repeating: fill, count: 4_096)
                let masked = try pair.sponsor.begin(round: round, vectors: [vector, vector])
                let answer = try pair.owner.answer(masked, update: vector)
                for word in masked.words.flatMap({ $0 }) { counts[0][Int(word >> 56)] += 1 }
                for word in answer.words { counts[1][Int(word >> 56)] += 1 }
                try pair.sponsor.take(answer)
            }
            for seed in 0..<4_096 as Range<UInt64> {
                var small = try Pair(.ofTests(dimension: 1, folds: 2, rounds: 1), seed: seed)
                let masked = try small.sponsor.begin(round: 0, vectors: [[fill], [fill]])
                _ = try small.owner.answer(masked, update: [fill])
                for share in small.owner.open().shares { counts[2][Int(share >> 56)] += 1 }
            }
            for count in counts {
                let expected = Double(count.reduce(0, +)) / 256
                let statistic = count.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
                // 255 degrees of freedom: above 378 with probability 1e-6.
                #expect(statistic < 378)
            }
        }
    }

    @Test("No mask comes twice: over rounds, parts and owners the same vector is never masked to the same words")
    func once() throws {
        var seen: Set<[UInt64]> = []
        var count = 0
        for seed in 0..<3 as Range<UInt64> {
            var pair = try Pair(.ofTests(), seed: seed)
            for round in 0..<4 {
                let vectors = [[Float]](repeating: [1, 1, 1, 0, 0, 0], count: 3)
                let masked = try pair.sponsor.begin(round: round, vectors: vectors)
                let answer = try pair.owner.answer(masked, update: vectors[0])
                for words in masked.words + [answer.words] {
                    seen.insert(words)
                    count += 1
                }
            }
        }
        #expect(seen.count == count)
    }

    @Test("Rounds repeated, replayed, out of order or beyond the last are refused on both sides")
    func rounds() throws {
        var pair = try Pair(.ofTests())
        let vectors = [[Float]](repeating: [1, 0, 0, 0, 0, 0], count: 3)
        let first = try pair.sponsor.begin(round: 0, vectors: vectors)
        let answer = try pair.owner.answer(first, update: vectors[0])
        try pair.sponsor.take(answer)
        #expect(throws: ValuationError.self) { try pair.sponsor.take(answer) }
        #expect(throws: ValuationError.self) { _ = try pair.owner.answer(first, update: vectors[0]) }
        #expect(throws: ValuationError.self) { _ = try pair.sponsor.begin(round: 0, vectors: vectors) }
        #expect(throws: ValuationError.self) { _ = try pair.sponsor.begin(round: 4, vectors: vectors) }
        let third = try pair.sponsor.begin(round: 2, vectors: vectors)
        #expect(throws: ValuationError.self) { try pair.sponsor.take(answer) }
        _ = third
        let opened = pair.owner.open()
        #expect(throws: ValuationError.self) { _ = try pair.owner.answer(third, update: vectors[0]) }
        #expect(try pair.sponsor.open(opened) == [1, 1, 1])
    }

    @Test("A round that one side alone counts: the totals are not opened")
    func differentRounds() throws {
        var pair = try Pair(.ofTests())
        let masked = try pair.sponsor.begin(round: 0, vectors: [[Float]](repeating: [1, 0, 0, 0, 0, 0], count: 3))
        _ = try pair.owner.answer(masked, update: [1, 0, 0, 0, 0, 0])
        #expect(throws: ValuationError.differentRounds) { _ = try pair.sponsor.open(pair.owner.open()) }
    }

    @Test("Other lengths, another owner's or valuation's messages, and shares beyond the bound are refused")
    func wrong() throws {
        var pair = try Pair(.ofTests())
        let vectors = [[Float]](repeating: [1, 0, 0, 0, 0, 0], count: 3)
        #expect(throws: ValuationError.self) { _ = try pair.sponsor.begin(round: 0, vectors: [vectors[0]]) }
        #expect(throws: ValuationError.self) { _ = try pair.sponsor.begin(round: 0, vectors: [[1], [1], [1]]) }
        let masked = try pair.sponsor.begin(round: 0, vectors: vectors)
        var other = try Pair(.ofTests(rounds: 5))
        #expect(throws: ValuationError.otherSession) { _ = try other.owner.answer(masked, update: vectors[0]) }
        for words in [[masked.words[0]], masked.words.map { Array($0.dropLast()) }] {
            let short = MaskedGradients(terms: masked.terms, owner: masked.owner, round: 0, words: words)
            #expect(throws: ValuationError.self) { _ = try pair.owner.answer(short, update: vectors[0]) }
        }
        #expect(throws: ValuationError.self) { _ = try pair.owner.answer(masked, update: [1]) }
        let answer = try pair.owner.answer(masked, update: vectors[0])
        for wrong in [
            MaskedUpdate(terms: answer.terms, owner: party("omar"), round: 0, words: answer.words),
            MaskedUpdate(terms: answer.terms, owner: answer.owner, round: 1, words: answer.words),
            MaskedUpdate(terms: answer.terms, owner: answer.owner, round: 0, words: [1]),
        ] { #expect(throws: ValuationError.self) { try pair.sponsor.take(wrong) } }
        try pair.sponsor.take(answer)
        let opened = pair.owner.open()
        let raised = OpenedTotals(
            terms: opened.terms, owner: opened.owner, rounds: opened.rounds, shares: opened.shares.map { $0 &+ 7 << 40 }
        )
        #expect(throws: ValuationError.outOfBounds(party("olga"))) { _ = try pair.sponsor.open(raised) }
        #expect(throws: ValuationError.self) {
            _ = try pair.sponsor.open(
                OpenedTotals(terms: opened.terms, owner: opened.owner, rounds: opened.rounds, shares: []))
        }
        #expect(try pair.sponsor.open(opened) == [1, 1, 1])
    }

    @Test("The dealer's noise is in the totals once, and in no side's share alone")
    func noise() throws {
        let noise: [Int64] = [1 << 40, -(1 << 39), 0]
        var pair = try Pair(.ofTests(), noise: noise)
        let vectors = [[Float]](repeating: [1, 0, 0, 0, 0, 0], count: 3)
        for round in [1, 3] {
            let masked = try pair.sponsor.begin(round: round, vectors: vectors)
            try pair.sponsor.take(try pair.owner.answer(masked, update: vectors[0]))
        }
        let opened = pair.owner.open()
        #expect(try pair.sponsor.open(opened, noiseBound: 1) == [3, 1.5, 2])
        #expect(throws: ValuationError.self) {
            _ = try CorrelationDealer(terms: pair.terms).deal(to: party("olga"), noise: [1])
        }
    }

    @Test("Secrets are not printed")
    func printed() throws {
        let terms = try ValuationTerms.ofTests()
        let (sponsor, owner) = try CorrelationDealer(terms: terms).deal(to: party("olga"))
        var texts = ["\(sponsor)", "\(owner)", String(reflecting: owner)]
        let pair = try Pair(terms)
        texts += ["\(pair.sponsor)", "\(pair.owner)", String(reflecting: pair.owner)]
        for text in texts { #expect(text.contains("olga") && text.count < 80, "\(text)") }
        var dumped = ""
        dump(owner, to: &dumped)
        #expect(dumped.count < 100)
    }

    @Test("Terms that leave no room for a total, or have no parts, are refused with the field")
    func terms() throws {
        let session = Digest256.sha256([])
        for (dimension, folds, rounds, norm) in [
            (0, 2, 1, 1.0), (1, 1, 1, 1), (1, 65, 1, 1), (1, 2, 0, 1), (1, 2, 1, 0), (1, 2, 1, .infinity),
            (1, 2, 1, .nan), (1, 2, 4_096, 1_025),
        ] {
            #expect(throws: ValuationError.self) {
                try ValuationTerms(
                    session: session, dimension: dimension, folds: folds, rounds: rounds, updateNorm: norm,
                    gradientNorm: 1)
            }
        }
    }
}
