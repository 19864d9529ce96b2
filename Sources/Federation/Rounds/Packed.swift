public import Foundation

/// Numbers as they go over the wire and into files: their bytes, little-endian; in JSON as base64. They are kept as these bytes, so that a large vector is not
/// copied on its way.
public struct Packed<Number: PackedNumber>: Sendable, Hashable {
    /// Their bytes.
    public private(set) var bytes: Data

    /// These numbers.
    public init(_ values: [Number]) {
        precondition(1.littleEndian == 1, "this machine keeps numbers as the wire has them")
        bytes = values.withUnsafeBytes { Data($0) }
    }

    /// From their bytes; nil where these are no multiple of a number's.
    public init?(bytes: Data) {
        guard bytes.count % MemoryLayout<Number>.size == 0 else { return nil }
        self.bytes = bytes
    }

    /// How many there are.
    public var count: Int { bytes.count / MemoryLayout<Number>.size }

    /// In order, copied.
    public var values: [Number] {
        [Number](unsafeUninitializedCapacity: count) { target, initialized in
            initialized = bytes.copyBytes(to: target) / MemoryLayout<Number>.size
        }
    }

    /// Calls `body` with the numbers where they are; they are copied only where they are not aligned.
    func withValues<Result>(_ body: (UnsafeBufferPointer<Number>) throws -> Result) rethrows -> Result {
        let isAligned = bytes.withUnsafeBytes { raw in
            Int(bitPattern: raw.baseAddress) % MemoryLayout<Number>.alignment == 0
        }
        guard isAligned else { return try values.withUnsafeBufferPointer(body) }
        return try bytes.withUnsafeBytes { try body($0.assumingMemoryBound(to: Number.self)) }
    }
}

extension Packed<Int64> {
    /// Adds others, as many, each to the one at its place; modulo 2^64.
    mutating func add(_ others: Packed<Int64>) {
        others.withValues { others in
            bytes.withUnsafeMutableBytes { raw in
                for place in others.indices {
                    let sum = raw.loadUnaligned(fromByteOffset: 8 * place, as: Int64.self) &+ others[place]
                    raw.storeBytes(of: sum, toByteOffset: 8 * place, as: Int64.self)
                }
            }
        }
    }

    /// Whether each is from -largest to largest, which is at most 2^62.
    func isWithin(_ largest: Int64) -> Bool {
        withValues { values in
            let (limit, offset) = (UInt64(2 * largest), UInt64(largest))
            var beyond: UInt64 = 0
            // No branch: a loop of vectors.
            for value in values { beyond |= UInt64(bitPattern: value) &+ offset > limit ? 1 : 0 }
            return beyond == 0
        }
    }
}

extension Packed: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let packed = Packed(bytes: try container.decode(Data.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected a multiple of \(MemoryLayout<Number>.size) bytes")
        }
        self = packed
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}

/// A number that is its bits, of which each is one.
public protocol PackedNumber: Sendable, Hashable, BitwiseCopyable {}

extension Int64: PackedNumber {}
extension UInt64: PackedNumber {}
extension Float: PackedNumber {}
