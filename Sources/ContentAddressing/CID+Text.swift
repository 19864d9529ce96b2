extension CID: CustomStringConvertible {
    /// The text form: 59 characters (`bafk...` or `bafy...`), or 46 in version 0 (`Qm...`).
    public var description: String {
        switch version {
        case .v0: Base58.text(bytes)
        case .v1: "b" + Base32.text(bytes)
        }
    }

    /// Reads the text form. There is one for each CID: upper case, padding and other bases are refused.
    ///
    /// - Throws: ``ContentError``.
    public init(_ text: String) throws(ContentError) {
        let characters = Array(text.utf8)
        guard characters.count <= Self.mostCharacters else {
            throw .malformed(.cid, offset: Self.mostCharacters, expected: "at most \(Self.mostCharacters) characters")
        }
        if characters.starts(with: "Qm".utf8) {
            guard characters.count == 46, let bytes = Base58.bytes(characters, count: 34) else {
                throw .malformed(.cid, offset: 0, expected: "46 characters of base58btc")
            }
            try self.init(bytes: bytes)
            guard version == .v0 else { throw .malformed(.cid, offset: 0, expected: "a CID of version 0") }
            return
        }
        guard characters.first == UInt8(ascii: "b") else {
            throw .unsupported(
                "a CID that begins otherwise", expected: "b and lower-case base32, or Qm and base58btc")
        }
        let bytes = try Base32.bytes(characters.dropFirst())
        try self.init(bytes: bytes)
        guard version == .v1 else { throw .malformed(.cid, offset: 1, expected: "a CID of version 1") }
    }

    private static let mostCharacters = 128
}

extension CID: Codable {
    /// Reads the text form; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(ContentError) {
            try self.init(try Self.text(container))
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    private static func text(_ container: any SingleValueDecodingContainer) throws(ContentError) -> String {
        guard let text = try? container.decode(String.self) else {
            throw .malformed(.cid, offset: 0, expected: "a text")
        }
        return text
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// RFC 4648, section 6, in lower case and without padding.
enum Base32 {
    private static let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 8 + 4) / 5)
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(digits[Int(bits >> count & 31)])
            }
        }
        if count > 0 { text.append(digits[Int(bits << (5 - count) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    static func bytes(_ text: ArraySlice<UInt8>) throws(ContentError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 5 / 8)
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for index in text.indices {
            let digit: UInt8
            switch text[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = text[index] - UInt8(ascii: "a")
            case UInt8(ascii: "2")...UInt8(ascii: "7"): digit = text[index] - UInt8(ascii: "2") + 26
            default: throw .malformed(.cid, offset: index, expected: "a to z or 2 to 7")
            }
            bits = (bits << 5 | UInt32(digit)) & 0xFFF
            count += 5
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        // What is left is less than a character, and zero: otherwise two texts would be one CID.
        guard count < 5, bits & (1 << count - 1) == 0 else {
            throw .malformed(.cid, offset: text.endIndex, expected: "as many characters as whole bytes need")
        }
        return bytes
    }
}

/// Bitcoin's base 58, for CIDs of version 0 alone.
enum Base58 {
    private static let digits = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    /// Of bytes the first of which is not zero.
    static func text(_ bytes: [UInt8]) -> String {
        var places: [UInt8] = []
        for byte in bytes {
            var carry = Int(byte)
            for index in places.indices {
                carry += Int(places[index]) << 8
                places[index] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                places.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        return String(decoding: places.reversed().map { digits[Int($0)] }, as: UTF8.self)
    }

    /// So many bytes; nil where it is another number of them.
    static func bytes(_ text: [UInt8], count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        for character in text {
            guard var carry = digits.firstIndex(of: character) else { return nil }
            for index in bytes.indices.reversed() {
                carry += 58 * Int(bytes[index])
                bytes[index] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            guard carry == 0 else { return nil }
        }
        return bytes
    }
}
