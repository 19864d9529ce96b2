import DatasiteProtocol
import Foundation

/// JSON that people wrote, and what is wrong with it, where.
enum EventText {
    /// Events may nest some 30 levels, each an object in a list.
    private static let largestDepth = 128

    /// The syntax is checked by a strict parser, which knows places and refuses a name that occurs twice.
    static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws(Failure) -> Value {
        do {
            _ = try StrictJSON(parsing: Array(data), largestDepth: largestDepth)
        } catch {
            throw Failure("not valid JSON: \(error.message)\(error.offset.map { place($0, in: data) } ?? "")")
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as DecodingError {
            throw Failure(describe(error))
        } catch {
            throw Failure("\(error)")
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        switch error {
        case .dataCorrupted(let context): return place(context) + context.debugDescription
        case .keyNotFound(let key, let context): return place(context) + "\"\(key.stringValue)\" is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return place(context) + "expected \(name(of: type))"
        @unknown default: return "not valid: \(error)"
        }
    }

    /// ` (at column 7)`, or ` (at line 2, column 7)` where there are several.
    private static func place(_ offset: Int, in data: Data) -> String {
        let before = data.prefix(offset)
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? before.startIndex
        let column = String(decoding: before[start...], as: UTF8.self).count + 1
        guard data.contains(0x0A) else { return " (at column \(column))" }
        return " (at line \(before.count { $0 == 0x0A } + 1), column \(column))"
    }

    /// `event.events[2]: `.
    private static func place(_ context: DecodingError.Context) -> String {
        var path = ""
        for key in context.codingPath {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return path.isEmpty ? "" : path + ": "
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is Int.Type, is Int64.Type: "a whole number"
        case is Double.Type: "a number"
        case is String.Type: "a text"
        case is [Any].Type: "a list"
        default: "an object"
        }
    }
}
