internal import Foundation

/// A secret multiplier of points, uniform among the odd integers below P-256's order n.
///
/// Of k and n - k, just one is odd, and both multiply a point to the same x-coordinate, the only one that is used: so an odd one is as good as any.
struct SecretScalar: Sendable {
    /// Least significant first.
    private let words: P256FieldElement.Words

    /// The group's order n (NIST SP 800-186, section 3.2.1.3).
    private static let order: P256FieldElement.Words = (
        0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000
    )

    /// Drawn afresh.
    init<R: RandomNumberGenerator>(using generator: inout R) {
        while true {
            let drawn = (generator.next(), generator.next(), generator.next(), generator.next())
            // Integers outside the range, one in 2^32, are not used, so that what their words are tells nothing.
            guard let words = Self.odd(drawn) else { continue }
            self.words = words
            return
        }
    }

    /// The 32 bytes, most significant first; nil for an even integer or one that is not below n.
    init?(_ bytes: Data) {
        guard bytes.count == P256Coordinate.byteCount else { return nil }
        let words = bytes.withUnsafeBytes { P256Coordinate($0, offset: 0).words }
        guard words.0 & 1 == 1, Self.odd(words) != nil else { return nil }
        self.words = words
    }

    /// 32 bytes, most significant first.
    var bytes: Data {
        var data = Data()
        for word in [words.3, words.2, words.1, words.0] {
            withUnsafeBytes(of: word.bigEndian) { data.append(contentsOf: $0) }
        }
        return data
    }

    /// The integer or n minus it, whichever is odd; nil for zero, n and above.
    private static func odd(_ words: P256FieldElement.Words) -> P256FieldElement.Words? {
        var borrow: UInt64 = 0
        let negative0 = P256FieldElement.subtracting(order.0, words.0, &borrow)
        let negative1 = P256FieldElement.subtracting(order.1, words.1, &borrow)
        let negative2 = P256FieldElement.subtracting(order.2, words.2, &borrow)
        let negative3 = P256FieldElement.subtracting(order.3, words.3, &borrow)
        let isOrder = (negative0 | negative1 | negative2 | negative3) == 0
        let isZero = (words.0 | words.1 | words.2 | words.3) == 0
        guard borrow == 0, !isOrder, !isZero else { return nil }
        let isOdd = 0 &- (words.0 & 1)
        func choose(_ word: UInt64, _ negative: UInt64) -> UInt64 { negative ^ (isOdd & (word ^ negative)) }
        return (
            choose(words.0, negative0), choose(words.1, negative1), choose(words.2, negative2),
            choose(words.3, negative3)
        )
    }
}

extension SecretScalar {
    /// A signed odd digit, from -15 to 15, as masks.
    struct Digit: Sendable {
        /// All ones where the digit is 2 index + 1 or minus it, for one index of eight.
        let magnitudes: [UInt64]
        /// All ones where the digit is negative.
        let isNegative: UInt64

        /// From four bits v: the digit 2 v - 15.
        fileprivate init(_ bits: UInt64) {
            let isNegative = ((bits >> 3) & 1) &- 1
            let index = (bits & 7) ^ (isNegative & 7)
            magnitudes = (0..<UInt64(ScalarMultiplication.tableLength)).map {
                P256FieldElement.zeroMask(index ^ $0)
            }
            self.isNegative = isNegative
        }
    }

    /// Sixty-four digits, least significant first, with the scalar = sum of digit 16^place; none is zero, and the highest is positive (Joye and Tunstall
    /// 2009, section 3.2: for an odd k, bits 1, 2, ... of k, read as -1 and 1, with 1 above them, have the sum k).
    var digits: [Digit] {
        let all = [words.0, words.1, words.2, words.3]
        return (0..<64).map { place in
            let first = 4 * place + 1
            let (word, shift) = (first / 64, UInt64(first % 64))
            var bits = all[word] >> shift
            if shift > 60 { bits |= (word < 3 ? all[word + 1] : 1) << (64 - shift) }
            return Digit(bits & 15)
        }
    }
}

extension SecretScalar: Codable, CustomStringConvertible, CustomReflectable {
    init(from decoder: any Decoder) throws {
        let secret = try decoder.singleValueContainer().decode(SecretBytes.self)
        guard let scalar = SecretScalar(secret.data) else {
            throw IntersectionError.parameter("state", expected: "an odd scalar below the group's order")
        }
        self = scalar
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(SecretBytes(bytes))
    }

    /// The name alone.
    var description: String { "SecretScalar" }
    /// Nothing.
    var customMirror: Mirror { Mirror(self, children: []) }
}
