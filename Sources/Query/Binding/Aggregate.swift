import Tables

/// An aggregate as it is asked, resolved: two that are equal are measured and charged once.
struct Aggregate: Sendable, Hashable {
    enum Function: Sendable, Hashable {
        case count
        case countUnits
        case sum
        case average
        /// Divided by the number of values.
        case variance
        case standardDeviation
        case quantile(QuantileRank)
        case histogram([Double])
    }

    var function: Function
    /// nil: all rows.
    var argument: Expression?
    /// The survey weight, where the estimate is weighted.
    var weight: Expression?

    /// The type of its values.
    var type: ValueType {
        switch function {
        case .count: weight == nil ? .integer : .real
        case .countUnits, .histogram: .integer
        case .sum: weight == nil && argument?.type == .integer ? .integer : .real
        case .average, .variance, .standardDeviation: .real
        case .quantile: argument?.type ?? .real
        }
    }
}

/// The rank of a quantile, an exact decimal fraction between 0 and 1.
struct QuantileRank: Sendable, Hashable {
    var numerator: Int64
    var denominator: Int64

    static let median = QuantileRank(numerator: 1, denominator: 2)
    static let minimum = QuantileRank(numerator: 5, denominator: 1_000)
    static let maximum = QuantileRank(numerator: 995, denominator: 1_000)

    init(numerator: Int64, denominator: Int64) {
        self.numerator = numerator
        self.denominator = denominator
    }

    /// Reads `0.25`: at most nine decimals, strictly between 0 and 1.
    init?(decimal text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].allSatisfy({ $0 == "0" }), parts[1].utf8.count <= 9,
            let numerator = Int64(parts[1]), numerator > 0
        else { return nil }
        self.numerator = numerator
        denominator = parts[1].utf8.reduce(1) { product, _ in product * 10 }
    }

    var value: Double { Double(numerator) / Double(denominator) }
}
