/// Why a plan, a message or a step was refused: public parameters, places in the roster and numbers of rounds, never a value of an update.
public enum FederationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A part of a plan is out of its bounds.
    case plan(String, expected: String)
    /// The owner's policy does not allow the plan.
    case policy(String, expected: String)
    /// An update has an entry that is no number.
    case notANumber(entry: Int)
    /// A message that is not one of this run, this round or this participant.
    case message(participant: Int, round: Int, expected: String)
    /// What a coordinator sent contradicts what it sent before, or what follows from it.
    case coordinator(round: Int, expected: String)
    /// A participant's own work failed.
    case work(participant: Int, round: Int, reason: String)

    /// What, where and what would be right.
    public var description: String {
        switch self {
        case .plan(let what, let expected): "\(what): expected \(expected)"
        case .policy(let what, let expected): "this site's policy refuses \(what): expected \(expected)"
        case .notANumber(let entry): "entry \(entry) of the update is no number: nothing was sent"
        case .message(let participant, let round, let expected):
            "a message of participant \(participant) in round \(round) is refused: expected \(expected)"
        case .coordinator(let round, let expected):
            "the coordinator's message in round \(round) is refused: expected \(expected)"
        case .work(let participant, let round, let reason):
            "participant \(participant) failed in round \(round): \(reason)"
        }
    }
}
