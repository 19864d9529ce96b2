/// Sizes and tables of the proofs of a validity circuit (VDAF draft, section 7.3): they follow from its one gadget and
/// from how often it is called. A circuit has them from the start, since every report needs the same.
struct ProofShape<Element: NTTField>: Sendable {
    /// Input wires of the gadget.
    let arity: Int
    /// How often the circuit calls the gadget.
    let calls: Int
    /// Values of a wire polynomial: the seed, an input of each call, and zeros up to a power of two.
    let wireLength: Int
    /// Values of the gadget polynomial that are sent: one more than its degree.
    let gadgetLength: Int
    /// The power of two from there on: the gadget polynomial's values are at the roots of unity of this order.
    let nodeCount: Int
    /// Nodes of the gadget polynomial from one wire value to the next.
    var nodesPerWireValue: Int { nodeCount / wireLength }

    let transform: NumberTheoreticTransform<Element>
    /// For each further coset of the wire polynomials' nodes: by what each row of coefficients is multiplied before it is
    /// transformed, the division by the transform's size included.
    let cosetFactors: [[Element]]
    /// The roots of unity of order ``nodeCount``.
    private let nodes: [Element]
    private let inverseNodeCount: Element
    private let inverseWireLength: Element
    /// The values that are not sent, as combinations of those that are.
    private let missing: [[Element]]

    init(arity: Int, degree: Int, calls: Int) {
        self.arity = arity
        self.calls = calls
        wireLength = Self.powerOfTwo(atLeast: calls + 1)
        gadgetLength = degree * (wireLength - 1) + 1
        nodeCount = Self.powerOfTwo(atLeast: gadgetLength)
        let transform = NumberTheoreticTransform<Element>(size: wireLength)
        self.transform = transform
        nodes = NumberTheoreticTransform.powers(Element.root(order: nodeCount), nodeCount)
        inverseNodeCount = Element(UInt64(nodeCount)).inverse
        inverseWireLength = Element(UInt64(wireLength)).inverse
        var factors: [[Element]] = []
        for coset in 1..<max(nodeCount / wireLength, 1) {
            var row = [Element](repeating: inverseWireLength, count: wireLength)
            for power in 0..<wireLength {
                row[transform.reversed(power)] *= nodes[coset * power % nodeCount]
            }
            factors.append(row)
        }
        cosetFactors = factors
        missing = Self.missing(nodes, from: gadgetLength)
    }

    static func powerOfTwo(atLeast count: Int) -> Int {
        var power = 1
        while power < count { power *= 2 }
        return power
    }

    /// Of a polynomial whose degree is below the number m of its known values at x_0 to x_(m-1), the value at each further
    /// root x_q of unity. With Z = x^n - 1, whose derivative at a root x is n / x, the Lagrange coefficient of x_i is
    /// -(x_i / x_q) times the product over the other unknown roots x_r of (x_i - x_r) / (x_q - x_r).
    private static func missing(_ nodes: [Element], from known: Int) -> [[Element]] {
        let unknown = known..<nodes.count
        return unknown.map { place in
            let others = unknown.filter { $0 != place }
            let divisor = others.reduce(-nodes[place]) { $0 * (nodes[place] - nodes[$1]) }.inverse
            return (0..<known).map { index in
                others.reduce(nodes[index] * divisor) { $0 * (nodes[index] - nodes[$1]) }
            }
        }
    }

    /// All values of a gadget polynomial from those that are sent.
    func allValues(_ sent: ArraySlice<Element>) -> [Element] {
        var values = Array(sent)
        values.reserveCapacity(nodeCount)
        for row in missing {
            var value = Element.zero
            for (factor, known) in zip(row, sent) {
                value += factor * known
            }
            values.append(value)
        }
        return values
    }

    /// With what a polynomial's values at the roots of unity combine to its value at a point; of wire polynomials.
    func wireCoefficients(at point: Element) -> [Element] {
        coefficients(at: point, count: wireLength, inverseCount: inverseWireLength)
    }

    /// As ``wireCoefficients(at:)``, of gadget polynomials.
    func gadgetCoefficients(at point: Element) -> [Element] {
        coefficients(at: point, count: nodeCount, inverseCount: inverseNodeCount)
    }

    /// x_i / n times the product over the other roots x_j of (point - x_j): products from both ends, no division.
    private func coefficients(at point: Element, count: Int, inverseCount: Element) -> [Element] {
        let step = nodeCount / count
        var result = [Element](repeating: Element.zero, count: count)
        var product = inverseCount
        for index in 0..<count {
            let node = nodes[index * step]
            result[index] = product * node
            product *= point - node
        }
        product = Element.one
        for index in stride(from: count - 1, through: 0, by: -1) {
            result[index] *= product
            product *= point - nodes[index * step]
        }
        return result
    }
}
