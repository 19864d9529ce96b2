import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Query

/// Losses for people: the ledger's integers as decimals.
enum LossWords {
    /// - Parameter conversionDelta: At which rho and divergences are said as an epsilon; 0 where it is not known.
    static func text(_ loss: PrivacyLoss, conversionDelta: Double) -> String {
        let amount = ShortNumber.text(loss.value)
        let delta = loss.delta == 0 ? "" : " with delta \(ShortNumber.text(loss.deltaValue))"
        let epsilon = epsilon(loss, conversionDelta).map {
            "epsilon \(ShortNumber.text($0)) at delta \(ShortNumber.text(conversionDelta))"
        }
        switch loss.kind {
        case .pure: return "epsilon \(amount)"
        case .zeroConcentrated: return "rho \(amount)\(epsilon.map { " (\($0))" } ?? "")\(delta)"
        case .renyi:
            return
                (epsilon.map { "a Rényi loss of \($0)" }
                ?? "a Rényi divergence of \(amount) at order \(RenyiOrders.all[0])") + delta
        }
    }

    /// A limit as policies say it: the epsilon, rounded up, that all of it comes to at the policy's whole delta.
    static func limit(_ limit: PrivacyLoss, conversionDelta: Double) -> String {
        guard let epsilon = epsilon(limit, conversionDelta) else { return text(limit, conversionDelta: 0) }
        let delta = ShortNumber.text(conversionDelta + limit.deltaValue, .up)
        let rho = limit.kind == .zeroConcentrated ? " (rho \(ShortNumber.text(limit.value)))" : ""
        return "epsilon \(ShortNumber.text(epsilon, .up)) at delta \(delta)\(rho)"
    }

    /// What rho, or divergences, alone convert to, rounded up; nil under a pure policy, and where delta is not known.
    private static func epsilon(_ loss: PrivacyLoss, _ conversionDelta: Double) -> Double? {
        guard conversionDelta > 0 else { return nil }
        switch loss.kind {
        case .pure: return nil
        case .zeroConcentrated: return Conversion.epsilon(rho: loss.value, delta: conversionDelta)
        case .renyi: return RenyiOrders.epsilon(amounts: loss.amounts, delta: conversionDelta)
        }
    }

    /// The least loss that a question may ask for, and where that is a rho the epsilon that buys it: a thousandth more at most, so that
    /// the numbers suffice as they are written.
    static func least(_ loss: PrivacyLoss, _ regime: LossRegime, in unit: AskedUnit = .rho) -> String {
        let least = loss.leastRho
        let value = Double(least) * PrivacyLoss.amountUnit
        let amount = roundedUp(value) { LossRegime.amount($0) >= least }
        guard loss.kind != .pure else { return "epsilon \(amount)" }
        let epsilon = roundedUp(regime.epsilon(planned: value)) { regime.amount(epsilon: $0) >= least }
        return unit == .rho
            ? "rho \(amount) (asked for as an epsilon: \(epsilon))" : "epsilon \(epsilon) (rho \(amount))"
    }

    /// The number of the fewest digits, four or more, at `value` or a little above it, that suffices.
    private static func roundedUp(_ value: Double, _ suffices: (Double) -> Bool) -> String {
        guard value > 0, value.isFinite else { return "0" }
        for digits in 4...16 {
            let scale = pow(10, Double(digits - 1) - log10(value).rounded(.down))
            let least = (value * scale).rounded(.up)
            for candidate in [least / scale, (least + 1) / scale]
            where candidate <= value * 1.001 && suffices(candidate) {
                return ShortNumber.plain(candidate)
            }
        }
        return ShortNumber.text(value)
    }

    /// The same of a limit, or of what is left of one: with the largest rho that fits. An order at which nothing fits
    /// has 0.
    static func wire(limit: PrivacyLoss, conversionDelta: Double) -> Loss {
        var wire = wire(limit, conversionDelta: conversionDelta)
        guard limit.kind == .renyi else { return wire }
        wire.rho = Double(limit.largestRho) / 1e12
        wire.divergences = wire.divergences.map { $0.map { max(0, $0) } }
        return wire
    }

    /// The same of the least that a question is charged: under Rényi the curve of the rho that it asks for at least, since
    /// what no question can ask for is nothing to be told.
    static func wire(least: PrivacyLoss, conversionDelta: Double) -> Loss {
        guard least.kind == .renyi else { return wire(least, conversionDelta: conversionDelta) }
        return wire(limit: PrivacyLoss(renyiRho: least.leastRho), conversionDelta: conversionDelta)
    }

    /// As messages have it.
    ///
    /// - Parameter conversionDelta: At which rho and divergences are said as an epsilon too; 0: they are not.
    static func wire(_ loss: PrivacyLoss, conversionDelta: Double) -> Loss {
        let amount = loss.value
        switch loss.kind {
        case .pure: return Loss(kind: loss.kind.rawValue, epsilon: amount)
        case .renyi:
            let epsilon = RenyiOrders.epsilon(amounts: loss.amounts, delta: conversionDelta)
            return Loss(
                kind: loss.kind.rawValue, delta: loss.deltaValue,
                epsilonAtDelta: epsilon.isFinite ? epsilon : nil,
                conversionDelta: conversionDelta > 0 ? conversionDelta : nil,
                divergences: loss.amounts.map { Double($0) / 1e12 })
        case .zeroConcentrated:
            return Loss(
                kind: loss.kind.rawValue, rho: amount, delta: loss.deltaValue,
                epsilonAtDelta: conversionDelta > 0 ? Conversion.epsilon(rho: amount, delta: conversionDelta) : nil,
                conversionDelta: conversionDelta > 0 ? conversionDelta : nil)
        }
    }
}
