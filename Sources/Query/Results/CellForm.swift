import DifferentialPrivacy
import Tables

/// How a cell's interval follows from the noise: derived once from the expression, used for each group.
indirect enum CellForm: Sendable, Hashable {
    /// No interval follows.
    case none
    case linear(LinearForm)
    /// A ratio of two sums; a finite end is moved into [lower, upper], within which the truth lies.
    case ratio(LinearForm, LinearForm, lower: Double, upper: Double)
    case spread(sum: LinearForm, squares: LinearForm, count: LinearForm, largest: Double, isRoot: Bool)
    /// Between the two choices around a quantile.
    case quantile(channel: Int, Channel.QuantileGrid)
    /// A function that does not decrease, applied to both ends; it reads column 0.
    case monotone(Expression, CellForm)

    /// The form of an expression over the virtual row of `keys` keys and the aggregates.
    init(_ expression: Expression, keys: Int, _ aggregates: [EstimateForm]) {
        self = Self.derive(expression, keys, aggregates)
        if case .linear(let form) = self, form.terms.isEmpty { self = .none }
    }

    private static func derive(_ expression: Expression, _ keys: Int, _ aggregates: [EstimateForm]) -> CellForm {
        switch expression {
        case .column(let index, _): return index >= keys ? aggregate(aggregates[index - keys]) : .none
        case .literal(let value, let type):
            guard type == .integer || type == .real, let number = value.number else { return .none }
            return .linear(LinearForm(constant: number))
        case .arithmetic(let operation, let left, let right, _):
            return combine(
                operation, derive(left, keys, aggregates), derive(right, keys, aggregates), leftExpression: left,
                rightExpression: right)
        case .function(.negate, let operand, _): return scaled(derive(operand, keys, aggregates), -1)
        case .cast(let operand, .real) where operand.type == .integer: return derive(operand, keys, aggregates)
        case .cast(let operand, .integer) where operand.type == .real:
            return mapped(derive(operand, keys, aggregates), .cast(.column(0, .real), .integer))
        case .round(let operand, let digits):
            return mapped(derive(operand, keys, aggregates), .round(.column(0, .real), digits: digits))
        case .clamp(let operand, let lower, let upper, _):
            return mapped(
                derive(operand, keys, aggregates), .clamp(.column(0, .real), lower: lower, upper: upper, .real))
        case .function(let function, let operand, _) where function != .absolute:
            return mapped(derive(operand, keys, aggregates), .function(function, .column(0, .real), .real))
        default: return .none
        }
    }

    private static func aggregate(_ form: EstimateForm) -> CellForm {
        switch form {
        case .linear(let linear): .linear(linear)
        case .mean(let sum, let count, let lower, let upper): .ratio(sum, count, lower: lower, upper: upper)
        case .spread(let sum, let squares, let count, let largest, let isRoot):
            .spread(sum: sum, squares: squares, count: count, largest: largest, isRoot: isRoot)
        case .quantile(let channel, let grid): grid.map { .quantile(channel: channel, $0) } ?? .none
        case .histogram: .none
        }
    }

    private static func mapped(_ inner: CellForm, _ function: Expression) -> CellForm {
        switch inner {
        case .none: return .none
        case .linear(let form) where form.terms.isEmpty: return .none
        default: return .monotone(function, inner)
        }
    }

    private static func scaled(_ form: CellForm, _ factor: Double) -> CellForm {
        switch form {
        case .linear(let linear): return .linear(linear.scaled(factor))
        case .ratio(let numerator, let denominator, let lower, let upper):
            let ends = factor == 0 ? [0] : [lower * factor, upper * factor]
            return .ratio(
                numerator.scaled(factor), denominator, lower: ends.min() ?? -.infinity, upper: ends.max() ?? .infinity)
        default: return factor > 0 ? increasing(form, .multiply, factor) : .none
        }
    }

    private static func increasing(_ form: CellForm, _ operation: ArithmeticOperator, _ number: Double) -> CellForm {
        mapped(form, .arithmetic(operation, .column(0, .real), .literal(.real(number), .real), .real))
    }

    private static func combine(
        _ operation: ArithmeticOperator, _ left: CellForm, _ right: CellForm, leftExpression: Expression,
        rightExpression: Expression
    ) -> CellForm {
        let leftConstant = leftExpression.constant?.number
        let rightConstant = rightExpression.constant?.number
        switch operation {
        case .add, .subtract:
            let sign = operation == .add ? 1.0 : -1.0
            if case .linear(let a) = left, case .linear(let b) = right { return .linear(a + b.scaled(sign)) }
            if let number = rightConstant { return shifted(left, sign * number) }
            if let number = leftConstant { return shifted(scaled(right, sign), number) }
            return .none
        case .multiply:
            if let number = rightConstant { return scaled(left, number) }
            if let number = leftConstant { return scaled(right, number) }
            return .none
        case .divide:
            if let number = rightConstant { return number == 0 ? .none : scaled(left, 1 / number) }
            if case .linear(let a) = left, case .linear(let b) = right {
                return .ratio(a, b, lower: -.infinity, upper: .infinity)
            }
            return .none
        case .modulo, .power: return .none
        }
    }

    private static func shifted(_ form: CellForm, _ number: Double) -> CellForm {
        switch form {
        case .none: return .none
        case .linear(let linear): return .linear(linear + LinearForm(constant: number))
        case .ratio(let numerator, let denominator, let lower, let upper):
            return .ratio(
                numerator + denominator.scaled(number), denominator, lower: lower + number, upper: upper + number)
        default: return increasing(form, .add, number)
        }
    }

    // MARK: groups

    /// The intervals of groups, given each one's noisy integers; nil where none follow.
    ///
    /// - Parameter selection: the channel whose numbers selected the groups.
    func intervals(
        _ model: ErrorModel, _ groups: [Int], selection: SelectionChannel?, _ noisy: NoisyGroups
    ) -> [ConfidenceInterval]? {
        if case .quantile(let channel, let grid) = self {
            return groups.map { grid.interval(noisy.picks[channel][$0]) }
        }
        if let selection, let selected = selection.factors(of: self) {
            return groups.map { selected($0, noisy) }
        }
        guard case .monotone(let function, let inner) = self else {
            return self == .none
                ? nil : groups.compactMap { group in interval(model) { noisy.counts[$0][group] } }
        }
        guard let intervals = inner.intervals(model, groups, selection: selection, noisy) else { return nil }
        let ends = Self.apply(function, intervals.flatMap { [$0.lower, $0.upper] })
        return intervals.indices.map { ConfidenceInterval(lower: ends[2 * $0], upper: ends[2 * $0 + 1]) }
    }

    /// The interval of one group; nil where none follows from its numbers alone.
    private func interval(_ model: ErrorModel, _ noisy: (Int) -> Int64) -> ConfidenceInterval? {
        switch self {
        case .none, .monotone, .quantile: return nil
        case .linear(let form): return model.interval(form.estimate(noisy))
        case .ratio(let numerator, let denominator, let lower, let upper):
            let interval = model.ratio(numerator.estimate(noisy), to: denominator.estimate(noisy))
            guard interval.isBounded else { return interval }
            return interval.within(lower, upper)
        case .spread(let sum, let squares, let count, let largest, let isRoot):
            let interval = model.variance(
                sum: sum.estimate(noisy), squares: squares.estimate(noisy), count: count.estimate(noisy),
                largest: largest)
            guard isRoot, interval.isBounded else { return interval }
            return ConfidenceInterval(lower: interval.lower.squareRoot(), upper: interval.upper.squareRoot())
        }
    }

    private static func apply(_ function: Expression, _ ends: [Double]) -> [Double] {
        let finite = ends.map {
            Value.real(Swift.min(Swift.max($0, -.greatestFiniteMagnitude), .greatestFiniteMagnitude))
        }
        let rows = ValueRows(count: ends.count, columns: [0: ValueRows.Column(.real, finite)])
        return zip(rows.values(of: [function])[0], ends).map { value, end in
            guard let number = value.number, abs(number) < 1e300 else { return end > 0 ? .infinity : -.infinity }
            return number
        }
    }
}
