import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct SetIntersectionCurveTests {
    @Test("expand_message_xmd gives all 20 vectors of RFC 9380, appendix K.1, tags of more than 255 bytes among them")
    func expansion() {
        typealias Vectors = SetIntersectionVectors
        for (tag, vectors) in [(Vectors.shortTag, Vectors.shortTagged), (Vectors.longTag, Vectors.longTagged)] {
            #expect(vectors.count == 10)
            for vector in vectors {
                #expect(expand(vector.message, tag, vector.count) == bytes(vector.bytes))
            }
        }
    }

    private func expand(_ message: String, _ tag: String, _ count: Int) -> Data {
        var output = Data(count: count)
        output.withUnsafeMutableBytes { output in
            Array(message.utf8).withUnsafeBytes {
                MessageExpansion(tag: Array(tag.utf8)).expand([$0], into: output)
            }
        }
        return output
    }

    @Test("P256_XMD:SHA-256_SSWU_RO_ gives all 5 vectors of RFC 9380, appendix J.1.1, with every value on the way")
    func hashing() {
        let hash = HashToCurve(tag: Array(SetIntersectionVectors.curveTag.utf8))
        #expect(SetIntersectionVectors.curve.count == 5)
        for vector in SetIntersectionVectors.curve {
            let message = Array(vector.message.utf8)
            let (u0, u1) = message.withUnsafeBytes { hash.elements([$0]) }
            #expect([hexadecimal(u0), hexadecimal(u1)] == vector.u)
            let points = P256ProjectivePoint.affine([HashToCurve.map(u0), HashToCurve.map(u1)])
            #expect(points.map { hexadecimal($0) } == [vector.q0, vector.q1])
            #expect(hexadecimal(hash.points(of: [Data(message)])[0]) == vector.p)
            // A byte in front is a part of the message.
            if let first = message.first {
                let point = hash.points(of: [Data(message.dropFirst())], prefix: [first])[0]
                #expect(hexadecimal(point) == vector.p)
            }
        }
    }

    @Test("The map's exceptional elements, at which its denominator would vanish, give the point that the RFC says")
    func exceptionalElements() throws {
        // Z^2 u^4 + Z u^2 is zero for u = 0 and for u^2 = -1 / Z = 1 / 10; then x = b / (Z A) = b / 30.
        let ten = P256FieldElement(integerWords: (10, 0, 0, 0))
        let thirty = P256FieldElement(integerWords: (30, 0, 0, 0))
        let root = ten.inverse.squareRoot
        #expect(hexadecimal(root.squared() * ten) == hexadecimal(.one))
        let expected = hexadecimal(P256Point.b * thirty.inverse)
        for u in [.zero, root, -root] {
            let point = P256ProjectivePoint.affine([HashToCurve.map(u)])[0]
            #expect(point.isOnCurve && hexadecimal(point.x) == expected)
            #expect(point.y.isOddMask == u.isOddMask)
        }
    }

    @Test("x-coordinates of multiples are those of swift-crypto's ECDH, for random points and scalars")
    func againstSwiftCrypto() throws {
        var random = SeededGenerator(seed: 1)
        for count in [1, 2, 7, 100] {
            let scalar = SecretScalar(using: &random)
            let key = try P256.KeyAgreement.PrivateKey(rawRepresentation: scalar.bytes)
            var points: [P256Point] = []
            var expected: [Data] = []
            for _ in 0..<count {
                let other = try P256.KeyAgreement.PrivateKey(
                    rawRepresentation: SecretScalar(using: &random).bytes
                ).publicKey
                expected.append(try sharedBytes(key, other))
                points.append(try #require(lifted(other.rawRepresentation.prefix(32))))
                #expect(points.last?.isOnCurve == true)
            }
            #expect(ScalarMultiplication(scalar).coordinates(points).map { PointList([$0]).bytes } == expected)
        }
    }

    @Test("Scalars at the edges, and such whose digits are all alike, multiply as swift-crypto does")
    func edgeScalars() throws {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc6325"
        let edges = [
            String(repeating: "00", count: 31) + "01", String(repeating: "00", count: 31) + "03",
            String(repeating: "00", count: 31) + "11",
            String(repeating: "00", count: 16) + "01" + String(repeating: "00", count: 14) + "01",
            order + "4f", order + "4d", order + "4b", order + "2f", order + "01",
            String(repeating: "0f", count: 32), String(repeating: "55", count: 32),
            "7" + String(repeating: "f", count: 63),
            "80" + String(repeating: "00", count: 30) + "01", "fffffffe" + String(repeating: "ff", count: 28),
        ]
        let points = try (0..<3).map { _ in P256.KeyAgreement.PrivateKey().publicKey }.map {
            ($0, try #require(lifted($0.rawRepresentation.prefix(32))))
        }
        for edge in edges {
            let scalar = try #require(SecretScalar(bytes(edge)), "\(edge)")
            #expect(scalar.bytes == bytes(edge))
            let key = try P256.KeyAgreement.PrivateKey(rawRepresentation: bytes(edge))
            let multiples = ScalarMultiplication(scalar).coordinates(points.map(\.1))
            for (multiple, point) in zip(multiples, points) {
                #expect(PointList([multiple]).bytes == (try sharedBytes(key, point.0)), "\(edge)")
            }
        }
        for outside in [
            String(repeating: "00", count: 32), String(repeating: "00", count: 31) + "02", order + "51", order + "53",
            String(repeating: "ff", count: 32), "01", order + "50",
        ] {
            #expect(SecretScalar(bytes(outside)) == nil, "\(outside)")
        }
    }

    @Test("A scalar's digits add up to it")
    func digits() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<50 {
            let scalar = SecretScalar(using: &random)
            var value = [UInt8](repeating: 0, count: 33)
            // Horner, with the value in bytes, most significant first.
            for digit in scalar.digits.reversed() {
                let index = try #require(digit.magnitudes.firstIndex(of: .max))
                #expect(digit.magnitudes.count { $0 == 0 } == 7)
                var carry = (digit.isNegative == 0 ? 1 : -1) * (2 * index + 1)
                for place in value.indices.reversed() {
                    let sum = 16 * Int(value[place]) + carry
                    value[place] = UInt8(sum & 255)
                    carry = sum >> 8
                }
            }
            #expect(value[0] == 0 && Data(value.dropFirst()) == scalar.bytes)
        }
    }

    @Test("An even draw becomes n minus it; draws of zero, n and above are drawn again")
    func drawing() {
        struct Words: RandomNumberGenerator {
            var words: [UInt64]
            mutating func next() -> UInt64 { words.removeFirst() }
        }
        let order: [UInt64] = [
            0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000,
        ]
        var generator = Words(words: [0, 0, 0, 0] + order + [.max, .max, .max, .max] + [4, 0, 0, 0])
        let scalar = SecretScalar(using: &generator)
        #expect(scalar.bytes == bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254d"))
        #expect(generator.words.isEmpty)
    }

    @Test("The sum of points is complete: doubles, opposites and the identity need no other formula")
    func completeAddition() throws {
        let generator = P256.KeyAgreement.PrivateKey.self
        func multiple(_ scalar: UInt8) throws -> P256ProjectivePoint {
            let raw = try generator.init(rawRepresentation: Data(count: 31) + [scalar]).publicKey.rawRepresentation
            return P256ProjectivePoint(
                x: .init(coordinate(raw.prefix(32))), y: .init(coordinate(raw.suffix(32))), z: .one)
        }
        let identity = P256ProjectivePoint(x: .zero, y: .one, z: .zero)
        for scalar: UInt8 in 1...20 {
            let point = try multiple(scalar)
            let opposite = P256ProjectivePoint(x: point.x, y: -point.y, z: point.z)
            try expectEqual(point + point, multiple(2 * scalar))
            try expectEqual(point + identity, point)
            try expectEqual(identity + point, point)
            #expect((point + opposite).z.isZeroMask == .max)
            try expectEqual(point + multiple(scalar + 1), multiple(2 * scalar + 1))
            // Whatever the third coordinate is.
            let sum = point + point
            try expectEqual(sum + sum, multiple(4 * scalar))
        }
        #expect((identity + identity).z.isZeroMask == .max)
    }

    private func expectEqual(_ a: P256ProjectivePoint, _ b: P256ProjectivePoint) throws {
        let points = P256ProjectivePoint.affine([a, b])
        #expect(hexadecimal(points[0]) == hexadecimal(points[1]))
    }

    @Test("About half of all integers are no x-coordinate; p and above never are, though one modulo p is one")
    func lifting() throws {
        var random = SeededGenerator(seed: 3)
        var found = 0
        for _ in 0..<2000 {
            let drawn = Data((0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            let isPoint = (try? P256.KeyAgreement.PublicKey(compressedRepresentation: [2] + drawn)) != nil
            #expect((lifted(drawn) != nil) == isPoint)
            found += isPoint ? 1 : 0
        }
        // 12 standard deviations.
        #expect(abs(found - 1000) < 270)
        // x = 5 is on the curve, and so p + 5 must not be taken.
        #expect(lifted(Data(count: 31) + [5]) != nil)
        for text in ["ffffffff00000001000000000000000000000001000000000000000000000004"] {
            #expect(!coordinate(bytes(text)).isCanonical && lifted(bytes(text)) == nil)
        }
        let largest = "ffffffff00000001000000000000000000000000fffffffffffffffffffffffe"
        #expect(coordinate(bytes(largest)).isCanonical)
        #expect(!coordinate(bytes(String(largest.dropLast()) + "f")).isCanonical)
    }
}

func coordinate(_ bytes: Data) -> P256Coordinate {
    bytes.withUnsafeBytes { P256Coordinate($0, offset: 0) }
}

private func lifted(_ bytes: Data) -> P256Point? { P256Point(coordinate(bytes)) }

extension P256Point {
    fileprivate var isOnCurve: Bool {
        let right = x.squared() * x - x - x - x + Self.b
        return hexadecimal(y.squared()) == hexadecimal(right)
    }
}

extension P256FieldElement {
    init(_ coordinate: P256Coordinate) { self.init(integerWords: coordinate.words) }
}

private func sharedBytes(_ key: P256.KeyAgreement.PrivateKey, _ other: P256.KeyAgreement.PublicKey) throws -> Data {
    try key.sharedSecretFromKeyAgreement(with: other).withUnsafeBytes { Data($0) }
}

func hexadecimal(_ element: P256FieldElement) -> String { hexadecimal(PointList([P256Coordinate(element)]).bytes) }

private func hexadecimal(_ data: Data) -> String { data.map { String(format: "%02x", $0) }.joined() }

private func hexadecimal(_ point: P256Point) -> [String] { [hexadecimal(point.x), hexadecimal(point.y)] }
