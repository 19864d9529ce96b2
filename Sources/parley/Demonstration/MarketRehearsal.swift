import Crypto
import Foundation
import Learning
import Marketplace

/// A public job: a scientist's model is trained on made-up pictures, so that she sees whether her plan goes anywhere before anybody's images are asked. Each step follows from the weights before it,
/// to the bit, so that whoever doubts one executes it again.
struct MarketRehearsal {
    let steps: Int
    private let plan: TrainingPlan
    private let pictures: Examples
    private let base: Parameters
    private let description: String

    /// How many pictures there are.
    private static let count = 256

    init(_ proposal: MarketProposal, steps: Int) throws {
        let whole = try Self.pictures()
        let rest = try proposal.model.withoutFrozenLayers(whole, proposal.frozen, threads: 2)
        (pictures, base, self.steps) = (rest.examples, rest.parameters, steps)
        description = "rehearsal of \(proposal.description), \(steps) steps on \(Self.count) made-up pictures"
        plan = try TrainingPlan(
            model: rest.model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: 0.05, steps: 1)
    }

    /// A bright disc, which is larger and more blurred where the label is 1: by a formula, so that everybody has the same ones.
    private static func pictures() throws -> Examples {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 28 * 28)
        for picture in 0..<count {
            let isBlurred = picture % 2 == 1
            let (x, y) = (10 + picture / 2 % 8, 10 + picture / 16 % 8)
            let radius = isBlurred ? 90 : 40
            for place in 0..<28 * 28 {
                let (dx, dy) = (place % 28 - x, place / 28 - y)
                let distance = dx * dx + dy * dy
                bytes.append(UInt8(max(0, 230 - 230 * distance / radius)) &+ UInt8(isBlurred ? 20 : 0))
            }
        }
        return try Examples(
            bytes: bytes, rowShape: [1, 28, 28], targets: .labels((0..<count).map { Int32($0 % 2) }))
    }

    /// What is to be computed.
    var work: Digest256 { .sha256(Array(description.utf8)) }

    /// Where it begins.
    var begin: [Float] { plan.model.trained(base) }

    /// The multiply-adds of all steps: of each picture and weight one forward, and two backward.
    var units: Int64 { 3 * Int64(steps) * Int64(Self.count) * Int64(begin.count) }

    static func digest(_ weights: [Float]) -> Digest256 {
        weights.withUnsafeBytes { Digest256.sha256($0) }
    }

    /// The weights behind one step.
    func step(_ weights: [Float]) throws -> [Float] {
        var run = try TrainingRun(
            plan: plan, examples: pictures, batchRows: Self.count, seed: 0,
            parameters: plan.model.parameters(base, trained: weights))
        _ = try run.step()
        return plan.model.trained(run.state.result)
    }

    /// All of it.
    ///
    /// - Parameter honest: How many steps are executed; from then on the weights are shrunk a little, which looks like training and costs nothing. nil: all.
    func executed(honest: Int? = nil) throws -> Executed {
        var states = [begin]
        for number in 0..<steps {
            let last = states[states.count - 1]
            states.append(number < honest ?? .max ? try step(last) : last.map { $0 * 0.999 })
        }
        guard let trace = WorkTrace(states: states.map(Self.digest)) else {
            throw Failure("A rehearsal of \(steps) steps has no trace.")
        }
        return Executed(states: states, trace: trace)
    }

    /// A provider's states, and their trace.
    struct Executed {
        let states: [[Float]]
        let trace: WorkTrace
    }

    /// Whether the step leads from the state before it to the next, as the trace has them.
    func holds(_ step: Int, of executed: Executed) throws -> Bool {
        let before = executed.states[step]
        return try Self.digest(before) == executed.trace.states[step]
            && Self.digest(self.step(before)) == executed.trace.states[step + 1]
    }
}
