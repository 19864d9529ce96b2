import DatasiteProtocol
import Governance

/// Refusals in words: from plan, policy and ledger.
enum RefusalWords {
    static func problem(_ refusal: Refusal, _ planned: PlannedWork) -> Problem {
        let (noun, cost) = (planned.engine.noun, planned.charge.words)
        switch refusal {
        case .researcherNotAllowed: return .notAllowed("the dataset's policy names who may ask, and you are not named")
        case .engineNotAllowed: return .notAllowed("the dataset's policy does not allow \(noun)")
        case .purposeMissing:
            return .notAllowed(
                "the dataset's policy wants to know what the answer is for", hint: "say it: `--purpose \"...\"`")
        case .otherKindOfLoss: return .notAllowed("the charge is in another unit of loss than the policy's")
        case .questionTooExpensive(let limit):
            return .overBudget(
                "\(noun) costs \(cost), and one question may cost \(LossWords.text(limit))",
                hint: "ask for less precision")
        case .questionTooCheap(let least):
            let regime = planned.asked.policy?.regime
            return .notAllowed(
                "\(noun) costs \(cost), and a question costs at least "
                    + (regime.map { LossWords.least(least, $0) } ?? LossWords.text(least)),
                hint: "ask for more precision, or for several things in one question")
        case .overBudget(let scope, let limit, let spent):
            return .overBudget(
                "\(noun) costs \(cost), and \(LossWords.text(limit.left(after: spent))) is left to \(scope.words)",
                hint: "ask for less precision, or ask the owner")
        }
    }

    /// An approval that a window has no room for.
    static func windowIsFull(_ exceeded: Ledger.Exceeded, charge: Charge) -> Problem {
        .overBudget(
            "the request costs \(charge.words), more than is left at present to \(exceeded.words); it still waits",
            hint: "approve it later, when the window has room again, or deny it")
    }

    static func overBudget(_ exceeded: Ledger.Exceeded, _ planned: PlannedWork, isResearcher: Bool) -> Problem {
        .overBudget(
            "\(planned.engine.noun) costs \(planned.charge.words), more than is left to \(exceeded.words)",
            hint: "`parley budget` says what is left; "
                + (isResearcher
                    ? "ask for less precision, or ask the owner" : "ask for a smaller epsilon, or raise the total"))
    }
}
