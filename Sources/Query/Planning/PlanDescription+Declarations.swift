import Tables

extension PlanDescription {
    /// What the manifest's declarations do to the question, which no interval holds: from manifest and text alone.
    var declarationNotes: [String] { impossibleNotes + clippingNotes }

    /// Conditions that no declared value meets: the answer is noise around nothing, and costs all the same.
    private var impossibleNotes: [String] {
        guard let filter = bound.filter else { return [] }
        let conditions = KeyConditions(scope: bound.scope, filter: filter)
        let narrowed = conditions.narrowed(bound.scope.bounds)
        return Self.columns(of: [filter]).compactMap { index in
            guard let schema = bound.scope.schema(ofColumn: index) else { return nil }
            var isImpossible = narrowed.columns[index].isEmpty && !bound.scope.bounds.columns[index].isEmpty
            if let domain = schema.domain, domain.count <= QuestionLimits.enumeratedCombinations {
                let values = domain + [schema.other ?? .null] + (schema.isNullable ? [.null] : [])
                isImpossible = conditions.possible(values, of: .column(index, schema.type)).isEmpty
            }
            return isImpossible
                ? "No row can pass WHERE: no value that is declared of \(schema.name) meets its condition." : nil
        }
    }

    /// Which columns are summed or ranked within bounds to which their values were clipped.
    private var clippingNotes: [String] {
        let values = bound.aggregates.compactMap { aggregate -> Expression? in
            switch aggregate.function {
            case .count, .countUnits: nil
            default: aggregate.argument
            }
        }
        let clipped = Self.columns(of: values).compactMap { index -> String? in
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

    /// The columns that expressions read, each once, in the order in which they stand.
    private static func columns(of expressions: [Expression]) -> [Int] {
        var columns: [Int] = []
        for expression in expressions {
            expression.visit { node in
                if case .column(let index, _) = node, !columns.contains(index) { columns.append(index) }
            }
        }
        return columns
    }
}
