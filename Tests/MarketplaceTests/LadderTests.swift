import Secrets
import Testing

@testable import Marketplace

@Suite("Feedback by the Ladder")
struct LadderTests {
    @Test("Only what is better by more than the step is told, rounded to the step", arguments: Direction.allCases)
    func steps(direction: Direction) throws {
        // The mirror image of a score has the mirror image as its feedback.
        func mirrored(_ value: Double) -> Score { score(direction == .higherIsBetter ? value : -value) }
        var ladder = try Ladder(step: score(0.01), direction: direction, best: mirrored(0.5))
        #expect(ladder.feedback(on: mirrored(0.51)) == nil)
        #expect(ladder.feedback(on: mirrored(0.514)) == mirrored(0.51))
        #expect(ladder.feedback(on: mirrored(0.514)) == nil)
        #expect(ladder.feedback(on: mirrored(0.52)) == nil)
        #expect(ladder.feedback(on: mirrored(0.5251)) == mirrored(0.53))
        #expect(ladder.feedback(on: mirrored(0.1)) == nil)
        #expect(ladder.feedback(on: mirrored(0.9)) == mirrored(0.9))
    }

    @Test("What it tells is what the market takes as feedback: a multiple of the step, better by a step")
    func consistent() throws {
        var random = SeededGenerator(seed: 5)
        var ladder = try Ladder(step: score(0.007), direction: .lowerIsBetter, best: score(0.7))
        var told = 0
        for _ in 0..<2_000 {
            let before = ladder.best
            let value = Double(random.next() >> 11) * 0x1p-53
            guard let feedback = ladder.feedback(on: score(value * value)) else { continue }
            told += 1
            #expect(before.billionths - feedback.billionths >= 7_000_000 && feedback.billionths % 7_000_000 == 0)
        }
        #expect(told > 2)
    }

    @Test("A step of nothing, a beginning off the steps, and losses out of range are refused")
    func wrong() {
        #expect(throws: MarketRefusal.self) { try Ladder(step: .zero, direction: .higherIsBetter, best: .zero) }
        #expect(throws: MarketRefusal.self) {
            try Ladder(step: score(0.3), direction: .higherIsBetter, best: score(0.5))
        }
        #expect(throws: MarketRefusal.self) { try ParameterFreeLadder(rows: 1) }
        for losses in [[0, 1], [0, 1, 1.5], [0, .nan, 1]] as [[Double]] {
            #expect(throws: MarketRefusal.self) {
                var ladder = try ParameterFreeLadder(rows: 3)
                _ = try ladder.feedback(on: losses)
            }
        }
    }

    @Test("Without a parameter: the first is told, then what is better by the standard error, by hand")
    func parameterFree() throws {
        var ladder = try ParameterFreeLadder(rows: 4)
        #expect(try ladder.feedback(on: [1, 1, 1, 0]) == 0.75)
        // Differences -1, 0, 0, 0: their deviation is 1/2, its half is .25: .5 is not below .75 - .25.
        #expect(try ladder.feedback(on: [0, 1, 1, 0]) == nil)
        // Differences -1, -1, 0, 0: the deviation is .57735, its half .288675: .25 is below .461.
        #expect(try ladder.feedback(on: [0, 0, 1, 0]) == 0.25)
        #expect(String(describing: ladder) == "ParameterFreeLadder of 4 rows")
        #expect(!String(reflecting: ladder).contains("losses"))
    }

    /// Blum and Hardt's attack (section 1.1): random submissions to random labels, of which those are kept that the leaderboard says are better than
    /// guessing, and their majority.
    private func overfit(_ told: (([Double]) throws -> Double?)?, rows: Int, queries: Int, seed: UInt64) throws
        -> Double
    {
        var random = SeededGenerator(seed: seed)
        let labels = (0..<rows).map { _ in random.next() & 1 }
        var votes = [Int](repeating: 0, count: rows)
        var best = 1.0
        for _ in 0..<queries {
            let guess = (0..<rows).map { _ in random.next() & 1 }
            let losses = zip(guess, labels).map { $0 == $1 ? 0.0 : 1.0 }
            let mean = losses.reduce(0, +) / Double(rows)
            // With plain feedback each score is known; the Ladder tells whether a submission is better than the best so far, and no more.
            if let told {
                guard let feedback = try told(losses), feedback < min(best, 0.5) else { continue }
                best = feedback
            } else if mean > 0.5 {
                continue
            }
            for row in 0..<rows { votes[row] += guess[row] == 1 ? 1 : -1 }
        }
        let right = zip(votes, labels).count { ($0 > 0 ? 1 : 0) == $1 }
        return Double(right) / Double(rows)
    }

    @Test("1,000 guesses at 400 random labels climb a plain leaderboard, and not the Ladder's, with either step")
    func boosting() throws {
        var means = [0.0, 0.0, 0.0]
        for seed in 1...6 as ClosedRange<UInt64> {
            var free = try ParameterFreeLadder(rows: 400)
            var fixed = try Ladder(step: score(0.05), direction: .lowerIsBetter, best: score(0.5))
            means[0] += try overfit(nil, rows: 400, queries: 1_000, seed: seed) / 6
            means[1] += try overfit({ try free.feedback(on: $0) }, rows: 400, queries: 1_000, seed: seed) / 6
            means[2] +=
                try overfit(
                    { fixed.feedback(on: score($0.reduce(0, +) / 400))?.value }, rows: 400, queries: 1_000, seed: seed)
                / 6
        }
        print("1,000 queries of 400 random labels: plain \(means[0]), parameter-free \(means[1]), step .05 \(means[2])")
        // The majority of k useful guesses is right with about Phi(sqrt(2 k / (pi n))): .90 here. The Ladder tells a handful at most, of which each is right at most .6 of
        // the time; a mean of six such runs below .65 is certain but for 1e-6.
        #expect(means[0] > 0.75 && means[1] < 0.65 && means[2] < 0.65)
    }

    @Test("Rows that a dispute opens: at least 400, different, of the checkpoint, and each as likely as any other")
    func rows() {
        let draw = OpenedRows.draw(10, of: 5_000, task: hashed("t"), checkpoint: hashed("c"))
        #expect(draw.count == 400 && Set(draw).count == 400 && draw == draw.sorted())
        #expect(draw.allSatisfy { (0..<5_000).contains($0) })
        #expect(draw == OpenedRows.draw(400, of: 5_000, task: hashed("t"), checkpoint: hashed("c")))
        #expect(draw != OpenedRows.draw(400, of: 5_000, task: hashed("t"), checkpoint: hashed("d")))
        #expect(draw != OpenedRows.draw(400, of: 5_000, task: hashed("u"), checkpoint: hashed("c")))
        #expect(OpenedRows.draw(900, of: 300, task: hashed("t"), checkpoint: hashed("c")) == Array(0..<300))
        #expect(OpenedRows.draw(1, of: 0, task: hashed("t"), checkpoint: hashed("c")).isEmpty)
        // 400 of 500 in 300 draws: each row 240 times, with a deviation of 6.9. Chi-square of 499 degrees, scaled by 1 / (1 - .8): above 680 once in 10^7.
        var counts = [Double](repeating: 0, count: 500)
        for number in 0..<300 {
            for row in OpenedRows.draw(1, of: 500, task: hashed("t"), checkpoint: hashed("c\(number)")) {
                counts[row] += 1
            }
        }
        let square = counts.reduce(0) { $0 + ($1 - 240) * ($1 - 240) / (240 * 0.2) }
        #expect(square < 680 && square > 350)
    }
}
