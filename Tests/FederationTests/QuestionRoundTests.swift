import Crypto
import Foundation
import Testing

@testable import Federation

@Suite("A round whose sum is an answer")
struct QuestionRoundTests {
    private struct Numbers: LocalWork {
        let values: [Int64]
        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) { (.integers(values), carried) }
    }

    private let keys = (0..<3).map { _ in Curve25519.Signing.PrivateKey() }
    private let run = Data(repeating: 7, count: 16)
    private var roster: [Data] { keys.map(\.publicKey.rawRepresentation) }
    private let policy = FederationPolicy(ways: [.distributedNoise], leastHonest: 2, leastColluders: 1)

    private func plan(_ length: Int = 4, colluders: Int = 1) -> FederatedPlan {
        FederatedPlan(
            question: "visits", participants: 3, colluders: colluders, length: length,
            work: Data(repeating: 1, count: 32),
            leastSeconds: 10)
    }

    private func participants() throws -> [Participant] {
        try keys.map { try Participant(plan: plan(), policy: policy, roster: roster, run: run, identity: $0) }
    }

    private let values: [[Int64]] = [[1, -2, 3, .max], [10, 20, 30, 1], [100, 200, 300, 0]]

    /// Lets all talk until the run is over; `passes` says whose messages arrive in which phase.
    private func talk(
        _ coordinator: inout Coordinator, _ participants: inout [Participant],
        passes: (Int, Coordinator.Phase) -> Bool = { _, _ in true }
    ) throws {
        var now = 0.0
        while participants.contains(where: { $0.state.end == nil }), now < 1_000 {
            now += 1
            for place in participants.indices
            where passes(place, coordinator.phase) && participants[place].state.end == nil {
                let reply = coordinator.answer(participants[place].next(), from: place, at: now)
                var work = Numbers(values: values[place])
                _ = try participants[place].take(reply, work: &work)
            }
            coordinator.tick(at: now)
            if coordinator.isOver, !(0..<3).contains(where: { passes($0, coordinator.phase) }) { return }
        }
    }

    @Test("Every participant comes to the sum of all integers, as the coordinator does; there is no model")
    func sum() throws {
        var coordinator = try Coordinator(plan: plan(), roster: roster, run: run, weights: [])
        var all = try participants()
        try talk(&coordinator, &all)
        #expect(coordinator.phase == .finished)
        let expected: [Int64] = [111, 218, 333, .min]
        #expect(coordinator.model.sum?.values == expected && coordinator.model.weights.isEmpty)
        for participant in all {
            #expect(participant.state.model?.sum?.values == expected && participant.state.contributions == 1)
            #expect(participant.state.end == .finished)
        }
        let again = try JSONDecoder().decode(RunModel.self, from: JSONEncoder().encode(coordinator.model))
        #expect(again == coordinator.model && again.sum == coordinator.model.sum)
    }

    @Test(
        "Without one of them the sum is not opened, and who was away is named",
        arguments: [Coordinator.Phase.advertise, .share, .mask, .confirm])
    func dropOut(phase: Coordinator.Phase) throws {
        var coordinator = try Coordinator(plan: plan(), roster: roster, run: run, weights: [])
        var all = try participants()
        try talk(&coordinator, &all) { place, now in place != 1 || now == .waiting || (now != phase && now != .aborted)
        }
        #expect(coordinator.phase == .aborted && coordinator.model.sum == nil && coordinator.last == nil)
        #expect(
            coordinator.events.contains {
                $0.participant == 1 && $0.words.contains("was not in time in the phase \(phase.rawValue)")
            })
        for place in [0, 2] {
            guard case .aborted(let reason) = all[place].state.end else {
                Issue.record("\(String(describing: all[place].state.end))")
                continue
            }
            #expect(reason.contains("1 rounds were begun, and 0 of 1 ended"))
        }
    }

    @Test("A plan for a sum is one round over all with noise of their own, or none")
    func plans() throws {
        try plan().check(participants: 3)
        func refused(_ change: (inout FederatedPlan) -> Void) -> Bool {
            var changed = plan()
            change(&changed)
            return (try? changed.check(participants: 3)) == nil
        }
        #expect(refused { $0.rounds = 2 })
        #expect(refused { $0.spareRounds = 1 })
        #expect(refused { $0.aggregation = .plain })
        #expect(refused { $0.aggregation = .masked(threshold: 3, colluders: 1) })
        #expect(
            refused {
                $0.aggregation = .distributedNoise(threshold: 2, colluders: 0)
                $0.least = 2
            })
        #expect(refused { $0.weights = [1, 1, 1] })
        #expect(refused { $0.strategy = .fedAvg })
        #expect(refused { $0.outcome = nil })
        #expect((try? plan(4, colluders: 3).check(participants: 3)) == nil)
        #expect(throws: FederationError.self) {
            try Coordinator(plan: plan(), roster: roster, run: run, weights: [0, 0, 0, 0])
        }
    }

    @Test("What a coordinator sends in the place of a sum is not taken, and nobody had a part in what comes ready")
    func lies() throws {
        var participant = try participants()[0]
        var work = Numbers(values: values[0])
        let server = try ServerState(plan().strategy, parameters: 4)
        for wrong in [
            RunModel(round: 0, weights: [1, 2, 3, 4], server: server),
            RunModel(round: 0, weights: [], server: server, sum: Packed([1, 2, 3, 4])),
            RunModel(round: 1, weights: [], server: server, sum: Packed([1, 2, 3])),
            RunModel(round: 1, weights: [], server: server),
            RunModel(round: 2, weights: [], server: server, sum: Packed([1, 2, 3, 4])),
        ] {
            #expect(throws: FederationError.self) { try participant.take(.model(model: wrong), work: &work) }
        }
        let ready = RunModel(round: 1, weights: [], server: server, sum: Packed([1, 2, 3, 4]))
        _ = try participant.take(.model(model: ready), work: &work)
        _ = try participant.take(.finished(round: 1, model: ready.digest), work: &work)
        #expect(participant.state.end == .finished && participant.state.contributions == 0)
    }

    @Test("A sum that is told before it can have been opened is none that a participant had a part in")
    func inventedSum() throws {
        var coordinator = try Coordinator(plan: plan(), roster: roster, run: run, weights: [])
        var all = try participants()
        var header: RoundHeader?
        // Up to the masked vectors everything is as it should be.
        try talk(&coordinator, &all) { _, phase in phase != .confirm && phase != .unmask && phase != .aborted }
        #expect(coordinator.phase == .confirm || coordinator.phase == .aborted)
        var again = try Coordinator(plan: plan(), roster: roster, run: run, weights: [])
        var participant = try participants()[0]
        var work = Numbers(values: values[0])
        while header == nil {
            let reply = again.answer(participant.next(), from: 0, at: 0)
            if case .begin(let begun) = reply { header = begun }
            _ = try participant.take(reply, work: &work)
        }
        let invented = OpenedRound(
            header: try #require(header), participants: [0, 1, 2], result: .sum(integers: Packed([5, 5, 5, 5])))
        _ = try? participant.take(.opened(round: invented), work: &work)
        #expect(participant.state.contributions == 0)
    }
}
