/// How participants' vectors come together.
public enum Aggregation: String, Sendable, Hashable, CaseIterable, Codable {
    /// The server sees each vector.
    case plain
    /// Secure aggregation: the server sees the sum of a cohort's vectors alone.
    case masked
    /// Each participant bounds its vector's norm and adds a share of the noise: only a noisy sum is seen.
    case distributedNoise

    /// In words.
    public var words: String {
        switch self {
        case .plain: "updates in the clear"
        case .masked: "secure aggregation without noise"
        case .distributedNoise: "distributed noise"
        }
    }
}

/// Whether a strategy runs where vectors come together in some way.
public enum Admission: Sendable, Hashable {
    /// It does.
    case runs
    /// It cannot, or should not: why.
    case refused(Refusal)

    /// Why a strategy does not run where only a sum is seen.
    public enum Refusal: String, Sendable, Hashable, CaseIterable, Codable {
        /// A robust rule compares single updates; their sum does not show which one is malicious.
        case needsSingleUpdates
        /// Updates come one by one and of different models: nobody is there together to mask a sum or to share its
        /// noise.
        case hasNoCohort
        /// The bound holds for update and control's change together, and most of it goes to the latter: the noise would
        /// drown the update (``ControlVariate`` says by how much).
        case controlTakesTheBound
        /// What is bounded would be a participant's whole update: that protects participants, and not the people at one.
        case boundsParticipants

        /// In words.
        public var text: String {
            switch self {
            case .needsSingleUpdates: "needs single updates"
            case .hasNoCohort: "has no cohort"
            case .controlTakesTheBound: "the control variate takes the bound"
            case .boundsParticipants: "bounds participants, not people"
            }
        }
    }
}

extension Strategy {
    /// Whether it runs where vectors come together in that way: the committed table, which the documentation shows.
    ///
    /// What averages needs a sum alone. With distributed noise a round is one private step, of gradients that are bounded for each
    /// person.
    public func admits(_ way: Aggregation) -> Admission {
        guard way != .plain else { return .runs }
        switch self {
        case .fedSGD: return .runs
        case .fedAvg, .fedAvgM, .fedProx, .fedAdam, .fedYogi:
            return way == .masked ? .runs : .refused(.boundsParticipants)
        case .scaffold: return way == .masked ? .runs : .refused(.controlTakesTheBound)
        case .fedBuff: return .refused(.hasNoCohort)
        case .coordinateMedian, .trimmedMean, .multiKrum, .centredClipping: return .refused(.needsSingleUpdates)
        }
    }
}
