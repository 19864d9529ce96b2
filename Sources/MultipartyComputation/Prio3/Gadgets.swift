/// A part of a validity circuit that is not affine (VDAF draft, section 7.3.2): its calls are what a proof proves.
protocol Gadget<Element>: Sendable {
    associatedtype Element: NTTField

    /// Input wires.
    var arity: Int { get }
    /// The degree of the polynomial that the gadget is.
    var degree: Int { get }
    /// The output for `arity` inputs. On polynomials it is applied to their values, one point after another.
    func evaluate(_ inputs: UnsafePointer<Element>) -> Element
}

/// The product of two (VDAF draft, appendix A.1).
struct Multiplication<Element: NTTField>: Gadget {
    var arity: Int { 2 }
    var degree: Int { 2 }

    @inline(__always)
    func evaluate(_ inputs: UnsafePointer<Element>) -> Element { inputs[0] * inputs[1] }
}

/// The value of a fixed polynomial (VDAF draft, appendix A.2).
struct PolynomialEvaluation<Element: NTTField>: Gadget {
    /// From the constant on; the last is not zero.
    let coefficients: [Element]

    init(_ coefficients: [Int64]) {
        precondition(coefficients.last.map { $0 != 0 } ?? false, "A gadget's polynomial has a leading coefficient.")
        self.coefficients = coefficients.map { Element(signed: $0) }
    }

    var arity: Int { 1 }
    var degree: Int { coefficients.count - 1 }

    @inline(__always)
    func evaluate(_ inputs: UnsafePointer<Element>) -> Element {
        let input = inputs[0]
        var value = Element.zero
        for coefficient in coefficients.reversed() {
            value = value * input + coefficient
        }
        return value
    }
}

/// The sum of a gadget's outputs for as many inputs (VDAF draft, appendix A.3).
struct ParallelSum<Part: Gadget>: Gadget {
    let part: Part
    let count: Int

    var arity: Int { part.arity * count }
    var degree: Int { part.degree }

    @inline(__always)
    func evaluate(_ inputs: UnsafePointer<Part.Element>) -> Part.Element {
        var sum = Part.Element.zero
        for place in 0..<count {
            sum += part.evaluate(inputs + place * part.arity)
        }
        return sum
    }
}
