import DifferentialPrivacy
import Foundation
import Learning
import Secrets
import Testing

@testable import Federation

/// The exact attack on a first linear layer (Phong et al. 2018; Geiping et al. 2020, proposition 3.1): of one row, the gradient of a unit's weights is the row
/// times the gradient of its bias, so that their ratio is the row.
@Suite("What updates show of rows")
struct GradientInversionTests {
    private static let side = 8
    private static let units = 16
    private static let pixels = side * side
    private static let images = 20

    /// Blots of light, each somewhere else.
    private static func image(_ number: Int) -> [Float] {
        var random = SeededGenerator(seed: UInt64(number) + 1)
        func draw(_ most: Float) -> Float { Float(random.next() >> 40) * 0x1p-24 * most }
        let blots = (0..<3).map { _ in (draw(8), draw(8), 1 + draw(3), 0.3 + draw(0.7)) }
        return (0..<pixels).map { place in
            let (x, y) = (Float(place % side), Float(place / side))
            let light = blots.reduce(Float(0)) { sum, blot in
                let distance = (x - blot.0) * (x - blot.0) + (y - blot.1) * (y - blot.1)
                return sum + blot.3 * Float(exp(-Double(distance / blot.2)))
            }
            return min(light, 1)
        }
    }

    private static func model() throws -> Model {
        try Model(inputShape: [pixels]) {
            Linear(units)
            ReLU()
            Linear(2)
        }
    }

    private static func examples(_ numbers: [Int]) throws -> Examples {
        try Examples(
            inputs: Tensor(shape: [numbers.count, pixels], values: numbers.flatMap(image)),
            targets: .labels(numbers.map { Int32($0 % 2) }))
    }

    /// What the gradient's first layer gives back.
    private static func inverted(_ gradient: [Float], _ model: Model) throws -> [Float] {
        let weights = try #require(model.declarations.first)
        #expect(weights.shape == [units, pixels] && model.declarations[1].shape == [units])
        let bias = gradient[units * pixels..<units * (pixels + 1)]
        let unit = try #require(bias.indices.max { abs(bias[$0]) < abs(bias[$1]) })
        let row = (unit - units * pixels) * pixels
        return gradient[row..<row + pixels].map { $0 / gradient[unit] }
    }

    /// Structural similarity (Wang et al. 2004) in one window, of values from 0 to 1.
    private static func similarity(_ a: [Float], _ b: [Float]) -> Double {
        let (a, b) = (a.map { Double(min(max($0, 0), 1)) }, b.map { Double(min(max($0, 0), 1)) })
        let count = Double(a.count)
        let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
        let (varianceA, varianceB) = (
            a.reduce(0) { $0 + ($1 - meanA) * ($1 - meanA) } / count,
            b.reduce(0) { $0 + ($1 - meanB) * ($1 - meanB) } / count
        )
        let covariance = zip(a, b).reduce(0) { $0 + ($1.0 - meanA) * ($1.1 - meanB) } / count
        let (one, two) = (1e-4, 9e-4)
        return (2 * meanA * meanB + one) * (2 * covariance + two)
            / ((meanA * meanA + meanB * meanB + one) * (varianceA + varianceB + two))
    }

    private static func local(_ model: Model, steps: Int = 1) throws -> TrainingPlan {
        try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: 0.1, steps: steps)
    }

    private static func header(_ plan: FederatedPlan, _ model: RunModel) -> RoundHeader {
        RoundHeader(
            run: Data(repeating: 1, count: 16), plan: plan.digest, round: 0, attempt: 0, model: model.digest,
            asked: [0, 1, 2])
    }

    private static func plan(
        _ aggregation: FederatedPlan.Aggregation, noise: SharedNoise?, rounds: Int, _ parameters: Int
    ) throws -> FederatedPlan {
        FederatedPlan(
            name: "inverted", strategy: .fedSGD(rate: 0.1), aggregation: aggregation, rounds: rounds, least: 3,
            parameterCount: parameters, grid: noise == nil ? try UpdateGrid(range: 16) : nil, noise: noise,
            work: Data(repeating: 1, count: 32), leastSeconds: 10)
    }

    @Test("A single update in the clear gives its image back")
    func plain() throws {
        let model = try Self.model()
        let parameters = TrainingRun.initialParameters(model, seed: 4)
        let state = RunModel(
            round: 0, weights: model.trained(parameters),
            server: try ServerState(.fedSGD(rate: 0.1), parameters: model.trainableCount))
        let plan = try Self.plan(.plain, noise: nil, rounds: 1, model.trainableCount)
        for number in 0..<Self.images {
            var work = try LocalTraining(
                strategy: plan.strategy, plan: Self.local(model), examples: Self.examples([number]), batchRows: 1,
                seed: 0,
                parameters: parameters)
            guard
                case .numbers(let gradient) = try work.update(of: state, in: Self.header(plan, state), carried: [])
                    .update
            else { return #expect(Bool(false), "numbers are expected") }
            // As the coordinator has it: on the plan's grid.
            let integers = try #require(plan.grid).integers(gradient, weight: 1).0
            let seen = try #require(plan.grid).mean(Packed(integers), weight: 1)
            #expect(Self.similarity(try Self.inverted(seen, model), Self.image(number)) > 0.999, "image \(number)")
        }
    }

    @Test("A sum with shared noise at epsilon 8 gives back no more than a guess that saw no update")
    func noisy() throws {
        let model = try Self.model()
        let parameters = TrainingRun.initialParameters(model, seed: 4)
        let state = RunModel(
            round: 0, weights: model.trained(parameters),
            server: try ServerState(.fedSGD(rate: 0.1), parameters: model.trainableCount))
        let noise = SharedNoise(clippingNorm: 1, noiseMultiplier: 5.2, samplingRate: 1, capacity: 60)
        let plan = try Self.plan(
            .distributedNoise(threshold: 3, colluders: 1), noise: noise, rounds: 60, model.trainableCount)
        var accountant = try RenyiAccountant()
        try accountant.compose(plan.event())
        #expect(try accountant.epsilon(delta: 1e-4).upper <= 8)
        var (attacked, guessed): ([Double], [Double]) = ([], [])
        for number in 0..<Self.images {
            // The victim has one image, the other honest site none; the third is in league with the coordinator, and its share is known.
            var sum = [Int64](repeating: 0, count: model.trainableCount)
            for numbers in [[number], []] {
                var work = try PrivateLocalTraining(
                    plan, training: Self.local(model, steps: 60), examples: Self.examples(numbers),
                    parameters: parameters)
                guard
                    case .integers(let integers) = try work.update(of: state, in: Self.header(plan, state), carried: [])
                        .update
                else { return #expect(Bool(false), "integers are expected") }
                for index in sum.indices { sum[index] += integers[index] }
            }
            let gradient = try plan.privacy().meanGradient(ofSum: sum)
            attacked.append(Self.similarity(try Self.inverted(gradient, model), Self.image(number)))
            // The mean of the other images: what is known without any update.
            let others = (0..<Self.images).filter { $0 != number }.map(Self.image)
            let mean = (0..<Self.pixels).map { place in others.reduce(0) { $0 + $1[place] } / Float(others.count) }
            guessed.append(Self.similarity(mean, Self.image(number)))
        }
        let differences = zip(attacked, guessed).map { $0 - $1 }
        let mean = differences.reduce(0, +) / Double(differences.count)
        let deviation = (differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(differences.count - 1))
            .squareRoot()
        // Above by five standard errors it would tell something: a false alarm in fewer than one of a million runs.
        #expect(mean < 5 * deviation / Double(differences.count).squareRoot(), "\(mean)")
        #expect(attacked.allSatisfy { $0 < 0.9 })
    }
}
