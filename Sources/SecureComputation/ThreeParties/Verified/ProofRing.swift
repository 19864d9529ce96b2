internal import ModularArithmetic

/// Where inner products are proved: a ring with 2^64 elements that differ from each other by an invertible one, so that a polynomial of degree d that is not zero vanishes at d of them at most. A challenge is a
/// word that names one of them.
protocol ProofRing: Sendable {
    /// Words of an element.
    static var width: Int { get }
    /// In how many parts a vector is folded at once.
    static var radix: Int { get }
    /// Sums of elements, word by word.
    static func added(_ a: [UInt64], _ b: [UInt64]) -> [UInt64]
    static func subtracted(_ a: [UInt64], _ b: [UInt64]) -> [UInt64]
    static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64]
    /// The sum of `rows` rows, each times a power of the challenge: ascending, or descending to 1.
    static func combination(_ elements: [UInt64], rows: Int, _ challenge: UInt64, isDescending: Bool) -> [UInt64]
    /// Of so many elements, from elements number `aFirst` and `bFirst` on.
    static func innerProduct(
        _ a: [UInt64], from aFirst: Int, _ b: [UInt64], from bFirst: Int, count: Int
    ) -> [UInt64]
}

/// GF(2^64), of which words of bits are elements.
enum BitProofRing: ProofRing {
    static let width = 1
    static let radix = 8
    static func added(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { zip(a, b).map { $0 ^ $1 } }
    static func subtracted(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { added(a, b) }
    static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { BinaryField.product(a, b) }
    static func combination(_ elements: [UInt64], rows: Int, _ challenge: UInt64, isDescending: Bool) -> [UInt64] {
        let powers = BinaryField.powers(challenge, rows)
        return BinaryField.combination(isDescending ? powers.reversed() : powers, ofRows: elements)
    }
    static func innerProduct(
        _ a: [UInt64], from aFirst: Int, _ b: [UInt64], from bFirst: Int, count: Int
    ) -> [UInt64] {
        [BinaryField.innerProduct(a, from: aFirst, b, from: bFirst, count: count)]
    }
}

/// GR(2^64, 64), of which 64 words modulo 2^64 are an element.
enum NumberProofRing: ProofRing {
    static let width = GaloisRing.degree
    static let radix = 4
    static func added(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { zip(a, b).map { $0 &+ $1 } }
    static func subtracted(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { zip(a, b).map { $0 &- $1 } }
    static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { GaloisRing.product(a, b) }
    static func combination(_ elements: [UInt64], rows: Int, _ challenge: UInt64, isDescending: Bool) -> [UInt64] {
        GaloisRing.combination(elements, rows: rows, bits: challenge, isDescending: isDescending)
    }
    static func innerProduct(
        _ a: [UInt64], from aFirst: Int, _ b: [UInt64], from bFirst: Int, count: Int
    ) -> [UInt64] {
        GaloisRing.innerProduct(a, from: aFirst, b, from: bFirst, count: count)
    }
}

extension ProofRing {
    static var zero: [UInt64] { [UInt64](repeating: 0, count: width) }

    /// How often a vector of so many elements is folded until one is left.
    static func levels(_ count: Int) -> Int {
        var (levels, left) = (0, count)
        while left > 1 {
            left = (left + radix - 1) / radix
            levels += 1
        }
        return levels
    }

    /// A vector in `radix` parts of equal length, with zeros behind.
    private static func parts(_ vector: [UInt64]) -> (words: [UInt64], length: Int) {
        let length = (vector.count / width + radix - 1) / radix
        guard radix * length * width > vector.count else { return (vector, length) }
        return (vector + [UInt64](repeating: 0, count: radix * length * width - vector.count), length)
    }

    /// With A(X) the sum of parts a_u X^u and B(X) that of b_v X^(radix - 1 - v), the coefficients of A B but for number radix - 1, which is the inner product of a and b.
    static func coefficients(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        let (a, length) = parts(a)
        let b = parts(b).words
        return (0..<2 * radix - 1).filter { $0 != radix - 1 }.flatMap { place in
            var sum = zero
            for u in max(0, place - radix + 1)...min(radix - 1, place) {
                let v = u + radix - 1 - place
                sum = added(sum, innerProduct(a, from: u * length, b, from: v * length, count: length))
            }
            return sum
        }
    }

    /// A of a challenge, or B.
    static func folded(_ vector: [UInt64], _ challenge: UInt64, isFirst: Bool) -> [UInt64] {
        combination(parts(vector).words, rows: radix, challenge, isDescending: !isFirst)
    }

    /// The polynomial of a challenge, where a coefficient in the middle is the claim: of shares a share.
    static func claim(_ claim: [UInt64], _ coefficients: [UInt64], _ challenge: UInt64) -> [UInt64] {
        let middle = coefficients.count / 2
        let all = Array(coefficients[..<middle]) + claim + Array(coefficients[middle...])
        return combination(all, rows: all.count / width, challenge, isDescending: false)
    }
}
