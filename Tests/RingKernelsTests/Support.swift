import Kernels
import Secrets

/// The paths that this processor can take.
let paths: [kernels_instructions] = [.portable, .avx2, .avx512].filter { kernels_have($0) }

/// The ways in which this processor can compute AES.
let ciphers: [kernels_cipher] = [.sliced, .instructions, .wide].filter { kernels_have_cipher($0) }

/// Words of a fixed sequence, so that a failure can be repeated.
struct Words {
    private var generator: SeededGenerator

    init(_ seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func callAsFunction(_ count: Int) -> [UInt64] { (0..<count).map { _ in generator.next() } }
    mutating func below(_ limit: Int) -> Int { Int(generator.next() % UInt64(limit)) }
}

/// Memory that a kernel is given, between guards, at an address that is no multiple of a vector's.
final class GuardedWords<Word: FixedWidthInteger> {
    private static var guards: Int { 67 }
    private static var pattern: Word { Word(truncatingIfNeeded: 0xa5c3_5a3c_a5c3_5a3c as UInt64) }
    private let memory: UnsafeMutableBufferPointer<Word>
    let count: Int

    init(count: Int) {
        self.count = count
        memory = .allocate(capacity: count + 2 * Self.guards)
        memory.initialize(repeating: Self.pattern)
    }

    convenience init(_ values: [Word]) {
        self.init(count: values.count)
        for (i, value) in values.enumerated() { pointer[i] = value }
    }

    deinit { memory.deallocate() }

    var pointer: UnsafeMutablePointer<Word> { memory.baseAddress.unsafelyUnwrapped + Self.guards }
    var values: [Word] { (0..<count).map { pointer[$0] } }

    /// Whether nothing was written outside.
    var isIntact: Bool {
        (0..<Self.guards).allSatisfy { memory[$0] == Self.pattern && memory[Self.guards + count + $0] == Self.pattern }
    }
}

/// Bytes of hexadecimal digits.
func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
