/// How a party did in a role so far: Beta reputation with forgetting (Jøsang and Ismail, "The Beta Reputation System", Bled 2002).
///
/// Each settled outcome adds one to the good or to the bad evidence, after what was there is multiplied by the forgetting factor (their section 3.5), so that evidence never
/// exceeds 1 / (1 - factor) and a party that changes is seen to. Whole millionths, rounded down, so that everybody computes the same.
public struct Reputation: Sendable, Hashable, Codable {
    /// How much of the evidence is kept at each new outcome, in millionths: .95, so that the last 20 outcomes weigh most.
    public static let keptMillionths: Int64 = 950_000
    /// How many outcomes are shown with a reputation.
    public static let mostShown = 32

    /// Good and bad evidence, in millionths of an outcome.
    public private(set) var good: Int64 = 0, bad: Int64 = 0
    /// The latest outcomes it is from, the latest last.
    public private(set) var latest: [ReputationEvent] = []

    /// Nobody knows anything of the party.
    public init() {}

    /// Adds an outcome.
    public mutating func add(_ event: ReputationEvent) {
        good = good * Self.keptMillionths / 1_000_000 + (event.isGood ? 1_000_000 : 0)
        bad = bad * Self.keptMillionths / 1_000_000 + (event.isGood ? 0 : 1_000_000)
        latest.append(event)
        if latest.count > Self.mostShown { latest.removeFirst() }
    }

    /// The expected probability of a good outcome, in millionths: (r + 1) / (r + s + 2) of r good and s bad (definition 2 of the paper). A newcomer has 500,000.
    public var expectation: Int64 { (good + 1_000_000) * 1_000_000 / (good + bad + 2_000_000) }
}

/// A settled outcome: the task and the conduct are the evidence.
public struct ReputationEvent: Sendable, Hashable, Codable {
    /// Whose.
    public let party: PartyName
    /// In which role.
    public let role: Role
    /// In which task.
    public let task: Digest256
    /// What it did.
    public let conduct: Conduct
    /// What that says of it, by ``EndingTable/conducts``.
    public let isGood: Bool
}

/// All reputations.
public struct Reputations: Sendable, Hashable, Codable {
    private var known: [PartyName: [String: Reputation]] = [:]

    /// Nobody is known.
    public init() {}

    /// A party's reputation in a role; a newcomer's where nothing was settled yet.
    public subscript(_ party: PartyName, _ role: Role) -> Reputation { known[party]?[role.rawValue] ?? Reputation() }

    mutating func add(_ events: [ReputationEvent]) {
        for event in events { known[event.party, default: [:]][event.role.rawValue, default: Reputation()].add(event) }
    }
}
