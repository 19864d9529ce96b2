/// Standard base64 with padding (RFC 4648, section 4), canonical: each byte string has one encoding, and each text that is
/// accepted is the encoding of what it decodes to.
enum StrictBase64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")
    /// The value of each character; 64 for what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 64, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var (group, count) = (UInt32(0), 0)
        func put(_ characters: Int) {
            for place in 0..<4 {
                let value = Int(group >> UInt32(18 - 6 * place)) & 63
                text.append(place < characters ? alphabet[value] : padding)
            }
        }
        for byte in bytes {
            group |= UInt32(byte) << UInt32(16 - 8 * count)
            count += 1
            if count == 3 {
                put(4)
                (group, count) = (0, 0)
            }
        }
        if count > 0 { put(count + 1) }
        return text
    }

    /// The bytes, or nil: for a length that is no multiple of four, a character outside the alphabet, padding that is not at
    /// the end, and bits beyond the last byte that are not zero.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let text = ContiguousArray(text)
        guard text.count % 4 == 0 else { return nil }
        let padded = text.reversed().prefix { $0 == padding }.count
        guard padded <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var (group, bits) = (UInt32(0), 0)
        for character in text.dropLast(padded) {
            let value = values[Int(character)]
            guard value < 64 else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
                group &= (1 << UInt32(bits)) - 1
            }
        }
        return group == 0 ? bytes : nil
    }
}
