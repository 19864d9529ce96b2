extension Expression {
    /// The expressions that this one is made of.
    public var operands: [Expression] {
        switch self {
        case .column, .literal: []
        case .arithmetic(_, let left, let right, _), .comparison(_, let left, let right), .and(let left, let right),
            .or(let left, let right):
            [left, right]
        case .function(_, let operand, _), .round(let operand, _), .bin(let operand, _, _, _), .not(let operand),
            .isNull(let operand), .isIn(let operand, _), .like(let operand, _), .clamp(let operand, _, _, _),
            .cast(let operand, _), .datePart(_, let operand), .dateTruncate(_, let operand, _),
            .textFunction(_, let operand), .textLength(let operand), .lookup(_, let operand, _, _),
            .lookupMatches(_, let operand):
            [operand]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.value] } + [otherwise]
        case .coalesce(let operands, _), .extremum(_, let operands, _), .concatenation(let operands): operands
        }
    }

    /// The number of nodes, counted no further than `limit`.
    public func size(upTo limit: Int) -> Int {
        var total = 1
        for operand in operands where total < limit { total += operand.size(upTo: limit - total) }
        return total
    }

    /// Calls `body` on this expression and everything inside it.
    public func visit(_ body: (Expression) -> Void) {
        body(self)
        for operand in operands { operand.visit(body) }
    }

    /// The same expression with `target` taken out wherever it stands, and `replacement`, of its type, in its place.
    public func replacing(_ target: Expression, with replacement: Expression) -> Expression {
        if self == target { return replacement }
        func replaced(_ operand: Expression) -> Expression { operand.replacing(target, with: replacement) }
        switch self {
        case .column, .literal: return self
        case .arithmetic(let operation, let left, let right, let type):
            return .arithmetic(operation, replaced(left), replaced(right), type)
        case .comparison(let operation, let left, let right):
            return .comparison(operation, replaced(left), replaced(right))
        case .and(let left, let right): return .and(replaced(left), replaced(right))
        case .or(let left, let right): return .or(replaced(left), replaced(right))
        case .function(let function, let operand, let type): return .function(function, replaced(operand), type)
        case .round(let operand, let digits): return .round(replaced(operand), digits: digits)
        case .bin(let operand, let width, let origin, let type):
            return .bin(replaced(operand), width: width, origin: origin, type)
        case .not(let operand): return .not(replaced(operand))
        case .isNull(let operand): return .isNull(replaced(operand))
        case .isIn(let operand, let values): return .isIn(replaced(operand), values)
        case .like(let operand, let pattern): return .like(replaced(operand), pattern: pattern)
        case .clamp(let operand, let lower, let upper, let type):
            return .clamp(replaced(operand), lower: lower, upper: upper, type)
        case .cast(let operand, let type): return .cast(replaced(operand), type)
        case .datePart(let part, let operand): return .datePart(part, replaced(operand))
        case .dateTruncate(let part, let operand, let type): return .dateTruncate(part, replaced(operand), type)
        case .textFunction(let function, let operand): return .textFunction(function, replaced(operand))
        case .textLength(let operand): return .textLength(replaced(operand))
        case .lookup(let slot, let key, let column, let type):
            return .lookup(slot: slot, key: replaced(key), column: column, type)
        case .lookupMatches(let slot, let key): return .lookupMatches(slot: slot, key: replaced(key))
        case .conditional(let branches, let otherwise, let type):
            return .conditional(
                branches.map { ConditionalBranch(condition: replaced($0.condition), value: replaced($0.value)) },
                otherwise: replaced(otherwise), type)
        case .coalesce(let operands, let type): return .coalesce(operands.map(replaced), type)
        case .extremum(let function, let operands, let type):
            return .extremum(function, operands.map(replaced), type)
        case .concatenation(let operands): return .concatenation(operands.map(replaced))
        }
    }
}
