import DatasiteProtocol
import DifferentialPrivacy
import Tables

/// The group that a preview speaks of where an interval depends on the group: so many values, each of another unit, spread
/// evenly over the bounds that are declared, or follow, for what is summed up or ranked. Public numbers alone
/// (docs/privacy.md, rule 2), and what a preview says of it is what an answer says of such a group.
struct TypicalGroup {
    /// How many values.
    let size: Double
    /// What the size is taken from.
    private let source: String
    private let isWeighted: Bool
    private let numbers: NoisyGroups

    /// - Parameters:
    ///   - groups: the number of groups; nil where keys are selected.
    ///   - capacity: the largest number of rows.
    init(
        _ question: Question, _ bound: BoundQuestion, _ result: Allocation.Result, groups: Int?, capacity: Int
    ) {
        if case .error(_, let named) = question.budget {
            (size, source) = (named, "as the question names it")
        } else if let threshold = result.selection?.threshold {
            (size, source) = (2 * Double(Swift.max(1, threshold)), "twice the number of units at which a group is kept")
        } else {
            // WHERE may leave no group at all.
            let groups = Double(Swift.max(1, groups ?? 1))
            size = Swift.max(1, (Double(capacity) / groups).rounded(.down))
            source = groups > 1 ? "the declared capacity over the number of groups" : "the declared capacity"
        }
        isWeighted = bound.aggregates.contains { $0.weight != nil }
        let count = size
        numbers = NoisyGroups(
            keys: [[]], counts: result.channels.map { [Self.number($0, count, bound.scope.bounds)] },
            picks: result.channels.map { [Self.pick($0, count)] })
    }

    /// In words, behind "in".
    var words: String {
        "a group of \(Channel.digits(size)) values (\(source)), each of another unit, spread evenly over their bounds"
            + (isWeighted ? ", with weights in the middle of theirs" : "")
    }

    /// Half the interval of a cell; nil where it has none, or may be unbounded.
    func halfWidth(_ form: CellForm, _ model: ErrorModel) -> Double? {
        guard let interval = form.intervals(model, [0], selection: nil, numbers)?.first, interval.isBounded else {
            return nil
        }
        // A quantile's grid is no finer than its step, though both ends may be one point of it.
        return Swift.max(interval.upper / 2 - interval.lower / 2, form.gridStep)
    }

    /// What a channel measures there, in steps of its grid.
    private static func number(_ channel: Channel, _ size: Double, _ bounds: BoundsScope) -> Int64 {
        func steps(_ value: (_ middle: Double, _ half: Double) -> Double, _ expression: Expression) -> Int64 {
            let interval = bounds.bounds(expression)
            let (lower, upper) = (interval.lower, interval.upper)
            let sum = size * value(lower / 2 + upper / 2 - (channel.grid?.center ?? 0), upper / 2 - lower / 2)
            let steps = (sum / channel.unit).rounded()
            return steps.isNaN ? 0 : Int64(Swift.min(Swift.max(steps, -0x1p62), 0x1p62))
        }
        switch channel.quantity {
        case .rows, .nonNull, .units: return Int64(Swift.min(size.rounded(), 0x1p62))
        case .sum(let expression, _): return steps({ middle, _ in middle }, expression)
        case .squares(let expression): return steps({ $0 * $0 + $1 * $1 / 3 }, expression)
        case .histogram, .quantile: return 0
        }
    }

    /// Values on a line from bound to bound: a rank is a place on it.
    private static func pick(_ channel: Channel, _ size: Double) -> QuantilePick {
        guard case .quantile(_, let rank) = channel.quantity, let grid = channel.quantile else { return QuantilePick() }
        func point(_ ranks: Double) -> Int {
            let place = Swift.min(Swift.max(rank.value + ranks / size, 0), 1)
            return Swift.min(grid.points - 1, Int((place * Double(grid.points)).rounded(.down)))
        }
        let offset = Double(grid.offset)
        return QuantilePick(point: point(0), lower: point(-offset), upper: point(offset))
    }
}

extension CellForm {
    /// What one step of a quantile's grid is to the cell; 0 of anything else.
    fileprivate var gridStep: Double {
        switch self {
        case .quantile(_, let grid): grid.step
        case .monotone(let function, let inner):
            if let factor = function.factor { inner.gridStep * factor } else { 0 }
        default: 0
        }
    }
}

extension Expression {
    /// Of a function of column 0 that scales differences, by how much; nil of others.
    fileprivate var factor: Double? {
        switch self {
        case .arithmetic(.multiply, .column(0, _), .literal(let value, _), _): value.number
        case .arithmetic(.add, .column(0, _), .literal, _), .round, .clamp, .cast: 1
        default: nil
        }
    }
}
