import DatasiteProtocol
import Tables

extension FieldForm {
    static let mostMarkers = 64

    /// What a manifest says of all columns.
    init(reading keys: [String: YAMLValue]) throws {
        self.init()
        missing = try keys["missing"].map(Self.markers) ?? []
        guard let numbers = keys["numbers"] else { return }
        let forms = try numbers.mapping(["decimal", "thousands"])
        if let decimal = forms["decimal"] {
            decimalPoint = try Self.separator(decimal, [".", ","])
            // Where the comma is the point, the point is no other's.
            if decimalPoint == UInt8(ascii: ","), forms["thousands"] == nil { thousands = nil }
        }
        if let value = forms["thousands"] {
            thousands = try Self.separator(value, [",", ".", " ", "'", "_"])
            guard thousands != decimalPoint else {
                throw value.problem("a separator of thousands differs from the decimal point")
            }
        }
    }

    /// Texts that stand for null.
    static func markers(_ value: YAMLValue) throws -> [String] {
        let markers = try value.isSequence ? value.sequence() : [value]
        guard markers.count <= mostMarkers else { throw value.problem("list at most \(mostMarkers)") }
        return try markers.map { marker in
            let text = try marker.text("what stands for a missing value")
            guard !text.isEmpty, text.utf8.count <= 64 else {
                throw marker.problem("a marker has 1 to 64 bytes", hint: "an empty field is null anyway")
            }
            return text
        }
    }

    private static func separator(_ value: YAMLValue, _ allowed: [String]) throws -> UInt8 {
        let text = try value.text("a separator")
        guard allowed.contains(text), let byte = text.utf8.first else {
            throw value.problem("expected one of \(allowed.map { "\"\($0)\"" }.joined(separator: ", "))")
        }
        return byte
    }

    /// What ticks of a timestamp's format make a second.
    static func ticks(_ value: YAMLValue, _ type: ValueType) throws -> Int64 {
        let word = try value.text("a format")
        guard type == .timestamp else {
            throw value.problem(
                "only a timestamp has a format",
                hint: "declare a number since 1970 as timestamp; dates that are not written as 2020-01-31 are text")
        }
        let formats: KeyValuePairs<String, Int64> = [
            "epoch-seconds": 1, "epoch-milliseconds": 1_000, "epoch-microseconds": 1_000_000,
            "epoch-nanoseconds": 1_000_000_000,
        ]
        guard let ticks = formats.first(where: { $0.key == word })?.value else {
            throw value.problem(
                "there is no format `\(word)`", hint: "formats are \(formats.map(\.key).joined(separator: ", "))")
        }
        return ticks
    }
}
