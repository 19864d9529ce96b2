import Foundation
import Secrets
import Testing

@testable import Learning

@Suite("Feedback by the Ladder")
struct LadderTests {
    @Test(
        "A score is told where it is better by more than the step, rounded to it; otherwise nothing is",
        arguments: [true, false])
    func steps(isBetterHigher: Bool) throws {
        func mirrored(_ score: Int64) -> Int64 { isBetterHigher ? score : 1_000 - score }
        var ladder = try Ladder(step: 10, best: mirrored(500), isBetterHigher: isBetterHigher)
        for (score, told) in [
            (510, nil), (505, nil), (511, 510), (520, nil), (100, nil), (534, 530), (541, 540), (550, nil),
            (1_000, 1_000),
        ] as [(Int64, Int64?)] {
            #expect(ladder.feedback(on: mirrored(score)) == told.map(mirrored), "\(score)")
            if let told { #expect(ladder.best == mirrored(told)) }
        }
    }

    @Test("A gain within what noise alone may have added is none")
    func noise() throws {
        var ladder = try Ladder(step: 10)
        #expect(ladder.feedback(on: 300, error: 300) == nil && ladder.best == 0)
        #expect(ladder.feedback(on: 301, error: 300) == 300)
        #expect(ladder.feedback(on: 312, error: 5) == 310)
    }

    @Test("A step that is none is refused, what was told in another step is rounded, and no number overflows")
    func ends() throws {
        for step in [0, -1, .min] as [Int64] { #expect(throws: MetricError.self) { try Ladder(step: step) } }
        #expect(try Ladder(step: 10, best: 15).best == 20)
        #expect(try Ladder(step: 10, best: -15).best == -20)
        #expect(try Ladder(step: 7, best: 10).best == 7 && Ladder(step: 7, best: 11).best == 14)
        var high = try Ladder(step: .max, best: .min)
        #expect(high.feedback(on: .max) == .max)
        var low = try Ladder(step: 1, best: .max, isBetterHigher: false)
        #expect(low.feedback(on: .min) == .min)
        var coarse = try Ladder(step: 1 << 62)
        #expect(coarse.feedback(on: .max) == 1 << 62, "the nearest multiple is beyond the largest number")
    }

    /// Blum and Hardt's attack (section 1.1): random guesses at random labels, of which those are kept of which the leaderboard says that they are better, and their majority.
    ///
    /// - Parameter told: What is told of so many right answers; nil: nothing.
    /// - Returns: The part of the labels that the majority is right about.
    private func climbed(rows: Int, queries: Int, seed: UInt64, _ told: (Int) -> Bool) -> Double {
        var random = SeededGenerator(seed: seed)
        let labels = (0..<rows).map { _ in random.next() & 1 }
        var votes = [Int](repeating: 0, count: rows)
        for _ in 0..<queries {
            let guess = (0..<rows).map { _ in random.next() & 1 }
            guard told(zip(guess, labels).count { $0 == $1 }) else { continue }
            for row in 0..<rows { votes[row] += guess[row] == 1 ? 1 : -1 }
        }
        return Double(zip(votes, labels).count { ($0 > 0 ? 1 : 0) == $1 }) / Double(rows)
    }

    @Test("1,000 adaptive guesses at 400 random labels climb plain scores, and not the Ladder's")
    func overfitting() throws {
        let seeds = 1...20 as ClosedRange<UInt64>
        var means = (plain: 0.0, hundredth: 0.0, twentieth: 0.0)
        for seed in seeds {
            means.plain += climbed(rows: 400, queries: 1_000, seed: seed) { $0 > 200 } / Double(seeds.count)
            func ladder(_ step: Int64) throws -> Double {
                // Everybody knows that guessing is right half of the time.
                var ladder = try Ladder(step: step, best: 500_000_000)
                return climbed(rows: 400, queries: 1_000, seed: seed) {
                    ladder.feedback(on: Int64($0) * 2_500_000) != nil
                } / Double(seeds.count)
            }
            means.hundredth += try ladder(10_000_000)
            means.twentieth += try ladder(50_000_000)
        }
        print(
            "400 random labels, 1,000 queries: plain \(means.plain), Ladder by .01 \(means.hundredth), by .05 \(means.twentieth)"
        )
        // A majority of k guesses that are right with 1/2 + sqrt(1 / (2 pi n)) is right with about Phi(2 sqrt(k / (2 pi n))), .81 at k = 500. The Ladder tells of a handful, each at most .58 right: a mean
        // of 20 such runs above .60 is as good as impossible (its deviation is below .01).
        #expect(means.plain > 0.76 && means.plain < 0.86)
        #expect(means.hundredth < 0.6 && means.twentieth < 0.6)
    }
}

@Suite("Which rows a model is right about")
struct RightRowsTests {
    private func model(_ outputs: Int, bias: [Float], weight: [Float]) throws -> (Model, Parameters) {
        let model = try Model(inputShape: [2], layers: [Linear(outputs)])
        var random = SeededGenerator(seed: 1)
        var parameters = model.initialParameters(using: &random)
        for index in parameters.names.indices {
            parameters.tensors[index].values = parameters.names[index].hasSuffix("bias") ? bias : weight
        }
        return (model, parameters)
    }

    private func examples(_ rows: [[Float]], _ labels: [Int32]) throws -> Examples {
        try Examples(inputs: Tensor(shape: [rows.count, 2], values: rows.flatMap(\.self)), targets: .labels(labels))
    }

    @Test("The largest of several values is the label, of equal ones the first; one value is log odds")
    func known() throws {
        let (three, threeParameters) = try model(3, bias: [0, 0, 0.5], weight: [1, 0, 0, 1, 0, 0])
        let rows = try examples([[1, 0], [0, 1], [0.5, 0.5], [0, 0], [2, 2]], [0, 1, 0, 2, 1])
        #expect(try three.rightRows(of: rows, threeParameters, together: 2) == [true, true, true, true, false])
        let (one, oneParameters) = try model(1, bias: [0], weight: [1, -1])
        let two = try examples([[1, 0], [0, 1], [1, 1]], [1, 1, 0])
        #expect(try one.rightRows(of: two, oneParameters, together: 8) == [true, false, true])
    }

    @Test("What a model says that is no number is wrong, and nothing else changes")
    func notANumber() throws {
        let (model, parameters) = try model(2, bias: [0, 0], weight: [3e38, 0, 3e38, 0])
        // 3e38 * 2 is infinite in both values, of which the first counts; zero times what is infinite is no number.
        let rows = try examples([[2, 0], [1, 0], [.infinity, .infinity], [0, .nan]], [0, 0, 0, 0])
        let right = try model.rightRows(of: rows, parameters, together: 4)
        #expect(right == [true, true, false, false])
    }

    @Test("It is the accuracy of an evaluation, however many rows are computed together")
    func agrees() throws {
        var random = SeededGenerator(seed: 9)
        let model = try Model(inputShape: [2], layers: [Linear(7), Tanh(), Linear(3)])
        let parameters = model.initialParameters(using: &random)
        let rows = try Examples(
            inputs: Tensor(shape: [301, 2], values: (0..<602).map { _ in Float(random.next() >> 40) * 0x1p-23 - 1 }),
            targets: .labels((0..<301).map { _ in Int32(random.next() % 3) }))
        let plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: 1, steps: 1)
        let accuracy = try Evaluation(plan, parameters, on: rows).value(.accuracy)
        for together in [1, 7, 300, 1_000] {
            let right = try model.rightRows(of: rows, parameters, together: together)
            #expect(Double(right.count { $0 }) / 301 == accuracy)
        }
    }

    @Test("Outputs that are no label's are refused")
    func outputs() throws {
        let model = try Model(inputShape: [2], layers: [Linear(3)])
        try model.checkLabels(3)
        for classes in [2, 4] { #expect(throws: ModelError.self) { try model.checkLabels(classes) } }
        let one = try Model(inputShape: [2], layers: [Linear(1)])
        try one.checkLabels(2)
        #expect(throws: ModelError.self) { try one.checkLabels(3) }
    }
}
