import Testing

@testable import ModularArithmetic

@Suite("The field and the ring in which proofs are made")
struct ProofRingTests {
    /// A fixed sequence (Marsaglia 2003).
    private struct Words {
        var state: UInt64 = 88_172_645_463_325_252
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        mutating func callAsFunction(_ count: Int) -> [UInt64] { (0..<count).map { _ in next() } }
    }

    /// By the definition, a bit after the other.
    private func slow(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (sum, shifted) = (UInt64(0), a)
        for bit in 0..<64 {
            if b >> UInt64(bit) & 1 == 1 { sum ^= shifted }
            shifted = shifted << 1 ^ (shifted >> 63) * 0x1b
        }
        return sum
    }

    /// a^(2^k).
    private func frobenius(_ a: UInt64, _ k: Int) -> UInt64 { (0..<k).reduce(a) { a, _ in BinaryField.product(a, a) } }

    @Test("GF(2^64): products are those of the definition, and x^64 + x^4 + x^3 + x + 1 is irreducible")
    func field() {
        var words = Words()
        for _ in 0..<500 {
            let (a, b) = (words.next(), words.next())
            #expect(BinaryField.product(a, b) == slow(a, b))
            #expect(frobenius(a, 64) == a)
        }
        // x has the order that it has in a field of 2^64 elements and in none of 2^32: Rabin's criterion, 64 being a power of 2.
        #expect(frobenius(2, 64) == 2)
        let difference = frobenius(2, 32) ^ 2
        // Invertible: its power 2^64 - 1 is 1.
        let power = (0..<64).reduce(UInt64(1)) { power, bit in BinaryField.product(power, frobenius(difference, bit)) }
        #expect(power == 1)
    }

    @Test("GF(2^64): sums, powers, combinations and maps are what single products say, whatever the sizes")
    func fieldVectors() {
        var words = Words()
        for count in [0, 1, 2, 3, 31, 32, 33, 100] {
            let (a, b) = (words(count), words(count))
            #expect(BinaryField.product(a, b) == zip(a, b).map { slow($0, $1) })
            #expect(
                BinaryField.innerProduct(a, b, count: count) == zip(a, b).reduce(0) { $0 ^ slow($1.0, $1.1) })
            let factors = words(3)
            let rows = words(3 * count)
            #expect(
                BinaryField.combination(factors, ofRows: rows)
                    == (0..<count).map { i in (0..<3).reduce(0) { $0 ^ slow(factors[$1], rows[$1 * count + i]) } })
            let map = words(64)
            #expect(
                BinaryField.map(map, a)
                    == a.map { word in (0..<64).reduce(0) { $0 ^ (word >> UInt64($1) & 1) * map[$1] } })
        }
        #expect(BinaryField.powers(2, 65)[64] == 0x1b)
    }

    @Test(
        "GF(2^64): a polynomial of conjunctions has the weighted conjunctions in the middle, and is A B at a challenge")
    func gates() {
        var words = Words()
        for count in [0, 1, 5] {
            let weights = words(count)
            let (xa, ya, xb, yb) = (words(count), words(count), words(count), words(count))
            let all = BinaryField.gates(
                weights, BinaryField.GateOperands(x: xa, y: ya), BinaryField.GateOperands(x: xb, y: yb))
            let middle = (0..<count).reduce(UInt64(0)) { $0 ^ slow(weights[$1], (xa[$1] & yb[$1]) ^ (ya[$1] & xb[$1])) }
            #expect(all[63] == middle)
            let challenge = words.next()
            let powers = BinaryField.powers(challenge, 127)
            let left = BinaryField.powers(slow(2, challenge), 64)
            let right = Array(powers[..<64].reversed())
            var product: UInt64 = 0
            for (a, b) in [(xa, yb), (ya, xb)] {
                let one = BinaryField.product(weights, BinaryField.map(left, a))
                product ^= BinaryField.innerProduct(one, BinaryField.map(right, b), count: count)
            }
            #expect(BinaryField.innerProduct(all, powers, count: 127) == product)
        }
    }

    @Test("GR(2^64, 64): a commutative ring whose elements modulo 2 are GF(2^64); x^64 is - x^4 - x^3 - x - 1")
    func ring() {
        var words = Words()
        let (a, b, c) = (words(64), words(64), words(64))
        let ab = GaloisRing.product(a, b)
        #expect(ab == GaloisRing.product(b, a))
        #expect(GaloisRing.product(ab, c) == GaloisRing.product(a, GaloisRing.product(b, c)))
        let sum = zip(b, c).map { $0 &+ $1 }
        #expect(GaloisRing.product(a, sum) == zip(ab, GaloisRing.product(a, c)).map { $0 &+ $1 })
        func modulo2(_ element: [UInt64]) -> UInt64 {
            element.enumerated().reduce(0) { $0 | ($1.element & 1) << UInt64($1.offset) }
        }
        #expect(modulo2(ab) == BinaryField.product(modulo2(a), modulo2(b)))
        let power = (0..<64).reduce(GaloisRing.element(bits: 1)) { power, _ in GaloisRing.timesX(power) }
        #expect(power.map { Int64(bitPattern: $0) } == [-1, -1, 0, -1, -1] + [Int64](repeating: 0, count: 59))
        #expect(GaloisRing.timesX(a) == GaloisRing.product(a, GaloisRing.element(bits: 2)))
        for bits in [0, 1, .max, words.next()] as [UInt64] {
            #expect(
                GaloisRing.product(a + b, bits: bits) == GaloisRing.product(a, GaloisRing.element(bits: bits))
                    + GaloisRing.product(b, GaloisRing.element(bits: bits)))
        }
        #expect(
            GaloisRing.product(a + b, bits: [3, 5]) == GaloisRing.product(a, bits: 3) + GaloisRing.product(b, bits: 5))
        let inner = GaloisRing.innerProduct(c + a + b, from: 1, b + a, from: 0, count: 2)
        #expect(inner == zip(ab, ab).map { $0 &+ $1 })
    }

    @Test("GR(2^64, 64): the difference of two elements of zeros and ones is invertible")
    func exceptional() {
        var words = Words()
        for _ in 0..<5 {
            let (a, b) = (GaloisRing.element(bits: words.next()), GaloisRing.element(bits: words.next()))
            let difference = zip(a, b).map { $0 &- $1 }
            // The units' group has 2^(63 * 64) (2^64 - 1) elements: to that power an invertible element is 1.
            var power = GaloisRing.element(bits: 1)
            var square = difference
            for _ in 0..<64 {
                power = GaloisRing.product(power, square)
                square = GaloisRing.product(square, square)
            }
            for _ in 0..<63 { power = GaloisRing.product(power, power) }
            #expect(power == GaloisRing.element(bits: 1))
        }
    }

    @Test("Matrices: products of transposed and offset operands are those of sums of products")
    func matrices() {
        var words = Words()
        let (a, b) = (words(3 * 5 + 2), words(5 * 4 + 1))
        for transposed in [false, true] {
            let found = RingMatrices.product(
                rows: 3, inner: 5, columns: 4, a, leftFrom: 2, transposed: transposed, b, rightFrom: 1)
            for i in 0..<3 {
                for j in 0..<4 {
                    let expected = (0..<5).reduce(UInt64(0)) {
                        $0 &+ a[2 + (transposed ? $1 * 3 + i : i * 5 + $1)] &* b[1 + $1 * 4 + j]
                    }
                    #expect(found[i * 4 + j] == expected)
                }
            }
        }
        #expect(RingMatrices.product(rows: 2, inner: 0, columns: 2, [], []) == [0, 0, 0, 0])
    }
}
