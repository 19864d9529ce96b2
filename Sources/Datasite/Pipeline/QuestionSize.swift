import DatasiteProtocol
import DifferentialPrivacy
import Governance
import Query

/// The unit in which a request says what it may cost, and is told what it would.
enum AskedUnit: String, Sendable {
    case epsilon, rho
}

extension Budget {
    var unit: AskedUnit { if case .rho = self { .rho } else { .epsilon } }
}

/// Losses as sizes of questions: what one may be asked for, and how many of one size fit.
struct QuestionSize {
    let regime: LossRegime

    /// A charge, in the unit that was asked, with six digits: rounded up, what floating point makes of it aside, so that none is
    /// told below the least.
    func words(_ loss: PrivacyLoss, in unit: AskedUnit) -> String {
        func number(_ value: Double) -> String { ShortNumber.text(value, .up) }
        let delta = loss.delta == 0 ? "" : " with delta \(number(loss.deltaValue))"
        switch (regime.kind, unit) {
        case (.pure, _): return "epsilon \(number(loss.value))"
        case (.zeroConcentrated, .rho): return "rho \(number(loss.value))\(delta)"
        case (.renyi, .rho): return "rho \(number(Double(loss.leastRho) * PrivacyLoss.amountUnit))\(delta)"
        case (_, .epsilon):
            let epsilon = LossWords.wire(loss, conversionDelta: regime.conversionDelta).epsilonAtDelta ?? .infinity
            return "epsilon \(number(epsilon)) at delta \(ShortNumber.text(regime.conversionDelta))\(delta)"
        }
    }

    /// The largest number that may be asked for and fits into what is left: of few digits, and rounded down, so that it fits
    /// as it is written; nil: none does.
    ///
    /// - Parameter room: What is left, as ``PrivacyLoss/room(after:)`` says it.
    func largest(_ room: PrivacyLoss, in unit: AskedUnit) -> Double? {
        let most = room.largestRho
        guard most > 0 else { return nil }
        let value = Double(most) * PrivacyLoss.amountUnit
        return switch unit {
        case .rho: roundedDown(value) { LossRegime.amount($0) <= most }
        case .epsilon: roundedDown(regime.epsilon(planned: value)) { regime.amount(epsilon: $0) <= most }
        }
    }

    /// What is left, in the unit that was asked.
    func words(left room: PrivacyLoss, in unit: AskedUnit) -> String {
        largest(room, in: unit).map { "\(name(unit)) \(ShortNumber.plain($0))" } ?? "nothing"
    }

    /// Under a pure policy there is no rho.
    func name(_ unit: AskedUnit) -> String { (regime.kind == .pure ? .epsilon : unit).rawValue }

    /// How many charges of one size fit one after the other.
    func count(of charge: PrivacyLoss, in room: PrivacyLoss) -> Int64 {
        let size = charge.leastRho
        guard size > 0 else { return 0 }
        let byDelta = charge.delta > 0 ? room.delta / charge.delta : .max
        return min(room.largestRho / size, byDelta)
    }

    /// What a limit means. Where less than two questions of a usual size fit, they are smaller.
    ///
    /// - Parameters:
    ///   - whole: The total, by which the size of questions is chosen, so that all lines of a report count the same.
    ///   - held: Part of what is charged to the ledger beside `spent`.
    func meaning(
        of limit: PrivacyLoss, in whole: PrivacyLoss, spent: PrivacyLoss? = nil, held: PrivacyLoss? = nil
    ) throws(MechanismError) -> BudgetMeaning {
        let question = usual(whole)
        let charge = PrivacyLoss(
            kind: regime.planned, amount: regime.amount(epsilon: question))
        func count(_ used: PrivacyLoss?) -> Int64 {
            self.count(of: regime.charge(planned: charge), in: limit.room(after: used ?? .zero(limit.kind)))
        }
        let (fit, afterSpent) = (count(nil), count(spent))
        var afterAll = afterSpent
        if let spent, let held { afterAll = count(try spent + held) }
        return BudgetMeaning(
            epsilon: wholeEpsilon(limit), delta: regime.conversionDelta + limit.deltaValue, question: question,
            fit: fit,
            spent: spent.map { _ in fit - afterSpent }, held: held.map { _ in afterSpent - afterAll })
    }

    /// What all of a limit comes to, rounded up.
    private func wholeEpsilon(_ limit: PrivacyLoss) -> Double {
        regime.kind == .pure
            ? limit.value : LossWords.wire(limit, conversionDelta: regime.conversionDelta).epsilonAtDelta ?? .infinity
    }

    private func usual(_ whole: PrivacyLoss) -> Double {
        let sizes = [0.5, 0.1, 0.05, 0.01, 0.001].filter {
            let amount = regime.amount(epsilon: $0)
            return amount > 0 && whole.largestRho / amount >= 2
        }
        return sizes.first ?? largest(whole, in: .epsilon) ?? wholeEpsilon(whole)
    }

    /// The number of the fewest digits, three or more, at `value` or a little below it, that fits.
    private func roundedDown(_ value: Double, _ fits: (Double) -> Bool) -> Double? {
        guard value > 0, value.isFinite else { return nil }
        for digits in 3...16 {
            var scale = 1.0
            while value * scale < Self.power(digits - 1) { scale *= 10 }
            while value * scale >= Self.power(digits) { scale /= 10 }
            let most = (value * scale * (1 + 1e-12)).rounded(.down)
            for candidate in [most / scale, (most - 1) / scale]
            where candidate > 0 && candidate >= value * 0.99 && fits(candidate) {
                return candidate
            }
        }
        return nil
    }

    private static func power(_ exponent: Int) -> Double { (0..<exponent).reduce(1.0) { power, _ in power * 10 } }
}
