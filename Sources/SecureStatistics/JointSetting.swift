public import SecureComputation

/// Who computes.
public enum JointSetting: Int, Sendable, Hashable {
    /// The first and the second party, with a dealer's correlations.
    case dealer = 2
    /// Three parties without a dealer. Two of them may be owners, or all.
    case threeParties = 3

    /// Who computes.
    public var parties: [ComputingParty] { self == .dealer ? ComputingParty.two : ComputingParty.three }
}

/// What a run costs, known beforehand.
public struct JointCost: Sendable, Hashable {
    /// Rounds, in each of which each party sends a message to each other one.
    public let rounds: Int
    /// What each party sends, headers included.
    public let bytesFrom: [Int]
    /// What the dealer gives each party, beside a seed.
    public let keyBytesTo: [Int]

    /// All parties together, without the dealer.
    public var bytes: Int { bytesFrom.reduce(0, +) }

    init(_ program: Program, _ setting: JointSetting) {
        switch setting {
        case .dealer:
            let cost = program.cost
            rounds = cost.rounds
            bytesFrom = [cost.bytesFromFirst, cost.bytesFromSecond]
            keyBytesTo = [cost.correlationBytesToFirst, cost.correlationBytesToSecond]
        case .threeParties:
            let cost = program.threePartyCost
            (rounds, bytesFrom, keyBytesTo) = (cost.rounds, cost.bytesFrom, [])
        }
    }

    init(rounds: Int, bytesFrom: [Int], keyBytesTo: [Int]) {
        (self.rounds, self.bytesFrom, self.keyBytesTo) = (rounds, bytesFrom, keyBytesTo)
    }

    /// What one more step of a kind costs: the difference of two runs, of which one has so many more.
    init(_ more: JointCost, less: JointCost, steps: Int) {
        rounds = (more.rounds - less.rounds) / steps
        bytesFrom = zip(more.bytesFrom, less.bytesFrom).map { ($0 - $1) / steps }
        keyBytesTo = zip(more.keyBytesTo, less.keyBytesTo).map { ($0 - $1) / steps }
    }
}
