/// A deterministic generator, for tests and for protocols whose parties expand a shared seed. Never for noise that is
/// released.
///
/// The words are the ChaCha20 key stream (RFC 8439, block function; 64-bit block counter and 64-bit nonce as in
/// Bernstein 2008), each the next eight bytes, little-endian. One key and stream give the same words on every platform.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    /// Eight words. (A vector of them would have to lie at multiples of 64, which frames of asynchronous functions do not see to.)
    private typealias Block = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    private var state: ChaChaState
    private var block: Block = (0, 0, 0, 0, 0, 0, 0, 0)
    private var position = 8

    /// The stream of the key that is the seed followed by zeros.
    public init(seed: UInt64) {
        self.init(key: (seed, 0, 0, 0))
    }

    /// The stream number `stream` of a 256-bit key, given as four little-endian words.
    public init(key: (UInt64, UInt64, UInt64, UInt64), stream: UInt64 = 0) {
        state = ChaChaState(key: key, nonce: stream)
    }

    /// The next eight bytes of the key stream, little-endian.
    public mutating func next() -> UInt64 {
        if position == 8 {
            block = unsafeBitCast(state.block(), to: Block.self)
            state.counter &+= 1
            position = 0
        }
        defer { position += 1 }
        return withUnsafeBytes(of: block) { $0.load(fromByteOffset: 8 * position, as: UInt64.self) }
    }
}

extension SeededGenerator: CustomStringConvertible, CustomReflectable {
    /// The name alone: a seed is never printed.
    public var description: String { "SeededGenerator" }
    /// Nothing: a seed is never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// ChaCha20's sixteen words as four rows.
struct ChaChaState: Sendable {
    typealias Row = SIMD4<UInt32>

    /// "expand 32-byte k" (RFC 8439, section 2.3).
    static let constants = Row(0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574)
    var keyRow0: Row
    var keyRow1: Row
    var counter: UInt64 = 0
    var nonce: UInt64

    init(key: (UInt64, UInt64, UInt64, UInt64), nonce: UInt64) {
        keyRow0 = Self.row(key.0, key.1)
        keyRow1 = Self.row(key.2, key.3)
        self.nonce = nonce
    }

    private static func row(_ a: UInt64, _ b: UInt64) -> Row {
        Row(
            UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: a >> 32), UInt32(truncatingIfNeeded: b),
            UInt32(truncatingIfNeeded: b >> 32))
    }

    /// The key stream's block at the counter (RFC 8439, section 2.3), as eight little-endian words.
    func block() -> SIMD8<UInt64> {
        let counterRow = Self.row(counter, nonce)
        var state = Rows(a: Self.constants, b: keyRow0, c: keyRow1, d: counterRow)
        for _ in 0..<10 {
            state.quarterRounds()
            state.b = Row(state.b[1], state.b[2], state.b[3], state.b[0])
            state.c = Row(state.c[2], state.c[3], state.c[0], state.c[1])
            state.d = Row(state.d[3], state.d[0], state.d[1], state.d[2])
            state.quarterRounds()
            state.b = Row(state.b[3], state.b[0], state.b[1], state.b[2])
            state.c = Row(state.c[2], state.c[3], state.c[0], state.c[1])
            state.d = Row(state.d[1], state.d[2], state.d[3], state.d[0])
        }
        let (a, b) = (state.a &+ Self.constants, state.b &+ keyRow0)
        let (c, d) = (state.c &+ keyRow1, state.d &+ counterRow)
        return SIMD8(
            Self.word(a[0], a[1]), Self.word(a[2], a[3]), Self.word(b[0], b[1]), Self.word(b[2], b[3]),
            Self.word(c[0], c[1]), Self.word(c[2], c[3]), Self.word(d[0], d[1]), Self.word(d[2], d[3]))
    }

    private static func word(_ low: UInt32, _ high: UInt32) -> UInt64 {
        UInt64(low) | UInt64(high) << 32
    }

    /// The state's four rows, whose columns take their quarter rounds side by side.
    private struct Rows {
        var a: Row
        var b: Row
        var c: Row
        var d: Row

        @inline(__always)
        mutating func quarterRounds() {
            a &+= b
            d = Self.rotate(d ^ a, 16)
            c &+= d
            b = Self.rotate(b ^ c, 12)
            a &+= b
            d = Self.rotate(d ^ a, 8)
            c &+= d
            b = Self.rotate(b ^ c, 7)
        }

        @inline(__always)
        private static func rotate(_ row: Row, _ count: UInt32) -> Row {
            (row &<< Row(repeating: count)) | (row &>> Row(repeating: 32 - count))
        }
    }
}
