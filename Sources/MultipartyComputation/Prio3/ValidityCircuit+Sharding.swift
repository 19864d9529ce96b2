extension ValidityCircuit {
    var emptyAggregate: FieldElements {
        Element.elements([Element](repeating: Element.zero, count: outputLength))
    }

    func randomnessSize(shares: Int) -> Int {
        XofTurboShake128.seedSize * shares * (jointRandomnessLength > 0 ? 2 : 1)
    }

    /// Shares of a measurement and of its proofs (VDAF draft, section 7.2.1). The randomness is one seed for each helper's
    /// shares, each followed by its blind where there is joint randomness, then the leader's blind, then the prover's seed.
    func shard(
        _ measurement: Measurement, _ task: Prio3Task, nonce: ReportNonce, randomness: [UInt8]
    ) throws(Prio3Error) -> Prio3Report {
        let seedSize = XofTurboShake128.seedSize
        guard randomness.count == randomnessSize(shares: task.shares) else {
            throw .parameter("randomness", expected: "\(randomnessSize(shares: task.shares)) bytes")
        }
        let encoded = try encode(measurement)
        var seeds = stride(from: 0, to: randomness.count, by: seedSize).map { randomness[$0..<$0 + seedSize] }
        let proveSeed = seeds.removeLast()
        let isJoint = jointRandomnessLength > 0
        let leaderBlind = isJoint ? seeds.removeLast() : []

        var leaderMeasurement = encoded
        var parts: [[UInt8]] = []
        var helpers: [(seed: ArraySlice<UInt8>, blind: ArraySlice<UInt8>)] = []
        for aggregator in 1..<task.shares {
            let seed = seeds.removeFirst()
            let blind = isJoint ? seeds.removeFirst() : []
            let share = helperMeasurement(seed, task, aggregator: aggregator)
            leaderMeasurement.subtract(share)
            if isJoint { parts.append(jointPart(share, blind, task, of: (aggregator, nonce))) }
            helpers.append((seed, blind))
        }
        if isJoint { parts.insert(jointPart(leaderMeasurement, leaderBlind, task, of: (0, nonce)), at: 0) }

        var leaderProofs = proofs(encoded, task, seed: proveSeed, jointRandomness: jointRandomness(parts, task))
        for (index, helper) in helpers.enumerated() {
            leaderProofs.subtract(helperProofs(helper.seed, task, aggregator: index + 1))
        }
        let leaderShare = leaderMeasurement.encoded + leaderProofs.encoded + leaderBlind
        return Prio3Report(
            nonce: nonce, publicShare: parts.flatMap { $0 },
            inputShares: [leaderShare] + helpers.map { Array($0.seed) + $0.blind })
    }

    /// A proof for each of the task's, each with its own randomness.
    private func proofs(
        _ measurement: [Element], _ task: Prio3Task, seed: ArraySlice<UInt8>, jointRandomness: [Element]
    ) -> [Element] {
        let seeds: [Element] = task.expand(
            seed, .proveRandomness, binder: [UInt8(task.proofs)], count: proveRandomnessLength * task.proofs)
        var proofs: [Element] = []
        proofs.reserveCapacity(proofLength * task.proofs)
        for proof in 0..<task.proofs {
            let input = CircuitInput(
                measurement: measurement, jointRandomness: jointRandomness.part(proof, length: jointRandomnessLength),
                sharesInverse: Element.one)
            proofs += prove(input, seeds: seeds.part(proof, length: proveRandomnessLength))
        }
        return proofs
    }

    // MARK: - What is derived from seeds (VDAF draft, section 7.2.6)

    func helperMeasurement(_ seed: ArraySlice<UInt8>, _ task: Prio3Task, aggregator: Int) -> [Element] {
        task.expand(seed, .measurementShare, binder: [UInt8(aggregator)], count: measurementLength)
    }

    func helperProofs(_ seed: ArraySlice<UInt8>, _ task: Prio3Task, aggregator: Int) -> [Element] {
        task.expand(
            seed, .proofShare, binder: [UInt8(task.proofs), UInt8(aggregator)], count: proofLength * task.proofs)
    }

    /// An aggregator's part of the joint randomness, which follows from its share and its blind.
    func jointPart(
        _ share: [Element], _ blind: ArraySlice<UInt8>, _ task: Prio3Task,
        of report: (aggregator: Int, nonce: ReportNonce)
    ) -> [UInt8] {
        var xof = XofTurboShake128(
            seed: blind, tag: task.tag(.jointRandomnessPart), binder: [UInt8(report.aggregator)] + report.nonce.bytes)
        xof.bind(share.encoded)
        return xof.seed()
    }

    /// The seed that follows from all aggregators' parts; none where there is no joint randomness.
    func jointSeed(_ parts: [[UInt8]], _ task: Prio3Task) -> [UInt8] {
        guard jointRandomnessLength > 0 else { return [] }
        let zeros = [UInt8](repeating: 0, count: XofTurboShake128.seedSize)
        var xof = XofTurboShake128(
            seed: zeros, tag: task.tag(.jointRandomnessSeed), binder: parts.flatMap { $0 })
        return xof.seed()
    }

    /// The joint randomness of all proofs.
    func jointRandomness(seed: [UInt8], _ task: Prio3Task) -> [Element] {
        guard jointRandomnessLength > 0 else { return [] }
        return task.expand(
            seed, .jointRandomness, binder: [UInt8(task.proofs)], count: jointRandomnessLength * task.proofs)
    }

    private func jointRandomness(_ parts: [[UInt8]], _ task: Prio3Task) -> [Element] {
        jointRandomness(seed: jointSeed(parts, task), task)
    }
}

extension Array {
    /// The part with the number `index` of those of so many elements.
    func part(_ index: Int, length: Int) -> ArraySlice<Element> { self[index * length..<(index + 1) * length] }
}
