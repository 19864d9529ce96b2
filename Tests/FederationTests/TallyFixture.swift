import Crypto
import Foundation
import MultipartyComputation
import Secrets
import Testing

@testable import Federation

/// A leader, a helper and a collector of one task, without a network, and devices that an enroller signed.
struct TallyFixture {
    /// Fixed ones: what noise follows from them is the same in each run.
    static let (leaderKey, helperKey, collectorKey) = (fixed(1), fixed(2), fixed(3))
    static let enrollerKey = fixed(4).signing

    private static func fixed(_ byte: UInt8) -> TallyKey {
        TallyKey(Data(repeating: byte, count: 64)) ?? { preconditionFailure("Any 64 bytes are two keys.") }()
    }

    /// Of reports that are all in the sum, what noise is drawn by.
    static func digest(of frames: [Data]) throws -> Data {
        let reports = try frames.map { try TallyReport(reading: $0) }.sorted { $0.device < $1.device }
        return Data(SHA256.hash(data: reports.reduce(into: Data()) { $0 += $1.device.bytes + Data($1.nonce.bytes) }))
    }

    let task: TallyTask
    let leading: TallyAggregator
    let helping: TallyAggregator
    let collector: TallyCollector
    var leader: TallyLeaderState
    var helper: TallyHelperState

    /// - Parameter privacy: So much that no noise is drawn that is not zero, unless another is given.
    static func plan(
        _ measure: TallyPlan.Measure, least: Int = 2, most: Int = 100,
        privacy: TallyPrivacy = TallyPrivacy(.rho(1e6))
    ) -> TallyPlan {
        TallyPlan(
            name: "tested", measure: measure, leastReports: least, mostReports: most, seconds: 100, privacy: privacy,
            leader: .init(url: "https://leader.example.org", identity: leaderKey.identity),
            helper: .init(url: "https://helper.example.org", identity: helperKey.identity),
            collector: collectorKey.identity, enroller: enrollerKey.publicKey.rawRepresentation)
    }

    init(_ plan: TallyPlan) throws {
        task = try TallyTask(plan)
        leading = try TallyAggregator(task, key: Self.leaderKey)
        helping = try TallyAggregator(task, key: Self.helperKey)
        collector = try TallyCollector(task, key: Self.collectorKey)
        (leader, helper) = (try TallyLeaderState(task), try TallyHelperState(task))
    }

    static func certificate(_ key: Curve25519.Signing.PrivateKey) throws -> Data {
        try SignedDeviceMessage.certificate(
            for: #require(DeviceKey(key.publicKey.rawRepresentation)), by: enrollerKey)
    }

    /// A device that was enrolled.
    func device(_ key: Curve25519.Signing.PrivateKey = .init()) throws -> TallyDevice {
        try TallyDevice(plan: task.plan, key: key, certificate: Self.certificate(key))
    }

    func frame(_ value: TallyValue, _ key: Curve25519.Signing.PrivateKey = .init()) throws -> Data {
        var device = try device(key)
        return try device.report(value)
    }

    /// A report of shares that may be any.
    func frame(_ made: Prio3Report, _ key: Curve25519.Signing.PrivateKey = .init()) throws -> Data {
        try TallyReport(made, task, key: key, certificate: Self.certificate(key)).bytes
    }

    mutating func upload(_ frame: Data, at seconds: Double = 0) throws -> TallyReply {
        leader.take(try leading.checked(frame), at: seconds)
    }

    /// Asks the helper what there is to ask, once.
    ///
    /// - Returns: Whether there was anything.
    @discardableResult
    mutating func exchange() throws -> Bool {
        guard let step = leader.next(most: 7) else { return false }
        let aggregation = leading.aggregation(step)
        let job = try leading.frame(aggregation)
        let reply = try leading.reply(try answer(job), to: job)
        switch reply {
        case .outcomes(let helpers):
            try leader.conclude(#require(aggregation.outcomes(helpers)), of: aggregation, by: leading)
        case .aggregate(let aggregate): try leader.collect(aggregate, by: leading)
        case .refused(let refusal): leader.void(refusal)
        }
        return true
    }

    /// What the helper says to a job.
    mutating func answer(_ job: Data) throws -> Data {
        let reply: TallyJobReply
        switch try helping.job(job) {
        case .reports(let reports): reply = .outcomes(helper.take(reports))
        case .collect(let reports):
            do throws(TallyRefusal) {
                reply = .aggregate(try helper.collect(reports, by: helping))
            } catch { reply = .refused(error) }
        }
        return try helping.frame(reply, to: job)
    }

    /// Ends the batch, and reads its result.
    mutating func finish() throws -> TallyCollector.Answer {
        leader.close(at: task.plan.seconds)
        while leader.stage == .closed {
            if leader.isTooSmall { leader.void(.few) } else { try exchange() }
        }
        let question = try collector.question()
        try leading.readQuestion(question)
        return try collector.take(try leading.frame(leader.reply(at: 0), to: question))
    }

    mutating func result() throws -> TallyResult {
        guard case .result(let result) = try finish() else { throw TallyRefusal.none }
        return result
    }
}
