/// Which measurements are valid, how they are encoded, and what their sum says (VDAF draft, sections 7.1.1 and 7.3.2).
///
/// The draft's circuits call a single gadget, whose inputs are affine in the measurement and do not depend on its outputs.
/// So a circuit is here in two parts, before the gadget and after it. All of it is linear in the measurement, which is
/// what lets it run on shares.
protocol ValidityCircuit<Measurement, Aggregate>: Prio3Scheme {
    associatedtype Element: NTTField
    associatedtype CircuitGadget: Gadget<Element>

    var gadget: CircuitGadget { get }
    var shape: ProofShape<Element> { get }
    /// Elements of an encoded measurement.
    var measurementLength: Int { get }
    /// Elements of randomness that a proof takes from the measurement's shares.
    var jointRandomnessLength: Int { get }
    /// Outputs, all of which are zero for a valid measurement.
    var evaluationLength: Int { get }

    /// Throws `measurement` for one that is not valid.
    func encode(_ measurement: Measurement) throws(Prio3Error) -> [Element]
    /// Writes the gadget's inputs, a row of `arity` for each call. A constant is shared by multiplying it with
    /// `sharesInverse`.
    func fillWires(_ rows: UnsafeMutablePointer<Element>, _ input: CircuitInput<Element>)
    /// The circuit's outputs, given the gadget's.
    func outputs(_ gadgetOutputs: [Element], _ input: CircuitInput<Element>) -> [Element]
    /// What is summed of an encoded measurement.
    func truncate(_ measurement: [Element]) -> [Element]
    /// What the sums of truncated measurements say.
    func decode(_ sums: [Int64]) -> Aggregate
}

/// What a validity circuit is evaluated on.
struct CircuitInput<Element: NTTField> {
    /// The encoded measurement, or a share of it.
    let measurement: [Element]
    let jointRandomness: ArraySlice<Element>
    /// One over the number of shares: 1 for a whole measurement.
    let sharesInverse: Element
}

extension CircuitInput: CustomStringConvertible, CustomReflectable {
    /// The name alone: it holds a measurement or a share.
    var description: String { "CircuitInput" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension ValidityCircuit {
    /// Elements of randomness that a proof hides the wires with.
    var proveRandomnessLength: Int { shape.arity }
    /// Elements of randomness that a proof is queried with.
    var queryRandomnessLength: Int { (evaluationLength > 1 ? evaluationLength : 0) + 1 }
    var proofLength: Int { shape.arity + shape.gadgetLength }
    var verifierLength: Int { shape.arity + 2 }

    /// A proof that a measurement is valid (VDAF draft, section 7.3.3): the seeds of the wire polynomials, and the gadget
    /// polynomial by its values.
    func prove(_ input: CircuitInput<Element>, seeds: ArraySlice<Element>) -> [Element] {
        let (arity, length, step) = (shape.arity, shape.wireLength, shape.nodesPerWireValue)
        var wires = wires(input, seeds: seeds)
        var values = [Element](repeating: Element.zero, count: shape.nodeCount)
        wires.withUnsafeMutableBufferPointer { wires in
            guard let wires = wires.baseAddress else { return }
            for row in 0..<length {
                values[row * step] = gadget.evaluate(wires + row * arity)
            }
            shape.transform.coefficients(wires, width: arity)
            withUnsafeTemporaryAllocation(of: Element.self, capacity: length * arity) { scratch in
                guard let rows = scratch.baseAddress else { return }
                for (coset, factors) in shape.cosetFactors.enumerated() {
                    for row in 0..<length {
                        let factor = factors[row]
                        for column in row * arity..<(row + 1) * arity {
                            (rows + column).initialize(to: wires[column] * factor)
                        }
                    }
                    shape.transform.values(rows, width: arity)
                    for row in 0..<length {
                        values[row * step + coset + 1] = gadget.evaluate(rows + row * arity)
                    }
                }
            }
        }
        return Array(seeds) + values[..<shape.gadgetLength]
    }

    /// The wire polynomials' values, row after row: the seeds, then each call's inputs, then zeros.
    private func wires(_ input: CircuitInput<Element>, seeds: ArraySlice<Element>) -> [Element] {
        var wires = [Element](repeating: Element.zero, count: shape.wireLength * shape.arity)
        wires.withUnsafeMutableBufferPointer { wires in
            guard let wires = wires.baseAddress else { return }
            for (column, seed) in seeds.enumerated() {
                wires[column] = seed
            }
            fillWires(wires + shape.arity, input)
        }
        return wires
    }

    /// A share of the verifier (VDAF draft, section 7.3.4): the circuit's reduced output, then the wire polynomials and the
    /// gadget polynomial at a random point. Throws `unverifiable` where the point is one of the wire polynomials' nodes,
    /// since what it shows there is of the measurement; that is so for one report in 2^58.
    func query(
        _ input: CircuitInput<Element>, proof: ArraySlice<Element>, randomness: ArraySlice<Element>
    ) throws(Prio3Error) -> [Element] {
        let seeds = proof.prefix(shape.arity)
        let gadgetValues = shape.allValues(proof.dropFirst(shape.arity))
        let wires = wires(input, seeds: seeds)
        let gadgetOutputs = (1...shape.calls).map { gadgetValues[$0 * shape.nodesPerWireValue] }
        let outputs = outputs(gadgetOutputs, input)
        var reduced = outputs[0]
        if evaluationLength > 1 {
            reduced = Element.zero
            for (factor, output) in zip(randomness, outputs) {
                reduced += factor * output
            }
        }
        let point = randomness[randomness.endIndex - 1]
        guard point.power(UInt128(shape.wireLength)) != Element.one else { throw .unverifiable }
        var verifier: [Element] = [reduced]
        verifier.reserveCapacity(verifierLength)
        verifier += combine(wires, shape.wireCoefficients(at: point))
        var gadgetValue = Element.zero
        for (coefficient, value) in zip(shape.gadgetCoefficients(at: point), gadgetValues) {
            gadgetValue += coefficient * value
        }
        verifier.append(gadgetValue)
        return verifier
    }

    /// Each wire polynomial's value: its values combined by the coefficients.
    private func combine(_ wires: [Element], _ coefficients: [Element]) -> [Element] {
        let arity = shape.arity
        var sums = [Element](repeating: Element.zero, count: arity)
        sums.withUnsafeMutableBufferPointer { sums in
            wires.withUnsafeBufferPointer { wires in
                for row in 0...shape.calls {
                    let coefficient = coefficients[row]
                    for column in 0..<arity {
                        sums[column] += coefficient * wires[row * arity + column]
                    }
                }
            }
        }
        return sums
    }

    /// Whether a verifier is one of a valid measurement (VDAF draft, section 7.3.5).
    func decide(_ verifier: ArraySlice<Element>) -> Bool {
        guard verifier[verifier.startIndex] == Element.zero else { return false }
        let inputs = verifier.dropFirst()
        let output = inputs.withUnsafeBufferPointer { inputs -> Element? in
            inputs.baseAddress.map { gadget.evaluate($0) }
        }
        return output == verifier[verifier.endIndex - 1]
    }
}
