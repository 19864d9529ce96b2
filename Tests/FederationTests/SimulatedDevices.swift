import Foundation
import Secrets
import Testing

@testable import Federation

/// Many devices and their coordinator in simulated time, seeded: who is there by the time of the day, who is slow, lost, killed or lies.
struct SimulatedDevices {
    struct World {
        /// Of a message, one way, in seconds.
        var latency: ClosedRange<Double> = 0.05...2
        /// Of a device's work: each device's own.
        var work: ClosedRange<Double> = 5...400
        /// For which part of a day a device may take part; from an hour of its own on.
        var hours: ClosedRange<Double> = 0.15...0.5
        /// With which probabilities a message or its reply is lost, a device is killed or goes away for hours, and the coordinator is killed.
        var (loss, deviceCrash, dropOut, coordinatorCrash) = (0.0, 0.0, 0.0, 0.0)
        /// Whether a crash loses what was not yet stored; else it is one of a reader and a writer of stored bytes alone.
        var crashLoses = true
        /// Every how many devices one lies; 0: none.
        var liars = 0
    }

    /// What was counted, as seen from outside: each step must be the sum of it.
    private(set) var reports: [Int: [Int: Packed<Int64>]] = [:]
    /// To which cycles each device was admitted.
    private(set) var admitted: [Int: [Int]] = [:]
    private(set) var coordinator: DeviceCoordinator
    private(set) var devices: [Device]
    private(set) var (messages, killed, lies, lost) = (0, 0, 0, 0)
    /// Sums that were checked.
    private(set) var steps = 0
    /// The most devices that the coordinator remembered, and the most bytes of its state.
    private(set) var (mostRemembered, mostBytes) = (0, 0)
    private(set) var now = 0.0
    private let world: World
    private var random: SeededGenerator
    /// Who is killed follows from draws of its own, so that all else is the same with it and without.
    private var crashes: SeededGenerator
    private var noise = SecureRandom()
    private var queue = EventQueue()
    private let offset: [Double]
    private let hours: [Double]
    private let seconds: [Double]
    private var tickets: [DeviceTicket] = []
    private var sent: [Int: DeviceMessage] = [:]
    private var coordinatorIsBack = 0.0

    init(_ plan: DevicePlan, devices count: Int, world: World = World(), seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        coordinator = try DeviceRuns.coordinator(plan)
        devices = []
        let first = try Device(plan: plan, run: DeviceRuns.run, key: DeviceRuns.key(0))
        for number in 0..<count {
            // The plan's check and digest are the same for all.
            devices.append(first.another(DeviceRuns.key(number)))
        }
        offset = (0..<count).map { _ in Self.uniform(0...1, &random) }
        hours = (0..<count).map { _ in Self.uniform(world.hours, &random) }
        seconds = (0..<count).map { _ in Self.uniform(world.work, &random) }
        (self.world, self.random, crashes) = (world, random, SeededGenerator(seed: ~seed))
        for device in 0..<count { queue.add(device, at: Self.uniform(0...600, &self.random)) }
    }

    private static func uniform(_ range: ClosedRange<Double>, _ random: inout SeededGenerator) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double(random.next() >> 11) * 0x1p-53
    }

    private mutating func happens(_ probability: Double) -> Bool {
        probability > 0 && Self.uniform(0...1, &random) < probability
    }

    private mutating func isKilled(_ probability: Double) -> Bool {
        probability > 0 && Self.uniform(0...1, &crashes) < probability
    }

    private func isLiar(_ device: Int) -> Bool { world.liars > 0 && device % world.liars == 0 }

    private func isThere(_ device: Int) -> Bool {
        (now / 86_400 + offset[device]).truncatingRemainder(dividingBy: 1) < hours[device]
    }

    private func conditions(_ device: Int) -> DeviceConditions {
        let isThere = isThere(device)
        return DeviceConditions(
            battery: isThere ? 0.9 : 0.4, isCharging: false, isUnmetered: isThere, isIdle: isThere, download: 1e7,
            upload: 1e6)
    }

    /// Until the run is over, or the time is.
    mutating func run(until end: Double) throws {
        while !coordinator.isOver, let (device, time) = queue.first, time <= end {
            queue.removeFirst()
            now = max(now, time)
            try turn(device)
        }
    }

    private mutating func turn(_ device: Int) throws {
        if happens(world.dropOut) { return queue.add(device, at: now + 20_000) }
        guard var message = devices[device].next(conditions(device)) else {
            return queue.add(device, at: now + 1_200 + 60 * offset[device])
        }
        if isLiar(device) { message = try lie(message, device) }
        let there = Self.uniform(world.latency, &random)
        let back = Self.uniform(world.latency, &random)
        guard !happens(world.loss), let reply = try answer(message, from: device, at: now + there),
            !happens(world.loss)
        else {
            lost += 1
            return queue.add(device, at: now + 30)
        }
        var next = devices[device]
        var work = Halfway(target: DeviceRuns.target(device))
        let hadReport = next.state.report != nil
        // One device in 97 has too few rows.
        var wait = 30.0
        do { wait = try next.take(reply, rows: device % 97 == 5 ? 1 : 100, work: &work) } catch {
            // A liar that lost its report to a lie is told of a cycle in which it made one.
            guard isLiar(device) else { throw error }
        }
        if !hadReport, next.state.report != nil { wait += seconds[device] }
        if isKilled(world.deviceCrash) {
            killed += 1
            let isStored = !world.crashLoses || isKilled(0.5)
            devices[device] = next.resumed(
                from: try DeviceRuns.stored((isStored ? next : devices[device]).state))
            wait += world.crashLoses ? Self.uniform(1...60, &crashes) : 0
        } else {
            devices[device] = next
        }
        queue.add(device, at: now + there + back + wait)
    }

    /// What a liar says instead: by its number a replay, a foreign or invented ticket, an absurd length, or entries beyond all bounds.
    private mutating func lie(_ message: DeviceMessage, _ device: Int) throws -> DeviceMessage {
        guard happens(0.7) else {
            if case .report = message { sent[device] = message }
            return message
        }
        lies += 1
        let zeros = Packed([Int64](repeating: 0, count: DeviceRuns.length))
        switch (device / world.liars % 6, message) {
        case (0, _):
            return sent[device] ?? message
        case (1, .report(_, let integers)):
            let foreign = tickets.isEmpty ? 0 : Int(random.next() % UInt64(tickets.count))
            return tickets.isEmpty ? message : .report(ticket: tickets[foreign], integers: integers)
        case (2, .report(let ticket, _)):
            return .report(ticket: ticket, integers: Packed([Int64](repeating: 1, count: Int(random.next() % 5_000))))
        case (3, .report(let ticket, _)):
            // Beyond the range; or at its end in all entries, which is beyond all norms.
            let largest = Int64(1 << (coordinator.plan.grid?.bits ?? 0))
            let isInRange = random.next() % 2 == 0
            return .report(
                ticket: ticket,
                integers: Packed(
                    isInRange ? [largest, -largest, largest, -largest] : [.max, .min, 1 << 31, -(1 << 40)]))
        case (4, _):
            return .report(ticket: DeviceTicket((0..<32).map { _ in UInt8(random.next() >> 56) }), integers: zeros)
        case (5, .report(let ticket, _)):
            // A first report, and then what it would have said.
            _ = try answer(.report(ticket: ticket, integers: zeros), from: device, at: now)
            return message
        default:
            return message
        }
    }

    private mutating func answer(_ message: DeviceMessage, from device: Int, at time: Double) throws -> DeviceReply? {
        guard time >= coordinatorIsBack else { return nil }
        messages += 1
        if isKilled(world.coordinatorCrash) {
            killed += 1
            if world.crashLoses {
                coordinatorIsBack = time + 20
                // Before it was stored nothing has happened, and nobody hears of it.
                if isKilled(0.5) { try take(message, from: device, at: time) }
                coordinator = try DeviceRuns.stored(coordinator)
                coordinator.resume(at: coordinatorIsBack)
                return nil
            }
            let reply = try take(message, from: device, at: time)
            coordinator = try DeviceRuns.stored(coordinator)
            return reply
        }
        return try take(message, from: device, at: time)
    }

    /// The coordinator's answer, and what it changed.
    @discardableResult
    private mutating func take(_ message: DeviceMessage, from device: Int, at time: Double) throws -> DeviceReply {
        let before = (coordinator.attempt, coordinator.cycle.counted, coordinator.counts, coordinator.revision)
        let reply = coordinator.answer(message, from: DeviceRuns.key(device), at: time)
        let counts = coordinator.counts
        if counts.counted != before.2.counted {
            guard case .report(_, let integers) = message else { throw Wrong.countedWithoutReport }
            #expect(reply == .thanks && counts.counted == before.2.counted + 1)
            let old = reports[coordinator.attempt, default: [:]].updateValue(integers, forKey: device)
            #expect(old == nil, "device \(device) is counted twice in cycle \(coordinator.attempt)")
        }
        if counts.accepted != before.2.accepted {
            guard case .accepted(let ticket, let header, _) = reply else { throw Wrong.admittedWithoutTicket }
            admitted[device, default: []].append(header.attempt)
            if tickets.count < 10_000 { tickets.append(ticket) }
        }
        if case .rejected = reply, coordinator.revision == before.3 {
            #expect(coordinator.attempt == before.0 && coordinator.cycle.counted == before.1)
        }
        let cycle = coordinator.cycle
        #expect(cycle.open + cycle.counted <= coordinator.plan.places && cycle.admitted <= coordinator.plan.mostWorkers)
        mostRemembered = max(mostRemembered, coordinator.table.count)
        if messages % 1_009 == 0 { mostBytes = max(mostBytes, try JSONEncoder().encode(coordinator).count) }
        if coordinator.phase == .closed { try step() }
        return reply
    }

    enum Wrong: Error { case countedWithoutReport, admittedWithoutTicket, noGrid }

    /// The step, beside one sum of all that was counted.
    private mutating func step() throws {
        let (model, attempt, plan) = (coordinator.model, coordinator.attempt, coordinator.plan)
        let counted = reports[attempt, default: [:]]
        guard let grid = plan.grid else { throw Wrong.noGrid }
        #expect((plan.leastReports...plan.mostReports).contains(counted.count))
        var sum = [Int64](repeating: 0, count: plan.length)
        for (_, report) in counted.sorted(by: { $0.key > $1.key }) {
            for (index, value) in report.values.enumerated() { sum[index] += value }
        }
        #expect(coordinator.step(using: &noise) == true)
        var (weights, server) = (model.weights, model.server)
        var weight = counted.count
        if case .noisy(let privacy) = plan.aggregation {
            weight = plan.leastReports
            for (_, report) in counted { #expect(report.isWithin(squaredNorm: privacy.squaredBound(grid))) }
        }
        try server.apply(
            mean: grid.mean(Packed(sum), weight: weight), to: &weights, strategy: plan.strategy)
        #expect(coordinator.model.weights == weights && coordinator.model.server == server)
        steps += 1
    }
}
