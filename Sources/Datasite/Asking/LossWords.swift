import DatasiteProtocol
import DifferentialPrivacy
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
