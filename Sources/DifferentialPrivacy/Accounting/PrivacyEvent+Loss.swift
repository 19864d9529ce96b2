extension PrivacyEvent {
    /// What the event costs in that unit, rounded up: computed exactly on the parameters' binary values, then up to the
    /// next whole unit. Throws for parameters out of range and for what has no finite loss of that kind (Gaussian noise
    /// and key selection under pure epsilon).
    ///
    /// - Gaussian: rho = sensitivity^2 / (2 sigma^2) (Canonne, Kamath and Steinke 2020, theorem 4).
    /// - Laplace: epsilon = sensitivity / scale; rho = epsilon^2 / 2 (Bun and Steinke 2016, proposition 1.4).
    /// - Exponential mechanism: epsilon each time; rho = epsilon^2 / 8 each time (Cesar and Rogers 2021, bounded range).
    /// - Threshold selection: rho = groups / (2 sigma^2) beside a delta, which must cover the exact law's tail.
    /// - Composition: the sum (adaptive composition of each kind).
    /// - Rényi: at each of ``RenyiOrders/all`` the event's own curve, or that of its rho where that is less.
    public func loss(kind: PrivacyLossKind) throws(MechanismError) -> PrivacyLoss {
        if kind == .renyi { return try renyiLoss() }
        switch self {
        case .discreteGaussian(let sensitivitySquared, let sigma):
            return try gaussianLoss(sensitivitySquared, sigma: sigma, kind: kind)
        case .discreteLaplace(let sensitivity, let scale):
            return try laplaceLoss(sensitivity, scale: scale, kind: kind)
        case .exponentialMechanism(let epsilon, let times):
            return try exponentialLoss(epsilon, times: times, kind: kind)
        case .thresholdSelection(let groupsPerUnit, let sigma, let threshold, let delta):
            guard kind == .zeroConcentrated else { throw .unsupported("key selection", kind: kind) }
            let least = try GaussianThreshold.delta(groupsPerUnit: groupsPerUnit, sigma: sigma, threshold: threshold)
            guard delta >= least, delta.isFinite else {
                throw .parameter("delta", expected: "at least the tail beyond the threshold")
            }
            let noise = try gaussianLoss(Double(groupsPerUnit), sigma: sigma, kind: kind)
            let units = try ExactUnits.roundedUp(numerators: [delta], denominators: [], digits: 18, names: "delta")
            return PrivacyLoss(kind: kind, amount: noise.amount, delta: units)
        case .gaussian(let multiplier):
            return try gaussianLoss(1, sigma: multiplier, kind: kind)
        case .laplace(let multiplier):
            return try laplaceLoss(1, scale: multiplier, kind: kind)
        case .pure(let epsilon):
            return try laplaceLoss(epsilon, scale: 1, kind: kind)
        case .zeroConcentrated(let rho):
            guard kind == .zeroConcentrated else { throw .unsupported("zCDP", kind: kind) }
            return try PrivacyLoss(roundingUpRho: rho)
        case .approximate: throw .unsupported("(epsilon, delta)", kind: kind)
        case .skellam: throw .unsupported("Skellam noise", kind: kind)
        case .poissonSampled, .fixedSizeSampled, .shuffled: throw .unsupported("sampling or shuffling", kind: kind)
        case .treeAggregation: throw .unsupported("tree aggregation", kind: kind)
        case .repeated(let event, let times):
            guard times >= 0 else { throw .parameter("times", expected: "a number that is not negative") }
            let once = try event.loss(kind: kind)
            let (amount, overflow1) = once.amount.multipliedReportingOverflow(by: Int64(times))
            let (delta, overflow2) = once.delta.multipliedReportingOverflow(by: Int64(times))
            guard !overflow1 && !overflow2 else { throw .overflow }
            return PrivacyLoss(kind: kind, amount: amount, delta: delta)
        case .composition(let events):
            var total = PrivacyLoss.zero(kind)
            for event in events { total = try total + event.loss(kind: kind) }
            return total
        }
    }

    private func gaussianLoss(
        _ sensitivitySquared: Double, sigma: Double, kind: PrivacyLossKind
    ) throws(MechanismError) -> PrivacyLoss {
        guard kind == .zeroConcentrated else { throw .unsupported("Gaussian noise", kind: kind) }
        return PrivacyLoss(
            kind: kind,
            amount: try ExactUnits.roundedUp(
                numerators: [sensitivitySquared], denominators: [sigma, sigma], divisor: 2,
                names: "sensitivity and sigma"))
    }

    private func laplaceLoss(
        _ sensitivity: Double, scale: Double, kind: PrivacyLossKind
    ) throws(MechanismError) -> PrivacyLoss {
        let isPure = kind == .pure
        return PrivacyLoss(
            kind: kind,
            amount: try ExactUnits.roundedUp(
                numerators: isPure ? [sensitivity] : [sensitivity, sensitivity],
                denominators: isPure ? [scale] : [scale, scale], divisor: isPure ? 1 : 2,
                names: "sensitivity and scale"))
    }

    private func exponentialLoss(
        _ epsilon: Double, times: Int, kind: PrivacyLossKind
    ) throws(MechanismError) -> PrivacyLoss {
        guard times >= 0 else { throw .parameter("times", expected: "a number that is not negative") }
        let isPure = kind == .pure
        return PrivacyLoss(
            kind: kind,
            amount: try ExactUnits.roundedUp(
                numerators: isPure ? [epsilon] : [epsilon, epsilon], denominators: [], divisor: isPure ? 1 : 8,
                factor: times, names: "epsilon"))
    }
}
