import DatasiteProtocol

extension Loss {
    /// "ε 0.5", "ρ 0.0106 (ε 0.5 at δ 5e-7)" or "Rényi: ε 0.5 at δ 5e-7"; what was spent on key selection follows where there is any.
    var text: String {
        guard kind != "pure" else { return "ε " + NumberText.significant(epsilon ?? 0) }
        guard kind != "renyi" else { return "Rényi: \(shortText)" }
        var result = "ρ " + NumberText.significant(rho ?? 0)
        if let converted = epsilonAtDelta, let at = conversionDelta {
            result +=
                " (ε \(NumberText.significant(converted, digits: 3)) at δ \(NumberText.significant(at, digits: 3)))"
        }
        if let delta, delta > 0 { result += " and δ \(NumberText.significant(delta, digits: 3))" }
        return result
    }

    /// Without the conversion: for columns of tables, where epsilons would invite to be added up.
    var shortText: String {
        guard kind != "pure" else { return "ε " + NumberText.significant(epsilon ?? 0) }
        if kind == "renyi" {
            guard let converted = epsilonAtDelta, let at = conversionDelta else {
                return "D₂ \(NumberText.significant(divergences?.first ?? 0))"
            }
            let digits = 3
            let selection = (delta ?? 0) > 0 ? " and δ \(NumberText.significant(delta ?? 0, digits: digits))" : ""
            return "ε \(NumberText.significant(converted, digits: digits)) at δ "
                + NumberText.significant(at, digits: digits) + selection
        }
        guard let delta, delta > 0 else { return "ρ " + NumberText.significant(rho ?? 0) }
        return "ρ \(NumberText.significant(rho ?? 0)), δ \(NumberText.significant(delta, digits: 3))"
    }

    /// What a question must cost at least: never rounded to less.
    var leastText: String {
        guard kind != "renyi" else {
            return "ε \(NumberText.significantAtLeast(epsilonAtDelta ?? 0)) at δ "
                + NumberText.significant(conversionDelta ?? 0, digits: 3)
        }
        return "\(kind == "pure" ? "ε" : "ρ") \(NumberText.significantAtLeast(amount))"
    }

    /// The amount that adds up: epsilon, or rho. Under Rényi it is a limit's, or what is left's.
    var amount: Double { kind == "pure" ? epsilon ?? 0 : rho ?? 0 }
}
