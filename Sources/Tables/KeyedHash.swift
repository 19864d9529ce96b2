// Until Secrets.KeyedHash is there.
struct KeyedHash: Sendable {
    let key0: UInt64
    let key1: UInt64

    init(key0: UInt64, key1: UInt64) {
        self.key0 = key0
        self.key1 = key1
    }

    struct State {
        var v0: UInt64, v1: UInt64, v2: UInt64, v3: UInt64
        @inline(__always) mutating func round() {
            v0 = v0 &+ v1
            v1 = v1 << 13 | v1 >> 51
            v1 ^= v0
            v0 = v0 << 32 | v0 >> 32
            v2 = v2 &+ v3
            v3 = v3 << 16 | v3 >> 48
            v3 ^= v2
            v0 = v0 &+ v3
            v3 = v3 << 21 | v3 >> 43
            v3 ^= v0
            v2 = v2 &+ v1
            v1 = v1 << 17 | v1 >> 47
            v1 ^= v2
            v2 = v2 << 32 | v2 >> 32
        }
        @inline(__always) mutating func absorb(_ m: UInt64) {
            v3 ^= m
            round()
            round()
            v0 ^= m
        }
        @inline(__always) mutating func finish() -> (UInt64, UInt64) {
            v2 ^= 0xee
            round()
            round()
            round()
            round()
            let a = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            round()
            round()
            round()
            round()
            return (a, v0 ^ v1 ^ v2 ^ v3)
        }
    }

    @inline(__always) func start() -> State {
        State(
            v0: key0 ^ 0x736f_6d65_7073_6575, v1: key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee, v2: key0 ^ 0x6c79_6765_6e65_7261,
            v3: key1 ^ 0x7465_6462_7974_6573)
    }

    func hash(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        var state = start()
        var i = 0
        while i + 8 <= bytes.count {
            state.absorb(bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            i += 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        var shift: UInt64 = 0
        while i < bytes.count {
            last |= UInt64(bytes[i]) << shift
            shift += 8
            i += 1
        }
        state.absorb(last)
        return state.finish()
    }
    func hash(_ bytes: [UInt8]) -> (UInt64, UInt64) { bytes.withUnsafeBytes { hash($0) } }
    @inline(__always) func hash(word: UInt64) -> (UInt64, UInt64) {
        var state = start()
        state.absorb(word)
        state.absorb(8 << 56)
        return state.finish()
    }
    @inline(__always) func hash(words a: UInt64, _ b: UInt64) -> (UInt64, UInt64) {
        var state = start()
        state.absorb(a)
        state.absorb(b)
        state.absorb(16 << 56)
        return state.finish()
    }
    @inline(__always) func hash(words: UnsafeBufferPointer<UInt64>) -> (UInt64, UInt64) {
        var state = start()
        for word in words { state.absorb(word) }
        state.absorb(UInt64(truncatingIfNeeded: words.count * 8) << 56)
        return state.finish()
    }
}
