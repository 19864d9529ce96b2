/// Some hundred parsed rows, column by column, each value one 64-bit word: an integer, the bits of a double, or the
/// number of a text in its interner; null is `ColumnEncoding.null`, or NaN's bits for reals.
final class RowBatch {
    static let capacity = 1024

    let columnCount: Int
    /// Column c's words start at `c * capacity`.
    let words: UnsafeMutablePointer<Int64>
    var count = 0

    init(columnCount: Int) {
        self.columnCount = columnCount
        words = .allocate(capacity: Swift.max(columnCount, 1) * Self.capacity)
        words.initialize(repeating: ColumnEncoding.null, count: Swift.max(columnCount, 1) * Self.capacity)
    }

    deinit {
        words.deallocate()
    }

    var isFull: Bool { count == Self.capacity }

    @inline(__always)
    func column(_ index: Int) -> UnsafeMutablePointer<Int64> {
        words + index * Self.capacity
    }
}

/// NaN's bits: the null of reals in a batch.
let nullReal = Int64(bitPattern: Double.nan.bitPattern)
