internal import DifferentialPrivacy
public import Foundation
internal import MultipartyComputation

/// What a tally came to, and what it promises.
public struct TallyResult: Sendable, Hashable, Codable {
    /// The noisy sums, in the order of the plan's entries: the noise of both aggregators is in each.
    public var sums: [Int64]
    /// How many reports are in them: exact, and public.
    public var reports: Int
    /// How far each sum is from the exact one at most, with a probability of 95 % each.
    public var halfWidth: Double
    /// Of the discrete Gaussian noise that each aggregator added.
    public var sigma: Double
    /// The epsilon that one honest aggregator's noise proves, at
    public var epsilon: Double
    /// this delta, for any other value in the place of a device's.
    public var delta: Double
}

/// Who reads the result of a task.
public struct TallyCollector: Sendable {
    /// What the leader says.
    public enum Answer: Sendable, Hashable {
        /// Reports are taken for so many seconds more at most.
        case open(seconds: Double)
        /// The batch is being summed.
        case working
        /// There is no result, and will be none.
        case void(TallyRefusal)
        /// Both sums, put together.
        case result(TallyResult)
    }

    private let task: TallyTask
    private let key: TallyKey

    /// - Throws: `plan`: the key is not the collector's.
    public init(_ task: TallyTask, key: TallyKey) throws(FederationError) {
        guard task.plan.collector == key.identity else {
            throw .plan("this key", expected: "the collector's of the plan")
        }
        (self.task, self.key) = (task, key)
    }

    /// What to send to the leader.
    public func question() throws -> Data { try TallyFrame.unsigned(TallyQuestion.result, task) }

    /// The longest reply that is read.
    public var largestReply: Int { (1 << 16) + 64 * task.plan.measure.entries }

    /// What a reply says.
    ///
    /// - Throws: `FrameError` for one that is none; `plan` where the sums do not go together.
    public func take(_ reply: Data) throws -> Answer {
        let reply = try TallyFrame.message(
            TallyReply.self, in: reply, .reply, task, to: try question(), by: task.plan.leader.identity)
        switch reply {
        case .open(let seconds): return .open(seconds: seconds)
        case .working: return .working
        case .void(let refusal): return .void(refusal)
        case .result(let leader, let helper): return .result(try result([leader, helper]))
        case .taken, .refused: throw FrameError.message
        }
    }

    private func result(_ aggregates: [TallyAggregate]) throws -> TallyResult {
        guard aggregates.map(\.role) == TallyRole.allCases, aggregates.allSatisfy({ $0.isSigned(task) }) else {
            throw FrameError.sender
        }
        guard aggregates[0].count == aggregates[1].count, aggregates[0].reports == aggregates[1].reports,
            (task.plan.leastReports...task.plan.mostReports).contains(aggregates[0].count)
        else {
            throw FederationError.plan("the aggregators' sums", expected: "those of the same reports")
        }
        let shares = aggregates.compactMap { $0.opened(task, key) }
        guard shares.count == 2 else {
            throw FederationError.plan("the aggregators' sums", expected: "both, encrypted for this key")
        }
        let plan = task.plan
        do {
            return TallyResult(
                sums: try task.scheme.sums(shares, count: aggregates[0].count, noiseBound: task.noiseBound()),
                reports: aggregates[0].count, halfWidth: try plan.halfWidth(), sigma: try plan.noise().sigma,
                epsilon: try plan.epsilon(), delta: plan.privacy.delta)
        } catch let error as Prio3Error { throw FederationError.plan("the aggregators' sums", expected: "\(error)") }
    }
}
