/// What a question may be at most: limits on everything that grows with the text or the answer, in one place.
public enum QuestionLimits {
    /// UTF-8 bytes of the text of a question.
    public static let textBytes = 65_536
    /// UTF-8 bytes of a name or a number.
    public static let tokenBytes = 512
    /// Nesting of expressions: the parser and everything behind it recurses at most so deep.
    public static let depth = 100
    /// Nodes of one expression after binding.
    public static let expressionNodes = 50_000
    /// Nodes of an operand that binding repeats.
    public static let repeatedNodes = 1_000
    /// Columns of the SELECT list.
    public static let selectItems = 256
    /// Keys of GROUP BY, and of ORDER BY.
    public static let keys = 16
    /// Arguments of a function.
    public static let arguments = 64
    /// Joins of one question.
    public static let joins = 8
    /// Groups that `TOP` chooses: each choice weighs all that remain.
    public static let top = 1_000
    /// Elements of an `IN` list.
    public static let listElements = 4_096
    /// Different aggregates of one question, a bin of a histogram not counted.
    public static let aggregates = 256
    /// Bins of one histogram.
    public static let histogramBins = 1_024
    /// Groups of the product of public domains; beyond it keys are selected privately.
    public static let groups = 1_000_000
    /// Numbers in an answer: groups times aggregates and bins.
    public static let cells = 1 << 22
    /// Numbers that a scan may hold where keys are selected: a table of the declared capacity may have a key in each
    /// row.
    public static let selectedCells = 1 << 30
    /// Combinations of column values that are tried out to find the values that a grouping expression can take.
    public static let enumeratedCombinations = 4_096
    /// Nodes of an expression that is tried out.
    public static let enumeratedNodes = 100
    /// Points of the grid on which a quantile is searched.
    public static let quantilePoints = 1_000_000
    /// Magnitude of a bound, above which an expression counts as unbounded.
    public static let bound = 1e30
    /// The largest loss (epsilon or rho) that a question may name, and to which the search for `--error` goes.
    public static let loss = 10_000.0
    /// Noise may be at most so large in steps of its grid: what the samplers draw is limited to 2^40.
    public static let noiseInSteps = 0x1p38
    /// The largest bound on rows of one unit, hints and products of joined bounds included.
    public static let rowsPerUnit = 1 << 30
    /// `LIMIT` and `OFFSET`.
    public static let rows = 1_000_000_000
}
