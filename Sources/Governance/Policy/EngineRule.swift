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

    /// What a policy says of one kind of work.
    public init(
        approval: Policy.Approval? = nil, uses: Int64? = nil, usesPerResearcher: Int64? = nil,
        training: TrainingRule? = nil
    ) {
        self.training = training
        self.approval = approval
        self.uses = uses
        self.usesPerResearcher = usesPerResearcher
    }
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
