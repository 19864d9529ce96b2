/// Transforms between the coefficients of polynomials and their values at the powers of a root of unity (Pollard 1971),
/// for many polynomials side by side: row k holds value k of each, so that a butterfly runs along two rows.
///
/// Coefficients stand in bit-reversed order, which spares a permutation: to values by Cooley and Tukey (1965), back by
/// Gentleman and Sande (1966).
struct NumberTheoreticTransform<Element: NTTField>: Sendable {
    /// Values of a polynomial: a power of two.
    let size: Int
    /// The first half of the powers of the principal root of unity.
    private let roots: [Element]
    private let inverseRoots: [Element]

    init(size: Int) {
        precondition(size > 0 && size & (size - 1) == 0, "The size of a transform is a power of two.")
        self.size = size
        let root = Element.root(order: size)
        roots = Self.powers(root, size / 2)
        inverseRoots = Self.powers(root.inverse, size / 2)
    }

    /// 1, x, x^2 and so on.
    static func powers(_ base: Element, _ count: Int) -> [Element] {
        var powers: [Element] = []
        powers.reserveCapacity(count)
        var power = Element.one
        for _ in 0..<count {
            powers.append(power)
            power *= base
        }
        return powers
    }

    /// An index of a row with its bits reversed: the row of a coefficient.
    func reversed(_ index: Int) -> Int {
        size == 1 ? 0 : Int(UInt(index).bitReversed >> UInt(UInt.bitWidth - size.trailingZeroBitCount))
    }

    /// From values to coefficients times the size, in place; `rows` holds `size` rows of `width` elements.
    func coefficients(_ rows: UnsafeMutablePointer<Element>, width: Int) {
        var half = size / 2
        while half > 0 {
            let step = size / (2 * half)
            for start in stride(from: 0, to: size, by: 2 * half) {
                for place in 0..<half {
                    let upper = rows + (start + place) * width
                    let lower = upper + half * width
                    if place == 0 {
                        Self.sumsAndDifferences(upper, lower, width)
                    } else {
                        Self.foldDown(upper, lower, width: width, twiddle: inverseRoots[place * step])
                    }
                }
            }
            half /= 2
        }
    }

    /// From coefficients to values, in place; `rows` holds `size` rows of `width` elements.
    func values(_ rows: UnsafeMutablePointer<Element>, width: Int) {
        var half = 1
        while half < size {
            let step = size / (2 * half)
            for start in stride(from: 0, to: size, by: 2 * half) {
                for place in 0..<half {
                    let upper = rows + (start + place) * width
                    let lower = upper + half * width
                    if place == 0 {
                        Self.sumsAndDifferences(upper, lower, width)
                    } else {
                        Self.foldUp(upper, lower, width: width, twiddle: roots[place * step])
                    }
                }
            }
            half *= 2
        }
    }

    /// The butterfly whose root is one.
    @inline(__always)
    private static func sumsAndDifferences(
        _ upper: UnsafeMutablePointer<Element>, _ lower: UnsafeMutablePointer<Element>, _ width: Int
    ) {
        for column in 0..<width {
            let (a, b) = (upper[column], lower[column])
            upper[column] = a + b
            lower[column] = a - b
        }
    }

    @inline(__always)
    private static func foldDown(
        _ upper: UnsafeMutablePointer<Element>, _ lower: UnsafeMutablePointer<Element>, width: Int, twiddle: Element
    ) {
        for column in 0..<width {
            let (a, b) = (upper[column], lower[column])
            upper[column] = a + b
            lower[column] = (a - b) * twiddle
        }
    }

    @inline(__always)
    private static func foldUp(
        _ upper: UnsafeMutablePointer<Element>, _ lower: UnsafeMutablePointer<Element>, width: Int, twiddle: Element
    ) {
        for column in 0..<width {
            let a = upper[column]
            let b = lower[column] * twiddle
            upper[column] = a + b
            lower[column] = a - b
        }
    }
}

extension UInt {
    /// The bits from the last to the first.
    fileprivate var bitReversed: UInt {
        var (result, rest) = (UInt(0), self)
        for _ in 0..<UInt.bitWidth {
            result = result << 1 | rest & 1
            rest >>= 1
        }
        return result
    }
}
