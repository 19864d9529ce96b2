internal import Kernels

/// A batch of distributed comparison functions whose value is one bit: f(x) = (x < alpha), shared by exclusive or (Boyle et al. 2021, figure 1, over the group of two elements). The tree ends seven levels
/// early, where one hash has a bit for each of 128 inputs, as Boyle, Gilboa and Ishai 2016 (section 3.2.3) end that of point functions.
///
/// A key of 63 bits has 912 bytes, where ``ComparisonFunctions`` of two words has 2,032, and takes half the hashes; who needs more than the bit pays another round. Privacy and threat model are
/// those of ``ComparisonFunctions``; seeds have 125 bits.
public struct BitComparisonFunctions: Sendable, Hashable {
    /// How many, as asked for.
    public let count: Int
    /// Bits of x and alpha, 1 to 64. What they have above is not read.
    public let bits: Int

    /// - Throws: ``ArithmeticError``.
    public init(count: Int, bits: Int) throws(ArithmeticError) {
        guard (1...64).contains(bits) else { throw .parameter("comparisons of \(bits) bits", expected: "1 to 64 bits") }
        guard count >= 0, count <= RingTensor.limit else {
            throw .parameter("\(count) comparisons", expected: "0 to \(RingTensor.limit)")
        }
        (self.count, self.bits) = (count, bits)
    }

    /// How many with padding: seeds, numbers and results are for so many.
    public var paddedCount: Int {
        (count + ComparisonFunctions.lanes - 1) / ComparisonFunctions.lanes * ComparisonFunctions.lanes
    }

    /// Words of a party's seeds.
    public var seedCount: Int { 2 * paddedCount }

    /// Words of the corrections, which both parties have: sixteen bytes for each bit above the seventh, and sixteen.
    public var correctionCount: Int { 2 * paddedCount * (1 + max(bits - 7, 0)) }

    private var batch: kernels_bit_comparisons { kernels_bit_comparisons(count: paddedCount, bits: bits) }

    /// The corrections, as ``ComparisonFunctions/corrections(fixed:seeds:alphas:betas:)``.
    public func corrections(fixed: CipherKey, seeds: (first: [UInt64], second: [UInt64]), alphas: [UInt64]) -> [UInt64]
    {
        precondition(seeds.first.count == seedCount && seeds.second.count == seedCount, "A seed is two words.")
        precondition(alphas.count == paddedCount, "Numbers are padded.")
        return [UInt64](unsafeUninitializedCapacity: correctionCount) { buffer, initialized in
            withUnsafePointer(to: fixed.expanded) {
                kernels_bit_comparison_generate(
                    batch, $0, seeds.first, seeds.second, alphas, buffer.baseAddress, cipher)
            }
            initialized = correctionCount
        }
    }

    /// A party's share of each function at its x, 0 or 1, of which both parties' exclusive or is the value. Inputs are numbers that both parties know.
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
        return [UInt64](unsafeUninitializedCapacity: paddedCount) { buffer, initialized in
            withUnsafePointer(to: fixed.expanded) { fixed in
                corrections.withWords {
                    kernels_bit_comparison_evaluate(
                        batch, fixed, Int32(party), seeds, $0.baseAddress, inputs, buffer.baseAddress, cipher)
                }
            }
            initialized = paddedCount
        }
    }
}
