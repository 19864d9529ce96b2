public import Crypto
public import Foundation

/// A device's part in a run: replies in, messages out, no I/O and no clock. It dials out: it sends ``next(_:)``, and gives ``take(_:rows:work:)`` what comes back.
///
/// **The caller stores ``state`` durably before it sends what ``next(_:)`` gives.** What was once made for a cycle is sent again as it is. The state holds the device's
/// update: it is kept as private as the rows.
///
/// **Privacy.** It tells nobody how it is (``DeviceRequirements/told(of:)``), how many rows it has, or why it declines: one message says that it does. Not hidden: how often a
/// device declines, and how soon; one that declines each time has a reason that lasts. It checks what the promise of a noisy plan rests on as far as it can: its own
/// norm, and that it makes no more reports, and none sooner after another, than the plan says.
public struct Device: Sendable {
    /// What its owner allowed.
    public let plan: DevicePlan
    /// The run's name.
    public let run: Data
    /// Its key.
    public private(set) var key: DeviceKey
    /// What must be durable.
    public private(set) var state: State
    private let planDigest: Data

    /// What a device has done so far.
    public struct State: Sendable, Codable {
        /// In how many cycles it made a report, or joined a cohort.
        public internal(set) var participations = 0
        /// How many reports it was thanked for.
        public internal(set) var thanked = 0
        /// Whether the run is over.
        public internal(set) var isOver = false
        /// How many entries of its updates lay beyond the plan's range, and were cut to it: for its owner alone.
        public internal(set) var cutEntries = 0
        /// The cohort that it is in; nil: none.
        public internal(set) var cohort: DeviceCohort?
        /// Which run and plan it is of.
        var run: Data
        var plan: Data
        /// The last cycle in which it took part.
        var last: Int?
        var ticket: DeviceTicket?
        var header: RoundHeader?
        var model: RunModel?
        /// What was made for the cycle of the header.
        var report: Packed<Int64>?
        var isDeclining = false
    }

    /// - Parameter state: Where to go on; nil: at the beginning.
    /// - Throws: `plan`.
    public init(plan: DevicePlan, run: Data, key: DeviceKey, state: State? = nil) throws(FederationError) {
        try plan.check()
        (self.plan, self.run, self.key, planDigest) = (plan, run, key, plan.digest)
        self.state = state ?? State(run: run, plan: planDigest)
        guard self.state.run == run, self.state.plan == planDigest else {
            throw .plan("the stored state", expected: "that of this run and this plan")
        }
    }

    /// Another device of the same run, at its beginning.
    func another(_ key: DeviceKey) -> Device {
        var device = self
        (device.key, device.state) = (key, State(run: run, plan: planDigest))
        return device
    }

    /// The same device, as its stored state says.
    func resumed(from state: State) -> Device {
        var device = self
        device.state = state
        return device
    }

    /// What to send now: the same until a reply came.
    ///
    /// - Parameter conditions: As the device is now.
    /// - Returns: nil where there is nothing to send: the run is over, a cohort is at work, or the device may not take part as it is.
    public func next(_ conditions: DeviceConditions) -> DeviceMessage? {
        guard !state.isOver, state.cohort == nil else { return nil }
        let told = plan.requirements.told(of: conditions)
        guard let ticket = state.ticket else { return told.map { .checkIn(conditions: $0) } }
        if state.isDeclining { return .decline(ticket: ticket) }
        if let report = state.report { return told.map { _ in .report(ticket: ticket, integers: report) } }
        return told == nil ? .decline(ticket: ticket) : .resume(ticket: ticket, holds: state.model?.digest)
    }

    /// Does what a reply says.
    ///
    /// - Parameters:
    ///   - rows: How many it has: below the plan's least it declines.
    ///   - work: What makes its update; nothing is carried from cycle to cycle.
    /// - Returns: How many seconds to wait before the next message.
    /// - Throws: `coordinator` for a reply that is not one of this run, which is not followed; an error of the work, behind which the device declines.
    public mutating func take(_ reply: DeviceReply, rows: Int, work: inout some LocalWork) throws -> Double {
        switch reply {
        case .accepted(let ticket, let header, _):
            try enter(ticket, header)
            if rows < plan.leastRows { state.isDeclining = true }
            try makeReport(work: &work)
            return 0
        case .model(let model):
            guard let header = state.header, model.digest == header.model,
                model.weights.count == plan.parameterCount,
                model.weights.allSatisfy(\.isFinite)
            else { throw wrong("the model that the cycle's header names, of \(plan.parameterCount) finite weights") }
            state.model = model
            try makeReport(work: &work)
            return 0
        case .wait(let seconds): return Self.bounded(seconds)
        case .cohort(let cohort, _):
            guard let header = state.header, cohort.isRight(for: key, plan: plan, header: header) else {
                throw wrong("the cohort of a cycle to which this device was admitted")
            }
            takesPart(in: header)
            state.cohort = cohort
            return 0
        case .rejected(let seconds, _):
            forget()
            return Self.bounded(seconds)
        case .thanks:
            if state.report != nil { state.thanked += 1 }
            forget()
            // When the next cycle begins, the coordinator says then, if it has not begun: few cycles take as long as they may. Not all ask at once.
            return plan.retry(plan.leastRetrySeconds * (1 + Double(key.words.first >> 11) * 0x1p-53))
        case .over:
            state.isOver = true
            forget()
            return 0
        }
    }

    /// The device's part in the round of its cohort; nil: it is in none.
    ///
    /// - Parameters:
    ///   - policy: The owner's.
    ///   - identity: Whose public key is the device's.
    /// - Throws: `plan`, `policy`.
    public func participant(
        _ policy: FederationPolicy, identity: Curve25519.Signing.PrivateKey
    ) throws(FederationError) -> Participant? {
        guard let cohort = state.cohort else { return nil }
        return try Participant(
            plan: cohort.plan, policy: policy, roster: cohort.roster, run: cohort.run, identity: identity)
    }

    /// Behind the round of its cohort, however that ended: it may check in again.
    public mutating func leaveCohort() { forget() }

    // MARK: cycles

    private func wrong(_ expected: String) -> FederationError {
        .coordinator(round: state.header?.round ?? 0, expected: expected)
    }

    private static func bounded(_ seconds: Double) -> Double {
        // What is no number waits as long as possible.
        seconds <= 1e7 ? max(0.01, seconds) : 1e7
    }

    private mutating func enter(_ ticket: DeviceTicket, _ header: RoundHeader) throws(FederationError) {
        guard header.run == run, header.plan == planDigest, (0..<plan.attempts).contains(header.attempt),
            (0..<plan.cycles).contains(header.round), header.round <= header.attempt
        else { throw wrong("a cycle of the run and the plan that this device's owner allowed") }
        if header.attempt == state.last {
            guard header == state.header else { throw wrong("the cycle as it was when this device took part in it") }
        } else if let last = state.last, header.attempt <= last + plan.restCycles {
            throw wrong("a cycle behind \(plan.restCycles) cycles of rest")
        }
        if header != state.header { forget() }
        (state.ticket, state.header) = (ticket, header)
    }

    /// Makes the report of the cycle, once, where its model is here.
    private mutating func makeReport(work: inout some LocalWork) throws {
        guard !plan.hasCohorts, !state.isDeclining, state.report == nil, let header = state.header,
            let model = state.model,
            model.digest == header.model
        else { return }
        do {
            let done = try work.update(of: model, in: header, carried: [])
            guard case .numbers(let values) = done.update, values.count == plan.length, let grid = plan.grid else {
                throw FederationError.work(
                    participant: 0, round: header.round, reason: "its work makes other updates than the plan has")
            }
            if case .noisy(let privacy) = plan.aggregation {
                state.report = Packed(try privacy.integers(values, grid))
            } else {
                let (integers, cut) = try grid.integers(values)
                state.cutEntries += cut
                state.report = Packed(integers)
            }
            takesPart(in: header)
        } catch {
            state.isDeclining = true
            throw error
        }
    }

    private mutating func takesPart(in header: RoundHeader) {
        guard state.last != header.attempt else { return }
        (state.last, state.participations) = (header.attempt, state.participations + 1)
    }

    private mutating func forget() {
        (state.ticket, state.header, state.report, state.cohort) = (nil, nil, nil, nil)
        state.isDeclining = false
    }
}

extension Device: CustomStringConvertible, CustomReflectable {
    /// The name alone: its state is private.
    public var description: String { "Device" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Device.State: CustomStringConvertible, CustomReflectable {
    /// How often it took part: updates and tickets are private.
    public var description: String { "Device.State(participations \(participations))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
