/// Divides a sum of whole minor units so that nothing is lost or made: by largest remainder (Hamilton's method; Balinski and Young, "Fair Representation", 2001).
public enum Apportionment {
    /// Parts of the total in proportion to the weights. Each part is the exact quota rounded down or up, and the parts sum to the total exactly; equal
    /// remainders go to the earlier place. A weight of zero has nothing.
    ///
    /// - Parameters:
    ///   - total: In minor units, not negative.
    ///   - weights: Not negative, at least one of them above zero.
    /// - Throws: `negative`, `noWeight`.
    public static func split(_ total: Int64, by weights: [Int64]) throws(ApportionmentError) -> [Int64] {
        guard total >= 0, weights.allSatisfy({ $0 >= 0 }) else { throw .negative }
        let sum = weights.reduce(UInt128(0)) { $0 + UInt128($1) }
        guard sum > 0 else { throw .noWeight }
        var parts: [Int64] = []
        var remainders: [(remainder: UInt128, place: Int)] = []
        var left = total
        for (place, weight) in weights.enumerated() {
            // Both factors are below 2^63, and a part is no more than the total.
            let (part, remainder) = (UInt128(total) * UInt128(weight)).quotientAndRemainder(dividingBy: sum)
            parts.append(Int64(part))
            left -= Int64(part)
            if remainder > 0 { remainders.append((remainder, place)) }
        }
        remainders.sort { ($1.remainder, $0.place) < ($0.remainder, $1.place) }
        for (_, place) in remainders.prefix(Int(left)) { parts[place] += 1 }
        return parts
    }
}

/// Why a sum cannot be divided.
public enum ApportionmentError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The total or a weight is below zero.
    case negative
    /// All weights are zero.
    case noWeight

    /// What would be right.
    public var description: String {
        switch self {
        case .negative: "a sum is divided by weights: expected neither to be below zero"
        case .noWeight: "a sum is divided by weights: expected at least one above zero"
        }
    }
}
