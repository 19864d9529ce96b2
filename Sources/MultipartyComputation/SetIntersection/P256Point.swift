/// A point of P-256 other than the identity, by both coordinates. All points have the group's prime order, since the
/// cofactor is one: there is no small subgroup to be led into.
struct P256Point: Sendable {
    var x: P256FieldElement
    var y: P256FieldElement

    /// The curve's b: y^2 = x^3 - 3 x + b (NIST SP 800-186, section 3.2.1.3).
    static let b = P256FieldElement(
        0xd89c_df62_29c4_bddf, 0xacf0_05cd_7884_3090, words23: (0xe5a2_20ab_f721_2ed6, 0xdc30_061d_0487_4834))

    init(x: P256FieldElement, y: P256FieldElement) {
        (self.x, self.y) = (x, y)
    }

    /// One of the two points with this coordinate; nil where there is none. A multiple's x is the same for both.
    init?(_ coordinate: P256Coordinate) {
        guard coordinate.isCanonical else { return nil }
        x = P256FieldElement(integerWords: coordinate.words)
        let right = (x.squared() - P256FieldElement.one - P256FieldElement.two) * x + Self.b
        y = right.squareRoot
        guard P256FieldElement.equalMask(y.squared(), right) != 0 else { return nil }
    }
}

/// An x-coordinate as an integer: what is sent, 32 bytes, most significant first (SEC 1, section 2.3.5).
struct P256Coordinate: Sendable, Hashable {
    static let byteCount = 32
    /// Least significant first.
    let word0: UInt64
    let word1: UInt64
    let word2: UInt64
    let word3: UInt64

    var words: P256FieldElement.Words { (word0, word1, word2, word3) }

    init(_ element: P256FieldElement) { (word0, word1, word2, word3) = element.integerWords }

    /// The 32 bytes from `offset` on.
    init(_ bytes: UnsafeRawBufferPointer, offset: Int) {
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
        }
        (word0, word1, word2, word3) = (word(3), word(2), word(1), word(0))
    }

    /// Whether the integer is below p, so that it is the one encoding of its element.
    var isCanonical: Bool {
        var carry: UInt64 = 0
        _ = P256FieldElement.adding(word0, 0x0000_0000_0000_0001, &carry)
        _ = P256FieldElement.adding(word1, 0xffff_ffff_0000_0000, &carry)
        _ = P256FieldElement.adding(word2, 0xffff_ffff_ffff_ffff, &carry)
        _ = P256FieldElement.adding(word3, 0x0000_0000_ffff_fffe, &carry)
        return carry == 0
    }

    func write(to bytes: UnsafeMutableRawBufferPointer, offset: Int) {
        for (index, word) in [word3, word2, word1, word0].enumerated() {
            bytes.storeBytes(of: word.bigEndian, toByteOffset: offset + 8 * index, as: UInt64.self)
        }
    }
}

/// A point as (X : Y : Z) with x = X / Z, y = Y / Z; the identity is (0 : 1 : 0).
struct P256ProjectivePoint: Sendable {
    var x: P256FieldElement
    var y: P256FieldElement
    var z: P256FieldElement

    /// The sum, by one formula for all pairs of points, equal, opposite and the identity among them (Renes, Costello
    /// and Batina 2016, algorithm 4, a = -3).
    static func + (p: Self, q: Self) -> Self {
        let (xx, yy, zz) = (p.x * q.x, p.y * q.y, p.z * q.z)
        let xy = (p.x + p.y) * (q.x + q.y) - (xx + yy)
        let yz = (p.y + p.z) * (q.y + q.z) - (yy + zz)
        let xz = (p.x + p.z) * (q.x + q.z) - (xx + zz)
        let zz3 = zz + zz + zz
        let difference = xz - P256Point.b * zz
        let tripled = difference + difference + difference
        let (minus, plus) = (yy - tripled, yy + tripled)
        let cross = P256Point.b * xz - zz3 - xx
        let cross3 = cross + cross + cross
        let xx3 = xx + xx + xx - zz3
        return Self(
            x: plus * xy - yz * cross3, y: plus * minus + xx3 * cross3, z: minus * yz + xy * xx3)
    }

    /// The points by both coordinates, with one inversion for all.
    ///
    /// None may be the identity: a hash is that once in 2^256 times, and nobody can find when.
    static func affine(_ points: [Self]) -> [P256Point] {
        withUnsafeTemporaryAllocation(of: P256FieldElement.self, capacity: 2 * points.count) { buffer in
            let inverses = UnsafeMutableBufferPointer(rebasing: buffer[..<points.count])
            let scratch = UnsafeMutableBufferPointer(rebasing: buffer[points.count...])
            buffer.initialize(repeating: .one)
            var identities: UInt64 = 0
            for place in points.indices {
                inverses[place] = points[place].z
                identities |= points[place].z.isZeroMask
            }
            precondition(identities == 0, "A sum of points is the identity.")
            P256FieldElement.invert(inverses, scratch: scratch)
            return points.indices.map {
                P256Point(x: points[$0].x * inverses[$0], y: points[$0].y * inverses[$0])
            }
        }
    }
}
