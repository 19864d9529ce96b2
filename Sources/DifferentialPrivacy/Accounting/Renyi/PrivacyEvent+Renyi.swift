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
        case .shuffled(let localEpsilon, let count):
            return RenyiCost(curve: .shuffled(localEpsilon: localEpsilon, count: count))
        case .poissonSampled(let rate, let event): return try event.sampledCost(rate: rate, isPoisson: true)
        case .fixedSizeSampled(let sampleSize, let populationSize, let event):
            let rate = Self.ratioRoundedUp(Double(sampleSize), Double(populationSize))
            return try event.sampledCost(rate: min(1, rate), isPoisson: false)
        default:
            guard let cost = pureCost else { break }
            return RenyiCost(curve: .pure(epsilon: cost.epsilon), times: cost.times, delta: cost.delta)
        }
        throw .unsupportedEvent(name, accountant: "Rényi", expected: "an event with a Rényi curve of its own")
    }

    /// The curve of the event on a sample.
    ///
    /// Gaussian mechanisms on one sample are one of the sum of their rhos. Skellam and discrete Gaussian noise, once, are symmetric noise
    /// on an integer vector; several on one sample are bounded as any mechanisms are.
    private func sampledCost(rate: Double, isPoisson: Bool) throws(MechanismError) -> RenyiCost {
        if let rho = gaussianRho {
            guard rho > 0 else { return RenyiCost(curve: .linear(rho: 0)) }
            let sigma = OutwardRounding.down((1 / (2 * rho)).squareRoot())
            return RenyiCost(
                curve: isPoisson
                    ? .poissonGaussian(rate: rate, sigma: sigma) : .fixedSizeGaussian(rate: rate, sigma: sigma))
        }
        if isPoisson, case .poissonSampled(let inner, let event) = self {
            return try event.sampledCost(rate: min(1, OutwardRounding.up(rate * inner)), isPoisson: true)
        }
        if isPoisson, isSymmetricNoise {
            let base = RenyiBase(parts: [.init(curve: try renyiCost().curve, times: 1)], epsilon: .infinity)
            return RenyiCost(curve: .poissonSymmetric(rate: rate, base))
        }
        if let base = try? renyiBase() {
            return RenyiCost(curve: isPoisson ? .poisson(rate: rate, base) : .fixedSize(rate: rate, base))
        }
        guard let cost = samplePureCost(rate: rate) else {
            throw .unsupportedEvent(
                name, accountant: "Rényi", expected: "on a sample, noise or selection that has no delta")
        }
        return RenyiCost(curve: .pure(epsilon: cost.epsilon), delta: cost.delta)
    }

    /// Whether it is one addition of noise to an integer vector that `RenyiCurve.poissonSymmetric` is about.
    private var isSymmetricNoise: Bool {
        switch self {
        case .skellam, .discreteGaussian: true
        default: false
        }
    }

    /// The sum of rhos, rounded up, of Gaussian noise alone; nil for anything else.
    private var gaussianRho: Double? {
        switch self {
        case .gaussian(let multiplier): return Self.rho(1, sigma: multiplier)
        case .repeated(let event, let times):
            return event.gaussianRho.map { $0 == 0 || times == 0 ? 0 : OutwardRounding.up($0 * Double(times)) }
        case .composition(let events):
            var sum = 0.0
            for event in events {
                guard let rho = event.gaussianRho else { return nil }
                if rho > 0 { sum = OutwardRounding.up(sum + rho) }
            }
            return sum
        default: return nil
        }
    }

    /// The curves of an event that has no samplings and no deltas.
    private func renyiBase() throws(MechanismError) -> RenyiBase {
        var parts: [RenyiBase.Part] = []
        for leaf in try leaves(times: 1, neighbours: .addOrRemove) {
            let cost = try leaf.event.renyiCost()
            switch leaf.event {
            case .poissonSampled, .fixedSizeSampled, .treeAggregation: break
            default:
                guard cost.delta == 0 else { break }
                parts.append(.init(curve: cost.curve, times: Double(leaf.times) * Double(cost.times)))
                continue
            }
            throw .unsupportedEvent(
                leaf.event.name, accountant: "Rényi", expected: "on a sample, noise or selection that has no delta")
        }
        return RenyiBase(parts: parts, epsilon: wholePureCost?.epsilon ?? .infinity)
    }
}
