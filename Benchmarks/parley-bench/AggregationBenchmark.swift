import Crypto
import Foundation
import MultipartyComputation
import Secrets
import Synchronization

/// Rounds of secure aggregation: what one participant and the coordinator compute, with all messages made in this process.
struct AggregationBenchmark {
    let name: String
    let participants: Int
    let length: Int
    let bits: Int
    let threshold: Int
    let colluders: Int
    var graph = AggregationGraph.complete
    /// How many leave behind the shares, each measured from there.
    let dropouts: [Int]
    /// Every participant masks, and the sum is checked; else one does, and other vectors stand for those of the rest.
    let isWhole: Bool

    /// Seconds of CPU and of the clock.
    private struct Spent {
        var cpu = 0.0
        var wall = 0.0

        mutating func measure<Result>(_ work: () throws -> Result) rethrows -> Result {
            let (cpu, wall) = (processorSeconds(), wallSeconds())
            let result = try work()
            self.cpu += processorSeconds() - cpu
            self.wall += wallSeconds() - wall
            return result
        }
    }

    /// Participants as far as they came.
    private struct Population {
        let session: AggregationSession
        let identities: [Curve25519.Signing.PrivateKey]
        var participants: [AggregationParticipant] = []

        /// A step of each: the first is measured, the others on all cores.
        mutating func step<Message: Sendable>(
            _ places: [Int], _ client: inout Spent,
            _ work: @escaping @Sendable (inout AggregationParticipant, Curve25519.Signing.PrivateKey) throws -> Message
        ) throws -> [Message] {
            var first = participants[places[0]]
            let message = try client.measure { try work(&first, identities[places[0]]) }
            participants[places[0]] = first
            let (before, keys) = (participants, identities)
            let results = Mutex([Int: (AggregationParticipant, Message)]())
            DispatchQueue.concurrentPerform(iterations: places.count - 1) { offset in
                let place = places[offset + 1]
                var participant = before[place]
                guard let message = try? work(&participant, keys[place]) else { return }
                let result = (participant, message)
                results.withLock { $0[place] = result }
            }
            var messages = [message]
            for (place, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
                participants[place] = result.0
                messages.append(result.1)
            }
            precondition(messages.count == places.count, "a participant failed")
            return messages
        }
    }

    func run() throws {
        let identities = (0..<participants).map { _ in Curve25519.Signing.PrivateKey() }
        let session = try AggregationSession(
            identifier: Data(SecureRandom.bytes(16)), subject: Data(SecureRandom.bytes(32)),
            roster: identities.map { $0.publicKey.rawRepresentation }, length: length, modulusBits: bits,
            threshold: threshold, colluders: colluders, graph: graph)
        var population = Population(session: session, identities: identities)
        var (client, server) = (Spent(), Spent())
        for place in 0..<participants {
            let make = { try AggregationParticipant(session: session, index: place, identity: identities[place]) }
            population.participants.append(try place == 0 ? client.measure(make) : make())
        }
        let everyone = Array(0..<participants)
        var coordinator = AggregationCoordinator(session: session)
        let advertisements = try server.measure {
            for participant in population.participants { _ = try coordinator.receive(participant.advertisement) }
            return try coordinator.closeAdvertising()
        }
        let shares = try population.step(everyone, &client) { participant, _ in try participant.share(advertisements) }
        try server.measure {
            for message in shares { _ = try coordinator.receive(message) }
            _ = try coordinator.closeSharing()
        }
        let asked = coordinator
        _ = try population.step(everyone, &client) { participant, _ in
            try participant.receive(asked.shares(for: participant.index))
        }
        let mask = UInt64.max >> UInt64(64 - bits)
        let inputs = (0..<(isWhole ? participants : 4)).map { place in
            var random = SeededGenerator(seed: UInt64(place))
            return (0..<length).map { _ in random.next() & mask }
        }
        let whole = isWhole
        let masked = try population.step(everyone, &client) { participant, _ in
            let input = inputs[participant.index % inputs.count]
            if whole || participant.index == 0 { return try participant.mask(input) }
            try participant.bind { Array(input[$0]) }
            return input
        }
        for count in dropouts {
            try finish((population, coordinator, client, server), masked, staying: participants - count, inputs)
        }
    }

    private func finish(
        _ begun: (population: Population, coordinator: AggregationCoordinator, client: Spent, server: Spent),
        _ masked: [[UInt64]],
        staying: Int, _ inputs: [[UInt64]]
    ) throws {
        var (population, coordinator, client, server) = begun
        let session = population.session
        var sum = MaskedSum(session)
        let survivors = try server.measure {
            for place in 0..<staying { try sum.add(masked[place], from: place, session: session) }
            return try coordinator.closeMasking(sum)
        }
        let signatures = try population.step(survivors, &client) { participant, identity in
            try participant.confirm(survivors: survivors, identity: identity)
        }
        let signed = try server.measure {
            for signature in signatures { _ = try coordinator.receive(signature) }
            return try coordinator.closeConfirming()
        }
        let replies = try population.step(survivors, &client) { participant, _ in
            try participant.unmask(survivors: survivors, confirmations: signed)
        }
        let opened = try server.measure {
            for reply in replies { _ = try coordinator.receive(reply) }
            return try coordinator.open(sum)
        }
        if isWhole {
            let mask = UInt64.max >> UInt64(64 - bits)
            var expected = [UInt64](repeating: 0, count: length)
            for place in survivors {
                for index in 0..<length { expected[index] = (expected[index] &+ inputs[place][index]) & mask }
            }
            guard opened.sum == expected else { throw Wrong() }
        }
        report(
            staying == participants ? name : "\(name)_\(participants - staying)_drop_out",
            [
                ("participants", Double(participants)), ("length", Double(length)), ("client_cpu_s", client.cpu),
                ("client_wall_s", client.wall), ("server_cpu_s", server.cpu), ("server_wall_s", server.wall),
                // One after the other on one thread, as in a process that plays all of them.
                ("all_cpu_s", Double(participants) * client.cpu + server.cpu), ("peak_mb", peakMegabytes()),
            ])
    }

    private struct Wrong: Error {}
}
