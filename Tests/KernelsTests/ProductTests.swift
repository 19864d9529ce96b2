import Kernels
import Testing

/// Vectors of a layer's inputs and of its outputs' gradients, as rows or as columns.
struct GramCase {
    let gram: kernels_gram
    let a, g: Guarded

    init(count: Int, aLength: Int, gLength: Int, areColumns: Bool, slack: Int) {
        var sequence = Sequence(UInt64(count + aLength))
        let shape = ProductCase(m: 0, n: 0, k: 0, slack: slack)
        let operand = { (length: Int, sequence: inout Sequence) in
            areColumns ? shape.operand(length, count, &sequence) : shape.operand(count, length, &sequence)
        }
        a = operand(aLength, &sequence)
        g = operand(gLength, &sequence)
        gram = kernels_gram(
            count: count, a: a.pointer, lda: (areColumns ? count : aLength) + slack, a_length: aLength,
            a_transposed: areColumns,
            g: g.pointer, ldg: (areColumns ? count : gLength) + slack, g_length: gLength, g_transposed: areColumns)
    }

    /// The squared norm of the sum of outer products.
    func reference() -> Double {
        var sum = 0.0
        for i in 0..<gram.a_length {
            for j in 0..<gram.g_length {
                var element = 0.0
                for t in 0..<gram.count {
                    let x = gram.a_transposed ? a.pointer[i * gram.lda + t] : a.pointer[t * gram.lda + i]
                    let y = gram.g_transposed ? g.pointer[j * gram.ldg + t] : g.pointer[t * gram.ldg + j]
                    element += Double(x) * Double(y)
                }
                sum += element * element
            }
        }
        return sum
    }
}

@Suite("Sums of products of pairs")
struct GramTests {
    @Test("The sum is the squared norm of the sum of outer products, for rows and for columns")
    func agrees() {
        for (count, aLength, gLength) in [
            (0, 3, 4), (1, 5, 3), (17, 0, 3), (17, 9, 4), (191, 3, 20), (192, 20, 2), (400, 7, 5), (600, 40, 3),
        ] {
            for areColumns in [false, true] {
                let of = GramCase(
                    count: count, aLength: aLength, gLength: gLength, areColumns: areColumns, slack: count % 3)
                let expected = of.reference()
                for path in paths {
                    let workspace = Guarded(count: kernels_gram_workspace(of.gram, path))
                    let found = kernels_gram_sum(of.gram, workspace.pointer, path)
                    #expect(
                        abs(found - expected) <= 1e-5 * (1 + expected),
                        "\(count) \(aLength) \(gLength) \(areColumns) \(path)")
                    #expect(areIntact(workspace, of.a, of.g))
                }
            }
        }
    }
}

/// A product's operands, each row followed by guards where a leading dimension leaves room.
struct ProductCase: CustomStringConvertible {
    let m: Int, n: Int, k: Int
    var aTransposed = false, bTransposed = false, accumulates = false, isScaled = false
    /// How much longer than a row a leading dimension is.
    var slack = 0

    var description: String {
        "\(m)x\(n)x\(k)\(aTransposed ? " A^T" : "")\(bTransposed ? " B^T" : "")\(accumulates ? " +=" : "")\(isScaled ? " scaled" : "")"
            + (slack > 0 ? " slack \(slack)" : "")
    }

    /// Random rows of an operand, with guards in the slack but not behind the last row.
    func operand(_ rows: Int, _ columns: Int, _ sequence: inout Sequence) -> Guarded {
        let target = Guarded(count: rows == 0 ? 0 : (rows - 1) * (columns + slack) + columns)
        for r in 0..<rows {
            for c in 0..<columns { target.pointer[r * (columns + slack) + c] = sequence.float() }
        }
        return target
    }
}

/// What a product reads and writes.
struct Operands {
    let a, b, c: Guarded
    let scale: Guarded?
    let of: ProductCase

    init(_ of: ProductCase, seed: UInt64 = 7) {
        var sequence = Sequence(seed)
        self.of = of
        a = of.aTransposed ? of.operand(of.k, of.m, &sequence) : of.operand(of.m, of.k, &sequence)
        b = of.bTransposed ? of.operand(of.n, of.k, &sequence) : of.operand(of.k, of.n, &sequence)
        c = of.accumulates ? of.operand(of.m, of.n, &sequence) : Guarded(count: of.operand(of.m, of.n, &sequence).count)
        scale = of.isScaled ? Guarded(sequence.floats(of.k, 0, 2)) : nil
    }

    var product: kernels_product {
        kernels_product(
            m: of.m, n: of.n, k: of.k, a: a.pointer, lda: (of.aTransposed ? of.m : of.k) + of.slack,
            a_transposed: of.aTransposed, b: b.pointer, ldb: (of.bTransposed ? of.k : of.n) + of.slack,
            b_transposed: of.bTransposed, c: c.pointer, ldc: of.n + of.slack, accumulates: of.accumulates,
            scale: scale.map { UnsafePointer($0.pointer) })
    }

    /// Rows of C, in double, and for each element the sum of absolute terms, which its rounding error is relative to.
    func reference() -> (sums: [Double], sizes: [Double]) {
        let p = product
        var sums: [Double] = []
        var sizes: [Double] = []
        for i in 0..<of.m {
            for j in 0..<of.n {
                var sum = of.accumulates ? Double(c.pointer[i * p.ldc + j]) : 0
                var size = abs(sum)
                for l in 0..<of.k {
                    let x = Double(of.aTransposed ? a.pointer[l * p.lda + i] : a.pointer[i * p.lda + l])
                    let y = Double(of.bTransposed ? b.pointer[j * p.ldb + l] : b.pointer[l * p.ldb + j])
                    let term = x * y * Double(scale?.pointer[l] ?? 1)
                    sum += term
                    size += abs(term)
                }
                sums.append(sum)
                sizes.append(size)
            }
        }
        return (sums, sizes)
    }

    /// C without its slack.
    var result: [Float] {
        (0..<of.m).flatMap { i in (0..<of.n).map { c.pointer[i * (of.n + of.slack) + $0] } }
    }

    /// Whether nothing was written outside of C's rows.
    var isIntact: Bool {
        let slackIsIntact = (0..<max(0, of.m - 1)).allSatisfy { i in
            (of.n..<of.n + of.slack).allSatisfy { c.pointer[i * (of.n + of.slack) + $0].isNaN }
        }
        return slackIsIntact && [a, b, c].allSatisfy(\.isIntact) && scale?.isIntact ?? true
    }

    func multiply(_ path: kernels_instructions) -> Bool {
        let workspace = Guarded(count: kernels_gemm_workspace(product, path))
        kernels_gemm(product, workspace.pointer, path)
        return workspace.isIntact
    }
}

@Suite("Products of matrices")
struct ProductTests {
    static let shapes: [(Int, Int, Int)] = {
        let edges = [0, 1, 3, 17]
        var shapes = edges.flatMap { m in edges.flatMap { n in edges.map { k in (m, n, k) } } }
        shapes += [
            (13, 10, 128), (8, 128, 84), (128, 84, 8), (25, 33, 513), (30, 257, 40), (64, 65, 66), (2, 300, 1030),
        ]
        return shapes + [(1009, 2, 5), (1011, 40, 3), (5, 1, 600), (40, 160, 1024)]
    }()

    @Test(
        "A product agrees with sums in double, whatever its shape, transposes, scale and leading dimensions, and writes nowhere else"
    )
    func agreesWithReference() {
        for (m, n, k) in Self.shapes {
            for flags in 0..<16 where m * n * k < 100_000 || [0, 3, 5, 10, 15].contains(flags) {
                let of = ProductCase(
                    m: m, n: n, k: k, aTransposed: flags & 1 > 0, bTransposed: flags & 2 > 0,
                    accumulates: flags & 4 > 0,
                    isScaled: flags & 8 > 0, slack: (m + n + flags) % 3)
                for path in paths { check(of, path) }
            }
        }
    }

    private func check(_ of: ProductCase, _ path: kernels_instructions) {
        let operands = Operands(of)
        let (sums, sizes) = operands.reference()
        #expect(operands.multiply(path), "\(of) \(path): workspace")
        #expect(operands.isIntact, "\(of) \(path)")
        let wrong = zip(operands.result, zip(sums, sizes)).filter { found, expected in
            !(abs(Double(found) - expected.0) <= 4e-7 * Double(of.k).squareRoot() * expected.1)
        }
        #expect(wrong.isEmpty, "\(of) \(path): \(wrong.count) of \(sums.count)")
    }

    @Test("An element is the same to the bit wherever its row lies, and whatever rows and columns lie beside it")
    func elementsStandAlone() {
        for path in paths {
            for flags in 0..<4 {
                let (aTransposed, bTransposed) = (flags & 1 > 0, flags & 2 > 0)
                for (m, n, k) in [(30, 70, 600), (40, 300, 20), (14, 10, 1024)] {
                    let whole = Operands(
                        ProductCase(m: m, n: n, k: k, aTransposed: aTransposed, bTransposed: bTransposed))
                    _ = whole.multiply(path)
                    for (row, rows, column, columns) in [(1, m - 1, 0, n), (m / 2, 1, n / 3, 5), (3, 2, n - 1, 1)] {
                        var part = whole.product
                        part.a += aTransposed ? row : row * part.lda
                        part.b += bTransposed ? column * part.ldb : column
                        (part.m, part.n) = (rows, columns)
                        let c = Guarded(count: rows * columns)
                        (part.c, part.ldc) = (c.pointer, columns)
                        let workspace = Guarded(count: kernels_gemm_workspace(part, path))
                        kernels_gemm(part, workspace.pointer, path)
                        let expected = (0..<rows).flatMap { i in
                            (0..<columns).map { whole.c.pointer[(row + i) * n + column + $0] }
                        }
                        #expect(bits(c.values) == bits(expected), "\(whole.of) \(path), row \(row), column \(column)")
                    }
                }
            }
        }
    }

    @Test("NaN and infinity reach the elements that they belong to, and no others")
    func nonFiniteStaysInItsRow() {
        for path in paths {
            let operands = Operands(ProductCase(m: 15, n: 21, k: 40))
            operands.a.pointer[7 * 40 + 3] = .nan
            operands.b.pointer[5 * 21 + 20] = .infinity
            _ = operands.multiply(path)
            let found = operands.result
            for i in 0..<15 {
                for j in 0..<21 { #expect(found[i * 21 + j].isFinite == (i != 7 && j != 20)) }
            }
        }
    }
}
