import DifferentialPrivacy
import Foundation
import ModularArithmetic
import Secrets
import SecureComputation
import Testing

@testable import SecureStatistics

@Suite("Noise that owners put in as shares")
struct NoiseTests {
    private func table(_ columns: Int, rows: [ComputingParty: Int], label: String = "y") throws -> JointTable {
        try JointTable(
            features: try (0..<columns).map { try ColumnBounds("x\($0)", -1, 3) },
            response: try ColumnBounds(label, 0, 1), rowsOf: rows)
    }

    private func rows(_ count: Int, _ columns: Int, within bound: Double, _ generator: inout SeededGenerator)
        -> OwnerRows
    {
        OwnerRows(
            features: (0..<columns).map { _ in
                (0..<count).map { _ in Double.random(in: -bound...bound, using: &generator) }
            },
            response: (0..<count).map { _ in Double(Int.random(in: 0...1, using: &generator)) })
    }

    @Test(
        "A row's presence changes the gradients by at most the claimed sensitivity, and no row's norm passes 1, whatever is put in"
    )
    func sensitivity() throws {
        var generator = SeededGenerator(seed: 11)
        var largest = 0.0
        for (columns, featureBits) in [(1, 12), (6, 12), (30, 12), (6, 8), (30, 8), (127, 8)] {
            let task = try LogisticTask(
                table: try table(columns, rows: [.first: 3, .second: 3]), epochs: 4, rate: 8,
                privacy: try JointPrivacy(rho: 1, delta: 1e-6), setting: .dealer, recipients: [.first])
            let steps = try LogisticSteps(task, featureBits: featureBits, factorBits: 5)
            let noise = try #require(steps.noise)
            let unit = Int64(1) << Int64(steps.weightBits)
            for trial in 0..<40 {
                // Weights of any size, rows within bounds, at their ends, far beyond and not numbers.
                let weights = (0...columns).map { _ in Int64.random(in: -8 * unit...8 * unit, using: &generator) }
                let program = try steps.gradientProgram(at: weights)
                var first = rows(3, columns, within: [0.01, 1, 3, 1e9][trial % 4], &generator)
                let second = rows(3, columns, within: 3, &generator)
                if trial % 5 == 0 {
                    for column in 0..<columns { first.features[column][2] = weights[column] > 0 ? 1e300 : -1e300 }
                    first.response?[2] = 1e9
                }
                if trial % 7 == 0 { first.features[0][2] = .nan }
                func outputs(_ given: OwnerRows) throws -> [[Int64]] {
                    try program.clear(
                        [
                            .first: steps.encoding.tensors(of: .first, given),
                            .second: steps.encoding.tensors(of: .second, second),
                        ], setting: .dealer
                    ).map { signed($0.words) }
                }
                let whole = try outputs(first)
                for row in stride(from: 0, to: whole[0].count, by: columns + 1) {
                    let squares = whole[0][row..<row + columns + 1].map { Double($0 * $0) }.reduce(0, +)
                    #expect(squares.squareRoot() <= Double(1 << steps.encoding.featureBits))
                }
                // Without its last row.
                let fewer = OwnerRows(
                    features: first.features.map { Array($0.dropLast()) },
                    response: first.response.map { Array($0.dropLast()) })
                let rest = try outputs(fewer)
                let distance = zip(whole[1], rest[1]).map { Double(($0 - $1) * ($0 - $1)) }.reduce(0, +).squareRoot()
                #expect(distance <= noise.sensitivity)
                largest = max(largest, distance / noise.sensitivity)
            }
        }
        // Nor is the claim far from what a row can do.
        #expect(largest > 0.95)
        // Where there are many rows fewer bits of a feature serve.
        let many = try LogisticTask(
            table: try table(63, rows: [.first: 1 << 16, .second: 1 << 16]), epochs: 2, rate: 8,
            privacy: try JointPrivacy(rho: 1, delta: 1e-6), setting: .dealer, recipients: [.first])
        #expect(try (8..<12).contains(LogisticSteps.fitting(many).steps.encoding.featureBits))
    }

    @Test("A row's presence changes moments by at most the claimed sensitivity, and the extreme row by all of it")
    func momentSensitivity() throws {
        var generator = SeededGenerator(seed: 12)
        var largest = 0.0
        let task = try LinearTask(
            table: try table(4, rows: [.first: 3, .second: 2]), ridge: 0.1,
            privacy: try JointPrivacy(rho: 1, delta: 1e-6), setting: .threeParties, recipients: [.first])
        let plan = try LinearPlan(task)
        let noise = try #require(plan.noise)
        for trial in 0..<40 {
            var first = rows(3, 4, within: [0.01, 1, 3, 1e9][trial % 4], &generator)
            if trial == 0 {
                for column in 0..<4 { first.features[column][2] = 1e300 }
                first.response?[2] = -1e300
            }
            let second = rows(2, 4, within: 3, &generator)
            func moments(_ given: OwnerRows) throws -> [Int64] {
                let inputs = [
                    ComputingParty.first: try plan.inputs(of: .first, given, isSilent: true, using: &generator),
                    .second: try plan.inputs(of: .second, second, isSilent: true, using: &generator),
                ]
                return signed(try plan.program.clear(inputs, setting: .threeParties)[0].words)
            }
            let whole = try moments(first)
            let rest = try moments(
                OwnerRows(
                    features: first.features.map { Array($0.dropLast()) },
                    response: first.response.map { Array($0.dropLast()) }))
            let distance = zip(whole, rest).map { pow(Double($0 - $1), 2) }.reduce(0, +).squareRoot()
            #expect(distance <= noise.sensitivity)
            largest = max(largest, distance / noise.sensitivity)
        }
        #expect(largest > 0.999999)
    }

    @Test(
        "Every owner's draws are in a step, whole, and weights are those of the clear text with the same draws",
        arguments: [JointSetting.dealer, .threeParties])
    func everyDraw(_ setting: JointSetting) throws {
        var generator = SeededGenerator(seed: 13)
        let task = try LogisticTask(
            table: try table(3, rows: [.first: 20, .second: 30]), epochs: 3, rate: 1, ridge: 0.01,
            privacy: try JointPrivacy(rho: 0.1, delta: 1e-6), setting: setting, recipients: [.second])
        let plan = try LogisticPlan(task)
        let steps = try LogisticSteps.fitting(task).steps
        let given = [
            ComputingParty.first: rows(20, 3, within: 3, &generator), .second: rows(30, 3, within: 3, &generator),
        ]
        var inputs: [ComputingParty: [RingTensor]] = [:]
        for (party, rows) in given { inputs[party] = try plan.inputs(of: party, rows, using: &generator) }
        let run = try JointRun(plan.program, setting, inputs)
        #expect(run.cost == plan.cost)
        let found = signed(try #require(run.outputs[.second]?.first).words)
        let draws = try [ComputingParty.first, .second].map { signed(try #require(inputs[$0]?.last).words) }
        #expect(zip(draws[0], draws[1]).allSatisfy { $0 != $1 })
        // Step by step, each with its own draws.
        var weights: [Int64] = [0, 0, 0, 0]
        for epoch in 0..<3 {
            let gradients = signed(
                try steps.gradientProgram(at: weights).clear(
                    inputs.mapValues { Array($0.prefix(2)) }, setting: setting)[1].words)
            for place in 0..<4 {
                let noisy = gradients[place] + draws[0][4 * epoch + place] + draws[1][4 * epoch + place]
                let half = Int64(1) << Int64(steps.shift - 1)
                let change = noisy * steps.factor + weights[place] * steps.decay
                weights[place] -= (change + half) >> Int64(steps.shift)
            }
        }
        #expect(found == weights)
        #expect(found == signed(try plan.program.clear(inputs, setting: setting)[0].words))
    }

    @Test("Draws have the planned variance, and the sum of owners' as many times that as there are owners")
    func variance() throws {
        let noise = try JointNoise(
            try JointPrivacy(rho: 0.5, delta: 1e-6), sensitivity: 1000, dimension: 100, steps: 50,
            owners: [.first, .second, .third])
        var generator = SeededGenerator(seed: 14)
        let draws = try (0..<3).map { _ in signed(try noise.draws(using: &generator).words).map { Double($0) } }
        let count = Double(noise.steps * noise.dimension)
        // Of a normal number's square the standard deviation is sqrt(2): six deviations have a false-alarm rate of 2e-9 each.
        for one in draws {
            let square = one.reduce(0) { $0 + $1 * $1 } / count / (noise.sigma * noise.sigma)
            #expect(abs(square - 1) < 6 * (2 / count).squareRoot())
        }
        let sums = (0..<Int(count)).map { draws[0][$0] + draws[1][$0] + draws[2][$0] }
        let square = sums.reduce(0) { $0 + $1 * $1 } / count / (noise.deviation * noise.deviation)
        #expect(abs(square - 1) < 6 * (2 / count).squareRoot())
        #expect(noise.deviationFactor == 3.0.squareRoot())
        #expect(abs(noise.sigma * noise.sigma * 2 * 0.5 / 50 / 1e6 - 1) < 1e-9)
        #expect(noise.rho <= 0.5 && noise.rho > 0.4999)
        #expect(noise.clampingProbability > 0 && noise.clampingProbability < 0x1p-60)
        #expect(noise.epsilon >= Conversion.epsilon(rho: noise.rho, delta: 1e-6))
        #expect(noise.epsilon < 1.0001 * Conversion.epsilon(rho: noise.rho, delta: 1e-6))
    }

    @Test(
        "With much noise allowed a private model is near the one without, and with noughts in place of noise it is the clipped one"
    )
    func accuracy() throws {
        let data = try BreastCancer()
        let (table, given) = try data.byRows([.first, .second])
        func errors(_ model: LogisticModel) -> Int {
            data.labels.indices.count { ((model.logit(data.row($0)) ?? 0) >= 0) != (data.labels[$0] == 1) }
        }
        func model(_ rho: Double) throws -> LogisticModel {
            let task = try LogisticTask(
                table: table, epochs: 20, rate: 16, privacy: try JointPrivacy(rho: rho, delta: 1e-6), setting: .dealer,
                recipients: [.first])
            var generator = SeededGenerator(seed: 15)
            return try LogisticPlan(task).clear(given, isSilent: rho == 64, using: &generator)
        }
        let silent = try model(64)
        #expect(errors(silent) < 60)
        #expect(errors(try model(8)) < 80)
        // Rho of 10^-6 leaves nothing.
        let drowned = try model(1e-6)
        #expect(drowned.weights.map(abs).max() ?? 0 > 10 * (silent.weights.map(abs).max() ?? 0))
    }

    @Test("Noise that would leave no room for numbers is refused with the step and its bits")
    func overflow() throws {
        let task = try LogisticTask(
            table: try table(3, rows: [.first: 20, .second: 30]), epochs: 100, rate: 1,
            privacy: try JointPrivacy(rho: 1e-13, delta: 1e-6), setting: .dealer, recipients: [.first])
        #expect(throws: SecureStatisticsError.self) { try LogisticPlan(task) }
        let many = try LogisticTask(
            table: try table(30, rows: [.first: 1, .second: 1]), epochs: 1000, rate: 256,
            privacy: try JointPrivacy(rho: 1e-8, delta: 1e-6), setting: .dealer, recipients: [.first])
        do {
            _ = try LogisticPlan(many)
            Issue.record("it has room")
        } catch SecureStatisticsError.computation(.overflow(_, let bits)) {
            #expect(bits > 62)
        }
    }
}
