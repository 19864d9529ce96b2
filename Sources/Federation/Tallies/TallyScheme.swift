internal import Foundation
internal import MultipartyComputation

/// What a device says, as an app or a person has it.
public enum TallyValue: Sendable, Hashable {
    /// For a count.
    case flag(Bool)
    /// For a sum, and for a histogram with bounds.
    case number(Double)
    /// For a histogram of words.
    case word(String)
    /// For a vector.
    case numbers([Double])
}

/// A measurement as Prio3 takes it.
enum TallyMeasurement: Sendable, Hashable {
    case flag(Bool)
    case number(UInt64)
    case bucket(Int)
    case vector([UInt64])
}

extension TallyPlan.Measure {
    /// The measurement that a value is: rounded, and the nearest bound where it is out of its bounds.
    ///
    /// - Throws: `plan`, without the value: it is of another kind, no number, or none of the words.
    func measurement(of value: TallyValue) throws(FederationError) -> TallyMeasurement {
        switch (self, value) {
        case (.count, .flag(let flag)): return .flag(flag)
        case (.sum(let maximum), .number(let number)): return .number(try Self.whole(number, maximum))
        case (.histogram(.bounds(let bounds)), .number(let number)):
            guard !number.isNaN else { throw Self.expected("a number") }
            return .bucket(bounds.count { number >= $0 })
        case (.histogram(.words(let words)), .word(let word)):
            guard let place = words.firstIndex(of: word) else { throw Self.expected("one of the plan's buckets") }
            return .bucket(place)
        case (.vector(let length, let maximum), .numbers(let numbers)):
            guard numbers.count == length else { throw Self.expected("\(length) numbers") }
            var whole: [UInt64] = []
            for number in numbers { whole.append(try Self.whole(number, maximum)) }
            return .vector(whole)
        case (.count, _): throw Self.expected("yes or no")
        case (.sum, _), (.histogram(.bounds), _): throw Self.expected("a number")
        case (.histogram(.words), _): throw Self.expected("one of the plan's buckets")
        case (.vector(let length, _), _): throw Self.expected("\(length) numbers")
        }
    }

    private static func whole(_ number: Double, _ maximum: UInt64) throws(FederationError) -> UInt64 {
        guard !number.isNaN else { throw expected("a number") }
        return UInt64(min(max(number.rounded(), 0), Double(maximum)))
    }

    private static func expected(_ what: String) -> FederationError {
        .plan("this device's value", expected: what)
    }
}

/// The plan's variant of Prio3, among two aggregators, in the context of the task.
enum TallyScheme: Sendable {
    case count(Prio3Count)
    case sum(Prio3Sum)
    case histogram(Prio3Histogram)
    case vector(Prio3SumVec)

    init(_ measure: TallyPlan.Measure, task: Data) throws(FederationError) {
        let context = Array("parley tally 1 ".utf8) + task
        do throws(Prio3Error) {
            switch measure {
            case .count: self = .count(try Prio3Count(context: context))
            case .sum(let maximum): self = .sum(try Prio3Sum(maximum: maximum, context: context))
            case .histogram(let buckets):
                self = .histogram(try Prio3Histogram(length: buckets.count, context: context))
            case .vector(let length, let maximum):
                self = .vector(try Prio3SumVec(length: length, maximum: maximum, context: context))
            }
        } catch { throw .plan("what is counted", expected: "\(error)") }
    }

    func shard(_ measurement: TallyMeasurement) throws(Prio3Error) -> Prio3Report {
        switch (self, measurement) {
        case (.count(let prio3), .flag(let flag)): return try prio3.shard(flag)
        case (.sum(let prio3), .number(let number)): return try prio3.shard(number)
        case (.histogram(let prio3), .bucket(let bucket)): return try prio3.shard(bucket)
        case (.vector(let prio3), .vector(let vector)): return try prio3.shard(vector)
        default: throw .measurement(expected: "one of the plan's kind")
        }
    }

    /// An aggregator's first step for a report.
    func begin(
        _ key: VerifyKey, _ role: TallyRole, _ nonce: ReportNonce, publicShare: [UInt8], inputShare: [UInt8]
    ) throws(Prio3Error) -> (state: VerifyState, verifierShare: [UInt8]) {
        func begin<M, A>(_ prio3: Prio3<M, A>) throws(Prio3Error) -> (state: VerifyState, verifierShare: [UInt8]) {
            try prio3.verifyInit(
                key, aggregator: role.rawValue, nonce: nonce, publicShare: publicShare, inputShare: inputShare)
        }
        switch self {
        case .count(let prio3): return try begin(prio3)
        case .sum(let prio3): return try begin(prio3)
        case .histogram(let prio3): return try begin(prio3)
        case .vector(let prio3): return try begin(prio3)
        }
    }

    func message(_ verifierShares: [[UInt8]]) throws(Prio3Error) -> [UInt8] {
        switch self {
        case .count(let prio3): try prio3.verifierSharesToMessage(verifierShares)
        case .sum(let prio3): try prio3.verifierSharesToMessage(verifierShares)
        case .histogram(let prio3): try prio3.verifierSharesToMessage(verifierShares)
        case .vector(let prio3): try prio3.verifierSharesToMessage(verifierShares)
        }
    }

    /// An aggregator's last step for a report.
    func end(_ state: VerifyState, _ message: [UInt8]) throws(Prio3Error) -> OutputShare {
        switch self {
        case .count(let prio3): try prio3.verifyNext(state, message)
        case .sum(let prio3): try prio3.verifyNext(state, message)
        case .histogram(let prio3): try prio3.verifyNext(state, message)
        case .vector(let prio3): try prio3.verifyNext(state, message)
        }
    }

    func batch(_ role: TallyRole, least: Int, most: Int) throws(ReportBatchError) -> ReportBatch {
        func batch<M, A>(_ prio3: Prio3<M, A>) throws(ReportBatchError) -> ReportBatch {
            try ReportBatch(prio3, aggregator: role.rawValue, minimumReports: least, capacity: most)
        }
        switch self {
        case .count(let prio3): return try batch(prio3)
        case .sum(let prio3): return try batch(prio3)
        case .histogram(let prio3): return try batch(prio3)
        case .vector(let prio3): return try batch(prio3)
        }
    }

    func sums(_ shares: [[UInt8]], count: Int, noiseBound: Int64) throws(Prio3Error) -> [Int64] {
        switch self {
        case .count(let prio3): [try prio3.unshard(shares, count: count, noiseBound: noiseBound)]
        case .sum(let prio3): [try prio3.unshard(shares, count: count, noiseBound: noiseBound)]
        case .histogram(let prio3): try prio3.unshard(shares, count: count, noiseBound: noiseBound)
        case .vector(let prio3): try prio3.unshard(shares, count: count, noiseBound: noiseBound)
        }
    }
}

/// Which of the two aggregators: its number in Prio3.
public enum TallyRole: Int, Sendable, Hashable, Codable, CaseIterable {
    /// To which devices send, and which asks the other one.
    case leader
    /// The other one.
    case helper

    var input: TallySealed.Purpose { self == .leader ? .leaderInput : .helperInput }
    var sum: TallySealed.Purpose { self == .leader ? .leaderSum : .helperSum }
}
