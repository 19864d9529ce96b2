import Crypto
import DifferentialPrivacy
import Foundation
import Testing

@testable import Federation

/// What a coordinator gets from participants whom it lies to: each was an attack that worked.
@Suite("Lying coordinators and participants")
struct LyingCoordinatorTests {
    private static let masked = FederatedPlan.Aggregation.masked(threshold: 3, colluders: 0)

    private static func participants(_ plan: FederatedPlan, _ count: Int, run: Data) throws -> [Participant] {
        let identities = Runs.identities(count).sorted {
            $0.publicKey.rawRepresentation.lexicographicallyPrecedes($1.publicKey.rawRepresentation)
        }
        let roster = identities.map { $0.publicKey.rawRepresentation }
        return try identities.map {
            try Participant(plan: plan, policy: Runs.anything, roster: roster, run: run, identity: $0)
        }
    }

    /// Messages of some participants to a coordinator, which may say something else, until it is over or nobody moves.
    private static func talk(
        _ coordinator: inout Coordinator, _ participants: inout [Participant], _ places: [Int],
        saying: (CoordinatorReply, Int) -> CoordinatorReply = { reply, _ in reply }
    ) -> [FederationError] {
        var errors: [FederationError] = []
        var works = Runs.targets(participants.count).map { Quadratic(target: $0) }
        for _ in 0..<60 {
            for place in places {
                let reply = coordinator.answer(participants[place].next(), from: place, at: 0)
                do throws(FederationError) {
                    _ = try participants[place].take(saying(reply, place), work: &works[place])
                } catch {
                    errors.append(error)
                }
            }
        }
        return errors
    }

    private static func coordinator(_ plan: FederatedPlan, _ participants: [Participant], run: Data) throws
        -> Coordinator
    {
        try Coordinator(
            plan: plan, roster: participants[0].roster, run: run, weights: [Float](repeating: 0, count: Runs.length))
    }

    @Test("Another model in the middle of an attempt is refused: the update of one would stand out in the sum")
    func inconsistent() throws {
        let plan = try Runs.plan(.fedAvg, Self.masked, participants: 4, rounds: 3)
        let run = Data(repeating: 1, count: 16)
        var participants = try Self.participants(plan, 4, run: run)
        var coordinator = try Self.coordinator(plan, participants, run: run)
        let other = RunModel(round: 1, weights: [9, 9, 9, 9, 9], server: coordinator.model.server)
        var kept: CoordinatorReply?
        let errors = Self.talk(&coordinator, &participants, [0, 1, 2, 3]) { reply, place in
            guard place == 2 else { return reply }
            if let kept { return kept }
            guard case .shares = reply else { return reply }
            kept = reply
            return .model(model: other)
        }
        #expect(errors.contains { "\($0)".contains("the model that this participant holds") })
        #expect(coordinator.model.round == 0)
    }

    @Test("An attempt that is over is not done again, however it ended: a second draw would be free")
    func replayed() throws {
        let run = Data(repeating: 2, count: 16)
        for way in [FederatedPlan.Aggregation.plain, Self.masked] {
            let plan = try Runs.plan(.fedAvg, way, participants: 4, rounds: 2)
            var participants = try Self.participants(plan, 4, run: run)
            var coordinator = try Self.coordinator(plan, participants, run: run)
            var header: RoundHeader?
            _ = Self.talk(&coordinator, &participants, [0, 1, 2, 3]) { reply, place in
                if case .begin(let begun) = reply, header == nil { header = begun }
                // Nobody hears of the end.
                if case .opened = reply { return .aborted(reason: "a pretext") }
                return reply
            }
            var work = Quadratic(target: Runs.targets(1)[0])
            let begun = try #require(header)
            for index in participants.indices {
                #expect(throws: FederationError.self) {
                    try participants[index].take(.begin(header: begun), work: &work)
                }
            }
            #expect(work.calls == 0)
        }
    }

    @Test("After a sum was opened no other one from the same model is: their difference would be one update")
    func difference() throws {
        let plan = try Runs.plan(.fedAvg, Self.masked, participants: 4, rounds: 2, least: 3)
        let run = Data(repeating: 3, count: 16)
        var participants = try Self.participants(plan, 4, run: run)
        var first = try Self.coordinator(plan, participants, run: run)
        var second = first
        _ = Self.talk(&first, &participants, [0, 1, 2, 3]) { reply, _ in
            switch reply {
            case .opened, .finished: .wait(seconds: 1)
            case .begin(let header) where header.attempt > 0: .wait(seconds: 1)
            default: reply
            }
        }
        #expect(first.model.round == 1)
        // The same model again, in a later attempt, without the last participant.
        _ = second.answer(.heartbeat(holds: 0), from: 0, at: 0)
        second.tick(at: second.deadline + 1)
        #expect(second.attempts == 2)
        let errors = Self.talk(&second, &participants, [0, 1, 2])
        second.tick(at: second.deadline + 1)
        let later = Self.talk(&second, &participants, [0, 1, 2])
        #expect(second.model.round == 0)
        #expect(
            (errors + later).contains { "\($0)".contains("over whom a sum from this model was opened") }
                || second.model.round == 0)
    }

    @Test("Absurd headers, models and plans are refused in words: nothing traps")
    func absurd() throws {
        let plan = try Runs.plan(.fedAvg, participants: 4, rounds: 2)
        let run = Data(repeating: 4, count: 16)
        let participants = try Self.participants(plan, 4, run: run)
        var coordinator = try Self.coordinator(plan, participants, run: run)
        var participant = participants[0]
        var work = Quadratic(target: Runs.targets(1)[0])
        _ = try participant.take(coordinator.answer(.fetch, from: 0, at: 0), work: &work)
        let model = try #require(participant.state.model)
        for (attempt, asked) in [(Int.max, [0, 1, 2, 3]), (-1, [0, 1, 2, 3]), (0, [Int.min, 0, Int.max]), (0, [])] {
            let header = RoundHeader(
                run: run, plan: plan.digest, round: 0, attempt: attempt, model: model.digest, asked: asked)
            let opened = OpenedRound(
                header: header, participants: [0, 1, 2, 70], result: .sum(integers: Packed([1, 1, 1, 1, 1])))
            for reply in [CoordinatorReply.begin(header: header), .opened(round: opened)] {
                #expect(throws: FederationError.self) { try participant.take(reply, work: &work) }
            }
        }
        let server = String(decoding: try JSONEncoder().encode(model.server), as: UTF8.self)
        let negative = Data("{\"model\":{\"model\":{\"round\":-1,\"weights\":\"AAAAAA==\",\"server\":\(server)}}}".utf8)
        let reply = try JSONDecoder().decode(CoordinatorReply.self, from: negative)
        #expect(throws: FederationError.self) { try participant.take(reply, work: &work) }
        for (threshold, colluders) in [(3, Int.max), (Int.min, 0), (3, -1), (Int.max, Int.max)] {
            let plan = try Runs.plan(.fedAvg, .masked(threshold: threshold, colluders: colluders), participants: 4)
            #expect(throws: FederationError.self) { try plan.check(participants: 4) }
        }
        #expect(try participant.take(.wait(seconds: -.infinity), work: &work) > 0)
        #expect(throws: FederationError.self) {
            try Participant(
                plan: plan, policy: Runs.anything, roster: participants[0].roster, run: Data(repeating: 5, count: 16),
                identity: Runs.identities(1)[0], state: participant.state)
        }
    }

    @Test("Under masks a participant whose work fails stays, with nothing, and tells its owner alone")
    func failing() throws {
        let plan = try Runs.plan(.fedAvg, Self.masked, participants: 4, rounds: 1)
        var works = Runs.targets(4).map { Quadratic(target: $0) }
        works[3].target[1] = .nan
        var run = try Simulator(
            plan: plan, policy: Runs.anything, identities: Runs.identities(4), works: works,
            weights: [Float](repeating: 0, count: Runs.length), seed: 1)
        run.run(until: 10_000)
        #expect(run.coordinator.phase == .finished && run.coordinator.events.isEmpty)
        #expect(run.errors.count == 1 && run.errors[0].participant == 3)
        let expected = Runs.targets(3).reduce(Float(0)) { $0 + $1[0] / 2 } / 4
        #expect(abs(run.coordinator.model.weights[0] - expected) < 1e-6)
    }

    @Test(
        "With noise whoever takes part knows its own share: one more than the honest are needed, though nobody is said to collude"
    )
    func ownShare() throws {
        let plan = FederatedPlan(
            name: "noisy", strategy: .fedSGD(rate: 1), aggregation: .distributedNoise(threshold: 3, colluders: 0),
            rounds: 1,
            least: 3, parameterCount: 4,
            noise: SharedNoise(clippingNorm: 1, noiseMultiplier: 1, samplingRate: 1, capacity: 10),
            work: Data(repeating: 1, count: 32),
            leastSeconds: 1)
        #expect(try plan.shares().honest == 2)
        #expect(throws: FederationError.self) {
            try FederationPolicy(ways: [.distributedNoise], leastHonest: 3).check(plan, participants: 3)
        }
    }

    @Test("Who is always just in time does not stretch deadlines for ever, and what somebody says is cut by bytes")
    func patience() throws {
        var deadlines = Deadlines(least: 20)
        for _ in 0..<50 { deadlines.arrived("collect", after: deadlines.seconds("collect") * 0.99) }
        #expect(deadlines.seconds("collect") == 320)
        let long = "e" + String(repeating: "\u{301}", count: 100_000) + "\u{1b}[2J"
        #expect(long.publicWords.utf8.count < 2_000 && !"a\u{1b}[2J".publicWords.contains("\u{1b}"))
    }

    @Test("A run without cohorts is not ended by its clock, and nobody fills a buffer alone")
    func buffered() throws {
        let plan = try Runs.plan(.fedBuff(rate: 1, buffer: 2, exponent: 0), participants: 3, rounds: 20)
        let run = Data(repeating: 6, count: 16)
        let participants = try Self.participants(plan, 3, run: run)
        var coordinator = try Self.coordinator(plan, participants, run: run)
        _ = coordinator.answer(.heartbeat(holds: nil), from: 0, at: 0)
        for second in 0..<1_000 { coordinator.tick(at: Double(second) * 100) }
        #expect(coordinator.phase == .collect)
        for version in 0..<15 {
            _ = coordinator.answer(.update(attempt: version, integers: Packed([1, 1, 1, 1, 1])), from: 0, at: 1e5)
        }
        #expect(coordinator.model.round == 0)
        _ = coordinator.answer(.update(attempt: 0, integers: Packed([1, 1, 1, 1, 1])), from: 1, at: 1e5)
        #expect(coordinator.model.round == 1)
    }
}
