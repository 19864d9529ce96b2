import DifferentialPrivacy
import Tables

/// What one privacy unit may contribute to an answer, carried from the manifest through joins and hints
/// (docs/privacy.md, rules 11 and 13).
struct Contribution: Sendable, Hashable {
    var groups: Int
    var rowsPerGroup: Int
    var rowsPerUnit: Int

    /// The declared bounds of one dataset, or the products of two joined on the unit.
    ///
    /// - Parameter copies: how often a row stands in the source, joined to public tables with several rows for a key: a unit
    ///   has that many times as many rows, each of which may be in another group, or all of them in one.
    init(
        _ datasets: [DatasetDescription], copies: Int = 1, _ question: Question, isGrouped: Bool
    ) throws(QueryError) {
        var declared = (groups: 1, rowsPerGroup: 1, rows: 1)
        for dataset in datasets {
            let rows = Self.rows(dataset)
            let (product, overflow) = declared.rows.multipliedReportingOverflow(by: rows)
            // A bound that is cut here but not in the scan would claim less than one unit can change.
            guard !overflow, product <= QuestionLimits.rowsPerUnit else {
                throw QueryError(
                    "one unit may have more than \(QuestionLimits.rowsPerUnit) rows here",
                    hint: "Ask the owner for tighter bounds on the rows of one unit.")
            }
            declared.rows = product
            declared.groups = Self.product(declared.groups, Swift.max(1, dataset.unit.groupsPerUnit))
            declared.rowsPerGroup = Self.product(
                declared.rowsPerGroup, Swift.min(rows, Swift.max(1, dataset.unit.rowsPerGroup ?? rows)))
        }
        let (product, overflow) = declared.rows.multipliedReportingOverflow(by: copies)
        guard !overflow, product <= QuestionLimits.rowsPerUnit else {
            throw QueryError(
                "one unit may have more than \(QuestionLimits.rowsPerUnit) rows here",
                hint: "Join fewer public tables with several rows for a key.")
        }
        declared.rows = product
        declared.groups = Self.product(declared.groups, copies)
        declared.rowsPerGroup = Self.product(declared.rowsPerGroup, copies)
        rowsPerUnit = declared.rows
        // Without GROUP BY all rows are one group: the bound on rows of one group among several does not apply.
        rowsPerGroup = isGrouped ? Swift.min(declared.rowsPerGroup, declared.rows) : declared.rows
        groups = isGrouped ? Swift.min(declared.groups, declared.rows) : 1
        if let hint = question.rowsPerGroup {
            try Self.check(hint, rowsPerGroup, "rows of one unit in a group")
            rowsPerGroup = hint
        }
        if let hint = question.groupsPerUnit {
            try Self.check(hint, declared.groups, "groups of one unit")
            groups = Swift.min(groups, hint)
        }
    }

    /// The rows of one unit of a dataset: 1 where each row is a unit.
    static func rows(_ dataset: DatasetDescription) -> Int {
        dataset.unit.column == nil ? 1 : Swift.max(1, dataset.unit.rowsPerUnit)
    }

    private static func check(_ hint: Int, _ bound: Int, _ what: String) throws(QueryError) {
        guard hint >= 1, hint <= bound else {
            throw QueryError(
                "the bound of \(hint) \(what) is not within 1 to \(bound)",
                hint: "A question can tighten the manifest's bounds, never widen them.")
        }
    }

    private static func product(_ a: Int, _ b: Int) -> Int {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? QuestionLimits.rowsPerUnit : Swift.min(product, QuestionLimits.rowsPerUnit)
    }

    /// At most that many public groups exist.
    mutating func limit(groups: Int) {
        self.groups = Swift.min(self.groups, Swift.max(1, groups))
    }

    /// What bounding leaves out, in words.
    func notes(isGrouped: Bool) -> [String] {
        let (rows, total) = (rowsPerGroup, rowsPerUnit)
        guard total > 1, groups < total || rows < total else { return [] }
        guard isGrouped else {
            return rows < total ? ["Of each unit, at most \(rows) of up to \(total) rows count."] : []
        }
        return [
            "Of each unit, at most \(groups) group\(groups == 1 ? "" : "s") count, and \(rows) "
                + "row\(rows == 1 ? "" : "s") in each; groups in which a unit has more rows are favoured."
        ]
    }

    /// The largest L1 change of a vector of counts by one unit, with at most `rows` rows a group.
    func l1(rows: Int? = nil) -> Double {
        Sensitivity.l1(groups: groups, rowsPerGroup: rows ?? rowsPerGroup, rowsPerUnit: rowsPerUnit)
    }

    /// The largest squared L2 change.
    func l2Squared(rows: Int? = nil) -> Double {
        Sensitivity.l2Squared(groups: groups, rowsPerGroup: rows ?? rowsPerGroup, rowsPerUnit: rowsPerUnit)
    }
}
