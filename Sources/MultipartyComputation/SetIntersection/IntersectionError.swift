/// Why a session, a list, a message or a step was refused: by public parameters and places in a list, never by an identifier.
public enum IntersectionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A message of the protocol.
    public enum Message: String, Sendable, Hashable, Codable {
        /// ``BlindedList``.
        case blinded
        /// ``EvaluatedList``.
        case evaluated
    }

    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// An identifier, by its place in one's own list, that is empty or too long.
    case identifierLength(place: Int)
    /// More distinct identifiers than one declared.
    case tooManyIdentifiers(count: Int, capacity: Int)
    /// A step out of order: what was asked, and what must be so.
    case order(String, expected: String)
    /// A session that was begun already: its identifier must be new.
    case sessionRepeated(peer: String)
    /// No session with this party is left.
    case sessionsUsedUp(peer: String, limit: Int)
    /// The session lets the other party test more identifiers than it may in all.
    case guessesUsedUp(peer: String, asked: Int, left: Int)
    /// A message of another session.
    case anotherSession(Message)
    /// A message that does not come from the other party: one's own, sent back.
    case notFromTheOther(Message)
    /// A second, different message: a scalar serves one list, and a list has one answer.
    case anotherMessage(Message)
    /// An answer to another list than the one that was sent.
    case anotherList
    /// Points that are not whole.
    case truncated(Message, bytes: Int)
    /// A number of points other than the declared one, or what was sent.
    case wrongCount(Message, count: Int, expected: ClosedRange<Int>)
    /// A point, by its place in the message, that is not on the curve, or not written as it must be.
    case notOnCurve(Message, place: Int)
    /// A point that came before in the same message.
    case repeatedPoint(Message, place: Int)
    /// A point of one's own list, sent back as one of the other's.
    case reflectedPoint(place: Int)

    /// What was wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .identifierLength(let place):
            return "identifier \(place) of the own list is empty or too long: expected 1 to 1024 bytes"
        case .tooManyIdentifiers(let count, let capacity):
            return "\(count) distinct identifiers: expected at most \(capacity), the declared capacity"
        case .order(let step, let expected): return "\(step): expected \(expected)"
        case .sessionRepeated(let peer):
            return "a session of this identifier was begun with \(peer) already: expected a fresh identifier"
        case .sessionsUsedUp(let peer, let limit):
            return "all \(limit) sessions with \(peer) are used up: expected a new allowance, by who decides on it"
        case .guessesUsedUp(let peer, let asked, let left):
            return "the session lets \(peer) test \(asked) identifiers, and \(left) are left: expected a smaller "
                + "capacity of \(peer), or a new allowance, by who decides on it"
        default: return messageDescription
        }
    }

    /// What was wrong with a message, without numbers: for those who shall not learn how many identifiers there are.
    public var words: String {
        switch self {
        case .anotherSession(let message): "the \(message.rawValue) list is of another session"
        case .notFromTheOther(let message): "the \(message.rawValue) list is not from the other party"
        case .anotherMessage(let message): "a second, different \(message.rawValue) list"
        case .anotherList: "the evaluated list answers another list than the one that was sent"
        case .truncated(let message, _), .wrongCount(let message, _, _):
            "the \(message.rawValue) list has another number of points"
        case .notOnCurve(let message, _): "the \(message.rawValue) list has a point that is not on the curve"
        case .repeatedPoint(let message, _): "the \(message.rawValue) list has a point twice"
        case .reflectedPoint: "the blinded list has a point of the own list"
        case .parameter(let name, let expected): "\(name): expected \(expected)"
        case .order(let step, let expected): "\(step): expected \(expected)"
        case .identifierLength, .tooManyIdentifiers, .sessionRepeated, .sessionsUsedUp, .guessesUsedUp:
            "it is beyond what was agreed"
        }
    }

    private var messageDescription: String {
        switch self {
        case .anotherSession(let message):
            return "the \(message.rawValue) list is of another session: expected the same parameters on both sides"
        case .notFromTheOther(let message): return "the \(message.rawValue) list is not from the other party"
        case .anotherMessage(let message):
            return "a second, different \(message.rawValue) list: expected the first one again, or a new session"
        case .anotherList: return "the evaluated list answers another list than the one that was sent"
        case .truncated(let message, let bytes):
            return "the \(message.rawValue) list has \(bytes) bytes: expected a multiple of 32"
        case .wrongCount(let message, let count, let expected):
            let range =
                expected.count == 1
                ? "\(expected.lowerBound)" : "\(expected.lowerBound) to \(expected.upperBound)"
            return "the \(message.rawValue) list has \(count) points: expected \(range)"
        case .notOnCurve(let message, let place):
            return "point \(place) of the \(message.rawValue) list is not on the curve: expected the x-coordinate "
                + "of a point of P-256, below its prime"
        case .repeatedPoint(let message, let place):
            return "point \(place) of the \(message.rawValue) list came before: expected distinct points"
        case .reflectedPoint(let place):
            return "point \(place) of the blinded list is one of the own list: expected points of the other party"
        default: return "an intersection was refused"
        }
    }
}
