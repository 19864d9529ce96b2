import DifferentialPrivacy
import Statistics
import Tables

/// A regression as it is planned: the columns that are read of each row, and the model that is made of them.
///
/// **Privacy.** Of each unit the scan keeps at most ``rowsPerUnit`` rows, side by side; what such a unit adds to each of the model's vectors, and the noise on these, are `PrivateGLM`'s. The rows leave no other function than ``Plan/measure(_:lookups:using:)``.
struct RegressionPlan: Sendable, Hashable {
    let design: RegressionDesign
    let family: RegressionFamily
    let rowsPerUnit: Int
    let loss: PrivacyLoss
    /// What each coefficient belongs to, in words.
    let terms: [String]
    /// The most rows.
    let capacity: Double

    func model() throws(MechanismError) -> PrivateGLM {
        try PrivateGLM(design, family: family, rowsPerUnit: rowsPerUnit, loss: loss)
    }

    /// Each value of each predictor, then the responses; and the rows' units.
    func units(_ aggregates: borrowing ExactAggregates) -> RegressionUnits {
        let columns = (0...design.predictors.count).map { aggregates.values($0) }
        let numbers = aggregates.unitNumbers(columns.count)
        var starts: [Int] = []
        for row in numbers.indices where row == 0 || numbers[row] != numbers[row - 1] { starts.append(row) }
        return RegressionUnits(columns: columns, starts: starts + [numbers.count])
    }

    func rows(_ estimate: RegressionEstimate) -> [[AnswerCell]] {
        zip(terms, estimate.coefficients).map { term, coefficient in
            [
                AnswerCell(value: .text(term)), .number(coefficient.estimate, coefficient.interval()),
                .number(coefficient.standardError), .number(coefficient.statistic), .number(coefficient.pValue),
            ]
        }
    }

    /// That nothing was found, in the answer's shape.
    var emptyRows: [[AnswerCell]] {
        terms.map { [AnswerCell(value: .text($0))] + (0..<4).map { _ in AnswerCell(value: .null) } }
    }

    func columns(_ words: String) -> [PlannedColumn] {
        [PlannedColumn(name: "term", type: .text, isKey: true)]
            + ["estimate", "standard_error", "z", "p_value"].map {
                PlannedColumn(name: $0, type: .real, isKey: false, mechanism: words)
            }
    }

    /// How it is computed, in words.
    var words: String {
        guard let model = try? model() else { return "" }
        let family = loss.kind == .pure ? "Laplace" : "Gaussian"
        switch model.method {
        case .moments: return "discrete \(family) noise on sums of products of the columns, and on residuals' scores"
        case .table: return "discrete \(family) noise on a table of all categories"
        case .newton(let steps):
            return "discrete \(family) noise on a gradient and an information matrix, \(steps) times (Newton's steps)"
        }
    }

    var notes: [String] {
        let curve =
            switch family {
            case .linear: "Least squares; estimates are of values within their bounds."
            case .logistic: "Logistic regression: estimates are differences of log odds."
            case .poisson: "Poisson regression: estimates are differences of the logarithm of what is expected."
            }
        return [
            curve
                + " A category is compared with the first of its column; the intercept is where numbers are 0.",
            "Standard errors, p-values and intervals (95 %) hold the noise and who was sampled, units taken as independent; where the noise leaves none that would hold, there is none.",
        ]
    }

    /// Why there are no intervals.
    func words(of reason: WithheldReason) -> String {
        switch reason {
        case .undetermined:
            "There are no intervals: too few rows for the budget, or predictors that are nearly one another's."
        case .unsettled: "There are no intervals: the last steps did not come to rest within what the noise explains."
        case .clipped:
            "There are no intervals: more lies beyond the bounds than the model explains, so that estimates may be biased."
        case .variance: "There are no intervals: the variance drowns in its noise."
        }
    }

    /// Where each unit's rows begin, in bytes: the values themselves are the scan's. They grow by doubling, and so for a moment take three times.
    var memory: Double { 4 * 8 * capacity }

    /// The most work behind the scan: every release goes through all rows.
    var work: Work {
        guard let model = try? model() else { return Work() }
        let width = Double(design.names.count)
        let perRow = 1.5 + 0.05 * width * width
        return Work([
            .item: Double(model.releases) * (capacity * perRow + 20 * width * width * width) + 0x1p16,
            .noise: Double(model.releases) * width * width, .cell: 5 * width,
        ])
    }
}

/// Rows of a regression by unit, made when they are looked at.
struct RegressionUnits: RandomAccessCollection {
    let columns: [[Double]]
    /// Where each unit's rows begin, and where the last one's end.
    let starts: [Int]

    var startIndex: Int { 0 }
    var endIndex: Int { starts.count - 1 }

    subscript(unit: Int) -> [RegressionRow] {
        let responses = columns[columns.count - 1]
        return (starts[unit]..<starts[unit + 1]).map { row in
            RegressionRow(columns.dropLast().map { $0[row] }, response: responses[row])
        }
    }
}

extension AnswerCell {
    static func number(_ number: Double?, _ interval: ConfidenceInterval? = nil) -> AnswerCell {
        guard let number, number.isFinite else { return AnswerCell(value: .null) }
        return AnswerCell(value: .real(number), lower: interval?.lower, upper: interval?.upper)
    }
}

extension Planner {
    static func regression(
        _ call: StatisticCall, of bound: BoundQuestion, contribution: Contribution, _ conditions: KeyConditions,
        loss: PrivacyLoss
    ) throws(QueryError) -> (RegressionPlan, [Measure]) {
        let domain = KeyDomain(scope: bound.scope, conditions: conditions)
        var (predictors, measures): ([Predictor], [Measure]) = ([], [])
        var levels: [[Value]] = []
        for argument in call.arguments.dropFirst() {
            let (predictor, expression, values) = try predictor(argument, bound, domain)
            predictors.append(predictor)
            measures.append(Measure(.values(expression)))
            levels.append(values)
        }
        let (family, response) = try response(call, bound)
        measures += [Measure(.values(response)), Measure(.unitNumbers)]
        let design = try reporting(call) { () throws(MechanismError) in try RegressionDesign(predictors) }
        let terms = design.names.map { name in
            switch name {
            case .intercept: "intercept"
            case .predictor(let number): call.arguments[number + 1].name
            case .level(let number, let level):
                StatisticPlan.Key.term(call.arguments[number + 1].name, levels[number][level])
            }
        }
        let plan = RegressionPlan(
            design: design, family: family, rowsPerUnit: contribution.rowsPerGroup, loss: loss, terms: terms,
            capacity: Double(capacity(bound.scope)))
        _ = try reporting(call) { () throws(MechanismError) in try plan.model() }
        return (plan, measures)
    }

    /// A number within its bounds, or one of public values.
    private static func predictor(
        _ argument: StatisticCall.Argument, _ bound: BoundQuestion, _ domain: KeyDomain
    ) throws(QueryError) -> (Predictor, Expression, [Value]) {
        let expression = argument.expression
        if expression.type == .integer || expression.type == .real {
            let bounds = bound.scope.bounds.bounds(expression)
            guard bounds.lower < bounds.upper else {
                throw QueryError("a predictor that is always the same tells nothing", at: argument.position)
            }
            return (.numeric(lower: bounds.lower, upper: bounds.upper), expression, [])
        }
        let values = (domain.values(of: expression) ?? []).filter { $0 != .null }
        guard expression.type == .boolean || expression.type == .text, values.count > 1 else {
            throw QueryError(
                "a predictor is a number with bounds, a condition, or text with two public values or more",
                at: argument.position,
                hint: "Take a column with a declared domain, or CASE ... END; of dates, a part: YEAR(day).")
        }
        // As numbers from 0 on, in the order in which the values are declared.
        let branches = values.enumerated().map { level, value in
            ConditionalBranch(
                condition: .comparison(.equal, expression, .literal(value, expression.type)),
                value: .literal(.real(Double(level)), .real))
        }
        return (
            .category(levels: values.count), .conditional(branches, otherwise: .literal(.null, .real), .real), values
        )
    }

    private static func response(
        _ call: StatisticCall, _ bound: BoundQuestion
    ) throws(QueryError) -> (RegressionFamily, Expression) {
        let argument = call.arguments[0]
        let (expression, bounds) = (argument.expression, bound.scope.bounds.bounds(argument.expression))
        let isNumber = expression.type == .integer || expression.type == .real
        switch call.name {
        case .logisticRegression:
            guard expression.type == .boolean else {
                throw QueryError(
                    "what LOGISTIC_REGRESSION predicts is a condition, this is \(TypeName.words(expression.type))",
                    at: argument.position, hint: "Compare it: LOGISTIC_REGRESSION(visits > 0, age).")
            }
            let yes = ConditionalBranch(condition: expression, value: .literal(.real(1), .real))
            return (.logistic, .conditional([yes], otherwise: .literal(.real(0), .real), .real))
        case .poissonRegression:
            guard expression.type == .integer, bounds.lower >= 0, bounds.upper <= 65_536 else {
                throw QueryError(
                    "what POISSON_REGRESSION predicts are counts from 0 to at most 65,536", at: argument.position,
                    hint: "Say the bounds: CLAMP(x, 0, 100).")
            }
            return (.poisson(largest: Swift.max(1, Int(bounds.upper))), expression)
        default:
            guard isNumber, bounds.lower < bounds.upper else {
                throw QueryError(
                    "what LINEAR_REGRESSION predicts is a number, and not always the same", at: argument.position,
                    hint: "Of a condition: LOGISTIC_REGRESSION.")
            }
            return (.linear(lower: bounds.lower, upper: bounds.upper), expression)
        }
    }
}
