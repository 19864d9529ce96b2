import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct SecretSharingTests {
    /// The field's product as schoolbook multiplication of polynomials and division by the modulus.
    private func product(_ a: UInt16, _ b: UInt16) -> UInt16 {
        var long: UInt32 = 0
        for bit in 0..<16 where b >> bit & 1 == 1 { long ^= UInt32(a) << UInt32(bit) }
        for bit in (16..<32).reversed() where long >> UInt32(bit) & 1 == 1 {
            long ^= UInt32(0x1100B) << UInt32(bit - 16)
        }
        return UInt16(long)
    }

    @Test("Products are those of polynomials modulo x^16 + x^12 + x^3 + x + 1; the field's laws hold")
    func field() {
        #expect(BinaryField.multiply(0x8000, 2) == 0x100B)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let word = random.next()
            let (a, b, c) = (UInt16(word & 0xFFFF), UInt16(word >> 16 & 0xFFFF), UInt16(word >> 32 & 0xFFFF))
            #expect(BinaryField.multiply(a, b) == product(a, b))
            #expect(BinaryField.multiply(a, b) == BinaryField.multiply(b, a))
            #expect(
                BinaryField.multiply(BinaryField.multiply(a, b), c)
                    == BinaryField.multiply(a, BinaryField.multiply(b, c)))
            #expect(BinaryField.multiply(a, b ^ c) == BinaryField.multiply(a, b) ^ BinaryField.multiply(a, c))
            #expect(BinaryField.multiply(BinaryField.Block(repeating: a), byPublic: b)[7] == product(a, b))
        }
    }

    @Test("Every element but zero has its inverse")
    func inverses() {
        #expect((1...UInt16.max).allSatisfy { BinaryField.multiply($0, BinaryField.inverse($0)) == 1 })
        #expect(BinaryField.inverse(0) == 0)
    }

    @Test("x has order 2^16 - 1: the modulus is primitive, thus irreducible")
    func primitive() {
        var (power, order) = (UInt16(2), 1)
        while power != 1 {
            power = BinaryField.multiply(power, 2)
            order += 1
        }
        #expect(order == 65_535)
    }

    @Test("A line through known values gives its known constant term")
    func knownAnswer() {
        // f(x) = 0x1234 + 0x00FF x: f(1) = 0x12CB, f(2) = 0x13CA, by hand.
        let shares = [BinaryField.Block(repeating: 0x12CB), BinaryField.Block(repeating: 0x13CA)]
        let secret = SecretSharing.combine(shares, weights: SecretSharing.weights([1, 2]))
        #expect(secret == BinaryField.Block(repeating: 0x1234))
    }

    @Test("Any threshold of shares gives the secret, one fewer another value", arguments: [1, 2, 3, 7, 40])
    func recovery(threshold: Int) throws {
        var random = SeededGenerator(seed: UInt64(threshold))
        let points = (0..<45).map { _ in UInt16(1 + random.below(65_535)) }
        try #require(Set(points).count == points.count)
        for _ in 0..<20 {
            let secret = Data((0..<32).map { _ in UInt8(random.below(256)) })
            let shares = SecretSharing(threshold: threshold).split(secret, points: points, using: &random)
            let chosen = random.leaveOut(45 - threshold, of: Set(points.indices)).sorted()
            func combined(_ places: [Int]) -> Data {
                SecretSharing.data(
                    SecretSharing.combine(
                        places.map { SecretSharing.block(shares[$0]) },
                        weights: SecretSharing.weights(places.map { points[$0] })))
            }
            #expect(combined(chosen) == secret)
            if threshold > 1 { #expect(combined(Array(chosen.dropLast())) != secret) }
        }
    }

    /// The statistic of 16 cells: two bits of one share's byte, and two of another's or of another byte of the same.
    private func statistic(secret: UInt8, threshold: Int, share: Int = 1, byte: Int = 0) -> Double {
        var random = SeededGenerator(seed: 77)
        var counts = [Double](repeating: 0, count: 16)
        let draws = 20_000
        for _ in 0..<draws {
            let shares = SecretSharing(threshold: threshold)
                .split(Data(repeating: secret, count: 32), points: [5, 900], using: &random)
            counts[Int(shares[0][0] & 3) * 4 + Int(shares[share][byte] & 3)] += 1
        }
        let expected = Double(draws) / 16
        return counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
    }

    @Test("One share fewer than the threshold is uniform, whatever the secret; with as many, it is not")
    func uniformity() {
        // Chi-square of 15 degrees of freedom: above 56.5 with probability 1e-6.
        #expect(statistic(secret: 0, threshold: 3) < 56.5)
        #expect(statistic(secret: 255, threshold: 3) < 56.5)
        for byte in [1, 2, 8, 30] { #expect(statistic(secret: 0, threshold: 2, share: 0, byte: byte) < 56.5) }
        #expect(statistic(secret: 0, threshold: 1) > 56.5)
    }

    @Test("Wrong shares are found: by decoding up to half of those beyond the threshold, and by trying beyond that")
    func decoding() throws {
        var random = SeededGenerator(seed: 3)
        for (count, threshold, liars) in [
            (9, 5, 0), (9, 5, 1), (9, 5, 2), (9, 5, 3), (9, 5, 4), (6, 5, 1), (40, 20, 10), (12, 1, 5),
        ] {
            let secret = Data((0..<32).map { _ in UInt8(random.below(256)) })
            let points = (1...count).map { UInt16(7 * $0) }
            var shares = SecretSharing(threshold: threshold).split(secret, points: points, using: &random)
            let wrong = random.leaveOut(count - liars, of: Set(0..<count)).sorted()
            for (order, place) in wrong.enumerated() { shares[place][(3 * order) % 32] ^= UInt8(1 + order) }
            var decoding = ShareDecoding(threshold: threshold)
            let decoded = decoding.decode(Array(zip(points, shares)).map { (point: $0.0, value: $0.1) }) {
                $0 == secret
            }
            let found = try #require(decoded)
            #expect(found.secret == secret)
            // Shares that were not needed are not looked at where the first ones gave what is right.
            #expect(found.wrong == wrong || (found.wrong.isEmpty && wrong.allSatisfy { $0 >= threshold }))
        }
    }

    @Test("Too few right shares give nothing")
    func undecodable() {
        var random = SeededGenerator(seed: 4)
        let secret = Data(repeating: 9, count: 32)
        let points: [UInt16] = [1, 2, 3, 4]
        var shares = SecretSharing(threshold: 3).split(secret, points: points, using: &random)
        shares[0][0] ^= 1
        shares[2][5] ^= 1
        var decoding = ShareDecoding(threshold: 3)
        let all = Array(zip(points, shares)).map { (point: $0.0, value: $0.1) }
        #expect(decoding.decode(all) { $0 == secret } == nil)
        #expect(decoding.decode(Array(all.prefix(2))) { _ in true } == nil)
        #expect(decoding.decode([all[0], all[0], all[1]]) { _ in true } == nil)
    }
}
