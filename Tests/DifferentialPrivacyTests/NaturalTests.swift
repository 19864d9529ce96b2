import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Integers of any size")
struct NaturalTests {
    @Test("Agree with 128-bit arithmetic where that suffices")
    func small() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let a = UInt128(generator.next() >> (generator.next() % 64))
            let b = UInt128(generator.next() >> (generator.next() % 64))
            let word = generator.next() >> (generator.next() % 63) | 1
            let (x, y) = (Natural(a), Natural(b))
            #expect(x + y == Natural(a + b))
            #expect(x * y == Natural(a * b))
            #expect(x - y == Natural(a > b ? a - b : 0))
            #expect((x < y) == (a < b))
            let product = a * b
            #expect(Natural(product) / word == Natural(product / UInt128(word)))
            #expect(
                Natural(product).dividedRoundingUp(by: word)
                    == Natural(product / UInt128(word) + (product % UInt128(word) == 0 ? 0 : 1)))
            let count = Int(generator.next() % 130)
            #expect(Natural(product) >> count == Natural(count < 128 ? product >> UInt128(count) : 0))
            #expect(Natural(product).bitWidth == 128 - product.leadingZeroBitCount)
        }
    }

    @Test("Obey the laws of arithmetic at many limbs")
    func laws() {
        var generator = SeededGenerator(seed: 2)
        func random(_ limbs: Int) -> Natural {
            (0..<limbs).reduce(Natural.zero) { value, _ in
                // Words of all ones and zeros are where carries go wrong.
                let word = [generator.next(), .max, 0, 1][Int(generator.next() % 4)]
                return (value << 64) + Natural(word)
            }
        }
        for _ in 0..<300 {
            let (a, b, c) = (random(7), random(4), random(3))
            let divisor = generator.next() | 1
            let count = Int(generator.next() % 300)
            #expect((a + b) * c == a * c + b * c)
            #expect((a + b) - b == a)
            #expect((a << count) >> count == a)
            #expect(a << count == a * Natural.powerOfTwo(count))
            let (quotient, remainder) = a.quotientAndRemainder(dividingBy: divisor)
            #expect(quotient * divisor + Natural(remainder) == a && remainder < divisor)
            #expect(((a >> count) << count) + a.low(bits: count) == a)
            #expect(Natural.isLess(a, count, than: b, 7, orEqual: false) == ((a << count) < (b << 7)))
            #expect(
                Natural.isLess(a, 5, than: a, 5, orEqual: true) && !Natural.isLess(a, 5, than: a, 5, orEqual: false))
        }
    }

    @Test("A Double is taken as exactly what it is")
    func dyadic() throws {
        for value in [1.0, 0.1, 3.75, 1e300, 1e-300, Double.leastNonzeroMagnitude, 2.2250738585072014e-308] {
            let exact = try #require(Dyadic(value))
            #expect(Double(sign: .plus, exponent: exact.exponent, significand: Double(exact.significand)) == value)
            #expect(exact.significand % 2 == 1)
        }
        for value in [0.0, -1, .infinity, .nan] { #expect(Dyadic(value) == nil) }
    }
}

@Suite("Bounds on exp(-x) in integers")
struct ExponentialBoundsTests {
    @Test("The constants are those of ln 2")
    func constants() {
        #expect(ExponentialBounds.logarithmOfTwo(bits: 128).low128 + 1 >= ExponentialBounds.logarithmOfTwo)
        #expect(ExponentialBounds.logarithmOfTwo(bits: 128).low128 <= ExponentialBounds.logarithmOfTwo)
        let product =
            (Natural(ExponentialBounds.inverseLogarithmOfTwo) * Natural(ExponentialBounds.logarithmOfTwo)) >> 127
        #expect(product.bitWidth == 128 && product.low128 > .max - 4)
    }

    @Test("e^-1 to 150 digits' worth of bits")
    func known() throws {
        // 1/e by its own series, sum of (-1)^k / k!, in 500 bits.
        let bits = 500
        var (sum, term) = (Natural.zero, Natural.powerOfTwo(bits))
        for k in 1...120 as ClosedRange<UInt64> {
            sum = k % 2 == 1 ? sum + term : sum - term
            term = term / k
        }
        let bounds = ExponentialBounds.refined(.powerOfTwo(bits), bits: bits)
        let lower = bounds.lower >> bounds.exponent
        let upper = bounds.upper >> bounds.exponent
        #expect(lower < sum + Natural(120 as UInt64) && sum < upper + Natural(120 as UInt64))
        #expect((upper - lower).bitWidth < 12)
    }

    @Test("More digits narrow the bounds, and never leave them")
    func nested() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let rate = ExponentRate(
                numerator: generator.next() >> 30 | 1, divisors: [generator.next() >> 20 | 1],
                shift: Int(generator.next() % 20) - 10)
            let t = UInt128(generator.next() >> (generator.next() % 60))
            let coarse = ExponentialBounds.refined(rate.exactExponent(t, bits: 96), bits: 96)
            let fine = ExponentialBounds.refined(rate.exactExponent(t, bits: 320), bits: 320)
            #expect(
                Natural.isLess(
                    coarse.lower, -96 - coarse.exponent, than: fine.lower, -320 - fine.exponent, orEqual: true))
            #expect(
                Natural.isLess(
                    fine.upper, -320 - fine.exponent, than: coarse.upper, -96 - coarse.exponent, orEqual: true))
        }
    }

    @Test("The 64-bit mantissa is within its proven error, for small, large and extreme exponents")
    func mantissa() {
        var generator = SeededGenerator(seed: 4)
        var largestError: UInt64 = 0
        for _ in 0..<3000 {
            let rate = ExponentRate(
                numerator: generator.next() >> (generator.next() % 63) | 1,
                divisors: [
                    generator.next() >> (generator.next() % 63) | 1, generator.next() >> (generator.next() % 63) | 1,
                ],
                shift: Int(generator.next() % 60) - 30)
            let factors: [UInt64] = [
                generator.next() >> (generator.next() % 60), generator.next() >> (generator.next() % 60),
            ]
            let t = UInt128(factors[0]) * UInt128(factors[1])
            let approximate = rate.exponent(t)
            let exact = rate.exactExponent(t, bits: 64)
            guard exact.bitWidth < 100 else { continue }
            #expect(approximate <= exact.low128 && exact.low128 < approximate + 2)
            let value = ExponentialBounds.exponential(approximate)
            let fine = ExponentialBounds.refined(rate.exactExponent(t, bits: 256), bits: 256)
            // Both exponents are floor(x / ln 2) or one less: bring them together.
            let mantissa = Natural(value.mantissa) << (192 + fine.exponent - value.exponent + 2)
            let (low, high) = (fine.lower << 2, fine.upper << 2)
            let difference = mantissa < low ? high - mantissa : mantissa - low
            let error = (difference >> (194 + fine.exponent - value.exponent)).word ?? .max
            largestError = max(largestError, error)
            #expect(error < ExponentialBounds.mantissaError)
        }
        // The analysis beside the code says 14.
        #expect(largestError <= 14)
    }
}
