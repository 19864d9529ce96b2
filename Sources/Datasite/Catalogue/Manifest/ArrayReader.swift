import DatasiteProtocol
import Tables

/// Reads one array of a manifest: `{name: image, shape: [1, 28, 28], type: uint8, bounds: [0, 255]}`.
enum ArrayReader {
    static func array(_ value: YAMLValue) throws -> ArraySchema {
        let keys = try value.mapping(["name", "shape", "type", "bounds", "description"])
        func required(_ key: String) throws -> YAMLValue {
            guard let found = keys[key] else { throw value.problem("the key `\(key)` is missing") }
            return found
        }
        let name = try required("name").text("an array's name")
        let typeKey = try required("type")
        let word = try typeKey.text("a type")
        guard let element = ArraySchema.Element(rawValue: word) else {
            throw typeKey.problem(
                "arrays are not of type `\(word)`",
                hint: "types are \(ArraySchema.Element.allCases.map(\.rawValue).joined(separator: " and "))")
        }
        var bounds = (lower: 0.0, upper: 255.0)
        if let declared = keys["bounds"] {
            bounds = try declared.bounds()
        } else if element != .uint8 {
            throw value.problem("the key `bounds` is missing: [lower, upper], between which all numbers are stored")
        }
        return ArraySchema(
            name: name, shape: try required("shape").sequence().map { try $0.integer("an extent from 1 on") },
            element: element, lowerBound: bounds.lower, upperBound: bounds.upper,
            description: try keys["description"]?.text("a description") ?? "")
    }
}
