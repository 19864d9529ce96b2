/// A prime field with a multiplicative subgroup whose order is a large power of two ("NTT-friendly"; VDAF draft, section
/// 6.1.2). Elements are kept reduced, so that equal elements have equal bits. Arithmetic takes a time that does not
/// depend on the elements, except for ``power(_:)``, whose time depends on the exponent.
protocol NTTField: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// Bytes of an element's encoding, little-endian.
    static var encodedSize: Int { get }
    /// The order of ``generator`` is two to this power.
    static var logGeneratorOrder: Int { get }
    /// Generates the subgroup.
    static var generator: Self { get }
    /// p - 2, by which an element is raised to invert it.
    static var inversionExponent: UInt128 { get }
    static var zero: Self { get }
    static var one: Self { get }

    /// The integer modulo p.
    init(_ value: UInt64)
    /// The element that is encoded in the first ``encodedSize`` bytes; nil unless they are an integer below p.
    init?(encoded: UnsafeRawPointer)
    /// Writes the element's encoding into the first ``encodedSize`` bytes.
    func encode(to bytes: UnsafeMutableRawPointer)
    /// The element as the integer of least magnitude that it is of; nil beyond ±2^62.
    var signed: Int64? { get }

    static func + (a: Self, b: Self) -> Self
    static func - (a: Self, b: Self) -> Self
    static func * (a: Self, b: Self) -> Self

    /// The same elements with their field written down.
    static func elements(_ vector: [Self]) -> FieldElements
    /// The elements, if they are of this field.
    static func vector(_ elements: FieldElements) -> [Self]?
}

extension NTTField {
    static prefix func - (a: Self) -> Self { zero - a }
    static func += (a: inout Self, b: Self) { a = a + b }
    static func -= (a: inout Self, b: Self) { a = a - b }
    static func *= (a: inout Self, b: Self) { a = a * b }

    /// The element of the integer modulo p.
    init(signed value: Int64) {
        let magnitude = Self(value.magnitude)
        self = value < 0 ? -magnitude : magnitude
    }

    /// The element to a power, by squaring.
    func power(_ exponent: UInt128) -> Self {
        var (result, square, rest) = (Self.one, self, exponent)
        while rest != 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }

    /// The inverse, and zero of zero.
    var inverse: Self { power(Self.inversionExponent) }

    /// The principal root of unity of an order that is a power of two, at most the generator's.
    static func root(order: Int) -> Self {
        var root = generator
        for _ in order.trailingZeroBitCount..<logGeneratorOrder {
            root *= root
        }
        return root
    }

    /// The element's type alone: elements are shares of secrets.
    var description: String { "\(Self.self)" }
    /// Nothing: elements are shares of secrets.
    var customMirror: Mirror { Mirror(self, children: []) }
}
