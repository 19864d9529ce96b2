internal import Foundation
internal import Secrets

/// The number of a report, 16 bytes that the client draws at random (draft, section 9.2). It is public: both aggregators
/// know a report by it.
public struct ReportNonce: Sendable, Hashable, Comparable {
    /// Bytes of a nonce.
    static let size = 16

    private let high: UInt64
    private let low: UInt64

    /// A fresh one of the operating system's randomness.
    public init() { self.init(sixteen: SecureRandom.bytes(Self.size)) }

    /// One that was received. Throws `malformed` unless it has 16 bytes.
    public init(_ bytes: [UInt8]) throws(Prio3Error) {
        guard bytes.count == Self.size else { throw .malformed("nonce", expected: "\(Self.size) bytes") }
        self.init(sixteen: bytes)
    }

    private init(sixteen bytes: [UInt8]) {
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        (high, low) = (word(bytes[..<8]), word(bytes[8...]))
    }

    /// The 16 bytes.
    public var bytes: [UInt8] {
        [high, low].flatMap { word in
            stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
        }
    }

    /// By the bytes, the first one first.
    public static func < (a: ReportNonce, b: ReportNonce) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension ReportNonce: CustomStringConvertible {
    /// The 16 bytes in hexadecimal.
    public var description: String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}

extension ReportNonce: Codable {
    /// Throws unless there are 16 bytes.
    public init(from decoder: any Decoder) throws {
        try self.init([UInt8](try decoder.singleValueContainer().decode(Data.self)))
    }

    /// The 16 bytes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes))
    }
}
