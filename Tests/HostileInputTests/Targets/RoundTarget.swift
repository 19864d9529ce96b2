import Crypto
import Federation
import Foundation

/// What a participant sends, to a coordinator in each phase: taken, or refused with the model as it was.
enum MessageTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        guard let message = try? JSONDecoder().decode(ParticipantMessage.self, from: Data(input)) else { return [] }
        var found: [String] = []
        for isMasked in [false, true] {
            guard var coordinator = RoundFixture.coordinator(isMasked: isMasked) else {
                return ["the fixture is refused"]
            }
            _ = coordinator.answer(.heartbeat(holds: nil), from: 1, at: 0)
            for (sender, time) in [(0, 0.0), (0, 1), (2, 2), (99, 3), (1, 1_000), (1, 2_000)] {
                _ = coordinator.answer(message, from: sender, at: time)
            }
            if !coordinator.model.weights.allSatisfy(\.isFinite) {
                found.append("a message made the weights no numbers")
            }
            if coordinator.events.contains(where: { $0.words.isEmpty || $0.words.utf8.count > 2_000 }) {
                found.append("an event of no use")
            }
            // What is stored is read again.
            guard let stored = try? JSONEncoder().encode(coordinator),
                let read = try? JSONDecoder().decode(Coordinator.self, from: stored), read.model == coordinator.model
            else {
                found.append("a coordinator's state is not read again")
                continue
            }
        }
        return found
    }
}

/// What a coordinator says, to a participant: done, or refused in words with the model as it was.
enum ReplyTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        guard let reply = try? JSONDecoder().decode(CoordinatorReply.self, from: Data(input)) else { return [] }
        var found: [String] = []
        for isMasked in [false, true] {
            guard var participant = RoundFixture.participant(isMasked: isMasked) else {
                return ["the fixture is refused"]
            }
            var work = RoundFixture.Nothing()
            if var coordinator = RoundFixture.coordinator(isMasked: isMasked) {
                _ = try? participant.take(coordinator.answer(.fetch, from: 0, at: 0), work: &work)
            }
            for _ in 0..<2 {
                do throws(FederationError) {
                    let seconds = try participant.take(reply, work: &work)
                    if !(seconds >= 0 && seconds <= 3_600) { found.append("a wait of no use") }
                } catch {
                    if error.description.isEmpty || error.description.utf8.count > 2_000 {
                        found.append("an error of no use")
                    }
                }
                _ = participant.next()
            }
            if participant.state.model?.weights.allSatisfy(\.isFinite) == false {
                found.append("a participant holds what is no number")
            }
            guard let stored = try? JSONEncoder().encode(participant.state),
                (try? JSONDecoder().decode(Participant.State.self, from: stored)) != nil
            else {
                found.append("a participant's state is not read again")
                continue
            }
        }
        return found
    }
}

/// A run of three, whose keys are known to nobody but this test.
enum RoundFixture {
    struct Nothing: LocalWork {
        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) { (.numbers(model.weights), carried) }
    }

    /// As in the corpus.
    static let run = Data(base64Encoded: "xdMKfOHsEZN4yE9IfXdahQ==") ?? Data()

    static let identities: [Curve25519.Signing.PrivateKey] = (1...3).compactMap {
        try? .init(rawRepresentation: Data(repeating: $0, count: 32))
    }

    static var roster: [Data] { identities.map { $0.publicKey.rawRepresentation } }

    static func plan(isMasked: Bool) -> FederatedPlan? {
        guard let grid = try? UpdateGrid(range: 1) else { return nil }
        return FederatedPlan(
            name: "fuzzed", strategy: .fedAvg, aggregation: isMasked ? .masked(threshold: 3, colluders: 0) : .plain,
            rounds: 2,
            spareRounds: 2, least: isMasked ? 3 : 1, parameterCount: 2, grid: grid, work: Data(repeating: 1, count: 32),
            leastSeconds: 10)
    }

    static func coordinator(isMasked: Bool) -> Coordinator? {
        plan(isMasked: isMasked).flatMap { try? Coordinator(plan: $0, roster: roster, run: run, weights: [0, 0.5]) }
    }

    static func participant(isMasked: Bool) -> Participant? {
        plan(isMasked: isMasked).flatMap {
            try? Participant(
                plan: $0, policy: FederationPolicy(ways: [.plain, .masked]), roster: roster, run: run,
                identity: identities[0])
        }
    }
}
