import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct AggregationSumTests {
    @Test("The opened sum is the plain sum modulo 2^k, whoever drops out after which round", arguments: 0..<40)
    func equalsPlainSum(seed: UInt64) throws {
        var random = SeededGenerator(seed: 1000 + seed)
        let count = 3 + random.below(9)
        let threshold = max(3, count / 2 + 1 + random.below(max(1, count / 3)))
        var population = try Population(
            count, length: 1 + random.below(9000), bits: 1 + random.below(64), threshold: min(threshold, count))
        var left = count - population.session.threshold
        func drop(_ set: Set<Int>) -> Set<Int> {
            let count = random.below(left + 1)
            left -= count
            return random.leaveOut(count, of: set)
        }
        let inputs = population.inputs(seed: seed)
        let advertising = drop(population.everyone)
        let sharing = drop(advertising)
        try population.share(advertising: advertising, sharing: sharing)
        #expect(try population.deliver() == sharing.sorted())
        let survivors = try population.mask(inputs, of: drop(sharing))
        let confirming = drop(Set(survivors))
        let result = try population.open(survivors, confirming: confirming, unmasking: drop(confirming))
        #expect(result.sum == population.plainSum(inputs, of: survivors))
        #expect(result.participants == survivors)
        #expect(result.wrongShares.isEmpty)
    }

    @Test("A sparse graph gives the plain sum, with drop-outs at each round")
    func sparse() throws {
        var random = SeededGenerator(seed: 5)
        let design = try SparseGraph.least(participants: 200, colluders: 2, dropouts: 20)
        var population = try Population(
            200, length: 5, bits: 40, threshold: 180, colluders: 2,
            graph: .sparse(degree: design.degree, threshold: design.threshold))
        let inputs = population.inputs(seed: 6)
        let advertising = random.leaveOut(4, of: population.everyone)
        let sharing = random.leaveOut(4, of: advertising)
        try population.share(advertising: advertising, sharing: sharing)
        _ = try population.deliver()
        try population.store()
        let survivors = try population.mask(inputs, of: random.leaveOut(4, of: sharing))
        let confirming = random.leaveOut(4, of: Set(survivors))
        let result = try population.open(
            survivors, confirming: confirming, unmasking: random.leaveOut(4, of: confirming))
        #expect(result.sum == population.plainSum(inputs, of: survivors))
    }

    @Test("States survive their encoding at every step")
    func storedStates() throws {
        var population = try Population(5, length: 70_000, bits: 33, threshold: 4)
        let inputs = population.inputs(seed: 9)
        try population.store()
        try population.share(sharing: [0, 1, 2, 3, 4])
        try population.store()
        _ = try population.deliver()
        try population.store()
        let survivors = try population.mask(inputs, of: [0, 1, 3, 4])
        try population.store()
        for index in survivors {
            let first = try population.participants[index].confirm(
                survivors: survivors, identity: population.identities[index])
            try population.store()
            _ = try population.coordinator.receive(first)
        }
        let confirmations = try population.coordinator.closeConfirming()
        try population.store()
        for index in survivors {
            let reply = try population.participants[index].unmask(survivors: survivors, confirmations: confirmations)
            try population.store()
            #expect(
                try population.participants[index].unmask(survivors: survivors, confirmations: confirmations) == reply)
            #expect(try population.coordinator.receive(reply) == .taken)
            #expect(try population.coordinator.receive(reply) == .repeated)
        }
        try population.store()
        #expect(try population.coordinator.open(population.sum).sum == population.plainSum(inputs, of: survivors))
    }

    @Test("The result does not depend on the number of threads")
    func threads() throws {
        var population = try Population(5, length: 70_001, bits: 62, threshold: 4)
        let inputs = population.inputs(seed: 10)
        try population.share()
        _ = try population.deliver()
        let again = try population.participants[0].mask(inputs[0], threads: 2)
        #expect(try population.participants[0].mask(inputs[0], threads: 1) == again)
        let survivors = try population.mask(inputs, of: [0, 1, 3, 4])
        let two = try population.open(survivors, confirming: Set(survivors), unmasking: Set(survivors))
        #expect(try population.coordinator.open(population.sum, threads: 1) == two)
        #expect(two.sum == population.plainSum(inputs, of: survivors))
    }

    @Test("Masking chunk by chunk, in any order, gives the bytes of masking as a whole", arguments: [32, 33])
    func chunks(bits: Int) throws {
        var population = try Population(3, length: 2 * AggregationSession.chunkLength + 17, bits: bits, threshold: 3)
        let input = population.inputs(seed: 11)[1]
        try population.share()
        _ = try population.deliver()
        let session = population.session
        var reads = 0
        try population.participants[1].bind { range in
            reads += 1
            return Array(input[range])
        }
        #expect(reads == 3 && session.chunkCount == 3)
        try population.store()
        let masking = try population.participants[1].masking()
        var masked = [UInt64](repeating: 0, count: input.count)
        for chunk in [2, 0, 1] {
            var values = Array(input[session.chunk(chunk)])
            try masking.apply(to: &values, chunk: chunk)
            masked.replaceSubrange(session.chunk(chunk), with: values)
        }
        #expect(try population.participants[1].mask(input) == masked)
        #expect(masked != input)
    }

    @Test("Values are added a whole vector at a time, chunks in order")
    func masked() throws {
        let session = try Population(3, length: AggregationSession.chunkLength + 1, bits: 8, threshold: 3).session
        var sum = MaskedSum(session)
        let first = [UInt64](repeating: 200, count: AggregationSession.chunkLength)
        try sum.add(first, number: 0, from: 1, session: session)
        #expect(sum.members.isEmpty && !sum.isWhole)
        #expect(throws: AggregationError.order("add", expected: "the rest of participant 1's vector first")) {
            try sum.add(first, number: 0, from: 2, session: session)
        }
        #expect(throws: AggregationError.order("add", expected: "chunk 1 of participant 1")) {
            try sum.add(first, number: 0, from: 1, session: session)
        }
        #expect(throws: AggregationError.parameter("chunk 1", expected: "entries below 2^8")) {
            try sum.add([256], number: 1, from: 1, session: session)
        }
        try sum.add([7], number: 1, from: 1, session: session)
        try sum.add(first + [255], from: 0, session: session)
        #expect(sum.members == [0, 1] && sum.isWhole)
        #expect(sum.values == [UInt64](repeating: 144, count: first.count) + [6])
        #expect(throws: AggregationError.conflicting(participant: 0, round: .mask)) {
            try sum.add(first + [255], from: 0, session: session)
        }
    }

    @Test("A sum of signed values is read back with the least modulus, and not with one bit less")
    func signedSums() throws {
        #expect(try SignedSum.least(participants: 1, magnitude: 0).modulusBits == 1)
        #expect(try SignedSum.least(participants: 1, magnitude: 1).modulusBits == 2)
        #expect(try SignedSum.least(participants: 10, magnitude: 100, noise: 28).modulusBits == 12)
        #expect(try SignedSum.least(participants: 1, magnitude: .max).modulusBits == 64)
        for (participants, magnitude) in [(3, Int64(1) << 20), (500, 123_456_789), (7, 1)] {
            let encoding = try SignedSum.least(participants: participants, magnitude: magnitude)
            let fewer = try SignedSum(modulusBits: encoding.modulusBits - 1)
            for sign in [Int64(1), -1] {
                let residues = (0..<participants).reduce(UInt64(0)) { sum, _ in
                    sum &+ encoding.residue(sign * magnitude)
                }
                #expect(encoding.value(residues) == sign * magnitude * Int64(participants))
            }
            let all = UInt64(magnitude) * UInt64(participants)
            #expect(fewer.value(all) != Int64(all))
        }
        #expect(throws: AggregationError.self) { try SignedSum.least(participants: 2, magnitude: .max) }
        #expect(throws: AggregationError.self) { try SignedSum.least(participants: 2, magnitude: .max, noise: 1) }
        #expect(throws: AggregationError.self) { try SignedSum(modulusBits: 65) }
    }
}
