import DatasiteProtocol
import DifferentialPrivacy
import Governance

/// Refusals in words: from plan, policy and ledger, in the unit that was asked, with what is left and the largest question
/// that would fit.
enum RefusalWords {
    /// - Parameter room: What one question may cost by every limit; nil where no ledger was asked.
    static func problem(_ refusal: Refusal, _ planned: PlannedWork, room: PrivacyLoss? = nil) -> Problem {
        let (noun, cost, unit) = (planned.engine.noun, costWords(planned), planned.work.unit)
        switch refusal {
        case .researcherNotAllowed: return .notAllowed("the dataset's policy names who may ask, and you are not named")
        case .engineNotAllowed: return .notAllowed("the dataset's policy does not allow \(noun)")
        case .purposeMissing:
            return .notAllowed(
                "the dataset's policy wants to know what the answer is for",
                hint: "say it: `--purpose \"...\"`, in the shell `\\purpose ...`")
        case .otherKindOfLoss: return .notAllowed("the charge is in another unit of loss than the policy's")
        case .questionTooExpensive(let limit):
            let most = planned.size?.words(left: limit.room(after: .zero(limit.kind)), in: unit) ?? ""
            let left = Self.left(room ?? limit, planned)
            return .overBudget(
                "\(noun) costs \(cost), and one question may cost \(most)",
                hint: planned.engine.cheaper ?? left.map(words) ?? "ask for less precision", left: left)
        case .questionTooCheap(let least):
            let regime = planned.asked.policy?.regime
            return .notAllowed(
                "\(noun) costs \(cost), and a question costs at least "
                    + (regime.map { LossWords.least(least, $0, in: unit) } ?? ""),
                hint: "ask for more precision, or for several things in one question")
        case .overBudget(let scope, let limit, let spent):
            return overBudget(
                Ledger.LimitState(scope: scope, limit: limit, spent: spent), scope.words, planned, room: room)
        }
    }

    private static func overBudget(
        _ state: Ledger.LimitState, _ whose: String, _ planned: PlannedWork, room: PrivacyLoss?,
        isResearcher: Bool = true
    ) -> Problem {
        let cost = "\(planned.engine.noun) costs \(costWords(planned)), and "
        if let loss = planned.charge.loss,
            PrivacyLoss(kind: loss.kind, amounts: loss.amounts)?
                .fits(in: state.limit, after: state.spent) == true
        {
            let left = state.limit.left(after: state.spent).deltaValue
            return .overBudget(
                cost + "delta \(ShortNumber.text(left, .down)) is left to \(whose)",
                hint: "group by keys that are public, whose selection needs no delta"
                    + (left > 0 ? ", or select them with less: `--selection-delta`" : ""))
        }
        let ofScope = planned.size?.words(left: state.room, in: planned.work.unit) ?? "less"
        let left = room.flatMap { Self.left($0, planned) }
        return .overBudget(
            cost + "\(ofScope) is left to \(whose)",
            hint: (planned.engine.cheaper ?? left.map(words) ?? "`parley budget` says what is left")
                + (isResearcher ? "; or ask the owner" : "; or raise the total"), left: left)
    }

    /// What is left for questions, all limits taken together, the one on each question too.
    static func left(_ room: PrivacyLoss, _ planned: PlannedWork) -> QuestionsLeft? {
        guard let size = planned.size, let policy = planned.asked.policy else { return nil }
        let unit = planned.work.unit
        let most = planned.policies.compactMap(\.perQuestion).reduce(room) {
            $0.minimum($1.room(after: .zero($1.kind)))
        }
        let largest = most.largestRho >= policy.leastPlanned ? size.largest(most, in: unit) : nil
        return QuestionsLeft(
            alike: planned.charge.loss.map { $0.isCovered(by: most) ? size.count(of: $0, in: room) : 0 } ?? 0,
            largest: largest, unit: size.name(unit), error: largest.flatMap { _ in error(of: planned, in: most) })
    }

    /// About the smallest error that fits, where one was asked for: noise goes as one over the root of rho, under a pure policy as
    /// one over epsilon, apart from its grid and from what is charged at least.
    private static func error(of planned: PlannedWork, in most: PrivacyLoss) -> Double? {
        guard let asked = planned.work.askedError, let cost = planned.charge.loss, most.largestRho > 0 else {
            return nil
        }
        let ratio = Double(cost.leastRho) / Double(most.largestRho)
        return asked * (cost.kind == .pure ? ratio : ratio.squareRoot())
    }

    /// What it costs, and for which error where one was asked for.
    private static func costWords(_ planned: PlannedWork) -> String {
        planned.chargeWords
            + (planned.work.askedError.map { " for an error of \(ShortNumber.text($0 * 100)) %" } ?? "")
    }

    /// The next step.
    private static func words(_ left: QuestionsLeft) -> String {
        guard let largest = left.largest else { return "no question fits any more" }
        return left.errorText.map { "the smallest error that fits is about `--error \($0)`" }
            ?? "the largest that fits: `--\(left.unit) \(ShortNumber.plain(largest))`"
    }

    /// An approval that a window, or a limit that was lowered, has no room for.
    static func limitIsFull(_ exceeded: Ledger.Exceeded, charge: String) -> Problem {
        let isWindow = if case .window = exceeded.state?.scope { true } else { false }
        return .overBudget(
            "the request costs \(charge), more than is left at present to \(exceeded.words); it still waits",
            hint: isWindow
                ? "approve it later, when the window has room again, or deny it"
                : "deny it, or others that wait and so hold budget, or raise the limit")
    }

    /// - Parameter room: What one question may cost by every limit of every population that it reads.
    static func overBudget(
        _ exceeded: Ledger.Exceeded, _ planned: PlannedWork, room: PrivacyLoss?, isResearcher: Bool
    ) -> Problem {
        if let state = exceeded.state {
            return overBudget(state, exceeded.words, planned, room: room, isResearcher: isResearcher)
        }
        return .overBudget(
            "\(planned.engine.noun) costs \(costWords(planned)), more than is left to \(exceeded.words)",
            hint: "`parley budget` says what is left; "
                + (isResearcher ? "ask for less, or ask the owner" : "ask for less, or raise the total"))
    }
}
