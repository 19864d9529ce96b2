/// An event without composition at its top, and how often it happens.
struct EventLeaf {
    let event: PrivacyEvent
    let times: Int
}

extension PrivacyEvent {
    /// Events may be nested that deep; no sensible one is near, and walking one deeper would exhaust the stack.
    static let depthLimit = 64

    /// Compositions and repetitions taken apart into checked single events, in order. Throws for parameters out of range,
    /// for an event whose neighbour relation is not the one given, and for excessive nesting or counts.
    func leaves(times: Int, neighbours: NeighbourRelation) throws(MechanismError) -> [EventLeaf] {
        var result: [EventLeaf] = []
        try collect(times: times, neighbours: neighbours, depth: 0, into: &result)
        return result
    }

    private func collect(
        times: Int, neighbours: NeighbourRelation, depth: Int, into leaves: inout [EventLeaf]
    ) throws(MechanismError) {
        guard depth < Self.depthLimit else { throw .parameter("event", expected: "at most 64 levels of nesting") }
        guard times >= 0 else { throw .parameter("times", expected: "a number that is not negative") }
        switch self {
        case .composition(let events):
            for event in events {
                try event.collect(times: times, neighbours: neighbours, depth: depth + 1, into: &leaves)
            }
        case .repeated(let event, let inner):
            try checkOwnParameters()
            let (product, overflow) = times.multipliedReportingOverflow(by: inner)
            guard !overflow else { throw .overflow }
            try event.collect(times: product, neighbours: neighbours, depth: depth + 1, into: &leaves)
        default:
            try check(neighbours: neighbours, depth: depth)
            if times > 0 { leaves.append(EventLeaf(event: self, times: times)) }
        }
    }

    /// Throws unless every parameter is in range, and every sampling's neighbour relation is the one given.
    private func check(neighbours: NeighbourRelation, depth: Int) throws(MechanismError) {
        guard depth < Self.depthLimit else { throw .parameter("event", expected: "at most 64 levels of nesting") }
        try checkOwnParameters()
        switch self {
        case .poissonSampled(_, let event):
            try require(.addOrRemove, neighbours)
            try event.check(neighbours: neighbours, depth: depth + 1)
        case .fixedSizeSampled(_, _, let event):
            try require(.replaceOne, neighbours)
            try event.check(neighbours: neighbours, depth: depth + 1)
        case .shuffled: try require(.replaceOne, neighbours)
        case .repeated(let event, _): try event.check(neighbours: neighbours, depth: depth + 1)
        case .composition(let events):
            for event in events { try event.check(neighbours: neighbours, depth: depth + 1) }
        default: break
        }
    }

    private func require(_ needed: NeighbourRelation, _ given: NeighbourRelation) throws(MechanismError) {
        guard needed == given else {
            throw .parameter("neighbours", expected: "\(needed.rawValue), for \(name) events")
        }
    }

    /// Throws unless the parameters are in range, those of events within this one aside.
    func checkOwnParameters() throws(MechanismError) {
        switch self {
        case .discreteGaussian(let sensitivitySquared, let sigma):
            try Self.check(sensitivitySquared, "squared sensitivity")
            try Self.check(positive: sigma, "sigma")
        case .discreteLaplace(let sensitivity, let scale):
            try Self.check(sensitivity, "sensitivity")
            try Self.check(positive: scale, "scale")
        case .gaussian(let multiplier), .laplace(let multiplier):
            try Self.check(positive: multiplier, "noise multiplier")
        case .skellam(let l1Sensitivity, let sensitivitySquared, let variance):
            try Self.check(l1Sensitivity, "L1 sensitivity")
            try Self.check(sensitivitySquared, "squared sensitivity")
            try Self.check(positive: variance, "variance")
        case .exponentialMechanism(let epsilon, let times):
            try Self.check(epsilon, "epsilon")
            guard times >= 0 else { throw .parameter("times", expected: "a number that is not negative") }
        case .thresholdSelection(let groupsPerUnit, let sigma, let threshold, let delta):
            let least = try GaussianThreshold.delta(groupsPerUnit: groupsPerUnit, sigma: sigma, threshold: threshold)
            guard delta >= least && delta <= 1 else {
                throw .parameter("delta", expected: "at least the tail beyond the threshold, and at most 1")
            }
        case .pure(let epsilon): try Self.check(epsilon, "epsilon")
        case .approximate(let epsilon, let delta):
            try Self.check(epsilon, "epsilon")
            guard delta >= 0 && delta <= 1 else { throw .parameter("delta", expected: "a number from 0 to 1") }
        case .zeroConcentrated(let rho): try Self.check(rho, "rho")
        case .shuffled(let localEpsilon, let count):
            try Self.check(localEpsilon, "local epsilon")
            guard count >= 1 else { throw .parameter("count", expected: "a positive number") }
        case .treeAggregation(let multiplier, let steps):
            try Self.check(positive: multiplier, "noise multiplier")
            guard steps >= 1 else { throw .parameter("steps", expected: "a positive number") }
        case .poissonSampled(let rate, _):
            guard rate >= 0 && rate <= 1 else { throw .parameter("rate", expected: "a probability, from 0 to 1") }
        case .fixedSizeSampled(let sampleSize, let populationSize, _):
            guard sampleSize >= 1 else { throw .parameter("sample size", expected: "a positive number") }
            guard populationSize >= sampleSize else {
                throw .parameter("population size", expected: "at least the sample size")
            }
        case .repeated(_, let times):
            guard times >= 0 else { throw .parameter("times", expected: "a number that is not negative") }
        case .composition: break
        }
    }

    private static func check(_ value: Double, _ name: String) throws(MechanismError) {
        guard value >= 0 && value.isFinite else {
            throw .parameter(name, expected: "a finite number that is not negative")
        }
    }

    private static func check(positive value: Double, _ name: String) throws(MechanismError) {
        guard value > 0 && value.isFinite else { throw .parameter(name, expected: "a positive finite number") }
    }
}

extension PrivacyEvent {
    /// The event's name: its `type` in JSON.
    var name: String {
        switch self {
        case .discreteGaussian: "discrete-gaussian"
        case .discreteLaplace: "discrete-laplace"
        case .gaussian: "gaussian"
        case .laplace: "laplace"
        case .skellam: "skellam"
        case .exponentialMechanism: "exponential-mechanism"
        case .thresholdSelection: "threshold-selection"
        case .pure: "pure"
        case .approximate: "approximate"
        case .zeroConcentrated: "zero-concentrated"
        case .poissonSampled: "poisson-sampled"
        case .fixedSizeSampled: "fixed-size-sampled"
        case .shuffled: "shuffled"
        case .treeAggregation: "tree-aggregation"
        case .repeated: "repeated"
        case .composition: "composition"
        }
    }

    /// The most nodes of a binary tree over that many steps which hold one step.
    static func treeNodes(steps: Int) -> Double {
        Double(max(steps, 1).bitWidth - max(steps, 1).leadingZeroBitCount)
    }
}
