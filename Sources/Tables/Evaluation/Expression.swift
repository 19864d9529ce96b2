/// A typed, resolved row expression: what a question computes on each row before anything is aggregated.
///
/// Every operation is total: a failed cast, division by zero, overflow, NaN or infinity gives null, never an error
/// (docs/privacy.md, rule 12), since an error would reveal that such a row exists. Booleans follow SQL's three-valued logic.
/// Integers run from -(2^63 - 1) to 2^63 - 1; dates and timestamps have parts and text in the years 0 to 9999. Real
/// results are finite and have no negative zero.
public indirect enum Expression: Sendable, Hashable {
    /// A column of the source; in a join, the left table's columns come first, then the right table's.
    case column(Int, ValueType)
    /// A literal; `.null` carries the type that its context gives it.
    case literal(Value, ValueType)
    /// Arithmetic; operands have the result's type (integer or real). `/` and powers are always real.
    case arithmetic(ArithmeticOperator, Expression, Expression, ValueType)
    /// Negation and functions of one number.
    case function(NumericFunction, Expression, ValueType)
    /// Rounds half away from zero to that many decimal digits (negative: tens, hundreds, ...); real.
    case round(Expression, digits: Int)
    /// The lower edge of the bin that holds the value: `origin + width * floor((x - origin) / width)`; real, or integer
    /// where all three are.
    case bin(Expression, width: Double, origin: Double, ValueType)
    /// Comparison of two operands of one type; null where either is null. Text compares by Unicode scalar values.
    case comparison(ComparisonOperator, Expression, Expression)
    /// Both; null where one is null and the other is not false.
    case and(Expression, Expression)
    /// One of both; null where one is null and the other is not true.
    case or(Expression, Expression)
    /// The opposite; null stays null.
    case not(Expression)
    /// Whether the operand is null; never null itself.
    case isNull(Expression)
    /// Membership in a list of non-null literals of the operand's type.
    case isIn(Expression, [Value])
    /// SQL `LIKE`: `%` any run, `_` one character, backslash escapes; case-sensitive.
    case like(Expression, pattern: String)
    /// `CASE WHEN condition THEN value ... ELSE otherwise END`; all values have the result's type.
    case conditional([ConditionalBranch], otherwise: Expression, ValueType)
    /// The first non-null operand.
    case coalesce([Expression], ValueType)
    /// The least or greatest non-null operand (null only if all are).
    case extremum(ExtremumFunction, [Expression], ValueType)
    /// The value moved into [lower, upper]; null stays null.
    case clamp(Expression, lower: Double, upper: Double, ValueType)
    /// A cast; what cannot be cast is null. Reals become the nearest integer, halves the even one. Dates and timestamps
    /// are numbers of days and seconds since 1970; a number of days outside the years 0 to 9999 is no date.
    case cast(Expression, ValueType)
    /// A part of a date or timestamp (UTC); integer, within `DatePart.range`.
    case datePart(DatePart, Expression)
    /// A date or timestamp cut to the start of its year, quarter, month, week, day or hour; of the operand's type.
    case dateTruncate(DatePart, Expression, ValueType)
    /// A function of a text; null stays null.
    case textFunction(TextFunction, Expression)
    /// The texts one behind the other, normalised; null where one of them is.
    case concatenation([Expression])
    /// The number of Unicode scalars; integer.
    case textLength(Expression)
    /// Column `column` of the lookup table `slot`, in the row whose key equals the operand; null where none does.
    case lookup(slot: Int, key: Expression, column: Int, ValueType)
    /// Whether the lookup table `slot` has a row with that key; never null.
    case lookupMatches(slot: Int, key: Expression)
}

/// One `WHEN condition THEN value`.
public struct ConditionalBranch: Sendable, Hashable {
    /// A boolean; the branch is taken where it is true.
    public var condition: Expression
    /// What the branch gives.
    public var value: Expression

    /// A branch.
    public init(condition: Expression, value: Expression) {
        self.condition = condition
        self.value = value
    }
}

/// Operators on two numbers. The result of `modulo` has the sign of the first.
public enum ArithmeticOperator: String, Sendable, Hashable { case add, subtract, multiply, divide, modulo, power }

/// Functions of one number.
public enum NumericFunction: String, Sendable, Hashable {
    /// Each as its name says.
    case negate, absolute, floor, ceiling, squareRoot, exponential, naturalLogarithm
}

/// Comparisons of two values of one type.
public enum ComparisonOperator: String, Sendable, Hashable {
    /// Each as its name says.
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

/// Which of several values is taken.
public enum ExtremumFunction: String, Sendable, Hashable { case least, greatest }

/// Weeks are those of ISO 8601: they start on Monday, which is day 1, and week 1 holds the year's first Thursday.
public enum DatePart: String, Sendable, Hashable, CaseIterable {
    /// Each as its name says; `dayOfWeek` is 1 for Monday, `dayOfYear` 1 for the first of January.
    case year, quarter, month, week, day, dayOfWeek, dayOfYear, hour, minute, second
}

/// Functions of one text.
public enum TextFunction: Sendable, Hashable {
    /// In lower case; in upper case; without blanks at both ends.
    case lower, upper, trim
    /// The Unicode scalars from that place, the first being 1, so many places (all, if nil) from there. Places before the
    /// first hold nothing, as in PostgreSQL.
    case substring(from: Int64, length: Int64?)
}

extension Expression {
    /// The type of the expression's values.
    public var type: ValueType {
        switch self {
        case .column(_, let type), .literal(_, let type), .arithmetic(_, _, _, let type), .function(_, _, let type),
            .bin(_, _, _, let type), .conditional(_, _, let type), .coalesce(_, let type),
            .extremum(_, _, let type), .clamp(_, _, _, let type), .cast(_, let type), .dateTruncate(_, _, let type),
            .lookup(_, _, _, let type):
            return type
        case .comparison, .and, .or, .not, .isNull, .isIn, .like, .lookupMatches: return .boolean
        case .round: return .real
        case .datePart, .textLength: return .integer
        case .textFunction, .concatenation: return .text
        }
    }
}
