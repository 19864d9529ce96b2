import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

/// Whether what the coordinator sees shows the sum alone: its view is drawn for two input sets that it may not tell apart, and the two laws are compared.
///
/// Each comparison is a chi-square test of a false-alarm rate of 1e-6. The broken copies are the same views with a mask taken off that nobody opened.
@Suite struct CoordinatorViewTests {
    private static let length = 40_000

    /// Three participants with one and the same value in each entry, modulo 4, after masking.
    private func masked(_ values: [UInt64]) throws -> (Population, [[UInt64]]) {
        var population = try Population(3, length: Self.length, bits: 2, threshold: 3, colluders: 1)
        try population.share()
        _ = try population.deliver()
        let vectors = try values.indices.map {
            try population.participants[$0].mask([UInt64](repeating: values[$0], count: Self.length))
        }
        return (population, vectors)
    }

    /// For each of the 64 values of the three participants' entries, how often it is seen once these masks are taken off.
    private func law(_ values: [UInt64], own: [Int] = [], pairs: [[Int]] = []) throws -> [Double] {
        var (population, vectors) = try masked(values)
        let session = population.session
        func takeOff(_ key: SymmetricKey, _ participant: Int, isNegative: Bool) {
            let stream = MaskStream(key: key, modulusBits: 2, isNegative: isNegative)
            MaskStream.addAll([stream], to: &vectors[participant], offset: 0, modulusMask: 3, threads: 1)
        }
        for participant in own {
            let keys = try population.participants[participant].keys(for: "test")
            takeOff(
                PairKeys.ownMask(keys.seed.data, participant: participant, session: session.digest), participant,
                isNegative: true)
        }
        for pair in pairs {
            let keys = try population.participants[pair[0]].keys(for: "test")
            let key = try PairKeys.mask(
                .init(rawRepresentation: keys.mask.data), of: pair[0],
                peer: (pair[1], population.participants[pair[1]].advertisement.maskKey), session: session.digest)
            takeOff(key, pair[0], isNegative: true)
            takeOff(key, pair[1], isNegative: false)
        }
        var counts = [Double](repeating: 0, count: 64)
        for entry in 0..<Self.length {
            counts[Int(vectors[0][entry] << 4 | vectors[1][entry] << 2 | vectors[2][entry])] += 1
        }
        return counts
    }

    /// Two samples of one size: whether they can be of one law.
    private func agree(_ a: [Double], _ b: [Double]) -> Bool {
        let seen = a.indices.filter { a[$0] + b[$0] > 0 }
        let statistic = seen.reduce(0) { $0 + (a[$1] - b[$1]) * (a[$1] - b[$1]) / (a[$1] + b[$1]) }
        return statistic < limit(seen.count - 1)
    }

    /// Above this a chi-square variable is with probability 1e-6 at most (Wilson and Hilferty 1931, with 4.9 standard deviations for 4.75).
    private func limit(_ freedom: Int) -> Double {
        guard freedom > 0 else { return 1e-9 }
        let part = 2 / (9 * Double(freedom))
        return Double(freedom) * pow(1 - part + 4.9 * part.squareRoot(), 3)
    }

    private func isUniform(_ counts: [Double]) -> Bool {
        let expected = counts.reduce(0, +) / Double(counts.count)
        return counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected } < limit(counts.count - 1)
    }

    @Test("Before anything is opened, masked entries are uniform and independent, whatever the inputs")
    func arriving() throws {
        #expect(isUniform(try law([1, 2, 3])))
        #expect(isUniform(try law([0, 0, 0])))
        // Without self-masks they add up to the sum.
        #expect(!isUniform(try law([1, 2, 3], own: [0, 1, 2])))
    }

    @Test("Once all self-masks are opened, inputs of one sum give one law, and of another sum another")
    func opened() throws {
        let (one, other) = (try law([1, 2, 3], own: [0, 1, 2]), try law([2, 0, 0], own: [0, 1, 2]))
        #expect(agree(one, other))
        #expect(one.count { $0 > 0 } == 16)
        #expect(!agree(one, try law([1, 2, 2], own: [0, 1, 2])))
    }

    @Test("With a colluder's masks too, the honest inputs of one sum give one law; without one pair's mask they do not")
    func colluder() throws {
        let known = [[0, 2], [1, 2]]
        #expect(
            agree(
                try law([1, 2, 3], own: [0, 1, 2], pairs: known), try law([0, 3, 3], own: [0, 1, 2], pairs: known)))
        let broken = known + [[0, 1]]
        #expect(
            !agree(
                try law([1, 2, 3], own: [0, 1, 2], pairs: broken), try law([0, 3, 3], own: [0, 1, 2], pairs: broken)))
    }

    @Test("Of one who arrives late, whose pairs are opened, nothing is seen; without self-masks its input is")
    func late() throws {
        // The second one is late: the sum is of the others, and equal in both.
        let left = [[0, 1], [1, 2]]
        #expect(agree(try law([1, 2, 3], own: [0, 2], pairs: left), try law([3, 0, 1], own: [0, 2], pairs: left)))
        #expect(
            !agree(try law([1, 2, 3], own: [0, 1, 2], pairs: left), try law([3, 0, 1], own: [0, 1, 2], pairs: left)))
    }

    @Test(
        "Where a participant was told another session, even one that skips the signatures, the opened sum is uniform noise"
    )
    func anotherSession() throws {
        var population = try Population(4, length: Self.length, bits: 4, threshold: 3)
        try population.share()
        _ = try population.deliver()
        let zeros = [UInt64](repeating: 0, count: Self.length)
        func sum(_ population: Population) throws -> [UInt64] {
            var population = population
            let survivors = try population.mask([zeros, zeros, zeros, zeros], of: [0, 1, 2, 3])
            return try population.open(survivors, confirming: [1, 2, 3], unmasking: [1, 2, 3]).sum
        }
        #expect(try sum(population) == zeros)
        // The same keys and shares, under another subject.
        let text = String(decoding: try JSONEncoder().encode(population.participants[0]), as: UTF8.self)
        let changed = text.replacingOccurrences(
            of: escaped(population.session.subject), with: escaped(Data(repeating: 2, count: 32)))
        try #require(changed != text)
        population.participants[0] = try JSONDecoder().decode(AggregationParticipant.self, from: Data(changed.utf8))
        var counts = [Double](repeating: 0, count: 16)
        for value in try sum(population) { counts[Int(value)] += 1 }
        #expect(isUniform(counts))
    }

    private func escaped(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "/", with: #"\/"#)
    }
}
