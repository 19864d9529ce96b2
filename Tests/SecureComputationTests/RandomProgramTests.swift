import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("Programs at random")
struct RandomProgramTests {
    /// Adds an operation to values of six elements, or nothing where the bounds would not hold.
    static func added(_ kind: Int, _ a: Value, _ b: Value, to builder: inout ProgramBuilder) throws -> Value {
        switch kind {
        case 0: return try builder.sum(a, b)
        case 1: return try builder.combined([(a, -3), (b, 2)])
        case 2: return try builder.product(a, b)
        case 3: return try builder.relu(a)
        case 4: return try builder.relu(a, upTo: 500)
        case 5: return try builder.maximum(a, b)
        case 6: return try builder.isAtLeast(a, b)
        case 7: return try builder.isEqual(a, b)
        case 8: return try builder.selected(try builder.isAtLeast(a, b), b, a)
        case 9: return try builder.truncated(a, by: 6, exactly: true)
        case 10: return try builder.gathered(a, places: [5, 4, -1, 2, 1, 0], shape: [6])
        case 11:
            let row = try builder.reshaped(a, to: [2, 3])
            let column = try builder.reshaped(b, to: [3, 2])
            let four = try builder.reshaped(try builder.matrixProduct(row, column), to: [4])
            return try builder.gathered(four, places: [0, 1, 2, 3, -1, 0], shape: [6])
        case 12:
            let place = try builder.argmax(try builder.reshaped(a, to: [2, 3]))
            return try builder.gathered(place, places: [0, 1, 0, 1, -1, -1], shape: [6])
        case 13: return try builder.isWithin(a, -100...100)
        case 14: return try builder.maskedOnce(a)
        case 15:
            // Both operands gathered from one that is masked once, and one from a gathered one.
            let once = try builder.gathered(try builder.maskedOnce(a), places: [2, 1, 0, -1, 4, 3], shape: [2, 3])
            let turned = try builder.gathered(once, places: [0, 3, 1, 4, 2, 5], shape: [3, 2])
            let four = try builder.matrixProduct(once, turned)
            return try builder.product(
                try builder.gathered(four, places: [3, 0, 1, 2, 0, -1], shape: [6]), try builder.reshaped(once, to: [6])
            )
        default: return try builder.piecewiseLinear(a, knots: [-100, 0, 100], slopes: [0, 1, 2, 0], start: -7)
        }
    }

    @Test(
        "A hundred programs of up to twelve operations give, on shares, what they give in the clear, to the bit, at the costs that were foretold"
    )
    func agree() throws {
        var operations = [Int](repeating: 0, count: 17)
        for seed in 0..<100 as Range<UInt64> {
            var numbers = Tensors(1000 + seed)
            var builder = ProgramBuilder()
            builder.comparisons = seed % 2 == 0 ? .oneRound : .twoRounds
            var values: [Value] = []
            for party in ComputingParty.two + ComputingParty.two {
                values.append(
                    try builder.input(from: party, shape: [6], bound: [3, 1000, 1 << 20][numbers.number(0...2)]))
            }
            for _ in 0..<12 {
                let kind = numbers.number(0...16)
                var next = builder
                let (a, b) = (
                    values[numbers.number(0...values.count - 1)], values[numbers.number(0...values.count - 1)]
                )
                guard let value = try? Self.added(kind, a, b, to: &next) else { continue }
                operations[kind] += 1
                builder = next
                values.append(value)
            }
            for (number, value) in values.enumerated() {
                _ = try builder.reveal(value, to: number % 2 == 0 ? .first : .second)
            }
            let program = builder.program()
            let inputs = try program.inputs.map { try numbers($0.shape, within: Int64($0.bound)) }
            let clear = try ClearText.run(program, inputs: inputs)
            let run = try Pair(program, inputs, seed: seed).run()
            for party in ComputingParty.two {
                let expected = zip(program.outputs, clear.outputs).filter { $0.0.to == party }.map { $0.1 }
                #expect(run.outputs[party.rawValue] == expected, "seed \(seed)")
            }
            #expect(run.cost == clear.cost)
            // No value passed its bound.
            for (output, tensor) in zip(program.outputs, clear.outputs) {
                #expect(tensor.words.allSatisfy { Double(Int64(bitPattern: $0).magnitude) <= output.value.bound })
            }
        }
        #expect(operations.allSatisfy { $0 > 10 })
    }

    @Test(
        "The variance of two owners' 10,000 values each, between 1 and 1,000, is right to 1e-4: the case that wraps elsewhere"
    )
    func variance() throws {
        let code = try FixedPoint(fractionBits: 6, bound: 1000)
        let count = 10_000
        var numbers = Tensors(77)
        let values = try (0..<2).map { _ in
            try numbers([count], within: 499_500).words.map { 500.5 + Double(Int64(bitPattern: $0)) / 1000 }
        }
        var builder = ProgramBuilder()
        let inputs = try ComputingParty.two.map {
            try builder.input(from: $0, shape: [count], bound: code.integerBound)
        }
        let all = try builder.concatenated(inputs)
        let sum = try builder.summed(all)
        let squares = try builder.summed(try builder.product(all, all))
        let total = try builder.combined([(squares, Int64(2 * count)), (try builder.product(sum, sum), -1)])
        _ = try builder.reveal(total, to: .first)
        let program = builder.program()
        let given = try values.map { try RingTensor(shape: [count], words: code.encode($0)) }
        let run = try Pair(program, given, seed: 3).run()
        let n = Double(2 * count)
        let found = Double(Int64(bitPattern: run.outputs[0][0].words[0])) * code.unit * code.unit / n / n
        let joined = values[0] + values[1]
        let mean = joined.reduce(0, +) / n
        let expected = joined.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
        #expect(abs(found / expected - 1) < 1e-4)
        #expect(program.rounds.count == 2)
    }
}
