/// How a column's values lie in memory. Widths and bases follow the stored values, so they are private: they stay
/// inside the datasite and no plan, answer or message depends on them.
public struct ColumnEncoding: Sendable, Hashable, Codable {
    /// What the bytes of a value are.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Integers, booleans, dates, timestamps and dictionary codes of text: `base` + unsigned code of `width` bytes;
        /// the code of all ones is null. At 8 bytes: the integer itself, and `Int64.min` is null.
        case integer
        /// IEEE 754 numbers of 4 or 8 bytes; NaN is null, and nothing is infinite.
        case real
    }

    /// What the bytes of a value are.
    public var kind: Kind
    /// The bytes of one value: 1, 2, 4 or 8.
    public var width: Int
    /// What is added to a code of fewer than 8 bytes.
    public var base: Int64
    /// The largest value that occurs; below `base` where none does.
    public var largest: Int64

    /// The null of integers in memory, and so no value: integers run from -(2^63 - 1) to 2^63 - 1.
    static let null = Int64.min

    /// The narrowest encoding of integers in `least...largest`.
    static func integers(least: Int64, largest: Int64) -> ColumnEncoding {
        guard least <= largest else { return ColumnEncoding(kind: .integer, width: 1, base: 0, largest: -1) }
        let span = UInt64(bitPattern: largest &- least)
        for width in [1, 2, 4] where span < (UInt64(1) << UInt64(8 * width)) - 1 {
            return ColumnEncoding(kind: .integer, width: width, base: least, largest: largest)
        }
        return ColumnEncoding(kind: .integer, width: 8, base: 0, largest: largest)
    }

    /// Whether the values fit their width, as a stored description says: checked once when a table is opened.
    var isSound: Bool {
        guard kind == .integer else { return width == 4 || width == 8 }
        guard [1, 2, 4].contains(width) else { return width == 8 && base == 0 }
        // The number of values; none where the largest is just below the base.
        let (span, overflow) = largest.subtractingReportingOverflow(base)
        return !overflow && span >= -1 && span < Int64(1) << Int64(8 * width) - 1
    }

    /// Real numbers, in 4 bytes where that loses nothing.
    static func reals(single: Bool) -> ColumnEncoding {
        ColumnEncoding(kind: .real, width: single ? 4 : 8, base: 0, largest: 0)
    }

    /// Encodes `values[order[i]]` (integers, or the bit patterns of doubles) one after the other.
    func encode(
        _ values: UnsafePointer<Int64>, order: UnsafeBufferPointer<Int32>, into target: UnsafeMutableRawPointer
    ) {
        switch (kind, width) {
        case (.integer, 1): encode(values, order, target, as: UInt8.self)
        case (.integer, 2): encode(values, order, target, as: UInt16.self)
        case (.integer, 4): encode(values, order, target, as: UInt32.self)
        case (.real, 4):
            let single = target.bindMemory(to: Float.self, capacity: order.count)
            for i in 0..<order.count {
                single[i] = Float(Double(bitPattern: UInt64(bitPattern: values[Int(order[i])])))
            }
        default:
            let words = target.bindMemory(to: Int64.self, capacity: order.count)
            for i in 0..<order.count { words[i] = values[Int(order[i])] }
        }
    }

    @inline(__always)
    private func encode<Code: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<Int64>, _ order: UnsafeBufferPointer<Int32>, _ target: UnsafeMutableRawPointer,
        as type: Code.Type
    ) {
        let codes = target.bindMemory(to: Code.self, capacity: order.count)
        for i in 0..<order.count {
            let value = values[Int(order[i])]
            codes[i] = value == Self.null ? Code.max : Code(truncatingIfNeeded: value &- base)
        }
    }
}
