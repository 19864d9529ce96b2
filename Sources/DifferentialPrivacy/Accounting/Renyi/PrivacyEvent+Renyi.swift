/// A Rényi curve, how often it happens, and a delta beside it.
struct RenyiCost {
    var curve: RenyiCurve
    var times = 1
    var delta = 0.0
}

extension PrivacyEvent {
    /// The event's Rényi curve. Throws for events that have none.
    func renyiCost() throws(MechanismError) -> RenyiCost {
        switch self {
        case .laplace(let multiplier): return RenyiCost(curve: .laplace(epsilon: Self.ratioRoundedUp(1, multiplier)))
        case .exponentialMechanism(let epsilon, let times):
            return RenyiCost(curve: .boundedRange(epsilon: epsilon), times: times)
        case .skellam(let l1Sensitivity, let sensitivitySquared, let variance):
            return RenyiCost(
                curve: .skellam(
                    l1Sensitivity: l1Sensitivity, sensitivitySquared: sensitivitySquared, variance: variance))
        case .gaussian, .discreteGaussian, .treeAggregation, .thresholdSelection, .zeroConcentrated:
            guard let cost = zeroConcentratedCost else { break }
            return RenyiCost(curve: .linear(rho: cost.rho), delta: cost.delta)
        default:
            guard let cost = pureCost else { break }
            return RenyiCost(curve: .pure(epsilon: cost.epsilon), times: cost.times, delta: cost.delta)
        }
        throw .unsupportedEvent(name, accountant: "Rényi", expected: "an event with a Rényi curve of its own")
    }
}
