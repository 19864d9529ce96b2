import DatasiteProtocol
import Foundation
import Tables

/// Requests and answers as the bytes that are stored, hashed and sent.
enum AnswerEncoding {
    /// The one form in which requests and documents are stored: the same value is the same bytes.
    static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
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
}
