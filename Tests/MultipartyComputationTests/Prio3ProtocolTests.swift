import Secrets
import Testing

@testable import MultipartyComputation

private let context = Array("a task of tests".utf8)

@Suite struct Prio3ProtocolTests {
    @Test("A count is the number of true measurements", arguments: [2, 3, 7, 255])
    func count(shares: Int) throws {
        let run = Prio3Run(prio3: try Prio3Count(shares: shares, context: context))
        #expect(try run.aggregate([true, false, true, true, false]) == 3)
        #expect(try run.aggregate([false]) == 0)
        #expect(try run.aggregate([]) == 0)
    }

    @Test("A sum is the measurements' sum", arguments: [1, 2, 3, 255, 256, 65_536, 1 << 40, 1 << 58])
    func sum(maximum: UInt64) throws {
        var generator = SeededGenerator(seed: maximum)
        let run = Prio3Run(prio3: try Prio3Sum(maximum: maximum, context: context))
        let measurements = [0, maximum, 1, maximum - 1] + (0..<5).map { _ in generator.next() % (maximum + 1) }
        #expect(try run.aggregate(measurements) == Int64(measurements.reduce(0, +)))
    }

    @Test("Sums of vectors are the entries' sums, whatever the chunks", arguments: [1, 2, 5, 16, 33, 35])
    func sumVec(chunkLength: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let run = Prio3Run(prio3: try Prio3SumVec(length: 7, maximum: 20, chunkLength: chunkLength, context: context))
        let measurements = (0..<4).map { _ in (0..<7).map { _ in generator.next() % 21 } }
        let sums = (0..<7).map { entry in Int64(measurements.map { $0[entry] }.reduce(0, +)) }
        #expect(try run.aggregate(measurements) == sums)
    }

    @Test("A histogram counts its buckets, whatever the chunks", arguments: [1, 2, 3, 10, 11])
    func histogram(chunkLength: Int) throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 11, chunkLength: chunkLength, shares: 3, context: context))
        #expect(try run.aggregate([0, 10, 10, 4, 10]) == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3])
    }

    @Test("Vectors of a bounded weight are counted entry by entry", arguments: [1, 2, 3, 4])
    func multihot(maximumWeight: Int) throws {
        let run = Prio3Run(prio3: try Prio3MultihotCountVec(length: 4, maximumWeight: maximumWeight, context: context))
        let none = [Bool](repeating: false, count: 4)
        let most = (0..<4).map { $0 < maximumWeight }
        #expect(try run.aggregate([none, most, most]) == most.map { $0 ? 2 : 0 })
    }

    @Test(
        "Gadgets of a higher degree and of any number of calls prove what is valid and refuse what is not",
        arguments: 1...9)
    func higherDegree(calls: Int) throws {
        let honest = HigherDegreeCircuit(calls: calls)
        let run = Prio3Run(prio3: try Prio3(honest, algorithm: 0xffff_ffff, among: 2, context: context))
        let largest = 2 * UInt64(calls)
        #expect(try run.aggregate([0, 1, largest, largest - 1]) == Int64(2 * largest))
        let liars = Prio3Run(
            prio3: try Prio3(LyingCircuit(honest: honest), algorithm: 0xffff_ffff, among: 2, context: context))
        var lie = [Field64](repeating: Field64.one, count: calls)
        lie[calls - 1] = Field64(3)
        #expect(throws: Prio3Error.invalidProof) { try liars.aggregate([lie]) }
    }

    @Test("Several proofs over the smaller field add up as one does")
    func multiproof() throws {
        let circuit = SumVecField64Circuit(length: 9, maximum: 6, chunkLength: 4)
        let run = Prio3Run(prio3: try Prio3(circuit, algorithm: 0xffff_ffff, proofs: 3, among: 4, context: context))
        let measurement: [UInt64] = [0, 1, 2, 3, 4, 5, 6, 0, 6]
        #expect(try run.aggregate([measurement, measurement]) == measurement.map { 2 * Int64($0) })
    }

    @Test("Parts of an aggregator's sum merge to the whole")
    func merge() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 5, context: context))
        let (first, second) = (try run.aggregateShares([0, 1]), try run.aggregateShares([1, 4, 4]))
        let merged = try zip(first, second).map { first, second in
            var sum = first
            try sum.merge(second)
            return sum.encoded
        }
        #expect(try run.prio3.unshard(merged, count: 5) == [1, 2, 0, 0, 2])
    }

    @Test("The chunk length by default gives the shortest proof", arguments: [1, 2, 3, 10, 100, 256, 1000, 4096])
    func chunkLength(length: Int) throws {
        func proofLength(_ chunkLength: Int) -> Int {
            HistogramCircuit(length: length, chunkLength: chunkLength).proofLength
        }
        let chosen = try Prio3Limits.chunkLength(nil, for: length)
        #expect(proofLength(chosen) == (1...length).map { proofLength($0) }.min())
    }

    @Test("Two reports of a measurement have nothing in common")
    func fresh() throws {
        let prio3 = try Prio3Histogram(length: 5, context: context)
        let (first, second) = (try prio3.shard(3), try prio3.shard(3))
        #expect(first.nonce != second.nonce && first.publicShare != second.publicShare)
        for (a, b) in zip(first.inputShares, second.inputShares) { #expect(a != b) }
    }

    @Test("A measurement that is not valid is refused, by what would be valid")
    func invalid() throws {
        #expect(throws: Prio3Error.measurement(expected: "an integer from 0 to 100")) {
            try Prio3Sum(maximum: 100, context: context).shard(101)
        }
        let vectors = try Prio3SumVec(length: 2, maximum: 100, context: context)
        for measurement in [[1], [1, 2, 3], [1, 101], []] as [[UInt64]] {
            #expect(throws: Prio3Error.measurement(expected: "2 integers from 0 to 100")) {
                try vectors.shard(measurement)
            }
        }
        for bucket in [-1, 5, Int.min, Int.max] {
            #expect(throws: Prio3Error.measurement(expected: "a bucket from 0 to 4")) {
                try Prio3Histogram(length: 5, context: context).shard(bucket)
            }
        }
        let multihot = try Prio3MultihotCountVec(length: 3, maximumWeight: 2, context: context)
        for measurement in [[true, true, true], [true], []] {
            #expect(throws: Prio3Error.measurement(expected: "3 entries, of which at most 2 are true")) {
                try multihot.shard(measurement)
            }
        }
    }

    @Test("Parameters out of range are refused, those at the ends are not")
    func parameters() throws {
        _ = try Prio3Count(shares: 255, context: [UInt8](repeating: 1, count: 65_527))
        _ = try Prio3Sum(maximum: 1 << 62, context: [])
        _ = try Prio3SumVec(length: (1 << 20) / 63, maximum: 1 << 62, context: [])
        _ = try Prio3Histogram(length: 1 << 20, context: [])
        let wrong: [(String, () throws -> Void)] = [
            ("shares", { _ = try Prio3Count(shares: 1, context: []) }),
            ("shares", { _ = try Prio3Count(shares: 256, context: []) }),
            ("context", { _ = try Prio3Count(context: [UInt8](repeating: 1, count: 65_528)) }),
            ("maximum", { _ = try Prio3Sum(maximum: 0, context: []) }),
            ("maximum", { _ = try Prio3Sum(maximum: 1 << 62 + 1, context: []) }),
            ("length", { _ = try Prio3SumVec(length: 0, maximum: 1, context: []) }),
            ("length", { _ = try Prio3SumVec(length: (1 << 20) / 63 + 1, maximum: 1 << 62, context: []) }),
            ("length", { _ = try Prio3Histogram(length: 1 << 20 + 1, context: []) }),
            ("length", { _ = try Prio3Histogram(length: Int.min, context: []) }),
            ("chunkLength", { _ = try Prio3Histogram(length: 4, chunkLength: 0, context: []) }),
            ("chunkLength", { _ = try Prio3Histogram(length: 4, chunkLength: 5, context: []) }),
            ("maximumWeight", { _ = try Prio3MultihotCountVec(length: 4, maximumWeight: 5, context: []) }),
            ("maximumWeight", { _ = try Prio3MultihotCountVec(length: 4, maximumWeight: 0, context: []) }),
            ("length", { _ = try Prio3MultihotCountVec(length: Int.max, maximumWeight: 5, context: []) }),
        ]
        for (name, make) in wrong {
            do {
                try make()
                Issue.record("\(name) was taken")
            } catch Prio3Error.parameter(let named, _) {
                #expect(named == name)
            }
        }
    }
}

@Suite struct Prio3NoiseTests {
    @Test("The sum has all aggregators' noise on top, below zero as well")
    func noise() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 3, context: context))
        var shares = try run.aggregateShares([0, 2, 2])
        try shares[0].addNoise([5, -7, 0])
        try shares[1].addNoise([-100, 3, 1 << 40])
        let encoded = shares.map(\.encoded)
        #expect(try run.prio3.unshard(encoded, count: 3, noiseBound: 1 << 41) == [-94, -4, 2 + 1 << 40])
        #expect(throws: Prio3Error.impossibleSum(count: 3)) {
            try run.prio3.unshard(encoded, count: 3, noiseBound: 1 << 39)
        }
    }

    @Test("A sum that the count or the noise cannot give is refused, and one at the bound is not")
    func bounds() throws {
        let run = Prio3Run(prio3: try Prio3Sum(maximum: 10, context: context))
        var shares = try run.aggregateShares([10, 10, 10])
        #expect(try run.prio3.unshard(shares.map(\.encoded), count: 3) == 30)
        #expect(throws: Prio3Error.impossibleSum(count: 2)) {
            try run.prio3.unshard(shares.map(\.encoded), count: 2)
        }
        try shares[1].addNoise([-35])
        #expect(try run.prio3.unshard(shares.map(\.encoded), count: 3, noiseBound: 5) == -5)
        #expect(throws: Prio3Error.impossibleSum(count: 3)) {
            try run.prio3.unshard(shares.map(\.encoded), count: 3, noiseBound: 4)
        }
        #expect(throws: Prio3Error.impossibleSum(count: 3)) { try run.prio3.unshard(shares.map(\.encoded), count: 3) }
    }

    @Test("Sums that could not be told from an overflow are refused beforehand")
    func overflow() throws {
        let prio3 = try Prio3Sum(maximum: 1 << 61, context: context)
        let share = try prio3.aggregateInit(aggregator: 0).encoded
        #expect(try prio3.unshard([share, share], count: 2) == 0)
        let wrong: [(count: Int, noiseBound: Int64)] = [
            (3, 0), (2, 1), (1, (1 << 61) + 1), (Int.max, 0), (0, .max), (0, -1), (0, .min), (-1, 0),
        ]
        for (count, noiseBound) in wrong {
            #expect(throws: Prio3Error.self) {
                try prio3.unshard([share, share], count: count, noiseBound: noiseBound)
            }
        }
        #expect(try prio3.unshard([share, share], count: 1, noiseBound: 1 << 61) == 0)
    }

    @Test("Noise of another length is refused, and the share is as it was")
    func length() throws {
        var share = try Prio3Histogram(length: 3, context: context).aggregateInit(aggregator: 1)
        let before = share.encoded
        for noise in [[], [1, 2], [1, 2, 3, 4]] as [[Int64]] {
            #expect(throws: Prio3Error.parameter("noise", expected: "3 integers")) { try share.addNoise(noise) }
        }
        #expect(share.encoded == before)
    }

    @Test("Sums of one's shares of different reports are no sum")
    func differentReports() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 8, context: context))
        let (first, second) = (try run.aggregateShares([1, 1]), try run.aggregateShares([1, 1]))
        #expect(throws: Prio3Error.impossibleSum(count: 2)) {
            try run.prio3.unshard([first[0].encoded, second[1].encoded], count: 2, noiseBound: 1 << 40)
        }
    }
}
