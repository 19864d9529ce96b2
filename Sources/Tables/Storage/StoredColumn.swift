/// One column's bytes with what they mean. A code beyond the largest value, which only damaged bytes have, is null: so no
/// load gives a number that stands for nothing, and no text is looked for behind its dictionary. Loads give 64-bit integers (null: `ColumnEncoding.null`) or doubles (null:
/// NaN), a chunk at a time, clipped to the declared bounds where the table was stored before values were clipped.
struct StoredColumn: Sendable {
    let encoding: ColumnEncoding
    let bytes: ColumnBytes
    /// For text: what the codes stand for.
    let dictionary: TextDictionary?
    /// What is made of each value; nil where nothing is to be done.
    var bounds: DeclaredBounds?

    /// The stored integers' range; nil where there are none, or it is not known.
    var range: ClosedRange<Int64>? {
        guard encoding.kind == .integer, encoding.largest >= encoding.base, encoding.width < 8 else { return nil }
        guard let allowed = bounds?.integers else { return encoding.base...encoding.largest }
        return (encoding.base...encoding.largest).clamped(to: allowed)
    }

    /// The values of rows `start ..< start + count`.
    func loadIntegers(from start: Int, count: Int, into target: UnsafeMutablePointer<Int64>) {
        let source = bytes.start + start * encoding.width
        switch encoding.width {
        case 1: widen(source.assumingMemoryBound(to: UInt8.self), count, target)
        case 2: widen(source.assumingMemoryBound(to: UInt16.self), count, target)
        case 4: widen(source.assumingMemoryBound(to: UInt32.self), count, target)
        default: target.update(from: source.assumingMemoryBound(to: Int64.self), count: count)
        }
        _ = bounds?.apply(to: target, count: count)
    }

    /// The values of the rows at `indices`.
    func loadIntegers(at indices: UnsafePointer<Int>, count: Int, into target: UnsafeMutablePointer<Int64>) {
        switch encoding.width {
        case 1: gather(bytes.start.assumingMemoryBound(to: UInt8.self), at: indices, count: count, into: target)
        case 2: gather(bytes.start.assumingMemoryBound(to: UInt16.self), at: indices, count: count, into: target)
        case 4: gather(bytes.start.assumingMemoryBound(to: UInt32.self), at: indices, count: count, into: target)
        default:
            let source = bytes.start.assumingMemoryBound(to: Int64.self)
            for i in 0..<count { target[i] = source[indices[i]] }
        }
        _ = bounds?.apply(to: target, count: count)
    }

    func loadReals(from start: Int, count: Int, into target: UnsafeMutablePointer<Double>) {
        let source = bytes.start + start * encoding.width
        if encoding.width == 4 {
            let single = source.assumingMemoryBound(to: Float.self)
            for i in 0..<count { target[i] = Double(single[i]) }
        } else {
            target.update(from: source.assumingMemoryBound(to: Double.self), count: count)
        }
        _ = bounds?.apply(to: target, count: count)
    }

    func loadReals(at indices: UnsafePointer<Int>, count: Int, into target: UnsafeMutablePointer<Double>) {
        if encoding.width == 4 {
            let single = bytes.start.assumingMemoryBound(to: Float.self)
            for i in 0..<count { target[i] = Double(single[indices[i]]) }
        } else {
            let source = bytes.start.assumingMemoryBound(to: Double.self)
            for i in 0..<count { target[i] = source[indices[i]] }
        }
        _ = bounds?.apply(to: target, count: count)
    }

    @inline(__always)
    private func widen<Code: FixedWidthInteger & UnsignedInteger>(
        _ source: UnsafePointer<Code>, _ count: Int, _ target: UnsafeMutablePointer<Int64>
    ) {
        let (base, values) = (encoding.base, Code(truncatingIfNeeded: encoding.largest &- encoding.base &+ 1))
        for i in 0..<count {
            let code = source[i]
            target[i] = code >= values ? ColumnEncoding.null : base &+ Int64(truncatingIfNeeded: code)
        }
    }

    @inline(__always)
    private func gather<Code: FixedWidthInteger & UnsignedInteger>(
        _ source: UnsafePointer<Code>, at indices: UnsafePointer<Int>, count: Int,
        into target: UnsafeMutablePointer<Int64>
    ) {
        let (base, values) = (encoding.base, Code(truncatingIfNeeded: encoding.largest &- encoding.base &+ 1))
        for i in 0..<count {
            let code = source[indices[i]]
            target[i] = code >= values ? ColumnEncoding.null : base &+ Int64(truncatingIfNeeded: code)
        }
    }
}

/// The distinct texts of a column, sorted by their UTF-8 bytes (the order of their Unicode scalars), so that codes do
/// not depend on the order of rows.
struct TextDictionary: Sendable {
    let count: Int
    /// `count + 1` unsigned 64-bit offsets into `bytes`.
    let offsets: ColumnBytes
    let bytes: ColumnBytes

    /// The bytes of one text; the caller keeps the dictionary alive.
    @inline(__always)
    func bytes(of code: Int) -> UnsafeRawBufferPointer {
        let places = offsets.start.assumingMemoryBound(to: UInt64.self)
        let start = Int(places[code])
        return UnsafeRawBufferPointer(start: bytes.start + start, count: Int(places[code + 1]) - start)
    }

    /// Whether the offsets ascend and stay inside the bytes: checked once when a stored table is opened.
    var isSound: Bool {
        guard (0...Int(Int32.max)).contains(count), offsets.count == (count + 1) * 8 else { return false }
        let places = offsets.start.assumingMemoryBound(to: UInt64.self)
        guard places[0] == 0, places[count] == UInt64(bytes.count) else { return false }
        for code in 0..<count where places[code] > places[code + 1] { return false }
        return true
    }
}
