import DatasiteProtocol

extension Loss {
    /// "ε 0.5", "ρ 0.0106 (ε 0.5 at δ 5e-7)" or "Rényi: ε 0.5 at δ 5e-7"; what was spent on key selection follows where there is any.
    var text: String { text { NumberText.significant($0, digits: $1) } }

    /// The same of a charge: never rounded to less, so that none is shown below the least that a question is charged.
    var chargeText: String { text { NumberText.significantAtLeast($0, digits: $1) } }

    private func text(_ number: (_ value: Double, _ digits: Int) -> String) -> String {
        if kind == "uses" { return usesText }
        return lossText(number) + (uses.map { _ in " and \(usesText)" } ?? "")
    }

    private func lossText(_ number: (_ value: Double, _ digits: Int) -> String) -> String {
        guard kind != "pure" else { return "ε " + number(epsilon ?? 0, 4) }
        if kind == "renyi", let at = conversionDelta {
            let selection = (delta ?? 0) > 0 ? " and δ \(number(delta ?? 0, 3))" : ""
            return
                "Rényi: ε \(number(epsilonAtDelta ?? 0, 3)) at δ \(NumberText.significant(at, digits: 3))\(selection)"
        }
        guard kind != "renyi" else { return "Rényi: \(shortLossText(number))" }
        var result = "ρ " + number(rho ?? 0, 4)
        if let converted = epsilonAtDelta, let at = conversionDelta {
            result += " (ε \(number(converted, 3)) at δ \(NumberText.significant(at, digits: 3)))"
        }
        if let delta, delta > 0 { result += " and δ \(number(delta, 3))" }
        return result
    }

    /// Of work that is counted, and loses nothing that is bounded.
    private var usesText: String { "\(NumberText.integer(Int(uses ?? 0))) use\(uses == 1 ? "" : "s")" }

    /// The amount that adds up alone: for columns of budgets, beside which words say what it means.
    var amountText: String { amountText { NumberText.significant($0, digits: $1) } }

    /// The same of what is charged, never rounded to less.
    var amountChargedText: String { amountText { NumberText.significantAtLeast($0, digits: $1) } }

    /// The same of what is left, never rounded to more.
    var amountLeftText: String { amountText { NumberText.significantAtMost($0, digits: $1) } }

    private func amountText(_ number: (_ value: Double, _ digits: Int) -> String) -> String {
        var alone = self
        alone.delta = nil
        return alone.shortText(number)
    }

    /// The sum of losses of one kind; nothing where there is none. Under Rényi divergences add, and are shown at the lowest
    /// order.
    static func sumText(_ losses: [Loss]) -> String {
        guard var sum = losses.first else { return "" }
        sum.epsilonAtDelta = nil
        for loss in losses.dropFirst() {
            sum.epsilon = sum.epsilon.map { $0 + (loss.epsilon ?? 0) }
            sum.rho = sum.rho.map { $0 + (loss.rho ?? 0) }
            sum.divergences = sum.divergences.map { zip($0, loss.divergences ?? []).map { $0 + $1 } }
        }
        return sum.amountChargedText
    }

    /// In a table of requests, of what each is charged: what adds up, and what it means alone.
    var meaningText: String {
        guard kind == "zcdp", let epsilonAtDelta else { return amountChargedText }
        return "\(amountChargedText) (ε \(NumberText.significantAtLeast(epsilonAtDelta, digits: 3)))"
    }

    /// Without the conversion: for columns of tables, where epsilons would invite to be added up.
    var shortText: String { shortText { NumberText.significant($0, digits: $1) } }

    /// What is left: never rounded to more, so that what is asked for as it is written fits.
    var leftText: String { shortText { NumberText.significantAtMost($0, digits: $1) } }

    private func shortText(_ number: (_ value: Double, _ digits: Int) -> String) -> String {
        if kind == "uses" { return usesText }
        return shortLossText(number) + (uses.map { _ in ", \(usesText)" } ?? "")
    }

    private func shortLossText(_ number: (_ value: Double, _ digits: Int) -> String) -> String {
        guard kind != "pure" else { return "ε " + number(epsilon ?? 0, 4) }
        if kind == "renyi" {
            let selection = (delta ?? 0) > 0 ? ", δ \(number(delta ?? 0, 3))" : ""
            guard let converted = epsilonAtDelta else {
                return "D₂ \(number(divergences?.first ?? 0, 4))" + selection
            }
            return "ε \(number(converted, 3))" + selection
        }
        guard let delta, delta > 0 else { return "ρ " + number(rho ?? 0, 4) }
        return "ρ \(number(rho ?? 0, 4)), δ \(number(delta, 3))"
    }

    /// What a question must cost at least: never rounded to less.
    var leastText: String {
        let least = "\(kind == "pure" ? "ε" : "ρ") \(NumberText.significantAtLeast(amount))"
        guard let epsilon = epsilonAtDelta, let at = conversionDelta else { return least }
        return least + " (ε \(NumberText.significantAtLeast(epsilon)) at δ \(NumberText.significant(at, digits: 3)))"
    }

    /// The amount that adds up: epsilon, or rho. Under Rényi it is a limit's, or what is left's.
    var amount: Double { kind == "pure" ? epsilon ?? 0 : rho ?? 0 }
}
