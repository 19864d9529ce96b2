internal import Crypto
public import Foundation
internal import MultipartyComputation

/// The leader of a task: its state, which follows from the reports that it took and from what the helper said. No network and no clock in it; what it holds is as secret as its share of the sum.
///
/// Whoever runs it keeps each change durably **before** what follows from it is said, and the whole state behind ``collect(_:by:)``, since the exact share is gone then.
public struct TallyLeaderState: Sendable, Codable {
    /// Where the batch stands.
    public enum Stage: Sendable, Hashable, Codable {
        /// Reports are taken.
        case open
        /// Reports are taken no more; those that are there are verified, and then summed.
        case closed
        /// Both sums are there, encrypted for the collector.
        case collected(leader: TallyAggregate, helper: TallyAggregate)
        /// There is no result, and will be none.
        case void(TallyRefusal)
    }

    /// A report that was not verified yet.
    public struct Pending: Sendable, Codable {
        var nonce: ReportNonce
        var publicShare: Data
        var inputShare: Data
        /// As it is sent on.
        var forHelper: Data
    }

    /// A report that was read: what takes time, and no state.
    public struct Checked: Sendable {
        let report: TallyReport
        let inputShare: [UInt8]?
    }

    /// Where the batch stands.
    public private(set) var stage = Stage.open
    /// Reports that wait for verification.
    private(set) var pending: [Pending] = []
    /// Reports that do not count.
    public private(set) var dropped = 0
    private var batch: ReportBatch
    private var roll = TallyRoll()
    private let seconds: Double
    private let most: Int

    /// A leader to which nobody has come.
    public init(_ task: TallyTask) throws(FederationError) {
        (seconds, most) = (task.plan.seconds, task.plan.mostReports)
        do throws(ReportBatchError) {
            batch = try task.scheme.batch(.leader, least: task.plan.leastReports, most: most)
        } catch { throw .plan("the reports", expected: "\(error)") }
    }

    /// How many reports it took.
    public var taken: Int { roll.count }
    /// How many were verified, and are in the sum.
    public var counted: Int { batch.count }

    /// Takes a report, or says why not. A device that asks again is told what it was told.
    ///
    /// - Parameter seconds: Since the task began; never less than before.
    public mutating func take(_ checked: Checked, at seconds: Double) -> TallyReply {
        if let known = reply(to: checked, at: seconds) { return known }
        let report = checked.report
        guard let share = checked.inputShare else { return .refused(.share) }
        do throws(ReportBatchError) { try batch.begin(report.nonce) } catch { return .refused(TallyRefusal(error)) }
        roll[report.device] = .init(nonce: report.nonce, refusal: nil)
        pending.append(
            Pending(
                nonce: report.nonce, publicShare: report.publicShare, inputShare: Data(share),
                forHelper: report.forHelper.bytes))
        if roll.count == most { stage = .closed }
        return .taken
    }

    /// What a report is told that changes nothing; nil: it would be taken.
    public func reply(to checked: Checked, at seconds: Double) -> TallyReply? {
        let report = checked.report
        if let known = roll[report.device] { return known.nonce == report.nonce ? .taken : .refused(.repeated) }
        guard isOpen(at: seconds) else { return .refused(.closed) }
        guard checked.inputShare != nil else { return .refused(.share) }
        return batch.isSpent(report.nonce) ? .refused(.nonce) : nil
    }

    /// Whether reports are taken.
    public func isOpen(at seconds: Double) -> Bool { stage == .open && seconds < self.seconds }

    /// How many reports wait for verification.
    public var waiting: Int { pending.count }

    /// Ends the batch, if its time is over.
    public mutating func close(at seconds: Double) {
        if stage == .open, seconds >= self.seconds { stage = .closed }
    }

    /// For how many seconds reports are still taken.
    func secondsLeft(at now: Double) -> Double { max(0, seconds - now) }

    /// What is to be done with the helper now; nil: nothing, as it is.
    public func next(most: Int) -> TallyStep? {
        if !pending.isEmpty { return .verify(Array(pending.prefix(most))) }
        return stage == .closed ? .collect(reports: Data(batch.digest)) : nil
    }

    /// Takes the first of the reports that wait into the sum, or drops them.
    ///
    /// - Parameters:
    ///   - outcomes: One each; nil: it is in the helper's sum.
    ///   - job: The job that had them; nil: what it knew is computed again.
    public mutating func conclude(
        _ outcomes: [TallyRefusal?], of job: TallyAggregation? = nil, by aggregator: TallyAggregator
    ) throws(FederationError) {
        guard outcomes.count <= pending.count,
            job.map({ $0.nonces == pending.prefix(outcomes.count).map(\.nonce) }) ?? true
        else { throw .plan("outcomes", expected: "those of reports that wait") }
        let states = job?.states ?? aggregator.aggregation(.verify(Array(pending.prefix(outcomes.count)))).states
        guard states.count == outcomes.count else { throw .plan("outcomes", expected: "one for each report") }
        for ((report, outcome), state) in zip(zip(pending, outcomes), states) {
            let output =
                outcome == nil ? state.flatMap { try? aggregator.task.scheme.end($0, $0.expectedMessage) } : nil
            do {
                if let output {
                    try batch.accept(output)
                } else {
                    try batch.reject(report.nonce)
                    dropped += 1
                }
            } catch { throw .plan("an outcome", expected: "one of a report that waits") }
        }
        pending.removeFirst(outcomes.count)
    }

    /// Ends the batch without a result, where the helper refuses, or too few reports are there.
    public mutating func void(_ refusal: TallyRefusal) {
        (stage, pending) = (.void(refusal), [])
    }

    /// Whether too few reports are there.
    public var isTooSmall: Bool { stage == .closed && pending.isEmpty && batch.count < batch.minimumReports }

    /// Ends the batch with the helper's sum: adds its own noise.
    ///
    /// - Throws: ``TallyRefusal``: the helper's is none, or of others. Nothing was given out then.
    public mutating func collect(_ helper: TallyAggregate, by aggregator: TallyAggregator) throws(TallyRefusal) {
        guard stage == .closed, pending.isEmpty, helper.role == .helper, helper.isSigned(aggregator.task),
            helper.count == batch.count
        else { throw .others }
        let own = try aggregator.collect(&batch, of: roll, agreed: helper.reports)
        stage = .collected(leader: own, helper: helper)
    }

    /// What a collector is told.
    public func reply(at seconds: Double) -> TallyReply {
        switch stage {
        case .open: .open(seconds: secondsLeft(at: seconds))
        case .closed: .working
        case .void(let refusal): .void(refusal)
        case .collected(let leader, let helper): .result(leader: leader, helper: helper)
        }
    }
}

extension TallyLeaderState: CustomStringConvertible, CustomReflectable {
    /// Numbers of reports.
    public var description: String { "TallyLeaderState(\(taken) taken, \(counted) counted)" }
    /// Nothing: it holds shares.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a leader is to do with its helper.
public enum TallyStep: Sendable {
    /// To verify the first of the reports that wait.
    case verify([TallyLeaderState.Pending])
    /// To end the batch.
    case collect(reports: Data)
}

/// A job for the helper, and what the leader needs once it is answered.
public struct TallyAggregation: Sendable {
    let job: TallyJob
    /// Of which of the leader's reports; none: it ends the batch.
    let nonces: [ReportNonce]
    /// Whether it ends the batch.
    public var isLast: Bool { if case .collect = job { true } else { false } }
    /// Of the first reports that wait, one each; nil: its shares are none, and it is dropped.
    let states: [VerifyState?]

    /// The outcome of each, from the helper's for those that it was asked about. Nil where these are not as many.
    public func outcomes(_ helpers: [TallyRefusal?]) -> [TallyRefusal?]? {
        guard helpers.count == states.count(where: { $0 != nil }) else { return nil }
        var rest = helpers[...]
        return states.map { $0 == nil ? .some(.proof) : rest.removeFirst() }
    }
}

/// Which devices have reported: each has one report in a task.
struct TallyRoll: Sendable {
    struct Entry: Sendable, Hashable {
        let nonce: ReportNonce
        /// nil: it was taken, or is in the sum.
        let refusal: TallyRefusal?
    }

    private var entries: [DeviceKey: Entry] = [:]

    init() {}

    var count: Int { entries.count }

    /// What tells a batch's reports from all other sets of them: SHA-256 of the devices and nonces that are in its sum, 48 bytes each, in the devices' order. A device that follows the protocol signs one report with a nonce, so
    /// that its report is bound too; that of another one is known to whoever made it.
    func digest(of batch: ReportBatch) -> Data {
        var hash = SHA256()
        for (device, entry) in entries.sorted(by: { $0.key < $1.key }) where batch.isAccepted(entry.nonce) {
            hash.update(data: device.bytes)
            hash.update(data: entry.nonce.bytes)
        }
        return Data(hash.finalize())
    }

    subscript(device: DeviceKey) -> Entry? {
        get { entries[device] }
        set { entries[device] = newValue }
    }
}

extension TallyRoll: Codable {
    /// 32 bytes of the device, 16 of the nonce, and one that says what came of it.
    private static let size = 49
    private static let refusals: [TallyRefusal?] = [nil, .share, .proof]

    /// Throws for bytes that are no roll.
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let bytes = try container.decode(Data.self)
        func damaged() -> DecodingError {
            .dataCorruptedError(in: container, debugDescription: "a roll: expected different devices of 49 bytes each")
        }
        guard bytes.count % Self.size == 0 else { throw damaged() }
        for start in stride(from: 0, to: bytes.count, by: Self.size) {
            let entry = bytes.dropFirst(start).prefix(Self.size)
            guard let device = DeviceKey(Data(entry.prefix(32))), let last = entry.last,
                Self.refusals.indices.contains(Int(last)), entries[device] == nil
            else { throw damaged() }
            entries[device] = Entry(
                nonce: try ReportNonce([UInt8](entry.dropFirst(32).prefix(16))), refusal: Self.refusals[Int(last)])
        }
    }

    func encode(to encoder: any Encoder) throws {
        var bytes = Data(capacity: Self.size * entries.count)
        for (device, entry) in entries {
            bytes += device.bytes
            bytes += entry.nonce.bytes
            bytes.append(UInt8(Self.refusals.firstIndex(of: entry.refusal) ?? 2))
        }
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
