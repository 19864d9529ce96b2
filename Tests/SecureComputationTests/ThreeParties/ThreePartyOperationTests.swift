import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("Operations on shares of three parties")
struct ThreePartyOperationTests {
    /// Runs a program on shares, without and with abort, and in the clear, and compares results and costs. `tolerance` is for truncations that are not exact; with abort all are.
    private func agree(
        _ builder: ProgramBuilder, _ inputs: [RingTensor], weights: [RingTensor] = [], tolerance: UInt64 = 0,
        seed: UInt64 = 1
    ) throws -> [[Int64]] {
        let program = builder.program()
        let clear = try ClearText.run(program, inputs: inputs, weights: weights)
        let run = try Trio(program, inputs, weights: weights, seed: seed).run()
        var next = [0, 0, 0]
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
        #expect(run.outputs.map(\.count) == next)
        #expect(run.cost == program.threePartyCost)
        let verified = try Trio(program, inputs, weights: weights, security: .withAbort, seed: seed).run()
        for party in ComputingParty.three {
            let expected = zip(program.outputs, clear.outputs).filter { $0.0.to == party }.map { $0.1 }
            #expect(verified.outputs[party.rawValue] == expected)
        }
        #expect(try verified.cost == program.threePartyCostWithAbort())
        return found
    }

    @Test("Sums, differences, multiples, constants, gathers and sums of rows of three parties' inputs, to all three")
    func linear() throws {
        var numbers = Tensors(1)
        var builder = ProgramBuilder()
        let values = try ComputingParty.three.map { try builder.input(from: $0, shape: [3, 4], bound: 1000) }
        let c = try builder.constant(try numbers([3, 4], within: 50))
        let all = try builder.combined([(values[0], 3), (values[1], -7), (values[2], 11), (c, 2)])
        let turned = try builder.gathered(all, places: [11, -1, 0, 5], shape: [2, 2])
        let joined = try builder.concatenated([all, turned, c])
        for value in [all, turned, joined, try builder.summed(all), c] {
            for party in ComputingParty.three { _ = try builder.reveal(value, to: party) }
        }
        let inputs = try values.map { _ in try numbers([3, 4], within: 1000) }
        let found = try agree(builder, inputs)
        let constant = found[12][0]
        let one = inputs.map { signed($0.words)[0] }
        #expect(found[0][0] == 3 * one[0] - 7 * one[1] + 11 * one[2] + 2 * constant)
        #expect(found[3][1] == 0)
        #expect(builder.program().threePartyCost.rounds == 2)
    }

    @Test("Products of elements and of matrices, convolutions, with secret, public and each party's own operands")
    func products() throws {
        var numbers = Tensors(2)
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [5, 7], bound: 1 << 20)
        let b = try builder.input(from: .second, shape: [5, 7], bound: 1 << 20)
        let c = try builder.input(from: .third, shape: [7, 3], bound: 1 << 20)
        let images = try builder.input(from: .third, shape: [2, 3, 6, 5], bound: 1 << 16)
        let kernels = try builder.input(from: .first, shape: [4, 3, 3, 3], bound: 1 << 16)
        let matrices = try ComputingParty.three.map {
            try builder.weights("matrix", of: $0, shape: [7, 3], bound: 1 << 16, sumBound: 1 << 20)
        }
        let filter = try builder.weights("filter", of: .third, shape: [4, 3, 3, 3], bound: 1 << 16, sumBound: 1 << 22)
        var values = [
            try builder.product(a, b), try builder.matrixProduct(a, c),
            try builder.convolution(images, kernels, stride: 2, padding: 1),
            try builder.convolution(images, filter, padding: 1),
            try builder.matrixProduct(a, try numbers([7, 2], within: 1000)),
        ]
        for matrix in matrices { values.append(try builder.matrixProduct(try builder.sum(a, b), matrix)) }
        for (number, value) in values.enumerated() {
            _ = try builder.reveal(value, to: ComputingParty.three[number % 3])
        }
        let inputs = try builder.program().inputs.map { try numbers($0.shape, within: Int64($0.bound)) }
        var weights = try matrices.map { _ in try numbers([7, 3], within: 1 << 16) }
        weights.append(try numbers([4, 3, 3, 3], within: 1 << 16))
        let found = try agree(builder, inputs, weights: weights)
        // One number by hand, beside the twin.
        #expect(found[0][9] == signed(inputs[0].words)[9] * signed(inputs[1].words)[9])
        #expect(builder.program().threePartyCost.rounds == 3)
    }

    @Test("Comparisons, ReLU and what follows from them, at the edges and at random, for many masks")
    func comparisons() throws {
        var numbers = Tensors(3)
        let shape = [OperationTests.edges.count + 222]
        for seed in 0..<20 as Range<UInt64> {
            var builder = ProgramBuilder()
            builder.comparisons = seed % 2 == 0 ? .oneRound : .twoRounds
            let a = try builder.input(from: .first, shape: shape, bound: 1 << 61)
            let b = try builder.input(from: .second, shape: shape, bound: 1 << 60)
            let small = try builder.input(from: .third, shape: shape, bound: 100)
            let values = [
                try builder.relu(a), try builder.relu(a, upTo: 64), try builder.isAtLeast(a),
                try builder.isAtLeast(a, 64),
                try builder.isAtLeast(a, -64), try builder.isWithin(a, -64...63), try builder.isWithin(a, 64...64),
                try builder.isEqual(
                    small, try builder.constant(try tensor(shape, (0..<shape[0]).map { Int64($0 % 7) }))),
                try builder.maximum(b, small), try builder.isAtLeast(b, small),
                try builder.piecewiseLinear(small, knots: [-50, -3, 0, 20], slopes: [0, 2, -1, 5, 0], start: -9),
                try builder.selected(try builder.isAtLeast(small), b, small),
                try builder.argmax(try builder.reshaped(b, to: [shape[0] / 8, 8])),
            ]
            for (number, value) in values.enumerated() {
                _ = try builder.reveal(value, to: ComputingParty.three[(number + Int(seed)) % 3])
            }
            let random = signed(try numbers([222], within: 1 << 61).words)
            let inputs = [
                try tensor(shape, OperationTests.edges + random), try numbers(shape, within: 1 << 60),
                try numbers(shape, within: 9),
            ]
            let found = try agree(builder, inputs, seed: seed)
            #expect(found[0] == signed(inputs[0].words).map { max($0, 0) })
            #expect(found[5] == signed(inputs[0].words).map { (-64...63).contains($0) ? 1 : 0 })
        }
    }

    @Test(
        "A comparison of a value with a bound of few bits is right at both ends of the bound, for each number of bits")
    func narrow() throws {
        for bits in 0...60 {
            let bound: Int64 = 1 << Int64(bits)
            for bound in [bound, bound - 1] {
                var builder = ProgramBuilder()
                let all = [bound, -bound, bound - 1, 1 - bound, 0, 1, -1, bound / 2, -bound / 2].filter {
                    $0.magnitude <= bound.magnitude
                }
                let a = try builder.input(from: .second, shape: [all.count], bound: bound)
                _ = try builder.reveal(try builder.relu(a), to: .third)
                _ = try builder.reveal(try builder.isAtLeast(a, max(bound, 1)), to: .first)
                let found = try agree(builder, [try tensor([all.count], all)], seed: UInt64(bits))
                #expect(found[0] == all.map { max($0, 0) })
                #expect(found[1] == all.map { $0 >= max(bound, 1) ? 1 : 0 })
            }
        }
    }

    @Test("Exact truncation rounds to the nearest, halves up, at every offset and at the ends of the range")
    func exactTruncation() throws {
        for bits in [1, 3, 16, 40, 60, 61] {
            for seed in 0..<8 as Range<UInt64> {
                var builder = ProgramBuilder()
                let bound: Int64 = 1 << 62 - 1 << 60 - 1024
                let ends: [Int64] = [
                    bound, -bound, bound - 1, 1 << 61, -1 << 61, 0, -1, 1, 1 << 40, -1 << 40, 1 << (Int64(bits) - 1),
                    -1 << (Int64(bits) - 1),
                ]
                let all = ends + (-40...240)
                let a = try builder.input(from: .second, shape: [all.count], bound: bound)
                _ = try builder.reveal(try builder.truncated(a, by: bits, exactly: true), to: .first)
                let found = try agree(builder, [try tensor([all.count], all)], seed: seed)
                #expect(found[0] == all.map { ($0 + 1 << Int64(bits - 1)) >> Int64(bits) })
            }
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
        let a = try builder.input(from: .third, shape: [count], bound: 1 << 60)
        let value = try builder.truncated(a, by: 8, exactly: false)
        let relu = try builder.relu(a, truncatedBy: 8)
        builder.comparisons = .twoRounds
        let compact = try builder.relu(a, truncatedBy: 8)
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

    @Test("Truncation that is not exact is off by less than one unit at the ends of the range, by any number of bits")
    func roughEnds() throws {
        for bits in [1, 2, 30, 60, 61] {
            for seed in 0..<20 as Range<UInt64> {
                var builder = ProgramBuilder()
                let bound: Int64 = 1 << 62 - 1 << 60 - 1024
                let all: [Int64] = [bound, -bound, 1 - bound, bound - 1, 0, 1, -1, 1 << 61, -1 << 61]
                let a = try builder.input(from: .first, shape: [all.count], bound: bound)
                let values = [
                    try builder.truncated(a, by: bits, exactly: false), try builder.relu(a, truncatedBy: bits),
                ]
                for rough in values {
                    _ = try builder.add(
                        .reveal(rough, to: .third), shape: rough.shape, bound: rough.bound, named: "reveal")
                }
                let found = try agree(builder, [try tensor([all.count], all)], tolerance: 1, seed: seed)
                for (place, x) in all.enumerated() {
                    #expect([0, 1].contains(found[0][place] - x >> Int64(bits)))
                    #expect(x < 0 ? found[1][place] == 0 : [0, 1].contains(found[1][place] - x >> Int64(bits)))
                }
            }
        }
    }

    @Test("Argmax and pooling, ties and odd sizes among them")
    func pooling() throws {
        var numbers = Tensors(4)
        for (columns, seed) in [(1, 1), (2, 2), (3, 3), (7, 4), (10, 5), (16, 6)] as [(Int, UInt64)] {
            var builder = ProgramBuilder()
            let rows = try builder.input(from: .first, shape: [40, columns], bound: 1 << 30)
            _ = try builder.reveal(try builder.argmax(rows), to: .third)
            // Few different numbers: many ties.
            let input = try numbers([40, columns], within: 2)
            let found = try agree(builder, [input], seed: seed)
            let expected = (0..<40).map { row -> Int64 in
                let one = signed(Array(input.words[row * columns..<(row + 1) * columns]))
                return Int64(one.firstIndex(of: one.max() ?? 0) ?? 0)
            }
            #expect(found[0] == expected)
        }
        for (window, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 3, 0), (1, 1, 0)] {
            var builder = ProgramBuilder()
            let images = try builder.input(from: .third, shape: [2, 3, 7, 6], bound: 1 << 30)
            let positive = try builder.relu(images)
            let values = [
                try builder.maximumPool(positive, window: window, stride: stride, padding: padding),
                try builder.sumPool(images, window: window, stride: stride, padding: padding),
            ]
            for value in values { _ = try builder.reveal(value, to: .first) }
            _ = try agree(builder, [try numbers([2, 3, 7, 6], within: 1 << 30)])
        }
    }

    @Test("A small convolutional network of two owners' weights and a third one's images gives the twin's label")
    func network() throws {
        var numbers = Tensors(5)
        var builder = ProgramBuilder()
        let images = try builder.input(from: .third, shape: [2, 1, 12, 12], bound: 1 << 12)
        let first = try builder.weights("first", of: .first, shape: [4, 1, 3, 3], bound: 1 << 12, sumBound: 9 << 12)
        let second = try builder.weights("second", of: .second, shape: [100, 10], bound: 1 << 12, sumBound: 100 << 12)
        let hidden = try builder.maximumPool(try builder.convolution(images, first), window: 2, stride: 2)
        let active = try builder.truncated(try builder.relu(hidden), by: 12, exactly: true)
        let row = try builder.reshaped(active, to: [2, 100])
        let logits = try builder.matrixProduct(row, second)
        _ = try builder.reveal(try builder.argmax(logits), to: .third)
        _ = try builder.reveal(logits, to: .second)
        let inputs = [try numbers([2, 1, 12, 12], within: 1 << 12)]
        let weights = [try numbers([4, 1, 3, 3], within: 1 << 12), try numbers([100, 10], within: 1 << 12)]
        _ = try agree(builder, inputs, weights: weights)
    }

    @Test("Inputs are held to their bounds, and values that nobody gave, of constants alone, are computed too")
    func held() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .third, shape: [4], bound: 10)
        _ = try builder.reveal(try builder.combined([(a, 2)]), to: .first)
        let c = try builder.constant(try tensor([3], [-5, 0, 7]))
        _ = try builder.reveal(try builder.relu(c), to: .second)
        let found = try agree(builder, [try tensor([4], [11, -11, .max, .min])])
        #expect(found == [[20, -20, 20, -20], [0, 0, 7]])
    }

    @Test("A function by straight pieces, as two parties compute it")
    func sigmoid() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .second, shape: [200], bound: 1 << 18)
        _ = try builder.reveal(try builder.sigmoid(a, fractionBits: 12), to: .third)
        var numbers = Tensors(9)
        _ = try agree(builder, [try numbers([200], within: 1 << 16)])
    }

    @Test("A program without a step, and one without an input, end")
    func empty() throws {
        #expect(try agree(ProgramBuilder(), []).isEmpty)
        var builder = ProgramBuilder()
        let none = try builder.input(from: .first, shape: [0], bound: 5)
        _ = try builder.reveal(try builder.truncated(try builder.relu(none), by: 3, exactly: true), to: .third)
        #expect(try agree(builder, [try tensor([0], [])]) == [[]])
    }
}
