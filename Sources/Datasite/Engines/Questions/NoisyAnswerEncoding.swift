import DatasiteProtocol
import Query
import Tables

extension AnswerEncoding {
    static func columns(_ answer: NoisyAnswer) -> [Answer.Column] {
        answer.columns.map { Answer.Column(name: $0.name, type: $0.type.rawValue, isKey: $0.isKey) }
    }

    static func rows(_ answer: NoisyAnswer) -> [[Answer.Cell]] {
        answer.rows.map { row in
            row.map(cell)
        }
    }

    static func bounding(_ answer: NoisyAnswer) -> Answer.Bounding? {
        answer.bounding.map { shares in
            Answer.Bounding(
                units: shares.units.map(pair), rows: shares.rows.map(pair), dropped: shares.dropped.map(pair))
        }
    }

    private static func pair(_ pair: BoundingShares.Pair) -> Answer.Bounding.Pair {
        Answer.Bounding.Pair(cut: cell(pair.cut), kept: cell(pair.kept), share: cell(pair.share))
    }

    private static func cell(_ cell: AnswerCell) -> Answer.Cell {
        Answer.Cell(
            value: scalar(cell.value), lower: cell.lower.map(bound), upper: cell.upper.map(bound),
            flags: cell.flags.isEmpty ? nil : cell.flags.map(\.rawValue))
    }

    private static func bound(_ value: Double) -> Scalar {
        if value.isNaN { return .null }
        return value.isFinite ? .real(value) : .text(value < 0 ? "-Infinity" : "Infinity")
    }
}
