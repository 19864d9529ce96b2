import DatasiteProtocol
import Federation
import Governance
import Learning
import Secrets
import Tables

/// The most that a site's part in a run takes here, whatever its rows hold, and whatever the others do (docs/privacy.md, rule 26).
struct FederatedBounds: Sendable {
    /// Of everything before the first message.
    let reading: Work
    /// Of what is made from rows in a round.
    let round: Work
    let work: Work
    let memory: Double
    let steps: [WorkStep]
    /// In bytes.
    let largestReply: Int

    /// What made-up rows took here.
    struct Cost: Sendable {
        var step: PrivateStepCost
        /// Nanoseconds of a row in layers that are computed once.
        var features: Double
    }

    init(_ terms: FederatedTerms, _ cost: Cost) {
        let manifest = terms.task.entry.manifest
        let (rows, units) = (Double(manifest.capacityRows), Double(manifest.capacityUnits))
        let dimension = Double(terms.local.model.trainableCount)
        var reading = terms.task.reading(rows: rows)
        reading += Work([.measured: rows * cost.features])
        let made: Work
        if let noise = terms.plan.noise {
            made = terms.task.privateStep(
                terms.local, rate: noise.samplingRate, expected: noise.samplingRate * Double(noise.capacity),
                units: units,
                cost.step)
        } else {
            let batch = min(Double(terms.task.document.batch), rows)
            let chunks = 2 * (batch / Double(terms.local.chunkRows) + 1)
            made = Work([
                .measured: Double(terms.section.localSteps)
                    * (batch * cost.step.row + chunks * cost.step.chunk + cost.step.step),
                // The order of the rows is drawn.
                .row: 4 * rows,
            ])
        }
        // Shares of noise are Skellam's, which cost twice as much as a discrete Gaussian's.
        let sending = RoundsSession.sending(length: terms.plan.parameterCount, sites: terms.rounds.roster.count)
        round = made + Work([.noise: 3 * dimension]) + sending
        self.reading = reading
        var steps = [WorkStep("reading the table", reading)]
        var done = 0
        let attempts = Double(terms.attempts) / Double(terms.plan.rounds)
        for end in terms.blocks {
            let before = terms.epsilon(after: done).map {
                ", epsilon \(ShortNumber.text(($0 * 100).rounded(.up) / 100)) so far"
            }
            steps.append(
                WorkStep(
                    "round \(done + 1) of \(terms.plan.rounds)\(before ?? "")",
                    round.times(Double(end - done) * attempts)))
            done = end
        }
        self.steps = steps
        work = steps.reduce(Work()) { $0 + $1.work }
        memory = terms.task.memory(terms.local, rows: rows) + 400 * dimension
        largestReply = RoundsSession.largestReply(length: terms.plan.length, sites: terms.rounds.roster.count)
    }
}

extension FederatedTerms {
    /// - Parameter nanoseconds: The processor's time that a computation takes this thread.
    func measuredCost(_ nanoseconds: (() -> Void) -> Double) throws -> FederatedBounds.Cost {
        do throws(ModelError) {
            let step = try PrivateStepCost(
                measuring: local, rowsPerUnit: task.entry.manifest.unit.rowsPerUnit, nanoseconds: nanoseconds)
            guard model.inputShape != local.model.inputShape else { return .init(step: step, features: 0) }
            let rows = 64
            let made = try task.madeUp(rows: rows, model.inputShape)
            let parameters = Self.shapes(of: model)
            let times = (0..<3).map { _ in
                nanoseconds { _ = try? model.withoutFrozenLayers(made, parameters) }
            }
            return .init(step: step, features: 1.5 * (times.min() ?? 0) / Double(rows))
        } catch { throw Problem.invalidManifest("\(error)") }
    }
}
