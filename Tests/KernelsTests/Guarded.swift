import Kernels

/// The paths that this processor can take.
let paths: [kernels_instructions] = [.portable, .avx2, .avx512].filter { kernels_have($0) }

/// Numbers of a fixed sequence (SplitMix64), so that a failure can be repeated.
struct Sequence {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func word() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// Evenly in [low, high).
    mutating func float(_ low: Float = -1, _ high: Float = 1) -> Float {
        low + (high - low) * Float(word() >> 40) / Float(1 << 24)
    }

    mutating func floats(_ count: Int, _ low: Float = -1, _ high: Float = 1) -> [Float] {
        (0..<count).map { _ in float(low, high) }
    }

    mutating func below(_ limit: Int) -> Int { Int(word() % UInt64(limit)) }
}

/// Memory that a kernel is given, between two runs of guards, at an address that is no multiple of a vector's. Guards are NaNs of one payload: what is written
/// over them is seen, and what is read of them shows in the result.
final class Guarded {
    private static let guards = 67
    private static let pattern = Float(bitPattern: 0x7fc5_a5a5)
    private let memory: UnsafeMutableBufferPointer<Float>
    let count: Int

    /// Of guards throughout: what a kernel must not read.
    init(count: Int) {
        self.count = count
        memory = .allocate(capacity: count + 2 * Self.guards)
        memory.initialize(repeating: Self.pattern)
    }

    convenience init(_ values: [Float]) {
        self.init(count: values.count)
        for (i, value) in values.enumerated() { pointer[i] = value }
    }

    deinit { memory.deallocate() }

    var pointer: UnsafeMutablePointer<Float> { memory.baseAddress.unsafelyUnwrapped + Self.guards }

    var values: [Float] { (0..<count).map { pointer[$0] } }

    /// Whether nothing was written outside.
    var isIntact: Bool {
        (0..<Self.guards).allSatisfy { isGuard(memory[$0]) && isGuard(memory[Self.guards + count + $0]) }
    }

    private func isGuard(_ value: Float) -> Bool { value.bitPattern == Self.pattern.bitPattern }
}

/// Whether nothing was written outside of any.
func areIntact(_ guarded: Guarded...) -> Bool { guarded.allSatisfy(\.isIntact) }

/// The largest |a - b| / (1 + |b|), infinite where one is a NaN and the other is not.
func distance(_ found: [Float], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0) { worst, pair in
        let (found, expected) = (Double(pair.0), pair.1)
        if found.isNaN || expected.isNaN { return found.isNaN && expected.isNaN ? worst : .infinity }
        if found == expected { return worst }
        return max(worst, abs(found - expected) / (1 + abs(expected)))
    }
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
