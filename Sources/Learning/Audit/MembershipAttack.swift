/// How well a trained model's losses tell who was in its training (Yeom et al. 2018, "Privacy risk in machine learning"): whose loss is
/// below a threshold is said to have been in.
///
/// A number to report, and no proof of privacy: better attacks exist. It is computed from real rows: for owners, and for researchers
/// on rows of their own; it does not leave a datasite unless it is paid for.
public struct MembershipAttack: Sendable, Equatable {
    /// The probability that a random member's loss is below a random other's, equal ones counting half: 0.5 where losses tell nothing.
    public let areaUnderCurve: Double
    private let members: [Double]
    private let others: [Double]

    /// - Parameters:
    ///   - members: The losses of rows that the model was trained on.
    ///   - others: Those of rows from the same source that it was not trained on.
    /// - Throws: No losses on one side, or one that is no number.
    public init(members: [Double], others: [Double]) throws(ModelError) {
        guard !members.isEmpty, !others.isEmpty, !(members + others).contains(where: \.isNaN) else {
            throw .data(
                "losses of \(members.count) members and \(others.count) others",
                expected: "at least one of each, and each a number")
        }
        self.members = members.sorted()
        self.others = others.sorted()
        var (below, equal, wins) = (0, 0, 0.0)
        for loss in self.others {
            while below < members.count, self.members[below] < loss { below += 1 }
            equal = max(equal, below)
            while equal < members.count, self.members[equal] == loss { equal += 1 }
            wins += Double(below) + Double(equal - below) / 2
        }
        areaUnderCurve = wins / (Double(members.count) * Double(others.count))
    }

    /// The part of the members that a threshold finds at which at most `rate` of the others are taken for members: 0.001 is usual
    /// (Carlini et al. 2022, "Membership inference attacks from first principles"). Fewer others than 1 / `rate` allow no mistake.
    public func truePositiveRate(atFalsePositiveRate rate: Double = 0.001) -> Double {
        let mistakes = Int((max(0, min(1, rate)) * Double(others.count)).rounded(.down))
        guard mistakes < others.count else { return 1 }
        // All below the first loss of another that must not be taken.
        return Double(members.count { $0 < others[mistakes] }) / Double(members.count)
    }

    /// Each row's loss under a model, as it is used: what the attack compares.
    ///
    /// - Throws: What does not fit together.
    public static func losses(
        of examples: Examples, _ model: Model, _ loss: Loss, _ parameters: Parameters
    ) throws(ModelError) -> [Double] {
        try loss.check(outputs: model.outputShape, examples.targets)
        var losses: [Double] = []
        for range in Chunks.ranges(examples.count, size: 256) {
            let rows = Array(range)
            losses +=
                loss.measure(
                    try model.predict(examples.inputs(rows), parameters), examples.targets.rows(rows)
                ).losses
        }
        return losses
    }
}
