import Tables

extension PlanDescription {
    /// What the manifest's declarations do to the question, which no interval holds: from manifest and text alone.
    var declarationNotes: [String] { clippingNotes }

    /// Which columns are summed or ranked within bounds to which their values were clipped.
    private var clippingNotes: [String] {
        let values = bound.aggregates.compactMap { aggregate -> Expression? in
            switch aggregate.function {
            case .count, .countUnits: nil
            default: aggregate.argument
            }
        }
        let clipped = Expression.columns(of: values).compactMap { index -> String? in
            guard let schema = bound.scope.schema(ofColumn: index), schema.domain == nil, !schema.outsideIsNull,
                [.integer, .real].contains(schema.type), let lower = schema.lowerBound, let upper = schema.upperBound
            else { return nil }
            return "\(schema.name) (\(Channel.digits(lower)) to \(Channel.digits(upper)))"
        }
        return clipped.isEmpty
            ? []
            : [
                "A value outside its declared bounds counts as the bound: of \(clipped.joined(separator: ", ")). No interval holds "
                    + "what that moves."
            ]
    }
}

extension Planner {
    static let impossibleHint = "Compare with the values that `parley data show` lists; nothing was charged."

    /// Refuses conditions that no declared value meets: the answer would be noise around nothing, and cost all the same. It follows
    /// from manifest and text alone.
    static func checkPossible(_ bound: BoundQuestion, _ conditions: KeyConditions) throws(QueryError) {
        guard let filter = bound.filter else { return }
        let narrowed = conditions.narrowed(bound.scope.bounds)
        for index in Expression.columns(of: [filter]) {
            guard let schema = bound.scope.schema(ofColumn: index) else { continue }
            var isImpossible = narrowed.columns[index].isEmpty && !bound.scope.bounds.columns[index].isEmpty
            if let domain = schema.domain, domain.count <= QuestionLimits.enumeratedCombinations {
                let values = domain + [schema.other ?? .null] + (schema.isNullable ? [.null] : [])
                isImpossible = conditions.possible(values, of: .column(index, schema.type)).isEmpty
            }
            if isImpossible {
                throw QueryError(
                    "no row can pass WHERE: no value that is declared of \(schema.name) meets its condition",
                    hint: impossibleHint)
            }
        }
    }
}

extension Expression {
    /// The columns that expressions read, each once, in the order in which they stand.
    static func columns(of expressions: [Expression]) -> [Int] {
        var columns: [Int] = []
        for expression in expressions {
            expression.visit { node in
                if case .column(let index, _) = node, !columns.contains(index) { columns.append(index) }
            }
        }
        return columns
    }
}
