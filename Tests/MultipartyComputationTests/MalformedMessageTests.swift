import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct MalformedMessageTests {
    /// A population of four of which 3 left, with each round's messages.
    private struct Played {
        var stages: [Population] = []
        var advertisement: Advertisement
        var shares: ShareMessage
        var signature: SurvivorSignature
        var opened: UnmaskMessage
    }

    private func play() throws -> Played {
        var population = try Population(4, threshold: 3)
        var stages = [population]
        let inputs = population.inputs(seed: 4)
        for participant in population.participants { _ = try population.coordinator.receive(participant.advertisement) }
        let all = try population.coordinator.closeAdvertising()
        stages.append(population)
        for index in 0..<4 { _ = try population.coordinator.receive(population.participants[index].share(all)) }
        let shares = try population.participants[1].share(all)
        _ = try population.deliver()
        let survivors = try population.mask(inputs, of: [0, 1, 2])
        stages.append(population)
        for index in 0..<3 {
            _ = try population.coordinator.receive(
                population.participants[index].confirm(survivors: survivors, identity: population.identities[index]))
        }
        let signature = try population.participants[1].confirm(survivors: survivors, identity: population.identities[1])
        let signatures = try population.coordinator.closeConfirming()
        stages.append(population)
        for index in 0..<3 {
            _ = try population.participants[index].unmask(survivors: survivors, confirmations: signatures)
        }
        let opened = try population.participants[1].unmask(survivors: survivors, confirmations: signatures)
        return Played(
            stages: stages, advertisement: population.participants[1].advertisement, shares: shares,
            signature: signature,
            opened: opened)
    }

    private func mutations(_ data: Data, count: Int, seed: UInt64) -> [Data] {
        var random = SeededGenerator(seed: seed)
        let junk = [
            "-1", "9223372036854775807", "-9223372036854775808", "1e400", "NaN", "null", "[]", "{}", #""""#, "65535",
            "99", #""AAAA""#,
        ]
        var result = (0..<count).map { _ in
            var changed = data
            let place = random.below(changed.count)
            switch random.below(4) {
            case 0: changed[place] = UInt8(random.below(256))
            case 1: changed.removeSubrange(place..<min(place + 1 + random.below(8), changed.count))
            default:
                // A number's digits or a text replaced.
                let text = String(decoding: changed, as: UTF8.self)
                let found = text.matches(of: random.below(2) == 0 ? /:-?\d+/ : /:"[^"]*"/)
                if !found.isEmpty {
                    let match = found[random.below(found.count)]
                    changed = Data(
                        text.replacingCharacters(in: match.range, with: ":" + junk[random.below(junk.count)]).utf8)
                }
            }
            return changed
        }
        result += stride(from: 0, to: data.count, by: max(1, data.count / 50)).map { data.prefix($0) }
        return result
    }

    private func taken<Message: Codable & Equatable>(_ message: Message, seed: UInt64, _ take: (Message) throws -> Void)
        throws -> Int
    {
        var others = 0
        for data in mutations(try JSONEncoder().encode(message), count: 400, seed: seed) {
            guard let junk = try? JSONDecoder().decode(Message.self, from: data), junk != message else { continue }
            if (try? take(junk)) != nil { others += 1 }
        }
        return others
    }

    @Test("Junk in messages gives errors: nothing traps, and what is signed is not taken")
    func junkMessages() throws {
        let played = try play()
        #expect(
            try taken(played.advertisement, seed: 1) {
                var fresh = played.stages[0]
                _ = try fresh.coordinator.receive($0)
            } == 0)
        #expect(
            try taken(played.advertisement, seed: 2) { junk in
                var fresh = played.stages[0]
                var all = fresh.participants.map(\.advertisement)
                all[1] = junk
                _ = try fresh.participants[0].share(all)
            } == 0)
        // The coordinator cannot tell junk of the right size from an encrypted share; the receiver can.
        _ = try taken(played.shares, seed: 3) {
            var fresh = played.stages[1]
            _ = try fresh.coordinator.receive($0)
        }
        #expect(
            try taken(played.shares, seed: 4) { junk in
                var fresh = played.stages[1]
                let all = fresh.participants.map(\.advertisement)
                var messages = try (0..<4).map { try fresh.participants[$0].share(all) }
                messages[1] = ShareMessage(sender: 1, shares: junk.shares)
                let toZero = messages.flatMap(\.shares).filter { $0.receiver == 0 }
                // What is untouched is taken, of course.
                guard toZero.first(where: { $0.sender == 1 }) != played.shares.shares[0] else {
                    throw AggregationError.badKey(participant: 0)
                }
                try fresh.participants[0].receive(toZero)
                if toZero.contains(where: { $0.sender == 1 }) == false { throw AggregationError.badKey(participant: 1) }
            } == 0)
        #expect(
            try taken(played.signature, seed: 5) {
                var fresh = played.stages[2]
                _ = try fresh.coordinator.receive($0)
            } == 0)
        _ = try taken(played.opened, seed: 6) { junk in
            var fresh = played.stages[3]
            _ = try fresh.coordinator.receive(junk)
            _ = try fresh.coordinator.open(fresh.sum)
        }
    }

    @Test("Junk in stored states gives errors and does not trap")
    func junkStates() throws {
        let played = try play()
        for (place, stage) in played.stages.enumerated() {
            var read = 0
            for data in mutations(try JSONEncoder().encode(stage.coordinator), count: 300, seed: UInt64(10 + place)) {
                guard var junk = try? JSONDecoder().decode(AggregationCoordinator.self, from: data) else { continue }
                read += 1
                _ = junk.shares(for: 0)
                _ = junk.shares(for: -1)
                _ = try? junk.receive(played.opened)
                _ = try? junk.open(stage.sum)
                _ = try? junk.closeMasking(stage.sum)
                _ = try? junk.closeSharing()
            }
            for data in mutations(try JSONEncoder().encode(stage.participants[1]), count: 300, seed: UInt64(20 + place))
            {
                guard var junk = try? JSONDecoder().decode(AggregationParticipant.self, from: data) else { continue }
                read += 1
                _ = try? junk.share(stage.participants.map(\.advertisement))
                _ = try? junk.receive(stage.coordinator.shares(for: 1))
                _ = try? junk.mask([1, 2, 3])
                _ = try? junk.confirm(survivors: [0, 1, 2], identity: stage.identities[1])
                _ = try? junk.unmask(survivors: [0, 1, 2], confirmations: [played.signature])
            }
            for data in mutations(try JSONEncoder().encode(stage.sum), count: 100, seed: UInt64(30 + place)) {
                guard var junk = try? JSONDecoder().decode(MaskedSum.self, from: data) else { continue }
                _ = try? junk.add([1, 2, 3], from: 3, session: stage.session)
                _ = try? stage.coordinator.open(junk)
            }
            #expect(read > 0)
        }
    }

    @Test("No secret is printed")
    func printing() throws {
        let played = try play()
        let participant = played.stages[3].participants[1]
        let shown = [
            "\(participant)", String(reflecting: participant), "\(played.stages[3].coordinator)",
            String(reflecting: played.opened),
            String(reflecting: participant.state.received ?? []), String(reflecting: try participant.masking()),
        ]
        // Data prints as its number of bytes and, when dumped, as their values.
        for text in shown { #expect(text.count < 600 && !text.contains("bytes")) }
        var dumped = ""
        dump(participant, to: &dumped)
        #expect(dumped.count < 200)
    }
}
