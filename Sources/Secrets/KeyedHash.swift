/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012; the 128-bit variant of their reference code): a
/// pseudorandom function under a secret key. Who lacks the key can neither predict an output nor invert one.
public struct KeyedHash: Sendable {
    @usableFromInline let key0: UInt64
    @usableFromInline let key1: UInt64

    /// The key's sixteen bytes as two little-endian words.
    public init(key0: UInt64, key1: UInt64) {
        self.key0 = key0
        self.key1 = key1
    }

    /// 128 bits; ordered by `first`, then `second`.
    public struct Digest: Sendable, Hashable, Comparable {
        /// The first eight bytes of the output, little-endian.
        public var first: UInt64
        /// The last eight bytes of the output, little-endian.
        public var second: UInt64

        /// The two halves, as in `first` and `second`.
        @inlinable
        public init(first: UInt64, second: UInt64) {
            self.first = first
            self.second = second
        }

        /// By `first`, then by `second`.
        @inlinable
        public static func < (a: Digest, b: Digest) -> Bool {
            a.first < b.first || (a.first == b.first && a.second < b.second)
        }
    }

    /// The hash of the word's eight bytes, little-endian.
    @inlinable @inline(__always)
    public func hash(_ word: UInt64) -> Digest {
        var stream = Stream(self)
        stream.combine(word)
        return stream.finalize()
    }

    /// The hash of the two words' sixteen bytes, little-endian.
    @inlinable
    public func hash(_ a: UInt64, _ b: UInt64) -> Digest {
        var stream = Stream(self)
        stream.combine(a)
        stream.combine(b)
        return stream.finalize()
    }

    /// The hash of the bytes.
    @inlinable
    public func hash(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var stream = Stream(self)
        let words = bytes.count / 8
        for index in 0..<words {
            stream.combine(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
        }
        var tail: UInt64 = 0
        for (place, index) in (8 * words..<bytes.count).enumerated() {
            tail |= UInt64(bytes[index]) << UInt64(8 * place)
        }
        return stream.finalize(tail: tail, tailBytes: bytes.count - 8 * words)
    }

    /// The hash of the bytes.
    @inlinable
    public func hash(_ bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { hash($0) }
    }

    /// The hash of the text's UTF-8 bytes.
    @inlinable
    public func hash(_ text: String) -> Digest {
        var text = text
        return text.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
    }

    /// A hash that takes its input word by word.
    public struct Stream: Sendable {
        @usableFromInline var v0: UInt64
        @usableFromInline var v1: UInt64
        @usableFromInline var v2: UInt64
        @usableFromInline var v3: UInt64
        @usableFromInline var count: UInt64 = 0

        /// An empty message under the key.
        @inlinable
        public init(_ key: KeyedHash) {
            v0 = key.key0 ^ 0x736f_6d65_7073_6575
            v1 = key.key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = key.key0 ^ 0x6c79_6765_6e65_7261
            v3 = key.key1 ^ 0x7465_6462_7974_6573
        }

        /// Takes the word's eight bytes, little-endian.
        @inlinable @inline(__always)
        public mutating func combine(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
            count &+= 8
        }

        /// Takes fewer than eight last bytes (in the low bytes of `tail`) and gives the hash.
        @inlinable @inline(__always)
        public mutating func finalize(tail: UInt64 = 0, tailBytes: Int = 0) -> Digest {
            let length = count &+ UInt64(truncatingIfNeeded: tailBytes)
            let last = length << 56 | tail
            v3 ^= last
            round()
            round()
            v0 ^= last
            v2 ^= 0xee
            round()
            round()
            round()
            round()
            let first = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            round()
            round()
            round()
            round()
            return Digest(first: first, second: v0 ^ v1 ^ v2 ^ v3)
        }

        @inlinable @inline(__always)
        mutating func round() {
            v0 &+= v1
            v1 = (v1 << 13 | v1 >> 51) ^ v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = (v3 << 16 | v3 >> 48) ^ v2
            v0 &+= v3
            v3 = (v3 << 21 | v3 >> 43) ^ v0
            v2 &+= v1
            v1 = (v1 << 17 | v1 >> 47) ^ v2
            v2 = v2 << 32 | v2 >> 32
        }
    }
}

extension KeyedHash: CustomStringConvertible, CustomReflectable {
    /// The name alone: a key is never printed.
    public var description: String { "KeyedHash" }
    /// Nothing: a key is never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension KeyedHash.Stream: CustomStringConvertible, CustomReflectable {
    /// The name alone: what was hashed is never printed.
    public var description: String { "KeyedHash.Stream" }
    /// Nothing: a key is never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
