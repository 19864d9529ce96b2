import Crypto
import Foundation
import Testing

@testable import TransparencyLog

/// Which of Ed25519's edge cases swift-crypto accepts, by the vectors of C2SP's CCTV: shared/vectors/log/cctv-ed25519.
@Suite(.enabled(if: LogVectors.folder != nil, "shared/vectors/log is not beside the package"))
struct Ed25519EdgeTests {
    private struct Vector: Decodable {
        var number: Int
        var key, sig, msg: String
        var flags: [String]?
    }

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
    }

    private func vectors() throws -> [Vector] {
        try LogVectors.read("cctv-ed25519/ed25519", as: [Vector].self).flatMap(\.1)
    }

    /// The behaviour of ref10, Go, OpenSSL and BoringSSL: the equation without the cofactor, R compared as bytes. So the kernel
    /// agrees with Go's verifiers on each signature, whatever the key. What that leaves open (A not canonical or of low
    /// order) is closed for our keys by `VerifierKey`, which refuses those keys.
    @Test("swift-crypto refuses a low-order residue and an R that is not canonical, and accepts all else")
    func acceptance() throws {
        let all = try vectors()
        #expect(all.count == 914)
        var accepted = 0
        for vector in all {
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes(vector.key))
            let isValid = key.isValidSignature(bytes(vector.sig), for: Array(vector.msg.utf8))
            let flags = Set(vector.flags ?? [])
            let expected = flags.isDisjoint(with: ["non_canonical_R", "low_order_residue"])
            #expect(isValid == expected, "vector \(vector.number): \(flags.sorted())")
            if isValid { accepted += 1 }
        }
        #expect(accepted > 0 && accepted < all.count)
    }

    @Test("A verifier key is never a point of low order, in any encoding, and every other vector's key is taken")
    func weakKeys() throws {
        let name = try KeyName("a")
        var refused: Set<String> = []
        for vector in try vectors() {
            let isWeak = Set(vector.flags ?? []).contains("low_order_A")
            do throws(NoteError) {
                let key = try VerifierKey(name: name, kind: .ed25519, publicKey: bytes(vector.key))
                #expect(!isWeak && key.publicKey == bytes(vector.key), "vector \(vector.number)")
            } catch {
                #expect(isWeak && error == .weakKey(name), "vector \(vector.number)")
                refused.insert(vector.key)
            }
        }
        // Eight points and six other encodings of them.
        #expect(refused.count == 14)
    }

    @Test("Adding the group's order to S, which makes another signature of the same text elsewhere, is refused")
    func malleability() throws {
        let key = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let text = Array("text\n".utf8)
        var signature = try key.signer.signature(of: text).signature
        #expect(key.verifierKey.verify(signature, of: text) != nil)
        // 2^252 + 27742317777372353535851937790883648493, little-endian.
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var carry = 0
        for place in 0..<32 {
            let sum = Int(signature[32 + place]) + Int(order[place]) + carry
            signature[32 + place] = UInt8(sum & 255)
            carry = sum >> 8
        }
        #expect(carry == 0)
        #expect(key.verifierKey.verify(signature, of: text) == nil)
    }
}
