internal import Crypto
public import Foundation

/// Who shares masks with whom.
public enum AggregationGraph: Sendable, Hashable, Codable {
    /// Each with each (Bonawitz et al. 2017).
    case complete
    /// Each with `degree` others, an even number, and shares of which `threshold` open (Bell et al. 2020). See ``SparseGraph`` for both numbers.
    case sparse(degree: Int, threshold: Int)
}

/// What all who take part in one aggregation must agree on: public, and bound by its digest into every signature and key.
///
/// A participant to whom another session is told than to the others (other weights, another plan, other participants) has another digest: its signatures do
/// not verify at them, and its masks do not cancel with theirs.
///
/// **Threat model.** The coordinator may deviate as it likes, together with up to `colluders` participants. It learns the sum over a set of at least
/// `threshold` participants, thus over at least `threshold - colluders` honest ones, and no more than follows from that sum and the colluders' own inputs
/// (Bonawitz et al. 2017, section 6, active adversaries, in the random oracle model), if honest participants read the roster from who is not the coordinator. **Why
/// 2 t > n + c**: an honest participant signs one set of survivors, and opens it after t signatures. Two sets that are both opened would need t signers
/// each, of the c colluders, who sign twice, and n - c honest ones, who do not: 2 t <= n + c. With one set for all, each participant's self-mask or its mask
/// key is opened, never both. A ``AggregationGraph/sparse(degree:threshold:)`` graph promises less (see ``SparseGraph``).
///
/// **Not protected**: that inputs are what they should be (any participant may add what it likes to the sum, or spoil it); who takes part, and how far; that
/// a round ends, which the coordinator or n - t + 1 participants can prevent; what the sum itself shows, which is for noise to bound.
public struct AggregationSession: Sendable, Hashable {
    /// What a session may ask for at most.
    public enum Limit {
        /// Participants: their places plus one are points of a field of 2^16 elements.
        public static let participants = 65_535
        /// Entries of a vector.
        public static let length = 1 << 32
        /// Bytes of all participants' masked vectors together, at eight an entry: 16 TiB.
        public static let bytes = 1 << 44
        /// Bytes of an identifier, at least and at most.
        public static let identifier = 16...64
    }

    /// Entries of a chunk; the last one of a vector may have fewer.
    public static let chunkLength = 1 << 16

    /// At least 16 bytes that no session had before.
    public let identifier: Data
    /// SHA-256 of what is aggregated (weights, plan, number of the round): the caller's.
    public let subject: Data
    /// The participants' Ed25519 public keys, 32 bytes each; a participant is named by its place, from 0.
    public let roster: [Data]
    /// Entries of a vector.
    public let length: Int
    /// Entries are integers modulo 2 to this power.
    public let modulusBits: Int
    /// How many participants must stay to the end.
    public let threshold: Int
    /// How many participants may collude with the coordinator.
    public let colluders: Int
    /// Who shares masks with whom.
    public let graph: AggregationGraph
    /// The caller knows that the sum may show a single participant's values to another one or to the colluders (noise protects them, say).
    public let sumMayShowTheOther: Bool
    /// SHA-256 of all of the above and the protocol's version.
    public private(set) var digest: Data

    /// - Throws: `parameter` for a size out of its bounds, a repeated or malformed key; `threshold` unless 2 `threshold` > n + `colluders`;
    ///   `sumShowsTheOther` where a sum may have a single value in it that its reader did not know, unless that is said to be meant: two participants alone,
    ///   or a threshold below 3, or below `colluders` + 2; `sparseGraphFails` where the graph fails with a probability above 2^-40.
    public init(
        identifier: Data, subject: Data, roster: [Data], length: Int, modulusBits: Int, threshold: Int,
        colluders: Int = 0,
        graph: AggregationGraph = .complete, sumMayShowTheOther: Bool = false
    ) throws(AggregationError) {
        self.identifier = Data(identifier)
        self.subject = Data(subject)
        self.roster = roster.map { Data($0) }
        (self.length, self.modulusBits) = (length, modulusBits)
        (self.threshold, self.colluders, self.graph) = (threshold, colluders, graph)
        self.sumMayShowTheOther = sumMayShowTheOther
        try Self.checkSizes((identifier, subject, roster), length: length, modulusBits: modulusBits)
        try Self.checkThreshold(
            threshold, participants: roster.count, colluders: colluders, mayShow: sumMayShowTheOther)
        if case .sparse(let degree, let neighbourThreshold) = graph {
            let design = try SparseGraph(
                participants: roster.count, colluders: colluders, dropouts: roster.count - threshold, degree: degree,
                threshold: neighbourThreshold)
            guard design.log2Failure <= SparseGraph.largestLog2Failure else {
                throw .sparseGraphFails(log2Probability: Int(design.log2Failure.rounded(.up)))
            }
        }
        digest = Data()
        digest = encoded.digest
    }

    private static func checkSizes(
        _ names: (identifier: Data, subject: Data, roster: [Data]), length: Int, modulusBits: Int
    ) throws(AggregationError) {
        guard Limit.identifier.contains(names.identifier.count) else {
            throw .parameter("session identifier", expected: "16 to 64 bytes")
        }
        guard names.subject.count == 32 else { throw .parameter("subject", expected: "a SHA-256 digest, 32 bytes") }
        let participants = names.roster.count
        guard (2...Limit.participants).contains(participants) else {
            throw .parameter("roster", expected: "2 to 65535 participants")
        }
        guard names.roster.allSatisfy({ $0.count == 32 }) else {
            throw .parameter("roster", expected: "Ed25519 public keys of 32 bytes")
        }
        guard Set(names.roster).count == participants else { throw .parameter("roster", expected: "no key twice") }
        guard (1...Limit.length).contains(length) else { throw .parameter("length", expected: "1 to 2^32 entries") }
        guard (1...64).contains(modulusBits) else { throw .parameter("modulus bits", expected: "1 to 64") }
        guard participants * length <= Limit.bytes / 8 else {
            throw .parameter(
                "length", expected: "at most \(Limit.bytes / 8 / participants) entries for \(participants) participants"
            )
        }
    }

    private static func checkThreshold(
        _ threshold: Int, participants: Int, colluders: Int, mayShow: Bool
    ) throws(AggregationError) {
        guard (0..<participants).contains(colluders) else {
            throw .parameter("colluders", expected: "0 to \(participants - 1) of \(participants) participants")
        }
        guard (1...participants).contains(threshold) else {
            throw .parameter("threshold", expected: "1 to \(participants) participants")
        }
        guard 2 * threshold > participants + colluders else {
            throw .threshold(threshold, participants: participants, colluders: colluders)
        }
        // Whoever takes part knows its own value without colluding with anybody.
        guard mayShow || threshold - max(colluders, 1) >= 2 else {
            throw .sumShowsTheOther(threshold: threshold, colluders: colluders)
        }
    }

    private var encoded: CanonicalBytes {
        var bytes = CanonicalBytes("session")
        bytes.append(identifier)
        bytes.append(subject)
        bytes.append(roster.count)
        for key in roster { bytes.append(key) }
        for number in [length, modulusBits, threshold, colluders] { bytes.append(number) }
        switch graph {
        case .complete: for number in [0, 0, 0] { bytes.append(number) }
        case .sparse(let degree, let threshold): for number in [1, degree, threshold] { bytes.append(number) }
        }
        bytes.append(sumMayShowTheOther ? 1 : 0)
        return bytes
    }
}

extension AggregationSession {
    /// How many participants the roster has.
    public var participants: Int { roster.count }

    /// How many chunks a vector has.
    public var chunkCount: Int { (length + Self.chunkLength - 1) / Self.chunkLength }

    /// The entries of a chunk; empty for a chunk that there is not.
    public func chunk(_ chunk: Int) -> Range<Int> {
        guard (0..<chunkCount).contains(chunk) else { return 0..<0 }
        return chunk * Self.chunkLength..<min((chunk + 1) * Self.chunkLength, length)
    }

    /// Throws `parameter` unless these are the right number of entries for the chunk, each below the modulus: for whoever receives or spools them.
    public func check(_ values: [UInt64], chunk: Int) throws(AggregationError) {
        guard (0..<chunkCount).contains(chunk) else { throw .parameter("chunk", expected: "0 to \(chunkCount - 1)") }
        guard values.count == self.chunk(chunk).count else {
            throw .parameter("chunk \(chunk)", expected: "\(self.chunk(chunk).count) entries")
        }
        guard values.reduce(0, |) & ~modulusMask == 0 else {
            throw .parameter("chunk \(chunk)", expected: "entries below 2^\(modulusBits)")
        }
    }

    var modulusMask: UInt64 { UInt64.max >> UInt64(64 - modulusBits) }

    /// How many shares of a neighbourhood, the owner's own included, open a secret.
    var shareThreshold: Int {
        switch graph {
        case .complete: return threshold
        case .sparse(_, let threshold): return threshold
        }
    }

    func contains(_ participant: Int) -> Bool { roster.indices.contains(participant) }

    func checkPlace(_ participant: Int) throws(AggregationError) {
        guard contains(participant) else { throw .notInRoster(participant, participants: participants) }
    }

    /// Whether the participant's identity key signed the bytes.
    func isSigned(_ bytes: CanonicalBytes, by participant: Int, signature: Data) -> Bool {
        guard contains(participant), signature.count == 64,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: roster[participant])
        else { return false }
        return key.isValidSignature(signature, for: bytes.data)
    }
}

extension AggregationSession: Codable {
    private enum Field: String, CodingKey {
        case identifier, subject, roster, length, modulusBits, threshold, colluders, graph, sumMayShowTheOther
    }

    /// Throws what ``init(identifier:subject:roster:length:modulusBits:threshold:colluders:graph:sumMayShowTheOther:)`` throws.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        try self.init(
            identifier: fields.decode(Data.self, forKey: .identifier),
            subject: fields.decode(Data.self, forKey: .subject),
            roster: fields.decode([Data].self, forKey: .roster), length: fields.decode(Int.self, forKey: .length),
            modulusBits: fields.decode(Int.self, forKey: .modulusBits),
            threshold: fields.decode(Int.self, forKey: .threshold),
            colluders: fields.decode(Int.self, forKey: .colluders),
            graph: fields.decode(AggregationGraph.self, forKey: .graph),
            sumMayShowTheOther: fields.decode(Bool.self, forKey: .sumMayShowTheOther))
    }

    /// All but the digest, which follows.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(identifier, forKey: .identifier)
        try fields.encode(subject, forKey: .subject)
        try fields.encode(roster, forKey: .roster)
        try fields.encode(length, forKey: .length)
        try fields.encode(modulusBits, forKey: .modulusBits)
        try fields.encode(threshold, forKey: .threshold)
        try fields.encode(colluders, forKey: .colluders)
        try fields.encode(graph, forKey: .graph)
        try fields.encode(sumMayShowTheOther, forKey: .sumMayShowTheOther)
    }
}
