/// What a run costs: counted while it runs, or beforehand from the program.
public struct ComputationCost: Sendable, Hashable, CustomStringConvertible {
    /// Rounds: in each, each party sends one message, and both cross.
    public var rounds = 0
    /// Bytes that the first party sends, headers included.
    public var bytesFromFirst = 0
    /// Bytes that the second party sends.
    public var bytesFromSecond = 0
    /// Bytes of correlations that the first party gets from the dealer, beside a seed.
    public var correlationBytesToFirst = 0
    /// Bytes of correlations that the second party gets.
    public var correlationBytesToSecond = 0

    /// Nothing yet.
    public init() {}

    /// Both ways together.
    public var bytes: Int { bytesFromFirst + bytesFromSecond }

    mutating func send(_ words: Int, from party: ComputingParty) {
        let bytes = RoundMessage.headerBytes + 8 * words
        if party == .first { bytesFromFirst += bytes } else { bytesFromSecond += bytes }
    }

    /// All of it.
    public var description: String {
        "\(rounds) rounds, \(bytesFromFirst) + \(bytesFromSecond) bytes, correlations of \(correlationBytesToFirst) and \(correlationBytesToSecond) bytes"
    }
}

extension Program {
    /// What a run of it costs with a dealer, known before anything is sent. A program that names a third party cannot be run so (``threePartyCost``).
    public var cost: ComputationCost {
        var cost = ComputationCost()
        for round in rounds.indices {
            cost.rounds += 1
            for party in ComputingParty.two { cost.send(openedWords(round: round, by: party), from: party) }
            for place in rounds[round] {
                cost.correlationBytesToFirst += 8 * correlationWords(place, of: .first)
                cost.correlationBytesToSecond += 8 * correlationWords(place, of: .second)
            }
        }
        return cost
    }
}
