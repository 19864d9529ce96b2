import DifferentialPrivacy
import Tables

/// What a question may cost, in the policy's unit.
struct Budget {
    let regime: LossRegime
    let question: Question

    /// Allocates the budget that was named, or the least one that reaches the error that was named.
    func settle(
        _ allocation: Allocation, _ meets: (Allocation.Result, Double, Double) -> Bool
    ) throws(QueryError) -> Allocation.Result {
        switch question.budget {
        case .epsilon(let epsilon):
            try check(epsilon, "epsilon")
            guard regime.kind == .zeroConcentrated else { return try allocation.allocate(Self.amount(epsilon)) }
            return try allocation.allocate(
                Self.amount(Conversion.rho(epsilon: epsilon, delta: regime.conversionDelta)))
        case .rho(let rho):
            guard regime.kind == .zeroConcentrated else {
                throw QueryError(
                    "this policy counts pure epsilon, not rho", hint: "State the budget as an epsilon.")
            }
            try check(rho, "rho")
            return try allocation.allocate(Self.amount(rho))
        case .error(let relative, let groupSize):
            guard relative > 0, relative.isFinite, groupSize > 0, groupSize.isFinite else {
                throw QueryError(
                    "the error and the group size are positive numbers", hint: "2 % of groups of 1000: 0.02, 1000.")
            }
            return try search(allocation) { meets($0, relative, groupSize) }
        }
    }

    private func check(_ loss: Double, _ name: String) throws(QueryError) {
        guard loss > 0, loss <= Limits.loss else {
            throw QueryError("\(name) is a number above 0 and at most \(Int(Limits.loss))")
        }
    }

    /// In units of 1e-12, rounded down.
    private static func amount(_ loss: Double) -> Int64 {
        Int64((Swift.min(loss, Limits.loss) / PrivacyLoss.amountUnit).rounded(.down).nextDown.rounded(.up))
    }

    /// The least amount that suffices: doubling, then halving the bracket, to a millionth.
    private func search(
        _ allocation: Allocation, _ suffices: (Allocation.Result) -> Bool
    ) throws(QueryError) -> Allocation.Result {
        func attempt(_ amount: Int64) throws(QueryError) -> Allocation.Result? {
            do {
                let result = try allocation.allocate(amount)
                return suffices(result) ? result : nil
            } catch {
                if error == Channel.tooMuchNoise { return nil }
                throw error
            }
        }
        var low: Int64 = 0
        var high: Int64 = 1_000
        var best = try attempt(high)
        while best == nil {
            guard high < Int64(Limits.loss / PrivacyLoss.amountUnit) else {
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
