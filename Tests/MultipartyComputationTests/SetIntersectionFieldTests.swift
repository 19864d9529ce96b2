import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

/// The field against arithmetic on lists of 32-bit digits, which knows of p nothing but its value.
@Suite struct SetIntersectionFieldTests {
    /// Integers at which carries are made and lost: all whose words are of these, below p.
    private static let edges: [[UInt64]] = {
        let words: [UInt64] = [0, 1, 0xffff_ffff, 0x1_0000_0000, 1 << 63, .max - 1, .max]
        let highest: [UInt64] = [0, 1, 0xffff_ffff_0000_0000, 0xffff_ffff_0000_0001]
        var all: [[UInt64]] = []
        for first in words {
            for second in words {
                for third in [0, 1, UInt64.max] { all += highest.map { [first, second, third, $0] } }
            }
        }
        return all.filter { isBelowPrime($0) }
    }()

    private static func isBelowPrime(_ words: [UInt64]) -> Bool {
        Digits(words: words).isBelow(Digits.prime)
    }

    private static func element(_ words: [UInt64]) -> P256FieldElement {
        P256FieldElement(integerWords: (words[0], words[1], words[2], words[3]))
    }

    private static func words(_ element: P256FieldElement) -> [UInt64] {
        let words = element.integerWords
        return [words.0, words.1, words.2, words.3]
    }

    @Test("Sums, differences, products and squares are those of plain arithmetic, at all edges and at random")
    func operations() {
        var random = SeededGenerator(seed: 4)
        var pairs: [([UInt64], [UInt64])] = []
        // Both in the form times 2^256, where the edges are, and as integers.
        for edge in Self.edges {
            pairs.append((edge, Self.edges[random.below(Self.edges.count)]))
            pairs.append((edge, edge))
        }
        for _ in 0..<500 {
            let drawn = (0..<8).map { _ in random.next() }
            pairs.append((Array(drawn[..<4]), Array(drawn[4...])))
        }
        var wrong = 0
        for (a, b) in pairs where Self.isBelowPrime(a) && Self.isBelowPrime(b) {
            let (x, y) = (Self.element(a), Self.element(b))
            let (left, right) = (Digits(words: a), Digits(words: b))
            for (element, expected) in [
                (x + y, left.adding(right)), (x - y, left.adding(Digits.prime).subtracting(right)),
                (x * y, left.times(right)),
                (x.squared(), left.times(left)), (-y, Digits.prime.subtracting(right)),
            ] where Self.words(element) != expected.modulo(Digits.prime).words { wrong += 1 }
            // The same on the words themselves, which stand for a 2^-256.
            let (v, w) = (Self.raw(a), Self.raw(b))
            for (element, expected) in [
                (v + w, left.adding(right)), (v - w, left.adding(Digits.prime).subtracting(right)),
            ] where Self.rawWords(element) != expected.modulo(Digits.prime).words { wrong += 1 }
            for (element, expected) in [(v * w, left.times(right)), (v.squared(), left.times(left))]
            where Digits(words: Self.rawWords(element)).shifted(words: 4).modulo(Digits.prime).words
                != expected.modulo(Digits.prime).words || !Self.isBelowPrime(Self.rawWords(element))
            { wrong += 1 }
        }
        #expect(Self.edges.count > 400 && wrong == 0)
    }

    private static func raw(_ words: [UInt64]) -> P256FieldElement {
        P256FieldElement(words[0], words[1], words23: (words[2], words[3]))
    }

    private static func rawWords(_ element: P256FieldElement) -> [UInt64] {
        [element.word0, element.word1, element.word2, element.word3]
    }

    @Test("384 bits are reduced as an integer is, whatever the words")
    func wide() {
        var random = SeededGenerator(seed: 5)
        let words: [UInt64] = [0, 1, .max - 1, .max]
        for round in 0..<600 {
            let drawn = (0..<6).map { _ in round < 300 ? words[random.below(4)] : random.next() }
            let element = P256FieldElement(
                low: (drawn[0], drawn[1], drawn[2], drawn[3]), high: (drawn[4], drawn[5]))
            #expect(Self.words(element) == Digits(words: drawn).modulo(Digits.prime).words)
        }
    }

    @Test("Inverses and square roots are such, of one and of many")
    func powers() {
        var random = SeededGenerator(seed: 6)
        var elements = Self.edges.filter { $0 != [0, 0, 0, 0] }.map { Self.element($0) }
        elements += (0..<50).map { _ in
            Self.element([random.next(), random.next(), random.next(), random.next() >> 1])
        }
        var roots = 0
        for element in elements {
            #expect(Self.words(element * element.inverse) == [1, 0, 0, 0])
            let square = element.squared()
            #expect(P256FieldElement.equalMask(square.squareRoot.squared(), square) == .max)
            let root = element.squareRoot.squared()
            let isSquare = P256FieldElement.equalMask(root, element) == .max
            #expect(isSquare || P256FieldElement.equalMask(root, -element) == .max)
            roots += isSquare ? 1 : 0
        }
        #expect(roots > elements.count / 4 && roots < elements.count * 3 / 4)
        for count in [1, 2, 3, 10, elements.count] {
            var values = Array(elements.prefix(count))
            var scratch = values
            values.withUnsafeMutableBufferPointer { values in
                scratch.withUnsafeMutableBufferPointer {
                    P256FieldElement.invert(values, scratch: $0, times: .threeHalves)
                }
            }
            for (value, element) in zip(values, elements) {
                #expect(Self.words(value * element * .two) == [3, 0, 0, 0])
            }
        }
    }

    @Test("Masks are all ones or zero, and choose")
    func masks() {
        let (zero, one) = (P256FieldElement.zero, P256FieldElement.one)
        #expect(zero.isZeroMask == .max && one.isZeroMask == 0 && (one - one).isZeroMask == .max)
        for word in [0, 1, 2, 1 << 32, 1 << 63, UInt64.max] {
            #expect(P256FieldElement.zeroMask(word) == (word == 0 ? .max : 0))
        }
        for edge in Self.edges {
            let element = Self.element(edge)
            #expect(element.isOddMask == (edge[0] & 1 == 1 ? .max : 0))
            #expect(P256FieldElement.equalMask(element, element) == .max)
            #expect(P256FieldElement.equalMask(element, element + one) == 0)
            #expect(Self.words(P256FieldElement.select(.max, element, one)) == edge)
            #expect(Self.words(P256FieldElement.select(0, one, element)) == edge)
        }
    }
}

/// A natural number in digits of 32 bits, least significant first, without zeros at the end.
private struct Digits {
    var digits: [UInt32]

    static let prime = Digits(words: [.max, 0xffff_ffff, 0, 0xffff_ffff_0000_0001])

    init(_ digits: [UInt32]) { self.digits = Array(digits.reversed().drop { $0 == 0 }.reversed()) }

    init(words: [UInt64]) {
        self.init(words.flatMap { [UInt32(truncatingIfNeeded: $0), UInt32(truncatingIfNeeded: $0 >> 32)] })
    }

    /// At least four.
    var words: [UInt64] {
        let padded = digits + [UInt32](repeating: 0, count: max(8 - digits.count, digits.count % 2))
        return stride(from: 0, to: padded.count - 1, by: 2).map { UInt64(padded[$0]) | UInt64(padded[$0 + 1]) << 32 }
    }

    func isBelow(_ other: Digits) -> Bool {
        guard digits.count == other.digits.count else { return digits.count < other.digits.count }
        return digits.reversed().lexicographicallyPrecedes(other.digits.reversed())
    }

    func adding(_ other: Digits) -> Digits {
        var (result, carry) = ([UInt32](), UInt64(0))
        for place in 0...max(digits.count, other.digits.count) {
            let sum = carry + digit(place) + other.digit(place)
            result.append(UInt32(truncatingIfNeeded: sum))
            carry = sum >> 32
        }
        return Digits(result)
    }

    /// The other is at most this.
    func subtracting(_ other: Digits) -> Digits {
        var (result, borrow) = ([UInt32](), Int64(0))
        for place in digits.indices {
            let difference = Int64(digit(place)) - Int64(other.digit(place)) - borrow
            result.append(UInt32(truncatingIfNeeded: difference))
            borrow = difference < 0 ? 1 : 0
        }
        return Digits(result)
    }

    func times(_ other: Digits) -> Digits {
        var result = [UInt32](repeating: 0, count: digits.count + other.digits.count + 1)
        for (place, digit) in digits.enumerated() {
            var carry: UInt64 = 0
            for index in 0...other.digits.count {
                let sum = UInt64(digit) * other.digit(index) + UInt64(result[place + index]) + carry
                result[place + index] = UInt32(truncatingIfNeeded: sum)
                carry = sum >> 32
            }
        }
        return Digits(result)
    }

    func shifted(words: Int) -> Digits { Digits([UInt32](repeating: 0, count: 2 * words) + digits) }

    /// Bit by bit.
    func modulo(_ modulus: Digits) -> Digits {
        var rest = Digits([])
        for digit in digits.reversed() {
            for bit in (0..<32).reversed() {
                rest = rest.adding(rest).adding(Digits([digit >> UInt32(bit) & 1]))
                if !rest.isBelow(modulus) { rest = rest.subtracting(modulus) }
            }
        }
        return rest
    }

    private func digit(_ place: Int) -> UInt64 { place < digits.count ? UInt64(digits[place]) : 0 }
}
