internal import Crypto
public import Foundation

/// What devices count together, and how: data that devices, both aggregators and the collector have from their own copy of one file, and whose digest binds all that they say.
///
/// The roles are DAP's (draft-ietf-ppm-dap): a **client** splits its measurement into a **report**, which it uploads to the **leader**; the leader and the **helper** verify reports in
/// **aggregation jobs** and sum them in a **batch**; the **collector** adds up both sums, once. A task has one batch here, and a device one report in it.
public struct TallyPlan: Sendable, Hashable, Codable {
    /// What each device says of itself, and what is summed of it.
    public enum Measure: Sendable, Hashable, Codable {
        /// Yes or no: how many say yes.
        case count
        /// A whole number from 0 to a maximum: the sum.
        case sum(maximum: UInt64)
        /// One of several buckets: how many are in each.
        case histogram(buckets: TallyBuckets)
        /// Whole numbers from 0 to a maximum: the sums, entry by entry.
        case vector(length: Int, maximum: UInt64)
    }

    /// An aggregator: where it is, and by which keys it is known.
    public struct Aggregator: Sendable, Hashable, Codable {
        /// Where it is reached: a URL.
        public var url: String
        /// What it signs with, and what is encrypted for it with.
        public var identity: TallyIdentity

        /// An aggregator at a URL.
        public init(url: String, identity: TallyIdentity) { (self.url, self.identity) = (url, identity) }
    }

    /// A name for people.
    public var name: String
    /// What is counted.
    public var measure: Measure
    /// Of fewer reports no sum is given out.
    public var leastReports: Int
    /// So many reports, those that were dropped included, end the batch before its time.
    public var mostReports: Int
    /// How long reports are taken, in seconds from the leader's beginning.
    public var seconds: Double
    /// What each aggregator's noise promises.
    public var privacy: TallyPrivacy
    /// The aggregator to which devices send.
    public var leader: Aggregator
    /// The other one.
    public var helper: Aggregator
    /// Who reads the result.
    public var collector: TallyIdentity
    /// Who says which devices there are: 32 bytes; nil: any key is a device's.
    public var enroller: Data?

    /// A plan as it is said; ``check()`` says whether it is one.
    public init(
        name: String, measure: Measure, leastReports: Int, mostReports: Int, seconds: Double, privacy: TallyPrivacy,
        leader: Aggregator, helper: Aggregator, collector: TallyIdentity, enroller: Data? = nil
    ) {
        (self.name, self.measure, self.privacy) = (name, measure, privacy)
        (self.leastReports, self.mostReports, self.seconds) = (leastReports, mostReports, seconds)
        (self.leader, self.helper, self.collector, self.enroller) = (leader, helper, collector, enroller)
    }

    /// The most reports of a batch: an aggregator remembers about a hundred bytes of each.
    public static let largestBatch = 1 << 20
    /// The most bits of a measurement, so that a report is of some megabytes at most.
    public static let longestMeasurement = 1 << 16

    /// SHA-256 of all of it.
    public var digest: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A plan has no value that JSON has not: `check` refuses numbers that are none.
        return Data(SHA256.hash(data: Data("parley tally 1\n".utf8) + ((try? encoder.encode(self)) ?? Data())))
    }

    /// - Throws: `plan`: what is out of its bounds, and what would be right.
    public func check() throws(FederationError) {
        try measure.check()
        guard (2...Self.largestBatch).contains(leastReports), (leastReports...Self.largestBatch).contains(mostReports)
        else {
            throw .plan(
                "\(leastReports) to \(mostReports) reports",
                expected: "from 2 to \(Self.largestBatch), the least not above the most")
        }
        let (largest, overflow) = measure.largestEntry.multipliedReportingOverflow(by: UInt64(mostReports))
        guard !overflow, largest <= 1 << 61 else {
            throw .plan("the largest sum of \(mostReports) reports", expected: "at most 2^61")
        }
        guard seconds > 0, seconds <= 1e8 else {
            throw .plan("the time for which reports are taken", expected: "above 0, at most 1e8 seconds")
        }
        guard leader.identity != helper.identity else {
            throw .plan(
                "one key for both aggregators", expected: "two, of parties that do not work together against devices")
        }
        guard enroller?.count ?? 32 == 32 else { throw .plan("the enroller's key", expected: "32 bytes") }
        for party in [leader.identity, helper.identity, collector] {
            do { _ = try party.agreed(with: .init()) } catch {
                throw .plan("a party's key", expected: "one that can be encrypted for")
            }
        }
        _ = try noise()
    }
}

/// The buckets of a histogram.
public enum TallyBuckets: Sendable, Hashable, Codable {
    /// Words: a device says one of them.
    case words([String])
    /// Bounds, in growing order, between buckets: a number below the first is in bucket 0, one from the last on in the last bucket, which are one more than bounds.
    case bounds([Double])

    /// How many there are.
    public var count: Int {
        switch self {
        case .words(let words): words.count
        case .bounds(let bounds): bounds.count + 1
        }
    }

    func check() throws(FederationError) {
        switch self {
        case .words(let words):
            guard Set(words).count == words.count, words.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 200 }) else {
                throw .plan("the buckets' words", expected: "different ones, of 1 to 200 bytes each")
            }
        case .bounds(let bounds):
            guard bounds.allSatisfy(\.isFinite), zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 }) else {
                throw .plan("the buckets' bounds", expected: "numbers in growing order")
            }
        }
        guard (2...TallyPlan.longestMeasurement).contains(count) else {
            throw .plan("\(count) buckets", expected: "from 2 to \(TallyPlan.longestMeasurement)")
        }
    }
}

extension TallyPlan.Measure {
    /// How many numbers the result has.
    public var entries: Int {
        switch self {
        case .count, .sum: 1
        case .histogram(let buckets): buckets.count
        case .vector(let length, _): length
        }
    }

    /// The most that one report adds to an entry.
    var largestEntry: UInt64 {
        switch self {
        case .count, .histogram: 1
        case .sum(let maximum), .vector(_, let maximum): maximum
        }
    }

    func check() throws(FederationError) {
        switch self {
        case .count: return
        case .histogram(let buckets): try buckets.check()
        case .sum(let maximum), .vector(_, let maximum):
            guard (1...(1 << 40)).contains(maximum) else {
                throw .plan("a maximum of \(maximum)", expected: "from 1 to 2^40")
            }
            guard case .vector(let length, _) = self else { return }
            let most = TallyPlan.longestMeasurement / (UInt64.bitWidth - maximum.leadingZeroBitCount)
            guard (1...most).contains(length) else {
                throw .plan("a vector of \(length) numbers up to \(maximum)", expected: "from 1 to \(most) of them")
            }
        }
    }
}
