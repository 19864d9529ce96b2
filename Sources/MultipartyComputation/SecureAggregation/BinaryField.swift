/// The field of 2^16 elements, as polynomials over GF(2) modulo x^16 + x^12 + x^3 + x + 1 (primitive).
///
/// No table, and no branch or address that depends on a secret operand: products are carry-less, by shifts and masks.
enum BinaryField {
    /// A secret of 32 bytes, or a share of one: sixteen elements.
    typealias Block = SIMD16<UInt16>

    private static let reduction: UInt16 = 0x100B

    /// The product, in constant time.
    static func multiply(_ a: UInt16, _ b: UInt16) -> UInt16 {
        var (a, b, product) = (a, b, UInt16(0))
        for _ in 0..<16 {
            product ^= a & (0 &- (b & 1))
            b &>>= 1
            a = (a &<< 1) ^ (reduction & (0 &- (a &>> 15)))
        }
        return product
    }

    /// Each of the secret elements times a **public** one: the time depends on `factor` alone.
    @inline(__always)
    static func multiply(_ block: Block, byPublic factor: UInt16) -> Block {
        var (power, rest, product) = (block, factor, Block())
        while rest != 0 {
            if rest & 1 != 0 { product ^= power }
            rest &>>= 1
            power = (power &<< 1) ^ (Block(repeating: reduction) & (Block() &- (power &>> 15)))
        }
        return product
    }

    /// One over the element; zero for zero. By Fermat: a^(2^16 - 2).
    static func inverse(_ a: UInt16) -> UInt16 {
        var (square, result) = (a, UInt16(1))
        for _ in 1..<16 {
            square = multiply(square, square)
            result = multiply(result, square)
        }
        return result
    }
}
