import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Query

/// Losses for people: the ledger's integers as decimals.
enum LossWords {
    /// - Parameter conversionDelta: At which divergences are said as an epsilon; where it is not known, one of them is said.
    static func text(_ loss: PrivacyLoss, conversionDelta: Double) -> String {
        text(loss, conversionDelta) { number($0) }
    }

    /// What is left of a limit, rounded down: so that what is asked for as it is written fits.
    static func left(_ loss: PrivacyLoss, conversionDelta: Double) -> String {
        text(loss, conversionDelta) { number($0, .down) }
    }

    private static func text(
        _ loss: PrivacyLoss, _ conversionDelta: Double, _ amountText: (Double) -> String
    ) -> String {
        let amount = amountText(loss.value)
        let delta = loss.delta == 0 ? "" : " with delta \(amountText(loss.deltaValue))"
        switch loss.kind {
        case .pure: return "epsilon \(amount)"
        case .zeroConcentrated: return "rho \(amount)\(delta)"
        case .renyi where conversionDelta > 0:
            let epsilon = RenyiOrders.epsilon(amounts: loss.amounts, delta: conversionDelta)
            return "a Rényi loss of epsilon \(amountText(epsilon)) at delta \(number(conversionDelta))\(delta)"
        case .renyi: return "a Rényi divergence of \(amount) at order \(RenyiOrders.all[0])\(delta)"
        }
    }

    /// At most six significant digits. What is rounded down is so except for what floating point alone makes of it.
    static func number(_ value: Double, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero) -> String {
        guard value != 0, value.isFinite else { return "0" }
        var scale = 1.0
        var exponent = 0
        while abs(value) * scale < 100_000, exponent < 30 {
            scale *= 10
            exponent += 1
        }
        let scaled = value * scale
        let short = (rule == .down ? scaled * (1 + 1e-11) : scaled).rounded(rule) / scale
        return short == short.rounded() && abs(short) < 1e15 ? String(Int64(short)) : "\(short)"
    }

    /// The least loss that a question may ask for, and where that is a rho the epsilon that buys it: a thousandth more at most, so that
    /// the numbers suffice as they are written.
    static func least(_ loss: PrivacyLoss, _ regime: LossRegime) -> String {
        let least = loss.leastRho
        let value = Double(least) * PrivacyLoss.amountUnit
        let amount = roundedUp(value) { LossRegime.amount($0) >= least }
        guard loss.kind != .pure else { return "epsilon \(amount)" }
        let epsilon = roundedUp(regime.epsilon(planned: value)) { regime.amount(epsilon: $0) >= least }
        return "rho \(amount) (asked for as an epsilon: \(epsilon))"
    }

    /// The number of the fewest digits, four or more, at `value` or a little above it, that suffices.
    private static func roundedUp(_ value: Double, _ suffices: (Double) -> Bool) -> String {
        guard value > 0, value.isFinite else { return "0" }
        for digits in 4...16 {
            let scale = pow(10, Double(digits - 1) - log10(value).rounded(.down))
            let least = (value * scale).rounded(.up)
            for candidate in [least / scale, (least + 1) / scale]
            where candidate <= value * 1.001 && suffices(candidate) {
                return candidate == candidate.rounded() && candidate < 1e15 ? String(Int64(candidate)) : "\(candidate)"
            }
        }
        return number(value)
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
