internal import Kernels

/// How polynomials over GF(2) are multiplied on this processor.
let carryless: kernels_carryless = kernels_have_carryless(.instructions) ? .instructions : .portable

/// GF(2^64) = GF(2)[x] / (x^64 + x^4 + x^3 + x + 1): a word is an element, its bit i the factor of x^i. Sums are exclusive or. Time and addresses depend on sizes alone.
public enum BinaryField {
    /// a b.
    public static func product(_ a: UInt64, _ b: UInt64) -> UInt64 { product([a], [b])[0] }

    /// a[i] b[i].
    public static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        precondition(a.count == b.count, "Operands of a product do not fit.")
        return filled(a.count) { kernels_field_multiply(a, b, a.count, $0, carryless) }
    }

    /// 1, a, a^2, ..., so many of them.
    public static func powers(_ a: UInt64, _ count: Int) -> [UInt64] {
        var powers: [UInt64] = []
        var power: UInt64 = 1
        for _ in 0..<count {
            powers.append(power)
            power = product(power, a)
        }
        return powers
    }

    /// The sum of a[aFirst + i] b[bFirst + i], so many of them.
    public static func innerProduct(
        _ a: [UInt64], from aFirst: Int = 0, _ b: [UInt64], from bFirst: Int = 0, count: Int
    ) -> UInt64 {
        precondition(aFirst + count <= a.count && bFirst + count <= b.count, "Operands of a product do not fit.")
        return a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                guard let a = a.baseAddress, let b = b.baseAddress else { return 0 }
                return kernels_field_inner(a + aFirst, b + bFirst, count, carryless)
            }
        }
    }

    /// The sum of rows, each times its factor.
    public static func combination(_ factors: [UInt64], ofRows rows: [UInt64]) -> [UInt64] {
        let count = rows.count / max(factors.count, 1)
        return filled(count) { kernels_field_combine(factors, factors.count, rows, count, $0, carryless) }
    }

    /// For each word the sum of the factors whose bits are set in it: 64 factors.
    public static func map(_ factors: [UInt64], _ words: [UInt64]) -> [UInt64] {
        precondition(factors.count == 64, "A map has 64 factors.")
        return filled(words.count) { kernels_field_map(factors, words, words.count, $0, instructions) }
    }

    /// Two replicated words' parts: words of x and y that a party knows.
    public struct GateOperands: Sendable {
        /// Of x.
        public let x: [UInt64]
        /// Of y.
        public let y: [UInt64]

        /// Equally many words of each.
        public init(x: [UInt64], y: [UInt64]) { (self.x, self.y) = (x, y) }
    }

    /// Coefficients 0 to 126 of the sum over words i of weights[i] times A of a.x[i] and B of b.y[i] plus A of a.y[i] and B of b.x[i], where A(X) of a word is the sum of x^u X^u over its set bits u, and
    /// B(X) that of X^(63 - v): coefficient 63 is the weighted sum of (a.x & b.y) ^ (a.y & b.x).
    public static func gates(_ weights: [UInt64], _ a: GateOperands, _ b: GateOperands) -> [UInt64] {
        precondition([a.x, a.y, b.x, b.y].allSatisfy { $0.count == weights.count }, "Operands of gates do not fit.")
        return filled(127) {
            kernels_field_gates(weights, a.x, a.y, b.x, b.y, weights.count, $0, carryless)
        }
    }

    private static func filled(_ count: Int, _ fill: (UnsafeMutablePointer<UInt64>?) -> Void) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(buffer.baseAddress)
            initialized = count
        }
    }
}
