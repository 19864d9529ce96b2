public import DifferentialPrivacy

extension FederationRule {
    /// What keeps a way of aggregation from ever being used, though a policy allows it.
    public struct Obstacle: Sendable, Hashable {
        /// The key that it is about, such as `sites`.
        public var key: String
        /// What is wrong, without a full stop.
        public var message: String
        /// What would be right.
        public var hint: String
    }

    /// Why no run that aggregates so can ever be allowed; nil: one may.
    ///
    /// - Parameters:
    ///   - uses: The most uses that the policy allows of training together; nil: none.
    ///   - loss: What the policy counts.
    ///   - engine: What is done together: a question may be counted in rho, too.
    ///   - site: The key of the site whose policy it is, which `sites` may name or not; nil: not known, and taken for none of them.
    public func obstacle(
        to way: Aggregation, uses: Int64?, loss: PrivacyLossKind, engine: EngineName, site: [UInt8]? = nil
    ) -> Obstacle? {
        let count = sites.count { $0 != site } + 1
        guard count > 1 else {
            return Obstacle(
                key: "sites", message: "names no site but this one",
                hint: "the keys of the sites that it trains with: `parley site key` prints a site's")
        }
        if engine == Self.questions, loss == .pure {
            return Obstacle(
                key: "sites", message: "questions to several sites share Gaussian noise, and this policy has `loss: pure`",
                hint: "`loss: zcdp` or `loss: renyi`")
        }
        if way == .distributedNoise, loss != .renyi, engine != Self.questions {
            return Obstacle(
                key: "aggregation",
                message: "`\(way.rawValue)` is charged by `loss: renyi`, and this policy has `loss: \(loss.rawValue)`",
                hint: "`loss: renyi`; or `aggregation: [masked]` with `uses`, without an epsilon")
        }
        if way != .distributedNoise, uses == nil {
            return Obstacle(
                key: "aggregation",
                message: "`\(way.rawValue)` keeps no epsilon and is counted in uses, and the key `uses` is missing",
                hint: "uses: 200 allows so many rounds, spare ones too, for ever")
        }
        return way == .plain ? nil : tooFew(count, way)
    }

    /// What `sites` are too few for, this one counted.
    private func tooFew(_ count: Int, _ way: Aggregation) -> Obstacle? {
        let sites = "\(count) sites with this one"
        guard leastColluders < count else {
            return Obstacle(
                key: "colluders", message: "\(leastColluders) of \(sites) cannot be in league with the coordinator",
                hint: "at most \(count - 1), or more sites")
        }
        // Whoever takes part knows its own; of two under masks alone each would know the other's.
        let (honest, known) = (max(leastHonest, way == .masked ? 2 : 1), max(leastColluders, 1))
        guard honest + known <= count else {
            return Obstacle(
                key: "least-honest",
                message:
                    "sums of \(honest) honest sites and \(known) more, who knows its own, need \(honest + known), and there are \(sites)",
                hint: way == .masked && count == 2
                    ? "name a third site, or allow distributed-noise alone with `least-honest: 1`"
                    : "name more sites, or fewer with `least-honest` and `colluders`")
        }
        return nil
    }
}
