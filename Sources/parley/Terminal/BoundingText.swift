import DatasiteProtocol

/// What bounding left out, in a line or two for people.
struct BoundingText {
    /// What nobody may miss who reads the numbers: it is shown where remarks are not wanted too.
    private(set) var material: [String] = []
    /// What was looked for and is not clearly there.
    private(set) var slight: [String] = []

    /// Less than this share is no line of its own unless a value is flagged.
    private static let leastShare = 0.001

    init(_ answer: Answer) {
        guard let bounding = answer.bounding else { return }
        let isFlagged = answer.rows.contains { $0.contains { $0.flags?.contains("bounded") ?? false } }
        if let rows = bounding.rows {
            let units = bounding.units.map { ", of \(Self.part($0.share)) of units" } ?? ""
            add("Bounding left out \(Self.part(rows.share)) of rows\(units).", bounding.units ?? rows, isFlagged)
        }
        if let dropped = bounding.dropped {
            let tables = bounding.droppedFrom ?? []
            let added =
                tables.isEmpty
                ? "the table was" : "\(tables.joined(separator: " and ")) \(tables.count > 1 ? "were" : "was")"
            add(
                "When \(added) added, \(Self.part(dropped.share)) or more of \(tables.count > 1 ? "their" : "its") rows "
                    + "\(tables.count > 1 ? "together " : "")were dropped, whatever WHERE says: of one unit no more count as "
                    + "dropped than it may have.",
                dropped, isFlagged)
        }
    }

    /// `evidence`: the pair that says whether anything is left out.
    private mutating func add(_ line: String, _ evidence: Answer.Bounding.Pair, _ isFlagged: Bool) {
        let isThere = (evidence.cut.lower?.number ?? 0) > 0
        let share = evidence.share.value.number ?? 0
        if isThere, isFlagged || share >= Self.leastShare { material.append(line) } else { slight.append(line) }
    }

    /// `6.1 % (5.9 to 6.3 %)`, as precise as the interval is.
    private static func part(_ share: Answer.Cell) -> String {
        guard let value = share.value.number, let lower = share.lower?.number, let upper = share.upper?.number else {
            return "an unknown part"
        }
        let decimals = NumberText.decimals(forHalfWidth: (upper - lower) / 2 * 100)
        func percent(_ part: Double) -> String { NumberText.fixed(part * 100, decimals: decimals) }
        return "\(percent(value)) % (\(percent(lower)) to \(percent(upper)) %)"
    }
}
