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
}
