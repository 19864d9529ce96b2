internal import Kernels

/// The Galois ring GR(2^64, 64) = Z/2^64[x] / (x^64 + x^4 + x^3 + x + 1): 64 words are an element, word i the factor of x^i. The polynomial is irreducible modulo 2, so that an element is invertible where
/// a word of it is odd; words' integers are among the elements.
///
/// The 2^64 elements whose words are 0 or 1 (given as the bits of one word here) differ from each other in an odd word, that is by an invertible element: a polynomial of degree d that is not zero vanishes at d of
/// them at most. That is what a field of 2^64 elements is wanted for, and no ring of integers modulo 2^64 has (Escudero and Soria-Vazquez 2021, "Efficient information-theoretic multi-party computation over non-commutative rings", section 2;
/// Boyle, Gilboa, Ishai and Nof 2019, section 3.4).
public enum GaloisRing {
    /// Words of an element.
    public static let degree = 64

    /// a b of two elements.
    public static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        innerProduct(a, from: 0, b, from: 0, count: 1)
    }

    /// The sum of a[aFirst + i] b[bFirst + i], so many elements.
    public static func innerProduct(
        _ a: [UInt64], from aFirst: Int, _ b: [UInt64], from bFirst: Int, count: Int
    ) -> [UInt64] {
        precondition(
            degree * (aFirst + count) <= a.count && degree * (bFirst + count) <= b.count,
            "Operands of a product do not fit.")
        let table = RingMatrices.product(
            rows: degree, inner: count, columns: degree, a, leftFrom: degree * aFirst, transposed: true, b,
            rightFrom: degree * bFirst)
        var sums = [UInt64](repeating: 0, count: 2 * degree)
        for i in 0..<degree {
            for j in 0..<degree { sums[i + j] &+= table[i * degree + j] }
        }
        return reduced(sums)
    }

    /// Elements times the element of zeros and ones whose bits are given.
    public static func product(_ elements: [UInt64], bits: UInt64) -> [UInt64] {
        product(elements, bits: repeatElement(bits, count: elements.count / degree))
    }

    /// Elements, each times the element of zeros and ones whose bits are given: for each its own.
    public static func product(_ elements: [UInt64], bits: some Collection<UInt64>) -> [UInt64] {
        precondition(elements.count == degree * bits.count, "Operands of a product do not fit.")
        return [UInt64](unsafeUninitializedCapacity: elements.count) { result, initialized in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * degree) { sums in
                guard let sums = sums.baseAddress else { return }
                elements.withUnsafeBufferPointer { elements in
                    for (number, pattern) in bits.enumerated() {
                        let first = degree * number
                        sums.update(repeating: 0, count: 2 * degree)
                        var left = pattern
                        while left != 0 {
                            let target = sums + left.trailingZeroBitCount
                            left &= left &- 1
                            for i in 0..<degree { target[i] &+= elements[first + i] }
                        }
                        reduce(sums)
                        for i in 0..<degree { result[first + i] = sums[i] }
                    }
                }
            }
            initialized = elements.count
        }
    }

    /// The element of zeros and ones whose bits are given.
    public static func element(bits: UInt64) -> [UInt64] { (0..<UInt64(degree)).map { bits >> $0 & 1 } }

    /// An element times x.
    public static func timesX(_ element: [UInt64]) -> [UInt64] {
        reduced([0] + element + [UInt64](repeating: 0, count: degree - 1))
    }

    private static func reduced(_ sums: [UInt64]) -> [UInt64] {
        var sums = sums
        sums.withUnsafeMutableBufferPointer { sums in
            if let sums = sums.baseAddress { reduce(sums) }
        }
        return Array(sums.prefix(degree))
    }

    /// x^64 is - x^4 - x^3 - x - 1.
    private static func reduce(_ sums: UnsafeMutablePointer<UInt64>) {
        for place in (degree..<2 * degree).reversed() {
            let word = sums[place]
            for power in [0, 1, 3, 4] { sums[place - degree + power] &-= word }
        }
    }
}

/// Products of matrices modulo 2^64 that need not be stored row by row.
public enum RingMatrices {
    /// The product of a [rows, inner] and b [inner, columns].
    ///
    /// - Parameters:
    ///   - leftFrom: Where a begins.
    ///   - transposed: Whether a is stored as [inner, rows].
    ///   - rightFrom: Where b begins.
    public static func product(
        rows: Int, inner: Int, columns: Int, _ a: [UInt64], leftFrom aFirst: Int = 0, transposed: Bool = false,
        _ b: [UInt64], rightFrom bFirst: Int = 0
    ) -> [UInt64] {
        precondition(
            aFirst + rows * inner <= a.count && bFirst + inner * columns <= b.count, "Operands of a product do not fit."
        )
        var result = [UInt64](repeating: 0, count: rows * columns)
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                result.withUnsafeMutableBufferPointer { result in
                    guard let a = a.baseAddress, let b = b.baseAddress, let result = result.baseAddress else { return }
                    let call = kernels_ring64_product(
                        m: rows, n: columns, k: inner, a: a + aFirst, lda: transposed ? rows : inner,
                        a_transposed: transposed, b: b + bFirst, ldb: columns, b_transposed: false, c: result,
                        ldc: columns, accumulates: false)
                    withUnsafeTemporaryAllocation(
                        of: UInt64.self, capacity: kernels_ring64_workspace(call, instructions)
                    ) { kernels_ring64_multiply(call, $0.baseAddress, instructions) }
                }
            }
        }
        return result
    }
}
