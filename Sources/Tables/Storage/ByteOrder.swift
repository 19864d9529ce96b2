import Foundation

/// Compares bytes as unsigned numbers, then lengths: for UTF-8, the order of Unicode scalars.
@inline(__always)
func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    if let a = left.baseAddress, let b = right.baseAddress {
        let order = memcmp(a, b, min(left.count, right.count))
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}
