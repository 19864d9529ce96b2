public import ModularArithmetic

extension ProgramBuilder {
    /// a b, element by element. One round, with an opening of each.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func product(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        guard a.shape == b.shape else {
            throw .shapes("a product of \(a.shape) and \(b.shape)", expected: "the same shape")
        }
        return try add(
            .product(.elements(a.count), a, b), shape: a.shape, bound: a.bound * b.bound, named: "product",
            isNonNegative: a.isNonNegative && b.isNonNegative)
    }

    /// The product of a matrix [m, k] and one [k, n]. One round, in which openings have the operands' size.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func matrixProduct(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        let product = try Self.matrices(a.shape, b.shape)
        return try add(
            .product(.matrices(product), a, b), shape: [product.rows, product.columns],
            bound: a.bound * b.bound * Double(product.inner), named: "matrix product")
    }

    /// As ``matrixProduct(_:_:)-(Value,Value)``, with weights of one party: the other one alone opens its share of `a`, once for all uses of the weights the owner opened them.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func matrixProduct(_ a: Value, _ b: Weights) throws(ComputationError) -> Value {
        let product = try Self.matrices(a.shape, b.shape)
        return try add(
            .weighted(.matrices(product), a, b), shape: [product.rows, product.columns],
            bound: a.bound * min(b.sumBound, b.bound * Double(product.inner)), named: "matrix product with \(b.name)")
    }

    /// The product with a matrix that all know. Local.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func matrixProduct(_ a: Value, _ b: RingTensor) throws(ComputationError) -> Value {
        let product = try Self.matrices(a.shape, b.shape)
        let largest = Double(b.words.map { Int64(bitPattern: $0).magnitude }.max() ?? 0)
        return try add(
            .publicProduct(.matrices(product), a, right: b.words), shape: [product.rows, product.columns],
            bound: a.bound * largest * Double(product.inner), named: "matrix product with public numbers")
    }

    /// A convolution of images [N, C, H, W] with kernels [O, C, KH, KW]. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func convolution(
        _ a: Value, _ b: Value, stride: Int = 1, padding: Int = 0
    ) throws(ComputationError) -> Value {
        let convolution = try Self.convolution(a.shape, b.shape, stride: stride, padding: padding)
        let map = BilinearMap.convolution(convolution)
        return try add(
            .product(map, a, b), shape: convolution.outputShape, bound: a.bound * b.bound * Double(map.terms),
            named: "convolution")
    }

    /// As ``convolution(_:_:stride:padding:)-(Value,Value,_,_)``, with weights of one party.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func convolution(
        _ a: Value, _ b: Weights, stride: Int = 1, padding: Int = 0
    ) throws(ComputationError) -> Value {
        let convolution = try Self.convolution(a.shape, b.shape, stride: stride, padding: padding)
        let map = BilinearMap.convolution(convolution)
        return try add(
            .weighted(map, a, b), shape: convolution.outputShape,
            bound: a.bound * min(b.sumBound, b.bound * Double(map.terms)),
            named: "convolution with \(b.name)")
    }

    /// The same value, for products: with a dealer it is opened under a mask here, once, and a product with it, or with elements gathered from it (a transposed matrix), opens its other operand alone. One
    /// round with a dealer; without one nothing happens, since replicated products open nothing.
    ///
    /// For an operand of many products: k of them with a matrix of n elements open it once, and not k times. Each product has correlations of its own, of the same mask against a fresh one.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func maskedOnce(_ value: Value) throws(ComputationError) -> Value {
        try add(
            .masked(value), shape: value.shape, bound: value.bound, named: "masking",
            isNonNegative: value.isNonNegative)
    }

    /// a where the condition, 0 or 1 in each element, is 1, and b elsewhere. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func selected(_ condition: Value, _ a: Value, _ b: Value) throws(ComputationError) -> Value {
        guard condition.bound <= 1, condition.isNonNegative else { throw .parameter("a condition", expected: "0 or 1") }
        let chosen = try product(condition, try difference(a, b))
        return try narrowed(
            b, plus: 1, times: chosen, bound: max(a.bound, b.bound), isNonNegative: a.isNonNegative && b.isNonNegative)
    }

    /// a plus a multiple of b, with a bound that its maker knows to hold although the parts' bounds say less: parts may wrap where the whole does not.
    mutating func narrowed(
        _ a: Value, plus factor: Int64, times b: Value, bound: Double, isNonNegative: Bool
    ) throws(ComputationError) -> Value {
        let terms = [Operation.Term(value: a, factor: 1), Operation.Term(value: b, factor: UInt64(bitPattern: factor))]
        return try add(.combination(terms), shape: a.shape, bound: bound, named: "bound", isNonNegative: isNonNegative)
    }

    /// The product of matrices, with a bound that its maker proves to hold for all inputs: sums may wrap on the way, what comes out does not. The proof stands beside each use.
    ///
    /// - Throws: ``ComputationError``.
    package mutating func matrixProduct(
        _ a: Value, _ b: Value, provenWithin bound: Double
    ) throws(ComputationError) -> Value {
        let product = try Self.matrices(a.shape, b.shape)
        return try add(
            .product(.matrices(product), a, b), shape: [product.rows, product.columns], bound: bound,
            named: "matrix product")
    }

    /// Division by 2^bits. One round.
    ///
    /// Not exactly, it is rounded down or up, up with the fraction as probability, and the masked low bits that decided are known to both parties: so nothing that is opened may come
    /// from it alone. Exactly, it is rounded to the nearest, halves up; this takes comparison functions of `bits` bits, and no more rounds (Escudero, Ghosh, Keller, Rachuri and Scholl 2020 for
    /// the first).
    ///
    /// - Throws: ``ComputationError``.
    public mutating func truncated(_ value: Value, by bits: Int, exactly: Bool) throws(ComputationError) -> Value {
        guard (1...61).contains(bits) else { throw .parameter("truncation by \(bits) bits", expected: "1 to 61") }
        guard value.bound + 0x1p60 < Self.limit else { throw .overflow("truncation", bits: value.bound.exponent + 3) }
        return try add(
            .truncation(value, bits: bits, isExact: exactly), shape: value.shape,
            bound: (value.bound / Double(sign: .plus, exponent: bits, significand: 1)).rounded(.up) + 1,
            named: "truncation",
            isNonNegative: value.isNonNegative, isRough: exactly ? false : true)
    }

    private static func matrices(_ a: [Int], _ b: [Int]) throws(ComputationError) -> MatrixProduct {
        guard a.count == 2, b.count == 2, a[1] == b[0] else {
            throw .shapes("a product of matrices \(a) and \(b)", expected: "[m, k] and [k, n]")
        }
        do { return try MatrixProduct(rows: a[0], inner: a[1], columns: b[1]) } catch {
            throw .shapes("a product of matrices \(a) and \(b)", expected: "\(error)")
        }
    }

    private static func convolution(
        _ a: [Int], _ b: [Int], stride: Int, padding: Int
    ) throws(ComputationError) -> RingConvolution {
        do { return try RingConvolution(input: a, weights: b, stride: stride, padding: padding) } catch {
            throw .shapes("a convolution of \(a) with \(b)", expected: "\(error)")
        }
    }
}
