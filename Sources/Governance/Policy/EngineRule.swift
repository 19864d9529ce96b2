/// The name of a kind of work, as policies, requests and receipts have it: small letters, digits and hyphens.
public struct EngineName: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    /// The name itself.
    public let rawValue: String

    /// Any name; whether a datasite has such an engine is for the datasite to say.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The engine of that name.
    public init(stringLiteral name: String) { rawValue = name }
}

/// What a policy says of one kind of work.
public struct EngineRule: Sendable, Hashable {
    /// Who decides; nil: as for the rest of the policy.
    public var approval: Policy.Approval?
    /// The most uses by all researchers together, ever; nil: work that counts uses is refused.
    public var uses: Int64?
    /// The most uses by one researcher, ever; nil: no own limit.
    public var usesPerResearcher: Int64?
    /// What training may be asked with.
    public var training: TrainingRule?
    /// With whom, and how, work with other sites may be asked.
    public var federation: FederationRule?
    /// What may be intersected with another site, beside with whom.
    public var intersection: IntersectionRule?
    /// How others' models are measured.
    public var evaluation: EvaluationRule?
    /// Which rows are opened, and to whom.
    public var openedRows: OpenedRowsRule?
    /// With which model others predict on shares.
    public var prediction: PredictionRule?
    /// What may be computed on shares with two other sites, beside with whom.
    public var computation: ComputationRule?

    /// What a policy says of one kind of work.
    public init(
        approval: Policy.Approval? = nil, uses: Int64? = nil, usesPerResearcher: Int64? = nil,
        training: TrainingRule? = nil, federation: FederationRule? = nil, intersection: IntersectionRule? = nil,
        evaluation: EvaluationRule? = nil, openedRows: OpenedRowsRule? = nil,
        prediction: PredictionRule? = nil, computation: ComputationRule? = nil
    ) {
        self.computation = computation
        self.prediction = prediction
        self.openedRows = openedRows
        self.evaluation = evaluation
        self.training = training
        self.federation = federation
        self.intersection = intersection
        self.approval = approval
        self.uses = uses
        self.usesPerResearcher = usesPerResearcher
    }
}

extension EngineRule {
    /// Whether this researcher may ask for this kind of work, as far as its own rule says.
    public func names(_ researcher: String) -> Bool { openedRows?.referees.contains(researcher) ?? true }
}

/// What a policy says of training: ranges that a plan keeps to.
public struct TrainingRule: Sendable, Hashable {
    /// The kind of work that it is of.
    public static let engine: EngineName = "training"

    /// Of the noise's standard deviation over the sensitivity; nil: any that the budget pays for.
    public var noise: ClosedRange<Double>?
    /// Of the norm to which a unit's gradient is clipped; nil: any.
    public var clip: ClosedRange<Double>?
    /// Whether a model leaves only after an audit with canaries.
    public var audits: Bool

    /// Ranges that a plan keeps to.
    public init(noise: ClosedRange<Double>? = nil, clip: ClosedRange<Double>? = nil, audits: Bool = false) {
        self.audits = audits
        self.noise = noise
        self.clip = clip
    }
}

/// What a policy says of training, or answering questions, with other sites: with whom, and what a plan keeps to.
public struct FederationRule: Sendable, Hashable {
    /// The kind of work that trains.
    public static let engine: EngineName = "federated-training"
    /// The kind of work that answers questions: there is noise of all sites in each sum, and no rounds, norms or multipliers are said.
    public static let questions: EngineName = "federated-questions"

    /// What a coordinator may see.
    public enum Aggregation: String, Sendable, Hashable, CaseIterable {
        /// Each update: it may show rows.
        case plain
        /// The sum of updates, which may show rows of any site.
        case masked
        /// A sum with noise, which keeps an epsilon.
        case distributedNoise = "distributed-noise"
    }

    /// The Ed25519 keys of sites (32 bytes each) with which rows may be trained on: invented ones could stand around a victim.
    public var sites: Set<[UInt8]>
    /// Where a coordinator may be: the datasite connects to no other address.
    public var coordinators: Set<String>
    /// What a coordinator may see.
    public var aggregations: Set<Aggregation>
    /// At least so many participants' updates in each sum, those in league with the coordinator not counted.
    public var leastHonest: Int
    /// At least so many participants may be in league with the coordinator without harm.
    public var leastColluders: Int
    /// At most so many rounds, spare ones too; nil: as many as charges allow.
    public var mostRounds: Int?
    /// Of the noise's standard deviation over the sensitivity, of what honest participants add; nil: any that the budget pays for.
    public var noise: ClosedRange<Double>?
    /// Of the norm to which a unit's gradient is clipped; nil: any.
    public var clip: ClosedRange<Double>?

    /// With whom, and how.
    public init(
        sites: Set<[UInt8]>, coordinators: Set<String>, aggregations: Set<Aggregation> = [.distributedNoise],
        leastHonest: Int = 2, leastColluders: Int = 1, mostRounds: Int? = nil, noise: ClosedRange<Double>? = nil,
        clip: ClosedRange<Double>? = nil
    ) {
        (self.sites, self.coordinators, self.aggregations) = (sites, coordinators, aggregations)
        (self.leastHonest, self.leastColluders, self.mostRounds) = (leastHonest, leastColluders, mostRounds)
        (self.noise, self.clip) = (noise, clip)
    }
}

extension Policy {
    /// The rule for a kind of work; nil: the policy does not allow it.
    ///
    /// - Parameter isAllowedUnlessSaid: Whether a policy that names no kinds of work allows it.
    public func rule(for engine: EngineName, isAllowedUnlessSaid: Bool) -> EngineRule? {
        guard let engines else { return isAllowedUnlessSaid ? EngineRule() : nil }
        return engines[engine]
    }

    /// Who decides on work of that kind.
    public func approval(of engine: EngineName) -> Approval { engines?[engine]?.approval ?? approval }
}
