import Crypto
import DifferentialPrivacy
import Foundation
import Learning
import Secrets
import Testing

@testable import Federation

@Suite("Cohorts of devices")
struct DeviceCohortTests {
    private static func plan(_ strategy: Strategy = .fedAvg, cycles: Int = 2, rest: Int = 0) throws -> DevicePlan {
        try DeviceRuns.plan(
            .masked(threshold: 4, colluders: 1), strategy: strategy, cycles: cycles, workers: 4...8, reports: 4...4,
            rest: rest)
    }

    private struct Fleet {
        var identities: [Curve25519.Signing.PrivateKey]
        var devices: [Device]

        init(_ count: Int, _ plan: DevicePlan) throws {
            identities = (0..<count).map { _ in Curve25519.Signing.PrivateKey() }
            devices = try identities.map {
                try Device(plan: plan, run: DeviceRuns.run, key: #require(DeviceKey($0.publicKey.rawRepresentation)))
            }
        }

        /// A message of each device that has one.
        mutating func turn(_ coordinator: inout DeviceCoordinator, at now: Double) throws {
            for place in devices.indices {
                guard let message = devices[place].next(DeviceRuns.conditions) else { continue }
                var work = Halfway(target: DeviceRuns.target(place))
                _ = try devices[place].take(
                    coordinator.answer(message, from: devices[place].key, at: now), rows: 10, work: &work)
            }
        }

        /// The round of the cohort, of which some leave before they send a masked update.
        mutating func aggregate(_ coordinator: inout Coordinator, without gone: Set<Int> = [], at start: Double) throws
        {
            let policy = FederationPolicy(ways: [.masked], leastHonest: 1)
            var participants: [Int: Participant] = [:]
            for place in devices.indices {
                participants[place] = try devices[place].participant(policy, identity: identities[place])
            }
            var now = start
            while !coordinator.isOver {
                now += 0.1
                for (place, var participant) in participants {
                    let message = participant.next()
                    if gone.contains(place), case .masked = message { continue }
                    var work = Halfway(target: DeviceRuns.target(place))
                    _ = try participant.take(
                        coordinator.answer(message, from: participant.index, at: now), work: &work)
                    participants[place] = participant
                }
            }
            for place in devices.indices { devices[place].leaveCohort() }
        }
    }

    /// The same reports in the clear.
    private static func plain(_ masked: DevicePlan, _ places: [Int]) throws -> [Float] {
        var plan = masked
        (plan.aggregation, plan.mostReports) = (.plain, 6)
        var coordinator = try DeviceRuns.coordinator(plan)
        var random = SecureRandom()
        var now = 0.0
        while !coordinator.isOver {
            for place in places {
                let ticket = try coordinator.admitted(place, at: now)
                var work = Halfway(target: DeviceRuns.target(place))
                let header = coordinator.cycle.header
                guard case .numbers(let update) = try work.update(of: coordinator.model, in: header, carried: []).update
                else { continue }
                let integers = try #require(plan.grid).integers(update).integers
                #expect(coordinator.report(integers, ticket, from: place, at: now) == .thanks)
            }
            now += 100
            coordinator.tick(at: now)
            coordinator.step(using: &random)
        }
        return coordinator.model.weights
    }

    @Test(
        "A masked cohort's cycles come to what the same reports in the clear come to, to the bit",
        arguments: [[], [1, 4]])
    func agrees(gone: [Int]) throws {
        let plan = try Self.plan(.fedAvgM(rate: 1, momentum: 0.5))
        var coordinator = try DeviceRuns.coordinator(plan)
        var fleet = try Fleet(6, plan)
        var now = 0.0
        for cycle in 0..<2 {
            try fleet.turn(&coordinator, at: now)
            #expect(coordinator.phase == .cohort)
            try fleet.turn(&coordinator, at: now + 1)
            let cohort = try #require(coordinator.cohort(for: cycle))
            #expect(cohort.roster.count == 6 && coordinator.cohort(for: cycle + 1) == nil)
            #expect(fleet.devices.allSatisfy { $0.state.cohort == cohort && $0.next(DeviceRuns.conditions) == nil })
            var round = try coordinator.cohortCoordinator()
            try fleet.aggregate(&round, without: Set(gone), at: now + 1)
            coordinator = try DeviceRuns.stored(coordinator)
            try coordinator.finish(#require(round.last))
            #expect(coordinator.outcomes.last?.counted == 6 - gone.count)
            // Once.
            #expect(throws: FederationError.self) { try coordinator.finish(#require(round.last)) }
            now += 90
        }
        #expect(coordinator.phase == .finished)
        #expect(try coordinator.model.weights == Self.plain(plan, (0..<6).filter { !gone.contains($0) }))
    }

    @Test(
        "A cohort is fixed when admission ends, of those who are still there; too few are none, and a late sum is none")
    func fixed() throws {
        let plan = try Self.plan(rest: 1)
        var coordinator = try DeviceRuns.coordinator(plan)
        let tickets = try (0..<5).map { try coordinator.admitted($0) }
        let wait = coordinator.answer(.resume(ticket: tickets[0], holds: nil), from: DeviceRuns.key(0), at: 20)
        #expect(try (30...33).contains(#require(wait.seconds)))
        #expect(coordinator.report([0, 0, 0, 0], tickets[0], from: 0).refusal == .way)
        _ = coordinator.answer(.decline(ticket: tickets[3]), from: DeviceRuns.key(3), at: 20)
        let reply = coordinator.answer(.resume(ticket: tickets[0], holds: nil), from: DeviceRuns.key(0), at: 50)
        guard case .cohort(let cohort, let seconds) = reply else {
            Issue.record("the cohort is told when admission has ended")
            return
        }
        #expect(seconds == 50 && cohort.roster == [0, 1, 2, 4].map(DeviceRuns.key).sorted().map(\.bytes))
        #expect(coordinator.admit(7, at: 51) == nil)
        // Who lost its ticket is told it again; who would give it back is in the cohort.
        #expect(coordinator.admit(1, at: 51) == tickets[1])
        #expect(coordinator.answer(.decline(ticket: tickets[1]), from: DeviceRuns.key(1), at: 51).refusal == .late)
        #expect(
            coordinator.answer(.resume(ticket: tickets[3], holds: nil), from: DeviceRuns.key(3), at: 51).refusal
                == .spent)
        let header = coordinator.cycle.header
        let key = DeviceRuns.key(0)
        #expect(cohort.isRight(for: key, plan: plan, header: header))
        for roster in [
            Array(cohort.roster.dropFirst()), cohort.roster.reversed(), cohort.roster + [Data(count: 31)], [],
        ] {
            let other = DeviceCohort(run: cohort.run, cycle: 0, plan: cohort.plan, roster: roster)
            #expect(!other.isRight(for: key, plan: plan, header: header))
        }
        for other in [
            DeviceCohort(run: Data(count: 16), cycle: 0, plan: cohort.plan, roster: cohort.roster),
            DeviceCohort(run: cohort.run, cycle: 1, plan: cohort.plan, roster: cohort.roster),
            DeviceCohort(run: cohort.run, cycle: 0, plan: plan.cohortPlan(1, participants: 4), roster: cohort.roster),
        ] {
            #expect(!other.isRight(for: key, plan: plan, header: header))
        }
        let stranger = cohort.roster.map { $0 == key.bytes ? DeviceRuns.key(90).bytes : $0 }
        let without = DeviceCohort(
            run: cohort.run, cycle: 0, plan: cohort.plan,
            roster: stranger.compactMap { DeviceKey($0) }.sorted().map(\.bytes))
        #expect(!without.isRight(for: key, plan: plan, header: header))
        #expect(without.isRight(for: DeviceRuns.key(90), plan: plan, header: header))
        // What another round of the same plan came to, one over too few, one over nobody in the cohort, and one of another length.
        func opened(run: Data? = nil, _ participants: [Int] = [0, 1, 2, 3], entries: Int = 4) -> OpenedRound {
            OpenedRound(
                header: RoundHeader(
                    run: run ?? cohort.run, plan: cohort.plan.digest, round: 0, attempt: 0, model: Data(),
                    asked: [0, 1, 2, 3]),
                participants: participants, result: .sum(integers: Packed([Int64](repeating: 1, count: entries))))
        }
        for wrong in [
            opened(run: Data(count: 16)), opened([0, 1, 2]), opened([0, 1, 2, 4]), opened([0, 1, 2, 2]),
            opened(entries: 3),
        ] {
            #expect(throws: FederationError.self) { try coordinator.finish(wrong) }
        }
        #expect(coordinator.phase == .cohort && coordinator.model.round == 0)
        coordinator.tick(at: 100)
        #expect(throws: FederationError.self) { try coordinator.finish(opened()) }
        #expect(coordinator.outcomes.map(\.end) == [.tooFewReports] && coordinator.phase == .collecting)
        #expect(coordinator.cohort(for: 0) == nil && coordinator.attempt == 1)
        _ = coordinator.admit(8, at: 100)
        coordinator.tick(at: 150)
        #expect(coordinator.outcomes.map(\.end) == [.tooFewReports, .tooFewDevices])
        #expect(throws: FederationError.self) { try coordinator.cohortCoordinator() }
    }

    @Test("Distributed noise is charged for each cycle to which a device may be admitted, void ones too")
    func distributedNoise() throws {
        let noise = SharedNoise(clippingNorm: 1, noiseMultiplier: 4, samplingRate: 0.5, capacity: 100)
        var plan = try DeviceRuns.plan(
            .distributedNoise(threshold: 4, colluders: 1, noise: noise), strategy: .fedSGD(rate: 0.1), cycles: 10,
            spare: 5, workers: 4...8, reports: 4...4, rest: 4)
        plan.grid = nil
        try plan.check()
        let step = try plan.cohortPlan(0, participants: 6).event()
        #expect(try plan.event() == .repeated(step, times: 3))
        #expect(throws: FederationError.self) { try plan.event(.others) }
    }
}
