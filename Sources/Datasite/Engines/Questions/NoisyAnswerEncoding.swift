import DatasiteProtocol
import Query
import Tables

extension AnswerEncoding {
    static func columns(_ answer: NoisyAnswer) -> [Answer.Column] {
        answer.columns.map { column in
            Answer.Column(
                name: column.name, type: column.type.rawValue, isKey: column.isKey,
                bin: column.bin.map { .init(histogram: $0.histogram, lower: $0.lower, upper: $0.upper) })
        }
    }

    static func rows(_ answer: NoisyAnswer) -> [[Answer.Cell]] {
        answer.rows.map { row in
            zip(answer.columns, row).map { cell($1, $0.type) }
        }
    }

    static func bounding(_ answer: NoisyAnswer) -> Answer.Bounding? {
        answer.bounding.map { shares in
            Answer.Bounding(
                units: shares.units.map(pair), rows: shares.rows.map(pair), dropped: shares.dropped.map(pair),
                droppedFrom: shares.droppedFrom.isEmpty ? nil : shares.droppedFrom)
        }
    }

    private static func pair(_ pair: BoundingShares.Pair) -> Answer.Bounding.Pair {
        Answer.Bounding.Pair(
            cut: cell(pair.cut, .integer), kept: cell(pair.kept, .integer), share: cell(pair.share, .real))
    }

    private static func cell(_ cell: AnswerCell, _ type: ValueType) -> Answer.Cell {
        Answer.Cell(
            value: scalar(cell.value),
            lower: cell.lower.map { bound($0.rounded(down: type), type) },
            upper: cell.upper.map { bound($0.rounded(up: type), type) },
            flags: cell.flags.isEmpty ? nil : cell.flags.map(\.rawValue))
    }

    /// An end of an interval: of a date a date.
    private static func bound(_ value: Double, _ type: ValueType) -> Scalar {
        if value.isNaN { return .null }
        guard value.isFinite else { return .text(value < 0 ? "-Infinity" : "Infinity") }
        switch type {
        case .date, .timestamp: return .text(DisplayedTime.text(value, isDate: type == .date))
        default: return .real(value)
        }
    }
}

extension Double {
    /// An interval of days or seconds does not become narrower by being told in whole ones.
    fileprivate func rounded(down type: ValueType) -> Double { type.isTime ? rounded(.down) : self }
    fileprivate func rounded(up type: ValueType) -> Double { type.isTime ? rounded(.up) : self }
}

extension ValueType {
    fileprivate var isTime: Bool { self == .date || self == .timestamp }
}
