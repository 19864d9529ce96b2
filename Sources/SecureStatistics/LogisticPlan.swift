public import ModularArithmetic
internal import Secrets
public import SecureComputation

/// How a ``LogisticTask`` is computed: the program, its cost and its noise. It follows from the task alone, and is the same at all parties and the dealer.
///
/// **Protocol.** Rows are shared, or opened under one mask for the whole run (``ProgramBuilder/maskedOnce(_:)``), so that an epoch opens weights and residuals alone: x w, the curve, residuals times x, and one exact division, of
/// as many numbers as there are weights. All divisions are exact: parties' integers are those of the clear text twin (``clear(_:)``). Nothing is opened but the weights behind the last step.
///
/// **Why one operand.** Weights of a party (``ProgramBuilder/weights(_:of:shape:bound:sumBound:)``) would halve what products open, a quarter of an epoch's bytes, where each row is one owner's. An operand of all owners serves
/// rows and columns divided alike, needs no mask that is kept, and can be clipped on shares.
///
/// **Threat model** of the machines: semi-honest parties, with a dealer that colludes with neither, or three of whom no two collude. Without noise the weights tell of rows what they tell.
///
/// **With noise** a row x is first multiplied by the inverse root of its squared norm, held to 1 from below, and by a margin, so that its norm is at most 1, rounding included, whatever the owner put in. What it adds to the sum of
/// gradients is then at most 1 in L2 norm, as the curve and a label lie from 0 to 1; the sum is rounded to the noise's grid, which moves each of its numbers by half a unit on either table. ``JointNoise`` has the rest.
public struct LogisticPlan: Sendable {
    /// What is computed.
    public let task: LogisticTask
    /// What the machines run.
    public let program: Program
    /// The rate that steps have: the task's, rounded to a number of few bits.
    public let rate: Double
    /// The ridge that steps have.
    public let ridge: Double
    /// Which noise; none without privacy.
    public let noise: JointNoise?
    /// What a run costs.
    public let cost: JointCost
    /// What one epoch of it costs.
    public let epochCost: JointCost
    let encoding: EncodedTable
    let weightBits: Int

    /// - Throws: ``SecureStatisticsError``: where no scales keep numbers below 2^62, the step and the bits that it would need.
    public init(_ task: LogisticTask) throws(SecureStatisticsError) {
        let (steps, program) = try LogisticSteps.fitting(task)
        self.task = task
        self.program = program
        (rate, ridge, noise) = (steps.rate, steps.ridge, steps.noise)
        (encoding, weightBits) = (steps.encoding, steps.weightBits)
        cost = JointCost(program, task.setting)
        // The first epoch has no curve: weights are nought.
        let epochs = task.epochs > 2 ? (task.epochs, 2) : (3, 2)
        let more = epochs.0 == task.epochs ? cost : JointCost(try steps.program(epochs: 3), task.setting)
        let less = JointCost(try steps.program(epochs: 2), task.setting)
        epochCost = JointCost(more, less: less, steps: epochs.0 - epochs.1)
    }

    /// What a party puts into its machine, noise drawn anew: nothing where it owns nothing.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)``.
    public func inputs(of party: ComputingParty, _ rows: OwnerRows?) throws(SecureStatisticsError) -> [RingTensor] {
        var random = SecureRandom()
        return try inputs(of: party, rows, using: &random)
    }

    /// - Parameter isSilent: Noughts in place of noise. For tests alone: no public call gives it.
    func inputs(
        of party: ComputingParty, _ rows: OwnerRows?, isSilent: Bool = false,
        using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> [RingTensor] {
        try encoding.inputs(of: party, rows, noise: noise, isSilent: isSilent, using: &generator)
    }

    /// The same integers without cryptography, of all owners' rows.
    ///
    /// - Throws: ``SecureStatisticsError``.
    public func clear(_ rows: [ComputingParty: OwnerRows]) throws(SecureStatisticsError) -> LogisticModel {
        var random = SecureRandom()
        return try clear(rows, isSilent: false, using: &random)
    }

    func clear(
        _ rows: [ComputingParty: OwnerRows], isSilent: Bool, using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> LogisticModel {
        var given: [ComputingParty: [RingTensor]] = [:]
        for party in task.table.owners {
            given[party] = try inputs(of: party, rows[party], isSilent: isSilent, using: &generator)
        }
        return try model(try program.clear(given, setting: task.setting))
    }

    /// The model of what a recipient's machine gave.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)`` where it is not of this plan.
    public func model(_ outputs: [RingTensor]) throws(SecureStatisticsError) -> LogisticModel {
        guard let words = outputs.first?.words, words.count == task.table.width else {
            throw .rows("\(outputs.count) outputs", expected: "one of \(task.table.width) numbers")
        }
        let unit = 1 / Double(Int64(1) << Int64(weightBits))
        return try LogisticModel(
            features: task.table.features, weights: words.map { Double(Int64(bitPattern: $0)) * unit })
    }
}

/// A logistic model of columns in their own units.
public struct LogisticModel: Sendable, Hashable {
    /// The columns, to whose bounds rows are held.
    public let features: [ColumnBounds]
    /// Of features that run from -1 to 1 within their bounds, and of the one behind them.
    public let weights: [Double]

    /// A model of other weights, to compare with.
    ///
    /// - Throws: ``SecureStatisticsError/task(_:expected:)`` where there is not one weight for each column and one behind them.
    public init(features: [ColumnBounds], weights: [Double]) throws(SecureStatisticsError) {
        guard weights.count == features.count + 1 else {
            throw .task("\(weights.count) weights", expected: "\(features.count + 1)")
        }
        (self.features, self.weights) = (features, weights)
    }

    /// The logit where all features are 0, within their bounds.
    public var intercept: Double {
        zip(features, weights).reduce(weights[features.count]) { $0 - $1.1 * $1.0.middle / $1.0.radius }
    }

    /// The logit's change by a unit of each feature, within its bounds.
    public var coefficients: [Double] { zip(features, weights).map { $1 / $0.radius } }

    /// The logit of a row: above 0 where the label 1 is the likelier one. Nil for another number of features.
    public func logit(_ row: [Double]) -> Double? {
        guard row.count == features.count else { return nil }
        return zip(zip(features, row), weights).reduce(weights[features.count]) { $0 + $1.0.0.scaled($1.0.1) * $1.1 }
    }
}
