/// What a policy says of measuring others' models on rows that nobody else sees, beside how often (docs/privacy.md, rule 35).
public struct EvaluationRule: Sendable, Hashable {
    /// The kind of work whose answers are the Ladder's.
    public static let feedback: EngineName = "evaluation-feedback"
    /// The kind of work whose answers are noisy counts, of the half of the units that no feedback is given on.
    public static let final: EngineName = "evaluation-final"

    /// Steps are whole numbers of this part of 1.
    public static let unit = 1e-9
    /// A hundredth.
    public static let usualStep: Int64 = 10_000_000

    /// A better score is told only where it is better by more: in units of a billionth.
    public var step: Int64

    /// A rule.
    public init(step: Int64 = usualStep) { self.step = step }
}
