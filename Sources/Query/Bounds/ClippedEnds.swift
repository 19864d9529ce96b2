import Tables

/// Which ends of an expression's bounds are there because values beyond a declared bound were clipped to it when they were
/// read. An end that stays where it is without that (of a clamp, of a part of a date) is the question's own: no value lies
/// beyond.
struct ClippedEnds: Sendable, Hashable {
    var below = false
    var above = false
}

extension ClippedEnds {
    init(_ expression: Expression, _ scope: Scope) {
        let declared = scope.bounds.bounds(expression)
        var unclipped = scope.bounds
        for index in unclipped.columns.indices where scope.schema(ofColumn: index)?.clips ?? false {
            (unclipped.columns[index].lower, unclipped.columns[index].upper) = (-.infinity, .infinity)
        }
        let free = unclipped.bounds(expression)
        // What cannot be computed with has no end that holds.
        below = !(free.lower >= declared.lower)
        above = !(free.upper <= declared.upper)
    }
}

extension ColumnSchema {
    /// Whether values outside declared bounds count as the bound.
    var clips: Bool {
        domain == nil && !outsideIsNull && type != .text && type != .boolean && lowerBound != nil && upperBound != nil
    }
}
