public import DifferentialPrivacy

/// One party's part of private training steps whose sum over all parties is opened, and nothing else (docs/privacy.md, rule 31).
///
/// The party takes each of its units with the common rate, scales each unit's gradient down to the clipping norm, adds them up, rounds the sum to the
/// common grid and adds its share of the noise, all before anything leaves. The opened sum of all parties is one step of ``PrivateTrainingRun`` on the union
/// of their rows, with Skellam noise for discrete Gaussian noise: one unit is at one party, whose rounded sum alone it changes, so that the sensitivity is
/// that of ``TrainingPrivacy``. How much noise is in the sum is for `DistributedSkellam` to say.
public struct TrainingShare: Sendable {
    private let plan: TrainingPlan
    private let privacy: TrainingPrivacy
    private let examples: Examples
    private let share: Skellam
    private let threads: Int
    private let base: Parameters

    /// - Parameters:
    ///   - privacy: Of all parties together: a fixed clipping norm, and the capacity of the union.
    ///   - parameters: Frozen ones are taken from here.
    ///   - share: The party's noise, on the grid.
    /// - Throws: What does not fit together; layers that let one unit's gradient depend on others.
    public init(
        plan: TrainingPlan, privacy: TrainingPrivacy, examples: Examples, parameters: Parameters, share: Skellam,
        threads: Int = 1
    ) throws {
        guard case .fixed = privacy.clipping else {
            throw ModelError.data(
                "an adaptive clipping norm", expected: "a fixed one: its count would need noise of its own")
        }
        (self.plan, self.privacy, self.examples) = (plan, privacy, examples)
        (self.share, self.threads, base) = (share, threads, parameters)
        _ = try run(parameters)
    }

    private func run(_ parameters: Parameters) throws -> PrivateTrainingRun {
        try PrivateTrainingRun(
            plan: plan, privacy: privacy, examples: examples, parameters: parameters, threads: threads)
    }

    /// The party's summand of one step: in steps of the grid, ``TrainingPrivacy/dimension`` entries.
    ///
    /// - Parameter weights: Of the model, as ``Model/trained(_:)`` has them.
    /// - Throws: Another number of weights.
    public func integers(weights: [Float], using generator: inout some RandomNumberGenerator) throws -> [Int64] {
        let run = try run(plan.model.parameters(base, trained: weights))
        let units = UnitSample(rate: privacy.samplingRate).draw(of: examples.units.count, using: &generator)
        let total = run.clippedSum(units, using: &generator)
        let gridStep = privacy.clipping.first / privacy.gradientSteps
        // More units than are declared cannot be in it without being cut: entries stay in what the modulus has room for.
        let largest = privacy.largestEntry
        var integers: [Int64] = []
        integers.reserveCapacity(privacy.dimension)
        for values in total.sums {
            for value in values { integers.append(max(-largest, min(largest, Int64(clamping: value / gridStep)))) }
        }
        share.add(to: &integers, using: &generator)
        return integers
    }
}

extension TrainingPrivacy {
    /// The largest magnitude of an entry of the rounded sum over as many units as are declared, in steps of the grid.
    public var largestEntry: Int64 { Int64(min(0x1p55, Double(capacity) * gradientSteps)) }

    /// The mean gradient of a sum of the parties' integers: in the order of ``Model/trained(_:)``.
    public func meanGradient(ofSum integers: [Int64]) -> [Float] {
        let scale = clipping.first / gradientSteps / expectedUnits
        return integers.map { Float(Double($0) * scale) }
    }
}
