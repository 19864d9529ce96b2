import DatasiteProtocol
import Governance
import Learning
import Tables

/// The most work and memory that a training run takes, whatever the rows hold (docs/privacy.md, rule 26): from plan, declared capacity and
/// what made-up rows took here.
struct TrainingBounds {
    let work: Work
    let memory: Double
    let steps: [WorkStep]

    /// Values of one unit's rows on their way through the model, at most: they are computed in one piece.
    static let valuesTogether = 1 << 24
    static let largestRow = 1 << 22
    static let largestModel = 1 << 24
    static let mostSteps = 1_000_000
    /// Multiplications of one unit's rows on their way forward, at most: made-up rows are computed while others' plans wait.
    static let multiplicationsOfUnit = 0x1p33
    /// The same of all rows that are computed together, unless one unit has more.
    static let multiplicationsTogether = 0x1p31
    /// Values of the gradients that may be kept at a time, one a unit.
    static let gradientsTogether = 1 << 26

    /// Refuses what would take too much to be measured, before it is.
    static func check(_ steps: Int) throws(ModelError) {
        guard steps <= mostSteps else {
            throw .data("\(steps) steps", expected: "at most \(mostSteps): fewer epochs, or larger batches")
        }
    }

    /// How many rows are computed together at most.
    static func rowsTogether(_ model: Model) -> Int {
        max(1, Int(multiplicationsTogether / max(1, model.multiplicationsPerRow)))
    }

    /// Refuses a model that is too large, before it is measured.
    static func check(_ model: Model, rowsPerUnit: Int) throws(ModelError) {
        guard model.trainableCount <= largestModel else {
            throw .data(
                "\(model.trainableCount) values that are trained",
                expected: "at most \(largestModel) at a datasite")
        }
        guard model.valuesPerRow <= largestRow else {
            throw .data(
                "\(model.valuesPerRow) values of a row between layers",
                expected: "at most \(largestRow) at a datasite")
        }
        guard model.multiplicationsPerRow * Double(rowsPerUnit) <= multiplicationsOfUnit else {
            throw .data(
                "\(ShortNumber.text(model.multiplicationsPerRow * Double(rowsPerUnit))) multiplications for a unit's rows",
                expected: "at most \(ShortNumber.text(multiplicationsOfUnit)) at a datasite: fewer or smaller layers")
        }
        guard rowsPerUnit <= valuesTogether / max(1, model.valuesPerRow) else {
            throw .data(
                "a unit's \(rowsPerUnit) rows, each of \(model.valuesPerRow) values between layers",
                expected: "at most \(valuesTogether) values together: a smaller model")
        }
    }

    init(_ terms: TrainingTerms, _ cost: PrivateStepCost) {
        let manifest = terms.entry.manifest
        let dimension = Double(terms.plan.model.trainableCount)
        let step = terms.task.privateStep(
            terms.plan, rate: terms.privacy.samplingRate, expected: terms.privacy.expectedUnits,
            units: Double(manifest.capacityUnits + terms.canaries), cost)
        let rows = Double(manifest.capacityRows + 2 * terms.canaries)
        // Written and synchronised.
        let saving = Work([.step: 24 * dimension, .scan: 100])
        var steps = [WorkStep("reading the table", terms.task.reading(rows: rows))]
        var done = 0
        for end in terms.blocks {
            let before =
                terms.epsilon(after: done).map { ", epsilon \(ShortNumber.text(($0 * 100).rounded(.up) / 100)) so far" }
                ?? ""
            steps.append(
                WorkStep(
                    "step \(done + 1) of \(terms.plan.steps)\(before)", step.times(Double(end - done)) + saving))
            done = end
        }
        self.steps = steps
        work = steps.reduce(Work()) { $0 + $1.work }
        memory = terms.task.memory(terms.plan, rows: rows)
    }
}

extension TrainingTask {
    /// Of reading so many rows.
    func reading(rows count: Double) -> Work { rows.reading(rows: count) }

    /// Of a private step.
    ///
    /// - Parameters:
    ///   - expected: How many units the plan expects in a sample.
    ///   - units: How many there may be here.
    func privateStep(
        _ plan: TrainingPlan, rate: Double, expected: Double, units: Double, _ cost: PrivateStepCost
    ) -> Work {
        let rowsPerUnit = Double(entry.manifest.unit.rowsPerUnit)
        // Of a full table more are drawn with a probability below 1e-11 a step (Bernstein).
        let drawn = rate * units
        let sampled = min(units, drawn + 7 * drawn.squareRoot() + 30)
        let chunkRows = Double(plan.chunkRows)
        let chunks = 2 * (expected / (0.75 * chunkRows) + 1) + sampled * rowsPerUnit / chunkRows
        return Work([
            .measured: sampled * rowsPerUnit * cost.row + chunks * cost.chunk + cost.step,
            .noise: Double(plan.model.trainableCount) + 1,
            // A word is drawn for each unit that might be there.
            .row: 2 * units,
        ])
    }

    /// Each unit's gradient of a chunk, where that is cheaper than its norm; sums in float64, steps of the grid, what is released and stored in
    /// base64.
    func memory(_ plan: TrainingPlan, rows: Double) -> Double {
        let together = Double(max(plan.chunkRows, entry.manifest.unit.rowsPerUnit))
        let dimension = Double(plan.model.trainableCount)
        let gradients = min(together, Double(TrainingBounds.gradientsTogether) / max(1, dimension) + 1)
        return Double(plan.memory(batchRows: Int(together), threads: 1)) + rows * (3 * Double(features.rowBytes) + 40)
            + 8 * together * Double(plan.model.valuesPerRow) + 4 * dimension * gradients + 60 * dimension
    }
}

extension Work {
    func times(_ factor: Double) -> Work {
        Work(Dictionary(uniqueKeysWithValues: WorkKind.allCases.map { ($0, self[$0] * factor) }))
    }
}
