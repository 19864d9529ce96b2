/// Why a program, a correlation or a message was refused: by names, sizes and places that are public, never by a value or a share.
public enum ComputationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// Operands whose shapes do not fit.
    case shapes(String, expected: String)
    /// A value that could pass the ring's bounds: where, and the bits it would need, of which there are 62.
    case overflow(String, bits: Int)
    /// An opened value whose last truncation is not exact, so that its low bits would show.
    case inexactReveal
    /// A party without a value that it has to give, or with one that is not its own.
    case input(String, expected: String)
    /// Weights beyond the program's declared bound: a name, never a weight.
    case weightsBeyondBound(String)
    /// A mask of weights that was used for other weights.
    case maskOfOtherWeights
    /// Correlations that were made for another mask than the one that hides the weights.
    case otherMask
    /// The dealer is one of the two, or the two are one.
    case roles(String)
    /// Correlations that served already, with other inputs: they are burnt.
    case correlationsServed
    /// A program that names a third party, where two compute with a dealer.
    case thirdParty
    /// Weights that were shared for another program, with another party, or in another sharing than the session's.
    case otherWeights
    /// Correlations or a message of another session.
    case otherSession
    /// Correlations that are not as long as the program needs: for which step.
    case correlation(step: Int, count: Int, expected: Int)
    /// A message that came out of order.
    case order(round: Int, expected: String)
    /// A message of a wrong size or form.
    case malformed(String, expected: String)
    /// One of both others deviated, in a run with abort: in which round that was seen, and what did not hold. The run is over for good, and nothing of it is to be used; whoever deviated may have its outputs. Who it was is not told.
    case abort(round: Int, String)
    /// What no run with abort can verify, so that none begins.
    case unverifiable(String)

    /// What was wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected), .shapes(let name, let expected), .input(let name, let expected),
            .malformed(let name, let expected):
            "\(name): expected \(expected)"
        case .overflow(let place, let bits):
            "\(place) could need \(bits) bits, and there are 62: fewer bits behind the point, or a smaller declared bound"
        case .inexactReveal:
            "a value is opened whose last truncation is not exact: truncate exactly, its low bits would show"
        case .weightsBeyondBound(let name): "the weights \(name) are beyond the bound that the program declares"
        case .maskOfOtherWeights: "the mask was used for other weights: changed weights take a new mask"
        case .otherMask:
            "these correlations were made for another mask of the weights: the dealer and the party must mean the same"
        case .roles(let why): "\(why): the dealer and the two parties must be three"
        case .correlationsServed:
            "these correlations served already, for other inputs: they serve once, ask the dealer for new ones"
        case .thirdParty:
            "the program names a third party: two compute with a dealer, three on a ThreePartyMachine without one"
        case .otherWeights: "these weights were not shared for this program, this party and this session"
        case .otherSession: "it belongs to another session"
        case .correlation(let step, let count, let expected):
            "the correlation of step \(step) has \(count) words, expected \(expected)"
        case .order(let round, let expected): "a message of round \(round), expected \(expected)"
        case .abort(let round, let what):
            "round \(round): \(what) does not hold, one of both others deviated; the run is over without a result"
        case .unverifiable(let what): "with abort there can be no \(what)"
        }
    }
}
