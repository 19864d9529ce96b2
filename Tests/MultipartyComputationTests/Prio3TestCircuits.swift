@testable import MultipartyComputation

/// Integers 0, 1 or 2, by a gadget of the third degree: x (x - 1) (x - 2). With one call it is the draft's own test
/// circuit; with more of them, vectors whose sum is taken.
struct HigherDegreeCircuit: ValidityCircuit {
    typealias Measurement = UInt64
    typealias Aggregate = Int64
    typealias Element = Field64

    let gadget = PolynomialEvaluation<Field64>([0, 2, -3, 1])
    let shape: ProofShape<Field64>

    init(calls: Int) { shape = ProofShape(arity: 1, degree: 3, calls: calls) }

    var measurementLength: Int { shape.calls }
    var jointRandomnessLength: Int { 0 }
    var evaluationLength: Int { shape.calls }
    var outputLength: Int { 1 }
    var largestEntry: UInt64 { 2 * UInt64(shape.calls) }
    var parameters: [UInt64] { [UInt64(shape.calls)] }

    /// As many entries of 2 as fit, then the rest.
    func encode(_ measurement: UInt64) -> [Field64] {
        (0..<UInt64(shape.calls)).map { Field64(min(measurement - min(measurement, 2 * $0), 2)) }
    }

    func fillWires(_ rows: UnsafeMutablePointer<Field64>, _ input: CircuitInput<Field64>) {
        for (row, element) in input.measurement.enumerated() { rows[row] = element }
    }

    func outputs(_ gadgetOutputs: [Field64], _ input: CircuitInput<Field64>) -> [Field64] { gadgetOutputs }
    func truncate(_ measurement: [Field64]) -> [Field64] { [measurement.reduce(Field64.zero, +)] }
    func decode(_ sums: [Int64]) -> Int64 { sums[0] }
}

/// A circuit whose clients encode what they like instead of a measurement: what a lying client does.
struct LyingCircuit<Honest: ValidityCircuit>: ValidityCircuit {
    typealias Measurement = [Honest.Element]
    typealias Aggregate = Honest.Aggregate
    typealias Element = Honest.Element

    let honest: Honest
    var gadget: Honest.CircuitGadget { honest.gadget }
    var shape: ProofShape<Element> { honest.shape }
    var measurementLength: Int { honest.measurementLength }
    var jointRandomnessLength: Int { honest.jointRandomnessLength }
    var evaluationLength: Int { honest.evaluationLength }
    var outputLength: Int { honest.outputLength }
    var largestEntry: UInt64 { honest.largestEntry }
    var parameters: [UInt64] { honest.parameters }

    func encode(_ measurement: [Element]) -> [Element] { measurement }

    func fillWires(_ rows: UnsafeMutablePointer<Element>, _ input: CircuitInput<Element>) {
        honest.fillWires(rows, input)
    }

    func outputs(_ gadgetOutputs: [Element], _ input: CircuitInput<Element>) -> [Element] {
        honest.outputs(gadgetOutputs, input)
    }

    func truncate(_ measurement: [Element]) -> [Element] { honest.truncate(measurement) }
    func decode(_ sums: [Int64]) -> Honest.Aggregate { honest.decode(sums) }
}
