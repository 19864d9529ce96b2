import DatasiteProtocol
import Query
import Tables

extension AnswerEncoding {
    static func columns(_ answer: NoisyAnswer) -> [Answer.Column] {
        answer.columns.map { Answer.Column(name: $0.name, type: $0.type.rawValue, isKey: $0.isKey) }
    }

    static func rows(_ answer: NoisyAnswer) -> [[Answer.Cell]] {
        answer.rows.map { row in
            zip(answer.columns, row).map { cell($1, $0.type) }
        }
    }

    static func bounding(_ answer: NoisyAnswer) -> Answer.Bounding? {
        answer.bounding.map { shares in
            Answer.Bounding(
                units: shares.units.map(pair), rows: shares.rows.map(pair), dropped: shares.dropped.map(pair))
        }
    }

    private static func pair(_ pair: BoundingShares.Pair) -> Answer.Bounding.Pair {
        Answer.Bounding.Pair(
            cut: cell(pair.cut, .integer), kept: cell(pair.kept, .integer), share: cell(pair.share, .real))
    }

    private static func cell(_ cell: AnswerCell, _ type: ValueType) -> Answer.Cell {
        Answer.Cell(
            value: scalar(cell.value), lower: cell.lower.map { bound($0, type) }, upper: cell.upper.map { bound($0, type) },
            flags: cell.flags.isEmpty ? nil : cell.flags.map(\.rawValue))
    }

    /// Of the column's type, a date or a time included.
    private static func bound(_ value: Double, _ type: ValueType) -> Scalar {
        if value.isNaN { return .null }
        if let whole = Int64(exactly: value.rounded()) {
            if type == .date { return scalar(.date(whole)) }
            if type == .timestamp { return scalar(.timestamp(whole)) }
        }
        return value.isFinite ? .real(value) : .text(value < 0 ? "-Infinity" : "Infinity")
    }
}
