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

    /// What a scalar says of a column of that type: as ``scalar(_:)`` wrote it.
    static func value(_ scalar: Scalar, _ type: ValueType) -> Value {
        switch (scalar, type) {
        case (.integer(let number), .real): .real(Double(number))
        case (.integer(let number), _): .integer(number)
        case (.real(let number), _): .real(number)
        case (.boolean(let flag), _): .boolean(flag)
        case (.text(let text), .date): CivilText.days(text).map(Value.date) ?? .null
        case (.text(let text), .timestamp): CivilText.seconds(text).map(Value.timestamp) ?? .null
        case (.text(let text), _): .text(text)
        case (.null, _): .null
        }
    }
}
