/// JSON in the one form that is signed and hashed: RFC 8785 restricted to objects, lists, strings and integers.
///
/// Keys are sorted, there is no white space, slashes are not escaped, and of the characters only `"`, `\` and the
/// controls below U+0020 are. Doubles have no place here, since their text differs between languages; where one must
/// be hashed it goes in as `bitPattern(_:)`.
public enum CanonicalJSON: Sendable, Hashable {
    /// A whole number, in decimal digits.
    case integer(Int64)
    /// A text.
    case string(String)
    /// The elements, in order.
    case array([CanonicalJSON])
    /// Members by key; written in the order of the keys' UTF-8 bytes.
    case object([String: CanonicalJSON])

    /// The 16 lower-case hexadecimal digits of a double's IEEE 754 bits, most significant first.
    public static func bitPattern(_ value: Double) -> CanonicalJSON {
        let digits = String(value.bitPattern, radix: 16)
        return .string(String(repeating: "0", count: 16 - digits.count) + digits)
    }

    /// The canonical UTF-8 bytes.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    private func write(to output: inout [UInt8]) {
        switch self {
        case .integer(let value):
            output.append(contentsOf: String(value).utf8)
        case .string(let text):
            Self.write(text, to: &output)
        case .array(let values):
            output.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                value.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                member.value.write(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x08: output.append(contentsOf: "\\b".utf8)
            case 0x09: output.append(contentsOf: "\\t".utf8)
            case 0x0A: output.append(contentsOf: "\\n".utf8)
            case 0x0C: output.append(contentsOf: "\\f".utf8)
            case 0x0D: output.append(contentsOf: "\\r".utf8)
            case ..<0x20:
                output.append(contentsOf: (byte < 0x10 ? "\\u000" : "\\u00").utf8)
                output.append(contentsOf: String(byte, radix: 16).utf8)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
