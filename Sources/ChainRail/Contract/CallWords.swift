internal import Marketplace

/// Arguments of a contract's function: words of 32 bytes (Solidity's ABI specification, "Formal Specification of the Encoding").
enum CallWords {
    static func word(_ number: UInt64) -> [UInt8] {
        [UInt8](repeating: 0, count: 24) + withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }

    static func word(_ number: UInt128) -> [UInt8] {
        [UInt8](repeating: 0, count: 16) + withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }

    static func word(_ address: ChainAddress) -> [UInt8] { [UInt8](repeating: 0, count: 12) + address.bytes }

    static func call(_ signature: String, _ words: [UInt8] = []) -> [UInt8] { ChainClaim.selector(signature) + words }
}

extension [UInt8] {
    /// The bytes of hexadecimal digits in pairs; nil for anything else.
    init?(hex: some StringProtocol) {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.digit(digits[place]), let low = Self.digit(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// `0x` and two lower-case digits a byte.
    var hexadecimal: String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        return "0x" + String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
