import Foundation

/// Rounds of so many participants that one coordinator does not hold them: each cohort has its own, whose sums are added up in bounded memory.
///
/// **Privacy.** A cohort's sum is opened by itself, so that each cohort must meet the plan's least survivors, threshold and noise alone; adding up what was
/// opened is post-processing.
public struct Cohorts: Sendable {
    private let plan: FederatedPlan
    private let model: RunModel
    private var sum: Packed<Int64>
    private var weight = 0
    private var all = 0
    private var runs: Set<Data> = []

    /// - Throws: `plan` for a strategy that needs single updates, or none at all.
    public init(_ plan: FederatedPlan, from model: RunModel) throws(FederationError) {
        guard !plan.strategy.isRobust, plan.strategy.kind != .fedBuff, plan.aggregation.way != .distributedNoise else {
            throw .plan(
                "cohorts with \(plan.strategy.kind.rawValue)",
                expected: "a strategy that needs the sum of a round alone")
        }
        (self.plan, self.model) = (plan, model)
        sum = Packed([Int64](repeating: 0, count: plan.length))
    }

    /// Adds what a cohort's round came to.
    ///
    /// - Parameter participants: How many the cohort has.
    /// - Throws: `coordinator` for a round of another model, or of another length.
    public mutating func add(_ opened: OpenedRound, participants: Int) throws(FederationError) {
        guard opened.header.model == model.digest, opened.header.plan == plan.digest,
            case .sum(let integers) = opened.result,
            integers.count == sum.count, runs.insert(opened.header.run).inserted
        else { throw .coordinator(round: model.round, expected: "a cohort's sum of this round of this plan") }
        sum.add(integers)
        weight += plan.weight(of: opened.participants)
        all += plan.weight(of: 0..<participants)
    }

    /// The model behind the round.
    ///
    /// - Throws: `coordinator` where no cohort was added.
    public func stepped() throws -> RunModel {
        guard weight > 0 else { throw FederationError.coordinator(round: model.round, expected: "at least one cohort") }
        return try model.moved(
            by: plan.mean(sum, weight: weight), plan.strategy, share: Double(weight) / Double(all))
    }
}
