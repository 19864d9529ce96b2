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

    /// What a policy says of one kind of work.
    public init(approval: Policy.Approval? = nil, uses: Int64? = nil, usesPerResearcher: Int64? = nil) {
        self.approval = approval
        self.uses = uses
        self.usesPerResearcher = usesPerResearcher
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
