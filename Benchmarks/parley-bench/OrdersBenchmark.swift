import DifferentialPrivacy

/// What the fixed Rényi orders leave of a question's rho at policies of (epsilon, 1e-6), half of delta for conversion: beside
/// one order chosen beforehand for that rho, and beside every order at once, which needs no split of delta.
func benchmarkOrders() throws {
    let delta = 5e-7
    for epsilon in [0.5, 1, 2, 4, 8, 16] {
        let limit = try PrivacyLoss(renyiEpsilon: epsilon, delta: delta)
        let unsplit = try PrivacyLoss(renyiEpsilon: epsilon, delta: delta * Double(RenyiOrders.all.count))
        let every = zip(unsplit.amounts, RenyiOrders.all).map { Double(max(0, $0)) / Double($1) }.min() ?? 0
        report(
            "renyi_orders",
            [
                ("epsilon", epsilon), ("rho_one_order", Conversion.rho(epsilon: epsilon, delta: delta)),
                ("rho_any_of_eight", Double(limit.largestRho) * PrivacyLoss.amountUnit),
                ("rho_every_of_eight", every * PrivacyLoss.amountUnit),
            ])
    }
}
