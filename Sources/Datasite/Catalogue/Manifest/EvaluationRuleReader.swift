import DatasiteProtocol
import Governance

/// Reads what a policy says of measuring others' models: `evaluation-feedback: {uses: 200, uses-per-researcher: 20, step: 0.01}`, `evaluation-final: {uses: 5, uses-per-researcher: 1}`.
enum EvaluationRuleReader {
    /// The keys of a kind of work that measures models; nil: it is none.
    static func keys(_ engine: EngineName) -> Set<String>? {
        switch engine {
        case EvaluationRule.feedback: ["step"]
        case EvaluationRule.final: []
        default: nil
        }
    }

    static func rule(_ keys: [String: YAMLValue]) throws -> EvaluationRule {
        guard let value = keys["step"] else { return EvaluationRule() }
        let step = try value.units(digits: 9)
        guard Double(step) * EvaluationRule.unit < 1 else {
            throw value.problem(
                "expected a number above 0 and below 1", hint: "0.01: a score is told where it is better by a hundredth"
            )
        }
        return EvaluationRule(step: step)
    }

    /// Refuses what sets no bound on how often rows are asked about, or allows nothing.
    static func check(_ read: EngineRule, of engine: EngineName, at rule: YAMLValue) throws {
        guard read.evaluation != nil else { return }
        guard read.uses != nil else {
            throw rule.problem(
                "the key `uses` is missing: without it no model is measured",
                hint: "`uses: 200` allows so many, by all and for ever; finals are few")
        }
        guard read.usesPerResearcher != nil else {
            throw rule.problem(
                "the key `uses-per-researcher` is missing: how many are one person's?",
                hint: engine == EvaluationRule.final ? "uses-per-researcher: 1" : "uses-per-researcher: 20")
        }
    }
}

extension EvaluationRule {
    /// For people, and for comparing policies.
    var words: [String] { ["in steps of \(ShortNumber.text(Double(step) * Self.unit))"] }
}
