internal import Secrets

extension ValidityCircuit {
    /// An aggregator's first step (VDAF draft, section 7.2.2): its share of the verifier, and what it keeps.
    func verifyInit(
        _ key: VerifyKey, _ task: Prio3Task, _ received: ReceivedReport
    ) throws(Prio3Error) -> (state: VerifyState, verifierShare: [UInt8]) {
        let share = try InputShare(self, task, received)
        var parts = try jointParts(received.publicShare, task)
        var seed: [UInt8] = []
        var verifierTail: [UInt8] = []
        if jointRandomnessLength > 0 {
            // The client may lie about the part of this aggregator, who knows it.
            let part = jointPart(share.measurement, share.blind, task, of: (received.aggregator, received.nonce))
            parts[received.aggregator] = part
            verifierTail = part
            seed = jointSeed(parts, task)
        }
        let jointRandomness = jointRandomness(seed: seed, task)
        let queryRandomness: [Element] = task.expand(
            key.bytes, .queryRandomness, binder: [UInt8(task.proofs)] + received.nonce.bytes,
            count: queryRandomnessLength * task.proofs)
        let sharesInverse = Element(UInt64(task.shares)).inverse
        var verifiers: [Element] = []
        for proof in 0..<task.proofs {
            let input = CircuitInput(
                measurement: share.measurement,
                jointRandomness: jointRandomness.part(proof, length: jointRandomnessLength),
                sharesInverse: sharesInverse)
            verifiers += try query(
                input, proof: share.proofs.part(proof, length: proofLength),
                randomness: queryRandomness.part(proof, length: queryRandomnessLength))
        }
        let output = OutputShare(
            nonce: received.nonce, aggregator: received.aggregator, task: task.digest,
            elements: Element.elements(truncate(share.measurement)))
        return (VerifyState(output: output, jointSeed: seed), verifiers.encoded + verifierTail)
    }

    /// The public share's parts of the joint randomness, in the aggregators' order.
    private func jointParts(_ publicShare: [UInt8], _ task: Prio3Task) throws(Prio3Error) -> [[UInt8]] {
        let size = jointRandomnessLength > 0 ? XofTurboShake128.seedSize : 0
        guard publicShare.count == size * task.shares else {
            throw .malformed("public share", expected: "\(size * task.shares) bytes")
        }
        return (0..<task.shares).map { Array(publicShare.part($0, length: size)) }
    }

    /// What all aggregators' verifier shares give together. Throws `invalidProof` where one proof does not verify.
    func verifierMessage(_ verifierShares: [[UInt8]], _ task: Prio3Task) throws(Prio3Error) -> [UInt8] {
        guard verifierShares.count == task.shares else {
            throw .malformed("verifier shares", expected: "\(task.shares), one of each aggregator")
        }
        let length = verifierLength * task.proofs
        let size = length * Element.encodedSize
        let partSize = jointRandomnessLength > 0 ? XofTurboShake128.seedSize : 0
        var verifiers = [Element](repeating: Element.zero, count: length)
        var parts: [[UInt8]] = []
        for (aggregator, share) in verifierShares.enumerated() {
            let name = "verifier share of aggregator \(aggregator)"
            guard share.count == size + partSize else { throw .malformed(name, expected: "\(size + partSize) bytes") }
            verifiers.add(try [Element](encoded: share[..<size], name: name))
            parts.append(Array(share[size...]))
        }
        for proof in 0..<task.proofs {
            guard decide(verifiers.part(proof, length: verifierLength)) else { throw .invalidProof }
        }
        return jointSeed(parts, task)
    }

    /// The sum that aggregate shares give together; nil where an entry is out of bounds.
    func unshard(_ aggregateShares: [[UInt8]], bounds: ClosedRange<Int64>) throws(Prio3Error) -> Aggregate? {
        var sum = [Element](repeating: Element.zero, count: outputLength)
        for (aggregator, share) in aggregateShares.enumerated() {
            let name = "aggregate share of aggregator \(aggregator)"
            guard share.count == outputLength * Element.encodedSize else {
                throw .malformed(name, expected: "\(outputLength * Element.encodedSize) bytes")
            }
            sum.add(try [Element](encoded: share[...], name: name))
        }
        var entries: [Int64] = []
        entries.reserveCapacity(outputLength)
        for element in sum {
            guard let entry = element.signed, bounds.contains(entry) else { return nil }
            entries.append(entry)
        }
        return decode(entries)
    }
}

/// An aggregator's decoded and expanded input share (VDAF draft, section 7.2.7.2).
private struct InputShare<Element: NTTField> {
    let measurement: [Element]
    /// Of all proofs, one after another.
    let proofs: [Element]
    /// Empty where there is no joint randomness.
    let blind: ArraySlice<UInt8>

    init<Circuit: ValidityCircuit>(
        _ circuit: Circuit, _ task: Prio3Task, _ received: ReceivedReport
    ) throws(Prio3Error) where Circuit.Element == Element {
        let bytes = received.inputShare
        let isLeader = received.aggregator == 0
        let name = "input share of aggregator \(received.aggregator)"
        let measurementSize = circuit.measurementLength * Element.encodedSize
        let proofsSize = circuit.proofLength * task.proofs * Element.encodedSize
        let seedSize = XofTurboShake128.seedSize
        let body = isLeader ? measurementSize + proofsSize : seedSize
        let size = body + (circuit.jointRandomnessLength > 0 ? seedSize : 0)
        guard bytes.count == size else { throw .malformed(name, expected: "\(size) bytes") }
        blind = bytes[body...]
        if isLeader {
            measurement = try [Element](encoded: bytes[..<measurementSize], name: name)
            proofs = try [Element](encoded: bytes[measurementSize..<body], name: name)
        } else {
            let seed = bytes[..<body]
            measurement = circuit.helperMeasurement(seed, task, aggregator: received.aggregator)
            proofs = circuit.helperProofs(seed, task, aggregator: received.aggregator)
        }
    }
}

extension InputShare: CustomStringConvertible, CustomReflectable {
    /// The name alone: it holds shares.
    var description: String { "InputShare" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
