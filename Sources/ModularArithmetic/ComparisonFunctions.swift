internal import Kernels

/// A batch of distributed comparison functions: f(x) = beta where x < alpha, and 0 elsewhere, alpha and beta being known to who makes the keys alone
/// (Boyle, Chandran, Gilboa, Gupta, Ishai, Kumar and Rathee 2021, "Function secret sharing for mixed-mode and fixed-point secure computation", figure 1).
///
/// A key is a party's seeds and corrections that both parties have; a party evaluates its key at an x that both know, and both results sum to f(x) modulo 2^64.
///
/// **Privacy.** One party's key is pseudorandom whatever alpha and beta: at each level the seeds are expanded by a correlation-robust hash, and what is not on alpha's path is
/// corrected to be equal at both parties (theorem 1 there). The hash is AES under a fixed key in the form MMO with sigma, correlation robust where AES is an ideal
/// permutation (Guo, Katz, Wang and Yu 2020); seeds have 126 bits, so that who computes 2^t hashes distinguishes q nodes of one fixed key with a probability of about q 2^(t - 126): a million functions of 63
/// bits are 2^27 hashes. A fixed key that nothing else has served keeps q small. **Threat model.** Who has both parties' seeds sees alpha and beta. A party that changes its result
/// changes the sum: nothing here is authenticated. Time and addresses depend on the sizes alone.
public struct ComparisonFunctions: Sendable, Hashable {
    /// Functions side by side; a batch is padded to a multiple of it.
    public static let lanes = 16

    /// How many, as asked for.
    public let count: Int
    /// Bits of x and alpha, 1 to 64. What they have above is not read.
    public let bits: Int
    /// Words of beta, 1 to 4.
    public let words: Int

    /// - Throws: ``ArithmeticError``.
    public init(count: Int, bits: Int, words: Int) throws(ArithmeticError) {
        guard (1...64).contains(bits), (1...4).contains(words) else {
            throw .parameter(
                "comparisons of \(bits) bits with \(words) words", expected: "1 to 64 bits and 1 to 4 words")
        }
        guard count >= 0, count <= RingTensor.limit else {
            throw .parameter("\(count) comparisons", expected: "0 to \(RingTensor.limit)")
        }
        (self.count, self.bits, self.words) = (count, bits, words)
    }

    /// How many with padding: seeds, numbers and results are for so many.
    public var paddedCount: Int { (count + Self.lanes - 1) / Self.lanes * Self.lanes }

    /// Words of a party's seeds.
    public var seedCount: Int { 2 * paddedCount }

    /// Words of the corrections, which both parties have: eight bytes each of bits (2 + words) + words a function.
    public var correctionCount: Int { paddedCount * (bits * (2 + words) + words) }

    private var batch: kernels_comparisons { kernels_comparisons(count: paddedCount, bits: bits, words: words) }

    /// The corrections.
    ///
    /// - Parameters:
    ///   - fixed: The hash's key, which all know.
    ///   - seeds: Of both parties, ``seedCount`` random words each.
    ///   - alphas: ``paddedCount`` numbers.
    ///   - betas: Word w of function i in place w ``paddedCount`` + i.
    public func corrections(
        fixed: CipherKey, seeds: (first: [UInt64], second: [UInt64]), alphas: [UInt64], betas: [UInt64]
    ) -> [UInt64] {
        precondition(seeds.first.count == seedCount && seeds.second.count == seedCount, "A seed is two words.")
        precondition(alphas.count == paddedCount && betas.count == words * paddedCount, "Numbers are padded.")
        return [UInt64](unsafeUninitializedCapacity: correctionCount) { buffer, initialized in
            withUnsafePointer(to: fixed.expanded) {
                kernels_comparison_generate(
                    batch, $0, seeds.first, seeds.second, alphas, betas, buffer.baseAddress, cipher)
            }
            initialized = correctionCount
        }
    }

    /// A party's share of each function's value at its x, word w of function i in place w ``paddedCount`` + i.
    ///
    /// - Parameters:
    ///   - fixed: The hash's key, which all know.
    ///   - party: 0 or 1.
    ///   - seeds: The party's.
    ///   - corrections: Both parties'.
    ///   - inputs: ``paddedCount`` numbers.
    public func evaluate(
        fixed: CipherKey, party: Int, seeds: [UInt64], corrections: HeldWords, inputs: [UInt64]
    ) -> [UInt64] {
        precondition(
            seeds.count == seedCount && corrections.count == correctionCount && inputs.count == paddedCount,
            "A key of another batch.")
        return [UInt64](unsafeUninitializedCapacity: words * paddedCount) { buffer, initialized in
            withUnsafePointer(to: fixed.expanded) { fixed in
                corrections.withWords {
                    kernels_comparison_evaluate(
                        batch, fixed, Int32(party), seeds, $0.baseAddress, inputs, buffer.baseAddress, cipher)
                }
            }
            initialized = words * paddedCount
        }
    }
}
