import Kernels
import Testing

@Suite("AES and what is made of it")
struct CipherTests {
    private func expanded(_ key: [UInt8]) -> kernels_aes_key {
        var target = kernels_aes_key()
        kernels_aes_expand(key, &target)
        return target
    }

    private func bytesOf(_ words: [UInt64]) -> [UInt8] { words.withUnsafeBytes { Array($0) } }

    private func encrypted(_ key: kernels_aes_key, _ source: [UInt8], _ cipher: kernels_cipher) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: source.count)
        withUnsafePointer(to: key) { kernels_aes_encrypt($0, source, source.count / 16, &target, cipher) }
        return target
    }

    @Test("The examples of FIPS 197 (B, C.1) and SP 800-38A (F.1.1), on every path")
    func knownAnswers() {
        let cases: [(key: String, block: String, encrypted: String)] = [
            (
                "2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734",
                "3925841d02dc09fbdc118597196a0b32"
            ),
            (
                "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
                "69c4e0d86a7b0430d8cdb78070b4c55a"
            ),
            (
                "2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96e93d7e117393172a",
                "3ad77bb40d7a3660a89ecaf32466ef97"
            ),
            (
                "2b7e151628aed2a6abf7158809cf4f3c", "ae2d8a571e03ac9c9eb76fac45af8e51",
                "f5d3d58503b9699de785895a96fdbaaf"
            ),
            (
                "2b7e151628aed2a6abf7158809cf4f3c", "30c81c46a35ce411e5fbc1191a0a52ef",
                "43b1cd7f598ece23881b00e3ed030688"
            ),
            (
                "2b7e151628aed2a6abf7158809cf4f3c", "f69f2445df4f9b17ad2b417be66c3710",
                "7b0c785e27e8ad3f8223207104725dd4"
            ),
        ]
        for one in cases {
            for cipher in ciphers {
                #expect(
                    encrypted(expanded(bytes(one.key)), bytes(one.block), cipher) == bytes(one.encrypted), "\(cipher)")
            }
        }
    }

    @Test("The last round key of FIPS 197's example (A.1)")
    func roundKeys() {
        var key = expanded(bytes("2b7e151628aed2a6abf7158809cf4f3c"))
        let last = withUnsafeBytes(of: &key) { Array($0[160..<176]) }
        #expect(last == bytes("d014f9a8c9ee2589e13f0cc8b6630ca6"))
    }

    @Test("All paths give the same bits, for any number of blocks, keys and blocks of every byte")
    func pathsAgree() {
        var words = Words(4)
        for count in [0, 1, 2, 7, 8, 15, 16, 17, 33, 256] {
            let key = expanded(bytesOf(words(2)))
            let source = bytesOf(words(2 * count))
            let all = ciphers.map { encrypted(key, source, $0) }
            #expect(all.allSatisfy { $0 == all[0] })
            // One block after the other, by instructions of their own.
            for block in 0..<count {
                let slice = Array(source[16 * block..<16 * block + 16])
                #expect(encrypted(key, slice, .sliced) == Array(all[0][16 * block..<16 * block + 16]))
            }
        }
    }

    @Test("The hash is pi(sigma(x)) + sigma(x), the tweaked one pi(pi(x) + i) + pi(x)")
    func hashes() {
        var words = Words(5)
        let key = expanded([UInt8](0..<16))
        let count = 37
        let source = words(2 * count)
        let tweaks = words(2 * count)
        func encryptedWords(_ words: [UInt64]) -> [UInt64] {
            var target = [UInt64](repeating: 0, count: words.count)
            words.withUnsafeBytes { source in
                target.withUnsafeMutableBytes { target in
                    withUnsafePointer(to: key) {
                        kernels_aes_encrypt(
                            $0, source.assumingMemoryBound(to: UInt8.self).baseAddress, words.count / 2,
                            target.assumingMemoryBound(to: UInt8.self).baseAddress, .sliced)
                    }
                }
            }
            return target
        }
        var sigma = source
        for block in 0..<count {
            sigma[2 * block] = source[2 * block + 1]
            sigma[2 * block + 1] = source[2 * block + 1] ^ source[2 * block]
        }
        let hash = zip(encryptedWords(sigma), sigma).map { $0 ^ $1 }
        let once = encryptedWords(source)
        let tweaked = zip(encryptedWords(zip(once, tweaks).map { $0 ^ $1 }), once).map { $0 ^ $1 }
        for cipher in ciphers {
            var found = [UInt64](repeating: 0, count: 2 * count)
            var foundTweaked = found
            source.withUnsafeBytes { source in
                let source = source.assumingMemoryBound(to: UInt8.self).baseAddress
                withUnsafePointer(to: key) { key in
                    found.withUnsafeMutableBytes {
                        kernels_aes_hash(key, source, count, $0.assumingMemoryBound(to: UInt8.self).baseAddress, cipher)
                    }
                    foundTweaked.withUnsafeMutableBytes {
                        kernels_aes_tweaked_hash(
                            key, source, tweaks, count, $0.assumingMemoryBound(to: UInt8.self).baseAddress, cipher)
                    }
                }
            }
            #expect(found == hash, "\(cipher)")
            #expect(foundTweaked == tweaked, "\(cipher)")
        }
    }

    @Test("A stream is the encryption of its counters, whole or in parts, and streams differ")
    func streams() {
        let key = expanded([UInt8](16..<32))
        let counters: [UInt64] = (0..<80).map { (place: Int) -> UInt64 in place % 2 == 0 ? UInt64(place / 2) + 5 : 77 }
        var expected = [UInt64](repeating: 0, count: 80)
        counters.withUnsafeBytes { source in
            expected.withUnsafeMutableBytes { target in
                withUnsafePointer(to: key) {
                    kernels_aes_encrypt(
                        $0, source.assumingMemoryBound(to: UInt8.self).baseAddress, 40,
                        target.assumingMemoryBound(to: UInt8.self).baseAddress, .sliced)
                }
            }
        }
        for cipher in ciphers {
            for count in [0, 1, 2, 31, 32, 33, 64, 79, 80] {
                let target = GuardedWords<UInt64>(count: count)
                withUnsafePointer(to: key) { kernels_aes_fill($0, 77, 5, target.pointer, count, cipher) }
                #expect(target.values == Array(expected.prefix(count)) && target.isIntact, "\(cipher) \(count)")
            }
            let other = GuardedWords<UInt64>(count: 80)
            withUnsafePointer(to: key) { kernels_aes_fill($0, 78, 5, other.pointer, 80, cipher) }
            #expect(Set(other.values).isDisjoint(with: expected))
        }
    }
}
