import Foundation
import Secrets
import Testing

@testable import Federation

@Suite("Ten thousand devices in simulated time", .serialized)
struct DeviceSimulationTests {
    private static func plan(
        _ aggregation: DevicePlan.Aggregation = .plain, bits: Int = 30, cycles: Int, spare: Int,
        workers: ClosedRange<Int>, reports: ClosedRange<Int>, over: Double = 1.3, rest: Int,
        seconds: Double = 1_800, retry: ClosedRange<Double> = 60...7_200
    ) -> DevicePlan {
        DevicePlan(
            name: "simulated devices", strategy: .fedAvgM(rate: 1, momentum: 0.5), aggregation: aggregation,
            parameterCount: DeviceRuns.length, grid: try? UpdateGrid(range: 16, bits: bits),
            work: Data(repeating: 1, count: 32),
            cycles: cycles, spareCycles: spare, leastWorkers: workers.lowerBound, mostWorkers: workers.upperBound,
            leastReports: reports.lowerBound, mostReports: reports.upperBound, overSelection: over,
            cycleSeconds: seconds, admissionSeconds: seconds * 0.7, restCycles: rest, leastRows: 10,
            requirements: DeviceRequirements(
                leastBattery: 0.8, needsUnmetered: true, needsIdle: true, leastUpload: 1e5),
            leastRetrySeconds: retry.lowerBound, mostRetrySeconds: retry.upperBound)
    }

    /// What holds whatever happens.
    private static func check(_ run: SimulatedDevices) {
        let plan = run.coordinator.plan
        #expect(run.steps == run.coordinator.model.round && run.coordinator.attempt < plan.attempts)
        for (device, cycles) in run.admitted {
            for (one, next) in zip(cycles, cycles.dropFirst()) {
                #expect(next - one > plan.restCycles, "device \(device) in cycles \(one) and \(next)")
            }
            #expect(cycles.count <= plan.admissions)
            let counted = run.reports.values.reduce(0) { $0 + ($1[device] == nil ? 0 : 1) }
            #expect(counted <= cycles.count)
        }
        for device in run.devices { #expect(device.state.participations <= plan.admissions) }
        #expect(run.mostRemembered <= (plan.rememberedCycles + 1) * plan.mostWorkers)
        // 40 bytes a device in base64, and what does not grow with devices.
        #expect(run.mostBytes <= run.mostRemembered * 54 + 60_000)
    }

    @Test("Days of 10,000 devices with losses, crashes and liars: rest, sums, places and memory hold", arguments: 1...3)
    func many(seed: UInt64) throws {
        var world = SimulatedDevices.World()
        (world.loss, world.deviceCrash, world.dropOut, world.coordinatorCrash) = (0.03, 0.02, 0.02, 0.001)
        world.liars = 20
        let plan = Self.plan(cycles: 60, spare: 60, workers: 100...300, reports: 100...150, rest: 20)
        try plan.check()
        var run = try SimulatedDevices(plan, devices: 10_000, world: world, seed: seed)
        try run.run(until: 20 * 86_400)
        Self.check(run)
        #expect(run.coordinator.phase == .finished && run.steps == 60)
        let refusals = run.coordinator.counts.refusals
        for reason in [DeviceRefusal.ticket, .length, .range, .full, .resting, .late, .spent, .repeated] {
            #expect(refusals[reason, default: 0] > 0, "\(reason) happens")
        }
        #expect(run.killed > 100 && run.lies > 100 && run.lost > 100)
        print(
            "10,000 devices, seed \(seed): \(run.messages) messages in \(Int(run.now / 3_600)) simulated hours,",
            "\(run.steps) steps in \(run.coordinator.attempt + 1) cycles, \(run.coordinator.counts),",
            "\(run.mostRemembered) devices remembered, \(run.mostBytes) bytes, \(run.killed) killed, \(run.lies) lies")
    }

    @Test(
        "With noise at the server no sum holds a report beyond the norm, and each is divided by the plan's least number"
    )
    func noisy() throws {
        var world = SimulatedDevices.World()
        (world.loss, world.deviceCrash, world.coordinatorCrash, world.liars) = (0.03, 0.02, 0.001, 10)
        // Of sigma 0.08 steps of the grid, so that no entry of the run is hit (probability below 1e-30), and sums can be compared.
        let privacy = DevicePrivacy(clippingNorm: 8, noiseMultiplier: 1e-8)
        let plan = Self.plan(
            .noisy(privacy: privacy), bits: 24, cycles: 20, spare: 20, workers: 50...150, reports: 50...80, rest: 5)
        var run = try SimulatedDevices(plan, devices: 3_000, world: world, seed: 4)
        try run.run(until: 20 * 86_400)
        Self.check(run)
        #expect(run.coordinator.phase == .finished && run.steps == 20)
        #expect(run.coordinator.counts.refusals[.norm, default: 0] > 0)
    }

    @Test("Who is killed and goes on from stored bytes changes nothing: the same run to the bit", arguments: 1...3)
    func stored(seed: UInt64) throws {
        let plan = Self.plan(cycles: 10, spare: 20, workers: 50...150, reports: 50...80, rest: 3)
        var ends: [DeviceCoordinator] = []
        for crash in [0.0, 0.05] {
            var world = SimulatedDevices.World()
            world.crashLoses = false
            (world.deviceCrash, world.coordinatorCrash) = (crash, crash / 10)
            world.liars = 20
            var run = try SimulatedDevices(plan, devices: 2_000, world: world, seed: seed)
            try run.run(until: 20 * 86_400)
            Self.check(run)
            #expect(run.coordinator.isOver && (run.killed > 0) == (crash > 0))
            ends.append(run.coordinator)
        }
        #expect(ends[0].model == ends[1].model && ends[0].outcomes == ends[1].outcomes)
        #expect(ends[0].counts == ends[1].counts && ends[0].revision == ends[1].revision)
    }

    @Test(
        "Where every report counts, losses and crashes lead to the model of a calm run, to the bit", arguments: 1...10)
    func disturbed(seed: UInt64) throws {
        let plan = Self.plan(
            cycles: 5, spare: 0, workers: 96...97, reports: 96...96, over: 1.02, rest: 0, seconds: 1e7, retry: 5...40)
        var ends: [RunModel] = []
        for disturbance in [0.0, 0.15] {
            var world = SimulatedDevices.World()
            (world.loss, world.deviceCrash, world.coordinatorCrash) = (disturbance, disturbance, disturbance / 5)
            (world.work, world.hours) = (1...20, 1...1)
            // One of 97 has too few rows, and gives its place back.
            var run = try SimulatedDevices(plan, devices: 97, world: world, seed: seed)
            try run.run(until: 1e6)
            #expect(run.coordinator.phase == .finished && run.coordinator.outcomes.allSatisfy { $0.counted == 96 })
            ends.append(run.coordinator.model)
        }
        #expect(ends[0] == ends[1])
    }

    @Test(
        "Devices that were turned away together do not come back together, and each cycle finds about twice as many as it has places"
    )
    func herd() throws {
        let plan = Self.plan(
            cycles: 1_000, spare: 0, workers: 50...100, reports: 50...100, over: 1, rest: 0, seconds: 100,
            retry: 5...100_000)
        var coordinator = try DeviceRuns.coordinator(plan)
        var random = SecureRandom()
        var queue = EventQueue()
        for device in 0..<5_000 { queue.add(device, at: 0) }
        // A device takes 20 seconds, and with it a cycle that finds enough of them.
        var came = [Int](repeating: 0, count: 600)
        var atWork: [Int: DeviceTicket] = [:]
        var waited = 0.0
        while let (device, time) = queue.first, time < 12_000 {
            queue.removeFirst()
            if let ticket = atWork.removeValue(forKey: device) {
                _ = coordinator.report([1, 1, 1, 1], ticket, from: device, at: time)
                coordinator.step(using: &random)
                queue.add(device, at: time + 1_000)
                continue
            }
            came[Int(time / 20)] += 1
            let reply = coordinator.answer(
                .checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(device), at: time)
            switch reply {
            case .accepted(let ticket, _, _):
                atWork[device] = ticket
                queue.add(device, at: time + 20)
            case .rejected(let seconds, _):
                waited = max(waited, seconds)
                queue.add(device, at: time + seconds)
            default: Issue.record("\(reply)")
            }
            coordinator.step(using: &random)
        }
        // All at once at the beginning; behind it no window of a cycle's length sees many more than twice the places, and none of those with devices has none.
        print(
            "turned away 5,000 at once: in windows of 100 places came \(came[1...40]), at most \(came[1...].max() ?? 0), cycles \(coordinator.attempt), waited \(waited)"
        )
        #expect(came[0] >= 5_000 && came[1...].allSatisfy { $0 < 500 } && came[10...].allSatisfy { $0 > 20 })
        #expect(waited < 6_000)
    }
}
