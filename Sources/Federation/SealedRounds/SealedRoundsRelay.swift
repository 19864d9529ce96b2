internal import Foundation

/// Who stands between sites that compute together: it keeps what each brought for the others in a round, and gives it on when all have. No I/O, and no clock.
///
/// It is not trusted. It sees which sites take part, when, and the lengths of frames, which follow from what is computed; it can hold frames back, so that nothing comes of the run, and change nothing
/// (``SealedRoundsParticipant``).
///
/// **Memory.** A site brings a round when it has had the one before, so that frames of two rounds are kept at most.
public struct SealedRoundsRelay: Sendable {
    /// How many sites take part.
    public let sites: Int
    /// How many rounds there are at most, that of greetings among them.
    public let rounds: Int
    /// The most bytes that a site brings in a round.
    public let mostBytes: Int
    /// By round, and by site.
    private var kept: [Int: [Int: [Data]]] = [:]
    /// Of each site the last round that it brought.
    private var reached: [Int]
    /// Who came to its end.
    private var ended: Set<Int> = []
    /// Who left first.
    public private(set) var left: Int?

    /// Nothing was sent yet.
    public init(sites: Int, rounds: Int, mostBytes: Int) {
        (self.sites, self.rounds, self.mostBytes) = (sites, rounds, mostBytes)
        reached = [Int](repeating: -1, count: sites)
    }

    /// Takes what a site says, and says what is there for it. Of two lists of one round the first stays.
    ///
    /// - Parameter place: The site's.
    /// - Throws: `message`: a round that is not its turn, too many bytes, or frames for other than all others.
    public mutating func answer(
        _ message: SealedRoundsMessage, from place: Int
    ) throws(FrameError) -> SealedRoundsReply {
        guard reached.indices.contains(place) else { throw .sender }
        let round = message.round
        switch message.act {
        case .leaves:
            if left == nil, !isComplete { left = place }
        case .asks: break
        case .ends:
            // All come to it behind the same round, which all brought.
            guard round == reached[place], isWhole(round) else { throw .message }
            ended.insert(place)
        case .brings where round > reached[place] + 1 && round < rounds:
            // What came before it was said to another relay of this run, and is nowhere any more.
            if left == nil { left = place }
        case .brings where round > reached[place]:
            guard round == reached[place] + 1, round < rounds, round == 0 || isWhole(round - 1),
                message.frames.count == sites - 1,
                message.frames.reduce(0, { $0 + 4 + $1.count }) <= mostBytes
            else { throw .message }
            kept[round, default: [:]][place] = message.frames
            reached[place] = round
            // All have had the rounds before the last that all brought.
            if let least = reached.min() { kept = kept.filter { $0.key >= least } }
        case .brings: break
        }
        return SealedRoundsReply(
            round: round, isHeld: reached[place] >= round, left: left,
            frames: left == nil ? frames(round, for: place) : nil)
    }

    private func isWhole(_ round: Int) -> Bool { reached.allSatisfy { $0 >= round } }

    private func frames(_ round: Int, for place: Int) -> [Data]? {
        guard isWhole(round), let kept = kept[round] else { return nil }
        var frames: [Data] = []
        for sender in 0..<sites where sender != place {
            // A sender's list lacks itself.
            guard let list = kept[sender] else { return nil }
            frames.append(list[place < sender ? place : place - 1])
        }
        return frames
    }

    /// How many rounds all sites brought.
    public var wholeRounds: Int { (reached.min() ?? -1) + 1 }

    /// Whether all sites brought all rounds, or came to their end.
    public var isComplete: Bool { wholeRounds == rounds || ended.count == sites }

    /// The longest message of a site.
    public var largestMessage: Int { 5 + mostBytes }
}
