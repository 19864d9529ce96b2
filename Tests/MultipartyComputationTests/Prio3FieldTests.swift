import Secrets
import Testing

@testable import MultipartyComputation

/// Arithmetic modulo p by additions alone, on integers: the oracle.
private struct SlowField {
    let modulus: UInt128

    func add(_ a: UInt128, _ b: UInt128) -> UInt128 {
        a >= modulus - b ? a - (modulus - b) : a + b
    }

    func multiply(_ a: UInt128, _ b: UInt128) -> UInt128 {
        var (sum, doubled, rest) = (UInt128(0), a, b)
        while rest > 0 {
            if rest & 1 == 1 { sum = add(sum, doubled) }
            doubled = add(doubled, doubled)
            rest >>= 1
        }
        return sum
    }
}

extension NTTField {
    /// The element's integer, by way of its encoding.
    fileprivate var integer: UInt128 {
        [self].encoded.reversed().reduce(0) { $0 << 8 | UInt128($1) }
    }

    fileprivate init?(integer: UInt128) {
        let bytes = (0..<Self.encodedSize).map { UInt8(truncatingIfNeeded: integer >> (8 * UInt128($0))) }
        guard let vector = try? [Self](encoded: bytes[...], name: "test"), vector.count == 1 else { return nil }
        self = vector[0]
    }

    static func arbitrary(_ generator: inout SeededGenerator) -> Self {
        Self(generator.next()) * Self(generator.next()) + Self(generator.next()) * Self(1 << 63)
    }
}

@Suite struct Prio3FieldTests {
    /// Integers around those where carries and borrows happen.
    private static func edges(_ modulus: UInt128) -> [UInt128] {
        let near: [UInt128] = [0, 1 << 32, 1 << 63, 1 << 64, 27 << 64, 28 << 64, modulus / 2, modulus - (1 << 32)]
        return near.flatMap { center in (0...3).flatMap { [center &+ $0, center &- $0] } }.filter { $0 < modulus }
            + [modulus - 1, modulus - 2]
    }

    private func check<Element: NTTField>(_: Element.Type, modulus: UInt128) throws {
        let slow = SlowField(modulus: modulus)
        var generator = SeededGenerator(seed: 2)
        var integers = Self.edges(modulus)
        for _ in 0..<60 { integers.append((UInt128(generator.next()) << 64 | UInt128(generator.next())) % modulus) }
        for a in integers {
            let element = try #require(Element(integer: a))
            #expect(element.integer == a)
            #expect((-element).integer == (a == 0 ? 0 : modulus - a))
            #expect(a == 0 || element * element.inverse == Element.one)
            for b in integers {
                let other = try #require(Element(integer: b))
                #expect((element + other).integer == slow.add(a, b))
                #expect((element - other).integer == slow.add(a, (modulus - b) % modulus))
                #expect((element * other).integer == slow.multiply(a, b))
            }
        }
    }

    @Test("Arithmetic modulo 2^64 - 2^32 + 1 agrees with additions on integers")
    func field64() throws { try check(Field64.self, modulus: 0xffff_ffff_0000_0001) }

    @Test("Arithmetic modulo 2^128 - 28 2^64 + 1 agrees with additions on integers")
    func field128() throws { try check(Field128.self, modulus: 0xffff_ffff_ffff_ffe4_0000_0000_0000_0001) }

    private func checkRoots<Element: NTTField>(_: Element.Type) {
        for power in 1...20 {
            let root = Element.root(order: 1 << power)
            #expect(root.power(1 << UInt128(power - 1)) == -Element.one)
        }
        #expect(Element.root(order: 1) == Element.one)
        #expect(Element.generator.power(1 << UInt128(Element.logGeneratorOrder - 1)) == -Element.one)
        #expect(
            Element.generator == Element(7).power((Element.inversionExponent + 1) >> UInt128(Element.logGeneratorOrder))
        )
    }

    @Test("Roots of unity have the order that they are of")
    func roots() {
        checkRoots(Field64.self)
        checkRoots(Field128.self)
    }

    private func checkSigned<Element: NTTField>(_: Element.Type) {
        let limit = Int64(1) << 62
        for value in [0, 1, -1, 77, -77, limit, -limit, limit - 1, 1 - limit] {
            #expect(Element(signed: value).signed == value)
        }
        for value in [limit + 1, -limit - 1, Int64.max, Int64.min] {
            #expect(Element(signed: value).signed == nil)
        }
        #expect(Element(signed: .min) + Element(signed: .max) == Element(signed: -1))
    }

    @Test("Integers of up to 2^62 come back with their sign, and larger ones not at all")
    func signed() {
        checkSigned(Field64.self)
        checkSigned(Field128.self)
    }

    @Test("Encodings of integers that are not below the modulus are refused, at the place where they are")
    func overflow() {
        let modulus64: [UInt8] = [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
        let modulus128: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 0xe4] + [UInt8](repeating: 0xff, count: 7)
        for bytes in [modulus64, [2] + modulus64.dropFirst(), [UInt8](repeating: 0xff, count: 8)] {
            let vector = [UInt8](repeating: 0, count: 16) + bytes
            #expect(
                throws: Prio3Error.malformed(
                    "x", expected: "field elements below the modulus, unlike the one at place 2")
            ) {
                try [Field64](encoded: vector[...], name: "x")
            }
        }
        for bytes in [modulus128, [2] + modulus128.dropFirst(), [UInt8](repeating: 0xff, count: 16)] {
            #expect(
                throws: Prio3Error.malformed(
                    "x", expected: "field elements below the modulus, unlike the one at place 0")
            ) {
                try [Field128](encoded: bytes[...], name: "x")
            }
        }
        #expect(throws: Prio3Error.malformed("x", expected: "a multiple of 16 bytes")) {
            try [Field128](encoded: [UInt8](repeating: 0, count: 17)[...], name: "x")
        }
    }
}
