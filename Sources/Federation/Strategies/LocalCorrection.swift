/// What a strategy adds to each gradient of a participant's local training.
///
/// `fedProx`: mu x (weights - the round's weights), the gradient of the proximal term (Li et al. 2020). `scaffold`:
/// the server's control variate minus one's own (Karimireddy et al. 2020). Nothing otherwise.
public struct LocalCorrection: Sendable, Hashable {
    private let mu: Double
    /// The round's weights; empty without a proximal term.
    private let anchor: [Float]
    /// Server's minus own control variate; empty without them.
    private let drift: [Float]

    /// The correction of one round.
    ///
    /// - Parameters:
    ///   - anchor: The weights that the round began with, flat.
    ///   - server: The server's control variate, as it was sent with these weights; `scaffold` alone needs it.
    ///   - own: The participant's, before the round; likewise.
    public init(
        _ strategy: Strategy, anchor: [Float], server: [Float] = [], own: ControlVariate? = nil
    ) throws(StrategyError) {
        try strategy.validate()
        if let position = anchor.firstNonFinite { throw .nonFinite("anchor weights", position: position) }
        switch strategy {
        case .fedProx(let mu): (self.mu, self.anchor, drift) = (mu, anchor, [])
        case .scaffold:
            guard let own else { throw .strategy(.scaffold, expected: "the participant's own control variate") }
            let vectors = [("server's control variate", server), ("own control variate", own.values)]
            for (name, vector) in vectors {
                guard vector.count == anchor.count else {
                    throw .length(of: name, found: vector.count, expected: anchor.count)
                }
                if let position = vector.firstNonFinite { throw .nonFinite(name, position: position) }
            }
            (mu, self.anchor) = (0, [])
            drift = zip(server, own.values).map { Float(Double($0) - Double($1)) }
        default: (mu, self.anchor, drift) = (0, [], [])
        }
    }

    /// Adds the correction to a batch's mean gradient at these weights, before the local optimiser takes its step.
    public func adjust(gradient: inout [Float], weights: [Float]) throws(StrategyError) {
        let count = gradient.count
        guard weights.count == count else { throw .length(of: "weights", found: weights.count, expected: count) }
        for (name, vector) in [("anchor weights", anchor), ("control difference", drift)] where !vector.isEmpty {
            guard vector.count == count else { throw .length(of: name, found: vector.count, expected: count) }
        }
        if mu > 0 && !anchor.isEmpty {
            for index in gradient.indices {
                let distance: Double = Double(weights[index]) - Double(anchor[index])
                gradient[index] = Float(Double(gradient[index]) + mu * distance)
            }
        }
        if !drift.isEmpty {
            for index in gradient.indices { gradient[index] += drift[index] }
        }
    }
}
