/// An element of the field of P-256's prime p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (NIST SP 800-186, section 3.2.1.3).
///
/// Held as the element times 2^256 modulo p (Montgomery 1985), below p, in four words, least significant first. No
/// operation branches or addresses memory by a value: choices are masks, all ones or zero.
///
/// Carries are written as overflow flags, which the compiler turns into chains of additions with carry. Masks are not
/// made of flags: the compiler took the flag for the condition of a choice, and in loops made a branch of it. They are
/// the difference of two carries, or the upper word of a wide subtraction. Whether the machine code has branches was
/// looked at, and tried with memcheck on secrets that it takes for uninitialised (Swift 6.3, x86-64).
struct P256FieldElement: Sendable {
    var word0: UInt64
    var word1: UInt64
    var word2: UInt64
    var word3: UInt64

    @inline(__always)
    init(_ word0: UInt64, _ word1: UInt64, words23: (UInt64, UInt64)) {
        (self.word0, self.word1, word2, word3) = (word0, word1, words23.0, words23.1)
    }

    static let zero = P256FieldElement(0, 0, words23: (0, 0))
    /// 2^256 modulo p.
    static let one = P256FieldElement(
        0x0000_0000_0000_0001, 0xffff_ffff_0000_0000, words23: (0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_fffe))
    /// 2^512 modulo p, as words: a product with it brings an integer into the form.
    static let radixSquared = P256FieldElement(
        0x0000_0000_0000_0003, 0xffff_fffb_ffff_ffff, words23: (0xffff_ffff_ffff_fffe, 0x0000_0004_ffff_fffd))
    /// 2^768 modulo p, as words: the same for an integer times 2^256.
    static let radixCubed = P256FieldElement(
        0xffff_fffd_0000_000a, 0xffff_ffed_ffff_fff7, words23: (0x0000_0005_ffff_fffc, 0x0000_0018_0000_0001))
    /// Half of three, the factor of a tangent's slope.
    static let threeHalves = P256FieldElement(
        0x0000_0000_0000_0001, 0xffff_ffff_0000_0000, words23: (0xffff_ffff_ffff_ffff, 0x8000_0000_ffff_fffe))
    static let two = P256FieldElement(
        0x0000_0000_0000_0002, 0xffff_fffe_0000_0000, words23: (0xffff_ffff_ffff_ffff, 0x0000_0001_ffff_fffd))

    /// All ones where the element is zero.
    @inline(__always)
    var isZeroMask: UInt64 { Self.zeroMask(word0 | word1 | word2 | word3) }

    /// All ones where the two are equal.
    @inline(__always)
    static func equalMask(_ x: Self, _ y: Self) -> UInt64 {
        zeroMask((x.word0 ^ y.word0) | (x.word1 ^ y.word1) | (x.word2 ^ y.word2) | (x.word3 ^ y.word3))
    }

    /// All ones for zero: just then a borrow leaves the word.
    @inline(__always)
    static func zeroMask(_ word: UInt64) -> UInt64 { subtractingLast(word, 1, 0).1 }

    /// The first where the mask is all ones, the second where it is zero.
    @inline(__always)
    static func select(_ mask: UInt64, _ x: Self, _ y: Self) -> Self {
        Self(
            y.word0 ^ (mask & (x.word0 ^ y.word0)), y.word1 ^ (mask & (x.word1 ^ y.word1)),
            words23: (y.word2 ^ (mask & (x.word2 ^ y.word2)), y.word3 ^ (mask & (x.word3 ^ y.word3))))
    }

    @inline(__always)
    static func + (x: Self, y: Self) -> Self {
        var carry: UInt64 = 0
        let word0 = adding(x.word0, y.word0, &carry)
        let word1 = adding(x.word1, y.word1, &carry)
        let word2 = adding(x.word2, y.word2, &carry)
        let word3 = adding(x.word3, y.word3, &carry)
        return Self(word0, word1, words23: (word2, word3)).reducedOnce(carry)
    }

    @inline(__always)
    static func - (x: Self, y: Self) -> Self {
        var borrow: UInt64 = 0
        let word0 = subtracting(x.word0, y.word0, &borrow)
        let word1 = subtracting(x.word1, y.word1, &borrow)
        let word2 = subtracting(x.word2, y.word2, &borrow)
        let (word3, isNegative) = subtractingLast(x.word3, y.word3, borrow)
        return Self(word0, word1, words23: (word2, word3)).addingPrime(isNegative)
    }

    @inline(__always)
    static prefix func - (x: Self) -> Self { zero - x }

    @inline(__always)
    static func * (x: Self, y: Self) -> Self {
        let row0 = Row(x.word0, y)
        let row1 = Row(x.word1, y)
        var carry: UInt64 = 0
        let a1 = adding(row0.word1, row1.word0, &carry)
        let a2 = adding(row0.word2, row1.word1, &carry)
        let a3 = adding(row0.word3, row1.word2, &carry)
        let a4 = adding(row0.word4, row1.word3, &carry)
        let a5 = row1.word4 &+ carry
        let row2 = Row(x.word2, y)
        carry = 0
        let b2 = adding(a2, row2.word0, &carry)
        let b3 = adding(a3, row2.word1, &carry)
        let b4 = adding(a4, row2.word2, &carry)
        let b5 = adding(a5, row2.word3, &carry)
        let b6 = row2.word4 &+ carry
        let row3 = Row(x.word3, y)
        carry = 0
        let c3 = adding(b3, row3.word0, &carry)
        let c4 = adding(b4, row3.word1, &carry)
        let c5 = adding(b5, row3.word2, &carry)
        let c6 = adding(b6, row3.word3, &carry)
        let c7 = row3.word4 &+ carry
        return reduced(low: (row0.word0, a1, b2, c3), high: (c4, c5, c6, c7))
    }

    @inline(__always)
    func squared() -> Self {
        // Products of different words, once each.
        var carry: UInt64 = 0
        let p01 = word0.multipliedFullWidth(by: word1)
        let p02 = word0.multipliedFullWidth(by: word2)
        let p03 = word0.multipliedFullWidth(by: word3)
        let a2 = Self.adding(p02.low, p01.high, &carry)
        let a3 = Self.adding(p03.low, p02.high, &carry)
        let a4 = p03.high &+ carry
        let p12 = word1.multipliedFullWidth(by: word2)
        let p13 = word1.multipliedFullWidth(by: word3)
        carry = 0
        let b3 = Self.adding(a3, p12.low, &carry)
        let b4 = Self.adding(a4, p12.high, &carry)
        let b5 = carry
        carry = 0
        let c4 = Self.adding(b4, p13.low, &carry)
        let c5 = Self.adding(b5, p13.high, &carry)
        let p23 = word2.multipliedFullWidth(by: word3)
        carry = 0
        let d5 = Self.adding(c5, p23.low, &carry)
        let d6 = p23.high &+ carry
        return doubledWithSquares((p01.low, a2, b3), (c4, d5, d6))
    }

    /// Twice the products of different words (of weight 1 to 6), and the words' own squares.
    @inline(__always)
    private func doubledWithSquares(
        _ low: (UInt64, UInt64, UInt64), _ high: (UInt64, UInt64, UInt64)
    ) -> Self {
        var carry: UInt64 = 0
        let e1 = Self.adding(low.0, low.0, &carry)
        let e2 = Self.adding(low.1, low.1, &carry)
        let e3 = Self.adding(low.2, low.2, &carry)
        let e4 = Self.adding(high.0, high.0, &carry)
        let e5 = Self.adding(high.1, high.1, &carry)
        let e6 = Self.adding(high.2, high.2, &carry)
        let e7 = carry
        let s0 = word0.multipliedFullWidth(by: word0)
        let s1 = word1.multipliedFullWidth(by: word1)
        let s2 = word2.multipliedFullWidth(by: word2)
        let s3 = word3.multipliedFullWidth(by: word3)
        carry = 0
        let f1 = Self.adding(e1, s0.high, &carry)
        let f2 = Self.adding(e2, s1.low, &carry)
        let f3 = Self.adding(e3, s1.high, &carry)
        let f4 = Self.adding(e4, s2.low, &carry)
        let f5 = Self.adding(e5, s2.high, &carry)
        let f6 = Self.adding(e6, s3.low, &carry)
        let f7 = Self.adding(e7, s3.high, &carry)
        return Self.reduced(low: (s0.low, f1, f2, f3), high: (f4, f5, f6, f7))
    }

    /// Squared so many times: the power of 2^count.
    @inline(__always)
    func squared(times count: Int) -> Self {
        var result = self
        for _ in 0..<count { result = result.squared() }
        return result
    }
}

extension P256FieldElement {
    /// A word times four: five words.
    private struct Row {
        let word0: UInt64
        let word1: UInt64
        let word2: UInt64
        let word3: UInt64
        let word4: UInt64

        @inline(__always)
        init(_ factor: UInt64, _ y: P256FieldElement) {
            let p0 = factor.multipliedFullWidth(by: y.word0)
            let p1 = factor.multipliedFullWidth(by: y.word1)
            let p2 = factor.multipliedFullWidth(by: y.word2)
            let p3 = factor.multipliedFullWidth(by: y.word3)
            var carry: UInt64 = 0
            word0 = p0.low
            word1 = adding(p1.low, p0.high, &carry)
            word2 = adding(p2.low, p1.high, &carry)
            word3 = adding(p3.low, p2.high, &carry)
            word4 = p3.high &+ carry
        }
    }

    typealias Words = (UInt64, UInt64, UInt64, UInt64)

    /// Eight words, below 2^256 p, times 2^-256 modulo p (Montgomery 1985; p is -1 modulo 2^64, so that each step's
    /// multiple of p is the lowest word itself).
    @inline(__always)
    private static func reduced(low: Words, high: Words) -> Self {
        let words = withoutLowestWord(withoutLowestWord(withoutLowestWord(withoutLowestWord(low))))
        var carry: UInt64 = 0
        let word0 = adding(words.0, high.0, &carry)
        let word1 = adding(words.1, high.1, &carry)
        let word2 = adding(words.2, high.2, &carry)
        let word3 = adding(words.3, high.3, &carry)
        return Self(word0, word1, words23: (word2, word3)).reducedOnce(carry)
    }

    /// (words + p word0) / 2^64: p word0 is word0 (2^256 - 2^224 + 2^192 + 2^96 - 1), of which the last term takes the
    /// lowest word away. The result is below 2^256.
    @inline(__always)
    private static func withoutLowestWord(_ words: Words) -> Words {
        let (low, high) = (words.0 << 32, words.0 >> 32)
        // word0 (2^64 - 2^32 + 1), in two words.
        var borrow: UInt64 = 0
        let product0 = subtracting(words.0, low, &borrow)
        let product1 = subtracting(words.0, high, &borrow)
        var carry: UInt64 = 0
        let word0 = adding(words.1, low, &carry)
        let word1 = adding(words.2, high, &carry)
        let word2 = adding(words.3, product0, &carry)
        return (word0, word1, word2, product1 &+ carry)
    }

    /// The words with one more above them, below 2 p, modulo p.
    @inline(__always)
    private func reducedOnce(_ word4: UInt64) -> Self {
        var borrow: UInt64 = 0
        let word0 = Self.subtracting(word0, 0xffff_ffff_ffff_ffff, &borrow)
        let word1 = Self.subtracting(word1, 0x0000_0000_ffff_ffff, &borrow)
        let word2 = Self.subtracting(word2, 0, &borrow)
        let word3 = Self.subtracting(word3, 0xffff_ffff_0000_0001, &borrow)
        return Self(word0, word1, words23: (word2, word3)).addingPrime(word4 &- borrow)
    }

    /// Plus p where the mask is all ones, modulo 2^256.
    @inline(__always)
    private func addingPrime(_ mask: UInt64) -> Self {
        var carry: UInt64 = 0
        let sum0 = Self.adding(word0, mask, &carry)
        let sum1 = Self.adding(word1, mask & 0x0000_0000_ffff_ffff, &carry)
        let sum2 = Self.adding(word2, 0, &carry)
        let sum3 = Self.adding(word3, mask & 0xffff_ffff_0000_0001, &carry)
        return Self(sum0, sum1, words23: (sum2, sum3))
    }

    /// x - y - borrow, and all ones where that is below zero, or else zero.
    @inline(__always)
    private static func subtractingLast(_ x: UInt64, _ y: UInt64, _ borrow: UInt64) -> (UInt64, UInt64) {
        let wide =
            UInt128(truncatingIfNeeded: x) &- UInt128(truncatingIfNeeded: y) &- UInt128(truncatingIfNeeded: borrow)
        return (UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide >> 64))
    }

    /// x + y + carry; the carry is 0 or 1, before and after.
    @inline(__always)
    static func adding(_ x: UInt64, _ y: UInt64, _ carry: inout UInt64) -> UInt64 {
        let (sum, first) = x.addingReportingOverflow(y)
        let (result, second) = sum.addingReportingOverflow(carry)
        carry = word(first) | word(second)
        return result
    }

    /// x - y - borrow; the borrow is 0 or 1, before and after.
    @inline(__always)
    static func subtracting(_ x: UInt64, _ y: UInt64, _ borrow: inout UInt64) -> UInt64 {
        let (difference, first) = x.subtractingReportingOverflow(y)
        let (result, second) = difference.subtractingReportingOverflow(borrow)
        borrow = word(first) | word(second)
        return result
    }

    /// 1 or 0.
    @inline(__always)
    private static func word(_ flag: Bool) -> UInt64 { UInt64(unsafeBitCast(flag, to: UInt8.self)) }
}
