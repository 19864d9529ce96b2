import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Secrets
import Tables
import Testing

@testable import Datasite

@Suite("Measuring others' models on rows that nobody else sees", .timeLimit(.minutes(20)))
struct EvaluationTests {
    // MARK: What is counted

    @Test("Both halves together are all rows, each unit in one of them, and a model is as right as it is known to be")
    func counts() throws {
        let site = try EvaluationSite()
        for (bias, right) in [([1, 0, 0], 60), ([0, 1, 0], 40), ([0, 0, 1], 20)] as [([Float], Int64)] {
            let request = EvaluationSite.request(EvaluationSite.weights(bias))
            let halves = try EvaluationRequest.Part.allCases.map { try site.counts($0, request) }
            #expect(halves[0][0] + halves[1][0] == right && halves[0][1] + halves[1][1] == 120 - right)
            // 60 people, each in one half with probability 1/2: fewer than 10 in one once in 10^7.
            #expect(halves.allSatisfy { $0[0] + $0[1] > 10 })
        }
        // A model that looks at its input: amounts above 50 are said to be b.
        let looking = EvaluationSite.request(EvaluationSite.weights([0, -0.5, -9], weight: [0, 1, 0]))
        let rows = TestSite.rows(people: 60).split(separator: "\n").dropFirst().map { $0.split(separator: ",") }
        let right = rows.count { (Int($0[2]) ?? 0) > 50 ? $0[1] == "b" : $0[1] == "a" }
        let halves = try EvaluationRequest.Part.allCases.map { try site.counts($0, looking) }
        #expect(halves[0][0] + halves[1][0] == Int64(right))
    }

    @Test("A half stays where it is in the table's next version, and another unit's rows change nothing of one's own")
    func halves() throws {
        let site = try EvaluationSite()
        let before = try site.counts(.feedback)
        _ = try site.site.addVersion(of: "visits", file: try site.test.file("more", TestSite.rows(people: 90)))
        let all = try site.counts(.feedback)
        #expect(all[0] >= before[0] && all[1] >= before[1])
        _ = try site.site.addVersion(of: "visits", file: try site.test.file("again", TestSite.rows(people: 60)))
        #expect(try site.counts(.feedback) == before)
    }

    @Test("The final tells counts, share and errors, as they follow from each other; the receipt holds them")
    func final() async throws {
        let site = try EvaluationSite()
        let exact = try site.counts(.final)
        let result = try await site.site.evaluate(EvaluationSite.request(), part: .final, as: .ada, idempotencyKey: "k")
        let answer = try EvaluationSite.released(result)
        let counts = try #require(answer.final)
        #expect(answer.feedback == nil && answer.metric == "accuracy" && answer.label == "kind")
        #expect(counts.right == exact[0] && counts.rows == exact[0] + exact[1])
        let share = Double(counts.right) / Double(counts.rows)
        #expect(counts.share == share)
        // Of a person up to 3 rows, which may be alike.
        let sampling = (share * (1 - share) * 3 / Double(counts.rows)).squareRoot()
        #expect(abs(try #require(counts.standardError) - sampling) < 1e-3)
        #expect(try #require(counts.noiseError) < 1e-6)
        #expect(answer.weights == sha256Hex(EvaluationSite.weights()))
        let receipt = try Receipt(decoding: try #require(result.receipt)).body
        #expect(receipt.engine == "evaluation-final")
        let bytes = try #require(result.answer)
        #expect(receipt.answerDigest == sha256Hex(bytes))
        #expect(answer.guarantees.outputPrivacy.contains("pure differential privacy"))
        #expect(try site.site.verify().problems == [])
    }

    @Test(
        "The noise is the law's that is charged: its variance, its kind, and of rows that a unit may have in both counts together"
    )
    func noise() throws {
        for (loss, request) in [
            ("loss: pure, total: {epsilon: 100}", EvaluationSite.request(epsilon: 0.5)),
            ("loss: zcdp, delta: 1e-6, total: {epsilon: 100}", EvaluationSite.request(epsilon: 0.5)),
            ("loss: renyi, delta: 1e-6, total: {epsilon: 100}", EvaluationSite.request(epsilon: 0.5)),
        ] {
            let site = try EvaluationSite(EvaluationSite.policy(loss: loss))
            let task = try site.task(request)
            let charge = try #require(try site.planned(request).charge.loss)
            let spent = try PrivacyEvent.composition([task.noise.event]).loss(kind: charge.kind)
            #expect(spent.isCovered(by: charge), "\(loss)")
            var random = SeededGenerator(seed: 4)
            let draws = 40_000
            var (squares, sum) = (0.0, 0.0)
            for _ in 0..<draws {
                let value = Double(task.noise.add(to: 0, using: &random))
                (squares, sum) = (squares + value * value, sum + value)
            }
            // A mean of squares has a deviation of at most variance * sqrt(5 / draws), of Laplace noise: 6 of them once in 10^8.
            let tolerance = 6 * task.noise.variance * (5 / Double(draws)).squareRoot()
            #expect(abs(squares / Double(draws) - task.noise.variance) < tolerance, "\(loss)")
            #expect(abs(sum / Double(draws)) < 6 * (task.noise.variance / Double(draws)).squareRoot())
            // Laplace noise of a sensitivity of 3 rows at epsilon 0.5 has a variance of about 2 * 36.
            if loss.contains("pure") { #expect(abs(task.noise.variance - 72) < 1) }
        }
    }

    @Test("The share's standard error is what its noise comes to")
    func errors() throws {
        let noise = try EvaluationTask.noise(rowsPerUnit: 3, PrivacyLoss(roundingDownEpsilon: 1))
        var random = SeededGenerator(seed: 5)
        let (right, wrong) = (700 as Int64, 300 as Int64)
        var shares: [Double] = []
        for _ in 0..<20_000 {
            var counts = [right, wrong]
            noise.add(to: &counts, using: &random)
            shares.append(try #require(EvaluationScore(right: counts[0], wrong: counts[1]).share))
        }
        let deviation = (shares.reduce(0) { $0 + ($1 - 0.7) * ($1 - 0.7) } / Double(shares.count)).squareRoot()
        let told = try #require(EvaluationScore(right: right, wrong: wrong).noiseError(noise))
        // Of 20,000 draws a deviation is known to 1 % (Laplace noise), and 6 of that are reached once in 10^8.
        #expect(abs(deviation / told - 1) < 0.06, "\(deviation) \(told)")
        let nothing = EvaluationScore(right: -4, wrong: 2)
        #expect(
            nothing.share == nil && nothing.noiseError(noise) == nil && nothing.samplingError(rowsPerUnit: 3) == nil)
        #expect(
            EvaluationScore(right: .max, wrong: 1).rows == .max && EvaluationScore(right: .min, wrong: -1).rows == .min)
        #expect(EvaluationScore(right: 9, wrong: -4).share == 1 && EvaluationScore(right: -4, wrong: 9).share == 0)
    }

    @Test("A table of which each row is a unit has halves too, also one without rows")
    func rowUnits() async throws {
        let site = try EvaluationSite()
        let manifest = """
            name: visits2
            title: Rows
            description: Made up
            population: others
            unit: row
            capacity: {rows: 1000}
            policy: \(EvaluationSite.policy())
            columns:
              - {name: kind, type: category, domain: [a, b, c], nullable: false}
              - {name: amount, type: integer, bounds: [0, 1000], nullable: false}
            """
        for rows in [300, 0] {
            let text = "kind,amount\n" + (0..<rows).map { "\(["a", "b", "c"][$0 % 3]),\($0)\n" }.joined()
            if rows == 300 {
                _ = try site.site.addDataset(file: try site.test.file("visits2", text), manifestText: manifest)
            } else {
                _ = try site.site.addVersion(of: "visits2", file: try site.test.file("visits2", text))
            }
            let data = EvaluationRequest.data(dataset: "visits2", features: ["amount"], label: "kind")
            let bias: [Float] = rows == 300 ? [1, 0, 0] : [2, 0, 0]
            let request = EvaluationSite.request(EvaluationSite.weights(bias), data: data)
            let answer = try #require(try await site.evaluate(request, .final).final)
            if rows == 0 {
                #expect(answer.right == 0 && answer.rows == 0 && answer.share == nil && answer.standardError == nil)
            } else {
                // Binomial of 300 and 1/2: outside of 100 to 200 once in 10^8.
                #expect((100...200).contains(answer.rows) && answer.right > 10)
            }
        }
    }

    // MARK: The Ladder

    @Test(
        "Feedback is the best so far in steps: a worse model, and the same again, get the old best; a better one its own"
    )
    func ladder() async throws {
        let site = try EvaluationSite()
        let step = 0.01
        func share(_ bias: [Float]) throws -> Double {
            let counts = try site.counts(.feedback, EvaluationSite.request(EvaluationSite.weights(bias)))
            return (Double(counts[0]) / Double(counts[0] + counts[1]) / step).rounded() * step
        }
        var number: Int64 = 0
        for (bias, isImproved, best) in [
            ([0, 0, 1], true, try share([0, 0, 1])), ([0, 0, 2], false, try share([0, 0, 1])),
            ([1, 0, 0], true, try share([1, 0, 0])), ([0, 1, 0], false, try share([1, 0, 0])),
            ([2, 0, 0], false, try share([1, 0, 0])),
        ] as [([Float], Bool, Double)] {
            number += 1
            let answer = try await site.evaluate(EvaluationSite.request(EvaluationSite.weights(bias)))
            let feedback = try #require(answer.feedback)
            #expect(answer.final == nil && feedback.isImproved == isImproved && feedback.number == number, "\(bias)")
            #expect(abs(try #require(feedback.best) - best) < 1e-9, "\(bias): \(feedback)")
        }
        // Hers is another's no more than another label's would be.
        let other = try #require(
            try await site.evaluate(EvaluationSite.request(EvaluationSite.weights([0, 0, 1])), as: EvaluationSite.bea)
                .feedback)
        #expect(other.isImproved && other.number == 1)
    }

    @Test("Where noise is larger than the rows, the Ladder tells nothing")
    func noisyLadder() async throws {
        let site = try EvaluationSite()
        for number in 1...10 as ClosedRange<Int64> {
            // Noise of deviation 4,000 on some 30 and 30 rows. A share of which twice the error is less would take a draw of 16,000 in both: once in 50 draws, of which it tells then.
            let feedback = try #require(try await site.evaluate(EvaluationSite.request(epsilon: 0.001)).feedback)
            #expect(feedback.number == number)
        }
        let standing = LadderStanding(asker: "ada", best: 0, evaluations: 3)
        let noise = try EvaluationTask.noise(rowsPerUnit: 3, PrivacyLoss(roundingDownEpsilon: 0.1))
        func told(_ right: Int64, _ wrong: Int64, _ step: Int64 = EvaluationRule.usualStep) -> LadderStanding {
            standing.following(EvaluationScore(right: right, wrong: wrong), noise, step: step)
        }
        // Of 40 rows an error of .75 and more; of 4,000 one of .0075.
        #expect(told(30, 10) == LadderStanding(asker: "ada", best: 0, isImproved: false, evaluations: 4))
        #expect(told(-30, 10).best == 0 && told(-3, 3).best == 0)
        #expect(told(3_016, 984).best == 750_000_000 && told(3_016, 984).isImproved)
        #expect(told(3_016, 984, 200_000_000).best == 800_000_000)
        // A policy's new step rounds what is told from now on: what was told in the old one stays, however coarse the new one is.
        let before = LadderStanding(asker: "ada", best: 750_000_000, evaluations: 9)
        for step in [20_000_000, 200_000_000, 900_000_000] as [Int64] {
            let worse = before.following(EvaluationScore(right: 1, wrong: 1), noise, step: step)
            #expect(worse.best == 750_000_000 && !worse.isImproved, "\(step)")
        }
    }

    @Test("Of several at one moment each knows those before it")
    func together() async throws {
        let site = try EvaluationSite()
        let feedback = try await withThrowingTaskGroup(of: ReleasedEvaluation.self) { group in
            for number in 0..<12 {
                let bias: [Float] = [number % 3 == 0 ? 1 : 0, number % 3 == 1 ? 1 : 0, number % 3 == 2 ? 1 : 0]
                group.addTask {
                    try await site.evaluate(
                        EvaluationSite.request(EvaluationSite.weights(bias.map { $0 * Float(number + 1) })))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }.compactMap(\.feedback).sorted { $0.number < $1.number }
        #expect(feedback.map(\.number) == Array(1...12))
        #expect(zip(feedback, feedback.dropFirst()).allSatisfy { ($0.best ?? 0) <= ($1.best ?? 0) })
        #expect(zip(feedback, feedback.dropFirst()).allSatisfy { $1.isImproved == (($0.best ?? 0) < ($1.best ?? 0)) })
    }
}
