import Foundation

/// JSON that people wrote, and what is wrong with it, where.
enum EventText {
    static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws(Failure) -> Value {
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
        case .dataCorrupted(let context):
            guard context.debugDescription.contains("not valid JSON") else {
                return place(context) + context.debugDescription
            }
            let syntax = (context.underlyingError as NSError?)?.userInfo[NSDebugDescriptionErrorKey] as? String
            return "not valid JSON" + (syntax.map { ": \($0)" } ?? "")
        case .keyNotFound(let key, let context): return place(context) + "\"\(key.stringValue)\" is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return place(context) + "expected \(name(of: type))"
        @unknown default: return "not valid: \(error)"
        }
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
