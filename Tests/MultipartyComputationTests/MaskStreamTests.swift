import Crypto
import Foundation
import Testing

@testable import MultipartyComputation

@Suite struct MaskStreamTests {
    @Test(
        "Masks are AES-256 in counter mode from zero: test cases 13 and 14 of GCM (McGrew and Viega 2005) hold its first blocks"
    )
    func counterMode() throws {
        let stream = MaskStream(key: SymmetricKey(data: Data(count: 32)), modulusBits: 64, isNegative: false)
        // H is the block cipher of zero, the tag of case 13 that of one, the ciphertext of case 14 that of two.
        #expect(stream.bytes(offset: 0, count: 2) == bytes("dc95c078a2408989ad48a21492842087"))
        #expect(stream.bytes(offset: 2, count: 2) == bytes("530f8afbc74536b9a963b4f1c4cb738b"))
        #expect(stream.bytes(offset: 4, count: 2) == bytes("cea7403d4d606b6e074ec5d3baf39d18"))
    }

    @Test(
        "A stream is the same however it is cut, in four bytes for up to 32 bits and eight beyond",
        arguments: [1, 32, 33, 64])
    func cuts(bits: Int) {
        let stream = MaskStream(key: SymmetricKey(size: .bits256), modulusBits: bits, isNegative: false)
        let whole = stream.bytes(offset: 0, count: 4096)
        #expect(whole.count == 4096 * (bits <= 32 ? 4 : 8))
        for offset in [4, 1024, 2028] {
            #expect(
                stream.bytes(offset: offset, count: 68) == whole[(offset * stream.width)...].prefix(68 * stream.width))
        }
        var values = [UInt64](repeating: 0, count: 9000)
        let mask = UInt64.max >> UInt64(64 - bits)
        MaskStream.addAll([stream], to: &values, offset: 0, modulusMask: mask, threads: 1)
        let minus = MaskStream(key: stream.key, modulusBits: bits, isNegative: true)
        var both = values
        MaskStream.addAll([minus], to: &both, offset: 0, modulusMask: mask, threads: 2)
        #expect(both.allSatisfy { $0 == 0 } && values.contains { $0 != 0 })
        var first = UInt64(whole[0])
        for byte in 1..<stream.width { first |= UInt64(whole[byte]) << UInt64(8 * byte) }
        #expect(values[0] == first & mask)
    }

    /// From an implementation of X25519 and HKDF in Python's integers and `hmac`, whose public keys are those of RFC 7748, section 6.1.
    @Test(
        "Keys are X25519 (RFC 7748) and HKDF-SHA256 (RFC 5869) over session and places, as another implementation derives them"
    )
    func derivation() throws {
        let alice = try Curve25519.KeyAgreement.PrivateKey(
            rawRepresentation: bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
        #expect(
            alice.publicKey.rawRepresentation
                == bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"))
        let bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        let digest = Data(0..<32)
        let mask = try PairKeys.mask(alice, of: 3, peer: (7, bob), session: digest)
        #expect(mask == SymmetricKey(data: bytes("337ae39e65fa3be4d0c3c53dbd7171f34a72ed614fef8bdb26665b793cf56e13")))
        let shares = try PairKeys.encryption(alice, of: 3, peer: (7, bob), session: digest)
        #expect(
            shares.sending
                == SymmetricKey(data: bytes("5eb8011342a8842d7bd6600f8258a8faf480c844dff0ccacb1e1b2528c492d16")))
        #expect(
            shares.receiving
                == SymmetricKey(data: bytes("069186b6bac2c9cdba0a864d7fb4919dd6e8b29928e2d2facfbe8e9ea21f6909")))
        let own = PairKeys.ownMask(digest, participant: 5, session: digest)
        #expect(own == SymmetricKey(data: bytes("3aca4c8e7c6938d2b81af89bd36b679fc98757359c2a38f38ecc7ff3e294d9d9")))
        let commitment = PairKeys.commitment(digest, participant: 5, session: digest)
        #expect(commitment == bytes("62a038926d7bf79d800431b58b88b2495be26e8270314a19b59e677b54764fb0"))
    }

    @Test("A session's digest is that of the documented encoding, as another implementation makes it")
    func sessionDigest() throws {
        let session = try AggregationSession(
            identifier: Data(0..<16), subject: Data(repeating: 9, count: 32),
            roster: [1, 2, 3].map { Data(repeating: $0, count: 32) }, length: 1000, modulusBits: 62, threshold: 3,
            colluders: 1)
        #expect(session.digest == bytes("0450d7d143ea4a955810f69f8c8038ae3ed129d71f6f5fecf30b43b8fcd61bc0"))
    }

    @Test("A key of small order gives no secret and is refused")
    func smallOrder() {
        #expect(throws: AggregationError.badKey(participant: 1)) {
            try PairKeys.mask(Curve25519.KeyAgreement.PrivateKey(), of: 0, peer: (1, Data(count: 32)), session: Data())
        }
        #expect(throws: AggregationError.badKey(participant: 1)) {
            try PairKeys.mask(Curve25519.KeyAgreement.PrivateKey(), of: 0, peer: (1, Data(count: 5)), session: Data())
        }
    }
}
