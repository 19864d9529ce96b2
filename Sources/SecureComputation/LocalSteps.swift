internal import ModularArithmetic

extension Program {
    /// The result of a step without a round: of both parties' shares, each for itself, or of the values themselves.
    ///
    /// - Parameters:
    ///   - party: Whose shares; nil for values in the clear.
    ///   - inputs: The party's, in the program's order; everybody's in the clear.
    ///   - values: Of the steps before.
    func local(
        _ place: Int, party: ComputingParty?, inputs: [RingTensor], values: [[UInt64]?], threads: Int
    ) -> [UInt64] {
        let count = steps[place].value.count
        func operand(_ value: Value) -> [UInt64] { values[value.place] ?? [UInt64](repeating: 0, count: value.count) }
        switch operation(place) {
        case .input(let owner):
            guard party == nil || party == owner else { return [UInt64](repeating: 0, count: count) }
            let number = self.inputs.prefix { $0.place != place }.count {
                party == nil || operation($0.place) == .input(owner)
            }
            return Self.held(inputs[number].words, to: Int64(steps[place].value.bound))
        case .shared:
            precondition(party == nil, "Shares are a machine's own.")
            let number = self.inputs.prefix { $0.place != place }.count
            return Self.held(inputs[number].words, to: Int64(steps[place].value.bound))
        case .constant(let words): return party == .second ? [UInt64](repeating: 0, count: count) : words
        case .combination(let terms):
            var sum = [UInt64](repeating: 0, count: count)
            for term in terms {
                let words = operand(term.value)
                for i in sum.indices { sum[i] &+= term.factor &* words[i] }
            }
            return sum
        case .gather(let value, let places):
            let words = operand(value)
            return places.map { $0 < 0 ? 0 : words[$0] }
        case .concatenation(let all): return all.flatMap(operand)
        case .sums(let value, let length):
            let words = operand(value)
            return (0..<count).map { row in words[row * length..<(row + 1) * length].reduce(0, &+) }
        case .publicProduct(let map, let value, let right):
            var result = [UInt64](repeating: 0, count: count)
            map.add(operand(value), right, to: &result, threads: threads)
            return result
        case .masked(let value): return operand(value)
        case .product, .weighted, .truncation, .sign, .compactSign, .compactProduct, .reveal:
            preconditionFailure("A step with a round is not local.")
        }
    }

    /// Words whose magnitudes are at most the bound.
    static func held(_ words: [UInt64], to bound: Int64) -> [UInt64] {
        words.map { UInt64(bitPattern: min(max(Int64(bitPattern: $0), -bound), bound)) }
    }
}
