import ModularArithmetic
import Testing

@Suite("Fixed point")
struct FixedPointTests {
    @Test("Encoding rounds to the nearest unit and decoding gives it back")
    func roundTrip() throws {
        let code = try FixedPoint(fractionBits: 12, bound: 1000)
        for value in [0, 1, -1, 0.5, -0.5, 3.14159, -999.999, 1000, -1000, 1e-9] {
            #expect(abs(code.decode(code.encode(value)) - value) <= code.unit / 2)
        }
        #expect(code.encode(1) == 4096)
        #expect(code.encode(-1) == 0 &- 4096)
        // Halves to even.
        #expect(code.encode(code.unit / 2) == 0)
        #expect(code.encode(code.unit * 1.5) == 2)
    }

    @Test("What is beyond the bound is held to it, NaN is 0, and nothing traps")
    func clamped() throws {
        for bits in [0, 12, 52] {
            let code = try FixedPoint(fractionBits: bits, bound: 100.3)
            let limit = UInt64(code.integerBound)
            for value in [Double.infinity, .greatestFiniteMagnitude, 1e300, 101] {
                #expect(code.encode(value) == limit)
                #expect(code.encode(-value) == 0 &- limit)
            }
            #expect(code.encode(.nan) == 0)
            #expect(code.encode(-.zero) == 0)
            #expect(code.encode(.leastNonzeroMagnitude) == 0)
            #expect(Double(code.integerBound) * code.unit <= 100.3)
        }
    }

    @Test("Where nothing may be clamped, the error names the place and not the number")
    func exact() throws {
        let code = try FixedPoint(fractionBits: 8, bound: 10)
        #expect(try code.encodeExactly([1, -10, 10]) == [256, 0 &- 2560, 2560])
        for wrong in [10.1, -11, .nan, .infinity] {
            #expect(throws: ArithmeticError.outOfBounds(place: 2)) { try code.encodeExactly([1, 2, wrong]) }
        }
    }

    @Test("Bits and bounds that do not fit are refused")
    func refused() {
        for (bits, bound) in [
            (-1, 1.0), (53, 1), (12, 0), (12, -1), (12, .infinity), (12, .nan), (52, 1025), (0, 0x1p62),
        ] {
            #expect(throws: ArithmeticError.self) { try FixedPoint(fractionBits: bits, bound: bound) }
        }
    }
}

@Suite("Tensors and products")
struct RingTensorTests {
    @Test("A shape fits its elements, and absurd shapes are refused before anything is allocated")
    func shapes() throws {
        #expect(try RingTensor(shape: [], words: [7]).words == [7])
        #expect(try RingTensor(zeros: [2, 0, 3]).words.isEmpty)
        for shape in [[-1], [1 << 40], [1 << 20, 1 << 20], [Int.max, Int.max], [3, -2, 0]] {
            #expect(throws: ArithmeticError.self) { try RingTensor(zeros: shape) }
        }
        #expect(throws: ArithmeticError.sizes("3 elements for the shape [2, 2]", expected: "4")) {
            try RingTensor(shape: [2, 2], words: [1, 2, 3])
        }
    }

    @Test("Neither description nor mirror shows an element")
    func redacted() throws {
        let tensor = try RingTensor(shape: [1], words: [987_654_321])
        var dumped = ""
        dump(tensor, to: &dumped)
        #expect(!"\(tensor)\(dumped)".contains("987654321"))
        dump(CipherKey(words: (987_654_321, 5)), to: &dumped)
        #expect(!dumped.contains("987654321"))
    }

    @Test("On two threads a product and a convolution are the same")
    func threads() throws {
        let product = BilinearMap.matrices(try MatrixProduct(rows: 301, inner: 40, columns: 50))
        let convolution = BilinearMap.convolution(
            try RingConvolution(input: [5, 3, 12, 12], weights: [4, 3, 3, 3], padding: 1))
        let key = CipherKey(words: (1, 2))
        for map in [product, convolution, .elements(100)] {
            let left = key.words(map.leftCount, stream: 0)
            let right = key.words(map.rightCount, stream: 1)
            var one = key.words(map.resultCount, stream: 2)
            var two = one
            map.add(left, right, to: &one)
            map.add(left, right, to: &two, threads: 2)
            #expect(one == two)
        }
    }

    @Test("Convolutions whose shapes do not fit are refused")
    func refused() {
        let cases: [([Int], [Int], Int, Int, Int)] = [
            ([1, 3, 5, 5], [2, 2, 3, 3], 1, 0, 1), ([1, 3, 5], [2, 3, 3, 3], 1, 0, 1),
            ([1, 3, 5, 5], [2, 3, 6, 6], 1, 0, 1),
            ([1, 3, 5, 5], [2, 3, 3, 3], 0, 0, 1), ([1, 3, 5, 5], [2, 3, 3, 3], 1, -1, 1),
            ([1, 4, 5, 5], [3, 2, 3, 3], 1, 0, 2),
            ([1, 3, 5, 0], [2, 3, 3, 3], 1, 0, 1), ([1 << 20, 1 << 20, 5, 5], [2, 1 << 20, 3, 3], 1, 0, 1),
        ]
        for (input, weights, stride, padding, groups) in cases {
            #expect(throws: ArithmeticError.self) {
                try RingConvolution(input: input, weights: weights, stride: stride, padding: padding, groups: groups)
            }
        }
    }
}
