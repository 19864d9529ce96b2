internal import Foundation

/// Hashing to P-256 as a random oracle: the suite `P256_XMD:SHA-256_SSWU_RO_` (RFC 9380, section 8.2).
///
/// **Constant time.** What is hashed may be a secret, such as a person's number that others could guess. The field arithmetic, the map and the sum of
/// both points are straight lines of the same operations for every message; choices are made by masks, and no memory is addressed by a value. The time
/// depends on how many messages there are and how long each is, in bytes, alone.
struct HashToCurve: Sendable {
    /// Bytes for an element: 128 bits more than the prime has, so that it is uniform to within 2^-128 (section 5.1).
    private static let elementLength = 48

    private let expansion: MessageExpansion

    init(tag: [UInt8]) {
        expansion = MessageExpansion(tag: tag)
    }

    /// `hash_to_curve` of each message, with the prefix put before it.
    func points(of messages: some Collection<Data>, prefix: [UInt8] = []) -> [P256Point] {
        P256ProjectivePoint.affine(
            messages.map { message in
                message.withUnsafeBytes { message in
                    prefix.withUnsafeBytes { sum(of: elements([$0, message])) }
                }
            })
    }

    private func sum(of elements: (P256FieldElement, P256FieldElement)) -> P256ProjectivePoint {
        Self.map(elements.0) + Self.map(elements.1)
    }

    /// `hash_to_field` for two elements (section 5.2).
    func elements(_ parts: [UnsafeRawBufferPointer]) -> (P256FieldElement, P256FieldElement) {
        withUnsafeTemporaryAllocation(byteCount: 2 * Self.elementLength, alignment: 8) { buffer in
            expansion.expand(parts, into: buffer)
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: buffer.load(fromByteOffset: 8 * index, as: UInt64.self))
            }
            return (
                P256FieldElement(low: (word(5), word(4), word(3), word(2)), high: (word(1), word(0))),
                P256FieldElement(low: (word(11), word(10), word(9), word(8)), high: (word(7), word(6)))
            )
        }
    }

    // The map's constants: Z = -10, A = -3, and the root of -Z (section 8.2 and appendix F.2.1.2).
    private static let z = P256FieldElement(
        0xffff_ffff_ffff_fff5, 0x0000_000a_ffff_ffff, words23: (0x0000_0000_0000_0000, 0xffff_fff5_0000_000b))
    private static let rootOfMinusZ = P256FieldElement(
        0xa1fd_38ee_98a1_95fd, 0x7840_0ad7_423d_cf70, words23: (0x6913_c88f_9ea8_dfee, 0x9051_d26e_12a8_f304))

    /// The simplified Shallue, van de Woestijne and Ulas map, without exceptions (section 6.6.2, as in appendix F.2), with the division left to Z.
    static func map(_ u: P256FieldElement) -> P256ProjectivePoint {
        let zu2 = z * u.squared()
        let sum = zu2.squared() + zu2
        let numerator = P256Point.b * (sum + P256FieldElement.one)
        let denominator = minusThree(P256FieldElement.select(sum.isZeroMask, z, -sum))
        // g(numerator / denominator) = right / denominator^3.
        let denominator2 = denominator.squared()
        let denominator3 = denominator2 * denominator
        let right =
            (numerator.squared() + minusThree(denominator2)) * numerator + P256Point.b * denominator3
        let (isSquare, root) = squareRoot(right, denominator3)
        let x = P256FieldElement.select(isSquare, numerator, zu2 * numerator)
        let y = P256FieldElement.select(isSquare, root, zu2 * u * root)
        let hasSign = ~(u.isOddMask ^ y.isOddMask)
        return P256ProjectivePoint(x: x, y: P256FieldElement.select(hasSign, y, -y) * denominator, z: denominator)
    }

    private static func minusThree(_ x: P256FieldElement) -> P256FieldElement { -(x + x + x) }

    /// `sqrt_ratio` for p = 3 modulo 4 (appendix F.2.1.2): whether u / v is a square, as a mask, and the root of u / v, or else of Z u / v.
    private static func squareRoot(_ u: P256FieldElement, _ v: P256FieldElement) -> (UInt64, P256FieldElement) {
        let uv = u * v
        let root = (v.squared() * uv).powerOfSquareRoots * uv
        let isSquare = P256FieldElement.equalMask(root.squared() * v, u)
        return (isSquare, P256FieldElement.select(isSquare, root, root * rootOfMinusZ))
    }
}
