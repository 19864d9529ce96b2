import Secrets
import Testing

@testable import Learning

@Suite("The audit of one training run")
struct OneRunAuditTests {
    /// In 60 decimal digits, term by term: m canaries, r guesses, v right, epsilon, delta, and the probability.
    static let probabilities: [(Int, Int, Int, Double, Double, Double)] = [
        (100, 100, 75, 1, 0, 3.827218672551e-01),
        (1000, 200, 150, 0.5, 1e-5, 6.212078358387e-04),
        (1000, 800, 795, 2, 1e-5, 1.808596371449e-04),
        (10, 10, 10, 0, 0, 9.765625e-04),
        (500, 50, 30, 2, 1e-4, 9.999999244722e-01),
    ]

    @Test("The probability of so many right guesses is the theorem's, as exact arithmetic has it", arguments: 0..<5)
    func probability(index: Int) throws {
        let (m, r, v, epsilon, delta, wanted) = Self.probabilities[index]
        let audit = try OneRunAudit(canaries: m, guesses: r, correct: v)
        let probability = audit.probability(epsilon: epsilon, delta: delta)
        #expect(probability >= wanted * (1 - 1e-12))
        #expect(probability <= wanted * (1 + 1e-8))
    }

    @Test("The bound on epsilon is where that probability crosses, and nothing is shown by half the guesses right")
    func epsilon() throws {
        for (m, r, v, delta, wanted) in [
            (100, 100, 75, 0, 0.3946149335), (1000, 200, 150, 1e-5, 0.5611559980),
            (1000, 800, 795, 1e-5, 3.6851863295), (1000, 1000, 1000, 0, 4.9716546792),
            (1000, 100, 100, 1e-5, 1.8157908505), (100, 100, 50, 0, 0), (5, 0, 0, 0, 0),
        ] as [(Int, Int, Int, Double, Double)] {
            let shown = try OneRunAudit(canaries: m, guesses: r, correct: v).epsilon(delta: delta)
            #expect(abs(shown - wanted) < 1e-7)
        }
        // All right of 1000: q^1000 = 0.001.
        let delta = try OneRunAudit(canaries: 1000, guesses: 1000, correct: 1000).epsilon(delta: 1e-3)
        #expect(delta < 4.9716546792)
    }

    @Test("Guesses take the largest and the least scores, and nothing between; wrong numbers are refused")
    func guesses() throws {
        let audit = try OneRunAudit(
            scores: [5, 1, 3, 4, 2, 3], wasIn: [true, false, false, false, true, true], guessing: 2)
        #expect(audit == (try OneRunAudit(canaries: 6, guesses: 4, correct: 2)))
        #expect(throws: ModelError.self) { try OneRunAudit(scores: [1], wasIn: [true], guessing: 1) }
        #expect(throws: ModelError.self) { try OneRunAudit(canaries: 10, guesses: 8, correct: 9) }
    }

    /// Randomised response about each canary: the false alarms of a true claim are as rare as is said.
    @Test("A bound at 95 % is wrong at most 5 % of the time, and comes close to the truth")
    func coverage() throws {
        var generator = SeededGenerator(seed: 6)
        let epsilon = 1.0986122886681098
        var bounds: [Double] = []
        for _ in 0..<300 {
            // Right three times of four.
            let correct = (0..<400).count { _ in generator.index(below: 4) > 0 }
            bounds.append(
                try OneRunAudit(canaries: 400, guesses: 400, correct: correct).epsilon(delta: 0, confidence: 0.95))
        }
        // 15 expected; 40 or more have the probability 1e-7.
        #expect(bounds.count { $0 > epsilon } < 40)
        #expect(bounds.sorted()[150] > 0.8)
    }
}

@Suite("Membership inference by losses")
struct MembershipAttackTests {
    @Test(
        "The area is the part of pairs in the right order, and the rate what is found without more mistakes than allowed"
    )
    func known() throws {
        let attack = try MembershipAttack(members: [1, 2, 2, 5], others: [2, 3, 4, 6, 0])
        // Right pairs, equal ones a half: 1 and 4 of 5, 2 twice 3.5, 5 and 1 of 5.
        #expect(attack.areaUnderCurve == (4 + 3.5 + 3.5 + 1) / 20)
        #expect(attack.truePositiveRate() == 0)
        #expect(attack.truePositiveRate(atFalsePositiveRate: 0.2) == 0.25)
        #expect(attack.truePositiveRate(atFalsePositiveRate: 0.4) == 0.75)
        #expect(attack.truePositiveRate(atFalsePositiveRate: 1) == 1)
        #expect(throws: ModelError.self) { try MembershipAttack(members: [], others: [1]) }
        #expect(throws: ModelError.self) { try MembershipAttack(members: [.nan], others: [1]) }
    }

    @Test("A model that has learned random labels by heart gives its members away; a private one hardly does")
    func memory() throws {
        var generator = SeededGenerator(seed: 21)
        let model = try Model(inputShape: [30]) {
            Linear(64)
            ReLU()
            Linear(10)
        }
        func examples() throws -> Examples {
            let values = (0..<100 * 30).map { _ in generator.normal() }
            return try Examples(
                inputs: Tensor(shape: [100, 30], values: values),
                targets: .labels((0..<100).map { _ in Int32(generator.index(below: 10)) }))
        }
        let (members, others) = (try examples(), try examples())
        let parameters = model.initialParameters(using: &generator)
        func attack(_ parameters: Parameters) throws -> MembershipAttack {
            try MembershipAttack(
                members: MembershipAttack.losses(of: members, model, .crossEntropy, parameters),
                others: MembershipAttack.losses(of: others, model, .crossEntropy, parameters))
        }
        let plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(momentum: 0.9), learningRate: 0.1, steps: 200
        )
        var plain = try TrainingRun(
            plan: plan, examples: members, batchRows: 50, seed: 1, parameters: parameters)
        for _ in 0..<200 { _ = try plain.step() }
        let learned = try attack(plain.state.result)
        #expect(learned.areaUnderCurve > 0.9)
        #expect(learned.truePositiveRate(atFalsePositiveRate: 0.2) > 0.8)
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 40, samplingRate: 0.5, steps: 200, capacity: 100,
            dimension: model.trainableCount)
        var run = try PrivateTrainingRun(plan: plan, privacy: privacy, examples: members, parameters: parameters)
        for _ in 0..<200 { run.step(using: &generator) }
        // 0.04 is the deviation of the area of a hundred on each side that tells nothing: five of them have the probability 3e-7.
        #expect(try attack(run.state.result).areaUnderCurve < 0.7)
    }
}
