import Foundation
import Kernels
import Testing

/// Lengths around those of vectors.
let lengths = [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 100]

@Suite("What is done to each number by itself")
struct ElementwiseTests {
    /// Calls `body` for each length and path with two arrays and a target, which begins as `a`, and compares the target to the closure's numbers.
    private func check(
        _ what: String, within bound: Double = 1e-6,
        _ body: (Int, Guarded, Guarded, Guarded, kernels_instructions) -> Void, _ expected: (Double, Double) -> Double
    ) {
        for count in lengths {
            var sequence = Sequence(UInt64(count))
            let (x, y) = (sequence.floats(count, -2, 2), sequence.floats(count, -2, 2))
            for path in paths {
                let (a, b, target) = (Guarded(x), Guarded(y), Guarded(x))
                body(count, a, b, target, path)
                let wanted = zip(x, y).map { expected(Double($0), Double($1)) }
                #expect(distance(target.values, wanted) <= bound, "\(what) \(count) \(path)")
                #expect(
                    a.isIntact && b.isIntact && target.isIntact && bits(a.values) == bits(x)
                        && bits(b.values) == bits(y))
            }
        }
    }

    @Test("Sums, products and multiples agree with double")
    func arithmetic() {
        check(
            "add", { count, a, b, target, path in kernels_add(count, a.pointer, b.pointer, target.pointer, path) },
            { $0 + $1 })
        check(
            "multiply",
            { count, a, b, target, path in kernels_multiply(count, a.pointer, b.pointer, target.pointer, path) },
            { $0 * $1 })
        check(
            "scale", { count, _, b, target, path in kernels_scale(count, 1.75, b.pointer, target.pointer, path) },
            { 1.75 * $1 })
        check(
            "axpy", { count, _, b, target, path in kernels_axpy(count, -0.5, b.pointer, target.pointer, path) },
            { $0 - 0.5 * $1 })
        check(
            "in place",
            { count, _, b, target, path in kernels_add(count, target.pointer, b.pointer, target.pointer, path) },
            { $0 + $1 })
    }

    /// A function, what it is in double, its derivative as a function of x, and whether the backward pass is given f(x) in place of x.
    struct Case {
        let function: kernels_function
        let value: @Sendable (Double) -> Double
        let slope: @Sendable (Double) -> Double
        var isGivenResult = false
    }

    static let normal: @Sendable (Double) -> Double = { 0.5 * erfc(-$0 / 2.0.squareRoot()) }
    static let inner: @Sendable (Double) -> Double = { (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0) }
    static let cases: [Case] = [
        Case(function: .relu, value: { max($0, 0) }, slope: { $0 > 0 ? 1 : 0 }),
        Case(
            function: .gelu, value: { $0 * normal($0) },
            slope: { normal($0) + $0 * exp(-$0 * $0 / 2) / (2 * Double.pi).squareRoot() }),
        Case(
            function: .gelu_tanh, value: { 0.5 * $0 * (1 + tanh(inner($0))) },
            slope: {
                let t = tanh(inner($0))
                return 0.5 * (1 + t) + 0.5 * $0 * (1 - t * t) * (2 / Double.pi).squareRoot()
                    * (1 + 3 * 0.044715 * $0 * $0)
            }),
        Case(function: .tanh, value: { tanh($0) }, slope: { 1 - tanh($0) * tanh($0) }, isGivenResult: true),
        Case(
            function: .sigmoid, value: { 1 / (1 + exp(-$0)) }, slope: { 1 / (2 + exp($0) + exp(-$0)) },
            isGivenResult: true),
        Case(function: .exp, value: { exp($0) }, slope: { exp($0) }, isGivenResult: true),
        Case(function: .erf, value: { erf($0) }, slope: { 2 / Double.pi.squareRoot() * exp(-$0 * $0) }),
    ]

    @Test("Functions and their derivatives agree with double", arguments: cases.indices)
    func functions(_ index: Int) {
        let of = Self.cases[index]
        check(
            "\(of.function)",
            { count, a, _, target, path in kernels_apply(of.function, count, a.pointer, target.pointer, path) },
            { x, _ in of.value(x) })
        check(
            "\(of.function) backward",
            { count, a, b, target, path in
                if of.isGivenResult { kernels_apply(of.function, count, a.pointer, target.pointer, path) }
                kernels_apply_backward(of.function, count, target.pointer, b.pointer, target.pointer, path)
            }, { of.slope($0) * $1 })
    }

    /// Errors in units of the last place of the exact result, over floats of every exponent and every sign.
    private func worst(_ function: kernels_function, _ path: kernels_instructions, _ exact: (Double) -> Double) -> (
        Double, Float
    ) {
        var x: [Float] = []
        for upper in 0..<UInt32(1 << 14) {
            x.append(Float(bitPattern: upper << 18 | upper &* 2_654_435_761 >> 14))
        }
        x += (0...40_000).map { Float($0 - 20_000) / 160 } + (0...20_000).map { Float($0 - 10_000) / 3_000 }
        x = x.filter(\.isFinite)
        var target = [Float](repeating: 0, count: x.count)
        kernels_apply(function, x.count, x, &target, path)
        var worst = (0.0, Float(0))
        for (x, found) in zip(x, target) {
            let wanted = exact(Double(x))
            let rounded = Float(wanted)
            if rounded.isInfinite || found == rounded {
                if found != rounded { return (.infinity, x) } else { continue }
            }
            let error = abs(Double(found) - wanted) / Double(max(rounded.ulp, .leastNonzeroMagnitude))
            if !(error <= worst.0) { worst = (error, x) }
        }
        return worst
    }

    @Test(
        "exp, tanh, sigmoid and erf lie within the stated units in the last place of the exact result, over all exponents"
    )
    func unitsInTheLastPlace() {
        for path in paths {
            for (index, bound) in [(3, 2.0), (4, 3.0), (5, 1.5), (6, 2.0)] {
                let of = Self.cases[index]
                let (error, x) = worst(of.function, path, of.value)
                #expect(error <= bound, "\(of.function) \(path): \(error) at \(x)")
            }
        }
    }

    @Test("NaN stays NaN, and infinities go to the limit")
    func limits() {
        let limits: [(kernels_function, Float, Float)] = [
            (.relu, 0, .infinity), (.gelu, 0, .infinity), (.gelu_tanh, 0, .infinity), (.tanh, -1, 1), (.sigmoid, 0, 1),
            (.exp, 0, .infinity), (.erf, -1, 1),
        ]
        for path in paths {
            for (function, below, above) in limits {
                for position in [0, 16] {
                    var x = [Float](repeating: 0.5, count: 19)
                    x.replaceSubrange(position..<position + 3, with: [.nan, -.infinity, .infinity])
                    let target = Guarded(count: 19)
                    kernels_apply(function, 19, x, target.pointer, path)
                    #expect(
                        target.values[position].isNaN && target.values[position + 1] == below
                            && target.values[position + 2] == above)
                    if function == .gelu || function == .gelu_tanh {
                        kernels_apply_backward(function, 19, x, [Float](repeating: 1, count: 19), target.pointer, path)
                        #expect(
                            target.values[position].isNaN && target.values[position + 1] == 0
                                && target.values[position + 2] == 1)
                    }
                }
            }
        }
    }

    @Test("A bias is added to each row, and to each channel")
    func biases() {
        var sequence = Sequence(5)
        for (rows, columns, plane) in [(0, 3, 2), (3, 1, 1), (5, 17, 3), (2, 33, 20), (4, 7, 0)] {
            let (x, y, bias) = (
                sequence.floats(rows * columns), sequence.floats(rows * columns * plane), sequence.floats(columns)
            )
            for path in paths {
                let (target, planes) = (Guarded(count: x.count), Guarded(y))
                kernels_add_bias_to_rows(rows, columns, x, bias, target.pointer, path)
                kernels_add_bias_to_channels(rows, columns, plane, planes.pointer, bias, planes.pointer, path)
                #expect(target.values == x.indices.map { x[$0] + bias[$0 % columns] } && target.isIntact)
                #expect(planes.values == y.indices.map { y[$0] + bias[$0 / plane % columns] } && planes.isIntact)
            }
        }
    }

    @Test("The gradients of biases are sums, scaled by row or image and added to what is there")
    func biasGradients() {
        var sequence = Sequence(6)
        for (rows, columns, plane) in [(0, 3, 2), (3, 1, 1), (50, 17, 3), (2, 33, 20), (4, 7, 0)] {
            let (x, y) = (sequence.floats(rows * columns), sequence.floats(rows * columns * plane))
            let scale = sequence.floats(rows, 0, 2)
            for (isScaled, accumulates) in [(false, false), (true, true)] {
                let start = accumulates ? 0.5 : 0.0
                var (ofRows, ofPlanes) = (
                    [Double](repeating: start, count: columns), [Double](repeating: start, count: columns)
                )
                for i in x.indices { ofRows[i % columns] += Double(x[i]) * (isScaled ? Double(scale[i / columns]) : 1) }
                for i in y.indices {
                    ofPlanes[i / plane % columns] += Double(y[i]) * (isScaled ? Double(scale[i / plane / columns]) : 1)
                }
                for path in paths {
                    let make = {
                        accumulates ? Guarded([Float](repeating: 0.5, count: columns)) : Guarded(count: columns)
                    }
                    let (target, planes) = (make(), make())
                    kernels_sum_of_rows(rows, columns, x, isScaled ? scale : nil, accumulates, target.pointer, path)
                    kernels_sum_of_channels(
                        rows, columns, plane, y, isScaled ? scale : nil, accumulates, planes.pointer, path)
                    #expect(distance(target.values, ofRows) < 2e-7 && target.isIntact)
                    #expect(distance(planes.values, ofPlanes) < 2e-7 && planes.isIntact)
                }
            }
        }
    }

    @Test("Numbers are rounded to the grid half to even, saturate, and NaN is 0; the way back is a product")
    func grid() {
        var x: [Float] = [
            0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, .nan, .infinity, -.infinity, 1e30, -1e30, 0, -0.0, 8_388_609.5 / 2,
            1e-30,
        ]
        var sequence = Sequence(9)
        x +=
            sequence.floats(200, -3e6, 3e6) + [
                9_223_371_487_098_961_920, -9_223_372_036_854_775_808, 9_223_372_036_854_775_808,
            ]
        for scale in [1, 1024, 0.1, 3e9] {
            let expected = x.map { number -> Int64 in
                let value = (Double(number) * scale).rounded(.toNearestOrEven)
                return value.isNaN ? 0 : value >= 0x1p63 ? .max : value < -0x1p63 ? .min : Int64(value)
            }
            for path in paths {
                for count in lengths + [x.count] {
                    var target = [Int64](repeating: 77, count: count + 1)
                    kernels_round_to_grid(count, x, scale, &target, path)
                    #expect(target == expected.prefix(count) + [77])
                    let back = Guarded(count: count)
                    kernels_from_grid(count, target, 1 / scale, back.pointer, path)
                    #expect(
                        back.values == target.prefix(count).map { Float(Double($0) * (1 / scale)) } && back.isIntact)
                }
            }
        }
    }
}

@Suite("Subnormal numbers")
struct SubnormalTests {
    @Test("Between flushing and restoring they count as zero, and not before or after")
    func flushed() {
        var tiny = Float.leastNormalMagnitude
        withUnsafeMutablePointer(to: &tiny) { tiny in
            // Read back each time, so that nothing is computed beforehand.
            func half() -> Float {
                kernels_scale(1, 0.5, tiny, tiny, .portable)
                defer { tiny.pointee = Float.leastNormalMagnitude }
                return tiny.pointee
            }
            #expect(half() == Float.leastNormalMagnitude / 2)
            let before = kernels_flush_subnormals()
            let flushed = half()
            let again = kernels_flush_subnormals()
            kernels_restore_subnormals(again)
            let still = half()
            kernels_restore_subnormals(before)
            #if arch(x86_64) || arch(arm64)
                #expect(flushed == 0 && still == 0)
            #endif
            #expect(half() == Float.leastNormalMagnitude / 2)
        }
    }
}
