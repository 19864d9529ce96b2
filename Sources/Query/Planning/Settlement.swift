import DatasiteProtocol
public import DifferentialPrivacy
import Tables

extension LossRegime {
    /// What an epsilon comes to as a planned loss, in units of `PrivacyLoss.amountUnit`, rounded down.
    public func amount(epsilon: Double) -> Int64 { Self.amount(planned(epsilon: epsilon)) }

    /// The half-width of the 95 % interval of a count that one unit changes by 1, asked for alone at an epsilon.
    public func countHalfWidth(epsilon: Double) -> Double {
        Allocation.halfWidth(ofCountAt: planned(epsilon: epsilon), planned)
    }

    /// A planned loss, in units of `PrivacyLoss.amountUnit`, rounded down.
    public static func amount(_ loss: Double) -> Int64 {
        Int64((Swift.min(loss, QuestionLimits.loss) / PrivacyLoss.amountUnit).rounded(.down).nextDown.rounded(.up))
    }
}

/// Turns what a question may cost into a planned loss.
struct Settlement {
    let regime: LossRegime
    let question: Question
    /// The least that a question is charged.
    let least: Int64
    /// Whether several sites answer together, whose policies' least charges differ: they do not decide on the noise.
    var isShared = false

    var aimsAtError: Bool {
        if case .error = question.budget { true } else { false }
    }

    /// Allocates the budget that was named, or the least one that reaches the error that was named and may be charged.
    ///
    /// What is named and lies below the least is planned as it is: the policy refuses it.
    func settle(
        _ allocation: Allocation, _ meets: (Allocation.Result, Double, Double) -> Bool
    ) throws(QueryError) -> Allocation.Result {
        if case .error(let relative, let groupSize) = question.budget {
            guard relative > 0, relative.isFinite, groupSize > 0, groupSize.isFinite else {
                throw QueryError(
                    "the error and the group size are positive numbers", hint: "2 % of groups of 1000: 0.02, 1000.")
            }
            return try search(allocation) { meets($0, relative, groupSize) }
        }
        return try allocate(try amount(), allocation)
    }

    /// The budget that was named, in units of `PrivacyLoss.amountUnit`.
    func amount() throws(QueryError) -> Int64 {
        switch question.budget {
        case .epsilon(let epsilon):
            try check(epsilon, "epsilon")
            if regime.kind == .renyi, regime.planned(epsilon: epsilon) == 0 {
                let planned = Double(Swift.max(least, 1)) * PrivacyLoss.amountUnit
                let least = (regime.epsilon(planned: planned) * 1e4).rounded(.up) / 1e4
                throw QueryError(
                    "an epsilon of \(epsilon) comes to no rho at this policy's delta",
                    hint: "Name an epsilon of at least \(least), or a rho.")
            }
            return regime.amount(epsilon: epsilon)
        case .rho(let rho):
            guard regime.kind != .pure else {
                throw QueryError(
                    "this policy counts pure epsilon, not rho", hint: "State the budget as an epsilon.")
            }
            try check(rho, "rho")
            return LossRegime.amount(rho)
        case .error:
            throw QueryError(
                "there is no group size by which an error of this could be planned",
                hint:
                    "Name an epsilon\(regime.kind == .pure ? "" : " or a rho"); --dry-run tells the noise that it comes to."
            )
        }
    }

    private func check(_ loss: Double, _ name: String) throws(QueryError) {
        guard loss > 0, loss <= QuestionLimits.loss else {
            throw QueryError("\(name) is a number above 0 and at most \(Int(QuestionLimits.loss))")
        }
    }

    /// The events of a budget lose a little less than it, by rounding; the charge is the least all the same.
    private func allocate(_ amount: Int64, _ allocation: Allocation) throws(QueryError) -> Allocation.Result {
        var result = try allocation.allocateWithBounding(amount)
        result.charge = raised(result.charge, planned: amount)
        return result
    }

    /// What events lose, or the least charge where that much was planned.
    func raised(_ charge: PrivacyLoss, planned amount: Int64) -> PrivacyLoss {
        guard amount >= least, charge.amount < least else { return charge }
        return PrivacyLoss(kind: regime.planned, amount: least, delta: charge.delta)
    }

    /// The charge in the policy's unit of loss.
    func charge(_ result: Allocation.Result) throws(QueryError) -> PrivacyLoss {
        do { return try regime.charge(planned: result.charge, for: result.events, least: least) } catch {
            throw Channel.tooMuchNoise
        }
    }

    /// The least amount that suffices and may be charged: doubling, then halving the bracket, to a millionth.
    private func search(
        _ allocation: Allocation, _ suffices: (Allocation.Result) -> Bool
    ) throws(QueryError) -> Allocation.Result {
        func attempt(_ amount: Int64) throws(QueryError) -> Allocation.Result? {
            do {
                let result = try allocate(amount, allocation)
                return suffices(result) ? result : nil
            } catch {
                if error == Channel.tooMuchNoise { return nil }
                throw error
            }
        }
        var low = isShared ? 0 : Swift.max(0, least - 1)
        var high = isShared ? 1_000 : Swift.max(1_000, least)
        var best = try attempt(high)
        while best == nil {
            guard high < Int64(QuestionLimits.loss / PrivacyLoss.amountUnit) else {
                throw QueryError(
                    "no budget reaches that error", hint: "Ask for a larger error or name larger groups.")
            }
            (low, high) = (high, high * 2)
            best = try attempt(high)
        }
        while high - low > Swift.max(1, high / 1_000_000) {
            let middle = low + (high - low) / 2
            if let result = try attempt(middle) {
                (best, high) = (result, middle)
            } else {
                low = middle
            }
        }
        guard let best else { throw Channel.tooMuchNoise }
        return best
    }

    /// The delta of key selection: as stated, else the policy's in proportion to the question's loss.
    func selectionDelta(_ amount: Int64) throws(QueryError) -> Double {
        if let stated = question.selectionDelta {
            guard stated > 0, stated <= regime.selectionDelta else {
                throw QueryError(
                    "the delta of selection is not above 0 and within the policy's \(regime.selectionDelta)")
            }
            return stated
        }
        guard regime.total > 0 else { return regime.selectionDelta }
        let fraction = Double(amount) * PrivacyLoss.amountUnit / regime.total
        return regime.selectionDelta * Swift.min(1, fraction)
    }
}
