/// Unsigned variable-length integers (github.com/multiformats/unsigned-varint): seven bits a byte, the lowest first, at most nine bytes, in
/// the shortest form alone.
enum Varint {
    /// The most bytes of one.
    static let mostBytes = 9

    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    static func byteCount(_ value: UInt64) -> Int { max(1, (64 - value.leadingZeroBitCount + 6) / 7) }
}

/// Reads bytes in order, and says where something else was expected.
struct ByteCursor {
    let form: ContentError.Form
    let bytes: ArraySlice<UInt8>
    private(set) var index: Int

    init(_ bytes: ArraySlice<UInt8>, form: ContentError.Form) {
        (self.bytes, self.form, index) = (bytes, form, bytes.startIndex)
    }

    var isAtEnd: Bool { index == bytes.endIndex }
    var offset: Int { index - bytes.startIndex }
    /// What was not read yet.
    var rest: ArraySlice<UInt8> { bytes[index...] }

    func malformed(_ expected: String) -> ContentError { .malformed(form, offset: offset, expected: expected) }

    mutating func byte() throws(ContentError) -> UInt8 {
        guard index < bytes.endIndex else { throw malformed("another byte") }
        defer { index += 1 }
        return bytes[index]
    }

    mutating func take(_ count: Int) throws(ContentError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.endIndex - index else { throw malformed("\(count) more bytes") }
        defer { index += count }
        return bytes[index..<index + count]
    }

    /// An integer in its shortest form.
    mutating func varint() throws(ContentError) -> UInt64 {
        let start = index
        var value: UInt64 = 0
        for place in 0..<Varint.mostBytes {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << UInt64(7 * place)
            guard byte < 0x80 else { continue }
            guard byte != 0 || place == 0 else {
                index = start
                throw malformed("an unsigned varint in its shortest form")
            }
            return value
        }
        index = start
        throw malformed("an unsigned varint of at most \(Varint.mostBytes) bytes")
    }

    /// The number of bytes that follow, which are there.
    mutating func length() throws(ContentError) -> Int {
        let value = try varint()
        guard value <= UInt64(bytes.endIndex - index) else { throw malformed("\(value) more bytes") }
        return Int(value)
    }
}
