/// Bytes in memory that somebody else holds, a mapped file's say, as long as this object lives. They do not change meanwhile.
public final class HeldBytes: Sendable {
    nonisolated(unsafe) private let address: UnsafeRawPointer
    /// How many bytes there are.
    public let count: Int
    private let release: @Sendable () -> Void

    /// Bytes at an address that is a multiple of 8, which stay valid and unchanged until `release` is called: once, when this object dies.
    public init(address: UnsafeRawPointer, count: Int, release: @escaping @Sendable () -> Void) {
        precondition(UInt(bitPattern: address) % 8 == 0, "Words lie at multiples of eight bytes.")
        (self.address, self.count, self.release) = (address, count, release)
    }

    deinit { release() }

    /// The bytes, valid only during the call.
    @inline(__always)
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: address, count: count))
    }
}

/// Read-only words, little-endian as they are stored: of an array, or where ``HeldBytes`` lie, which are not copied.
public struct HeldWords: Sendable, CustomStringConvertible, CustomReflectable {
    private enum Place: Sendable {
        case array([UInt64])
        case held(HeldBytes, firstWord: Int)
    }

    private let place: Place
    /// How many words there are.
    public let count: Int

    /// An array's.
    public init(_ words: [UInt64]) { (place, count) = (.array(words), words.count) }

    /// Those from a word on.
    ///
    /// - Precondition: The bytes have them.
    public init(_ bytes: HeldBytes, from firstWord: Int, count: Int) {
        precondition(firstWord >= 0 && count >= 0 && 8 * (firstWord + count) <= bytes.count, "The bytes have them.")
        self.count = count
        #if _endian(little)
            place = .held(bytes, firstWord: firstWord)
        #else
            place = .array(
                bytes.withBytes { raw in
                    (firstWord..<firstWord + count).map {
                        UInt64(littleEndian: raw.load(fromByteOffset: 8 * $0, as: UInt64.self))
                    }
                })
        #endif
    }

    /// The words, valid only during the call.
    public func withWords<Result>(_ body: (UnsafeBufferPointer<UInt64>) throws -> Result) rethrows -> Result {
        switch place {
        case .array(let words): return try words.withUnsafeBufferPointer(body)
        case .held(let bytes, let firstWord):
            return try bytes.withBytes { raw in
                try body(UnsafeBufferPointer(rebasing: raw.bindMemory(to: UInt64.self)[firstWord..<firstWord + count]))
            }
        }
    }

    /// A copy.
    public var array: [UInt64] {
        if case .array(let words) = place { return words }
        return withWords(Array.init)
    }

    /// How many.
    public var description: String { "HeldWords(\(count))" }
    /// Nothing: they may be secret.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
