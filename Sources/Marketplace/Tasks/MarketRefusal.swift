/// Why an action was refused: what, where, and what would be right.
public enum MarketRefusal: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// A field of a task's terms.
    case terms(String, expected: String)
    /// The task is at another stage.
    case stage(Stage, expected: String)
    /// It is too early or too late.
    case time(Int64, expected: String)
    /// The party may not do this.
    case party(PartyName, expected: String)
    /// There is no such task, proposal, round, node, job, evaluation, dispute or claim.
    case unknown(String)
    /// It was done before, or exists.
    case repeated(String)
    /// There are as many as there may be.
    case limit(String, most: Int64)
    /// The commitment is one that was made before: the earlier one counts.
    case commitmentIsTaken
    /// What is shown is not what was committed to.
    case commitmentMismatch
    /// A number or list is not what the terms ask for.
    case value(String, expected: String)
    /// The party's reputation in the role is too low for this market.
    case reputation(PartyName, Role)
    /// The proof does not lead to the settlement's root.
    case proof
    /// The book refused the money.
    case book(BookRefusal)

    /// What, where and what would be right.
    public var description: String {
        switch self {
        case .terms(let field, let expected): "\(field) of the task's terms: expected \(expected)"
        case .stage(let stage, let expected): "the task is \(stage.rawValue): expected \(expected)"
        case .time(let time, let expected): "at \(time) s: expected \(expected)"
        case .party(let party, let expected): "\(party) may not do this: expected \(expected)"
        case .unknown(let what): "there is no \(what): expected one that exists"
        case .repeated(let what): "\(what) before: expected it once"
        case .limit(let what, let most): "\(what): expected at most \(most)"
        case .commitmentIsTaken: "the commitment was made before: expected one with a salt of its own"
        case .commitmentMismatch:
            "what is shown does not hash to what was committed to: expected the same content and salt"
        case .value(let what, let expected): "\(what): expected \(expected)"
        case .reputation(let party, let role):
            "\(party)'s reputation as \(role.rawValue) is too low: expected better evidence"
        case .proof: "the proof does not lead to the settlement's root: expected the claim's own leaf and path"
        case .book(let refusal): refusal.description
        }
    }
}
