import Kernels
import Testing

@Suite("Distributed comparison functions")
struct ComparisonKernelTests {
    private struct Batch {
        let shape: kernels_comparisons
        let fixed: kernels_aes_key
        let seeds: [[UInt64]]
        let betas: [UInt64]
        let alphas: [UInt64]
        let corrections: [UInt64]

        init(count: Int, bits: Int, words: Int, alphas: [UInt64], seed: UInt64, cipher: kernels_cipher) {
            shape = kernels_comparisons(count: count, bits: bits, words: words)
            var random = Words(seed)
            var key = kernels_aes_key()
            kernels_aes_expand([UInt8](repeating: 7, count: 16), &key)
            fixed = key
            seeds = [random(2 * count), random(2 * count)]
            betas = random(words * count)
            self.alphas = alphas
            let target = GuardedWords<UInt64>(count: kernels_comparison_words(shape))
            kernels_comparison_generate(shape, &key, seeds[0], seeds[1], alphas, betas, target.pointer, cipher)
            #expect(target.isIntact)
            corrections = target.values
        }

        func share(_ party: Int, _ inputs: [UInt64], _ cipher: kernels_cipher) -> [UInt64] {
            let target = GuardedWords<UInt64>(count: shape.words * shape.count)
            withUnsafePointer(to: fixed) {
                kernels_comparison_evaluate(
                    shape, $0, Int32(party), seeds[party], corrections, inputs, target.pointer, cipher)
            }
            #expect(target.isIntact)
            return target.values
        }

        func wrong(_ inputs: [UInt64], _ cipher: kernels_cipher) -> Int {
            let mask = shape.bits == 64 ? UInt64.max : 1 << UInt64(shape.bits) - 1
            let (first, second) = (share(0, inputs, cipher), share(1, inputs, cipher))
            return (0..<betas.count).count {
                let i = $0 % shape.count
                return first[$0] &+ second[$0] != (inputs[i] & mask < alphas[i] & mask ? betas[$0] : 0)
            }
        }
    }

    @Test("Every alpha and every x of up to six bits, one to four words, on every path")
    func exhaustive() {
        for cipher in ciphers {
            for bits in 1...6 {
                let size = 1 << bits
                // All pairs, padded to whole lanes.
                let pairs = (0..<max(size * size, 16)).map { (UInt64($0 / size % size), UInt64($0 % size)) }
                for words in 1...4 {
                    let batch = Batch(
                        count: pairs.count, bits: bits, words: words, alphas: pairs.map(\.0),
                        seed: UInt64(10 * bits + words),
                        cipher: cipher)
                    #expect(batch.wrong(pairs.map(\.1), cipher) == 0, "\(cipher) \(bits) \(words)")
                }
            }
        }
    }

    @Test("Numbers of 31, 63 and 64 bits around alpha and at the ends, on every path, and all paths make the same keys")
    func wide() {
        for bits in [31, 32, 63, 64] {
            for words in 1...4 {
                var random = Words(UInt64(100 + bits + words))
                let count = 64
                let alphas = random(count)
                let near = alphas.enumerated().map { $1 &+ UInt64($0 % 5) &- 2 }
                let batches = ciphers.map {
                    Batch(count: count, bits: bits, words: words, alphas: alphas, seed: UInt64(bits), cipher: $0)
                }
                for (batch, cipher) in zip(batches, ciphers) {
                    #expect(batch.corrections == batches[0].corrections, "\(cipher)")
                    for inputs in [
                        near, random(count), alphas, [UInt64](repeating: 0, count: count),
                        [UInt64](repeating: .max, count: count),
                    ] {
                        #expect(batch.wrong(inputs, cipher) == 0, "\(cipher) \(bits) \(words)")
                        #expect(batch.share(0, inputs, cipher) == batches[0].share(0, inputs, ciphers[0]))
                    }
                }
            }
        }
    }

    @Test("A key has the stated size")
    func size() {
        #expect(8 * kernels_comparison_words(kernels_comparisons(count: 16, bits: 63, words: 2)) == 16 * 2032)
        #expect(8 * kernels_comparison_words(kernels_comparisons(count: 16, bits: 63, words: 1)) == 16 * 1520)
        #expect(8 * kernels_comparison_words(kernels_comparisons(count: 32, bits: 16, words: 1)) == 32 * 392)
    }

    @Test(
        "One party's corrections and shares look random: chi-square of all bytes over 400 functions of one alpha, 255 degrees, false alarm below 1e-6"
    )
    func looksRandom() {
        // 350 is above the 1 - 2e-7 quantile (Wilson and Hilferty: 5 standard deviations are 375).
        let count = 400
        let batch = Batch(
            count: count, bits: 63, words: 2, alphas: [UInt64](repeating: 1 << 62 + 12345, count: count), seed: 77,
            cipher: ciphers[0])
        func statistic(_ words: [UInt64]) -> Double {
            var counts = [Double](repeating: 0, count: 256)
            for word in words { for byte in 0..<8 { counts[Int(word >> UInt64(8 * byte) & 255)] += 1 } }
            let expected = Double(8 * words.count) / 256
            return counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
        }
        #expect(statistic(batch.corrections) < 380)
        for party in 0..<2 { #expect(statistic(batch.share(party, batch.alphas, ciphers[0])) < 380) }
        // What the statistic is for: with alpha's side known from the shares it would be far off.
        #expect(statistic((0..<1000).map { UInt64($0 % 2) }) > 1e5)
    }

    /// A share of each bit.
    private func bits(
        _ shape: kernels_bit_comparisons, _ alphas: [UInt64], _ inputs: [UInt64], cipher: kernels_cipher
    ) -> (shares: [[UInt64]], corrections: [UInt64]) {
        var random = Words(UInt64(shape.bits))
        var key = kernels_aes_key()
        kernels_aes_expand([UInt8](repeating: 9, count: 16), &key)
        let seeds = [random(2 * shape.count), random(2 * shape.count)]
        let corrections = GuardedWords<UInt64>(count: kernels_bit_comparison_words(shape))
        kernels_bit_comparison_generate(shape, &key, seeds[0], seeds[1], alphas, corrections.pointer, cipher)
        let shares = (0..<2).map { party in
            let target = GuardedWords<UInt64>(count: shape.count)
            kernels_bit_comparison_evaluate(
                shape, &key, Int32(party), seeds[party], corrections.pointer, inputs, target.pointer, cipher)
            #expect(target.isIntact && corrections.isIntact)
            return target.values
        }
        return (shares, corrections.values)
    }

    @Test(
        "Functions of a bit: every alpha and x of up to nine bits, and wide ones around alpha and at the ends, on every path"
    )
    func bitFunctions() {
        for bits in 1...9 {
            let size = 1 << bits
            let count = max(size * size, 16)
            let alphas = (0..<count).map { UInt64($0 / size % size) }
            let inputs = (0..<count).map { UInt64($0 % size) }
            for cipher in ciphers where bits < 8 || cipher != .sliced {
                let shares = self.bits(
                    kernels_bit_comparisons(count: count, bits: bits), alphas, inputs, cipher: cipher
                ).shares
                let wrong = (0..<count).count { (shares[0][$0] ^ shares[1][$0] == 1) != (inputs[$0] < alphas[$0]) }
                #expect(wrong == 0, "\(bits) \(cipher)")
            }
        }
        var random = Words(55)
        for bits in [31, 32, 63, 64] {
            let shape = kernels_bit_comparisons(count: 256, bits: bits)
            let mask = bits == 64 ? UInt64.max : 1 << UInt64(bits) - 1
            let alphas = random(256)
            for inputs in [
                alphas.enumerated().map { $1 &+ UInt64($0 % 5) &- 2 }, random(256), alphas, alphas.map { _ in 0 },
                alphas.map { _ in .max },
            ] {
                let all = ciphers.map { self.bits(shape, alphas, inputs, cipher: $0) }
                let wrong = (0..<256).count {
                    (all[0].shares[0][$0] ^ all[0].shares[1][$0] == 1) != (inputs[$0] & mask < alphas[$0] & mask)
                }
                #expect(wrong == 0)
                #expect(all.allSatisfy { $0.corrections == all[0].corrections && $0.shares == all[0].shares })
            }
        }
        #expect(8 * kernels_bit_comparison_words(kernels_bit_comparisons(count: 16, bits: 63)) == 16 * 912)
    }
}
