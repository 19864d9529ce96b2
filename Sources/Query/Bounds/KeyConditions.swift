import Tables

/// What `WHERE` says of keys. A row has a group only if the whole condition is true for it, and so each of its conjuncts: where
/// one is false or null, the row is dropped. So a value for which a conjunct that reads nothing but the key is not true can
/// hold no row, whatever the rows are: that follows from the question's text, and the value need not be listed.
struct KeyConditions {
    private let scope: Scope
    private let conjuncts: [Expression]

    /// The most nodes times values that are tried out for one question.
    private static let mostTried = 1 << 22

    init(scope: Scope, filter: Expression?) {
        self.scope = scope
        var conjuncts: [Expression] = []
        var rest = [filter].compactMap(\.self)
        while let next = rest.popLast() {
            if case .and(let left, let right) = next { rest += [right, left] } else { conjuncts.append(next) }
        }
        self.conjuncts = conjuncts
    }

    // MARK: values that are known

    /// Those of a key's values that rows which pass can have.
    func possible(_ values: [Value], of key: Expression) -> [Value] {
        var values = values
        // The key's values stand in a column behind all others.
        let place = scope.bounds.columns.count
        var left = Self.mostTried
        for conjunct in conjuncts {
            if let keys = matched(conjunct, key) {
                let known = Set(keys)
                values = values.filter(known.contains)
                continue
            }
            let size = conjunct.size(upTo: QuestionLimits.enumeratedNodes)
            guard size < QuestionLimits.enumeratedNodes, size * values.count <= left else { continue }
            left -= size * values.count
            let condition = conjunct.replacing(key, with: .column(place, key.type))
            guard Self.columns(condition) == [place] else { continue }
            let rows = ValueRows(count: values.count, columns: [place: ValueRows.Column(key.type, values)])
            values = zip(values, rows.values(of: [condition])[0]).compactMap { $1 == .boolean(true) ? $0 : nil }
        }
        return values
    }

    /// For rows of values of some columns, whether the conjuncts that read no other are true.
    func isPossible(_ rows: ValueRows) -> [Bool] {
        let known = Set(rows.columns.keys)
        var left = Self.mostTried
        let conditions = conjuncts.filter { conjunct in
            let size = conjunct.size(upTo: QuestionLimits.enumeratedNodes)
            guard size < QuestionLimits.enumeratedNodes, size * rows.count <= left,
                let columns = Self.columns(conjunct), !columns.isEmpty, columns.isSubset(of: known)
            else { return false }
            left -= size * rows.count
            return true
        }
        var isPossible = [Bool](repeating: true, count: rows.count)
        for values in rows.values(of: conditions) {
            for (row, value) in values.enumerated() where value != .boolean(true) { isPossible[row] = false }
        }
        return isPossible
    }

    /// The columns that an expression reads; nil where it reads a lookup table.
    private static func columns(_ expression: Expression) -> Set<Int>? {
        var columns = Set<Int>()
        var readsLookup = false
        expression.visit { node in
            switch node {
            case .column(let index, _): columns.insert(index)
            case .lookup, .lookupMatches: readsLookup = true
            default: break
            }
        }
        return readsLookup ? nil : columns
    }

    // MARK: values that only the question names

    /// A list that holds every value of a key which rows that pass can have: `IN`, `=`, and the keys of a public table
    /// that it must match. nil: no conjunct gives one.
    func listed(_ key: Expression) -> [Value]? {
        guard let listed = conjuncts.lazy.compactMap({ self.listed($0, key) }).first else { return nil }
        return Set(listed).sorted { Value.order($0, $1) < 0 }
    }

    private func listed(_ condition: Expression, _ key: Expression) -> [Value]? {
        if let keys = matched(condition, key) { return keys }
        switch condition {
        case .comparison(.equal, key, .literal(let value, _)), .comparison(.equal, .literal(let value, _), key):
            return Self.values([value], as: key.type)
        case .isIn(key, let values): return Self.values(values, as: key.type)
        case .or(let left, let right):
            guard let first = listed(left, key), let second = listed(right, key) else { return nil }
            return first + second
        default: return nil
        }
    }

    /// The keys of a public table without which a row does not pass.
    private func matched(_ condition: Expression, _ key: Expression) -> [Value]? {
        guard case .lookupMatches(let slot, key) = condition, slot < scope.lookups.count else { return nil }
        let lookup = scope.lookups[slot]
        return lookup.domain(lookup.keyColumn)?.filter { $0 != .null }
    }

    /// Values as a key of that type has them; one that it cannot have is left out.
    private static func values(_ values: [Value], as type: ValueType) -> [Value] {
        values.compactMap { value in
            switch (value, type) {
            case (.text(let text), .text): .text(text.normalizedForKeys)
            case (.integer(let number), .real): .real(Double(number))
            case (.real(let number), .real): .real(number + 0.0)
            case (.real(let number), .integer): Int64(exactly: number).map(Value.integer)
            case (.integer, .integer), (.boolean, .boolean), (.date, .date), (.timestamp, .timestamp): value
            default: nil
            }
        }
    }

    // MARK: bounds

    /// Bounds that hold for all rows that pass: a column that is compared with a number is not null and on its side of it.
    func narrowed(_ bounds: BoundsScope) -> BoundsScope {
        conjuncts.reduce(into: bounds) { bounds, conjunct in
            switch conjunct {
            case .comparison(let comparison, let operand, .literal(let value, _)):
                Self.narrow(&bounds, operand, by: comparison, value)
            case .comparison(let comparison, .literal(let value, _), let operand):
                Self.narrow(&bounds, operand, by: comparison.mirrored, value)
            case .isIn(let operand, let values):
                let numbers = values.compactMap(\.number)
                guard numbers.count == values.count, let least = numbers.min(), let largest = numbers.max() else {
                    return
                }
                Self.narrow(&bounds, operand, from: least, to: largest)
            case .not(.isNull(let operand)): Self.narrow(&bounds, operand, from: -.infinity, to: .infinity)
            default: return
            }
        }
    }

    private static func narrow(
        _ bounds: inout BoundsScope, _ operand: Expression, by comparison: ComparisonOperator, _ value: Value
    ) {
        guard let number = value.number else { return }
        switch comparison {
        case .equal: narrow(&bounds, operand, from: number, to: number)
        case .less, .lessOrEqual: narrow(&bounds, operand, from: -.infinity, to: number)
        case .greater, .greaterOrEqual: narrow(&bounds, operand, from: number, to: .infinity)
        case .notEqual: narrow(&bounds, operand, from: -.infinity, to: .infinity)
        }
    }

    private static func narrow(
        _ bounds: inout BoundsScope, _ operand: Expression, from least: Double, to largest: Double
    ) {
        func narrow(_ known: inout Bounds) {
            known.lower = Swift.max(known.lower, least)
            known.upper = Swift.min(known.upper, largest)
            known.isNullable = false
            if known.lower > known.upper { (known.lower, known.upper) = (.infinity, -.infinity) }
        }
        switch operand {
        case .column(let index, _) where index < bounds.columns.count: narrow(&bounds.columns[index])
        case .lookup(let slot, _, let column, _) where slot < bounds.lookups.count:
            narrow(&bounds.lookups[slot][column])
        default: return
        }
    }
}
