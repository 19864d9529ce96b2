import Foundation
import ModularArithmetic
import Secrets
import SecureComputation
import Testing

@testable import SecureStatistics

@Suite("Logistic regression on shares")
struct LogisticTests {
    /// Gradient steps in floating point, with the logistic function itself.
    private func trained(_ data: BreastCancer, epochs: Int, rate: Double, ridge: Double) -> [Double] {
        let rows = data.labels.indices.map { place in
            zip(data.columns, data.row(place)).map { $0.scaled($1) } + [1]
        }
        var weights = [Double](repeating: 0, count: 31)
        for _ in 0..<epochs {
            var gradients = weights.map { $0 * ridge }
            for (row, label) in zip(rows, data.labels) {
                let logit = zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 }
                let residual = (1 / (1 + exp(-logit)) - label) / Double(rows.count)
                for column in 0..<31 { gradients[column] += residual * row[column] }
            }
            for column in 0..<31 { weights[column] -= rate * gradients[column] }
        }
        return weights
    }

    private func disagreements(_ data: BreastCancer, _ model: LogisticModel, _ weights: [Double]) throws -> Int {
        let clear = try LogisticModel(features: data.columns, weights: weights)
        return data.labels.indices.count { place in
            (model.logit(data.row(place)) ?? 0) >= 0 && (clear.logit(data.row(place)) ?? 0) < 0
                || (model.logit(data.row(place)) ?? 0) < 0 && (clear.logit(data.row(place)) ?? 0) >= 0
        }
    }

    @Test(
        "Labels are those of clear training but for one row, integers those of the clear text twin, costs the plan's",
        arguments: [
            (JointSetting.dealer, [ComputingParty.first, .second], true), (.dealer, [.first, .second], false),
            (.threeParties, [.first, .second, .third], true), (.threeParties, [.second, .third], true),
            (.threeParties, [.first, .third], false),
        ])
    func trains(_ setting: JointSetting, _ owners: [ComputingParty], _ isByRows: Bool) throws {
        let data = try BreastCancer()
        let (table, given) = isByRows ? try data.byRows(owners) : try data.byColumns(owners[0], owners[1])
        let task = try LogisticTask(
            table: table, epochs: 30, rate: 8, ridge: 0.001, setting: setting, recipients: setting.parties)
        let plan = try LogisticPlan(task)
        #expect(abs(plan.rate / 8 - 1) < 0.04)
        var inputs: [ComputingParty: [RingTensor]] = [:]
        for party in setting.parties { inputs[party] = try plan.inputs(of: party, given[party]) }
        let run = try JointRun(plan.program, setting, inputs)
        let model = try plan.model(run.outputs[.first] ?? [])
        #expect(model == (try plan.model(run.outputs[.second] ?? [])))
        #expect(model == (try plan.clear(given)))
        #expect(run.cost == plan.cost)
        #expect(plan.epochCost.bytes < 200_000)
        let weights = trained(data, epochs: 30, rate: plan.rate, ridge: plan.ridge)
        #expect(try disagreements(data, model, weights) <= 1)
        let farthest = zip(weights, model.weights).map { abs($0 - $1) }.max() ?? 1
        #expect(farthest < 0.2 && farthest > 0)
    }

    @Test("The curve is as near to the logistic function as it says, and no nearer than half of that")
    func curves() {
        for curve in [LogisticCurve.fine, .coarse] {
            let farthest =
                stride(from: -30.0, through: 30, by: 0.001).map {
                    abs(curve($0) + 0.5 - 1 / (1 + exp(-$0)))
                }.max() ?? 1
            #expect(farthest <= curve.error && farthest > curve.error / 2)
            #expect(curve(40) == 0.5 && curve(-40) == -0.5)
        }
    }
}
