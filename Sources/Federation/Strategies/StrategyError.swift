/// Why a strategy, an update or a state was refused: by names, lengths and positions, never by a value of an update.
///
/// A participant is named by its position in the list that was given, from 0 on.
public enum StrategyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// There is no update.
    case noUpdates
    /// A participant's vector is of the wrong length.
    case updateLength(participant: Int, found: Int, expected: Int)
    /// An entry of a participant's vector is infinite or no number.
    case nonFiniteUpdate(participant: Int, position: Int)
    /// A vector of the server's or of the local training is of the wrong length: which, and what it should be.
    case length(of: String, found: Int, expected: Int)
    /// An entry of such a vector is infinite or no number.
    case nonFinite(String, position: Int)
    /// There are more or fewer weights than updates.
    case weightCount(found: Int, expected: Int)
    /// A participant's weight is out of range.
    case weight(participant: Int)
    /// A robust rule counts each participant once: weights differ.
    case unequalWeights(Strategy.Kind)
    /// A robust rule needs more participants to bear as many malicious ones.
    case tooFewParticipants(Strategy.Kind, found: Int, expected: Int)
    /// More participants sent entries that are not finite than the rule bears malicious ones.
    case tooManyNonFinite(Strategy.Kind, participants: [Int], most: Int)
    /// A value was asked for what another strategy does.
    case strategy(Strategy.Kind, expected: String)
    /// A vector that comes in chunks has not come whole.
    case incompleteVector(received: Int, expected: Int)
    /// A buffer takes no update before it is emptied, and is not emptied before it is full.
    case buffer(held: Int, capacity: Int)
    /// A parameter's name that the model has not.
    case unknownParameter(String, expected: [String])
    /// No parameter would be shared.
    case nothingShared

    /// What was wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .noUpdates: return "no updates: expected at least one"
        case .updateLength(let participant, let found, let expected):
            return "the vector of participant \(participant) has \(found) entries: expected \(expected)"
        case .nonFiniteUpdate(let participant, let position):
            return "entry \(position) of participant \(participant)'s vector is not finite: expected finite numbers"
        case .length(let name, let found, let expected):
            return "the \(name) have \(found) entries: expected \(expected)"
        case .nonFinite(let name, let position):
            return "entry \(position) of the \(name) is not finite: expected finite numbers"
        case .weightCount(let found, let expected): return "\(found) weights: expected \(expected), one an update"
        case .weight(let participant):
            return "the weight of participant \(participant): expected a number from 2^-50 to 2^50"
        case .unequalWeights(let kind):
            return "\(kind.rawValue) counts each participant once: expected no weights, or equal ones"
        case .tooFewParticipants(let kind, let found, let expected):
            return "\(kind.rawValue) of \(found) participants: expected at least \(expected)"
        case .tooManyNonFinite(let kind, let participants, let most):
            let names = participants.map(String.init).joined(separator: ", ")
            return "participants \(names) sent entries that are not finite: \(kind.rawValue) bears at most \(most)"
        case .strategy(let kind, let expected): return "\(kind.rawValue): expected \(expected)"
        case .incompleteVector(let received, let expected):
            return "\(received) entries of a vector have come: expected \(expected) before the next step"
        case .buffer(let held, let capacity):
            return
                "the buffer holds \(held) of \(capacity) updates: expected it full to be emptied, and not full to add"
        case .unknownParameter(let name, let expected):
            return "the model has no parameter \"\(name)\": expected some of \(expected.joined(separator: ", "))"
        case .nothingShared: return "every parameter stays local: expected at least one that is shared"
        }
    }
}
