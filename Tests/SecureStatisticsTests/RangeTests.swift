import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation
@testable import SecureStatistics

@Suite("No number passes its bound")
struct RangeTests {
    /// How near the largest magnitude of each step comes to its bound, as a part of it: all steps, those that no rule of the protocol would open among them.
    private func parts(_ program: Program, _ inputs: [RingTensor]) throws -> [Double] {
        let seen = program.steps.filter { step in
            switch step.operation {
            case .compactSign, .reveal: false
            default: true
            }
        }
        let opened = seen.enumerated().map { number, step in
            Program.Step(
                operation: .reveal(step.value, to: .first),
                value: Value(
                    place: program.steps.count + number, shape: step.value.shape, bound: step.value.bound,
                    isNonNegative: false, isRough: false))
        }
        let all = Program(steps: program.steps + opened, weights: [])
        let outputs = try ClearText.run(all, inputs: inputs).outputs.suffix(opened.count)
        return zip(opened, outputs).map { step, tensor in
            let largest = tensor.words.map { Double(Int64(bitPattern: $0).magnitude) }.max() ?? 0
            return step.value.bound == 0 ? (largest == 0 ? 0 : 2) : largest / step.value.bound
        }
    }

    private func inputs(
        _ program: Program, _ given: [ComputingParty: [RingTensor]]
    ) throws -> [RingTensor] {
        var next: [ComputingParty: Int] = [:]
        return try program.inputOwners.map { owner in
            let party = try #require(owner)
            defer { next[party, default: 0] += 1 }
            return try #require(given[party])[next[party, default: 0]]
        }
    }

    /// Tables whose moments are as bad as they can be, and random ones.
    private func tables(_ count: Int, _ columns: Int) -> [[[Double]]] {
        var generator = SeededGenerator(seed: 51)
        func made(_ number: (Int, Int) -> Double) -> [[Double]] {
            (0..<columns).map { column in (0..<count).map { number(column, $0) } }
        }
        return [
            made { _, _ in 1 }, made { _, _ in -1 }, made { _, _ in 0 }, made { $0 == $1 % columns ? 1 : 0 },
            made { $0 == 0 && $1 % 2 == 0 ? 1 : -1 }, made { _, row in row % 2 == 0 ? 1 : -1 },
            made { column, row in (column + row) % 2 == 0 ? 1 : -0.5 },
            made { _, _ in Double.random(in: -1...1, using: &generator) },
            made { _, _ in Double.random(in: -0.001...0.001, using: &generator) },
        ]
    }

    @Test(
        "Of a linear regression, whatever the rows, with the least ridge and a large one, proven bounds among them")
    func linear() throws {
        for (count, columns, ridge) in [(64, 5, 5e-5), (64, 5, 1), (40, 30, 0.0016), (1000, 14, 0.0003), (2, 1, 8e-6)] {
            let bounds = try (0..<columns).map { try ColumnBounds("x\($0)", -1, 1) }
            let table = try JointTable(
                features: bounds, response: try ColumnBounds("y", -1, 1),
                rowsOf: [.first: count / 2, .second: count - count / 2])
            let plan = try LinearPlan(
                try LinearTask(table: table, ridge: ridge, setting: .threeParties, recipients: [.first]))
            for features in tables(count, columns) {
                for response in [features[0], features[0].map { -$0.rounded(.up) }, features[0].map { _ in 1 }] {
                    func part(_ range: Range<Int>) -> OwnerRows {
                        OwnerRows(features: features.map { Array($0[range]) }, response: Array(response[range]))
                    }
                    let given = [
                        ComputingParty.first: try plan.inputs(of: .first, part(0..<count / 2)),
                        .second: try plan.inputs(of: .second, part(count / 2..<count)),
                    ]
                    let all = try parts(plan.program, inputs(plan.program, given))
                    #expect(
                        all.allSatisfy { $0 <= 1 },
                        "\(count) \(columns) \(ridge) \(all.indices.filter { all[$0] > 1 }.map { "\($0): \(all[$0])" }) of \(all.count)"
                    )
                }
            }
        }
    }

    @Test("Of a logistic regression with noise and without, whatever the rows")
    func logistic() throws {
        let columns = 5
        let bounds = try (0..<columns).map { try ColumnBounds("x\($0)", -1, 1) }
        let table = try JointTable(
            features: bounds, response: try ColumnBounds("y", 0, 1), rowsOf: [.first: 30, .second: 34])
        for privacy in [nil, try JointPrivacy(rho: 0.1, delta: 1e-6)] {
            let plan = try LogisticPlan(
                try LogisticTask(
                    table: table, epochs: 6, rate: 50, ridge: 0.001, privacy: privacy, setting: .threeParties,
                    recipients: [.first]))
            for features in tables(64, columns) {
                func part(_ range: Range<Int>) -> OwnerRows {
                    OwnerRows(
                        features: features.map { Array($0[range]) }, response: features[0][range].map { max($0, 0) })
                }
                let given = [
                    ComputingParty.first: try plan.inputs(of: .first, part(0..<30)),
                    .second: try plan.inputs(of: .second, part(30..<64)),
                ]
                #expect(try parts(plan.program, inputs(plan.program, given)).allSatisfy { $0 <= 1 })
            }
        }
    }
}
