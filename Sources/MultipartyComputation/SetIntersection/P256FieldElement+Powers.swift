extension P256FieldElement {
    /// The power (p - 3) / 4 = 2^254 - 2^222 + 2^190 + 2^94 - 1, from which inverse and square root follow.
    var powerOfSquareRoots: Self {
        // onesN is the power of N ones in binary.
        let ones2 = squared() * self
        let ones3 = ones2.squared() * self
        let ones6 = ones3.squared(times: 3) * ones3
        let ones12 = ones6.squared(times: 6) * ones6
        let ones15 = ones12.squared(times: 3) * ones3
        let ones30 = ones15.squared(times: 15) * ones15
        let ones32 = ones30.squared(times: 2) * ones2
        // 2^64 - 2^32 + 1, then 96 zeros, then 94 ones.
        let head = ones32.squared(times: 32) * self
        let tail1 = head.squared(times: 128) * ones32
        let tail2 = tail1.squared(times: 32) * ones32
        return tail2.squared(times: 30) * ones30
    }

    /// The inverse, by Fermat: the power p - 2. Zero for zero.
    var inverse: Self { powerOfSquareRoots.squared(times: 2) * self }

    /// A square root where there is one, the power (p + 1) / 4; the root of minus the element otherwise.
    var squareRoot: Self { powerOfSquareRoots * self }

    /// All ones where the integer is odd (RFC 9380, section 4.1: `sgn0`).
    var isOddMask: UInt64 { 0 &- (integerWords.0 & 1) }

    /// The integer below p, in words, least significant first.
    var integerWords: Words {
        let integer = self * Self(1, 0, words23: (0, 0))
        return (integer.word0, integer.word1, integer.word2, integer.word3)
    }

    /// The element that is the integer modulo p; words least significant first.
    init(integerWords words: Words) {
        self = Self(words.0, words.1, words23: (words.2, words.3)) * Self.radixSquared
    }

    /// low + 2^256 high modulo p: the reduction of `hash_to_field` (RFC 9380, section 5.2).
    init(low: Words, high: (UInt64, UInt64)) {
        self = Self(integerWords: low) + Self(high.0, high.1, words23: (0, 0)) * Self.radixCubed
    }

    /// Inverts all values, none of them zero, times a factor, with one inversion (Montgomery 1987, section 10.3.1).
    /// Scratch has room for as many.
    static func invert(
        _ values: UnsafeMutableBufferPointer<Self>, scratch: UnsafeMutableBufferPointer<Self>, times factor: Self = one
    ) {
        var product = one
        for place in values.indices {
            scratch[place] = product
            product = product * values[place]
        }
        product = product.inverse * factor
        for place in values.indices.reversed() {
            let inverse = product * scratch[place]
            product = product * values[place]
            values[place] = inverse
        }
    }
}
