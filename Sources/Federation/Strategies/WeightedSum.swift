/// A weighted sum of vectors that come one by one, or chunk by chunk, in Double: memory for one vector, however many
/// come.
///
/// One order of adding and merging gives one result to the bit. Different groupings differ by rounding alone: at most
/// about vectors x 2^-53 of the sum of |weight x entry|.
public struct WeightedSum: Sendable, Hashable {
    /// The weights that are taken: their sums and products with Float stay finite.
    public static let weights: ClosedRange<Double> = 0x1p-50...0x1p50

    /// For each coordinate, the sum of weight x entry.
    public private(set) var sums: [Double]
    /// The sum of the weights of the vectors that came whole.
    public private(set) var totalWeight = 0.0
    /// How many vectors came whole.
    public private(set) var vectors = 0
    /// How many entries of the vector that comes in chunks have come; 0 between vectors.
    public private(set) var received = 0
    private var openWeight = 0.0

    /// Nothing yet.
    ///
    /// - Parameter length: Of each vector, in entries.
    public init(length: Int) throws(StrategyError) {
        guard length > 0 else { throw .parameter("length", expected: "at least 1") }
        sums = [Double](repeating: 0, count: length)
    }

    /// Adds a whole vector. In errors a participant is the number of vectors that came before.
    public mutating func add(_ vector: [Float], weight: Double = 1) throws(StrategyError) {
        guard received == 0 else { throw .incompleteVector(received: received, expected: sums.count) }
        guard vector.count == sums.count else {
            throw .updateLength(participant: vectors, found: vector.count, expected: sums.count)
        }
        try add(chunk: vector, weight: weight)
    }

    /// Adds the next entries of a vector; it counts once all have come. Whoever cannot send the rest has spoilt this
    /// accumulator: `mean` and `merge` refuse. Give those who may break off one of their own.
    ///
    /// - Parameter weight: The vector's: the same for each of its chunks.
    public mutating func add(chunk: [Float], weight: Double = 1) throws(StrategyError) {
        guard Self.weights.contains(weight), received == 0 || weight == openWeight else {
            throw .weight(participant: vectors)
        }
        guard !chunk.isEmpty, chunk.count <= sums.count - received else {
            throw .updateLength(participant: vectors, found: received + chunk.count, expected: sums.count)
        }
        if let position = chunk.firstNonFinite {
            throw .nonFiniteUpdate(participant: vectors, position: received + position)
        }
        let start = received
        sums.withUnsafeMutableBufferPointer { sums in
            chunk.withUnsafeBufferPointer { chunk in
                for index in 0..<chunk.count { sums[start + index] += weight * Double(chunk[index]) }
            }
        }
        received += chunk.count
        openWeight = weight
        if received == sums.count {
            (received, totalWeight, vectors) = (0, totalWeight + weight, vectors + 1)
        }
    }

    /// Adds what another accumulator holds: a group's sum to that of its parent.
    public mutating func merge(_ other: WeightedSum) throws(StrategyError) {
        guard other.sums.count == sums.count else {
            throw .length(of: "sums to merge", found: other.sums.count, expected: sums.count)
        }
        for open in [received, other.received] where open != 0 {
            throw .incompleteVector(received: open, expected: sums.count)
        }
        for index in sums.indices { sums[index] += other.sums[index] }
        totalWeight += other.totalWeight
        vectors += other.vectors
    }

    /// The weighted mean, rounded to Float.
    public func mean() throws(StrategyError) -> [Float] {
        guard received == 0 else { throw .incompleteVector(received: received, expected: sums.count) }
        guard vectors > 0 else { throw .noUpdates }
        let total = totalWeight
        return sums.map { Float($0 / total) }
    }
}

extension Array where Element == Float {
    /// The position of the first entry that is infinite or no number.
    var firstNonFinite: Int? {
        // An entry times 0 is 0 unless it is infinite or no number: sums of such products tell without a branch an
        // entry.
        var products = SIMD8<Float>()
        let eights = count / 8
        withUnsafeBytes { bytes in
            for index in 0..<eights {
                products += 0 * bytes.loadUnaligned(fromByteOffset: 32 * index, as: SIMD8<Float>.self)
            }
        }
        if products.sum() == 0, self[(8 * eights)...].allSatisfy(\.isFinite) { return nil }
        return firstIndex { !$0.isFinite }
    }
}
