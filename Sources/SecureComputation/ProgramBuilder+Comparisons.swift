internal import ModularArithmetic

extension ProgramBuilder {
    mutating func sign(
        _ value: Value, thresholds: [Int64] = [0], results: [SignOperation.Result], carried: Value? = nil, shape: [Int],
        bound: Double
    ) throws(ComputationError) -> Value {
        let largest = Double(thresholds.map(\.magnitude).max() ?? 0)
        guard value.bound + largest < Self.limit else {
            throw .overflow("comparison", bits: (value.bound + largest).exponent + 2)
        }
        let isRounded = results.contains { if case .truncated = $0 { true } else { false } }
        let words = thresholds.map { UInt64(bitPattern: $0) }
        if comparisons == .twoRounds, carried == nil {
            let sign = try add(
                .compactSign(value, thresholds: words), shape: [1 + words.count] + value.shape, bound: value.bound,
                named: "sign")
            let product = CompactProduct(sign: sign, thresholds: words, results: results, count: value.count)
            return try add(
                .compactProduct(product), shape: shape, bound: bound, named: "product with a sign",
                isNonNegative: true, isRough: isRounded ? true : nil)
        }
        let operation = SignOperation(value: value, thresholds: words, results: results, carried: carried)
        return try add(
            .sign(operation), shape: shape, bound: bound, named: "comparison",
            isNonNegative: carried == nil || carried?.isNonNegative == true, isRough: isRounded ? true : nil)
    }

    /// max(x, 0). One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func relu(_ value: Value) throws(ComputationError) -> Value {
        try sign(value, results: [.excess], shape: value.shape, bound: value.bound)
    }

    /// max(x, 0) divided by 2^bits, rounded down or up as by ``truncated(_:by:exactly:)`` not exactly. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func relu(_ value: Value, truncatedBy bits: Int) throws(ComputationError) -> Value {
        guard (1...61).contains(bits) else { throw .parameter("truncation by \(bits) bits", expected: "1 to 61") }
        let bound = (value.bound / Double(sign: .plus, exponent: bits, significand: 1)).rounded(.up) + 1
        return try sign(value, results: [.truncated(bits: bits)], shape: value.shape, bound: bound)
    }

    /// min(max(x, 0), limit). One round, with the key of one comparison.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func relu(_ value: Value, upTo limit: Int64) throws(ComputationError) -> Value {
        guard limit > 0 else { throw .parameter("a limit of \(limit)", expected: "above 0") }
        let both = try sign(
            value, thresholds: [0, limit], results: [.excess], shape: [2] + value.shape,
            bound: value.bound + Double(limit))
        return try narrowed(
            part(both, 0, like: value), plus: -1, times: part(both, 1, like: value),
            bound: min(value.bound, Double(limit)),
            isNonNegative: true)
    }

    /// min(max(x, 0) / 2^bits, limit), rounded as by ``relu(_:truncatedBy:)``. One round, with the key of one comparison.
    ///
    /// The limit times 2^bits is a multiple of 2^bits, so that what is above it is divided with the same remainder as the whole, and their difference is the limit to the bit.
    ///
    /// - Parameter limit: Of what comes out.
    /// - Throws: ``ComputationError``.
    public mutating func relu(
        _ value: Value, truncatedBy bits: Int, upTo limit: Int64
    ) throws(ComputationError) -> Value {
        guard (1...61).contains(bits) else { throw .parameter("truncation by \(bits) bits", expected: "1 to 61") }
        guard limit > 0, limit < 1 << Int64(62 - bits) else {
            throw .parameter("a limit of \(limit)", expected: "above 0, and below 2^\(62 - bits)")
        }
        let bound = (value.bound / Double(sign: .plus, exponent: bits, significand: 1)).rounded(.up) + 1
        let both = try sign(
            value, thresholds: [0, limit << Int64(bits)], results: [.truncated(bits: bits)], shape: [2] + value.shape,
            bound: bound + Double(limit))
        return try narrowed(
            part(both, 0, like: value), plus: -1, times: part(both, 1, like: value), bound: min(bound, Double(limit)),
            isNonNegative: true)
    }

    /// Whether x is at least the number, 0 or 1. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func isAtLeast(_ value: Value, _ threshold: Int64 = 0) throws(ComputationError) -> Value {
        return try sign(value, thresholds: [threshold], results: [.bit], shape: value.shape, bound: 1)
    }

    /// Whether a >= b, 0 or 1. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func isAtLeast(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        try isAtLeast(try difference(a, b))
    }

    /// Whether x lies in the range, 0 or 1 (the interval containment gate of Boyle et al. 2021). One round, with the key of one comparison.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func isWithin(_ value: Value, _ range: ClosedRange<Int64>) throws(ComputationError) -> Value {
        guard range.upperBound < Int64.max, range.lowerBound > Int64.min else {
            throw .parameter("a range", expected: "of less than 63 bits")
        }
        let both = try sign(
            value, thresholds: [range.lowerBound, range.upperBound + 1], results: [.bit], shape: [2] + value.shape,
            bound: 1)
        return try narrowed(
            part(both, 0, like: value), plus: -1, times: part(both, 1, like: value), bound: 1, isNonNegative: true)
    }

    /// Whether a = b, 0 or 1. One round, with the key of one comparison.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func isEqual(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        try isWithin(try difference(a, b), 0...0)
    }

    /// The larger of both, element by element. One round.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func maximum(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        let excess = try relu(try difference(a, b))
        return try narrowed(
            b, plus: 1, times: excess, bound: max(a.bound, b.bound), isNonNegative: a.isNonNegative || b.isNonNegative)
    }

    /// The largest element of each window of images [N, C, H, W]. As many rounds as the elements of a window can be halved, rounded up: two for 2 x 2.
    ///
    /// - Parameter padding: Rows and columns around that count as zero: for values that are not negative.
    /// - Throws: ``ComputationError``.
    public mutating func maximumPool(
        _ value: Value, window: Int, stride: Int, padding: Int = 0
    ) throws(ComputationError) -> Value {
        let pool = try Pool(value.shape, window: window, stride: stride, padding: padding)
        guard padding == 0 || value.isNonNegative else {
            throw .parameter("padding of values that may be negative", expected: "none, or ReLU first")
        }
        var left: [Value] = []
        for place in 0..<window * window {
            left.append(try gathered(value, places: pool.places(place), shape: pool.outputShape))
        }
        while left.count > 1 {
            let pairs = left.count / 2
            let a = try concatenated(Array(left[0..<pairs]))
            let b = try concatenated(Array(left[pairs..<2 * pairs]))
            let larger = try maximum(a, b)
            let rest = left.count % 2 == 1 ? left.suffix(1) : []
            left = []
            for pair in 0..<pairs { left.append(try slice(larger, pair, shape: pool.outputShape)) }
            left += rest
        }
        return left[0]
    }

    /// The sum of each window of images [N, C, H, W]. Local. An average is this, with the window's size taken into a later scale.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func sumPool(_ value: Value, window: Int, stride: Int, padding: Int = 0) throws(ComputationError)
        -> Value
    {
        let pool = try Pool(value.shape, window: window, stride: stride, padding: padding)
        var terms: [(value: Value, factor: Int64)] = []
        for place in 0..<window * window {
            terms.append((try gathered(value, places: pool.places(place), shape: pool.outputShape), 1))
        }
        return try combined(terms)
    }

    /// The place of the largest element of each row of [rows, n], the first of several: [rows]. As many rounds as n can be halved, rounded up.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func argmax(_ value: Value) throws(ComputationError) -> Value {
        guard value.shape.count == 2, value.shape[1] >= 1 else {
            throw .shapes("argmax of the shape \(value.shape)", expected: "[rows, n] with n of at least 1")
        }
        let (rows, columns) = (value.shape[0], value.shape[1])
        var width = columns
        var values = value
        let numbers = (0..<rows * columns).map { UInt64($0 % columns) }
        var indices: Value
        do { indices = try constant(RingTensor(shape: value.shape, words: numbers)) } catch {
            throw .shapes("argmax", expected: "\(error)")
        }
        while width > 1 {
            let pairs = width / 2
            func places(_ count: Int, _ at: (Int) -> Int) -> [Int] {
                (0..<rows * count).map { $0 / count * width + at($0 % count) }
            }
            let shape = [rows, pairs]
            let a = try gathered(values, places: places(pairs) { 2 * $0 }, shape: shape)
            let b = try gathered(values, places: places(pairs) { 2 * $0 + 1 }, shape: shape)
            let indexA = try gathered(indices, places: places(pairs) { 2 * $0 }, shape: shape)
            let indexB = try gathered(indices, places: places(pairs) { 2 * $0 + 1 }, shape: shape)
            let difference = try difference(a, b)
            let both = try sign(
                difference, results: [.excess, .carried], carried: try self.difference(indexA, indexB),
                shape: [2] + shape,
                bound: max(difference.bound, Double(columns)))
            var nextValues = try narrowed(
                b, plus: 1, times: try slice(both, 0, shape: shape), bound: value.bound,
                isNonNegative: value.isNonNegative)
            var nextIndices = try narrowed(
                indexB, plus: 1, times: try slice(both, 1, shape: shape), bound: Double(columns - 1),
                isNonNegative: true)
            if width % 2 == 1 {
                nextValues = try appended(nextValues, pairs, values, at: width - 1, of: width, rows: rows)
                nextIndices = try appended(nextIndices, pairs, indices, at: width - 1, of: width, rows: rows)
            }
            (values, indices, width) = (nextValues, nextIndices, (width + 1) / 2)
        }
        return try reshaped(indices, to: [rows])
    }

    /// Rows of `count` elements, each with one more behind them: the element `at` of the same row of another value.
    private mutating func appended(
        _ value: Value, _ count: Int, _ rest: Value, at place: Int, of width: Int, rows: Int
    ) throws(ComputationError) -> Value {
        let all = try concatenated([value, rest])
        let places = (0..<rows * (count + 1)).map { element in
            let (row, column) = (element / (count + 1), element % (count + 1))
            return column < count ? row * count + column : rows * count + row * width + place
        }
        return try gathered(all, places: places, shape: [rows, count + 1])
    }

    /// The number in each element.
    mutating func filled(_ number: Int64, like value: Value) throws(ComputationError) -> Value {
        do {
            return try constant(
                RingTensor(
                    shape: value.shape, words: [UInt64](repeating: UInt64(bitPattern: number), count: value.count)))
        } catch let error as ComputationError { throw error } catch {
            throw .shapes("a constant", expected: "\(error)")
        }
    }

    /// The part of a value that lies `place` shapes behind its beginning.
    private mutating func slice(_ value: Value, _ place: Int, shape: [Int]) throws(ComputationError) -> Value {
        let count = shape.reduce(1, *)
        return try gathered(value, places: place * count..<(place + 1) * count, shape: shape)
    }

    mutating func part(_ value: Value, _ place: Int, like other: Value) throws(ComputationError) -> Value {
        try slice(value, place, shape: other.shape)
    }
}

/// Windows of images.
private struct Pool {
    let shape: [Int]
    let window: Int
    let stride: Int
    let padding: Int

    init(_ shape: [Int], window: Int, stride: Int, padding: Int) throws(ComputationError) {
        guard shape.count == 4, (1...32).contains(window), (1...32).contains(stride), (0..<window).contains(padding),
            shape[2] + 2 * padding >= window, shape[3] + 2 * padding >= window
        else {
            throw .shapes(
                "pooling of \(shape) with a window of \(window), stride \(stride), padding \(padding)",
                expected: "[N, C, H, W], a window of 1 to 32 that fits, padding below it")
        }
        (self.shape, self.window, self.stride, self.padding) = (shape, window, stride, padding)
    }

    var outputShape: [Int] {
        [
            shape[0], shape[1], (shape[2] + 2 * padding - window) / stride + 1,
            (shape[3] + 2 * padding - window) / stride + 1,
        ]
    }

    /// Where each window has its element number `place`; -1 outside.
    func places(_ place: Int) -> [Int] {
        let output = outputShape
        var places: [Int] = []
        places.reserveCapacity(output.reduce(1, *))
        for plane in 0..<shape[0] * shape[1] {
            for y in 0..<output[2] {
                for x in 0..<output[3] {
                    let row = y * stride + place / window - padding
                    let column = x * stride + place % window - padding
                    let isInside = (0..<shape[2]).contains(row) && (0..<shape[3]).contains(column)
                    places.append(isInside ? (plane * shape[2] + row) * shape[3] + column : -1)
                }
            }
        }
        return places
    }
}
