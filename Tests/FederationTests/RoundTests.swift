import Crypto
import Foundation
import Testing

@testable import Federation

@Suite("Rounds of a federated run")
struct RoundTests {
    private static let masked = FederatedPlan.Aggregation.masked(threshold: 4, colluders: 1)

    @Test(
        "Plain and masked rounds of all participants come to the same integers, and to what central computation gives")
    func agree() throws {
        var models: [[Float]] = []
        for aggregation in [FederatedPlan.Aggregation.plain, Self.masked] {
            var run = try Runs.simulator(Runs.plan(.fedAvg, aggregation, participants: 6), participants: 6)
            run.run()
            #expect(run.coordinator.phase == .finished && run.errors.isEmpty)
            models.append(run.coordinator.model.weights)
            for participant in run.participants {
                #expect(participant.state.end == .finished && participant.state.model == run.coordinator.model)
            }
        }
        #expect(models[0] == models[1])
        for (weight, expected) in zip(models[0], Runs.expected(participants: 6, rounds: 4)) {
            #expect(abs(Double(weight) - expected) < 1e-6)
        }
    }

    @Test(
        "Lost messages, killed participants and a killed coordinator change nothing of the result", arguments: 0..<100)
    func crashes(seed: Int) throws {
        var conditions = Conditions()
        (conditions.loss, conditions.participantCrash, conditions.coordinatorCrash) = (0.1, 0.1, 0.05)
        for aggregation in [FederatedPlan.Aggregation.plain, Self.masked] {
            // Time enough for everybody: nobody is left out.
            let plan = try Runs.plan(.fedAvgM(rate: 1, momentum: 0.5), aggregation, participants: 6, seconds: 10_000)
            var calm = try Runs.simulator(plan, participants: 6)
            calm.run()
            #expect(calm.coordinator.isOver)
            var run = try Runs.simulator(plan, participants: 6, conditions: conditions, seed: UInt64(seed))
            run.run()
            #expect(run.coordinator.phase == .finished)
            #expect(run.coordinator.model.weights == calm.coordinator.model.weights)
            #expect(run.coordinator.attempts == plan.rounds)
            #expect(run.participants.allSatisfy { $0.state.end == .finished })
        }
    }

    @Test("Who drops out is left out after the deadline, and rounds of too few are void until spare ones are used up")
    func dropOut() throws {
        var conditions = Conditions()
        conditions.dropOut = 0.02
        var finished = 0
        for seed in 0..<20 {
            let plan = try Runs.plan(.fedAvg, .masked(threshold: 4, colluders: 0), participants: 6, least: 4)
            var run = try Runs.simulator(plan, participants: 6, conditions: conditions, seed: UInt64(seed))
            run.run(until: 1e6)
            finished += run.coordinator.phase == .finished ? 1 : 0
            #expect(run.coordinator.attempts <= plan.rounds + plan.spareRounds)
            if run.coordinator.phase == .finished {
                #expect(run.coordinator.model.weights.allSatisfy { $0.isFinite && abs($0) < 16 })
            }
        }
        #expect(finished > 0)
    }

    @Test("Below the least survivors nothing is opened: the round is void, and the run says so")
    func void() throws {
        let plan = try Runs.plan(
            .fedAvg, .masked(threshold: 5, colluders: 1), participants: 6, rounds: 2, spare: 1, least: 6)
        var run = try Runs.simulator(plan, participants: 6)
        run.tampering = { message, place in
            if place == 0, case .masked(let attempt, _) = message {
                return .leaves(attempt: attempt, reason: "a full disk")
            }
            return message
        }
        run.run()
        #expect(run.coordinator.isOver)
        #expect(run.coordinator.phase == .aborted && run.coordinator.model.round == 0 && run.coordinator.attempts == 3)
        #expect(run.coordinator.events.contains { $0.participant == 0 && $0.words.contains("a full disk") })
        #expect(run.coordinator.events.contains { $0.words.contains("5 of at least 6") })
        #expect(run.participants.allSatisfy { $0.state.end != nil && $0.state.end != .finished })
    }

    @Test("A participant signs no sum over fewer than the plan's least, though the masks could be opened")
    func fewerThanLeast() throws {
        let plan = try Runs.plan(
            .fedAvg, .masked(threshold: 4, colluders: 0), participants: 6, rounds: 1, spare: 0, least: 6)
        var run = try Runs.simulator(plan, participants: 6)
        run.lying = { reply, place in
            guard case .survivors(let header, let survivors) = reply else { return reply }
            return .survivors(header: header, survivors: survivors.filter { $0 != (place + 1) % 6 })
        }
        run.run(until: 10_000)
        #expect(run.coordinator.model.round == 0)
        #expect(run.errors.count == 6 && run.errors.allSatisfy { "\($0.error)".contains("at least 6 participants") })
    }

    @Test("Who is not asked hears nothing of a round, and everybody is asked in turn")
    func selection() throws {
        let plan = try Runs.plan(.fedAvg, participants: 9, rounds: 6, perRound: 3)
        var run = try Runs.simulator(plan, participants: 9)
        var asked: [Int: Set<Int>] = [:]
        run.lying = { reply, place in
            if case .begin(let header) = reply {
                asked[header.attempt, default: []].insert(place)
                if !header.asked.contains(place) { asked[-1, default: []].insert(place) }
            }
            return reply
        }
        run.run()
        #expect(run.coordinator.phase == .finished)
        #expect(asked[-1] == nil && (0..<6).allSatisfy { asked[$0]?.count == 3 })
        for pass in 0..<2 {
            let all = (0..<3).reduce(into: Set<Int>()) { $0.formUnion(asked[3 * pass + $1] ?? []) }
            #expect(all == Set(0..<9))
        }
    }

    @Test("A coordinator that tells one site of other weights, rounds or participants is refused by that site")
    func lies() throws {
        let plan = try Runs.plan(.fedAvg, Self.masked, participants: 6, rounds: 1, spare: 0)
        func lied(_ change: @escaping (RoundHeader) -> RoundHeader) throws -> Simulator<Quadratic> {
            var run = try Runs.simulator(plan, participants: 6)
            run.lying = { reply, place in
                if place == 2, case .begin(let header) = reply { return .begin(header: change(header)) }
                return reply
            }
            _ = run.run(until: 1_000)
            return run
        }
        func header(
            _ header: RoundHeader, model: Data? = nil, round: Int? = nil, asked: [Int]? = nil, plan: Data? = nil
        ) -> RoundHeader {
            RoundHeader(
                run: header.run, plan: plan ?? header.plan, round: round ?? header.round, attempt: header.attempt,
                model: model ?? header.model, asked: asked ?? header.asked)
        }
        for change in [
            { header($0, model: Data(repeating: 7, count: 32)) }, { header($0, round: 1) },
            { header($0, asked: [0, 1, 2]) },
            { header($0, plan: Data(repeating: 7, count: 32)) },
        ] as [(RoundHeader) -> RoundHeader] {
            let run = try lied(change)
            #expect(run.errors.contains { $0.participant == 2 })
            #expect(run.coordinator.model.round == 0)
        }
    }

    @Test("A model that a coordinator gives to one site alone leads to noise, not to a sum over that site's update")
    func inconsistentModel() throws {
        let plan = try Runs.plan(.fedAvg, Self.masked, participants: 6, rounds: 1, spare: 0)
        var run = try Runs.simulator(plan, participants: 6)
        // The site computes on other weights, and is told of a header that fits them.
        let other = RunModel(
            round: 0, weights: [3, 0, 0, 0, 0], server: run.coordinator.model.server)
        run.lying = { reply, place in
            guard place == 2 else { return reply }
            switch reply {
            case .model: return .model(model: other)
            case .begin(let header):
                return .begin(
                    header: RoundHeader(
                        run: header.run, plan: header.plan, round: header.round, attempt: header.attempt,
                        model: other.digest,
                        asked: header.asked))
            default: return reply
            }
        }
        _ = run.run(until: 10_000)
        // Its signatures are of another session: it is left out at once.
        #expect(run.coordinator.model.round == 0)
        #expect(run.coordinator.events.contains { $0.participant == 2 })
    }

    @Test("A forged, replayed or misshapen message changes nothing, and its sender is named")
    func forged() throws {
        let plan = try Runs.plan(.fedAvg, participants: 4, rounds: 2, least: 3)
        var run = try Runs.simulator(plan, participants: 4)
        run.tampering = { message, place in
            guard place == 1, case .update(let attempt, _) = message else { return message }
            return .update(attempt: attempt, integers: Packed(attempt == 0 ? [1, 2] : [.max, .min, 0, 0, 0]))
        }
        run.run(until: 10_000)
        #expect(run.coordinator.phase == .finished)
        #expect(run.coordinator.events.filter { $0.participant == 1 }.count == 2)
        // A message of another attempt, before or later, is told what to do now.
        var coordinator = try Runs.simulator(plan, participants: 4).coordinator
        _ = coordinator.answer(.heartbeat(holds: nil), from: 0, at: 0)
        let before = try JSONEncoder().encode(coordinator.model.weights)
        for attempt in [-1, 1, Int.max] {
            _ = coordinator.answer(.update(attempt: attempt, integers: Packed([1, 1, 1, 1, 1])), from: 0, at: 0)
        }
        #expect(try JSONEncoder().encode(coordinator.model.weights) == before && coordinator.model.round == 0)
        #expect(
            coordinator.answer(.heartbeat(holds: nil), from: 99, at: 0)
                == .aborted(reason: "this run has no participant 99"))
    }

    @Test("A site whose update is no number sends nothing, and the others go on")
    func notANumber() throws {
        let plan = try Runs.plan(.fedAvg, participants: 4, rounds: 2, least: 3)
        var works = Runs.targets(4).map { Quadratic(target: $0) }
        works[3].target[1] = .nan
        var run = try Simulator(
            plan: plan, policy: Runs.anything, identities: Runs.identities(4), works: works,
            weights: [Float](repeating: 0, count: Runs.length), seed: 1)
        run.run(until: 10_000)
        #expect(run.coordinator.phase == .finished)
        #expect(run.errors.contains { $0.participant == 3 && $0.error == .notANumber(entry: 1) })
        #expect(run.coordinator.events.contains { $0.participant == 3 && $0.words.contains("its own work failed") })
    }

    @Test("Ten thousand participants, some slow, some silent, in one process")
    func many() throws {
        var conditions = Conditions()
        (conditions.stragglers, conditions.dropOut) = (0.05, 0.0005)
        let plan = try Runs.plan(.fedAvg, participants: 10_000, rounds: 3, spare: 2, least: 8_000, seconds: 5)
        var run = try Runs.simulator(plan, participants: 10_000, conditions: conditions)
        run.run(until: 1e5)
        #expect(run.coordinator.phase == .finished)
        let expected = Runs.expected(participants: 7, rounds: 3)
        for (weight, expected) in zip(run.coordinator.model.weights, expected) {
            #expect(abs(Double(weight) - expected) < 0.05)
        }
    }
}

@Suite("Cohorts of a round")
struct CohortTests {
    @Test("Sums of cohorts are that of all participants together, to the bit")
    func sums() throws {
        let whole = try Runs.plan(.fedAvg, participants: 6, rounds: 1)
        var all = try Runs.simulator(whole, participants: 6)
        all.run()
        let plan = try Runs.plan(.fedAvg, participants: 3, rounds: 1)
        var cohorts: Cohorts?
        for first in [0, 3] {
            var run = try Simulator(
                plan: plan, policy: Runs.anything, identities: Runs.identities(3),
                works: Runs.targets(6)[first..<first + 3].map { Quadratic(target: $0) },
                weights: [Float](repeating: 0, count: Runs.length), seed: UInt64(first))
            let model = run.coordinator.model
            run.run(everybody: false)
            var sum = try cohorts ?? Cohorts(plan, from: model)
            try sum.add(#require(run.coordinator.last), participants: 3)
            cohorts = sum
        }
        #expect(try cohorts?.stepped().weights == all.coordinator.model.weights)
    }
}
