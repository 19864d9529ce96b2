import Foundation
import Secrets
import Testing

@testable import Federation

@Suite("A device's part")
struct DeviceTests {
    private static func device(_ plan: DevicePlan, _ number: Int = 1) throws -> Device {
        try Device(plan: plan, run: DeviceRuns.run, key: DeviceRuns.key(number))
    }

    /// The message and what comes of it.
    @discardableResult
    private static func turn(
        _ device: inout Device, _ coordinator: inout DeviceCoordinator, rows: Int = 10, work: Halfway? = nil,
        at now: Double = 0
    ) throws -> DeviceMessage? {
        guard let message = device.next(DeviceRuns.conditions) else { return nil }
        var work = work ?? Halfway(target: DeviceRuns.target(1))
        let reply = coordinator.answer(message, from: device.key, at: now)
        _ = try device.take(reply, rows: rows, work: &work)
        return message
    }

    @Test("It checks in, takes the model, reports, is thanked, and goes on from what it stored at each message")
    func course() throws {
        let plan = try DeviceRuns.plan()
        var coordinator = try DeviceRuns.coordinator(plan)
        var device = try Self.device(plan)
        var kinds: [String] = []
        while device.state.thanked == 0 {
            switch try Self.turn(&device, &coordinator) {
            case .checkIn(let conditions):
                kinds.append("check-in")
                #expect(conditions.battery == 0.8 && conditions.upload == 1e5)
            case .resume: kinds.append("resume")
            case .report(_, let integers):
                kinds.append("report")
                let expected = try #require(plan.grid).integers(DeviceRuns.target(1).map { $0 / 2 }).integers
                #expect(integers.values == expected)
            default: kinds.append("something else")
            }
            // Each message is repeated, by the device as it was stored, and changes nothing.
            var again = device.resumed(from: try DeviceRuns.stored(device.state))
            #expect(again.next(DeviceRuns.conditions) == device.next(DeviceRuns.conditions))
            if device.state.thanked == 0 { device = again }
            if kinds.last != "report" { try Self.turn(&again, &coordinator) }
        }
        #expect(kinds == ["check-in", "resume", "report"] || kinds == ["check-in", "report"])
        #expect(coordinator.cycle.counted == 1 && coordinator.cycle.admitted == 1 && device.state.participations == 1)
    }

    @Test(
        "Too few rows, failed work and conditions that have changed lead to the same message, and nothing else is told")
    func declines() throws {
        let plan = try DeviceRuns.plan()
        var sent: [Data] = []
        for reason in 0..<3 {
            var coordinator = try DeviceRuns.coordinator(plan)
            var device = try Self.device(plan)
            if reason == 0 { try Self.turn(&device, &coordinator, rows: 9) }
            if reason == 1 {
                try Self.turn(&device, &coordinator)
                #expect(throws: Halfway.Failure.self) {
                    try Self.turn(&device, &coordinator, work: Halfway(target: [], fails: true))
                }
            }
            if reason == 2 { try Self.turn(&device, &coordinator) }
            var conditions = DeviceRuns.conditions
            if reason == 2 { conditions.isUnmetered = false }
            let message = try #require(device.next(conditions))
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            sent.append(try encoder.encode(message))
            var work = Halfway(target: [])
            let seconds = try device.take(
                coordinator.answer(message, from: device.key, at: 0), rows: 10, work: &work)
            #expect(coordinator.cycle.open == 0 && coordinator.counts.declined == 1 && seconds >= 5)
            guard case .checkIn = device.next(DeviceRuns.conditions) else {
                Issue.record("whoever declined asks again later")
                continue
            }
        }
        #expect(Set(sent).count == 1)
    }

    @Test("A device that may not take part as it is says nothing, and keeps a report until it may send it")
    func conditions() throws {
        let plan = try DeviceRuns.plan()
        var coordinator = try DeviceRuns.coordinator(plan)
        var device = try Self.device(plan)
        var metered = DeviceRuns.conditions
        metered.isUnmetered = false
        #expect(device.next(metered) == nil)
        try Self.turn(&device, &coordinator)
        try Self.turn(&device, &coordinator)
        #expect(device.next(metered) == nil)
        guard case .report = device.next(DeviceRuns.conditions) else {
            Issue.record("the report is kept")
            return
        }
    }

    @Test("What a lying coordinator says is not followed")
    func lies() throws {
        let plan = try DeviceRuns.plan(cycles: 3, spare: 3, rest: 1)
        var coordinator = try DeviceRuns.coordinator(plan)
        var device = try Self.device(plan)
        let accepted = coordinator.answer(try #require(device.next(DeviceRuns.conditions)), from: device.key, at: 0)
        guard case .accepted(let ticket, let header, _) = accepted else {
            Issue.record("the device is admitted")
            return
        }
        var work = Halfway(target: DeviceRuns.target(1))
        func changed(run: Data? = nil, plan: Data? = nil, round: Int = 0, attempt: Int = 0) -> DeviceReply {
            .accepted(
                ticket: ticket,
                header: RoundHeader(
                    run: run ?? header.run, plan: plan ?? header.plan, round: round, attempt: attempt,
                    model: header.model, asked: []), seconds: 1)
        }
        for lie in [
            changed(run: Data(count: 16)), changed(plan: Data(count: 32)), changed(attempt: 6), changed(attempt: -1),
            changed(round: 3, attempt: 5), changed(round: 1, attempt: 0), .model(model: coordinator.model),
            .cohort(
                cohort: DeviceCohort(run: Data(), cycle: 0, plan: plan.cohortPlan(0, participants: 4), roster: []),
                seconds: 1),
        ] {
            #expect(throws: FederationError.self) { try device.take(lie, rows: 10, work: &work) }
            guard case .checkIn = device.next(DeviceRuns.conditions) else {
                Issue.record("it is where it was")
                return
            }
        }
        _ = try device.take(accepted, rows: 10, work: &work)
        let other = RunModel(round: 0, weights: [1, 2, 3, 4], server: coordinator.model.server)
        #expect(throws: FederationError.self) { try device.take(.model(model: other), rows: 10, work: &work) }
        _ = try device.take(.model(model: coordinator.model), rows: 10, work: &work)
        #expect(device.state.participations == 1)
        _ = try device.take(.thanks, rows: 10, work: &work)
        // It rests by itself: no second report of a cycle, none of the next one, whatever it is told.
        for attempt in 0...1 {
            #expect(throws: FederationError.self) {
                try device.take(changed(attempt: attempt), rows: 10, work: &work)
            }
        }
        _ = try device.take(changed(attempt: 2), rows: 10, work: &work)
        #expect(device.state.participations == 2)
        for seconds in [-.infinity, -1, 0, .nan, .infinity, 1e300] as [Double] {
            #expect(
                try (0.01...1e7).contains(
                    device.take(.rejected(seconds: seconds, reason: .full), rows: 10, work: &work)))
        }
        _ = try device.take(.over(round: 3, model: Data()), rows: 10, work: &work)
        #expect(device.state.isOver && device.next(DeviceRuns.conditions) == nil)
        #expect("\(device) \(device.state)" == "Device Device.State(participations 2)")
    }

    @Test("A stored state of another run or plan is refused")
    func otherRun() throws {
        let plan = try DeviceRuns.plan()
        let state = try Self.device(plan).state
        #expect(throws: FederationError.self) {
            try Device(plan: plan, run: Data(count: 16), key: DeviceRuns.key(1), state: state)
        }
        #expect(throws: FederationError.self) {
            try Device(plan: DeviceRuns.plan(rest: 1), run: DeviceRuns.run, key: DeviceRuns.key(1), state: state)
        }
    }

    @Test("With noise at the server it clips; without, what is out of range is cut, and counted for its owner")
    func cuts() throws {
        for aggregation in [
            DevicePlan.Aggregation.plain, .noisy(privacy: DevicePrivacy(clippingNorm: 1, noiseMultiplier: 1)),
        ] {
            let plan = try DeviceRuns.plan(aggregation, grid: UpdateGrid(range: 16, bits: 24))
            var coordinator = try DeviceRuns.coordinator(plan)
            var device = try Self.device(plan)
            try Self.turn(&device, &coordinator)
            try Self.turn(&device, &coordinator, work: Halfway(target: [1_000, 0, 0, 0]))
            let report = try #require(device.state.report)
            let largest: Int64 = aggregation == .plain ? 1 << 24 : 1 << 20
            // Rounded towards zero.
            #expect(report.values[1...] == [0, 0, 0] && (largest - 1...largest).contains(report.values[0]))
            #expect(device.state.cutEntries == (aggregation == .plain ? 1 : 0))
            try Self.turn(&device, &coordinator)
            #expect(coordinator.cycle.counted == 1)
        }
    }
}
