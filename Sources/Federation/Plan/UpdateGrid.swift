/// How updates become integers, so that sums are exact, in whatever order they are added: a public grid, the same at all participants.
///
/// An entry x is sent as the integer nearest to x / ``step``; entries beyond ``range`` are cut to it. Half a step is all that a sum of rounded updates may
/// be off for each participant; masked and plain sums of the same updates are the same integers.
public struct UpdateGrid: Sendable, Hashable, Codable {
    /// The largest magnitude of an entry, a power of two.
    public let range: Double
    /// The range in steps is 2 to this power.
    public let bits: Int

    /// - Parameters:
    ///   - range: Rounded up to a power of two; from 2^-60 to 2^60.
    ///   - bits: From 1 to 40.
    public init(range: Double, bits: Int = 30) throws(FederationError) {
        guard range >= 0x1p-60, range <= 0x1p60 else {
            throw .plan("the range of an update's entries", expected: "a number from 2^-60 to 2^60")
        }
        guard (1...40).contains(bits) else { throw .plan("the bits of an update's entries", expected: "from 1 to 40") }
        // Above 1 a number is at most the next power of two; a power of two is its own.
        self.range = range.significand == 1 ? range.binade : 2 * range.binade
        self.bits = bits
    }

    /// What one step of an integer stands for.
    public var step: Double { range / Double(1 << bits) }

    /// The integers of an update.
    ///
    /// - Parameter weight: A public factor, at least 1.
    /// - Returns: The integers, and how many entries lay beyond the range.
    /// - Throws: `notANumber` with the first entry that is none.
    public func integers(
        _ update: [Float], weight: Int = 1
    ) throws(FederationError) -> (integers: [Int64], cut: Int) {
        let largest = Double(1 << bits)
        let scale = 1 / step
        var result = [Int64](repeating: 0, count: update.count)
        var cut = 0
        for index in update.indices {
            let value = Double(update[index])
            guard !value.isNaN else { throw .notANumber(entry: index) }
            let scaled = (value * scale).rounded()
            cut += abs(scaled) > largest ? 1 : 0
            result[index] = Int64(Swift.max(-largest, Swift.min(largest, scaled))) * Int64(weight)
        }
        return (result, cut)
    }

    /// The mean update of a sum.
    ///
    /// - Parameter weight: The sum of the weights in it.
    public func mean(_ sum: Packed<Int64>, weight: Int) -> [Float] { sum.withValues { mean($0, weight: weight) } }

    func mean(_ sum: UnsafeBufferPointer<Int64>, weight: Int) -> [Float] {
        let scale = step / Double(weight)
        return sum.map { Float(Double($0) * scale) }
    }

    private enum CodingKeys: String, CodingKey { case range, bits }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            range: try container.decode(Double.self, forKey: .range),
            bits: try container.decode(Int.self, forKey: .bits))
    }
}
