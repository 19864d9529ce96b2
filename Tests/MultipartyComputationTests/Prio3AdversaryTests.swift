import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

private let context = Array("a task of tests".utf8)

@Suite("Clients and aggregators who lie") struct Prio3AdversaryTests {
    private func refused<Honest: ValidityCircuit>(
        _ honest: Honest, _ lies: [[Honest.Element]], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let prio3 = try Prio3(LyingCircuit(honest: honest), algorithm: 1, among: 2, context: context)
        for lie in lies {
            #expect(throws: Prio3Error.invalidProof, sourceLocation: sourceLocation) {
                try Prio3Run(prio3: prio3).aggregate([lie])
            }
        }
    }

    @Test("A measurement that is not valid is refused, though its proof is made as it should be")
    func invalid() throws {
        try refused(CountCircuit(), [[Field64(2)], [Field64(signed: -1)], [Field64(1 << 40)]])
        func f(_ values: Int64...) -> [Field64] { values.map { Field64(signed: $0) } }
        try refused(SumCircuit(maximum: 7), [f(0, 0, 2), f(2, 0, 0), f(-1, 1, 1)])
        func g(_ values: Int64...) -> [Field128] { values.map { Field128(signed: $0) } }
        // Not a bucket, two, none, and one more than a whole one less.
        try refused(
            HistogramCircuit(length: 4, chunkLength: 2),
            [g(0, 0, 2, 0), g(1, 1, 0, 0), g(0, 0, 0, 0), g(2, -1, 0, 0), g(1, 0, 0, 1)])
        try refused(SumVecCircuit(length: 2, maximum: 3, chunkLength: 3), [g(0, 0, 2, 0), g(1, 1, 0, -1)])
        // Three where two are allowed, with a weight that says two, and with one that says three by an element of 2.
        try refused(
            MultihotCountVecCircuit(length: 3, maximumWeight: 2, chunkLength: 2),
            [g(1, 1, 1, 1, 1), g(1, 1, 1, 2, 1), g(0, 0, 0, 1, 0), g(2, 0, 0, 1, 1)])
    }

    @Test("What is valid goes through the same client")
    func valid() throws {
        func f(_ values: UInt64...) -> [Field128] { values.map { Field128($0) } }
        let circuit = MultihotCountVecCircuit(length: 3, maximumWeight: 2, chunkLength: 2)
        let prio3 = try Prio3(LyingCircuit(honest: circuit), algorithm: 1, among: 2, context: context)
        #expect(try Prio3Run(prio3: prio3).aggregate([f(0, 1, 1, 1, 1), f(1, 0, 0, 1, 0)]) == [1, 1, 1])
    }

    @Test("Each of several proofs must verify", arguments: 0..<3)
    func eachProof(proof: Int) throws {
        let circuit = SumVecField64Circuit(length: 4, maximum: 3, chunkLength: 3)
        let prio3 = try Prio3(circuit, algorithm: 0xffff_ffff, proofs: 3, among: 2, context: context)
        let report = try prio3.shard([0, 1, 2, 3])
        _ = try Prio3Run(prio3: prio3).verify(report)
        for place in [0, circuit.proofLength - 1] {
            var inputShares = report.inputShares
            inputShares[0][8 * (circuit.measurementLength + proof * circuit.proofLength + place)] ^= 1
            let changed = Prio3Report(nonce: report.nonce, publicShare: report.publicShare, inputShares: inputShares)
            #expect(throws: Prio3Error.invalidProof) { try Prio3Run(prio3: prio3).verify(changed) }
        }
    }

    private func isRefused(_ work: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: Prio3Error.self, sourceLocation: sourceLocation) { try work() }
    }

    @Test("A report of another context, key, nonce, aggregator or size of the task is refused")
    func another() throws {
        let prio3 = try Prio3Histogram(length: 6, chunkLength: 2, context: context)
        let report = try prio3.shard(2)
        _ = try Prio3Run(prio3: prio3).verify(report)
        isRefused {
            _ = try Prio3Run(prio3: Prio3Histogram(length: 6, chunkLength: 2, context: Array("b".utf8))).verify(report)
        }
        isRefused {
            _ = try Prio3Run(prio3: Prio3Histogram(length: 6, chunkLength: 3, context: context)).verify(report)
        }
        isRefused {
            let other = Prio3Report(
                nonce: ReportNonce(), publicShare: report.publicShare, inputShares: report.inputShares)
            _ = try Prio3Run(prio3: prio3).verify(other)
        }
        isRefused {
            let steps = try (0..<2).map { aggregator in
                try prio3.verifyInit(
                    VerifyKey(), aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                    inputShare: report.inputShares[aggregator])
            }
            _ = try prio3.verifierSharesToMessage(steps.map(\.verifierShare))
        }
        for (aggregator, share) in [(1, 0), (0, 1), (2, 0), (-1, 1), (Int.max, 0)] {
            isRefused {
                _ = try prio3.verifyInit(
                    VerifyKey(), aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                    inputShare: report.inputShares[share])
            }
        }
        let three = try Prio3Histogram(length: 6, chunkLength: 2, shares: 3, context: context).shard(2)
        isRefused {
            let shares = Prio3Report(nonce: three.nonce, publicShare: three.publicShare, inputShares: three.inputShares)
            _ = try Prio3Run(prio3: prio3).verify(shares)
        }
        isRefused {
            let helpers = [three.inputShares[0], three.inputShares[2]]
            let shares = Prio3Report(
                nonce: three.nonce, publicShare: Array(three.publicShare.prefix(64)), inputShares: helpers)
            _ = try Prio3Run(prio3: prio3).verify(shares)
        }
    }

    @Test("A message of one report does not finish another, and a state none of another task")
    func messages() throws {
        let prio3 = try Prio3Histogram(length: 6, context: context)
        let key = VerifyKey()
        func step(_ report: Prio3Report, _ aggregator: Int) throws -> (state: VerifyState, verifierShare: [UInt8]) {
            try prio3.verifyInit(
                key, aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                inputShare: report.inputShares[aggregator])
        }
        let (first, second) = (try prio3.shard(2), try prio3.shard(2))
        let shares = try [step(first, 0), step(first, 1)].map(\.verifierShare)
        let message = try prio3.verifierSharesToMessage(shares)
        #expect(throws: Prio3Error.wrongJointRandomness) { try prio3.verifyNext(try step(second, 0).state, message) }
        #expect(throws: Prio3Error.another("verification state", expected: "one of this task")) {
            try Prio3Histogram(length: 6, context: [1]).verifyNext(try step(first, 0).state, message)
        }
        let wrong: [[[UInt8]]] = [
            [], [shares[0]], shares + [shares[0]], [shares[0], try step(second, 1).verifierShare],
        ]
        for verifierShares in wrong {
            isRefused { _ = try prio3.verifierSharesToMessage(verifierShares) }
        }
    }

    @Test("An output share goes into no sum of another aggregator or task")
    func outputs() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 6, context: context))
        let outputs = try run.verify(run.prio3.shard(1))
        var share = try run.prio3.aggregateInit(aggregator: 0)
        #expect(throws: Prio3Error.self) { try share.update(outputs[1]) }
        var other = try Prio3Histogram(length: 6, context: [1]).aggregateInit(aggregator: 0)
        #expect(throws: Prio3Error.self) { try other.update(outputs[0]) }
        #expect(throws: Prio3Error.self) { try share.merge(other) }
        #expect(share.encoded.allSatisfy { $0 == 0 })
        // Tasks that differ in nothing but one letter of the context, one parameter, or the number of aggregators.
        let tasks = [
            try Prio3Histogram(length: 6, context: Array("a task of tesTs".utf8)),
            try Prio3Histogram(length: 6, chunkLength: 1, context: context),
            try Prio3Histogram(length: 7, chunkLength: 3, context: context),
            try Prio3Histogram(length: 6, shares: 3, context: context),
        ]
        for task in tasks {
            var other = try task.aggregateInit(aggregator: 0)
            #expect(throws: Prio3Error.another("output share", expected: "one of aggregator 0 in the same task")) {
                try other.update(outputs[0])
            }
        }
    }

    @Test("A stored share whose entries are not its task's takes no output share")
    func storedShare() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 6, context: context))
        let output = try run.verify(run.prio3.shard(1))[0]
        let share = try run.prio3.aggregateInit(aggregator: 0)
        let zeros = [FieldElements.field64([Field64](repeating: .zero, count: 6)), .field128([.zero]), .field128([])]
        for elements in zeros {
            let damaged = AggregateShare(task: share.task, aggregator: 0, elements: elements)
            var read = try JSONDecoder().decode(AggregateShare.self, from: JSONEncoder().encode(damaged))
            #expect(throws: Prio3Error.malformed("stored aggregate share", expected: "6 entries of the task's field")) {
                try read.update(output)
            }
            #expect(read.encoded == elements.encoded)
        }
    }

    /// An aggregator who sends a verifier share that makes up for an invalid measurement would need to know the other one's;
    /// what it can do without is to send the same again for another report, or to leave the joint randomness as the client
    /// said.
    @Test("A client that lies about joint randomness is refused by the aggregator whose part it is not")
    func jointRandomness() throws {
        let prio3 = try Prio3Histogram(length: 6, context: context)
        let report = try prio3.shard(2)
        for part in 0..<2 {
            var publicShare = report.publicShare
            publicShare[32 * part + 5] ^= 1
            let other = Prio3Report(nonce: report.nonce, publicShare: publicShare, inputShares: report.inputShares)
            isRefused { _ = try Prio3Run(prio3: prio3).verify(other) }
        }
    }
}

@Suite("Shares show nothing") struct Prio3PrivacyTests {
    /// Pearson's statistic of 16 equally likely cells; above 60 once in 10 million tries, and here the same each time.
    private func statistic(_ values: [UInt8]) -> Double {
        var counts = [Double](repeating: 0, count: 16)
        for value in values { counts[Int(value & 15)] += 1 }
        let expected = Double(values.count) / 16
        return counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
    }

    /// For either measurement: each share of the measurement, and each value that the aggregators' verifier shares open, are
    /// uniform. 80 statistics, false alarm 1e-5 in all if the seed were fresh.
    @Test("What an aggregator sees of a count is uniform, whatever the measurement", arguments: [false, true])
    func uniform(measurement: Bool) throws {
        var generator = SeededGenerator(seed: measurement ? 11 : 10)
        let prio3 = try Prio3Count(context: context)
        let key = try VerifyKey([UInt8](repeating: 7, count: 32))
        var seen: [String: [UInt8]] = [:]
        for _ in 0..<4000 {
            let bytes = (0..<80).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let report = try prio3.shard(
                measurement, nonce: ReportNonce(Array(bytes[..<16])), randomness: Array(bytes[16...]))
            let steps = try (0..<2).map { aggregator in
                try prio3.verifyInit(
                    key, aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                    inputShare: report.inputShares[aggregator])
            }
            for place in stride(from: 0, to: 48, by: 8) {
                seen["leader \(place)", default: []].append(report.inputShares[0][place])
            }
            for (aggregator, step) in steps.enumerated() {
                for place in stride(from: 0, to: 32, by: 8) {
                    seen["verifier \(aggregator) \(place)", default: []].append(step.verifierShare[place])
                }
                seen["output \(aggregator)", default: []].append(step.state.output.elements.encoded[0])
            }
            let opened = try steps.map { try [Field64](encoded: $0.verifierShare[...], name: "") }
            #expect(opened[0][0] + opened[1][0] == Field64.zero)
            // Both wires carry the measurement behind seeds of their own; the gadget's value is their product.
            for place in 1...2 {
                seen["opened \(place)", default: []].append([opened[0][place] + opened[1][place]].encoded[0])
            }
        }
        for (name, values) in seen { #expect(statistic(values) < 60, "\(name)") }
        #expect(seen.count == 18)
    }

    @Test("The statistic tells what is not uniform")
    func statisticSees() {
        #expect(statistic((0..<4000).map { UInt8($0 % 15) }) > 60)
        #expect(statistic((0..<4000).map { UInt8($0 % 16) }) < 60)
    }

    @Test("No query is answered at a point where it would show a measurement")
    func point() throws {
        let circuit = HistogramCircuit(length: 6, chunkLength: 2)
        let zeros = [Field128](repeating: Field128.zero, count: circuit.proofLength)
        let input = CircuitInput(
            measurement: try circuit.encode(2), jointRandomness: zeros[..<circuit.jointRandomnessLength],
            sharesInverse: Field128.one)
        let node = Field128.root(order: circuit.shape.wireLength)
        for power in 0..<UInt128(circuit.shape.wireLength) {
            let randomness = [Field128(5), Field128(6), node.power(power)]
            #expect(throws: Prio3Error.unverifiable) {
                try circuit.query(input, proof: zeros[...], randomness: randomness[...])
            }
        }
        // The gadget polynomial's other nodes show nothing.
        let between = Field128.root(order: circuit.shape.nodeCount)
        #expect(
            try circuit.query(input, proof: zeros[...], randomness: [Field128(5), Field128(6), between][...]).count == 6
        )
    }

    @Test("Descriptions, reflections and errors show no secret")
    func descriptions() throws {
        let run = Prio3Run(prio3: try Prio3Histogram(length: 3, context: context))
        let report = try run.prio3.shard(1)
        let step = try run.prio3.verifyInit(
            run.key, aggregator: 0, nonce: report.nonce, publicShare: report.publicShare,
            inputShare: report.inputShares[0])
        let outputs = try run.verify(report)
        var batch = try ReportBatch(run.prio3, aggregator: 0, minimumReports: 2, capacity: 10)
        try batch.begin(report.nonce)
        try batch.accept(outputs[0])
        var share = try run.prio3.aggregateInit(aggregator: 0)
        try share.update(outputs[0])
        let nonce = report.nonce.description
        let expected: [(Any, String)] = [
            (run.key, "VerifyKey"), (report, "Prio3Report(\(nonce))"), (step.state, "VerifyState(\(nonce))"),
            (outputs[0], "OutputShare(\(nonce))"), (share, "AggregateShare(aggregator: 0, length: 3)"),
            (batch, "ReportBatch(open, 1 reports)"), (run.prio3, "Prio3(algorithm: 4, shares: 2)"),
            (Field64(5), "Field64"), (Field128(5), "Field128"), (outputs[0].elements, "FieldElements(3)"),
            (
                ReceivedReport(aggregator: 0, nonce: report.nonce, publicShare: [], inputShare: report.inputShares[0]),
                "ReceivedReport"
            ),
            (CircuitInput(measurement: [Field64(1)], jointRandomness: [], sharesInverse: .one), "CircuitInput"),
            (TurboSHAKE128(domain: 1), "TurboSHAKE128"), (XofTurboShake128(seed: [1], tag: []), "XofTurboShake128"),
        ]
        for (value, name) in expected {
            #expect(String(describing: value) == name)
            #expect(String(reflecting: value) == name)
            #expect(Mirror(reflecting: value).children.isEmpty)
            var dumped = ""
            dump(value, to: &dumped)
            #expect(dumped == "- \(name)\n")
        }
    }
}
