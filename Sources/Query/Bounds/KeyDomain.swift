import Tables

/// The values that a grouping expression can take, where the manifest and the text alone say so: then every group is
/// output, empty or not, and its key costs nothing.
struct KeyDomain {
    let scope: Scope
    private let conditions: KeyConditions
    /// What is declared, narrowed to the rows that pass `WHERE`: no other has a key.
    private let scoped: BoundsScope

    init(scope: Scope, filter: Expression? = nil) {
        self.init(scope: scope, conditions: KeyConditions(scope: scope, filter: filter))
    }

    init(scope: Scope, conditions: KeyConditions) {
        self.scope = scope
        self.conditions = conditions
        scoped = conditions.narrowed(scope.bounds)
    }

    /// All values that rows which pass `WHERE` can have, null last where there can be one; nil where the values are not
    /// known to the public, or too many.
    func values(of expression: Expression) -> [Value]? {
        (known(expression) ?? conditions.listed(expression)).map { conditions.possible($0, of: expression) }
    }

    private func known(_ expression: Expression) -> [Value]? {
        guard var values = structural(expression)?.map(Self.positiveZero) else { return nil }
        let bounds = scoped.bounds(expression)
        values = values.filter { value in
            guard let number = value.number else { return value != .null }
            return bounds.isEmpty || (number >= bounds.lower && number <= bounds.upper)
        }
        if let reachable = enumerated(expression)?.map(Self.positiveZero) {
            let known = Set(values)
            // Unless it finds a value that the structure has not: then one of the two is wrong, and the
            // enumeration is left aside.
            if reachable.allSatisfy({ $0 == .null || known.contains($0) }) {
                let set = Set(reachable)
                return values.filter(set.contains) + (set.contains(.null) ? [.null] : [])
            }
        }
        return values + (bounds.isNullable ? [.null] : [])
    }

    /// The column engine knows one zero.
    private static func positiveZero(_ value: Value) -> Value {
        if case .real(let number) = value { return .real(number + 0.0) }
        return value
    }

    /// A list that holds every value but null, in a natural order.
    private func structural(_ expression: Expression) -> [Value]? {
        switch expression {
        case .literal(let value, _): return value == .null ? [] : [value]
        case .column(let index, _):
            guard let schema = scope.schema(ofColumn: index) else { return nil }
            return declared(schema) ?? range(expression) ?? grid(schema, scoped.columns[index])
        case .lookup(let slot, _, let column, _):
            if let domain = scope.domain(ofLookup: slot, column: column) { return domain.filter { $0 != .null } }
            guard let schema = scope.schema(ofLookup: slot, column: column) else { return nil }
            return declared(schema) ?? range(expression) ?? grid(schema, scoped.lookups[slot][column])
        case .conditional(let branches, let otherwise, _):
            return union(branches.map(\.value) + [otherwise])
        case .coalesce(let operands, _), .extremum(_, let operands, _): return union(operands)
        case .cast(let operand, .real) where operand.type == .integer:
            return structural(operand).map { values in
                let rows = ValueRows(count: values.count, columns: [0: ValueRows.Column(.integer, values)])
                return rows.values(of: [.cast(.column(0, .integer), .real)])[0]
            }
        case .bin(let operand, let width, let origin, let type):
            return bins(operand, width: width, origin: origin, as: type)
        case .dateTruncate(let part, let operand, let type): return starts(part, operand, type)
        case .function(.floor, _, .real), .function(.ceiling, _, .real): return wholeReals(expression, step: 1)
        case .round(_, let digits) where digits <= 0:
            return wholeReals(expression, step: ScalarFunctions.scale(digits: digits))
        default:
            if expression.type == .boolean { return [.boolean(false), .boolean(true)] }
            return range(expression) ?? enumerated(expression)?.filter { $0 != .null }
        }
    }

    private func declared(_ column: ColumnSchema) -> [Value]? {
        if column.type == .boolean { return [.boolean(false), .boolean(true)] }
        guard var domain = column.domain else { return nil }
        if let other = column.other, !domain.contains(other) { domain.append(other) }
        return domain.filter { $0 != .null }
    }

    /// What reading makes of every number within the bounds: the multiples of the declared resolution, counted from the
    /// lower bound, and the upper bound, to which larger ones are clipped (docs/privacy.md, rule 28).
    private func grid(_ column: ColumnSchema, _ bounds: Bounds) -> [Value]? {
        guard column.type == .real, let step = column.resolution, step > 0, let origin = column.lowerBound,
            let end = column.upperBound, origin <= end
        else { return nil }
        if bounds.isEmpty { return [] }
        let first = ((Swift.max(bounds.lower, origin) - origin) / step).rounded(.down) - 1
        let last = ((Swift.min(bounds.upper, end) - origin) / step).rounded(.up) + 1
        guard abs(first) < 0x1p50, abs(last) < 0x1p50, last - first < Double(QuestionLimits.groups) else { return nil }
        var values: [Value] = []
        for number in stride(from: Swift.max(first, 0), through: last, by: 1) {
            let value = column.bounded(.real(origin + number * step))
            if value != .null, value != values.last { values.append(value) }
        }
        return values
    }

    private func union(_ expressions: [Expression]) -> [Value]? {
        var all: [Value] = []
        var seen = Set<Value>()
        for expression in expressions {
            guard let values = structural(expression) else { return nil }
            for value in values where seen.insert(value).inserted { all.append(value) }
            guard all.count <= QuestionLimits.groups else { return nil }
        }
        return all
    }

    /// Whole numbers between the bounds.
    private func range(_ expression: Expression) -> [Value]? {
        guard [.integer, .date, .timestamp].contains(expression.type) else { return nil }
        let bounds = scoped.bounds(expression)
        if bounds.isEmpty { return [] }
        let (lower, upper) = (bounds.lower.rounded(.up), bounds.upper.rounded(.down))
        guard bounds.isFinite, abs(lower) < 0x1p53, abs(upper) < 0x1p53, upper - lower < Double(QuestionLimits.groups)
        else {
            return nil
        }
        guard lower <= upper else { return [] }
        let integers = Int64(lower)...Int64(upper)
        switch expression.type {
        case .integer: return integers.map(Value.integer)
        case .date: return integers.map(Value.date)
        case .timestamp: return integers.map(Value.timestamp)
        default: return nil
        }
    }

    /// Multiples of `step` between the bounds, as reals.
    private func wholeReals(_ expression: Expression, step: Double) -> [Value]? {
        let bounds = scoped.bounds(expression)
        if bounds.isEmpty { return [] }
        let (first, last) = ((bounds.lower / step).rounded(.up), (bounds.upper / step).rounded(.down))
        guard bounds.isFinite, abs(first) < 0x1p53, abs(last) < 0x1p53, last - first < Double(QuestionLimits.groups)
        else {
            return nil
        }
        return stride(from: first, through: last, by: 1).map { .real($0 * step) }
    }

    private func bins(_ operand: Expression, width: Double, origin: Double, as type: ValueType) -> [Value]? {
        let bounds = scoped.bounds(operand)
        if bounds.isEmpty { return [] }
        guard bounds.isFinite else { return nil }
        let first = ((bounds.lower - origin) / width).rounded(.down)
        let last = ((bounds.upper - origin) / width).rounded(.down)
        guard last - first < Double(QuestionLimits.groups), abs(first) < 0x1p53, abs(last) < 0x1p53 else { return nil }
        return stride(from: first, through: last, by: 1).compactMap { index in
            let edge = origin + width * index
            if type == .integer { return Int64(exactly: edge).map(Value.integer) }
            return .real(edge)
        }
    }

    private func starts(_ part: DatePart, _ operand: Expression, _ type: ValueType) -> [Value]? {
        let bounds = scoped.bounds(operand)
        if bounds.isEmpty { return [] }
        guard bounds.isFinite, let calendar = type.calendar else { return nil }
        let day = type == .date ? 1 : secondsPerDay
        // Adding the longest period to a start lands in the next period.
        let longest: Int64 =
            switch part {
            case .year: 366 * day
            case .quarter: 92 * day
            case .month: 31 * day
            case .week: 7 * day
            case .hour: type == .date ? 1 : 3_600
            default: day
            }
        // Outside the calendar they are null.
        let first = Swift.max(bounds.lower.rounded(.down), Double(calendar.lowerBound))
        let last = Swift.min(bounds.upper.rounded(.down), Double(calendar.upperBound))
        guard first <= last else { return [] }
        var values: [Value] = []
        var next = part.start(of: Int64(first), type)
        while let start = next, start <= Int64(last) {
            guard values.count < QuestionLimits.groups else { return nil }
            values.append(type == .date ? .date(start) : .timestamp(start))
            next = part.start(of: start + longest, type)
        }
        return values
    }

    /// Tries out every combination of the columns' public values; nil where a column has none, or they are too many.
    private func enumerated(_ expression: Expression) -> [Value]? {
        var columns: [Int] = []
        var hasLookup = false
        expression.visit { node in
            switch node {
            case .column(let index, _): if !columns.contains(index) { columns.append(index) }
            case .lookup, .lookupMatches: hasLookup = true
            default: break
            }
        }
        guard !hasLookup else { return nil }
        var domains: [[Value]] = []
        var combinations = 1
        for index in columns {
            guard let schema = scope.schema(ofColumn: index), let values = small(schema) else { return nil }
            combinations *= values.count
            guard combinations > 0, combinations <= QuestionLimits.enumeratedCombinations else { return nil }
            domains.append(values)
        }
        guard expression.size(upTo: QuestionLimits.enumeratedNodes) < QuestionLimits.enumeratedNodes else { return nil }
        return evaluateAll(expression, columns: columns, domains: domains, combinations: combinations)
    }

    private func evaluateAll(
        _ expression: Expression, columns: [Int], domains: [[Value]], combinations: Int
    ) -> [Value] {
        var inputs: [Int: ValueRows.Column] = [:]
        // How many combinations in a row share a value: the last column changes fastest.
        var run = combinations
        for (column, domain) in zip(columns, domains) {
            run /= domain.count
            let values = (0..<combinations).map { domain[$0 / run % domain.count] }
            inputs[column] = ValueRows.Column(scope.schema(ofColumn: column)?.type ?? .boolean, values)
        }
        var seen = Set<Value>()
        let rows = ValueRows(count: combinations, columns: inputs)
        let isPossible = conditions.isPossible(rows)
        return zip(rows.values(of: [expression])[0], isPossible).compactMap { value, isPossible in
            isPossible && seen.insert(value).inserted ? value : nil
        }
    }

    private func small(_ column: ColumnSchema) -> [Value]? {
        let values: [Value]
        if let declared = declared(column) {
            values = declared
        } else if column.type == .integer || column.type == .date, let lower = column.lowerBound,
            let upper = column.upperBound, upper - lower < Double(QuestionLimits.enumeratedCombinations),
            upper >= lower,
            abs(lower) < 0x1p53
        {
            let integers = Int64(lower.rounded(.up))...Int64(Swift.max(upper.rounded(.down), lower.rounded(.up)))
            values = integers.map { column.type == .date ? .date($0) : .integer($0) }
        } else {
            return nil
        }
        return values + (column.isNullable ? [.null] : [])
    }
}
