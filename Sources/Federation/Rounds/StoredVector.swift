internal import Crypto
public import Foundation
internal import Synchronization

/// Bytes of a vector that lies elsewhere than in memory, in a file say. They stay as they are while this is held.
public struct StoredVector: Sendable {
    /// What it is called where it lies.
    public let number: Int
    /// How many bytes it has.
    public let count: Int
    /// SHA-256 of them.
    public let digest: Data
    private let reading: @Sendable (_ offset: Int, _ target: UnsafeMutableRawBufferPointer) throws -> Void

    /// - Parameter reading: Fills a buffer with the bytes from an offset on; throws where they cannot be read.
    public init(
        number: Int, count: Int, digest: Data,
        reading: @escaping @Sendable (_ offset: Int, _ target: UnsafeMutableRawBufferPointer) throws -> Void
    ) {
        (self.number, self.count, self.digest, self.reading) = (number, count, digest, reading)
    }

    /// Fills a buffer with the bytes from an offset on.
    ///
    /// - Throws: That they cannot be read.
    public func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        precondition(offset >= 0 && offset + target.count <= count, "beyond the vector's \(count) bytes")
        guard target.count > 0 else { return }
        try reading(offset, target)
    }

    /// All of them, in memory: ends the process where they cannot be read.
    var bytes: Data {
        var data = Data(count: count)
        do { try data.withUnsafeMutableBytes { try read(at: 0, into: $0) } } catch {
            preconditionFailure("a vector cannot be read where it lies: \(error)")
        }
        return data
    }
}

/// Where the vectors lie that a ``Coordinator`` makes: sums and weights.
///
/// In memory unless its caller says otherwise. With another place a coordinator keeps updates that lie elsewhere as they are, and adds up all of them in one pass when
/// the round closes: it holds some chunks of ``chunk`` numbers, however long the vectors are and however many participants there are.
public struct VectorPlace: Sendable {
    /// Fills a vector: calls `append` with its bytes, piece by piece.
    public typealias Filling = (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

    /// So many numbers are held of a vector at a time.
    public static let chunk = 1 << 17
    /// Every vector lies in memory.
    public static let memory = VectorPlace(largestInMemory: .max) { _ in
        preconditionFailure("no vector is longer than what lies in memory")
    }

    private let largestInMemory: Int
    private let make: @Sendable (Filling) throws -> StoredVector

    /// - Parameters:
    ///   - largestInMemory: Vectors of more bytes lie elsewhere.
    ///   - make: Makes a vector there, whole or not at all.
    public init(largestInMemory: Int, make: @escaping @Sendable (Filling) throws -> StoredVector) {
        (self.largestInMemory, self.make) = (largestInMemory, make)
    }

    /// Whether a vector of so many bytes lies elsewhere.
    func takes(_ bytes: Int) -> Bool { bytes > largestInMemory }

    /// The ranges of a vector's chunks.
    static func chunks(_ count: Int, of length: Int = chunk) -> some Sequence<Range<Int>> {
        stride(from: 0, to: count, by: max(length, 1)).lazy.map { $0..<min($0 + length, count) }
    }

    /// Makes a vector of so many numbers, chunk by chunk.
    ///
    /// - Parameters:
    ///   - chunk: How many are made at a time.
    ///   - fill: Makes the numbers of a range; it is called with each in turn.
    /// - Throws: What `fill` throws, or that there is no room.
    public func vector<Number>(
        _ count: Int, chunk: Int = chunk,
        _ fill: (Range<Int>, UnsafeMutableBufferPointer<Number>) throws -> Void
    ) throws -> Packed<Number> {
        let size = MemoryLayout<Number>.size
        guard takes(size * count) else {
            // Aligned, and nothing is written twice.
            let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: size * count, alignment: 64)
            do {
                let all = raw.bindMemory(to: Number.self)
                for range in Self.chunks(count, of: chunk) {
                    try fill(range, UnsafeMutableBufferPointer(rebasing: all[range]))
                }
            } catch {
                raw.deallocate()
                throw error
            }
            guard let address = raw.baseAddress, raw.count > 0 else {
                raw.deallocate()
                return Packed(whole: Data())
            }
            return Packed(
                whole: Data(
                    bytesNoCopy: address, count: raw.count, deallocator: .custom { bytes, _ in bytes.deallocate() }))
        }
        let made = try make { append in
            let buffer = UnsafeMutableBufferPointer<Number>.allocate(capacity: min(chunk, count))
            defer { buffer.deallocate() }
            for range in Self.chunks(count, of: chunk) {
                let part = UnsafeMutableBufferPointer(rebasing: buffer[0..<range.count])
                try fill(range, part)
                try append(UnsafeRawBufferPointer(part))
            }
        }
        precondition(made.count == size * count, "a place keeps all bytes of a vector")
        return Packed(whole: made)
    }
}

extension VectorPlace: Codable {
    /// It is no part of what is stored.
    public init(from decoder: any Decoder) throws { self = .memory }

    public func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: AnyKey.self) }
}

// MARK: names in JSON

/// What stands in JSON in the place of a vector whose bytes are elsewhere.
public struct VectorName: Sendable, Hashable, Codable {
    /// Its number where it lies; or behind how many other bytes it follows the JSON.
    public let number: Int
    /// How many bytes it has.
    public let bytes: Int
    /// SHA-256 of them.
    public let sha256: Data
}

/// A vector's bytes, or where they are.
public enum VectorBytes: Sendable {
    /// They are here.
    case memory(Data)
    /// They lie elsewhere.
    case stored(StoredVector)

    /// How many.
    public var count: Int {
        switch self {
        case .memory(let bytes): bytes.count
        case .stored(let vector): vector.count
        }
    }

    /// SHA-256 of them.
    var digest: Data {
        switch self {
        case .memory(let bytes): Data(SHA256.hash(data: bytes))
        case .stored(let vector): vector.digest
        }
    }

    /// All of them, in memory.
    var bytes: Data {
        switch self {
        case .memory(let bytes): bytes
        case .stored(let vector): vector.bytes
        }
    }
}

/// Tells a JSON encoder which vectors are named, and collects these.
public final class VectorWriting: Sendable {
    private let largestInText: Int?
    private let collected = Mutex<[VectorBytes]>([])

    /// Names those that lie elsewhere by their numbers there; the others are in the JSON.
    public init() { largestInText = nil }

    /// Names those of more bytes, wherever they lie, by their places one behind the other.
    init(largestInText: Int) { self.largestInText = largestInText }

    /// Those that were named, in order.
    public var named: [VectorBytes] { collected.withLock { $0 } }

    /// The JSON of a value.
    ///
    /// - Throws: What its encoding throws.
    public func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.userInfo[.vectors] = self
        return try encoder.encode(value)
    }

    func name(of vector: VectorBytes) -> VectorName? {
        collected.withLock { collected in
            let number: Int
            switch (largestInText, vector) {
            case (nil, .memory): return nil
            case (nil, .stored(let stored)): number = stored.number
            case (.some(let largest), _):
                guard vector.count > largest else { return nil }
                number = collected.reduce(0) { $0 + $1.count }
            }
            collected.append(vector)
            return VectorName(number: number, bytes: vector.count, sha256: vector.digest)
        }
    }
}

/// Gives what stands behind a frame's JSON by the names in it: each as it was signed, and nothing besides.
final class VectorsBehind: Sendable {
    private let bytes: Data
    private let taken = Mutex(0)

    init(_ bytes: Data) { self.bytes = bytes }

    struct Damaged: Error {}

    /// - Throws: `Damaged` where what was named is not there, or something else is.
    func decode<Value: Decodable>(_ type: Value.Type, from json: Data) throws -> Value {
        let value = try VectorReading { try self.vector($0) }.decode(type, from: json)
        guard taken.withLock({ $0 }) == bytes.count else { throw Damaged() }
        return value
    }

    private func vector(_ name: VectorName) throws -> VectorBytes {
        guard (0...bytes.count).contains(name.number), (0...bytes.count - name.number).contains(name.bytes) else {
            throw Damaged()
        }
        let part = bytes.dropFirst(name.number).prefix(name.bytes)
        guard Data(SHA256.hash(data: part)) == name.sha256 else { throw Damaged() }
        taken.withLock { $0 += name.bytes }
        return .memory(part)
    }
}

/// Tells a JSON decoder where vectors are that the JSON names.
public struct VectorReading: Sendable {
    let vector: @Sendable (VectorName) throws -> VectorBytes

    /// - Parameter vector: Gives a named one; throws where there is none.
    public init(_ vector: @escaping @Sendable (VectorName) throws -> VectorBytes) { self.vector = vector }

    /// The value of some JSON.
    ///
    /// - Throws: What its decoding throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from json: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.userInfo[.vectors] = self
        return try decoder.decode(type, from: json)
    }
}

extension CodingUserInfoKey {
    /// A ``VectorWriting`` or a ``VectorReading``.
    static var vectors: CodingUserInfoKey {
        guard let key = CodingUserInfoKey(rawValue: "vectors") else { preconditionFailure("a name is a key") }
        return key
    }
}
