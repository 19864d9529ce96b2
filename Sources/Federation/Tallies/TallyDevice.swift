public import Crypto
public import Foundation

/// A device that reports once in a task: what it sends to the leader, and what it does with what comes back. No network in it; it runs on Linux, macOS and iOS.
///
/// The plan must be the device's own copy, shipped with the app say: whoever else could name the helper could name a friend of the leader.
public struct TallyDevice: Sendable {
    /// What a device keeps.
    public struct State: Sendable, Hashable, Codable {
        /// What it sends, from the first value that it was asked for; the same whenever it is sent again, but for the enroller's signature.
        public fileprivate(set) var report: Data?
        /// Whether the leader said that the report is taken.
        public fileprivate(set) var isTaken = false

        /// Of a device that said nothing yet.
        public init() {}
    }

    /// What the device must keep, durably, before it sends its report.
    public private(set) var state: State
    private let task: TallyTask
    private let key: Curve25519.Signing.PrivateKey
    private let certificate: Data?

    /// - Parameters:
    ///   - key: What the device is known by.
    ///   - certificate: The enroller's signature on it; nil: none.
    ///   - state: What was kept.
    /// - Throws: `plan`: it is none.
    public init(
        plan: TallyPlan, key: Curve25519.Signing.PrivateKey, certificate: Data? = nil, state: State = State()
    ) throws(FederationError) {
        task = try TallyTask(plan)
        (self.key, self.certificate, self.state) = (key, certificate, state)
    }

    /// The report to send, for the first value that is given; another value changes nothing afterwards.
    ///
    /// - Throws: `plan`: the value is none of the plan's kind.
    public mutating func report(_ value: TallyValue) throws(FederationError) -> Data {
        if let report = state.report {
            // What was said stays. That its device was not enrolled then, or by another certificate, need not.
            guard let certificate, certificate.count == 64, !state.isTaken,
                let known = try? TallyReport(reading: report)
            else { return report }
            let enrolled = known.enrolled(by: certificate).bytes
            state.report = enrolled
            return enrolled
        }
        let measurement = try task.plan.measure.measurement(of: value)
        let report = try TallyReport(measurement, task, key: key, certificate: certificate).bytes
        state.report = report
        return report
    }

    /// The longest reply that is read.
    public static let largestReply = 1 << 16

    /// Takes the leader's reply.
    ///
    /// - Returns: nil: the report is taken; or why it is not.
    /// - Throws: What is wrong with the reply.
    public mutating func take(_ reply: Data) throws(FrameError) -> TallyRefusal? {
        guard let report = state.report else { throw .message }
        let reply = try TallyFrame.message(
            TallyReply.self, in: reply, .reply, task, to: report, by: task.plan.leader.identity)
        switch reply {
        case .taken:
            state.isTaken = true
            return nil
        case .refused(let refusal): return refusal
        case .open, .working, .void, .result: throw .message
        }
    }
}
