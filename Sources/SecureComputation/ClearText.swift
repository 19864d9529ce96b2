public import ModularArithmetic

/// The same programs without cryptography: on the values themselves, with the same counters of rounds and bytes. It is what the protocol's results are compared with, and what a program is
/// tried out on.
///
/// Results are the same to the bit, but for truncations that are not exact: here they are rounded to the nearest, there down or up, so that each differs by one unit at most.
public enum ClearText {
    /// A run's results and what it would have cost.
    public struct Run: Sendable {
        /// In the program's order, to whomever they are opened.
        public let outputs: [RingTensor]
        /// As ``TwoPartyMachine/cost`` counts; without bytes where the program names a third party (``Program/threePartyCost``).
        public let cost: ComputationCost
    }

    /// Runs a program.
    ///
    /// - Parameters:
    ///   - inputs: Of all parties, in the program's order. Magnitudes are held to the declared bounds.
    ///   - weights: Of all parties, in the program's order.
    /// - Throws: ``ComputationError`` where inputs or weights are not what the program takes.
    public static func run(
        _ program: Program, inputs: [RingTensor], weights: [RingTensor] = [], threads: Int = 1
    ) throws(ComputationError) -> Run {
        guard inputs.map(\.shape) == program.inputs.map(\.shape) else {
            throw .input("inputs of shapes \(inputs.map(\.shape))", expected: "\(program.inputs.map(\.shape))")
        }
        guard weights.count == program.weights.count else {
            throw .input("\(weights.count) weights", expected: "\(program.weights.count)")
        }
        for party in ComputingParty.three {
            try program.check(zip(program.weights, weights).filter { $0.0.owner == party }.map { $0.1 }, of: party)
        }
        var values = [[UInt64]?](repeating: nil, count: program.steps.count)
        var cost = ComputationCost()
        for round in 0...program.rounds.count {
            for place in program.locals[round] {
                values[place] = program.local(place, party: nil, inputs: inputs, values: values, threads: threads)
            }
            guard round < program.rounds.count else { break }
            cost.rounds += 1
            for party in ComputingParty.two where !program.namesThirdParty {
                cost.send(program.openedWords(round: round, by: party), from: party)
            }
            for place in program.rounds[round] {
                values[place] = interactive(program, place, values: values, weights: weights, threads: threads)
            }
        }
        let outputs = program.outputs.compactMap { output, _ in
            values[output.place].flatMap { try? RingTensor(shape: output.shape, words: $0) }
        }
        return Run(outputs: outputs, cost: cost)
    }

    private static func interactive(
        _ program: Program, _ place: Int, values: [[UInt64]?], weights: [RingTensor], threads: Int
    ) -> [UInt64] {
        func words(_ value: Value) -> [UInt64] { values[value.place] ?? [] }
        func product(_ map: BilinearMap, _ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
            var result = [UInt64](repeating: 0, count: map.resultCount)
            map.add(left, right, to: &result, threads: threads)
            return result
        }
        switch program.operation(place) {
        case .product(let map, let left, let right): return product(map, words(left), words(right))
        case .weighted(let map, let left, let slot): return product(map, words(left), weights[slot.place].words)
        case .masked(let value): return words(value)
        case .truncation(let value, let bits, _): return words(value).map { nearest($0, bits) }
        case .sign(let sign): return self.sign(sign, words(sign.value), sign.carried.map(words) ?? [])
        case .compactSign(let value, _): return words(value)
        case .compactProduct(let compact):
            return self.sign(
                SignOperation(
                    value: compact.sign, thresholds: compact.thresholds, results: compact.results, carried: nil),
                words(compact.sign), [])
        case .reveal(let value, _): return words(value)
        default: preconditionFailure("A local step has no round.")
        }
    }

    /// Division by 2^bits, rounded to the nearest, halves up.
    private static func nearest(_ word: UInt64, _ bits: Int) -> UInt64 {
        UInt64(bitPattern: (Int64(bitPattern: word) + 1 << Int64(bits - 1)) >> Int64(bits))
    }

    private static func sign(_ sign: SignOperation, _ x: [UInt64], _ carried: [UInt64]) -> [UInt64] {
        var result: [UInt64] = []
        for threshold in sign.thresholds {
            let excess = x.map { Int64(bitPattern: $0 &- threshold) }
            for kind in sign.results {
                switch kind {
                case .bit: result += excess.map { $0 >= 0 ? 1 : 0 }
                case .excess: result += excess.map { UInt64(max($0, 0)) }
                case .truncated(let bits): result += excess.map { nearest(UInt64(max($0, 0)), bits) }
                case .carried: result += zip(excess, carried).map { $0 >= 0 ? $1 : 0 }
                }
            }
        }
        return result
    }
}
