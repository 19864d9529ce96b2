import Marketplace
import Secrets
import Testing
import ValuationStudy

@Suite("What owners earn, on digits")
struct CheatingTests {
    @Test("Shapley values of a game by hand: the glove game, and values of an additive one")
    func shapley() {
        // Owners 0 and 1 have a left glove, 2 a right one (Shapley 1953): 1/6, 1/6, 4/6.
        let pairs = (0..<8).map { set in set & 4 != 0 && set & 3 != 0 ? 1.0 : 0 }
        for (value, expected) in zip(Shapley.values(pairs, 3), [1.0 / 6, 1.0 / 6, 4.0 / 6]) {
            #expect(abs(value - expected) < 1e-12)
        }
        let sums = (0..<1024).map { set in (0..<10).reduce(0.0) { $0 + (set >> $1 & 1 == 1 ? Double($1) : 0) } }
        for (place, value) in Shapley.values(sums, 10).enumerated() { #expect(abs(value - Double(place)) < 1e-9) }
    }

    @Test("The model's gradient is that of its loss, by differences")
    func gradient() throws {
        guard let digits = Digits.find() else {
            print("skipped: there is no shared/data/mnist above the tests")
            return
        }
        let rows = Cast(digits, .none, seed: 1).owners[0]
        var random = SeededGenerator(seed: 2)
        let place = (0..<Softmax.dimension).map { _ in Float(Double(random.next() >> 11) * 0x1p-54) }
        let gradient = Softmax(place).gradient(rows).vector
        for index in stride(from: 0, to: Softmax.dimension, by: 37) {
            var (below, above) = (place, place)
            below[index] -= 0.01
            above[index] += 0.01
            let slope = (Softmax(above).score(rows).loss - Softmax(below).score(rows).loss) / 0.02
            #expect(abs(slope - Double(gradient[index])) < 1e-3)
        }
    }

    @Test(
        "Over 20 seeds zero, random, stale and flipped updates earn at most 2 % of an honest share, copies, scaling and splitting gain nothing"
    )
    func cheating() throws {
        guard let digits = Digits.find() else {
            print("skipped: there is no shared/data/mnist above the tests")
            return
        }
        var sums: [String: Double] = [:]
        for seed in 1...20 as ClosedRange<UInt64> {
            let outcomes = try Cheating.outcomes(Cast(digits, .none, seed: 1_000 + seed, owners: 11), seed: seed)
            sums.merge(outcomes) { $0 + $1 }
            // These hold of each run.
            for name in ["zero", "stale", "flipped"] {
                #expect(try #require(outcomes[name]) < 1e-3, "\(name), seed \(seed)")
            }
            #expect(try #require(outcomes["copy"]) <= 1, "seed \(seed)")
            #expect(try #require(outcomes["split weight"]) <= 1.05, "seed \(seed)")
        }
        let means = sums.mapValues { $0 / 20 }
        for name in ["zero", "random", "stale", "flipped"] { #expect(try #require(means[name]) <= 0.02, "\(name)") }
        #expect(try #require(means["scaled"]) <= 1.001)
        #expect(try #require(means["split rows"]) <= 1.05)
        // By what is earned, in all.
        for kind in ["split rows", "split weight"] {
            #expect(try #require(means[kind + " total"]) <= 1.05 * (try #require(means["alone"])), "\(kind)")
        }
    }
}
