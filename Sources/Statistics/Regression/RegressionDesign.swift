public import DifferentialPrivacy

/// A predictor as it is declared.
public enum Predictor: Sendable, Hashable {
    /// A number, clipped to these bounds.
    case numeric(lower: Double, upper: Double)
    /// One of so many categories, numbered from 0: an indicator column for each but the first, to which the others are
    /// compared. Another number is null.
    case category(levels: Int)
}

/// One row of a regression.
public struct RegressionRow: Sendable, Hashable {
    /// A value for each predictor, in order: of a category its number.
    public var predictors: [Double]
    /// What is predicted.
    public var response: Double
    /// What is added to the linear predictor, where the design has an offset.
    public var offset: Double
    /// The survey weight, where the design has one.
    public var weight: Double

    /// A row. Where a value that the design asks for is NaN or infinite, the row is left out.
    public init(_ predictors: [Double], response: Double, offset: Double = 0, weight: Double = 1) {
        self.predictors = predictors
        self.response = response
        self.offset = offset
        self.weight = weight
    }
}

/// What a coefficient belongs to.
public enum CoefficientName: Sendable, Hashable {
    /// The constant.
    case intercept
    /// A numeric predictor, by its position.
    case predictor(Int)
    /// A category of a predictor, compared with its category 0.
    case level(predictor: Int, Int)
}

/// The columns of a regression with their declared bounds, and how a row becomes a vector z within [-1, 1]: 1, numeric
/// predictors measured from the middle of their bounds in half their distance, and indicators.
public struct RegressionDesign: Sendable, Hashable {
    /// The predictors, in order.
    public let predictors: [Predictor]
    /// The bounds of the offset; nil where there is none.
    public let offset: ClosedRange<Double>?
    /// The largest survey weight; nil where there is none. Weights are clipped to 0 and this.
    public let largestWeight: Double?

    /// What the coefficients belong to, in order: the intercept is the first.
    public let names: [CoefficientName]
    /// Entries of z of which a row has at most one that is not 0 have one number; -1 for others.
    let groups: [Int]
    /// Of each numeric column the middle and half the distance of its bounds; (0, 1) of indicators.
    let scales: [(middle: Double, radius: Double)]
    /// Where the columns of each predictor begin.
    let firsts: [Int]

    static let mostColumns = 64

    /// Throws unless there are at most 64 columns with the intercept, bounds are finite and rising, categories have from 2
    /// to 64 levels, the offset's magnitude is at most 50, and the largest weight is positive.
    public init(
        _ predictors: [Predictor], offset: ClosedRange<Double>? = nil, largestWeight: Double? = nil
    ) throws(MechanismError) {
        var names = [CoefficientName.intercept]
        var groups = [-1]
        var scales = [(middle: 0.0, radius: 1.0)]
        var firsts: [Int] = []
        for (number, predictor) in predictors.enumerated() {
            firsts.append(names.count)
            switch predictor {
            case .numeric(let lower, let upper):
                guard lower < upper, (upper - lower).isFinite else {
                    throw .parameter("bounds", expected: "finite numbers, the lower one below the upper one")
                }
                names.append(.predictor(number))
                groups.append(-1)
                scales.append((lower + (upper - lower) / 2, (upper - lower) / 2))
            case .category(let levels):
                guard (2...Self.mostColumns).contains(levels) else {
                    throw .parameter("levels", expected: "a number from 2 to 64")
                }
                for level in 1..<levels {
                    names.append(.level(predictor: number, level))
                    groups.append(number)
                    scales.append((0, 1))
                }
            }
            guard names.count <= Self.mostColumns else {
                throw .parameter("predictors", expected: "at most 64 columns with the intercept and indicators")
            }
        }
        if let offset, !(abs(offset.lowerBound) <= 50 && abs(offset.upperBound) <= 50) {
            throw .parameter("offset", expected: "bounds from -50 to 50")
        }
        if let largestWeight, !(largestWeight > 0 && largestWeight.isFinite) {
            throw .parameter("largest weight", expected: "a positive number")
        }
        self.predictors = predictors
        self.offset = offset
        self.largestWeight = largestWeight
        self.names = names
        self.groups = groups
        self.scales = scales
        self.firsts = firsts
    }

    /// Whether the same is declared.
    public static func == (a: RegressionDesign, b: RegressionDesign) -> Bool {
        a.predictors == b.predictors && a.offset == b.offset && a.largestWeight == b.largestWeight
    }

    /// Hashes what is declared.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(predictors)
        hasher.combine(offset)
        hasher.combine(largestWeight)
    }
}

extension RegressionDesign {
    /// The number of coefficients.
    var width: Int { names.count }

    /// The most entries of z that are not 0: the intercept, and one for each predictor.
    var nonzero: Int { 1 + predictors.count }

    /// The cells of a table of all categories; nil where a predictor is a number, or there are more than 4,096.
    var cells: Int? {
        var product = 1
        for predictor in predictors {
            guard case .category(let levels) = predictor else { return nil }
            product *= levels
            guard product <= 4096 else { return nil }
        }
        return product
    }

    /// The cell of a row, the last predictor's category the fastest.
    func cell(_ row: EncodedRow) -> Int {
        var cell = 0
        for (number, predictor) in predictors.enumerated() {
            guard case .category(let levels) = predictor else { continue }
            cell = cell * levels + row.levels[number]
        }
        return cell
    }

    /// The categories of a cell's rows.
    func categories(ofCell cell: Int) -> [Double] {
        var rest = cell
        var categories = [Double](repeating: 0, count: predictors.count)
        for (number, predictor) in predictors.enumerated().reversed() {
            guard case .category(let levels) = predictor else { continue }
            categories[number] = Double(rest % levels)
            rest /= levels
        }
        return categories
    }

    /// Reads a row into `encoded`; false where it is left out. Throws for another number of predictors.
    func encode(_ row: RegressionRow, into encoded: inout EncodedRow) throws(MechanismError) -> Bool {
        guard row.predictors.count == predictors.count else {
            throw .parameter("row", expected: "a value for every predictor")
        }
        guard row.response.isFinite else { return false }
        encoded.start(predictors.count)
        for (number, predictor) in predictors.enumerated() {
            let value = row.predictors[number]
            let column = firsts[number]
            switch predictor {
            case .numeric:
                guard value.isFinite else { return false }
                let scale = scales[column]
                encoded.append(column, min(max((value - scale.middle) / scale.radius, -1), 1))
            case .category(let levels):
                guard let level = Int(exactly: value), (0..<levels).contains(level) else { return false }
                encoded.levels[number] = level
                if level > 0 { encoded.append(column + level - 1, 1) }
            }
        }
        encoded.response = row.response
        encoded.offset = 0
        encoded.weight = 1
        if let offset {
            guard row.offset.isFinite else { return false }
            encoded.offset = min(max(row.offset, offset.lowerBound), offset.upperBound)
        }
        if let largestWeight {
            guard row.weight.isFinite else { return false }
            encoded.weight = min(max(row.weight / largestWeight, 0), 1)
        }
        return true
    }

    /// A linear map's value at coefficients of z: those of the columns as they are. `values` may be coefficients, or how they
    /// move with something.
    func unscaled(_ values: [Double]) -> [Double] {
        var result = values
        for column in 1..<max(1, width) {
            result[column] = values[column] / scales[column].radius
            result[0] -= result[column] * scales[column].middle
        }
        return result
    }
}

/// A row's vector z by its entries that are not 0, in order, and what else it has.
struct EncodedRow {
    private(set) var count = 0
    private(set) var columns: [Int] = []
    private(set) var values: [Double] = []
    var levels: [Int] = []
    var response = 0.0
    var offset = 0.0
    /// In units of the largest one: from 0 to 1.
    var weight = 1.0

    mutating func start(_ predictors: Int) {
        if columns.count <= predictors {
            columns = [Int](repeating: 0, count: predictors + 1)
            values = [Double](repeating: 1, count: predictors + 1)
            levels = [Int](repeating: 0, count: predictors)
        }
        columns[0] = 0
        values[0] = 1
        count = 1
    }

    @inline(__always)
    mutating func append(_ column: Int, _ value: Double) {
        columns[count] = column
        values[count] = value
        count += 1
    }

    /// The product with a vector, and the offset.
    @inline(__always)
    func predictor(_ coefficients: [Double]) -> Double {
        var sum = offset
        for k in 0..<count { sum += values[k] * coefficients[columns[k]] }
        return sum
    }
}

/// The pairs of columns whose products are summed: of a symmetric matrix each entry once.
struct ColumnPairs: Sendable, Hashable {
    let width: Int
    /// The pairs, the larger column the first.
    let pairs: [(Int, Int)]
    /// By both columns, the number of the pair; -1 where the product is always 0.
    let numbers: [Int]

    /// - Parameter groups: columns of one number from 0 on are never both other than 0.
    init(_ groups: [Int]) {
        var pairs: [(Int, Int)] = []
        let width = groups.count
        var numbers = [Int](repeating: -1, count: width * width)
        for i in 0..<width {
            for j in 0...i where i == j || groups[i] < 0 || groups[i] != groups[j] {
                numbers[i * width + j] = pairs.count
                numbers[j * width + i] = pairs.count
                pairs.append((i, j))
            }
        }
        self.width = width
        self.pairs = pairs
        self.numbers = numbers
    }

    static func == (a: ColumnPairs, b: ColumnPairs) -> Bool { a.width == b.width && a.numbers == b.numbers }

    func hash(into hasher: inout Hasher) { hasher.combine(numbers) }

    /// The matrix of the pairs' sums.
    func matrix(_ sums: [Double]) -> SymmetricMatrix {
        SymmetricMatrix(size: width) { i, j in
            let number = numbers[i * width + j]
            return number < 0 ? 0 : sums[number]
        }
    }

    /// The most products that are not 0, of so many entries that are not.
    static func products(_ nonzero: Int) -> Int { nonzero * (nonzero + 1) / 2 }
}
