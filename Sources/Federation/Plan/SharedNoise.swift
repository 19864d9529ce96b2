public import DifferentialPrivacy
public import Learning

/// What private training among several participants promises, and the noise that they add together for it.
///
/// **Privacy.** Each round is one step of private training on the union of the participants' rows (`TrainingPrivacy`): rate, clipping norm and grid are those
/// of the union, and noise is Skellam noise of which each participant adds a share (`DistributedSkellam`). The sum is opened with at least `least`
/// shares in it, of which the plan's colluders know their own: the others' are at least sigma squared, and that is what the event is of. It bounds
/// what anybody learns who sees the sums and is in league with so many participants. **A person at one site**: who has rows at m sites is in m
/// summands of a step, and is protected by at most m squared times the divergence.
public struct SharedNoise: Sendable, Hashable, Codable {
    /// The largest L2 norm of what one unit adds to a step's sum.
    public var clippingNorm: Double
    /// The standard deviation of the honest shares together, over the sensitivity.
    public var noiseMultiplier: Double
    /// With which probability each unit is in a step's sample.
    public var samplingRate: Double
    /// The declared number of units of all participants.
    public var capacity: Int

    /// Numbers as they come; a plan checks them.
    public init(clippingNorm: Double, noiseMultiplier: Double, samplingRate: Double, capacity: Int) {
        self.clippingNorm = clippingNorm
        self.noiseMultiplier = noiseMultiplier
        self.samplingRate = samplingRate
        self.capacity = capacity
    }

    /// The promise of so many steps on so many values.
    public func privacy(steps: Int, dimension: Int) throws(MechanismError) -> TrainingPrivacy {
        try TrainingPrivacy(
            clipping: .fixed(clippingNorm), noiseMultiplier: noiseMultiplier, samplingRate: samplingRate, steps: steps,
            capacity: capacity, dimension: dimension)
    }
}

extension FederatedPlan {
    /// The promise, of all rounds, spare ones too: each may read rows.
    ///
    /// - Throws: `plan`, without distributed noise or with numbers out of range.
    public func privacy() throws(FederationError) -> TrainingPrivacy {
        guard let noise else { throw .plan("the noise", expected: "a plan with distributed noise") }
        do { return try noise.privacy(steps: rounds + spareRounds, dimension: parameterCount) } catch {
            throw .plan("the noise", expected: "\(error)")
        }
    }

    /// The noise that participants share.
    ///
    /// - Throws: `plan`.
    public func shares() throws(FederationError) -> DistributedSkellam {
        guard case .distributedNoise(_, let colluders) = aggregation else {
            throw .plan("the noise", expected: "a plan with distributed noise")
        }
        let sigma = try privacy().sigma
        do {
            return try DistributedSkellam(
                variance: (sigma * sigma).nextUp, leastSurvivors: least,
                // Whoever takes part knows its own share, and sees the sum.
                colluders: max(colluders, 1))
        } catch { throw .plan("the noise", expected: "\(error)") }
    }

    /// What happens in all rounds, to a person at one site: each site's ledger is charged with the whole of it.
    ///
    /// - Throws: `plan`.
    public func event() throws(FederationError) -> PrivacyEvent {
        let privacy = try privacy()
        let step = try shares().event(
            l1Sensitivity: Sensitivity.l1(l2Squared: privacy.sensitivitySquared, dimension: parameterCount),
            sensitivitySquared: privacy.sensitivitySquared)
        return .repeated(.poissonSampled(rate: privacy.samplingRate, step), times: privacy.steps)
    }

    /// The mean of an opened sum.
    ///
    /// - Parameter weight: The sum of the weights in it.
    func mean(_ sum: Packed<Int64>, weight: Int) -> [Float] {
        if let grid { return grid.mean(sum, weight: weight) }
        // The check refused a plan without either.
        return (try? privacy().meanGradient(ofSum: sum.values)) ?? []
    }
}
