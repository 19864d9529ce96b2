import Tables

extension BoundQuestion {
    /// `SELECT TOP k ... ORDER BY COUNT(...) DESC`: the k largest groups, chosen privately.
    struct Top: Sendable, Hashable {
        var count: Int
        /// The aggregate, by its number, that is compared.
        var aggregate: Int
        /// Where the question says so.
        var position: Int
    }

    func bindTop(_ count: Int, _ statement: SelectStatement) throws(QueryError) -> Top {
        func refuse(_ message: String, _ hint: String) -> QueryError {
            QueryError(message, at: statement.position, hint: hint)
        }
        let form = "SELECT TOP 10 x, COUNT(*) FROM ... GROUP BY x ORDER BY COUNT(*) DESC"
        guard !keys.isEmpty else { throw refuse("TOP chooses among groups, and there are none", form) }
        guard count >= 1, count <= QuestionLimits.top else {
            throw refuse("TOP chooses from 1 to \(QuestionLimits.top) groups", form)
        }
        guard limit == nil, offset == 0, having == nil else {
            throw refuse(
                "TOP stands without HAVING, LIMIT and OFFSET: they choose by noise", "Say how many after TOP alone.")
        }
        guard orders.count == 1, orders[0].isDescending, case .column(let index, _) = orders[0].expression,
            index >= keys.count, aggregates[index - keys.count].isCount
        else {
            throw refuse(
                "TOP chooses by one count, the largest first: ORDER BY COUNT(*), COUNT(x) or COUNT(DISTINCT unit) DESC",
                form)
        }
        let isShown = columns.contains { column in
            guard case .scalar(let expression) = column.item else { return false }
            var reads = false
            expression.visit { node in if case .column(index, _) = node { reads = true } }
            return reads
        }
        guard isShown else {
            throw refuse(
                "TOP measures what it chooses by, and the SELECT list does not show it",
                "Add the count to the SELECT list.")
        }
        return Top(count: count, aggregate: index - keys.count, position: statement.position)
    }
}

extension Aggregate {
    /// Whether it is a number of rows, values or units: one unit can only raise it.
    var isCount: Bool {
        switch function {
        case .count: weight == nil
        case .countUnits: true
        default: false
        }
    }
}
