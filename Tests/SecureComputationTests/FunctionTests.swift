import ModularArithmetic
import Testing

@testable import SecureComputation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite("Functions by straight pieces")
struct FunctionTests {
    @Test(
        "Sigmoid, exponential and reciprocal stay within the error that is stated, on shares, and level outside of their range"
    )
    func errors() throws {
        let cases:
            [(name: String, range: ClosedRange<Double>, pieces: Int, curvature: Double, function: (Double) -> Double)] =
                [
                    ("sigmoid", -8...8, 64, 0.0963, { 1 / (1 + exp(-$0)) }),
                    ("exponential", -8...0, 128, 1, { exp($0) }),
                    ("reciprocal", 1...9, 128, 2, { 1 / $0 }), ("one piece", 0...1, 1, 0, { 3 - 2 * $0 }),
                ]
        for bits in [8, 12, 20] {
            for (name, range, pieces, curvature, function) in cases {
                let code = try FixedPoint(fractionBits: bits, bound: 100)
                let width = range.upperBound - range.lowerBound
                let points =
                    (0...400).map { range.lowerBound + width * Double($0) / 400 } + [
                        -90, 90, range.lowerBound, range.upperBound,
                    ]
                var builder = ProgramBuilder()
                let a = try builder.input(from: .first, shape: [points.count], bound: code.integerBound)
                let value =
                    name == "sigmoid"
                    ? try builder.sigmoid(a, fractionBits: bits)
                    : try builder.interpolated(a, fractionBits: bits, over: range, pieces: pieces, by: function)
                _ = try builder.reveal(value, to: .second)
                let program = builder.program()
                #expect(program.rounds.count == 3)
                let input = try RingTensor(shape: [points.count], words: code.encode(points))
                let found = code.decode(try Pair(program, [input], seed: 5).run().outputs[1][0].words)
                #expect(try ClearText.run(program, inputs: [input]).outputs[0].words == code.encode(found))
                let step = width / Double(pieces) + 1.01 * code.unit
                let allowed = step * step / 8 * curvature + 2 * code.unit
                for (point, result) in zip(code.decode(input.words), found) {
                    let exact = function(min(max(point, range.lowerBound), range.upperBound))
                    #expect(abs(result - exact) <= allowed, "\(name) \(bits) \(point): \(result), not \(exact)")
                    if name == "sigmoid" { #expect(abs(result - 1 / (1 + exp(-point))) <= max(1e-3, 2 * code.unit)) }
                }
            }
        }
    }

    @Test("Ranges, pieces and functions that do not fit are refused")
    func refused() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [2], bound: 1 << 20)
        let wrong: [(Int, ClosedRange<Double>, Int, (Double) -> Double)] = [
            (3, 0...1, 4, { $0 }), (25, 0...1, 4, { $0 }), (12, 0...1, 0, { $0 }), (4, 0...1, 17, { $0 }),
            (12, -.infinity...1, 4, { $0 }),
            (12, 0...1, 4, { _ in .nan }), (12, 0...1, 4, { 1 / $0 }), (12, 0...1, 4, { _ in 0x1p30 }),
            (12, 0...0.01, 40, { $0 > 0.005 ? 1e6 : 0 }),
        ]
        for (bits, range, pieces, function) in wrong {
            #expect(throws: ComputationError.self) {
                try builder.interpolated(a, fractionBits: bits, over: range, pieces: pieces, by: function)
            }
        }
    }
}
