/// The rounds of secure aggregation, in the order in which they happen (Bonawitz et al. 2017, figure 4).
public enum AggregationRound: String, Sendable, Hashable, Codable, CaseIterable {
    /// Round 0: keys and a commitment.
    case advertise
    /// Round 1: shares of the secrets, encrypted for each neighbour.
    case share
    /// Round 2: masked vectors.
    case mask
    /// Round 3: signatures on who delivered.
    case confirm
    /// Round 4: shares that open the sum.
    case unmask
}

/// Why a session, a message or a step was refused: by public parameters and places in the roster, never by a secret or an input.
public enum AggregationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// The threshold lets a coordinator with so many colluders open two sets: twice the threshold must be more than both together.
    case threshold(Int, participants: Int, colluders: Int)
    /// A sum of so few that one who knows its own value, or the colluders theirs, reads the only other one off it.
    case sumShowsTheOther(threshold: Int, colluders: Int)
    /// A sparse graph fails with a probability of two to this power, rounded up, where at most 2^-40 is taken.
    case sparseGraphFails(log2Probability: Int)
    /// A place outside the roster.
    case notInRoster(Int, participants: Int)
    /// A secret key that does not belong to the identity in the roster.
    case identityOfAnother(participant: Int)
    /// A step out of order: what was asked, and what must be so.
    case order(String, expected: String)
    /// A clean end: too few take part.
    case tooFew(round: AggregationRound, count: Int, needed: Int)
    /// Too few of a participant's neighbourhood take part.
    case tooFewNeighbours(of: Int, round: AggregationRound, count: Int, needed: Int)
    /// A signature that the participant's identity key did not make over this session and this content.
    case badSignature(participant: Int, round: AggregationRound)
    /// A key that is no key.
    case badKey(participant: Int)
    /// A key that two participants, or one twice, advertised.
    case repeatedKey(participant: Int)
    /// The participant's own message is missing in what it was given, or is not the one that it made.
    case ownMessageChanged(participant: Int, round: AggregationRound)
    /// A second message of a participant that differs from its first.
    case conflicting(participant: Int, round: AggregationRound)
    /// A message that lacks something, has too much or is of the wrong size: whose, and what would be right.
    case malformed(participant: Int, round: AggregationRound, expected: String)
    /// An encrypted share that was not made by this sender for this receiver in this session.
    case cannotDecrypt(sender: Int, receiver: Int)
    /// Another input than the one that the masks were bound to.
    case anotherInput(chunk: Int)
    /// Another set of survivors than the one that was signed.
    case anotherSet(participant: Int)
    /// No choice of the shares gives the secret that the owner committed itself to.
    case cannotReconstruct(owner: Int, shares: Int, needed: Int)

    /// What was wrong, who by its place in the roster, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .threshold(let threshold, let participants, let colluders):
            return "threshold \(threshold) of \(participants) with \(colluders) colluders: expected more than "
                + "\((participants + colluders) / 2), so that no two sets can be opened"
        case .sumShowsTheOther(let threshold, let colluders):
            return
                "a sum of \(threshold) with \(colluders) colluders can show a single participant's values to another: "
                + "expected a threshold of at least \(max(colluders, 1) + 2), or sumMayShowTheOther"
        case .sparseGraphFails(let power):
            return
                "the sparse graph fails with a probability of up to 2^\(power): expected at most 2^-40, by a larger degree"
        case .notInRoster(let place, let participants):
            return "participant \(place) is not in the roster: expected 0 to \(participants - 1)"
        case .identityOfAnother(let participant):
            return "the identity key is not the one of participant \(participant) in the roster"
        case .order(let step, let expected): return "\(step): expected \(expected)"
        case .tooFew(let round, let count, let needed):
            return "too few participants after the round \(round.rawValue): \(count), and \(needed) are needed"
        case .tooFewNeighbours(let owner, let round, let count, let needed):
            return
                "too few in the neighbourhood of participant \(owner) in the round \(round.rawValue): \(count), and \(needed) are needed"
        default: return messageDescription
        }
    }

    private var messageDescription: String {
        switch self {
        case .badSignature(let participant, let round):
            return
                "the signature of participant \(participant) in the round \(round.rawValue) does not verify for this session"
        case .badKey(let participant): return "participant \(participant) advertised a key that is no X25519 key"
        case .repeatedKey(let participant):
            return "participant \(participant) advertised a key that was advertised already"
        case .ownMessageChanged(let participant, let round):
            return
                "what participant \(participant) sent in the round \(round.rawValue) came back changed, or not at all"
        case .conflicting(let participant, let round):
            return "participant \(participant) sent two different messages in the round \(round.rawValue)"
        case .malformed(let participant, let round, let expected):
            return "the message of participant \(participant) in the round \(round.rawValue): expected \(expected)"
        case .cannotDecrypt(let sender, let receiver):
            return
                "what came as the share of participant \(sender) for participant \(receiver) was not encrypted so in this session"
        case .anotherInput(let chunk):
            return
                "chunk \(chunk) is not of the input that the masks are bound to: expected the same bytes, or a new session"
        case .anotherSet(let participant):
            return
                "participant \(participant) has signed another set of survivors: expected the same set, or a new session"
        case .cannotReconstruct(let owner, let shares, let needed):
            return "\(shares) shares do not give the secret of participant \(owner): expected \(needed) right ones"
        default: return "secure aggregation was refused"
        }
    }
}
