import Testing

@testable import Secrets

@Suite("Randomness")
struct RandomnessTests {
    @Test("The seeded generator is ChaCha20: the block of RFC 8439, section 2.3.2")
    func chaCha() {
        // Key 00...1f; the RFC's 32-bit counter 1 and nonce 00:00:00:09:00:00:00:4a:00:00:00:00, as words 12 to 15.
        var state = ChaChaState(
            key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908, 0x1716_1514_1312_1110, 0x1f1e_1d1c_1b1a_1918),
            nonce: 0x0000_0000_4a00_0000)
        state.counter = 0x0900_0000_0000_0001
        // The sixteen words of the RFC's result, in pairs.
        let expected: SIMD8<UInt64> = [
            0x1559_3bd1_e4e7_f110, 0xc471_20a3_1fdd_0f50, 0x0368_c033_c7f4_d1c7, 0x4e6c_d4c3_9aaa_2204,
            0x09aa_9f07_4664_82d2, 0xa202_8bd9_05d7_c214, 0xb94e_16de_d19c_12b5, 0x4e3c_50a2_e883_d0cb,
        ]
        #expect(state.block() == expected)
    }

    @Test("One seed gives the same words, another seed or stream others")
    func seeds() {
        var a = SeededGenerator(seed: 5)
        var b = SeededGenerator(seed: 5)
        var c = SeededGenerator(seed: 6)
        var d = SeededGenerator(key: (5, 0, 0, 0), stream: 1)
        let words = (0..<100).map { _ in a.next() }
        #expect(words == (0..<100).map { _ in b.next() })
        #expect(words != (0..<100).map { _ in c.next() })
        #expect(words != (0..<100).map { _ in d.next() })
        #expect(Set(words).count == 100)
    }

    @Test(
        "A keyed generator is ChaCha20 of its key: RFC 8439, appendix A.1, blocks of the first two test vectors' key and of the third"
    )
    func keyed() throws {
        var zeros = try #require(KeyedRandom(key: [UInt8](repeating: 0, count: 32)))
        let words = (0..<8).map { _ in zeros.next() }
        // The key stream's first bytes are 76 b8 e0 ad a0 f1 3d 90 40 5d 6a e5 53 86 bd 28.
        #expect(words[0] == 0x903d_f1a0_ade0_b876 && words[1] == 0x28bd_8653_e56a_5d40)
        // Block 1 begins with 9f 07 e7 be 55 51 38 7a.
        #expect(zeros.next() == 0x7a38_5155_bee7_079f)
        // Vector 3, the key 00...01, block 1: 3a eb 52 24 ec f8 49 92.
        var other = try #require(KeyedRandom(key: [UInt8](repeating: 0, count: 31) + [1]))
        for _ in 0..<8 { _ = other.next() }
        #expect(other.next() == 0x9249_f8ec_2452_eb3a)
        #expect(KeyedRandom(key: [UInt8](repeating: 0, count: 31)) == nil && KeyedRandom(key: [] as [UInt8]) == nil)
    }

    @Test("Copies of the system's generator never hand out the same word, across many refills")
    func copies() {
        var a = SecureRandom()
        _ = a.next()
        var b = a
        var seen = Set<UInt64>()
        for _ in 0..<10_000 {
            seen.insert(a.next())
            seen.insert(b.next())
        }
        // Two of 20,000 random words are equal with a probability of about 1e-11.
        #expect(seen.count == 20_000)
    }

    @Test("Every bit of the system's words is fair (false alarm: 64 bits at 6.5 standard deviations, 5e-9)")
    func fairBits() {
        var generator = SecureRandom()
        let words = 100_000
        var ones = [Int](repeating: 0, count: 64)
        for _ in 0..<words {
            let word = generator.next()
            for bit in 0..<64 where word >> UInt64(bit) & 1 == 1 { ones[bit] += 1 }
        }
        for bit in 0..<64 {
            let deviation = Double(ones[bit] - words / 2) / (Double(words).squareRoot() / 2)
            #expect(abs(deviation) < 6.5)
        }
    }

    @Test("A word that was handed out is no longer in the buffer")
    func erased() {
        var generator = SecureRandom()
        let word = generator.next()
        let reservoir = generator.reservoir
        let held = (Reservoir.firstWord..<Reservoir.firstWord + Reservoir.largestFill).map { reservoir.words[$0] }
        #expect(word != 0 && !held.contains(word))
    }

    @Test("Bytes come in any number, and differ")
    func bytes() {
        for count in [0, 1, 32, 255, 256, 257, 1000] { #expect(SecureRandom.bytes(count).count == count) }
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(SecureRandom.bytes(1000)[500...].contains { $0 != 0 })
    }

    @Test("Nothing that is printed shows a generator's state")
    func redacted() {
        var seeded = SeededGenerator(seed: 4711)
        _ = seeded.next()
        let keyed = KeyedRandom(key: [UInt8](repeating: 0x5A, count: 32))
        var text = "\(SecureRandom()) \(seeded) \(keyed.map { "\($0)" } ?? "")"
        dump(keyed, to: &text)
        dump(seeded, to: &text)
        dump(SecureRandom(), to: &text)
        #expect(
            !text.contains("4711") && !text.contains("words") && !text.contains("5a5a")
                && !text.contains("6510615555426900570"))
    }
}

@Suite("Comparison in constant time")
struct ConstantTimeTests {
    @Test("It is equality")
    func equality() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
        for place in 0..<32 {
            for bit in 0..<8 {
                var other = [UInt8](repeating: 0xa5, count: 32)
                other[place] ^= 1 << UInt8(bit)
                #expect(!constantTimeEqual(other, [UInt8](repeating: 0xa5, count: 32)))
            }
        }
    }
}
