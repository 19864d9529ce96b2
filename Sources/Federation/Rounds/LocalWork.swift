/// What a participant computes from its own rows in a round.
public protocol LocalWork {
    /// The update of a round: called once for each attempt whose result is sent; one that was not sent may be computed again.
    ///
    /// - Parameters:
    ///   - model: Before the round.
    ///   - carried: What this participant alone keeps between rounds (SCAFFOLD's control variate); empty at first.
    /// - Returns: The vector that is aggregated, and what is carried on if it gets into the round's sum.
    mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float])
}

/// What comes of a participant's work.
public enum LocalUpdate: Sendable {
    /// Numbers, which the plan's grid makes integers of.
    case numbers([Float])
    /// Integers that are noisy already, on the grid of the noise.
    case integers([Int64])
}
