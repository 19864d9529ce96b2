/// Integers from 0 to a maximum as zeros and ones whose weighted sum they are (VDAF draft, section 7.4.2): the weights are
/// powers of two, and a last one with which all of them sum to the maximum, so that no vector of zeros and ones is out of
/// range.
struct RangeCode<Element: NTTField>: Sendable {
    /// The largest integer.
    let maximum: UInt64
    /// Elements of an encoded integer.
    let length: Int
    private let lastWeight: UInt64
    private let lastWeightElement: Element

    /// The maximum is from 1 to 2^62.
    init(maximum: UInt64) {
        self.maximum = maximum
        length = UInt64.bitWidth - maximum.leadingZeroBitCount
        lastWeight = maximum - ((1 << UInt64(length - 1)) - 1)
        lastWeightElement = Element(lastWeight)
    }

    /// Appends an integer of at most the maximum, in a time that does not depend on it.
    func encode(_ value: UInt64, into elements: inout [Element]) {
        let powers: UInt64 = maximum &- lastWeight
        let (_, isLarge) = powers.subtractingReportingOverflow(value)
        let last: UInt64 = isLarge ? 1 : 0
        let rest: UInt64 = value &- ((0 &- last) & lastWeight)
        for bit in 0..<length - 1 {
            elements.append(Element(rest >> UInt64(bit) & 1))
        }
        elements.append(Element(last))
    }

    /// The integer, or a share of it, of ``length`` elements or shares of them.
    func decode(_ elements: ArraySlice<Element>) -> Element {
        var value = Element.zero
        for bit in elements.dropLast().reversed() {
            value = value + value + bit
        }
        return value + lastWeightElement * elements[elements.endIndex - 1]
    }
}
