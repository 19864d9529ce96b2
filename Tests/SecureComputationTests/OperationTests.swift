import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("Operations on shares of two parties")
struct OperationTests {
    /// Runs a program on shares and in the clear, and compares results and costs. `tolerance` is for truncations that are not exact.
    private func agree(
        _ builder: ProgramBuilder, _ inputs: [RingTensor], weights: [RingTensor] = [], tolerance: UInt64 = 0,
        seed: UInt64 = 1
    ) throws -> [[Int64]] {
        let program = builder.program()
        let clear = try ClearText.run(program, inputs: inputs, weights: weights)
        let run = try Pair(program, inputs, weights: weights, seed: seed).run()
        var next = [0, 0]
        var found: [[Int64]] = []
        for (number, output) in program.outputs.enumerated() {
            let party = output.to.rawValue
            let result = run.outputs[party][next[party]]
            next[party] += 1
            #expect(result.shape == clear.outputs[number].shape)
            let differences = zip(result.words, clear.outputs[number].words).map {
                Int64(bitPattern: $0 &- $1).magnitude
            }
            #expect(differences.allSatisfy { $0 <= tolerance }, "output \(number): \(differences.max() ?? 0)")
            found.append(signed(result.words))
        }
        #expect(run.outputs[0].count == next[0] && run.outputs[1].count == next[1])
        var counted = clear.cost
        counted.correlationBytesToFirst = program.cost.correlationBytesToFirst
        counted.correlationBytesToSecond = program.cost.correlationBytesToSecond
        #expect(run.cost == clear.cost)
        #expect(counted == program.cost)
        return found
    }

    @Test("Sums, differences, multiples, constants, gathers and sums of rows")
    func linear() throws {
        var numbers = Tensors(1)
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [3, 4], bound: 1000)
        let b = try builder.input(from: .second, shape: [3, 4], bound: 1000)
        let c = try builder.constant(try numbers([3, 4], within: 50))
        let all = try builder.combined([(a, 3), (b, -7), (c, 2)])
        let turned = try builder.gathered(all, places: [11, -1, 0, 5], shape: [2, 2])
        let joined = try builder.concatenated([all, turned])
        for value in [all, turned, joined, try builder.summed(all)] {
            for party in ComputingParty.two { _ = try builder.reveal(value, to: party) }
        }
        let inputs = [try numbers([3, 4], within: 1000), try numbers([3, 4], within: 1000)]
        let found = try agree(builder, inputs)
        #expect(
            found[0][0] == 3 * signed(inputs[0].words)[0] - 7 * signed(inputs[1].words)[0] + 2
                * signed(program(builder, constant: 2))[0])
        #expect(found[2][1] == 0)
    }

    private func program(_ builder: ProgramBuilder, constant place: Int) -> [UInt64] {
        guard case .constant(let words) = builder.program().operation(place) else { return [] }
        return words
    }

    @Test("Products of elements and of matrices, convolutions, with secret, private and public operands")
    func products() throws {
        var numbers = Tensors(2)
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [5, 7], bound: 1 << 20)
        let b = try builder.input(from: .second, shape: [5, 7], bound: 1 << 20)
        let c = try builder.input(from: .second, shape: [7, 3], bound: 1 << 20)
        let images = try builder.input(from: .first, shape: [2, 3, 6, 5], bound: 1 << 16)
        let kernels = try builder.input(from: .first, shape: [4, 3, 3, 3], bound: 1 << 16)
        let matrix = try builder.weights("matrix", of: .second, shape: [7, 3], bound: 1 << 16, sumBound: 1 << 20)
        let filter = try builder.weights("filter", of: .first, shape: [4, 3, 3, 3], bound: 1 << 16, sumBound: 1 << 22)
        let values = [
            try builder.product(a, b), try builder.matrixProduct(a, c),
            try builder.convolution(images, kernels, stride: 2, padding: 1),
            try builder.matrixProduct(try builder.sum(a, b), matrix),
            try builder.convolution(images, filter, padding: 1),
            try builder.matrixProduct(a, try numbers([7, 2], within: 1000)),
        ]
        for (number, value) in values.enumerated() {
            _ = try builder.reveal(value, to: number % 2 == 0 ? .first : .second)
        }
        let inputs = try builder.program().inputs.map { try numbers($0.shape, within: Int64($0.bound)) }
        let weights = [try numbers([7, 3], within: 1 << 16), try numbers([4, 3, 3, 3], within: 1 << 16)]
        let found = try agree(builder, inputs, weights: weights)
        // One number by hand, beside the twin.
        #expect(found[0][9] == signed(inputs[0].words)[9] * signed(inputs[1].words)[9])
        #expect(builder.program().rounds.count == 2)
    }

    /// Numbers where comparisons go wrong if anything does.
    static let edges: [Int64] = [
        0, 1, -1, 2, -2, 63, 64, 65, -64, 1 << 31, -1 << 31, 1 << 40, -1 << 40, 1 << 61 - 1, -1 << 61, 1 << 61, 12345,
        -12345,
    ]

    @Test("Comparisons, ReLU and what follows from them, at the edges and at random, for many masks")
    func comparisons() throws {
        var numbers = Tensors(3)
        let shape = [Self.edges.count + 22]
        for seed in 0..<20 as Range<UInt64> {
            var builder = ProgramBuilder()
            builder.comparisons = seed % 2 == 0 ? .oneRound : .twoRounds
            let a = try builder.input(from: .first, shape: shape, bound: 1 << 61)
            let b = try builder.input(from: .second, shape: shape, bound: 1 << 60)
            let small = try builder.input(from: .second, shape: shape, bound: 100)
            let values = [
                try builder.relu(a), try builder.relu(a, upTo: 64), try builder.isAtLeast(a),
                try builder.isAtLeast(a, 64),
                try builder.isAtLeast(a, -64), try builder.isWithin(a, -64...63), try builder.isWithin(a, 64...64),
                try builder.isEqual(
                    small, try builder.constant(try tensor(shape, (0..<shape[0]).map { Int64($0 % 7) }))),
                try builder.maximum(b, small), try builder.isAtLeast(b, small),
                try builder.piecewiseLinear(small, knots: [-50, -3, 0, 20], slopes: [0, 2, -1, 5, 0], start: -9),
                try builder.selected(try builder.isAtLeast(small), b, small),
            ]
            for value in values { _ = try builder.reveal(value, to: .first) }
            let random = signed(try numbers([22], within: 1 << 61).words)
            let inputs = [
                try tensor(shape, Self.edges + random), try numbers(shape, within: 1 << 60),
                try numbers(shape, within: 9),
            ]
            let found = try agree(builder, inputs, seed: seed)
            #expect(found[0] == signed(inputs[0].words).map { max($0, 0) })
            #expect(found[5] == signed(inputs[0].words).map { (-64...63).contains($0) ? 1 : 0 })
            #expect(
                found[10]
                    == signed(inputs[2].words).map { x in
                        // The pieces one after the other.
                        if x < -50 { return -9 }
                        if x < -3 { return -9 + 2 * (x + 50) }
                        if x < 0 { return 85 - (x + 3) }
                        return x < 20 ? 82 + 5 * x : 182
                    })
        }
    }

    @Test(
        "A piecewise function beyond its last and before its first knot, and rounds: one for all comparisons of a value"
    )
    func pieces() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [6], bound: 1000)
        let value = try builder.piecewiseLinear(a, knots: [-10, 10], slopes: [-1, 0, 3], start: 4)
        _ = try builder.reveal(value, to: .second)
        let found = try agree(builder, [try tensor([6], [-1000, -11, -10, 10, 11, 1000])])
        #expect(found[0] == [994, 5, 4, 4, 7, 2974])
        #expect(builder.program().rounds.count == 2)
    }

    @Test("Exact truncation rounds to the nearest, halves up, at every offset and at the ends of the range")
    func exactTruncation() throws {
        for bits in [1, 3, 16, 40] {
            for seed in 0..<8 as Range<UInt64> {
                var builder = ProgramBuilder()
                let ends: [Int64] = [
                    1 << 61, -1 << 61, 1 << 61 - 1, 0, -1, 1, 1 << 40, -1 << 40, 1 << (Int64(bits) - 1),
                    -1 << (Int64(bits) - 1),
                ]
                let all = ends + (-40...40)
                let a = try builder.input(from: .second, shape: [all.count], bound: 1 << 61)
                _ = try builder.reveal(try builder.truncated(a, by: bits, exactly: true), to: .first)
                let found = try agree(builder, [try tensor([all.count], all)], seed: seed)
                #expect(found[0] == all.map { ($0 + 1 << Int64(bits - 1)) >> Int64(bits) })
                #expect(builder.program().rounds.count == 2)
            }
        }
    }

    @Test(
        "ReLU that divides and is held to a limit is never above it, is the limit to the bit from there on, and is off by less than one unit below, in both forms"
    )
    func heldAndTruncated() throws {
        let limit: Int64 = 100
        let edges: [Int64] = [
            0, 1, -1, 255, 256, 257, limit << 8 - 257, limit << 8 - 256, limit << 8 - 1, limit << 8, limit << 8 + 1,
            limit << 8 + 255, 1 << 60, -1 << 60, 1 << 60 - 1, 12_345,
        ]
        for (form, rounds) in [(ComparisonForm.oneRound, 2), (.twoRounds, 3)] {
            for seed in 0..<20 as Range<UInt64> {
                var builder = ProgramBuilder()
                builder.comparisons = form
                let a = try builder.input(from: .first, shape: [edges.count], bound: 1 << 60)
                let value = try builder.relu(a, truncatedBy: 8, upTo: limit)
                #expect(value.isRough && value.bound == Double(limit) && value.isNonNegative)
                // Opened all the same, for the test alone.
                _ = try builder.add(.reveal(value, to: .first), shape: value.shape, bound: value.bound, named: "reveal")
                let program = builder.program()
                #expect(program.rounds.count == rounds)
                let run = try Pair(program, [try tensor([edges.count], edges)], seed: seed).run()
                for (number, found) in zip(edges, signed(run.outputs[0][0].words)) {
                    #expect((0...limit).contains(found))
                    if number <= 0 { #expect(found == 0) }
                    if number >= limit << 8 { #expect(found == limit) }
                    if (1..<limit << 8).contains(number) { #expect(abs(Double(found) - Double(number) / 256) < 1) }
                }
                let clear = try ClearText.run(program, inputs: [try tensor([edges.count], edges)])
                #expect(
                    signed(clear.outputs[0].words) == edges.map { min((max($0, 0) + 128) >> 8, limit) })
            }
        }
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [1], bound: 1 << 60)
        for (bits, limit) in [(0, 5), (62, 5), (8, 0), (8, 1 << 54)] as [(Int, Int64)] {
            #expect(throws: ComputationError.self) { try builder.relu(a, truncatedBy: bits, upTo: limit) }
        }
    }

    @Test(
        "Truncation that is not exact is off by less than one unit, and rounds up with the fraction as probability: 40,000 draws, false alarm below 1e-6"
    )
    func roughTruncation() throws {
        var builder = ProgramBuilder()
        let count = 40_000
        let fractions: [Int64] = [0, 64, 128, 250]
        let numbers = (0..<count).map { (place: Int) -> Int64 in
            let whole: Int64 = place % 8 < 4 ? 1 << 50 : -1 << 50
            return whole + Int64(place) * 256 + fractions[place % 4]
        }
        let a = try builder.input(from: .first, shape: [count], bound: 1 << 60)
        let value = try builder.truncated(a, by: 8, exactly: false)
        let relu = try builder.relu(a, truncatedBy: 8)
        builder.comparisons = .twoRounds
        let compact = try builder.relu(a, truncatedBy: 8)
        #expect(value.isRough && relu.isRough && compact.isRough)
        #expect(throws: ComputationError.inexactReveal) { try builder.reveal(value, to: .first) }
        // Opened all the same, for the test alone.
        for rough in [value, relu, compact] {
            _ = try builder.add(.reveal(rough, to: .first), shape: rough.shape, bound: rough.bound, named: "reveal")
        }
        let found = try agree(builder, [try tensor([count], numbers)], tolerance: 1)
        for (output, isRelu) in [(found[0], false), (found[1], true), (found[2], true)] {
            var ups = [Double](repeating: 0, count: 4)
            var draws = ups
            for (place, number) in numbers.enumerated() {
                if isRelu && number < 0 {
                    #expect(output[place] == 0)
                    continue
                }
                let up = output[place] - number >> 8
                #expect(up == 0 || up == 1)
                ups[place % 4] += Double(up)
                draws[place % 4] += 1
            }
            for (kind, fraction) in fractions.enumerated() {
                let p = Double(fraction) / 256
                let deviation = (p * (1 - p) * draws[kind]).squareRoot()
                // Nine tests that are not certain; 5.5 standard deviations each are 4e-7 together.
                #expect(abs(ups[kind] - p * draws[kind]) <= 5.5 * deviation, "\(fraction)")
            }
        }
    }

    @Test("Pooling and argmax, ties and odd sizes among them")
    func pooling() throws {
        var numbers = Tensors(4)
        for (columns, seed) in [(1, 1), (2, 2), (3, 3), (7, 4), (10, 5), (16, 6)] as [(Int, UInt64)] {
            var builder = ProgramBuilder()
            let rows = try builder.input(from: .first, shape: [9, columns], bound: 1 << 30)
            let place = try builder.argmax(rows)
            _ = try builder.reveal(place, to: .second)
            // Few different numbers: many ties.
            let input = try numbers([9, columns], within: 2)
            let found = try agree(builder, [input], seed: seed)
            let expected = (0..<9).map { row -> Int64 in
                let one = signed(Array(input.words[row * columns..<(row + 1) * columns]))
                return Int64(one.firstIndex(of: one.max() ?? 0) ?? 0)
            }
            #expect(found[0] == expected)
            #expect(
                builder.program().rounds.count == Int.bitWidth - (columns - 1).leadingZeroBitCount + 1 || columns == 1)
        }
        for (window, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 3, 0), (1, 1, 0)] {
            var builder = ProgramBuilder()
            let images = try builder.input(from: .first, shape: [2, 3, 7, 6], bound: 1 << 30)
            let positive = try builder.relu(images)
            let values = [
                try builder.maximumPool(positive, window: window, stride: stride, padding: padding),
                try builder.sumPool(images, window: window, stride: stride, padding: padding),
            ]
            for value in values { _ = try builder.reveal(value, to: .first) }
            let input = try numbers([2, 3, 7, 6], within: 1 << 30)
            let found = try agree(builder, [input])
            let height = (7 + 2 * padding - window) / stride + 1
            let width = (6 + 2 * padding - window) / stride + 1
            var largest: [Int64] = []
            for plane in 0..<6 {
                for y in 0..<height {
                    for x in 0..<width {
                        var best: Int64 = 0
                        for row in y * stride - padding..<y * stride - padding + window where (0..<7).contains(row) {
                            for column in x * stride - padding..<x * stride - padding + window
                            where (0..<6).contains(column) {
                                best = max(best, signed(input.words)[(plane * 7 + row) * 6 + column])
                            }
                        }
                        largest.append(best)
                    }
                }
            }
            #expect(found[0] == largest)
        }
    }

    @Test("A small convolutional network: within the truncations' error of the clear twin, and the same label")
    func network() throws {
        var numbers = Tensors(5)
        var builder = ProgramBuilder()
        let images = try builder.input(from: .first, shape: [2, 1, 12, 12], bound: 1 << 12)
        let first = try builder.weights("first", of: .second, shape: [4, 1, 3, 3], bound: 1 << 12, sumBound: 9 << 12)
        let second = try builder.weights("second", of: .second, shape: [100, 10], bound: 1 << 12, sumBound: 100 << 12)
        let hidden = try builder.maximumPool(try builder.convolution(images, first), window: 2, stride: 2)
        let active = try builder.truncated(try builder.relu(hidden), by: 12, exactly: true)
        let row = try builder.reshaped(active, to: [2, 100])
        let logits = try builder.matrixProduct(row, second)
        _ = try builder.reveal(try builder.argmax(logits), to: .first)
        _ = try builder.reveal(logits, to: .second)
        let inputs = [try numbers([2, 1, 12, 12], within: 1 << 12)]
        let weights = [try numbers([4, 1, 3, 3], within: 1 << 12), try numbers([100, 10], within: 1 << 12)]
        _ = try agree(builder, inputs, weights: weights)
    }

    @Test("Inputs are held to their bounds, on shares and in the clear")
    func held() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .second, shape: [4], bound: 10)
        _ = try builder.reveal(try builder.combined([(a, 2)]), to: .first)
        let found = try agree(builder, [try tensor([4], [11, -11, .max, .min])])
        #expect(found[0] == [20, -20, 20, -20])
    }
}
