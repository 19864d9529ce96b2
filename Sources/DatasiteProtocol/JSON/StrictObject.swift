/// Takes the members of an object one by one and then refuses what is left: so no key is ignored in silence.
public struct StrictObject: Sendable {
    private var members: [String: StrictJSON]
    private var known: [String] = []
    private let path: String

    /// - Parameter path: Where the object is ("guarantees"), for messages; empty at the top.
    public init(_ value: StrictJSON, path: String = "") throws(JSONError) {
        guard case .object(let members) = value else {
            throw JSONError("\(path.isEmpty ? "the body" : "'\(path)'") must be an object, not \(value.kind)")
        }
        self.members = members
        self.path = path
    }

    /// The member, or nil if it is absent or null.
    public mutating func value(_ key: String) -> StrictJSON? {
        known.append(key)
        guard let value = members.removeValue(forKey: key), value != .null else { return nil }
        return value
    }

    /// The member as a text.
    ///
    /// - Throws: `JSONError` where it is missing, or no text.
    public mutating func string(_ key: String) throws(JSONError) -> String {
        try required(optionalString(key), key)
    }

    /// The member as a text; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is no text.
    public mutating func optionalString(_ key: String) throws(JSONError) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw mismatch(key, "text", value) }
        return text
    }

    /// The member as true or false; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is neither.
    public mutating func optionalBoolean(_ key: String) throws(JSONError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .boolean(let isTrue) = value else { throw mismatch(key, "true or false", value) }
        return isTrue
    }

    /// The member as a finite number; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is no number, or too large for a double.
    public mutating func optionalDouble(_ key: String) throws(JSONError) -> Double? {
        guard let value = value(key) else { return nil }
        guard case .number(let literal) = value, let number = Double(literal), number.isFinite else {
            throw mismatch(key, "a finite number", value)
        }
        return number
    }

    /// The member as a finite number.
    ///
    /// - Throws: `JSONError` where it is missing, no number, or too large for a double.
    public mutating func double(_ key: String) throws(JSONError) -> Double {
        try required(optionalDouble(key), key)
    }

    /// The member as a whole number of 64 bits; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is no such number.
    public mutating func optionalInteger(_ key: String) throws(JSONError) -> Int64? {
        guard let value = value(key) else { return nil }
        guard case .number(let literal) = value, let number = Int64(literal) ?? Self.whole(literal) else {
            throw mismatch(key, "an integer", value)
        }
        return number
    }

    /// `2.0` and `2e0` are integers too (JSON Schema, 2020-12, section 4.2.3), as far as a double holds each of them.
    private static func whole(_ literal: String) -> Int64? {
        guard let number = Double(literal), abs(number) < 0x1p53 else { return nil }
        return Int64(exactly: number)
    }

    /// The member as a whole number of 64 bits.
    ///
    /// - Throws: `JSONError` where it is missing, or no such number.
    public mutating func integer(_ key: String) throws(JSONError) -> Int64 {
        try required(optionalInteger(key), key)
    }

    /// The member as an object, to be taken apart and finished in turn; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is no object.
    public mutating func optionalObject(_ key: String) throws(JSONError) -> StrictObject? {
        guard let value = value(key) else { return nil }
        return try StrictObject(value, path: name(key))
    }

    /// The member as an object, to be taken apart and finished in turn.
    ///
    /// - Throws: `JSONError` where it is missing, or no object.
    public mutating func object(_ key: String) throws(JSONError) -> StrictObject {
        try required(optionalObject(key), key)
    }

    /// The whole numbers of a list; nil if it is absent or null.
    ///
    /// - Throws: `JSONError` where it is no list, or something else is in it.
    public mutating func optionalIntegers(_ key: String) throws(JSONError) -> [Int64]? {
        guard let value = value(key) else { return nil }
        guard case .array(let values) = value else { throw mismatch(key, "an array", value) }
        var numbers: [Int64] = []
        for element in values {
            guard case .number(let literal) = element, let number = Int64(literal) else {
                throw mismatch(key, "an array of integers", element)
            }
            numbers.append(number)
        }
        return numbers
    }

    /// The objects of a list.
    public mutating func objects(_ key: String) throws(JSONError) -> [StrictObject] {
        let value = try required(value(key), key)
        guard case .array(let values) = value else { throw mismatch(key, "an array", value) }
        var objects: [StrictObject] = []
        for (index, value) in values.enumerated() {
            objects.append(try StrictObject(value, path: "\(name(key))[\(index)]"))
        }
        return objects
    }

    /// Refuses the keys that nothing took.
    public func finish() throws(JSONError) {
        guard let key = members.keys.min() else { return }
        // A key may be as long as the body: the message keeps what a reader needs to find it.
        let shown = key.count > 40 ? "\(key.prefix(40))..." : key
        throw JSONError("unknown key '\(name(shown))'; known are \(known.map(name).joined(separator: ", "))")
    }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func required<Value>(_ value: Value?, _ key: String) throws(JSONError) -> Value {
        guard let value else { throw JSONError("'\(name(key))' is missing") }
        return value
    }

    private func mismatch(_ key: String, _ expected: String, _ found: StrictJSON) -> JSONError {
        // A number of the wrong kind or size is shown as it was written: "not a number" would say nothing.
        guard case .number(let literal) = found else {
            return JSONError("'\(name(key))' must be \(expected), not \(found.kind)")
        }
        return JSONError("'\(name(key))' must be \(expected), not \(literal.prefix(40))")
    }
}
