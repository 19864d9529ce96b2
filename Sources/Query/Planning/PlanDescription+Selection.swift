import DifferentialPrivacy
import Tables

extension PlanDescription {
    /// How the rows of the answer come to be shown, where that is not the whole public domain.
    func selectionNotes(_ keys: Keys) -> [String] {
        var notes: [String] = bound.scope.lookups.filter { $0.rowsPerKey > 1 }.map { lookup in
            "Each row stands once for each row of \(lookup.name) with its key, up to \(lookup.rowsPerKey): so much more of it "
                + "one unit can change."
        }
        if let threshold = allocation.selection {
            notes.append(
                "The values of \(keys.selected.joined(separator: ", ")) are selected privately: a group is left out "
                    + "unless its noisy number of units reaches \(threshold.threshold), which one of \(threshold.usual) units "
                    + "does in 95 % of asks. Groups that may be of a size shown in fewer than 20 % are marked; the interval of "
                    + "the number of units holds the selection.")
        }
        if let top = allocation.top { notes.append(top.words) }
        if question.isSimultaneous {
            let cells = Planner.cells(bound, groups: allocation.top?.request.count ?? keys.groups)
            notes.append(
                "All intervals hold together with 95 %: the error is divided among up to \(Channel.digits(cells)) cells."
                    + (allocation.bounding.isEmpty
                        ? "" : " Those of what bounding leaves out hold with 95 % each by itself.")
            )
        }
        if choosesByNoise(keys) {
            notes.append(
                "Rows are chosen by noisy values: what looks large is in part luck, which the intervals of marked cells do not "
                    + "hold. "
                    + (keys.areSelected
                        ? "With public keys, TOP k would choose privately and count what it chose anew."
                        : "SELECT TOP k chooses privately, and counts what it chose with fresh noise."))
        }
        return notes
    }

    /// Whether HAVING, or ORDER BY with LIMIT or OFFSET, can leave out a group because of its noise.
    private func choosesByNoise(_ keys: Keys) -> Bool {
        func isNoisy(_ expression: Expression) -> Bool {
            var found = false
            expression.visit { node in
                if case .column(let index, _) = node, index >= bound.keys.count { found = true }
            }
            return found
        }
        if let having = bound.having, isNoisy(having) { return true }
        let canCut = bound.offset > 0 || (bound.limit ?? .max) < (keys.groups ?? .max)
        return bound.top == nil && canCut && bound.orders.contains { isNoisy($0.expression) }
    }
}

extension KeyThreshold {
    /// The least number of units of which a group is shown in 95 % of asks.
    var usual: Int64 { SelectedCount(sigma: sigma, threshold: threshold).units(shownWith: 0.95) }

    /// Why an answer has no group at all.
    var emptyWords: String {
        "No group is shown: at this price its noisy number of units must reach \(threshold), and it needs \(usual) units to be "
            + "shown in 95 % of asks. A larger budget, fewer groups of one unit or coarser keys make it less."
    }
}
