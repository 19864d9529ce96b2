import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct Prio3PolynomialTests {
    /// By Horner's rule.
    private func value<Element: NTTField>(_ polynomial: [Element], at point: Element) -> Element {
        polynomial.reversed().reduce(Element.zero) { $0 * point + $1 }
    }

    private func polynomial<Element: NTTField>(_ count: Int, _ generator: inout SeededGenerator) -> [Element] {
        (0..<count).map { _ in Element.arbitrary(&generator) }
    }

    private func checkTransform<Element: NTTField>(_: Element.Type, size: Int, width: Int) {
        var generator = SeededGenerator(seed: UInt64(size))
        let transform = NumberTheoreticTransform<Element>(size: size)
        let root = Element.root(order: size)
        let polynomials: [[Element]] = (0..<width).map { _ in polynomial(size, &generator) }
        var rows = [Element](repeating: Element.zero, count: size * width)
        for (column, polynomial) in polynomials.enumerated() {
            for power in 0..<size { rows[transform.reversed(power) * width + column] = polynomial[power] }
        }
        let coefficients = rows
        rows.withUnsafeMutableBufferPointer { rows in
            if let base = rows.baseAddress { transform.values(base, width: width) }
        }
        for (column, polynomial) in polynomials.enumerated() {
            for place in 0..<size {
                #expect(rows[place * width + column] == value(polynomial, at: root.power(UInt128(place))))
            }
        }
        rows.withUnsafeMutableBufferPointer { rows in
            if let base = rows.baseAddress { transform.coefficients(base, width: width) }
        }
        #expect(rows == coefficients.map { $0 * Element(UInt64(size)) })
    }

    @Test("A transform gives the values at the powers of the root, and back", arguments: [1, 2, 4, 8, 32])
    func transform(size: Int) {
        checkTransform(Field64.self, size: size, width: 3)
        checkTransform(Field128.self, size: size, width: 2)
    }

    @Test("Values that are not sent follow from those that are", arguments: 2...6)
    func missing(degree: Int) {
        var generator = SeededGenerator(seed: UInt64(degree))
        for calls in [1, 2, 3, 4, 7, 8, 12] {
            let shape = ProofShape<Field64>(arity: 1, degree: degree, calls: calls)
            let polynomial: [Field64] = polynomial(shape.gadgetLength, &generator)
            let root = Field64.root(order: shape.nodeCount)
            let all = (0..<shape.nodeCount).map { value(polynomial, at: root.power(UInt128($0))) }
            #expect(shape.allValues(all[..<shape.gadgetLength]) == all)
        }
    }

    @Test("Lagrange coefficients give a polynomial's value at any point, nodes included")
    func lagrange() {
        var generator = SeededGenerator(seed: 3)
        let shape = ProofShape<Field128>(arity: 1, degree: 2, calls: 5)
        let (wireRoot, gadgetRoot) = (Field128.root(order: 8), Field128.root(order: 16))
        let wire: [Field128] = polynomial(8, &generator)
        let gadget: [Field128] = polynomial(15, &generator)
        let wireValues = (0..<8).map { value(wire, at: wireRoot.power($0)) }
        let gadgetValues = (0..<16).map { value(gadget, at: gadgetRoot.power($0)) }
        for point in [Field128.arbitrary(&generator), Field128.zero, Field128(5), gadgetRoot, wireRoot.power(3)] {
            let wireSum = zip(shape.wireCoefficients(at: point), wireValues).reduce(Field128.zero) { $0 + $1.0 * $1.1 }
            #expect(wireSum == value(wire, at: point))
            let gadgetSum = zip(shape.gadgetCoefficients(at: point), gadgetValues).reduce(Field128.zero) {
                $0 + $1.0 * $1.1
            }
            #expect(gadgetSum == value(gadget, at: point))
        }
    }

    @Test(
        "A range code says each integer of its range, and no vector of bits says another",
        arguments: [1, 2, 3, 5, 7, 8, 100])
    func rangeCode(maximum: UInt64) {
        let code = RangeCode<Field64>(maximum: maximum)
        for value in 0...maximum {
            var elements: [Field64] = []
            code.encode(value, into: &elements)
            #expect(elements.count == code.length)
            #expect(elements.allSatisfy { $0 == Field64.zero || $0 == Field64.one })
            #expect(code.decode(elements[...]) == Field64(value))
        }
        var reached = Set<Field64>()
        for bits in 0..<UInt64(1) << UInt64(code.length) {
            reached.insert(code.decode((0..<code.length).map { Field64(bits >> UInt64($0) & 1) }[...]))
        }
        #expect(reached == Set((0...maximum).map { Field64($0) }))
    }

    @Test("The largest range code has 63 elements")
    func largestRangeCode() {
        let code = RangeCode<Field64>(maximum: 1 << 62)
        for value in [0, 1, (1 << 62) - 1, 1 << 62] as [UInt64] {
            var elements: [Field64] = []
            code.encode(value, into: &elements)
            #expect(elements.count == 63)
            #expect(code.decode(elements[...]) == Field64(value))
        }
    }
}
