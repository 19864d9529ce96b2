import Kernels
import Testing

@Suite("Kernels of proofs: the field GF(2^64) and the ring GR(2^64, 64), the same on every path")
struct ProofKernelTests {
    /// The ways in which this processor can multiply polynomials over GF(2).
    private let ways: [kernels_carryless] = [.portable, .instructions].filter { kernels_have_carryless($0) }

    /// By the definition, a bit after the other.
    private func product(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (sum, shifted) = (UInt64(0), a)
        for bit in 0..<64 {
            if b >> UInt64(bit) & 1 == 1 { sum ^= shifted }
            shifted = shifted << 1 ^ (shifted >> 63) * 0x1b
        }
        return sum
    }

    /// By the definition: words of products, reduced from the highest on.
    private func ringProduct(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        var sums = [UInt64](repeating: 0, count: 128)
        for i in 0..<64 { for j in 0..<64 { sums[i + j] &+= a[i] &* b[j] } }
        for place in (64..<128).reversed() {
            for power in [0, 1, 3, 4] { sums[place - 64 + power] &-= sums[place] }
        }
        return Array(sums.prefix(64))
    }

    @Test("Field products, sums and combinations are those of the definition, in bounds, on each path and in all sizes")
    func field() {
        #expect(ways.first == .portable)
        for way in ways {
            for count in [0, 1, 2, 3, 7, 8, 33] {
                var words = Words(UInt64(count))
                let (a, b, rows, factors) = (words(count), words(count), words(5 * count), words(5))
                let (left, right) = (GuardedWords(a), GuardedWords(b))
                let target = GuardedWords<UInt64>(count: count)
                kernels_field_multiply(left.pointer, right.pointer, count, target.pointer, way)
                let products = zip(a, b).map { product($0, $1) }
                #expect(target.values == products && target.isIntact, "\(way) \(count)")
                #expect(kernels_field_inner(left.pointer, right.pointer, count, way) == products.reduce(0, ^))
                let sums = GuardedWords<UInt64>(count: count)
                kernels_field_combine(
                    factors, 5, rows, count, sums.pointer, way)
                let expected = (0..<count).map { i in
                    (0..<5).reduce(UInt64(0)) { $0 ^ product(factors[$1], rows[$1 * count + i]) }
                }
                #expect(sums.values == expected && sums.isIntact, "\(way) \(count)")
            }
            // Zeros, ones and all ones, where carries and reductions would show.
            for (a, b) in [(0, 5), (1, .max), (.max, .max), (1 << 63, 2), (1 << 63, 1 << 63)] as [(UInt64, UInt64)] {
                #expect(kernels_field_inner([a], [b], 1, way) == product(a, b))
            }
        }
    }

    @Test("Polynomials of conjunctions are the sums of all pairs of bits, on each path")
    func gates() {
        for way in ways {
            for count in [0, 1, 3] {
                var words = Words(40 + UInt64(count))
                let (weights, xa, ya, xb, yb) = (words(count), words(count), words(count), words(count), words(count))
                let target = GuardedWords<UInt64>(count: 127)
                kernels_field_gates(weights, xa, ya, xb, yb, count, target.pointer, way)
                var expected = [UInt64](repeating: 0, count: 127)
                for i in 0..<count {
                    for u in 0..<64 as Range<UInt64> {
                        for v in 0..<64 as Range<UInt64> {
                            let bit = (xa[i] >> u & yb[i] >> v ^ ya[i] >> u & xb[i] >> v) & 1
                            expected[Int(u + 63 - v)] ^= product(weights[i], bit << u)
                        }
                    }
                }
                #expect(target.values == expected && target.isIntact, "\(way) \(count)")
            }
        }
    }

    @Test("Maps of bits are sums of factors, in bounds, on each path and in all sizes")
    func map() {
        for path in paths {
            for count in [0, 1, 2, 7, 8, 9, 15, 16, 31, 32, 33, 70] {
                var words = Words(50 + UInt64(count))
                let (factors, given) = (words(64), words(count))
                let target = GuardedWords<UInt64>(count: count)
                kernels_field_map(factors, given, count, target.pointer, path)
                let expected = given.map { word in
                    (0..<64).reduce(UInt64(0)) { $0 ^ (word >> UInt64($1) & 1) &* factors[$1] }
                }
                #expect(target.values == expected && target.isIntact, "\(path) \(count)")
            }
        }
    }

    @Test(
        "Ring elements times patterns, folds, collapsed tables and expanded patterns are those of the definition, on each path"
    )
    func ring() {
        var words = Words(60)
        let patterns = [0, 1, 2, 1 << 63, .max] + words(3)
        let elements = words(64 * patterns.count)
        func element(_ number: Int) -> [UInt64] { Array(elements[64 * number..<64 * (number + 1)]) }
        func expanded(_ pattern: UInt64) -> [UInt64] { (0..<64).map { pattern >> $0 & 1 } }
        let table = words(64 * 64)
        for path in paths {
            let count = patterns.count
            let products = GuardedWords<UInt64>(count: 64 * count)
            kernels_galois_multiply(elements, patterns, count, products.pointer, path)
            let expected = patterns.indices.flatMap { ringProduct(element($0), expanded(patterns[$0])) }
            #expect(products.values == expected && products.isIntact, "\(path)")
            let bits = GuardedWords<UInt64>(count: 64 * count)
            kernels_galois_expand(patterns, count, bits.pointer, path)
            #expect(bits.values == patterns.flatMap(expanded) && bits.isIntact)
            for descending in [false, true] {
                // Four rows of two.
                let folded = GuardedWords<UInt64>(count: 128)
                kernels_galois_fold(
                    elements, 4, 2, patterns[6], descending, folded.pointer, path)
                var sums = [UInt64](repeating: 0, count: 128)
                for i in 0..<2 {
                    for row in 0..<4 {
                        var term = element(2 * row + i)
                        for _ in 0..<(descending ? 3 - row : row) { term = ringProduct(term, expanded(patterns[6])) }
                        for w in 0..<64 { sums[64 * i + w] &+= term[w] }
                    }
                }
                #expect(folded.values == sums && folded.isIntact, "\(path) \(descending)")
            }
            let collapsed = GuardedWords<UInt64>(count: 64)
            kernels_galois_collapse(table, collapsed.pointer, path)
            var sum = [UInt64](repeating: 0, count: 64)
            for i in 0..<64 {
                let row = Array(table[64 * i..<64 * (i + 1)])
                let power = ringProduct(row, expanded(1 << UInt64(i)))
                for w in 0..<64 { sum[w] &+= power[w] }
            }
            #expect(collapsed.values == sum && collapsed.isIntact, "\(path)")
        }
    }
}
