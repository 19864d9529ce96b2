import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct AdversaryTests {
    private func masked(_ count: Int = 5, threshold: Int = 4) throws -> (Population, [[UInt64]]) {
        var population = try Population(count, threshold: threshold)
        let inputs = population.inputs(seed: 1)
        try population.share()
        _ = try population.deliver()
        for index in 0..<count { _ = try population.participants[index].mask(inputs[index]) }
        return (population, inputs)
    }

    @Test("An advertisement of another session is refused, by participants and by the coordinator")
    func replay() throws {
        var population = try Population(4, threshold: 3)
        let other = try AggregationSession(
            identifier: Data(repeating: 7, count: 16), subject: population.session.subject,
            roster: population.session.roster, length: 3,
            modulusBits: 16, threshold: 3)
        let old = try AggregationParticipant(session: other, index: 2, identity: population.identities[2]).advertisement
        #expect(throws: AggregationError.badSignature(participant: 2, round: .advertise)) {
            try population.coordinator.receive(old)
        }
        var all = population.participants.map(\.advertisement)
        all[2] = old
        #expect(throws: AggregationError.badSignature(participant: 2, round: .advertise)) {
            try population.participants[0].share(all)
        }
    }

    @Test("A forged, moved or changed advertisement is refused; the same key twice too")
    func forgedAdvertisements() throws {
        var population = try Population(4, threshold: 3)
        let all = population.participants.map(\.advertisement)
        let stranger = Curve25519.Signing.PrivateKey()
        func replaced(_ place: Int, _ new: Advertisement) -> [Advertisement] {
            var changed = all
            changed[place] = new
            return changed
        }
        func signed(_ sender: Int, _ encryption: Data, _ mask: Data, by key: Curve25519.Signing.PrivateKey) throws
            -> Advertisement
        {
            let commitment = Data(count: 32)
            let unsigned = Advertisement(
                sender: sender, encryptionKey: encryption, maskKey: mask, commitment: commitment, signature: Data())
            return Advertisement(
                sender: sender, encryptionKey: encryption, maskKey: mask, commitment: commitment,
                signature: try key.signature(for: unsigned.signedBytes(population.session).data))
        }
        let fresh = (0..<2).map { _ in Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation }
        let cases: [([Advertisement], AggregationError)] = [
            (
                replaced(1, try signed(1, fresh[0], fresh[1], by: stranger)),
                .badSignature(participant: 1, round: .advertise)
            ),
            (
                replaced(
                    1,
                    Advertisement(
                        sender: 1, encryptionKey: all[2].encryptionKey, maskKey: all[2].maskKey,
                        commitment: all[2].commitment,
                        signature: all[2].signature)), .badSignature(participant: 1, round: .advertise)
            ),
            (
                replaced(1, try signed(1, all[3].maskKey, fresh[1], by: population.identities[1])),
                .repeatedKey(participant: 3)
            ),
            (
                replaced(1, try signed(1, fresh[0], fresh[0], by: population.identities[1])),
                .repeatedKey(participant: 1)
            ),
            (
                replaced(0, try signed(0, fresh[0], fresh[1], by: population.identities[0])),
                .ownMessageChanged(participant: 0, round: .advertise)
            ),
            (Array(all.dropFirst()), .ownMessageChanged(participant: 0, round: .advertise)),
            (Array(all.prefix(2)), .tooFew(round: .advertise, count: 2, needed: 3)),
            (all + [all[2]], .conflicting(participant: 2, round: .advertise)),
            (replaced(1, try signed(9, fresh[0], fresh[1], by: stranger)), .notInRoster(9, participants: 4)),
            (replaced(1, try signed(-1, fresh[0], fresh[1], by: stranger)), .notInRoster(-1, participants: 4)),
        ]
        for (advertisements, error) in cases {
            #expect(throws: error) { try population.participants[0].share(advertisements) }
        }
        #expect(try population.coordinator.receive(all[1]) == .taken)
        #expect(try population.coordinator.receive(all[1]) == .repeated)
        let second = try signed(1, fresh[0], fresh[1], by: population.identities[1])
        #expect(throws: AggregationError.conflicting(participant: 1, round: .advertise)) {
            try population.coordinator.receive(second)
        }
        // Nothing of all this changed the participant.
        let first = try population.participants[0].share(all)
        #expect(try population.participants[0].share(all.reversed()) == first)
        #expect(throws: AggregationError.order("share", expected: "the advertisements of the first time")) {
            try population.participants[0].share(Array(all.prefix(3)))
        }
    }

    @Test("Ciphertexts that were swapped, changed or given to another are refused with the name of the sender")
    func swappedShares() throws {
        var population = try Population(4, threshold: 3)
        try population.share()
        _ = try population.coordinator.closeSharing()
        let right = population.coordinator.shares(for: 0)
        let toOne = population.coordinator.shares(for: 1)
        var cases: [([EncryptedShare], AggregationError)] = []
        var swapped = right
        swapped[0] = EncryptedShare(sender: 1, receiver: 0, box: right[1].box)
        swapped[1] = EncryptedShare(sender: 2, receiver: 0, box: right[0].box)
        cases.append((swapped, .cannotDecrypt(sender: 1, receiver: 0)))
        // From 2 for 1, given to 0; and 0's own for 1, sent back as 1's for 0.
        for (place, share) in toOne.enumerated().prefix(2) {
            var changed = right
            let sender = [1, 2][place]
            changed[place] = EncryptedShare(sender: sender, receiver: 0, box: share.box)
            cases.append((changed, .cannotDecrypt(sender: sender, receiver: 0)))
        }
        var flipped = right
        var box = right[2].box
        box[40] ^= 1
        flipped[2] = EncryptedShare(sender: 3, receiver: 0, box: box)
        cases.append((flipped, .cannotDecrypt(sender: 3, receiver: 0)))
        cases.append((Array(right.prefix(1)), .tooFewNeighbours(of: 0, round: .share, count: 2, needed: 3)))
        for (shares, error) in cases { #expect(throws: error) { try population.participants[0].receive(shares) } }
        for junk in [
            right + [right[0]], right + [EncryptedShare(sender: 0, receiver: 0, box: right[0].box)],
            right + [EncryptedShare(sender: Int.max, receiver: 0, box: right[0].box)],
            [EncryptedShare(sender: 1, receiver: 0, box: Data())] + right.dropFirst(), toOne,
        ] {
            let error = #expect(throws: AggregationError.self) { try population.participants[0].receive(junk) }
            guard case .malformed? = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
        try population.participants[0].receive(right)
        #expect(throws: AggregationError.order("receive", expected: "shares of the senders of the first time")) {
            try population.participants[0].receive(Array(right.prefix(2)))
        }
    }

    @Test(
        "A coordinator that tells different survivors to different participants gets no shares, however it splits them")
    func splitSurvivors() throws {
        let (start, _) = try masked()
        // 0, 1 and 2 are told that 4 left; 3 and 4 that 0 left.
        let sets = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]]
        var population = start
        var confirmations: [SurvivorSignature] = []
        for index in 0..<5 {
            confirmations.append(
                try population.participants[index].confirm(
                    survivors: sets[index], identity: population.identities[index]))
        }
        for index in 0..<5 {
            let same = confirmations.filter { sets[$0.sender] == sets[index] }
            #expect(throws: AggregationError.tooFew(round: .confirm, count: same.count, needed: 4)) {
                try population.participants[index].unmask(survivors: sets[index], confirmations: same)
            }
            // Signatures on the other set do not stand for this one, nor does one twice count twice.
            #expect(throws: AggregationError.self) {
                try population.participants[index].unmask(survivors: sets[index], confirmations: confirmations)
            }
            #expect(throws: AggregationError.tooFew(round: .confirm, count: same.count, needed: 4)) {
                try population.participants[index].unmask(survivors: sets[index], confirmations: same + same + same)
            }
            #expect(throws: AggregationError.anotherSet(participant: index)) {
                try population.participants[index].confirm(
                    survivors: [0, 1, 2, 3, 4], identity: population.identities[index])
            }
        }
    }

    @Test("Survivors that lack the participant, are too few, unsorted, strangers or did not share are not signed")
    func badSurvivors() throws {
        var population = try Population(6, threshold: 4)
        try population.share(advertising: [0, 1, 2, 3, 4], sharing: [0, 1, 2, 3])
        _ = try population.deliver()
        let identity = population.identities[0]
        #expect(throws: AggregationError.order("confirm", expected: "an input that was bound and masked before it")) {
            try population.participants[0].confirm(survivors: [0, 1, 2, 3], identity: identity)
        }
        _ = try population.participants[0].mask([1, 2, 3])
        for survivors in [
            [1, 2, 3], [0, 1, 2], [0, 1, 2, 2], [3, 2, 1, 0], [0, 1, 2, 4], [0, 1, 2, 5], [0, 1, 2, Int.max],
            [Int.min, 0, 1, 2], [],
        ] {
            #expect(throws: AggregationError.self) {
                try population.participants[0].confirm(survivors: survivors, identity: identity)
            }
        }
        #expect(throws: AggregationError.identityOfAnother(participant: 0)) {
            try population.participants[0].confirm(survivors: [0, 1, 2, 3], identity: population.identities[1])
        }
        #expect(try population.participants[0].confirm(survivors: [0, 1, 2, 3], identity: identity).sender == 0)
    }

    @Test(
        "Shares are opened for one set, of each owner one kind; a second set is refused, the first again gives the same bytes"
    )
    func unmaskingOnce() throws {
        var (population, _) = try masked()
        let survivors = [0, 1, 2, 3]
        let confirmations = try survivors.map {
            try population.participants[$0].confirm(survivors: survivors, identity: population.identities[$0])
        }
        var forged = confirmations
        forged[1] = SurvivorSignature(sender: 1, signature: confirmations[2].signature)
        #expect(throws: AggregationError.badSignature(participant: 1, round: .confirm)) {
            try population.participants[0].unmask(survivors: survivors, confirmations: forged)
        }
        forged[1] = SurvivorSignature(sender: 4, signature: confirmations[1].signature)
        #expect(throws: AggregationError.badSignature(participant: 4, round: .confirm)) {
            try population.participants[0].unmask(survivors: survivors, confirmations: forged)
        }
        let reply = try population.participants[0].unmask(survivors: survivors, confirmations: confirmations)
        #expect(reply.maskKeyShares.map(\.owner) == [4])
        #expect(reply.seedShares.map(\.owner) == [0, 1, 2, 3])
        #expect(try population.participants[0].unmask(survivors: survivors, confirmations: []) == reply)
        for other in [[0, 1, 2, 4], [0, 1, 2, 3, 4], [0, 1, 2]] {
            #expect(throws: AggregationError.anotherSet(participant: 0)) {
                try population.participants[0].unmask(survivors: other, confirmations: confirmations)
            }
        }
        // Its keys are gone, and with them whatever could mask or share again.
        #expect(throws: AggregationError.self) { try population.participants[0].masking() }
        let stored = String(
            decoding: try JSONEncoder().encode(population.participants[0].state.received), as: UTF8.self)
        #expect(!stored.contains(reply.seedShares[1].value.base64EncodedString()))
    }

    @Test("Another input under the same masks is refused; the same gives the same bytes")
    func secondInput() throws {
        var (population, inputs) = try masked()
        let first = try population.participants[0].mask(inputs[0])
        try population.store()
        #expect(try population.participants[0].mask(inputs[0]) == first)
        var other = inputs[0]
        other[2] ^= 1
        #expect(throws: AggregationError.anotherInput(chunk: 0)) { try population.participants[0].mask(other) }
        #expect(throws: AggregationError.anotherInput(chunk: 0)) {
            try population.participants[0].masking().apply(to: &other, chunk: 0)
        }
        #expect(throws: AggregationError.parameter("input", expected: "3 entries")) {
            try population.participants[0].mask([1])
        }
        #expect(throws: AggregationError.self) { try population.participants[1].mask([1, 2, 1 << 16]) }
        #expect(throws: AggregationError.self) { try population.participants[1].masking().apply(to: &other, chunk: 1) }
        #expect(throws: AggregationError.self) { try population.participants[1].masking().apply(to: &other, chunk: -1) }
    }

    @Test("Participants to whom different sessions are told do not take each other's keys")
    func differentSessions() throws {
        let population = try Population(4, threshold: 3)
        let changed = try AggregationSession(
            identifier: population.session.identifier, subject: Data(repeating: 2, count: 32),
            roster: population.session.roster,
            length: 3, modulusBits: 16, threshold: 3)
        var one = population.participants[0]
        let other = try AggregationParticipant(session: changed, index: 1, identity: population.identities[1])
        var all = population.participants.map(\.advertisement)
        all[1] = other.advertisement
        #expect(throws: AggregationError.badSignature(participant: 1, round: .advertise)) { try one.share(all) }
    }

    @Test("Below the threshold every round ends with its name, how many, and how many are needed")
    func tooFew() throws {
        var population = try Population(5, threshold: 4)
        let inputs = population.inputs(seed: 2)
        #expect(throws: AggregationError.tooFew(round: .advertise, count: 3, needed: 4)) {
            try population.share(advertising: [0, 1, 2])
        }
        _ = try population.coordinator.receive(population.participants[3].advertisement)
        _ = try population.coordinator.receive(population.participants[4].advertisement)
        let all = try population.coordinator.closeAdvertising()
        for index in 0..<3 { _ = try population.coordinator.receive(population.participants[index].share(all)) }
        #expect(throws: AggregationError.tooFew(round: .share, count: 3, needed: 4)) {
            try population.coordinator.closeSharing()
        }
        for index in 3..<5 { _ = try population.coordinator.receive(population.participants[index].share(all)) }
        _ = try population.deliver()
        let before = population
        #expect(throws: AggregationError.tooFew(round: .mask, count: 3, needed: 4)) {
            try population.mask(inputs, of: [0, 1, 2])
        }
        population = before
        let survivors = try population.mask(inputs, of: [0, 1, 2, 3])
        let confirmed = population
        #expect(throws: AggregationError.tooFew(round: .confirm, count: 3, needed: 4)) {
            try population.open(survivors, confirming: [0, 1, 2], unmasking: [0, 1, 2])
        }
        population = confirmed
        #expect(throws: AggregationError.tooFew(round: .unmask, count: 3, needed: 4)) {
            try population.open(survivors, confirming: [0, 1, 2, 3], unmasking: [0, 1, 2])
        }
    }
}
