import DatasiteProtocol
import DifferentialPrivacy
import Governance

/// Refusals in words: from plan, policy and ledger.
enum RefusalWords {
    static func problem(_ refusal: Refusal, _ planned: PlannedWork) -> Problem {
        let (noun, cost) = (planned.engine.noun, planned.chargeWords)
        let conversion = planned.conversionDelta
        switch refusal {
        case .researcherNotAllowed: return .notAllowed("the dataset's policy names who may ask, and you are not named")
        case .engineNotAllowed: return .notAllowed("the dataset's policy does not allow \(noun)")
        case .purposeMissing:
            return .notAllowed(
                "the dataset's policy wants to know what the answer is for", hint: "say it: `--purpose \"...\"`")
        case .otherKindOfLoss: return .notAllowed("the charge is in another unit of loss than the policy's")
        case .questionTooExpensive(let limit):
            return .overBudget(
                "\(noun) costs \(cost), and one question may cost \(LossWords.text(limit, conversionDelta: conversion))",
                hint: "ask for less precision")
        case .questionTooCheap(let least):
            let regime = planned.asked.policy?.regime
            return .notAllowed(
                "\(noun) costs \(cost), and a question costs at least "
                    + (regime.map { LossWords.least(least, $0) } ?? ""),
                hint: "ask for more precision, or for several things in one question")
        case .overBudget(let scope, let limit, let spent):
            let room = LossWords.left(limit.room(after: spent), conversionDelta: conversion)
            return .overBudget(
                "\(noun) costs \(cost), and \(room) is left to \(scope.words)",
                hint: "ask for less precision, or ask the owner")
        }
    }

    /// An approval that a window has no room for.
    static func windowIsFull(_ exceeded: Ledger.Exceeded, charge: String) -> Problem {
        .overBudget(
            "the request costs \(charge), more than is left at present to \(exceeded.words); it still waits",
            hint: "approve it later, when the window has room again, or deny it")
    }

    static func overBudget(_ exceeded: Ledger.Exceeded, _ planned: PlannedWork, isResearcher: Bool) -> Problem {
        .overBudget(
            "\(planned.engine.noun) costs \(planned.chargeWords), more than is left to \(exceeded.words)",
            hint: "`parley budget` says what is left; "
                + (isResearcher
                    ? "ask for less precision, or ask the owner" : "ask for a smaller epsilon, or raise the total"))
    }
}
