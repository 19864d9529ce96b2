public import Foundation
internal import MultipartyComputation

/// The helper of a task: its state, which follows from the jobs that the leader gave it. No network and no clock in it; what it holds is as secret as its share of the sum.
///
/// It trusts the leader with nothing: it reads each device's signature and the enroller's itself, takes one report of a device, and gives one noisy sum, of at least the plan's least number of reports, encrypted for the collector.
///
/// Whoever runs it keeps each change durably **before** it is answered, and the whole state behind ``collect(_:by:)``, since the exact share is gone then.
public struct TallyHelperState: Sendable, Codable {
    /// A report that was verified as far as it can be without the state.
    public struct Verified: Sendable {
        /// Of which device, and which report; nil: no enrolled device signed it.
        let device: DeviceKey?
        let nonce: ReportNonce
        /// nil: it is dropped.
        let output: OutputShare?
        /// Why, where it is.
        let refusal: TallyRefusal
    }

    /// Reports that do not count.
    public private(set) var dropped = 0
    /// What it gave out.
    private(set) var aggregate: TallyAggregate?
    private var batch: ReportBatch
    private var roll = TallyRoll()

    /// A helper that was asked nothing.
    public init(_ task: TallyTask) throws(FederationError) {
        do throws(ReportBatchError) {
            batch = try task.scheme.batch(.helper, least: task.plan.leastReports, most: task.plan.mostReports)
        } catch { throw .plan("the reports", expected: "\(error)") }
    }

    /// How many reports were verified, and are in the sum.
    public var counted: Int { batch.count }
    /// Whether it gave its sum.
    public var isCollected: Bool { aggregate != nil }

    /// Verifies the reports of a job: what takes time, and no state.
    static func verified(_ entries: [TallyJob.Entry], by aggregator: TallyAggregator) -> [Verified] {
        entries.map { entry in
            guard let report = try? aggregator.read(entry.report) else {
                return Verified(device: nil, nonce: ReportNonce(), output: nil, refusal: .signature)
            }
            let result = output(of: report, entry, by: aggregator)
            return Verified(
                device: report.device, nonce: report.nonce, output: result.output, refusal: result.refusal)
        }
    }

    private static func output(
        of report: TallyReport, _ entry: TallyJob.Entry, by aggregator: TallyAggregator
    ) -> (output: OutputShare?, refusal: TallyRefusal) {
        guard let share = aggregator.opened(report) else { return (nil, .share) }
        let scheme = aggregator.task.scheme
        guard let own = aggregator.begin(report.nonce, publicShare: report.publicShare, inputShare: share),
            let message = try? scheme.message([[UInt8](entry.verifierShare), own.verifierShare]),
            // A report that the leader would drop is dropped here as well: its client may have told each of both other joint randomness.
            message == [UInt8](entry.expected),
            let output = try? scheme.end(own.state, message)
        else { return (nil, .proof) }
        return (output, .proof)
    }

    /// Whether a job's reports would change anything: whether one of them is new.
    public func isNew(_ reports: [Verified]) -> Bool {
        reports.contains { report in report.device.map { roll[$0] == nil } ?? false }
    }

    /// Takes verified reports into the sum, or drops them. A report that comes again has the outcome that it had.
    ///
    /// - Returns: One outcome each; nil: it is in the sum.
    public mutating func take(_ reports: [Verified]) -> [TallyRefusal?] { reports.map { take($0) } }

    private mutating func take(_ report: Verified) -> TallyRefusal? {
        guard let device = report.device else { return .signature }
        if let known = roll[device] { return known.nonce == report.nonce ? known.refusal : .repeated }
        guard aggregate == nil else { return .closed }
        do throws(ReportBatchError) {
            try batch.begin(report.nonce)
            if let output = report.output {
                try batch.accept(output)
            } else {
                try batch.reject(report.nonce)
                dropped += 1
            }
        } catch { return TallyRefusal(error) }
        let refusal = report.output == nil ? report.refusal : nil
        roll[device] = .init(nonce: report.nonce, refusal: refusal)
        return refusal
    }

    /// Ends the batch and gives its sum: with noise that follows from its reports, and the same whenever it is asked again.
    ///
    /// - Throws: ``TallyRefusal``: fewer reports than the least, or others than the leader's. Nothing was given out then.
    public mutating func collect(
        _ reports: Data, by aggregator: TallyAggregator
    ) throws(TallyRefusal) -> TallyAggregate {
        if let aggregate {
            guard aggregate.reports == reports else { throw .others }
            return aggregate
        }
        let aggregate = try aggregator.collect(&batch, of: roll, agreed: reports)
        self.aggregate = aggregate
        return aggregate
    }
}

extension TallyHelperState: CustomStringConvertible, CustomReflectable {
    /// Numbers of reports.
    public var description: String { "TallyHelperState(\(counted) counted)" }
    /// Nothing: it holds a share.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
