internal import Crypto

/// 32 bytes that name something: a SHA-256 digest (FIPS 180-4), or a random identifier. Public values: compared with `==`, not in constant time.
public struct Digest256: Sendable, Hashable {
    /// The length in bytes.
    public static let byteCount = 32

    /// Four words of eight bytes: a vector would have to lie at multiples of 32, which frames of asynchronous functions do not see to.
    private struct Words: Hashable, BitwiseCopyable {
        let first, second, third, fourth: UInt64

        /// In the order of the bytes.
        var ordered: (UInt64, UInt64, UInt64, UInt64) {
            (first.bigEndian, second.bigEndian, third.bigEndian, fourth.bigEndian)
        }
    }

    /// The bytes as they lie in memory.
    private let words: Words

    private init(words: Words) { self.words = words }

    /// The value with these 32 bytes; nil for any other number of bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        words = ContiguousArray(bytes).withUnsafeBytes { $0.loadUnaligned(as: Words.self) }
    }

    /// The value of 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: String) {
        var hex = hex
        let bytes: [UInt8]? = hex.withUTF8 { digits in
            guard digits.count == 2 * Self.byteCount else { return nil }
            var bytes: [UInt8] = []
            for pair in 0..<Self.byteCount {
                guard let high = Self.value(digits[2 * pair]), let low = Self.value(digits[2 * pair + 1]) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            }
            return bytes
        }
        guard let bytes else { return nil }
        self.init(bytes)
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: words) { [UInt8]($0) } }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The SHA-256 digest of the bytes.
    public static func sha256(_ bytes: [UInt8]) -> Digest256 { bytes.withUnsafeBytes { sha256($0) } }

    /// The SHA-256 digest of the bytes.
    public static func sha256(_ bytes: UnsafeRawBufferPointer) -> Digest256 {
        var function = SHA256()
        function.update(bufferPointer: bytes)
        return function.finalize().withUnsafeBytes { Digest256(words: $0.loadUnaligned(as: Words.self)) }
    }

    /// Runs the body with the 32 bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words) { body($0) }
    }
}

extension Digest256: Comparable {
    /// In the order of the bytes.
    public static func < (a: Digest256, b: Digest256) -> Bool {
        a.words.ordered < b.words.ordered
    }
}

extension Digest256: CustomStringConvertible {
    /// 64 hexadecimal digits.
    public var description: String { hex }
}

extension Digest256: Codable, CodingKeyRepresentable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// As a key of an object: its hexadecimal digits.
    public var codingKey: any CodingKey { Key(stringValue: hex) }

    /// Reads a key of an object; nil for anything but 64 hexadecimal digits.
    public init?<T: CodingKey>(codingKey: T) { self.init(hex: codingKey.stringValue) }

    /// Reads 64 hexadecimal digits; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Digest256(hex: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 64 lower-case hexadecimal digits")
        }
        self = value
    }

    /// Writes 64 hexadecimal digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}
