internal import Foundation

/// Why a batch refused a step.
public enum ReportBatchError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// The batch takes no reports any more.
    case notOpen
    /// The report was begun, taken or dropped before.
    case replayed(ReportNonce)
    /// The report was not begun, or was taken or dropped already.
    case notBegun(ReportNonce)
    /// So many reports were begun that no more fit.
    case full(capacity: Int)
    /// A share of another task or aggregator.
    case another
    /// Too few reports were taken to show their sum.
    case tooFew(count: Int, needed: Int)
    /// Reports were begun and neither taken nor dropped.
    case unfinished(count: Int)
    /// The other aggregator took other reports.
    case otherReports

    /// What was wrong and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .notOpen: return "the batch was collected: expected reports and collection before that"
        case .replayed(let nonce): return "the report \(nonce) was begun before: expected each report once"
        case .notBegun(let nonce):
            return "the report \(nonce) is not under way: expected one that was begun and is open"
        case .full(let capacity):
            return "the batch is full: expected at most \(capacity) reports, dropped ones included"
        case .another: return "the output share is of another task or aggregator: expected one of this batch's"
        case .tooFew(let count, let needed): return "the batch has \(count) reports: expected at least \(needed)"
        case .unfinished(let count):
            return "\(count) reports are under way: expected each to be accepted or rejected before"
        case .otherReports: return "the other aggregator's reports differ: expected the same reports in both batches"
        }
    }
}

/// The reports that one aggregator sums, of which it gives out one sum, once.
///
/// A batch is a value that the caller stores, encoded, with what it holds: **before** it confirms that a report was taken, and
/// before it sends the share that ``collect(agreed:noise:)`` gives. A batch that is stored and read again goes on where it
/// stood. What is stored is as secret as the aggregator's share.
///
/// Each report is ``begin(_:)``-ed before it is verified, and then accepted or rejected. Its nonce is spent from there on: a
/// second report with that nonce is refused, also one whose first one was dropped or is under way. After a crash
/// ``unfinished`` tells which were under way; they are verified again from their shares, with the same result.
///
/// Memory is bounded by the capacity: 16 bytes a report that was begun, until the batch is collected. Rejected reports count
/// as well, or else one could be tried again and again; who can send at all is for the caller to limit.
///
/// Privacy rests on one honest aggregator's batch: a sum is of at least `minimumReports`, each once, and of these there is one
/// sum, since a second one of nearly the same reports would show the difference. That reports are of as many people is for the
/// caller to see to, and noise (see ``AggregateShare/addNoise(_:)``) is what helps where it is not so.
public struct ReportBatch: Sendable {
    /// What can be done with a batch.
    public enum Stage: String, Sendable, Hashable, Codable {
        /// Takes reports.
        case open
        /// The sum is fixed, and can be sent again.
        case collected
        /// Nothing is left.
        case closed
    }

    /// The fewest reports of which a sum is given out.
    public let minimumReports: Int
    /// The most reports that can be begun.
    public let capacity: Int
    /// Where the batch stands.
    public private(set) var stage = Stage.open
    /// Reports whose shares are in the sum.
    public private(set) var count = 0

    private var share: AggregateShare?
    private var accepted = Set<ReportNonce>()
    private var rejected = Set<ReportNonce>()
    private var begun = Set<ReportNonce>()

    /// An empty batch of a task at an aggregator.
    ///
    /// - Parameters:
    ///   - minimumReports: 2 or more.
    ///   - capacity: From `minimumReports` to 2^24; with as many of the largest measurements a sum must stay below 2^61, so that
    ///     noise can be told from an overflow.
    /// - Throws: `parameter` for one out of range.
    public init<Measurement, Aggregate>(
        _ prio3: Prio3<Measurement, Aggregate>, aggregator: Int, minimumReports: Int, capacity: Int
    ) throws(ReportBatchError) {
        guard let share = try? prio3.aggregateInit(aggregator: aggregator) else {
            throw .parameter("aggregator", expected: "0 to \(prio3.shares - 1)")
        }
        self.share = share
        self.minimumReports = minimumReports
        self.capacity = capacity
        try Self.check(minimumReports: minimumReports, capacity: capacity)
        guard let largest = prio3.largestSum(capacity), largest <= 1 << 61 else {
            throw .parameter("capacity", expected: "so few reports that their sum is at most 2^61")
        }
    }

    private static func check(minimumReports: Int, capacity: Int) throws(ReportBatchError) {
        guard minimumReports >= 2 else { throw .parameter("minimumReports", expected: "2 or more") }
        guard capacity >= minimumReports, capacity <= 1 << 24 else {
            throw .parameter("capacity", expected: "\(minimumReports) to 2^24")
        }
    }

    /// The reports that were begun and neither accepted nor rejected, in order.
    public var unfinished: [ReportNonce] { begun.sorted() }

    /// Whether a report with that nonce was begun, until the batch is collected.
    public func isSpent(_ nonce: ReportNonce) -> Bool {
        begun.contains(nonce) || accepted.contains(nonce) || rejected.contains(nonce)
    }

    /// Whether a report with that nonce is in the sum, until the batch is collected.
    public func isAccepted(_ nonce: ReportNonce) -> Bool { accepted.contains(nonce) }

    /// 32 bytes that two aggregators have in common if they accepted the same reports.
    public var digest: [UInt8] {
        var sponge = TurboSHAKE128(domain: 3)
        for nonce in accepted.sorted() {
            sponge.absorb(nonce.bytes)
        }
        return sponge.squeeze(XofTurboShake128.seedSize)
    }

    /// Begins a report, before it is verified. Throws `notOpen`, `replayed`, `full`.
    public mutating func begin(_ nonce: ReportNonce) throws(ReportBatchError) {
        guard stage == .open else { throw .notOpen }
        guard !isSpent(nonce) else { throw .replayed(nonce) }
        guard begun.count + accepted.count + rejected.count < capacity else { throw .full(capacity: capacity) }
        begun.insert(nonce)
    }

    /// Takes a verified report into the sum. Throws `notOpen`, `another`, `notBegun`.
    public mutating func accept(_ output: OutputShare) throws(ReportBatchError) {
        guard stage == .open, var sum = share else { throw .notOpen }
        guard begun.contains(output.nonce) else { throw .notBegun(output.nonce) }
        share = nil
        defer { share = sum }
        do { try sum.update(output) } catch { throw .another }
        begun.remove(output.nonce)
        accepted.insert(output.nonce)
        count += 1
    }

    /// Drops a report that was begun. Throws `notOpen`, `notBegun`.
    public mutating func reject(_ nonce: ReportNonce) throws(ReportBatchError) {
        guard stage == .open else { throw .notOpen }
        guard begun.remove(nonce) != nil else { throw .notBegun(nonce) }
        rejected.insert(nonce)
    }

    /// Ends the batch and gives its sum, the only one that it ever gives.
    ///
    /// - Parameters:
    ///   - agreed: The other aggregator's ``digest``: with other reports on both sides, what both give is no sum.
    ///   - noise: All the noise that the release needs, an integer for each entry (``AggregateShare/addNoise(_:)``); nil for an
    ///     exact sum.
    /// - Throws: `notOpen`, `unfinished`, `tooFew`, `otherReports`, and `parameter` for noise of another length. The batch is as
    ///   it was then.
    public mutating func collect(agreed: [UInt8], noise: [Int64]?) throws(ReportBatchError) -> AggregateShare {
        guard stage == .open, var sum = share else { throw .notOpen }
        guard begun.isEmpty else { throw .unfinished(count: begun.count) }
        guard count >= minimumReports else { throw .tooFew(count: count, needed: minimumReports) }
        guard agreed == digest else { throw .otherReports }
        if let noise {
            do { try sum.addNoise(noise) } catch { throw .parameter("noise", expected: "\(sum.length) integers") }
        }
        share = sum
        stage = .collected
        (accepted, rejected) = ([], [])
        return sum
    }

    /// What ``collect(agreed:noise:)`` gave, the same noise included, to send it again; nil before that and after ``close()``.
    public var collected: AggregateShare? { stage == .collected ? share : nil }

    /// Forgets the sum. Throws `parameter` before it was collected.
    public mutating func close() throws(ReportBatchError) {
        guard stage != .open else { throw .parameter("stage", expected: "a batch that was collected") }
        stage = .closed
        share = nil
    }
}

extension ReportBatch: CustomStringConvertible, CustomReflectable {
    /// The stage and the number of reports.
    public var description: String { "ReportBatch(\(stage.rawValue), \(count) reports)" }
    /// Nothing: it holds a share.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension ReportBatch: Codable {
    private enum Key: String, CodingKey {
        case minimumReports, capacity, stage, count, share, accepted, rejected, begun
    }

    /// Throws for a state that no batch could be in.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        minimumReports = try fields.decode(Int.self, forKey: .minimumReports)
        capacity = try fields.decode(Int.self, forKey: .capacity)
        stage = try fields.decode(Stage.self, forKey: .stage)
        count = try fields.decode(Int.self, forKey: .count)
        share = try fields.decodeIfPresent(AggregateShare.self, forKey: .share)
        try Self.check(minimumReports: minimumReports, capacity: capacity)
        accepted = try Self.nonces(fields, .accepted)
        rejected = try Self.nonces(fields, .rejected)
        begun = try Self.nonces(fields, .begun)
        let all = accepted.union(rejected).union(begun).count
        guard all == accepted.count + rejected.count + begun.count, all <= capacity, count >= 0, count <= capacity,
            stage == .open ? count == accepted.count : all == 0 && count >= minimumReports,
            (share == nil) == (stage == .closed)
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .stage, in: fields, debugDescription: "expected a state that a batch can be in")
        }
    }

    private static func nonces(_ fields: KeyedDecodingContainer<Key>, _ key: Key) throws -> Set<ReportNonce> {
        let bytes = [UInt8](try fields.decode(Data.self, forKey: key))
        let count = bytes.count / ReportNonce.size
        let nonces = Set(
            try (0..<count).map { try ReportNonce(Array(bytes.part($0, length: ReportNonce.size))) })
        guard nonces.count * ReportNonce.size == bytes.count else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: fields, debugDescription: "expected different nonces of 16 bytes each")
        }
        return nonces
    }

    /// All of it. It is as secret as the aggregator's share.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(minimumReports, forKey: .minimumReports)
        try fields.encode(capacity, forKey: .capacity)
        try fields.encode(stage, forKey: .stage)
        try fields.encode(count, forKey: .count)
        try fields.encodeIfPresent(share, forKey: .share)
        try fields.encode(Data(accepted.sorted().flatMap(\.bytes)), forKey: .accepted)
        try fields.encode(Data(rejected.sorted().flatMap(\.bytes)), forKey: .rejected)
        try fields.encode(Data(begun.sorted().flatMap(\.bytes)), forKey: .begun)
    }
}
