/// How the policy measures loss; delta is split beforehand (docs/privacy.md, rule 6).
public struct LossRegime: Sendable, Hashable {
    /// The kind of loss in which the policy counts.
    public var kind: PrivacyLossKind
    /// The delta at which rho, or divergences, are converted to epsilon; 0 for pure.
    public var conversionDelta: Double
    /// The delta reserved for all key selections together; 0 for pure.
    public var selectionDelta: Double
    /// The policy's total loss: epsilon or rho; under Rényi the largest rho whose curve fits.
    public var total: Double

    /// A policy's unit of loss, with what it allows in all.
    public init(kind: PrivacyLossKind, conversionDelta: Double, selectionDelta: Double, total: Double) {
        self.kind = kind
        self.conversionDelta = conversionDelta
        self.selectionDelta = selectionDelta
        self.total = total
    }
}

/// Questions are planned in one number, epsilon or rho. Under Rényi it is rho, and its curve is what is charged.
extension LossRegime {
    /// The kind of loss in which questions are planned.
    public var planned: PrivacyLossKind { kind == .pure ? .pure : .zeroConcentrated }

    /// The epsilon or the rho, rounded down, that an epsilon comes to: the largest rho that converts to at most it, at the
    /// policy's delta.
    public func planned(epsilon: Double) -> Double {
        switch kind {
        case .pure: epsilon
        case .zeroConcentrated: Conversion.rho(epsilon: epsilon, delta: conversionDelta)
        case .renyi: RenyiOrders.rho(epsilon: epsilon, delta: conversionDelta)
        }
    }

    /// The epsilon, rounded up, that a planned loss comes to at the policy's delta.
    public func epsilon(planned: Double) -> Double {
        switch kind {
        case .pure: planned
        case .zeroConcentrated: Conversion.epsilon(rho: planned, delta: conversionDelta)
        case .renyi: RenyiOrders.epsilon(rho: planned, delta: conversionDelta)
        }
    }

    /// What a planned loss is charged: itself, or the curve of its rho.
    public func charge(planned: PrivacyLoss) -> PrivacyLoss {
        kind == .renyi ? PrivacyLoss(renyiRho: planned.amount, delta: planned.delta) : planned
    }

    /// What a planned loss is charged, knowing what it consists of: under Rényi the sum of the events' own curves, but at
    /// no order less than `least` times the order, where that much was planned.
    ///
    /// - Parameter least: In units of `PrivacyLoss.amountUnit`.
    /// - Throws: Where an event has no Rényi curve.
    public func charge(
        planned: PrivacyLoss, for events: [PrivacyEvent], least: Int64
    ) throws(MechanismError) -> PrivacyLoss {
        guard kind == .renyi else { return planned }
        let curve = try PrivacyEvent.composition(events).loss(kind: .renyi)
        return curve.raised(to: PrivacyLoss(renyiRho: min(least, planned.amount)))
    }
}
