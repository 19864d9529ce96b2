internal import Foundation

/// Shamir's sharing of 32 bytes, sixteen elements of GF(2^16) at once (Shamir 1979).
///
/// Each element is the constant term of a polynomial whose other `threshold` - 1 coefficients are uniform; the share at a point that is not zero is its
/// value there. Any `threshold` shares give the polynomial; fewer are uniform and independent of the secret, whatever it is, since for each secret exactly
/// one choice of the remaining coefficients fits them. Points are public, secrets and coefficients are not: see ``BinaryField``.
struct SecretSharing {
    /// How many shares give the secret.
    let threshold: Int

    /// The point of a participant: its place in the roster plus one.
    static func point(_ participant: Int) -> UInt16 { UInt16(truncatingIfNeeded: participant &+ 1) }

    /// The share at each point. The points must differ, and not be zero.
    func split<R: RandomNumberGenerator>(_ secret: Data, points: [UInt16], using generator: inout R) -> [Data] {
        var coefficients = [Self.block(secret)]
        for _ in 1..<max(threshold, 1) {
            var coefficient = BinaryField.Block()
            for lane in stride(from: 0, to: 16, by: 4) {
                let word = generator.next()
                for part in 0..<4 { coefficient[lane + part] = UInt16(truncatingIfNeeded: word &>> UInt64(16 * part)) }
            }
            coefficients.append(coefficient)
        }
        return points.map { point in
            var value = BinaryField.Block()
            for coefficient in coefficients.reversed() {
                value = BinaryField.multiply(value, byPublic: point) ^ coefficient
            }
            return Self.data(value)
        }
    }

    /// What to multiply the shares at these points by, so that they add up to the secret: Lagrange's polynomials at zero.
    static func weights(_ points: [UInt16]) -> [UInt16] {
        points.map { point in
            var (numerator, denominator) = (UInt16(1), UInt16(1))
            for other in points where other != point {
                numerator = BinaryField.multiply(numerator, other)
                denominator = BinaryField.multiply(denominator, other ^ point)
            }
            return BinaryField.multiply(numerator, BinaryField.inverse(denominator))
        }
    }

    /// The secret from exactly as many shares as there are weights.
    static func combine(_ shares: [BinaryField.Block], weights: [UInt16]) -> BinaryField.Block {
        var secret = BinaryField.Block()
        for (share, weight) in zip(shares, weights) { secret ^= BinaryField.multiply(share, byPublic: weight) }
        return secret
    }

    /// Sixteen elements, each of two bytes, the less significant one first. Of other than 32 bytes: zeros stand for what lacks.
    static func block(_ data: Data) -> BinaryField.Block {
        var block = BinaryField.Block()
        for (place, byte) in data.prefix(32).enumerated() {
            block[place / 2] |= UInt16(byte) &<< UInt16(8 * (place & 1))
        }
        return block
    }

    /// The 32 bytes.
    static func data(_ block: BinaryField.Block) -> Data {
        var data = Data(count: 32)
        for place in 0..<32 {
            data[place] = UInt8(truncatingIfNeeded: block[place / 2] &>> UInt16(8 * (place & 1)))
        }
        return data
    }
}
