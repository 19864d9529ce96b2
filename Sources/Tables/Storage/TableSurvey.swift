/// What an owner may want to know of her own rows before she declares how they are bounded. Exact, and private as the rows are:
/// for the owner's eyes alone, outside every guarantee.
extension Table {
    /// How many units have so many rows; empty where each row is a unit.
    public func unitsByRows() -> [Int: Int] {
        guard unitColumn != nil else { return [:] }
        var units: [Int: Int] = [:]
        for unit in 0..<unitCount { units[rows(ofUnit: unit).count, default: 0] += 1 }
        return units
    }

    /// How many units have so many different values of a column, null being one: in so many groups each unit is where one groups by the
    /// column. Empty where each row is a unit.
    public func unitsByGroups(column: Int) -> [Int: Int] {
        guard unitColumn != nil else { return [:] }
        var units: [Int: Int] = [:]
        var words: [Int64] = []
        for unit in 0..<unitCount {
            let rows = rows(ofUnit: unit)
            loadWords(of: column, rows, into: &words)
            words.sort()
            var groups = words.isEmpty ? 0 : 1
            for index in words.indices.dropFirst() where words[index] != words[index - 1] { groups += 1 }
            units[groups, default: 0] += 1
        }
        return units
    }

    /// Whether people would group by a column's values as they are: texts, booleans, what has a domain, and integers that lie close.
    public func isKey(_ column: Int) -> Bool {
        let schema = schema.columns[column]
        guard schema.type == .integer, schema.domain == nil else {
            return schema.type == .text || schema.type == .boolean || schema.type == .integer
        }
        guard let range = columns[column].range else { return false }
        return range.upperBound - range.lowerBound < Self.mostGroups
    }

    private static let mostGroups = 10_000

    /// What bounds would do to a column of numbers, dates or timestamps.
    public func numberSurvey(column: Int) -> NumberSurvey {
        NumberSurvey(numbers(of: column))
    }

    /// The values that are numbers, ascending; of very many rows, every so many-th.
    private func numbers(of column: Int) -> [Double] {
        let stride = Swift.max(1, rowCount / NumberSurvey.largestSample)
        var numbers: [Double] = []
        numbers.reserveCapacity(rowCount / stride + 1)
        let isReal = schema.columns[column].type == .real
        var (words, reals) = ([Int64](), [Double]())
        for start in Swift.stride(from: 0, to: rowCount, by: Self.surveyedRows) {
            let rows = start..<Swift.min(start + Self.surveyedRows, rowCount)
            if isReal {
                reals = [Double](repeating: 0, count: rows.count)
                columns[column].loadReals(from: start, count: rows.count, into: &reals)
            } else {
                loadWords(of: column, rows, into: &words)
                reals = words.map { $0 == ColumnEncoding.null ? .nan : Double($0) }
            }
            for row in rows where row % stride == 0 && !reals[row - start].isNaN { numbers.append(reals[row - start]) }
        }
        numbers.sort()
        return numbers
    }

    private static let surveyedRows = 1 << 16

    private func loadWords(of column: Int, _ rows: Range<Int>, into words: inout [Int64]) {
        if schema.columns[column].type == .real {
            var reals = [Double](repeating: 0, count: rows.count)
            columns[column].loadReals(from: rows.lowerBound, count: rows.count, into: &reals)
            words = reals.map { Int64(bitPattern: ($0.isNaN ? .nan : $0 + 0).bitPattern) }
        } else {
            words = [Int64](repeating: 0, count: rows.count)
            columns[column].loadIntegers(from: rows.lowerBound, count: rows.count, into: &words)
        }
    }
}

/// How numbers lie, and what bounds would do to them: for their owner alone.
public struct NumberSurvey: Sendable {
    /// Of more values than this only a part is looked at, evenly spread over the rows.
    static let largestSample = 1 << 26

    private let sorted: [Double]
    /// For each place, the sum of the values before it.
    private let sums: [Double]

    init(_ sorted: [Double]) {
        self.sorted = sorted
        var sum = 0.0
        var sums = [0.0]
        sums.reserveCapacity(sorted.count + 1)
        for value in sorted {
            sum += value
            sums.append(sum)
        }
        self.sums = sums
    }

    /// How many values there are: nulls are none.
    public var count: Int { sorted.count }

    /// Whether all are whole numbers.
    public var isWhole: Bool { sorted.allSatisfy { $0 == $0.rounded() } }

    /// The mean; nil where there are no values.
    public var mean: Double? { sorted.isEmpty ? nil : (sums.last ?? 0) / Double(count) }

    /// The value at a rank from 0 to 1; nil where there are no values.
    public func quantile(_ rank: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        return sorted[Swift.min(count - 1, Swift.max(0, Int((rank * Double(count - 1)).rounded())))]
    }

    /// The share of the values that lie outside the bounds, and how far moving them to the bounds moves a value on average,
    /// up or down: what it moves up in one group it need not move down in the same.
    public func clipped(to lower: Double, _ upper: Double) -> (share: Double, moved: Double) {
        guard !sorted.isEmpty else { return (0, 0) }
        let below = place(lower, from: 0)
        let above = place(upper.nextUp, from: below)
        let up = Double(below) * lower - sums[below]
        let down = (sums[count] - sums[above]) - Double(count - above) * upper
        return (Double(below + count - above) / Double(count), Swift.max(0, up + down) / Double(count))
    }

    /// The first place whose value is at least `value`.
    private func place(_ value: Double, from start: Int) -> Int {
        var (low, high) = (start, sorted.count)
        while low < high {
            let middle = low + (high - low) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension NumberSurvey: CustomReflectable {
    /// Shows nothing: the values are private.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
