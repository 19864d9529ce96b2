/// What an owner allows a federated plan to be: what the plan says, not what a coordinator says.
public struct FederationPolicy: Sendable, Hashable, Codable {
    /// The ways of aggregation that are allowed.
    public var ways: Set<Aggregation>
    /// At least so many participants' updates in each sum that is opened, those of colluders (one at least, who sees the sum) not counted.
    public var leastHonest: Int
    /// At least so many participants of each sum may be in league with the coordinator without harm.
    public var leastColluders: Int
    /// With distributed noise: the least multiplier of what honest survivors add.
    public var leastNoiseMultiplier: Double
    /// With distributed noise: the range of the clipping norm.
    public var clippingNorms: ClosedRange<Double>
    /// At most so many rounds, spare ones too.
    public var mostRounds: Int

    /// - Parameter leastHonest: 2 with masks alone: of a sum over one there is nothing to hide.
    public init(
        ways: Set<Aggregation>, leastHonest: Int = 2, leastColluders: Int = 0, leastNoiseMultiplier: Double = 0.5,
        clippingNorms: ClosedRange<Double> = 0x1p-60...0x1p60, mostRounds: Int = 1_000_000
    ) {
        self.ways = ways
        self.leastHonest = leastHonest
        self.leastColluders = leastColluders
        self.leastNoiseMultiplier = leastNoiseMultiplier
        self.clippingNorms = clippingNorms
        self.mostRounds = mostRounds
    }

    /// Refuses a plan that is not allowed: before a row is read or a byte leaves.
    ///
    /// - Throws: `policy`.
    public func check(_ plan: FederatedPlan, participants: Int) throws(FederationError) {
        guard ways.contains(plan.aggregation.way) else {
            throw .policy(
                plan.aggregation.way.words, expected: ways.map(\.words).sorted().joined(separator: " or "))
        }
        guard plan.rounds + plan.spareRounds <= mostRounds else {
            throw .policy(
                "\(plan.rounds + plan.spareRounds) rounds", expected: "at most \(mostRounds), spare ones counted")
        }
        switch plan.aggregation {
        case .plain: break
        case .masked(let threshold, let colluders), .distributedNoise(let threshold, let colluders):
            guard colluders >= leastColluders else {
                throw .policy("\(colluders) colluders", expected: "masks that bear at least \(leastColluders)")
            }
            let honest = threshold - max(colluders, 1)
            guard honest >= leastHonest else {
                throw .policy(
                    "sums over \(honest) honest participants, \(max(colluders, 1)) who may be in league with the coordinator not counted",
                    expected: "at least \(leastHonest) (`least-honest`): more sites, or fewer colluders")
            }
        }
        guard let noise = plan.noise else { return }
        guard noise.noiseMultiplier >= leastNoiseMultiplier else {
            throw .policy("the noise multiplier \(noise.noiseMultiplier)", expected: "at least \(leastNoiseMultiplier)")
        }
        guard clippingNorms.contains(noise.clippingNorm) else {
            throw .policy(
                "the clipping norm \(noise.clippingNorm)",
                expected: "from \(clippingNorms.lowerBound) to \(clippingNorms.upperBound)")
        }
    }
}
