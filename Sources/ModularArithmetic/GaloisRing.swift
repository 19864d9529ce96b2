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
        return filled(degree) { kernels_galois_collapse(table, $0, instructions) }
    }

    /// Elements times the element of zeros and ones whose bits are given.
    public static func product(_ elements: [UInt64], bits: UInt64) -> [UInt64] {
        product(elements, bits: [UInt64](repeating: bits, count: elements.count / degree))
    }

    /// Elements, each times the element of zeros and ones whose bits are given: for each its own.
    public static func product(_ elements: [UInt64], bits: [UInt64]) -> [UInt64] {
        precondition(elements.count == degree * bits.count, "Operands of a product do not fit.")
        return filled(elements.count) { kernels_galois_multiply(elements, bits, bits.count, $0, instructions) }
    }

    /// Rows of elements: the sum of row u times c^u, or c^(rows - 1 - u) where powers descend, c being the element of zeros and ones whose bits are given.
    public static func combination(_ elements: [UInt64], rows: Int, bits: UInt64, isDescending: Bool) -> [UInt64] {
        let count = elements.count / degree / max(rows, 1)
        precondition(elements.count == degree * rows * count, "Operands of a combination do not fit.")
        return filled(degree * count) {
            kernels_galois_fold(elements, rows, count, bits, isDescending, $0, instructions)
        }
    }

    /// The element of zeros and ones whose bits are given.
    public static func element(bits: UInt64) -> [UInt64] { elements(bits: [bits]) }

    /// The elements of zeros and ones whose bits are given.
    public static func elements(bits: [UInt64]) -> [UInt64] {
        filled(degree * bits.count) { kernels_galois_expand(bits, bits.count, $0, instructions) }
    }

    /// An element times x.
    public static func timesX(_ element: [UInt64]) -> [UInt64] { product(element, bits: [2]) }

    private static func filled(_ count: Int, _ fill: (UnsafeMutablePointer<UInt64>?) -> Void) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(buffer.baseAddress)
            initialized = count
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
