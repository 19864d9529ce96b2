internal import Crypto
public import DifferentialPrivacy
public import Foundation
internal import Secrets

/// Runs cycles among devices that come and go: each message has one reply, which says what to do now. No I/O and no clock of its own: the caller gives seconds that
/// do not go back, authenticates which device a message is from, and stores the coordinator durably before it sends a reply, where ``revision`` changed.
///
/// **What must be stored.** Either the coordinator as it is, or the messages that changed ``revision``, with their times, from which the same coordinator
/// follows. ``step(using:)`` draws noise, which does not follow from messages: behind it the coordinator itself is stored before anything else is answered, or two
/// noisy versions of one sum could get out.
///
/// **Lost messages, crashes.** A device that asks again is told the same; a report that came before is thanked for again, and counted once. Sums are of integers,
/// so that the model is that of the set of counted reports, to the bit, in whatever order they came.
///
/// **Memory** is one sum, and 40 bytes for each device that was admitted to this cycle or to those through which it rests. Turning a device away takes a constant
/// time and stores nothing.
///
/// **Threat model.** Devices may say anything: replayed, late, foreign or misshapen messages change nothing but their sender's place. Anybody with
/// many keys may take many places, and a report within the grid's range (and the norm, with noise) is taken as it is: with averages a few devices may spoil a model. With
/// ``DevicePlan/Aggregation-swift.enum/plain`` and ``DevicePlan/Aggregation-swift.enum/noisy(privacy:)`` the coordinator sees each update, and is trusted with
/// it. It picks who takes part, so that no privacy is amplified by sampling.
public struct DeviceCoordinator: Sendable, Codable {
    /// What is done.
    public let plan: DevicePlan
    /// 16 random bytes.
    public let run: Data
    /// What has been learned so far.
    public private(set) var model: RunModel
    /// What it does now.
    public private(set) var phase = Phase.collecting
    /// A number that changes with each message and each step that changes what must be stored.
    public private(set) var revision = 0
    /// What happened so far.
    public private(set) var counts = DeviceCounts()
    /// What became of cycles, the latest last: at most 256.
    public private(set) var outcomes: [CycleOutcome] = []
    private(set) var cycle: DeviceCycle
    private(set) var table = DeviceTable()
    private let secret: Data
    private var pace: DevicePace
    /// The latest time that was said.
    private var latest = 0.0

    /// What a coordinator does.
    public enum Phase: String, Sendable, Codable {
        /// It admits devices and takes reports.
        case collecting
        /// The cohort of the cycle aggregates: ``DeviceCoordinator/cohort(for:)``.
        case cohort
        /// The cycle has its reports: ``DeviceCoordinator/step(using:)`` is next.
        case closed
        /// Nothing: all cycles ended; or no more may be begun.
        case finished, aborted
    }

    /// A run at its beginning.
    ///
    /// - Parameters:
    ///   - run: 16 random bytes that no other run has.
    ///   - secret: 32 random bytes (`SecureRandom`), of which tickets and points in windows are made.
    ///   - weights: What the model begins as.
    /// - Throws: `plan`.
    public init(plan: DevicePlan, run: Data, secret: Data, weights: [Float]) throws(FederationError) {
        try plan.check()
        guard run.count == 16 else { throw .plan("the run's name", expected: "16 random bytes") }
        guard secret.count == 32 else { throw .plan("the coordinator's secret", expected: "32 random bytes") }
        guard weights.count == plan.parameterCount, weights.allSatisfy(\.isFinite) else {
            throw .plan("the weights", expected: "\(plan.parameterCount) finite numbers")
        }
        (self.plan, self.run, self.secret) = (plan, run, secret)
        do {
            model = RunModel(
                round: 0, weights: weights, server: try ServerState(plan.strategy, parameters: plan.parameterCount))
        } catch { throw .plan("the strategy", expected: "\(error)") }
        let words = Self.derived("parley device pace 1", from: secret, run).withUnsafeBytes { bytes in
            (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        pace = DevicePace(key0: words.0, key1: words.1)
        cycle = DeviceCycle(Self.header(plan, run: run, model: model, attempt: 0), length: Self.sumLength(plan))
    }

    /// Whether no more cycles are run.
    public var isOver: Bool { phase == .finished || phase == .aborted }

    /// Which cycle is run: how many were begun before it, void ones too.
    public var attempt: Int { cycle.header.attempt }

    /// When the phase ends at the latest; nil: nobody has come, or it does not end by time.
    public var deadline: Double? {
        switch phase {
        case .collecting: cycle.began.map { $0 + (plan.hasCohorts ? plan.admissionSeconds : plan.cycleSeconds) }
        case .cohort: cycle.began.map { $0 + plan.cycleSeconds }
        case .closed, .finished, .aborted: nil
        }
    }

    // MARK: messages

    /// Takes a message, and says what its sender does now.
    ///
    /// - Parameter device: Authenticated by the caller.
    public mutating func answer(_ message: DeviceMessage, from device: DeviceKey, at now: Double) -> DeviceReply {
        let now = passed(now)
        close(at: now)
        guard !isOver else { return .over(round: model.round, model: model.digest) }
        switch message {
        case .checkIn(let conditions): return checkIn(conditions, device, at: now)
        case .resume(let ticket, let holds): return resume(ticket, holds, device, at: now)
        case .report(let ticket, let integers): return report(ticket, integers, device, at: now)
        case .decline(let ticket): return decline(ticket, device, at: now)
        }
    }

    /// Ends what is over by now: for a caller whose devices are all silent.
    public mutating func tick(at now: Double) { close(at: passed(now)) }

    /// Gives the cycle the time that it had left: for a coordinator that begins again from its stored state, by a clock that may be another.
    public mutating func resume(at now: Double) {
        guard now.isFinite else { return }
        cycle.began = cycle.began.map { $0 + now - latest }
        pace.move(by: now - latest)
        latest = now
        revision += 1
    }

    private mutating func passed(_ now: Double) -> Double {
        if now.isFinite, now > latest { latest = now }
        return latest
    }

    private mutating func checkIn(
        _ conditions: DeviceConditions, _ device: DeviceKey, at now: Double
    ) -> DeviceReply {
        let isAtWork = table[device].map { $0.attempt == attempt && $0.standing == .open } ?? false
        // Whoever may not take part begins no cycle either: it would use one up.
        if !isAtWork, let unmet = plan.requirements.unmet(by: conditions) { return refuse(unmet, device, at: now) }
        if cycle.began == nil, phase == .collecting {
            cycle.began = now
            revision += 1
        }
        if let entry = table[device] {
            if entry.attempt == attempt, entry.standing == .open, phase != .closed { return accepted(device, at: now) }
            if attempt - Int(entry.attempt) <= plan.restCycles { return refuse(.resting, device, at: now) }
        }
        guard phase == .collecting, now < (cycle.began ?? now) + plan.admissionSeconds else {
            return refuse(.closed, device, at: now)
        }
        guard cycle.open + cycle.counted < plan.places, cycle.admitted < plan.mostWorkers else {
            return refuse(.full, device, at: now)
        }
        table.admit(device, to: attempt)
        (cycle.admitted, cycle.open, counts.accepted) = (cycle.admitted + 1, cycle.open + 1, counts.accepted + 1)
        revision += 1
        let reply = accepted(device, at: now)
        close(at: now)
        return reply
    }

    private func accepted(_ device: DeviceKey, at now: Double) -> DeviceReply {
        .accepted(ticket: ticket(device, attempt: attempt), header: cycle.header, seconds: secondsLeft(at: now))
    }

    /// What became of the place that a ticket of this cycle is for; nil where there is none to go on with, and what is said instead.
    private mutating func place(
        _ ticket: DeviceTicket, _ device: DeviceKey, at now: Double
    ) -> (standing: DeviceTable.Standing?, instead: DeviceReply) {
        guard let entry = table[device], ticket == self.ticket(device, attempt: Int(entry.attempt)) else {
            return (nil, refuse(.ticket, device, at: now))
        }
        switch entry.standing {
        case .counted: return (.counted, .thanks)
        case .spent: return (nil, refuse(.spent, device, at: now))
        case .open where Int(entry.attempt) == attempt && phase != .closed: return (.open, .thanks)
        case .open: return (nil, refuse(.late, device, at: now))
        }
    }

    private mutating func resume(
        _ ticket: DeviceTicket, _ holds: Data?, _ device: DeviceKey, at now: Double
    ) -> DeviceReply {
        let (standing, instead) = place(ticket, device, at: now)
        guard standing == .open else { return instead }
        guard plan.hasCohorts else {
            return holds == model.digest ? accepted(device, at: now) : .model(model: model)
        }
        if let cohort = cycle.cohort { return .cohort(cohort: cohort, seconds: secondsLeft(at: now)) }
        // Not all at once when admission ends.
        let spread = (plan.cycleSeconds - plan.admissionSeconds) / 24
        return .wait(seconds: max(0, (deadline ?? now) - now) + spread * pace.jitter(device, attempt: attempt))
    }

    private mutating func report(
        _ ticket: DeviceTicket, _ integers: Packed<Int64>, _ device: DeviceKey, at now: Double
    ) -> DeviceReply {
        let (standing, instead) = place(ticket, device, at: now)
        if standing == .counted { counts.refusals[.repeated, default: 0] += 1 }
        guard standing == .open else { return instead }
        guard !plan.hasCohorts else { return refuse(.way, device, at: now) }
        if let wrong = fault(of: integers) {
            // It has no second try in this cycle: what it sent is not what the plan has.
            leave(device, as: .spent)
            return refuse(wrong, device, at: now)
        }
        cycle.sum.add(integers)
        leave(device, as: .counted)
        (cycle.counted, counts.counted) = (cycle.counted + 1, counts.counted + 1)
        close(at: now)
        return .thanks
    }

    /// What is wrong with a report; nil: nothing.
    private func fault(of integers: Packed<Int64>) -> DeviceRefusal? {
        guard integers.count == plan.length else { return .length }
        guard let grid = plan.grid, integers.isWithin(Int64(1 << grid.bits)) else { return .range }
        guard case .noisy(let privacy) = plan.aggregation else { return nil }
        return integers.isWithin(squaredNorm: privacy.squaredBound(grid)) ? nil : .norm
    }

    private mutating func decline(_ ticket: DeviceTicket, _ device: DeviceKey, at now: Double) -> DeviceReply {
        let (standing, instead) = place(ticket, device, at: now)
        guard standing == .open else { return instead }
        // A cohort's devices have their places in it: who does not come is left out there.
        guard phase == .collecting else { return refuse(.late, device, at: now) }
        leave(device, as: .spent)
        counts.declined += 1
        return .rejected(seconds: seconds(for: .resting, device, at: now), reason: .spent)
    }

    private mutating func leave(_ device: DeviceKey, as standing: DeviceTable.Standing) {
        table.close(device, as: standing)
        cycle.open -= 1
        revision += 1
    }

    private mutating func refuse(_ reason: DeviceRefusal, _ device: DeviceKey, at now: Double) -> DeviceReply {
        counts.refusals[reason, default: 0] += 1
        return .rejected(seconds: seconds(for: reason, device, at: now), reason: reason)
    }

    // MARK: tickets and times

    /// A pseudorandom function of the secret: the same whenever it is asked for, and nothing to store.
    private func ticket(_ device: DeviceKey, attempt: Int) -> DeviceTicket {
        var message = device.bytes
        withUnsafeBytes(of: Int64(attempt).littleEndian) { message.append(contentsOf: $0) }
        return DeviceTicket(Self.derived("parley device ticket 1", from: secret, run + message))
    }

    private static func derived(_ label: String, from secret: Data, _ message: Data) -> [UInt8] {
        [UInt8](HMAC<SHA256>.authenticationCode(for: Data(label.utf8) + message, using: SymmetricKey(data: secret)))
    }

    private func secondsLeft(at now: Double) -> Double {
        max(0, (cycle.began ?? now) + plan.cycleSeconds - now)
    }

    /// After how many seconds a device that was refused comes again.
    private mutating func seconds(for reason: DeviceRefusal, _ device: DeviceKey, at now: Double) -> Double {
        let jitter = pace.jitter(device, attempt: attempt)
        switch reason {
        case .battery, .metered, .busy, .download, .upload: return plan.retry(plan.leastRetrySeconds * (1 + jitter))
        case .full, .closed:
            // Of a crowd before the first cycle has ended, the plan's time is what is known: all of them at once would be more than it bears.
            let base = phase == .closed ? 0 : outcomes.isEmpty ? secondsLeft(at: now) : expectedLeft(at: now)
            let length = outcomes.isEmpty ? plan.cycleSeconds : expectedLength(at: now)
            return pace.appointment(jitter, at: now, (base: base, length: length), plan: plan)
        case .resting, .ticket, .spent, .late, .length, .range, .norm, .repeated, .way:
            let cycles = table[device].map { Int($0.attempt) + plan.restCycles - attempt } ?? 0
            let base = phase == .closed ? 0 : expectedLeft(at: now)
            let seconds = base + expectedLength(at: now) * (Double(max(0, cycles)) + jitter)
            // Of those who rest long not all come at the latest time that they may be told.
            return seconds < plan.mostRetrySeconds ? plan.retry(seconds) : plan.mostRetrySeconds * (1 + jitter) / 2
        }
    }

    /// How long a cycle probably takes: as the last one did. Of the first nothing is known but that it goes on: as long again as it has.
    private func expectedLength(at now: Double) -> Double {
        if let last = outcomes.last?.seconds { return min(plan.cycleSeconds, max(last, plan.leastRetrySeconds)) }
        return min(plan.cycleSeconds, max(plan.leastRetrySeconds, now - (cycle.began ?? now)))
    }

    /// In how many seconds this cycle probably ends: one that takes longer than the last, as long again as it has taken; never behind its deadline.
    private func expectedLeft(at now: Double) -> Double {
        let (elapsed, last) = (now - (cycle.began ?? now), outcomes.last?.seconds ?? 0)
        return min(secondsLeft(at: now), elapsed < last ? last - elapsed : max(elapsed, plan.leastRetrySeconds))
    }

    // MARK: cycles

    private static func header(_ plan: DevicePlan, run: Data, model: RunModel, attempt: Int) -> RoundHeader {
        RoundHeader(
            run: run, plan: plan.digest, round: model.round, attempt: attempt, model: model.digest, asked: [])
    }

    private static func sumLength(_ plan: DevicePlan) -> Int { plan.hasCohorts ? 0 : plan.length }

    private mutating func close(at now: Double) {
        guard let deadline else { return }
        switch phase {
        case .collecting where plan.hasCohorts:
            guard now >= deadline || cycle.open == plan.places else { return }
            guard cycle.open >= plan.leastWorkers else { return end(.tooFewDevices) }
            let roster = table.atWork(in: attempt).map(\.bytes)
            cycle.cohort = DeviceCohort(
                run: DeviceCohort.run(cycle.header), cycle: attempt,
                plan: plan.cohortPlan(attempt, participants: roster.count), roster: roster)
            phase = .cohort
            revision += 1
        case .collecting:
            // At its maximum or its deadline, and at no other time: when it ends shows no number in between.
            guard now >= deadline || cycle.counted == plan.mostReports else { return }
            guard cycle.admitted >= plan.leastWorkers else { return end(.tooFewDevices) }
            guard cycle.counted >= plan.leastReports else { return end(.tooFewReports) }
            phase = .closed
            revision += 1
        case .cohort:
            if now >= deadline { end(.tooFewReports) }
        case .closed, .finished, .aborted: break
        }
    }

    /// Takes the step of a cycle that is closed, and begins the next; else it does nothing. **The coordinator is stored before anything else is answered.**
    ///
    /// - Parameter random: What noise is drawn from; without noise nothing is drawn.
    /// - Returns: Whether the model changed.
    @discardableResult
    public mutating func step(using random: inout SecureRandom) -> Bool { step(drawing: &random) }

    mutating func step(drawing random: inout some RandomNumberGenerator) -> Bool {
        guard phase == .closed, let grid = plan.grid else { return false }
        do {
            var mean = grid.mean(cycle.sum, weight: cycle.counted)
            if case .noisy(let privacy) = plan.aggregation {
                var values = cycle.sum.values
                try privacy.noise(grid).add(to: &values, using: &random)
                mean = grid.mean(Packed(values), weight: plan.leastReports)
            }
            model = try model.moved(by: mean, plan.strategy)
        } catch {
            end(.notFinite)
            return false
        }
        end(.stepped)
        return true
    }

    private mutating func end(_ end: CycleOutcome.End) {
        outcomes.append(
            CycleOutcome(
                attempt: attempt, end: end, admitted: cycle.admitted, counted: cycle.counted,
                seconds: latest - (cycle.began ?? latest)))
        if outcomes.count > 256 { outcomes.removeFirst() }
        revision += 1
        let next = attempt + 1
        // Of a cycle that is void its sum goes here, unseen.
        let header = Self.header(plan, run: run, model: model, attempt: next)
        let goesOn = model.round < plan.cycles && next < plan.attempts
        cycle = DeviceCycle(header, length: goesOn ? Self.sumLength(plan) : 0)
        guard goesOn else {
            phase = model.round == plan.cycles ? .finished : .aborted
            return
        }
        phase = .collecting
        table.forget(before: next - plan.rememberedCycles)
    }

    // MARK: cohorts

    /// Who aggregates in a cycle, when its admission has ended; nil: it has not, or the cycle is another.
    public func cohort(for attempt: Int) -> DeviceCohort? { attempt == self.attempt ? cycle.cohort : nil }

    /// The coordinator of the cohort's round, at its beginning. The caller stores it, and runs it among the devices.
    ///
    /// - Throws: `coordinator` where there is no cohort.
    public func cohortCoordinator() throws(FederationError) -> Coordinator {
        guard let cohort = cycle.cohort else {
            throw .coordinator(round: model.round, expected: "a cycle whose admission has ended")
        }
        return try Coordinator(plan: cohort.plan, roster: cohort.roster, run: cohort.run, weights: model.weights)
    }

    /// Takes the step of a cycle whose cohort opened its sum, and begins the next.
    ///
    /// - Parameter opened: What the cohort's round came to (`Coordinator.last`).
    /// - Throws: `coordinator` for what another round came to, one whose time is over, or fewer reports than the plan's least; nothing has changed then.
    public mutating func finish(_ opened: OpenedRound) throws(FederationError) {
        guard phase == .cohort, let cohort = cycle.cohort, opened.header.run == cohort.run,
            opened.header.plan == cohort.plan.digest, case .sum(let integers) = opened.result,
            integers.count == plan.length
        else { throw .coordinator(round: model.round, expected: "what the cohort of cycle \(attempt) came to") }
        guard opened.participants.count >= plan.leastReports,
            Set(opened.participants).count == opened.participants.count,
            opened.participants.allSatisfy(cohort.roster.indices.contains)
        else {
            throw .coordinator(
                round: model.round, expected: "a sum over at least \(plan.leastReports) of the cohort's devices")
        }
        cycle.counted = opened.participants.count
        counts.counted += cycle.counted
        for place in opened.participants {
            if let device = DeviceKey(cohort.roster[place]) { table.close(device, as: .counted) }
        }
        do {
            model = try model.moved(by: cohort.plan.mean(integers, weight: cycle.counted), plan.strategy)
        } catch { return end(.notFinite) }
        end(.stepped)
    }
}

extension DevicePlan {
    /// The entries of a report.
    var length: Int { strategy.vectorLength(parameters: parameterCount) }
}

extension DeviceCoordinator: CustomStringConvertible, CustomReflectable {
    /// Its cycle and phase alone: it holds updates and what tickets are made of.
    public var description: String { "DeviceCoordinator(cycle \(attempt), \(phase.rawValue))" }
    /// Its cycle alone.
    public var customMirror: Mirror { Mirror(self, children: ["cycle": attempt]) }
}
