internal import DifferentialPrivacy
public import Foundation
internal import MultipartyComputation

/// A plan, made ready: what all parties of it compute with.
public struct TallyTask: Sendable {
    /// What is counted, and among whom.
    public let plan: TallyPlan
    /// The plan's digest: the task's name.
    public let digest: Data
    let scheme: TallyScheme
    /// How long the parts of each report are: all measurements have the same.
    let sizes: ReportSizes

    struct ReportSizes: Sendable, Hashable {
        var (publicShare, leader, helper) = (0, 0, 0)
    }

    /// - Throws: `plan`: it is none.
    public init(_ plan: TallyPlan) throws(FederationError) {
        try plan.check()
        (self.plan, digest) = (plan, plan.digest)
        scheme = try TallyScheme(plan.measure, task: digest)
        let zero: TallyMeasurement =
            switch plan.measure {
            case .count: .flag(false)
            case .sum: .number(0)
            case .histogram: .bucket(0)
            case .vector(let length, _): .vector([UInt64](repeating: 0, count: length))
            }
        do throws(Prio3Error) {
            let made = try scheme.shard(zero)
            sizes = ReportSizes(
                publicShare: made.publicShare.count, leader: made.inputShares[0].count + TallySealed.overhead,
                helper: made.inputShares[1].count + TallySealed.overhead)
        } catch { throw .plan("what is counted", expected: "\(error)") }
    }

    /// How many bytes a report has, whatever it says.
    public var reportBytes: Int { 224 + sizes.publicShare + sizes.leader + sizes.helper }

    /// The most bytes of a report in a job: a verifier share is shorter than an input share.
    private var entryBytes: Int { 2 * (sizes.leader + 1_024) }

    /// How many reports are in a job at most.
    public var reportsOfJob: Int { min(64, max(1, (8 << 20) / entryBytes)) }

    /// The most bytes of a job.
    public var jobBytes: Int { (64 << 10) + reportsOfJob * entryBytes }

    /// The plan's aggregator of a role.
    func aggregator(_ role: TallyRole) -> TallyPlan.Aggregator { role == .leader ? plan.leader : plan.helper }

    /// The most by which both aggregators' noise moves an entry: a discrete Gaussian is subgaussian with its sigma (Canonne, Kamath and Steinke 2020, lemma 18), so that two of them exceed it with a probability of at most 2 e^-98.
    func noiseBound() throws(FederationError) -> Int64 {
        Int64((14 * 2.0.squareRoot() * (try plan.noise().sigma)).rounded(.up))
    }
}

/// What an aggregator does with a report without any state: all that takes time.
public struct TallyAggregator: Sendable {
    /// What is counted.
    public let task: TallyTask
    /// Which aggregator this is.
    public let role: TallyRole
    let key: TallyKey
    private let verifyKey: VerifyKey

    /// - Throws: `plan`: the key is not one of the plan's aggregators', or the plan is none.
    public init(_ task: TallyTask, key: TallyKey) throws(FederationError) {
        guard let role = TallyRole.allCases.first(where: { task.aggregator($0).identity == key.identity }) else {
            throw .plan("this key", expected: "the leader's or the helper's of the plan")
        }
        (self.task, self.role, self.key) = (task, role, key)
        let other: TallyRole = role == .leader ? .helper : .leader
        verifyKey = try key.verifyKey(with: task.aggregator(other).identity, task: task.digest)
    }

    /// A report, if it is one of this task that an enrolled device signed. What is encrypted in it is not looked at.
    ///
    /// - Throws: `frame`, `run`, `sender`.
    func read(_ frame: Data) throws(FrameError) -> TallyReport {
        let report = try TallyReport(reading: frame)
        guard report.task == task.digest else { throw .run }
        let (isLeaders, leaderSize) =
            switch report.leaderPart {
            case .sealed(let sealed): (true, sealed.bytes.count)
            case .digest: (false, task.sizes.leader)
            }
        let sizes = TallyTask.ReportSizes(
            publicShare: report.publicShare.count, leader: leaderSize, helper: report.helperPart.bytes.count)
        guard isLeaders == (role == .leader), sizes == task.sizes else {
            throw .frame(expected: "a report of the plan's measure, of \(task.reportBytes) bytes")
        }
        guard report.isSigned(enroller: task.plan.enroller) else { throw .sender }
        return report
    }

    /// This aggregator's input share of a report; nil where it was not encrypted for it in this report.
    func opened(_ report: TallyReport) -> [UInt8]? {
        let sealed: TallySealed
        switch (role, report.leaderPart) {
        case (.leader, .sealed(let part)): sealed = part
        case (.leader, .digest): return nil
        case (.helper, _): sealed = report.helperPart
        }
        return key.open(sealed, role.input, authenticating: report.bound).map { [UInt8]($0) }
    }

    /// The first step of verification; nil: the shares are none of this task, or cannot be verified without a risk. The report is dropped then.
    func begin(
        _ nonce: ReportNonce, publicShare: Data, inputShare: [UInt8]
    ) -> (state: VerifyState, verifierShare: [UInt8])? {
        try? task.scheme.begin(
            verifyKey, role, nonce, publicShare: [UInt8](publicShare), inputShare: inputShare)
    }

    /// A job for the helper: what takes time, and no state.
    public func aggregation(_ step: TallyStep) -> TallyAggregation {
        switch step {
        case .collect(let reports): return TallyAggregation(job: .collect(reports: reports), nonces: [], states: [])
        case .verify(let reports):
            let states = reports.map {
                begin($0.nonce, publicShare: $0.publicShare, inputShare: [UInt8]($0.inputShare))
            }
            let entries = zip(reports, states).compactMap { report, begun in
                begun.map { begun in
                    TallyJob.Entry(
                        report: report.forHelper, verifierShare: Data(begun.verifierShare),
                        expected: Data(begun.state.expectedMessage))
                }
            }
            return TallyAggregation(
                job: .aggregate(entries), nonces: reports.map(\.nonce), states: states.map { $0?.state })
        }
    }

    /// All of the plan's noise, as this aggregator draws it for a batch: the same for the same reports, whenever it is drawn.
    ///
    /// - Parameter reports: ``TallyRoll/digest(of:)``.
    func noise(for reports: Data) throws(FederationError) -> [Int64] {
        var noise = [Int64](repeating: 0, count: task.plan.measure.entries)
        var words = key.noise(role, task: task.digest, reports: reports)
        try task.plan.noise().add(to: &noise, using: &words)
        return noise
    }

    /// Of a batch that ends now: the sum with all of the plan's noise, encrypted for the collector, and signed. The batch has given its sum then, and holds it no more.
    func collect(
        _ batch: inout ReportBatch, of roll: TallyRoll, agreed digest: Data
    ) throws(TallyRefusal) -> TallyAggregate {
        let noise: [Int64]
        do { noise = try self.noise(for: roll.digest(of: batch)) } catch { throw .none }
        let count = batch.count
        let share: AggregateShare
        do throws(ReportBatchError) { share = try batch.collect(agreed: [UInt8](digest), noise: noise) } catch {
            throw TallyRefusal(error)
        }
        do {
            let aggregate = try TallyAggregate(
                Data(share.encoded), task: task, role: role, count: count, reports: digest, key: key)
            try batch.close()
            return aggregate
        } catch { throw .none }
    }
}

// MARK: - Frames

extension TallyAggregator {
    /// Whether a frame is a device's report, and not a message of another party.
    public static func isReport(_ frame: Data) -> Bool { !TallyFrame.isMessage(frame) }

    /// What a leader does with a device's frame before its state is looked at.
    ///
    /// - Throws: `frame`, `run`, `sender`.
    public func checked(_ frame: Data) throws(FrameError) -> TallyLeaderState.Checked {
        let report = try read(frame)
        return TallyLeaderState.Checked(report: report, inputShare: opened(report))
    }

    /// Reads the collector's question to the leader.
    ///
    /// - Throws: `frame`, `run`, `message`.
    public func readQuestion(_ frame: Data) throws(FrameError) {
        // Anybody may ask: what it is answered opens for the collector alone.
        _ = try TallyFrame.message(TallyQuestion.self, in: frame, .reply, task, by: nil)
    }

    /// The leader's reply, as a frame.
    public func frame(_ reply: TallyReply, to question: Data) throws -> Data {
        try TallyFrame.signed(reply, .reply, task, to: question, by: key)
    }

    /// The leader's job for the helper, as a frame.
    public func frame(_ aggregation: TallyAggregation) throws -> Data {
        try TallyFrame.signed(aggregation.job, .job, task, by: key)
    }

    /// What the helper replied to a job's frame.
    ///
    /// - Throws: `frame`, `run`, `sender`, `message`.
    public func reply(_ frame: Data, to job: Data) throws(FrameError) -> TallyJobReply {
        try TallyFrame.message(
            TallyJobReply.self, in: frame, .jobReply, task, to: job, by: task.plan.helper.identity)
    }

    /// A job, as the helper reads it.
    public enum Job: Sendable {
        /// Reports, verified as far as they can be without the helper's state.
        case reports([TallyHelperState.Verified])
        /// To end the batch, if it is of these reports.
        case collect(reports: Data)
    }

    /// Reads the leader's job, and verifies its reports.
    ///
    /// - Throws: `frame`, `run`, `sender`, `message`.
    public func job(_ frame: Data) throws(FrameError) -> Job {
        let job = try TallyFrame.message(TallyJob.self, in: frame, .job, task, by: task.plan.leader.identity)
        switch job {
        case .aggregate(let entries): return .reports(TallyHelperState.verified(entries, by: self))
        case .collect(let reports): return .collect(reports: reports)
        }
    }

    /// The helper's reply, as a frame.
    public func frame(_ reply: TallyJobReply, to job: Data) throws -> Data {
        try TallyFrame.signed(reply, .jobReply, task, to: job, by: key)
    }
}
