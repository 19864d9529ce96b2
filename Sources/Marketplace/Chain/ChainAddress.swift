/// The 20 bytes of an account or contract of a chain.
public struct ChainAddress: Sendable, Hashable, Codable, CustomStringConvertible {
    /// 20 bytes.
    public let bytes: [UInt8]

    /// The address; nil where there are not 20 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 20 else { return nil }
        self.bytes = bytes
    }

    /// The address of `0x` and 40 hexadecimal digits; nil for anything else. With letters of both cases the checksum must be right (EIP-55).
    public init?(_ text: String) {
        guard text.hasPrefix("0x"), text.utf8.count == 42 else { return nil }
        let digits = text.utf8.dropFirst(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 40 else { return nil }
        bytes = (0..<20).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
        let letters = text.utf8.dropFirst(2).filter { $0 > UInt8(ascii: "9") }
        let isMixed = letters.contains { $0 >= UInt8(ascii: "a") } && letters.contains { $0 < UInt8(ascii: "a") }
        if isMixed, description != text { return nil }
    }

    /// `0x` and 40 hexadecimal digits, whose letters' cases are a checksum (EIP-55).
    public var description: String {
        let digits = bytes.flatMap { [$0 >> 4, $0 & 15] }.map { Array("0123456789abcdef".utf8)[Int($0)] }
        let hash = Keccak256.hash(digits).bytes
        let cased = digits.enumerated().map { place, digit in
            let nibble = place % 2 == 0 ? hash[place / 2] >> 4 : hash[place / 2] & 15
            return digit >= UInt8(ascii: "a") && nibble >= 8 ? digit - 32 : digit
        }
        return "0x" + String(decoding: cased, as: UTF8.self)
    }

    /// Reads 20 bytes as their text; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let address = ChainAddress(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 0x and 40 hexadecimal digits with a right checksum")
        }
        self = address
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
