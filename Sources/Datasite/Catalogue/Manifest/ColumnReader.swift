import DatasiteProtocol
import Foundation
import Tables

/// Reads one column of a manifest.
enum ColumnReader {
    /// - Parameter fields: How files write the values of all columns, where this one does not say.
    static func column(_ value: YAMLValue, fields: FieldForm, isStored: Bool) throws -> ColumnSchema {
        let keys = try value.mapping([
            "name", "type", "nullable", "bounds", "domain", "resolution", "description", "other", "infinity",
            "outside", "max-bytes", "missing", "format", "mean-of", "deviation-of",
        ])
        guard let nameKey = keys["name"] else { throw value.problem("the key `name` is missing") }
        if let computed = try computed(keys) { return try column(nameKey, computed, keys) }
        guard let typeKey = keys["type"] else { throw value.problem("the key `type` is missing") }
        let name = try nameKey.text("a column's name")
        let type = try type(typeKey, keys["domain"])
        if !isStored, try typeKey.text() == ValueType.text.rawValue {
            for value in try keys["domain"]?.sequence() ?? [] { try refuseNumber(value) }
            try keys["other"].map(refuseNumber)
        }
        var column = ColumnSchema(name: name, type: type, isNullable: try keys["nullable"]?.boolean() ?? true)
        column.description = try keys["description"]?.text("a description") ?? ""
        if let bounds = keys["bounds"] { (column.lowerBound, column.upperBound) = try self.bounds(bounds, type) }
        column.resolution = try keys["resolution"]?.number("a number above 0")
        column.domain = try keys["domain"].map { domain in
            try domain.sequence().map { try literal($0, type) }
        }
        column.other = try keys["other"].map { try literal($0, type) }
        column.infinityIsBound = try keys["infinity"].map(isBound) ?? false
        column.outsideIsNull = try !(keys["outside"].map(isBound) ?? true)
        column.maximumBytes = try keys["max-bytes"]?.integer() ?? column.maximumBytes
        column.form = fields
        if let missing = keys["missing"] { column.form.missing = try FieldForm.markers(missing) }
        column.form.epochTicks = try keys["format"].map { try FieldForm.ticks($0, type) }
        return column
    }

    /// `mean-of: image` or `deviation-of: image`, and where it stands.
    private static func computed(_ keys: [String: YAMLValue]) throws -> ArrayStatistic? {
        let named = try ArrayStatistic.Kind.allCases.compactMap { kind in
            try keys["\(kind.rawValue)-of"].map { (kind, $0, try $0.text("an array's name")) }
        }
        if named.count > 1 { throw named[1].1.problem("a column is one of `mean-of` and `deviation-of`") }
        return named.first.map { ArrayStatistic($0.0, of: $0.2) }
    }

    /// A column that follows from an array: never missing, and of the array's bounds unless narrower ones are said.
    private static func column(
        _ name: YAMLValue, _ computed: ArrayStatistic, _ keys: [String: YAMLValue]
    ) throws -> ColumnSchema {
        let allowed = ["name", "type", "bounds", "resolution", "description", "\(computed.kind.rawValue)-of"]
        if let other = keys.filter({ !allowed.contains($0.key) }).min(by: { $0.key < $1.key }) {
            throw other.value.problem(
                "a column that is computed of an array has no `\(other.key)`",
                hint: "it has `bounds`, `resolution` and `description`")
        }
        if let type = keys["type"], try type.text("a type") != ValueType.real.rawValue {
            throw type.problem("a column that is computed of an array is of type real")
        }
        var column = ColumnSchema(name: try name.text("a column's name"), type: .real, isNullable: false)
        column.description = try keys["description"]?.text("a description") ?? ""
        if let bounds = keys["bounds"] { (column.lowerBound, column.upperBound) = try self.bounds(bounds, .real) }
        column.resolution = try keys["resolution"]?.number("a number above 0")
        column.computed = computed
        return column
    }

    private static func type(_ value: YAMLValue, _ domain: YAMLValue?) throws -> ValueType {
        let word = try value.text("a type")
        if let type = ValueType(rawValue: word) { return type }
        guard word == "category" else {
            throw value.problem(
                "there is no type `\(word)`",
                hint: "types are \(ValueType.allCases.map(\.rawValue).joined(separator: ", ")) and category")
        }
        guard let domain else { throw value.problem("a category needs its `domain`: the list of its public values") }
        let values = try domain.sequence()
        let areIntegers = try values.allSatisfy { value in
            guard value.isPlain else { return false }
            return Int64(try value.text("a value")) != nil
        }
        return areIntegers && !values.isEmpty ? .integer : .text
    }

    /// Under `type: text` a bare number says that either the type or the domain is wrong: numbers and texts are not equal.
    private static func refuseNumber(_ value: YAMLValue) throws {
        guard value.isPlain, let text = try? value.text(), YAMLValue.double(text) != nil else { return }
        throw value.problem(
            "`\(text)` is a number, and the column's type is text",
            hint: "choose the type integer or real, or quote what is text: \"\(text)\"")
    }

    private static func isBound(_ value: YAMLValue) throws -> Bool {
        switch try value.text("bound or null") {
        case "bound": return true
        case "null": return false
        default: throw value.problem("expected bound or null")
        }
    }

    private static func bounds(_ value: YAMLValue, _ type: ValueType) throws -> (Double, Double) {
        let ends = try value.sequence()
        guard ends.count == 2 else { throw value.problem("expected [lower, upper]") }
        return (try bound(ends[0], type), try bound(ends[1], type))
    }

    private static func bound(_ value: YAMLValue, _ type: ValueType) throws -> Double {
        switch try literal(value, type) {
        case .integer(let number), .date(let number), .timestamp(let number): return Double(number)
        case .real(let number): return number
        default: throw value.problem("only numbers, dates and timestamps have bounds")
        }
    }

    /// A value of the column's type, by its literal text: `yes`, `no` and `on` are words.
    static func literal(_ value: YAMLValue, _ type: ValueType) throws -> Value {
        let text = try value.text("a value of type \(type.rawValue)")
        switch type {
        case .integer:
            if let number = Int64(text.replacing("_", with: "")) { return .integer(number) }
        case .real:
            if let number = YAMLValue.double(text) { return .real(number) }
        case .text: return .text(text.precomposedStringWithCanonicalMapping)
        case .boolean:
            if text == "true" { return .boolean(true) }
            if text == "false" { return .boolean(false) }
        case .date:
            if let days = CivilText.days(text) { return .date(days) }
        case .timestamp:
            if let seconds = CivilText.seconds(text) { return .timestamp(seconds) }
        }
        throw value.problem("expected \(words(type))")
    }

    private static func words(_ type: ValueType) -> String {
        switch type {
        case .integer: "an integer"
        case .real: "a finite number"
        case .text: "a text"
        case .boolean: "true or false"
        case .date: "a date, such as 2024-02-29"
        case .timestamp: "a timestamp, such as 2024-02-29T12:00:00Z"
        }
    }
}
