/// An expression as it was written, before names are resolved.
struct Syntax {
    indirect enum Kind {
        /// A name, perhaps qualified by a table: `t.x`.
        case name(qualifier: String?, String, isQuoted: Bool)
        case number(String)
        case text(String)
        case boolean(Bool)
        case null
        /// `DATE '...'` and `TIMESTAMP '...'`.
        case typed(String, String)
        case negate(Syntax)
        case not(Syntax)
        /// `+ - * / % ||` and comparisons.
        case binary(String, Syntax, Syntax)
        case and(Syntax, Syntax)
        case or(Syntax, Syntax)
        case call(Call)
        case conditional(operand: Syntax?, [(condition: Syntax, value: Syntax)], otherwise: Syntax?)
        case cast(Syntax, String)
        case isIn(Syntax, [Syntax])
        case between(Syntax, Syntax, Syntax)
        case isNull(Syntax)
        case isTruth(Syntax, Bool)
        /// With the text behind ESCAPE.
        case like(Syntax, Syntax, escape: Syntax?)
        /// `IS NOT DISTINCT FROM`.
        case isSame(Syntax, Syntax)
        case extract(String, Syntax)
        case array([Syntax])
    }

    struct Call {
        /// Upper case.
        var name: String
        var arguments: [Syntax]
        /// `COUNT(*)`.
        var isStar = false
        var isDistinct = false
        var isWeighted = false
    }

    let kind: Kind
    let position: Int
    let end: Int
    /// 1 for a leaf: bounded by `QuestionLimits.depth`, so that recursion is.
    let depth: Int

    var children: [Syntax] { Self.children(of: kind) }

    static func children(of kind: Kind) -> [Syntax] {
        switch kind {
        case .name, .number, .text, .boolean, .null, .typed: []
        case .negate(let operand), .not(let operand), .cast(let operand, _), .isNull(let operand),
            .isTruth(let operand, _), .extract(_, let operand):
            [operand]
        case .binary(_, let left, let right), .and(let left, let right), .or(let left, let right),
            .isSame(let left, let right):
            [left, right]
        case .like(let text, let pattern, let escape): [text, pattern] + [escape].compactMap(\.self)
        case .call(let call): call.arguments
        case .conditional(let operand, let branches, let otherwise):
            [operand, otherwise].compactMap(\.self) + branches.flatMap { [$0.condition, $0.value] }
        case .isIn(let operand, let list): [operand] + list
        case .between(let operand, let lower, let upper): [operand, lower, upper]
        case .array(let elements): elements
        }
    }

    /// Whether an aggregate is called anywhere inside.
    var containsAggregate: Bool {
        if case .call(let call) = kind, AggregateName(call.name) != nil { return true }
        return children.contains(where: \.containsAggregate)
    }
}

/// The aggregates that SQL text can name.
enum AggregateName: String {
    case count = "COUNT"
    case sum = "SUM"
    case average = "AVG"
    case mean = "MEAN"
    case variance = "VARIANCE"
    case populationVariance = "VAR_POP"
    case standardDeviation = "STDDEV"
    case populationStandardDeviation = "STDDEV_POP"
    case median = "MEDIAN"
    case quantile = "QUANTILE"
    case minimum = "MIN"
    case maximum = "MAX"
    case histogram = "HISTOGRAM"

    init?(_ name: String) { self.init(rawValue: name) }
}

/// A parsed question.
struct SelectStatement {
    struct Item {
        var expression: Syntax
        var alias: String?
    }

    struct Source {
        var name: String
        var alias: String
        var position: Int
    }

    struct Join {
        var source: Source
        var isLeft: Bool
        var condition: Condition
        var position: Int
    }

    enum Condition {
        case on(Syntax)
        case using(String, Int)
    }

    struct Order {
        var expression: Syntax
        var isDescending: Bool
        /// nil: first where ascending, last where descending (null is the least value).
        var nullsFirst: Bool?
    }

    var items: [Item] = []
    /// `TOP k`.
    var top: Int?
    var source: Source
    var joins: [Join] = []
    var filter: Syntax?
    var groups: [Syntax] = []
    var having: Syntax?
    var orders: [Order] = []
    var limit: Int?
    var offset = 0
    var position: Int
}
