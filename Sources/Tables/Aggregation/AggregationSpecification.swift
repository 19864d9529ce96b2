/// How many groups, and rows in each, one privacy unit may contribute to an answer.
public struct ContributionBounds: Sendable, Hashable {
    /// The largest number of groups in which one unit is kept; at least 1.
    public var groupsPerUnit: Int
    /// The largest number of rows of one unit that are kept in a group; at least 1.
    public var rowsPerGroup: Int

    /// Bounds of one unit's contribution.
    public init(groupsPerUnit: Int, rowsPerGroup: Int) {
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
    }
}

/// One grouping key.
public struct KeySpecification: Sendable, Hashable {
    /// Which groups a key makes.
    public enum Coding: Sendable, Hashable {
        /// A public domain, complete (with `.null` in it where the key can be null): every group is output, empty or
        /// not. A value outside it is dropped with its row.
        case domain([Value])
        /// The keys that occur: private, to be selected before they are output. If any key of a question is
        /// discovered, its combinations with all others are.
        case discovered
    }

    /// What is computed on each row.
    public var expression: Expression
    /// Which groups it makes.
    public var coding: Coding

    /// A key that is computed by `expression`.
    public init(expression: Expression, coding: Coding) {
        self.expression = expression
        self.coding = coding
    }
}

/// Numbers on an integer grid: a real x becomes `round((clamp(x, lower, upper) - center) / step)`, an integer of
/// magnitude at most `largest`. NaN and null contribute nothing.
public struct FixedPointGrid: Sendable, Hashable {
    /// Values below it count as it; in the expression's own unit.
    public var lower: Double
    /// Values above it count as it.
    public var upper: Double
    /// The value that becomes 0: a multiple of `step`.
    public var center: Double
    /// A positive power of two, or 1 for integers; `center` is a multiple of it.
    public var step: Double

    /// A grid on [lower, upper].
    public init(lower: Double, upper: Double, center: Double, step: Double) {
        self.lower = lower
        self.upper = upper
        self.center = center
        self.step = step
    }

    /// The largest magnitude that a value has on the grid: the sensitivity to one row.
    public var largest: Int64 {
        Swift.max(abs(quantize(lower)), abs(quantize(upper)))
    }

    /// The integer for a finite value, clipped; ties round to even.
    @inlinable
    public func quantize(_ value: Double) -> Int64 {
        let clipped = Swift.min(Swift.max(value, lower), upper)
        return Int64(((clipped - center) / step).rounded(.toNearestOrEven))
    }
}

/// What is aggregated in each group, over the rows that were kept.
public struct Measure: Sendable, Hashable {
    /// What is computed.
    public enum Kind: Sendable, Hashable {
        /// The number of rows.
        case rows
        /// The number of rows where the expression is not null.
        case nonNull(Expression)
        /// The number of distinct privacy units with a kept row.
        case units
        /// The sum on the grid.
        case sum(Expression, FixedPointGrid)
        /// The sum of the squares of the values on the grid, as integers: `largest * largest` is one row's sensitivity.
        case sumOfSquares(Expression, FixedPointGrid)
        /// The number of values in each bin `[edges[i], edges[i+1])`, the last closed; those outside count nowhere.
        case histogram(Expression, edges: [Double])
        /// The values rounded to the grid `lower + i * step`, `0 <= i < points`, with their multiplicities: the input
        /// of a quantile's selection.
        case gridValues(Expression, lower: Double, step: Double, points: Int)
        /// The values of the rows that were kept, one behind the other, NaN where null: for what computes on rows. Without grouping keys.
        case values(Expression)
        /// The number of each such row's unit: rows of a unit lie side by side.
        case unitNumbers
    }

    /// What is computed.
    public var kind: Kind
    /// Keeps fewer rows of a unit in a group for this measure than the question's bound (1 for quantiles): the first of
    /// those that were kept, whether the expression is null in them or not.
    public var rowsPerGroup: Int?

    /// A measure; without `rowsPerGroup` all rows that were kept count.
    public init(_ kind: Kind, rowsPerGroup: Int? = nil) {
        self.kind = kind
        self.rowsPerGroup = rowsPerGroup
    }
}

/// A question to a table, ready to run: filter, group, bound each unit's contribution, aggregate exactly.
///
/// For each unit in turn, its rows in stored order (a keyed shuffle, docs/privacy.md, rule 11) that pass `filter` are kept
/// while the unit has not used up `groupsPerUnit` groups, and in each group `rowsPerGroup` rows.
public struct AggregationSpecification: Sendable, Hashable {
    /// A condition; rows where it is not true are dropped. nil: all rows pass.
    public var filter: Expression?
    /// The grouping keys; none: all rows are one group.
    public var keys: [KeySpecification]
    /// What is computed in each group, in the order in which results are asked for.
    public var measures: [Measure]
    /// What one unit may contribute.
    public var bounds: ContributionBounds
    /// What is counted of what bounding leaves out.
    public var bounding = BoundingSpecification()

    /// A question of those parts.
    public init(filter: Expression?, keys: [KeySpecification], measures: [Measure], bounds: ContributionBounds) {
        self.filter = filter
        self.keys = keys
        self.measures = measures
        self.bounds = bounds
    }
}
