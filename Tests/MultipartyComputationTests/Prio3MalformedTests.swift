import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

private let context = Array("a task of tests".utf8)

/// Bytes changed at random: a bit, a byte, a word of ones, cut off, drawn out, swapped for others.
private func mutated(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    func below(_ count: Int) -> Int { Int(generator.next() % UInt64(max(count, 1))) }
    var result = bytes
    switch generator.next() % 7 {
    case 0 where !bytes.isEmpty: result[below(bytes.count)] ^= 1 << UInt8(below(8))
    case 1 where !bytes.isEmpty: result[below(bytes.count)] &+= UInt8(1 + below(255))
    case 2 where bytes.count >= 16:
        let start = 8 * below(bytes.count / 8 - 1)
        for index in start..<start + 16 { result[index] = 0xff }
    case 3 where !bytes.isEmpty: result.removeLast(1 + below(bytes.count))
    case 4: result += (0...below(40)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    case 5 where !bytes.isEmpty:
        result = bytes.map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    default: result = (0..<below(100)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
    return result == bytes ? bytes + [0] : result
}

@Suite("Bytes that are no messages") struct Prio3MalformedTests {
    /// Every message of a report is changed in turn. The report must be refused, by an error of this module, at one of the
    /// steps; a step that goes on does so to a later refusal.
    private func check<M, A>(_ prio3: Prio3<M, A>, _ measurement: M, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let run = Prio3Run(prio3: prio3)
        let report = try prio3.shard(measurement)
        for round in 0..<300 {
            var (publicShare, inputShares) = (report.publicShare, report.inputShares)
            let place = round % (prio3.shares + 1)
            if place == prio3.shares {
                publicShare = mutated(publicShare, &generator)
            } else {
                inputShares[place] = mutated(inputShares[place], &generator)
            }
            let changed = Prio3Report(nonce: report.nonce, publicShare: publicShare, inputShares: inputShares)
            #expect(throws: Prio3Error.self) { try run.verify(changed) }
        }
        let steps = try (0..<prio3.shares).map { aggregator in
            try prio3.verifyInit(
                run.key, aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                inputShare: report.inputShares[aggregator])
        }
        let message = try prio3.verifierSharesToMessage(steps.map(\.verifierShare))
        for round in 0..<300 {
            var verifierShares = steps.map(\.verifierShare)
            verifierShares[round % prio3.shares] = mutated(verifierShares[round % prio3.shares], &generator)
            #expect(throws: Prio3Error.self) {
                let changed = try prio3.verifierSharesToMessage(verifierShares)
                for step in steps { _ = try prio3.verifyNext(step.state, changed) }
            }
            #expect(throws: Prio3Error.self) { try prio3.verifyNext(steps[0].state, mutated(message, &generator)) }
        }
        for step in steps { _ = try prio3.verifyNext(step.state, message) }
    }

    @Test("Changed messages of a count") func count() throws {
        try check(Prio3Count(context: context), true, seed: 1)
    }

    @Test("Changed messages of a sum") func sum() throws {
        try check(Prio3Sum(maximum: 1000, context: context), 77, seed: 2)
    }

    @Test("Changed messages of sums of vectors") func sumVec() throws {
        try check(Prio3SumVec(length: 5, maximum: 9, shares: 3, context: context), [1, 9, 0, 8, 3], seed: 3)
    }

    @Test("Changed messages of a histogram") func histogram() throws {
        try check(Prio3Histogram(length: 12, context: context), 3, seed: 4)
    }

    @Test("Changed messages of counts of a bounded weight") func multihot() throws {
        try check(
            Prio3MultihotCountVec(length: 4, maximumWeight: 2, context: context), [false, true, true, false], seed: 5)
    }

    @Test("Changed aggregate shares give an error or another sum, never a crash")
    func aggregateShares() throws {
        var generator = SeededGenerator(seed: 6)
        let run = Prio3Run(prio3: try Prio3Histogram(length: 4, context: context))
        let shares = try run.aggregateShares([0, 1, 3]).map(\.encoded)
        let sum: [Int64] = [1, 1, 0, 1]
        #expect(try run.prio3.unshard(shares, count: 3) == sum)
        for round in 0..<500 {
            var changed = shares
            changed[round % 2] = mutated(shares[round % 2], &generator)
            let read = try? run.prio3.unshard(changed, count: 3)
            #expect(read != sum)
        }
        for wrong in [[], [shares[0]], shares + shares] {
            #expect(throws: Prio3Error.malformed("aggregate shares", expected: "2, one of each aggregator")) {
                try run.prio3.unshard(wrong, count: 3)
            }
        }
    }

    @Test("Nonces and keys of another length are refused")
    func sizes() throws {
        for size in [0, 1, 15, 17, 31, 33, 64] {
            let bytes = [UInt8](repeating: 1, count: size)
            #expect(throws: Prio3Error.malformed("nonce", expected: "16 bytes")) { try ReportNonce(bytes) }
            #expect(throws: Prio3Error.malformed("verification key", expected: "32 bytes")) { try VerifyKey(bytes) }
        }
        let bytes = (0..<16).map { UInt8($0 * 16 + 1) }
        #expect(try ReportNonce(bytes).bytes == bytes)
        #expect(try VerifyKey(bytes + bytes).bytes == bytes + bytes)
    }

    /// A stored batch or share whose bytes were changed: either it is refused, or what is read can be used without a crash.
    @Test("Damaged stored states are refused, or can be gone on with")
    func stored() throws {
        var generator = SeededGenerator(seed: 7)
        let run = Prio3Run(prio3: try Prio3Histogram(length: 2, context: context))
        var batch = try ReportBatch(run.prio3, aggregator: 0, minimumReports: 2, capacity: 9)
        let reports = try (0..<4).map { try run.prio3.shard($0 % 2) }
        let outputs = try reports.map { try run.verify($0)[0] }
        for report in reports { try batch.begin(report.nonce) }
        try batch.accept(outputs[0])
        try batch.accept(outputs[1])
        try batch.reject(reports[2].nonce)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let stored = [UInt8](try encoder.encode(batch))
        #expect(try encoder.encode(JSONDecoder().decode(ReportBatch.self, from: Data(stored))) == Data(stored))
        var refused = 0
        for _ in 0..<3000 {
            var bytes = stored
            for _ in 0...generator.next() % 2 {
                bytes[Int(generator.next() % UInt64(bytes.count))] =
                    Array("0123456789ABCz\"/=".utf8)[Int(generator.next() % 17)]
            }
            guard var read = try? JSONDecoder().decode(ReportBatch.self, from: Data(bytes)) else {
                refused += 1
                continue
            }
            try? read.accept(outputs[3])
            for nonce in read.unfinished { try? read.reject(nonce) }
            _ = try? read.collect(agreed: read.digest, noise: [1, 2])
            try? read.close()
        }
        #expect(refused > 1000 && refused < 3000)
    }
}
