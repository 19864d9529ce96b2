import Tables

/// How the answer of an ordinary question becomes a table with a row for each column that is described.
struct DescriptionPlan: Sendable, Hashable {
    struct Row: Sendable, Hashable {
        var name: String
        /// The question's columns that hold its numbers, in the order of ``DescriptionPlan/measures``; nil: it has none of that kind.
        var places: [Int?]
    }

    static let measures = ["count", "missing", "mean", "deviation", "quartile_1", "median", "quartile_3"]

    /// The first columns, which are groups.
    let keys: Int
    let rows: [Row]

    func reshaped(_ answer: NoisyAnswer) -> NoisyAnswer {
        var table = answer
        table.columns =
            answer.columns.prefix(keys) + [AnswerColumn(name: "column", type: .text, isKey: true)]
            + Self.measures.enumerated().map { place, name in
                AnswerColumn(name: name, type: place < 2 ? .integer : .real, isKey: false)
            }
        table.rows = answer.rows.flatMap { row in
            rows.map { described -> [AnswerCell] in
                row.prefix(keys) + [AnswerCell(value: .text(described.name))]
                    + described.places.enumerated().map { measure, place in
                        guard let place else { return AnswerCell(value: .null) }
                        var cell = row[place]
                        // Quartiles of whole numbers stand beside those of others.
                        if measure >= 2, let number = cell.value.number { cell.value = .real(number) }
                        return cell
                    }
            }
        }
        return table
    }
}
