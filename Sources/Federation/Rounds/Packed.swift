public import Foundation

/// Numbers as they go over the wire and into files: their bytes, little-endian; in JSON as base64. They are kept as these bytes, so that a large vector is not
/// copied on its way; or they lie elsewhere (``StoredVector``), and are read chunk by chunk.
public struct Packed<Number: PackedNumber>: Sendable {
    /// In memory; empty where they lie elsewhere.
    private var memory: Data
    /// Where they lie, if not in memory.
    public let stored: StoredVector?

    /// These numbers.
    public init(_ values: [Number]) {
        precondition(1.littleEndian == 1, "this machine keeps numbers as the wire has them")
        (memory, stored) = (values.withUnsafeBytes { Data($0) }, nil)
    }

    /// From their bytes; nil where these are no multiple of a number's.
    public init?(bytes: Data) {
        guard bytes.count % MemoryLayout<Number>.size == 0 else { return nil }
        (memory, stored) = (bytes, nil)
    }

    /// Those that lie elsewhere; nil where their bytes are no multiple of a number's.
    public init?(stored: StoredVector) {
        guard stored.count % MemoryLayout<Number>.size == 0 else { return nil }
        (memory, self.stored) = (Data(), stored)
    }

    init(whole memory: Data) { (self.memory, stored) = (memory, nil) }
    init(whole stored: StoredVector) { (memory, self.stored) = (Data(), stored) }

    /// Their bytes. What lies elsewhere is read as a whole: ends the process where it cannot be read.
    public var bytes: Data { stored?.bytes ?? memory }

    /// How many there are.
    public var count: Int { (stored?.count ?? memory.count) / MemoryLayout<Number>.size }

    /// In order, copied.
    public var values: [Number] {
        let bytes = bytes
        return [Number](unsafeUninitializedCapacity: count) { target, initialized in
            initialized = bytes.copyBytes(to: target) / MemoryLayout<Number>.size
        }
    }

    /// Calls `body` with the numbers where they are; they are copied only where they are not aligned, or lie elsewhere.
    func withValues<Result>(_ body: (UnsafeBufferPointer<Number>) throws -> Result) rethrows -> Result {
        let isAligned = memory.withUnsafeBytes { raw in
            Int(bitPattern: raw.baseAddress) % MemoryLayout<Number>.alignment == 0
        }
        guard isAligned, stored == nil else { return try values.withUnsafeBufferPointer(body) }
        return try memory.withUnsafeBytes { try body($0.assumingMemoryBound(to: Number.self)) }
    }

    /// Calls `body` with those in a range. What lies elsewhere is read into `chunk`, which is kept from call to call.
    ///
    /// - Throws: What `body` throws, or that they cannot be read.
    func withChunk<Result>(
        _ range: Range<Int>, _ chunk: inout [Number], _ body: (UnsafeBufferPointer<Number>) throws -> Result
    ) throws -> Result {
        guard let stored else { return try withValues { try body(UnsafeBufferPointer(rebasing: $0[range])) } }
        let size = MemoryLayout<Number>.size
        chunk = try [Number](unsafeUninitializedCapacity: range.count) { target, initialized in
            try stored.read(at: size * range.lowerBound, into: UnsafeMutableRawBufferPointer(target))
            initialized = range.count
        }
        return try chunk.withUnsafeBufferPointer(body)
    }

    /// Calls `body` with each chunk of ``VectorPlace/chunk`` numbers in turn, and the place of its first.
    ///
    /// - Throws: What `body` throws, or that they cannot be read.
    public func forEachChunk(_ body: (Int, UnsafeBufferPointer<Number>) throws -> Void) throws {
        var chunk: [Number] = []
        for range in VectorPlace.chunks(count) {
            try withChunk(range, &chunk) { try body(range.lowerBound, $0) }
        }
    }

    /// The same numbers, moved to a place.
    ///
    /// - Throws: What the place throws.
    func lying(in place: VectorPlace) throws -> Packed {
        guard stored == nil, place.takes(memory.count) else { return self }
        return try place.vector(count) { range, target in
            withValues { _ = target.update(fromContentsOf: $0[range]) }
        }
    }
}

extension Packed: Hashable {
    public static func == (left: Packed, right: Packed) -> Bool {
        if let one = left.stored, let other = right.stored {
            return one.count == other.count && one.digest == other.digest
        }
        return left.count == right.count && left.bytes == right.bytes
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(count) }
}

extension Packed<Int64> {
    /// Adds others, as many, each to the one at its place; modulo 2^64. Both lie in memory.
    mutating func add(_ others: Packed<Int64>) {
        others.withValues { others in
            memory.withUnsafeMutableBytes { raw in
                for place in others.indices {
                    let sum = raw.loadUnaligned(fromByteOffset: 8 * place, as: Int64.self) &+ others[place]
                    raw.storeBytes(of: sum, toByteOffset: 8 * place, as: Int64.self)
                }
            }
        }
    }

    /// The sum of vectors of one length, wherever they lie; modulo 2^64. Two chunks are held: the sum's, and one of a vector.
    ///
    /// - Throws: What the place throws, or that one cannot be read.
    static func sum(of vectors: [Packed<Int64>], in place: VectorPlace) throws -> Packed<Int64> {
        var chunk: [Int64] = []
        return try place.vector(vectors.first?.count ?? 0) { range, sum in
            sum.update(repeating: 0)
            for vector in vectors {
                try vector.withChunk(range, &chunk) { values in
                    for index in 0..<range.count { sum[index] &+= values[index] }
                }
            }
        }
    }

    /// Whether each is from -largest to largest, which is below 2^62, and can be read.
    func isWithin(_ largest: Int64) -> Bool {
        precondition(largest >= 0 && largest < 1 << 62, "differences of 64 bits have signs")
        var signs: Int64 = 0
        do {
            // No branch, no comparison: a loop of vectors. Whoever is beyond a bound has a negative distance to it; nobody within has one, nor one that overflows.
            try forEachChunk { _, values in
                var here: Int64 = 0
                for value in values { here |= (largest &- value) | (largest &+ value) }
                signs |= here
            }
        } catch { return false }
        return signs >= 0
    }
}

extension Packed<Float> {
    /// Whether each is finite, and can be read.
    var isFinite: Bool {
        var isFinite = true
        do { try forEachChunk { isFinite = isFinite && $1.allSatisfy(\.isFinite) } } catch { return false }
        return isFinite
    }

    /// Those on the way to others, as many: each + share x (other - each).
    ///
    /// - Throws: What the place throws, or that they cannot be read.
    public func moved(towards others: Packed<Float>, by share: Float, in place: VectorPlace) throws -> Packed<Float> {
        var (own, other): ([Float], [Float]) = ([], [])
        return try place.vector(count) { range, target in
            try withChunk(range, &own) { own in
                try others.withChunk(range, &other) { other in
                    for index in 0..<range.count { target[index] = own[index] + share * (other[index] - own[index]) }
                }
            }
        }
    }
}

extension Packed: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let size = MemoryLayout<Number>.size
        func damaged(_ expected: String) -> DecodingError {
            .dataCorruptedError(in: container, debugDescription: "expected \(expected)")
        }
        guard let reading = decoder.userInfo[.vectors] as? VectorReading,
            let name = try? container.decode(VectorName.self)
        else {
            guard let packed = Packed(bytes: try container.decode(Data.self)) else {
                throw damaged("a multiple of \(size) bytes")
            }
            self = packed
            return
        }
        let packed: Packed? =
            switch try reading.vector(name) {
            case .memory(let bytes): Packed(bytes: bytes)
            case .stored(let vector): Packed(stored: vector)
            }
        guard let packed, packed.count * size == name.bytes else { throw damaged("a multiple of \(size) bytes") }
        self = packed
    }

    /// Where the encoder asks for it (``VectorWriting``), a name in place of the bytes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let writing = encoder.userInfo[.vectors] as? VectorWriting,
            let name = writing.name(of: stored.map(VectorBytes.stored) ?? .memory(memory))
        {
            return try container.encode(name)
        }
        try container.encode(bytes)
    }
}

/// A number that is its bits, of which each is one.
public protocol PackedNumber: Sendable, Hashable, BitwiseCopyable {}

extension Int64: PackedNumber {}
extension UInt64: PackedNumber {}
extension Float: PackedNumber {}
