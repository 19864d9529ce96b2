import DatasiteProtocol

extension Loss {
    /// "ε 0.5" or "ρ 0.0106 (ε 0.5 at δ 5e-7)"; what was spent on key selection follows where there is any.
    var text: String {
        guard kind != "pure" else { return "ε " + NumberText.significant(epsilon ?? 0) }
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
        guard let delta, delta > 0 else { return "ρ " + NumberText.significant(rho ?? 0) }
        return "ρ \(NumberText.significant(rho ?? 0)), δ \(NumberText.significant(delta, digits: 3))"
    }

    /// What a question must cost at least: never rounded to less.
    var leastText: String {
        "\(kind == "pure" ? "ε" : "ρ") \(NumberText.significantAtLeast(amount))"
    }

    /// The amount that adds up: epsilon, or rho.
    var amount: Double { kind == "pure" ? epsilon ?? 0 : rho ?? 0 }
}
