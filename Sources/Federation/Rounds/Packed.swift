public import Foundation

/// Numbers as they go over the wire and into files: their bytes, little-endian, in base64.
public struct Packed<Number: PackedNumber>: Sendable, Hashable, Codable {
    /// In order.
    public let values: [Number]

    /// These numbers.
    public init(_ values: [Number]) { self.values = values }

    /// From their bytes; nil where these are no multiple of a number's.
    public init?(bytes: Data) {
        let size = MemoryLayout<Number.Pattern>.size
        guard bytes.count % size == 0 else { return nil }
        values = bytes.withUnsafeBytes { raw in
            [Number](unsafeUninitializedCapacity: raw.count / size) { numbers, count in
                count = raw.count / size
                for place in 0..<count {
                    let pattern = raw.loadUnaligned(fromByteOffset: place * size, as: Number.Pattern.self)
                    numbers.initializeElement(at: place, to: Number(packed: Number.Pattern(littleEndian: pattern)))
                }
            }
        }
    }

    /// Their bytes.
    public var bytes: Data { values.map(\.packed.littleEndian).withUnsafeBytes { Data($0) } }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let packed = Packed(bytes: try container.decode(Data.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected a multiple of \(MemoryLayout<Number.Pattern>.size) bytes")
        }
        self = packed
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}

/// A number that is its bits.
public protocol PackedNumber: Sendable, Hashable {
    /// An integer of the same size.
    associatedtype Pattern: FixedWidthInteger & BitwiseCopyable
    /// The bits.
    var packed: Pattern { get }
    /// The number of these bits.
    init(packed: Pattern)
}

extension Int64: PackedNumber {
    /// Itself.
    public var packed: Int64 { self }
    /// Itself.
    public init(packed: Int64) { self = packed }
}

extension UInt64: PackedNumber {
    /// Itself.
    public var packed: UInt64 { self }
    /// Itself.
    public init(packed: UInt64) { self = packed }
}

extension Float: PackedNumber {
    /// Its bits.
    public var packed: UInt32 { bitPattern }
    /// The number of these bits.
    public init(packed: UInt32) { self.init(bitPattern: packed) }
}
