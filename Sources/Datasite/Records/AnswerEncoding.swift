import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Tables

/// Noisy answers as the bytes that are stored, hashed and sent.
enum AnswerEncoding {
    /// The one form in which requests and documents are stored: the same value is the same bytes.
    static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    static func columns(_ answer: NoisyAnswer) -> [Answer.Column] {
        answer.columns.map { Answer.Column(name: $0.name, type: $0.type.rawValue, isKey: $0.isKey) }
    }

    static func rows(_ answer: NoisyAnswer) -> [[Answer.Cell]] {
        answer.rows.map { row in
            row.map { cell in
                Answer.Cell(
                    value: scalar(cell.value), lower: cell.lower.map(bound), upper: cell.upper.map(bound))
            }
        }
    }

    static func scalar(_ value: Value) -> Scalar {
        switch value {
        case .null: .null
        case .integer(let number): .integer(number)
        case .real(let number): number.isFinite ? .real(number) : .null
        case .text(let text): .text(text)
        case .boolean(let flag): .boolean(flag)
        case .date(let days): CivilText.date(days).map(Scalar.text) ?? .null
        case .timestamp(let seconds): CivilText.timestamp(seconds).map(Scalar.text) ?? .null
        }
    }

    private static func bound(_ value: Double) -> Scalar {
        if value.isNaN { return .null }
        return value.isFinite ? .real(value) : .text(value < 0 ? "-Infinity" : "Infinity")
    }
}
