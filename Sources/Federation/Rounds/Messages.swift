internal import Crypto
public import Foundation
public import MultipartyComputation

/// What all who take part in a round agree on: its digest enters signatures and masks.
public struct RoundHeader: Sendable, Hashable, Codable {
    /// 16 random bytes that name the run.
    public let run: Data
    /// The plan's digest.
    public let plan: Data
    /// How many rounds changed the model before it: from 0.
    public let round: Int
    /// How many rounds were begun before it, void ones too: from 0. No other round of the run has it.
    public let attempt: Int
    /// The digest of the model at its beginning.
    public let model: Data
    /// Who is asked: places in the run's roster, ascending.
    public let asked: [Int]

    /// The place of a participant among those who are asked; nil: it is not.
    func place(_ participant: Int) -> Int? { asked.place(of: participant) }

    /// SHA-256 of all of it.
    public var digest: Data {
        var hash = SHA256()
        hash.update(data: Data("parley federated round 1".utf8))
        for part in [run, plan, model] {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: part)
        }
        for number in [round, attempt, asked.count] + asked {
            withUnsafeBytes(of: Int64(number).littleEndian) { hash.update(bufferPointer: $0) }
        }
        return Data(hash.finalize())
    }
}

/// A model between rounds: weights, and what the strategy carries beside them.
public struct RunModel: Sendable {
    /// How many rounds changed it.
    public let round: Int
    /// Flat, in the order of the model's parameters. They are copied, or read from where they lie: ask once.
    public var weights: [Float] { packed.values }
    /// The weights where they lie.
    public let packed: Packed<Float>
    /// Momentum and such.
    public let server: ServerState
    /// Of a plan that asks for a sum, behind its round: its integers.
    public let sum: Packed<Int64>?
    /// SHA-256 of all of it.
    public let digest: Data

    init(round: Int, weights: [Float], server: ServerState, sum: Packed<Int64>? = nil) {
        self.init(round: round, weights: Packed(weights), server: server, sum: sum)
    }

    init(round: Int, weights: Packed<Float>, server: ServerState, sum: Packed<Int64>? = nil) {
        (self.round, packed, self.server, self.sum) = (round, weights, server, sum)
        var hash = SHA256()
        withUnsafeBytes(of: Int64(round).littleEndian) { hash.update(bufferPointer: $0) }
        withUnsafeBytes(of: UInt64(weights.count).littleEndian) { hash.update(bufferPointer: $0) }
        // Of weights that cannot be read it is no model's: nobody takes part in a round from it.
        try? weights.forEachChunk { hash.update(bufferPointer: UnsafeRawBufferPointer($1)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        hash.update(data: (try? encoder.encode(server)) ?? Data())
        if let sum { hash.update(data: (try? encoder.encode(sum)) ?? Data()) }
        digest = Data(hash.finalize())
    }

    /// The same model, whose weights were moved to a place.
    ///
    /// - Throws: What the place throws.
    func lying(in place: VectorPlace) throws -> RunModel {
        RunModel(round: round, weights: try packed.lying(in: place), server: server, sum: sum)
    }
}

extension RunModel: Hashable, Codable {
    public static func == (left: RunModel, right: RunModel) -> Bool { left.digest == right.digest }
    public func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    private enum CodingKeys: String, CodingKey { case round, weights, server, sum }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            round: try container.decode(Int.self, forKey: .round),
            weights: try container.decode(Packed<Float>.self, forKey: .weights),
            server: try container.decode(ServerState.self, forKey: .server),
            sum: try container.decodeIfPresent(Packed<Int64>.self, forKey: .sum))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(round, forKey: .round)
        try container.encode(packed, forKey: .weights)
        try container.encode(server, forKey: .server)
        try container.encodeIfPresent(sum, forKey: .sum)
    }
}

/// What a round came to: from it each participant takes the step itself.
public struct OpenedRound: Sendable, Hashable, Codable {
    /// The round.
    public let header: RoundHeader
    /// Whose updates are in it: places, ascending.
    public let participants: [Int]
    /// What they came to.
    public let result: Result

    /// Whether a participant's update is in it.
    func holds(_ participant: Int) -> Bool { participants.place(of: participant) != nil }

    /// A sum of integers, or what a rule made of single updates.
    public enum Result: Sendable, Hashable, Codable {
        /// The sum, on the plan's grid.
        case sum(integers: Packed<Int64>)
        /// What a robust rule made.
        case combined(vector: Packed<Float>)

        /// How many entries it has.
        var count: Int {
            switch self {
            case .sum(let integers): integers.count
            case .combined(let vector): vector.count
            }
        }
    }
}

/// What a participant sends. Who it is from is for the connection to authenticate.
public enum ParticipantMessage: Sendable, Hashable, Codable {
    /// It is there, and holds the model after so many rounds; nil: none.
    case heartbeat(holds: Int?)
    /// It asks for the whole model.
    case fetch
    /// An update in the clear, as integers of the plan's grid.
    case update(attempt: Int, integers: Packed<Int64>)
    /// Secure aggregation: keys.
    case advertisement(attempt: Int, advertisement: Advertisement)
    /// Shares of secrets, each encrypted for one other.
    case shares(attempt: Int, shares: ShareMessage)
    /// The masked update.
    case masked(attempt: Int, vector: Packed<UInt64>)
    /// A signature on who is in the sum.
    case confirmation(attempt: Int, signature: SurvivorSignature)
    /// Shares that open the sum.
    case unmask(attempt: Int, shares: UnmaskMessage)
    /// It takes no more part in this round, and why: public words.
    case leaves(attempt: Int, reason: String)

    /// The attempt that it belongs to; nil: none.
    public var attempt: Int? {
        switch self {
        case .heartbeat, .fetch: nil
        case .update(let attempt, _), .advertisement(let attempt, _), .shares(let attempt, _), .masked(let attempt, _),
            .confirmation(let attempt, _), .unmask(let attempt, _), .leaves(let attempt, _):
            attempt
        }
    }
}

/// What a participant is told to do now. It follows from the coordinator's state alone, so that a lost message costs nothing but a repetition.
public enum CoordinatorReply: Sendable, Hashable, Codable {
    /// Nothing; ask again after so many seconds.
    case wait(seconds: Double)
    /// Take this step, from the model that it holds.
    case opened(round: OpenedRound)
    /// The whole model; whoever missed a round takes it.
    case model(model: RunModel)
    /// Take part in this round.
    case begin(header: RoundHeader)
    /// Everybody's keys.
    case advertisements(header: RoundHeader, advertisements: [Advertisement])
    /// The others' shares for this participant.
    case shares(header: RoundHeader, shares: [EncryptedShare])
    /// Who is in the sum.
    case survivors(header: RoundHeader, survivors: [Int])
    /// The others' signatures on that.
    case confirmations(header: RoundHeader, survivors: [Int], signatures: [SurvivorSignature])
    /// The run is over; with this model.
    case finished(round: Int, model: Data)
    /// The run ended without its last round: why.
    case aborted(reason: String)
}

extension String {
    /// The beginning of what somebody else said, without what a terminal would obey.
    var publicWords: String {
        let bytes = utf8.prefix(500).map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension FederatedPlan {
    /// Who is asked in an attempt: in an order of each pass through the roster that follows from the run's name, ascending.
    func asked(attempt: Int, of participants: Int, run: Data) -> [Int] {
        guard let count = perRound, count < participants else { return Array(0..<participants) }
        let passes = participants / count
        var key = run
        withUnsafeBytes(of: Int64(attempt / passes).littleEndian) { key.append(contentsOf: $0) }
        let order = (0..<participants).map { place -> (key: [UInt8], place: Int) in
            var hash = SHA256()
            hash.update(data: key)
            withUnsafeBytes(of: Int64(place).littleEndian) { hash.update(bufferPointer: $0) }
            return (Array(hash.finalize()), place)
        }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let first = attempt % passes * count
        return order[first..<first + count].map(\.place).sorted()
    }

    /// Of more participants each shares masks with some of the others alone (`SparseGraph`).
    public static let mostInCompleteGraph = 500

    /// The aggregation session of a round.
    ///
    /// - Parameter roster: The identity keys of all participants of the run.
    func session(_ header: RoundHeader, roster: [Data]) throws(FederationError) -> AggregationSession? {
        let (threshold, colluders): (Int, Int)
        let bits: Int
        switch aggregation {
        case .plain: return nil
        case .masked(let least, let some):
            (threshold, colluders) = (least, some)
            bits = try modulusBits(header.asked.count, magnitude: Int64(1 << (grid?.bits ?? 0)))
        case .distributedNoise(let least, let some):
            (threshold, colluders) = (least, some)
            bits = 64
        }
        var identifier = header.run
        withUnsafeBytes(of: UInt64(header.attempt).littleEndian) { identifier.append(contentsOf: $0) }
        do {
            var graph = AggregationGraph.complete
            if header.asked.count > Self.mostInCompleteGraph {
                let sparse = try SparseGraph.least(
                    participants: header.asked.count, colluders: colluders, dropouts: header.asked.count - threshold)
                graph = .sparse(degree: sparse.degree, threshold: sparse.threshold)
            }
            return try AggregationSession(
                identifier: identifier, subject: header.digest, roster: header.asked.map { roster[$0] }, length: length,
                modulusBits: bits, threshold: threshold, colluders: colluders, graph: graph,
                sumMayShowTheOther: aggregation.way == .distributedNoise)
        } catch { throw .plan("secure aggregation", expected: "\(error)") }
    }

    private func modulusBits(_ participants: Int, magnitude: Int64) throws(FederationError) -> Int {
        do {
            return try SignedSum.least(participants: participants, magnitude: magnitude * Int64(weights?.max() ?? 1))
                .modulusBits
        } catch { throw .plan("the grid's bits", expected: "\(error)") }
    }
}

extension [Int] {
    /// Where a number stands in ascending ones.
    fileprivate func place(of number: Int) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == number ? low : nil
    }
}
