import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Query

/// Losses for people: the ledger's integers as decimals.
enum LossWords {
    static func text(_ loss: PrivacyLoss) -> String {
        let amount = number(Double(loss.amount) * PrivacyLoss.amountUnit)
        switch loss.kind {
        case .pure: return "epsilon \(amount)"
        case .zeroConcentrated:
            let delta = Double(loss.delta) * PrivacyLoss.deltaUnit
            return loss.delta == 0 ? "rho \(amount)" : "rho \(amount) with delta \(number(delta))"
        }
    }

    /// At most six significant digits.
    static func number(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return "0" }
        var scale = 1.0
        var exponent = 0
        while abs(value) * scale < 100_000, exponent < 30 {
            scale *= 10
            exponent += 1
        }
        let short = (value * scale).rounded() / scale
        return short == short.rounded() && abs(short) < 1e15 ? String(Int64(short)) : "\(short)"
    }

    /// The least loss that a question may ask for, and under zCDP the epsilon that buys it: a thousandth more at most, so that
    /// the numbers suffice as they are written.
    static func least(_ loss: PrivacyLoss, _ regime: LossRegime) -> String {
        let value = Double(loss.amount) * PrivacyLoss.amountUnit
        let amount = roundedUp(value) { LossRegime.amount($0) >= loss.amount }
        guard loss.kind == .zeroConcentrated else { return "epsilon \(amount)" }
        let converted = Conversion.epsilon(rho: value, delta: regime.conversionDelta)
        let epsilon = roundedUp(converted) { regime.amount(epsilon: $0) >= loss.amount }
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

    static func wire(_ loss: PrivacyLoss, conversionDelta: Double) -> Loss {
        let amount = Double(loss.amount) * PrivacyLoss.amountUnit
        switch loss.kind {
        case .pure: return Loss(kind: loss.kind.rawValue, epsilon: amount)
        case .zeroConcentrated:
            return Loss(
                kind: loss.kind.rawValue, rho: amount, delta: Double(loss.delta) * PrivacyLoss.deltaUnit,
                epsilonAtDelta: conversionDelta > 0 ? Conversion.epsilon(rho: amount, delta: conversionDelta) : nil,
                conversionDelta: conversionDelta > 0 ? conversionDelta : nil)
        }
    }
}
