/// Bits as words of 64, the first in the lowest place.
enum PackedBits {
    static func words(_ count: Int) -> Int { (count + 63) / 64 }

    static func packed(_ bits: [UInt64]) -> [UInt64] {
        var packed = [UInt64](repeating: 0, count: words(bits.count))
        for (place, bit) in bits.enumerated() { packed[place >> 6] |= bit << UInt64(place & 63) }
        return packed
    }

    static func bit(_ packed: [UInt64], _ place: Int) -> UInt64 { packed[place >> 6] >> UInt64(place & 63) & 1 }
}
