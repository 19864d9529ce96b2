/// Prio3Sum (VDAF draft, section 7.4.2): each measurement is an integer from 0 to a maximum, and the sum is theirs. Each
/// element x of the encoded integer is 0 or 1 where x^2 - x is zero.
struct SumCircuit: ValidityCircuit {
    typealias Measurement = UInt64
    typealias Aggregate = Int64
    typealias Element = Field64

    let gadget = PolynomialEvaluation<Field64>([0, -1, 1])
    let shape: ProofShape<Field64>
    private let code: RangeCode<Field64>

    /// The maximum is from 1 to 2^62.
    init(maximum: UInt64) {
        code = RangeCode(maximum: maximum)
        shape = ProofShape(arity: 1, degree: 2, calls: code.length)
    }

    var measurementLength: Int { code.length }
    var jointRandomnessLength: Int { 0 }
    var evaluationLength: Int { code.length }
    var outputLength: Int { 1 }
    var largestEntry: UInt64 { code.maximum }
    var parameters: [UInt64] { [code.maximum] }

    func encode(_ measurement: UInt64) throws(Prio3Error) -> [Field64] {
        guard measurement <= code.maximum else { throw .measurement(expected: "an integer from 0 to \(code.maximum)") }
        var elements: [Field64] = []
        code.encode(measurement, into: &elements)
        return elements
    }

    func fillWires(_ rows: UnsafeMutablePointer<Field64>, _ input: CircuitInput<Field64>) {
        for (row, element) in input.measurement.enumerated() {
            rows[row] = element
        }
    }

    func outputs(_ gadgetOutputs: [Field64], _ input: CircuitInput<Field64>) -> [Field64] { gadgetOutputs }
    func truncate(_ measurement: [Field64]) -> [Field64] { [code.decode(measurement[...])] }
    func decode(_ sums: [Int64]) -> Int64 { sums[0] }
}
