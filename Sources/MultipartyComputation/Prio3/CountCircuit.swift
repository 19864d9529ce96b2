/// Prio3Count (VDAF draft, section 7.4.1): each measurement is yes or no, and the sum is how many are yes. x is 0 or 1
/// where x x - x is zero.
struct CountCircuit: ValidityCircuit {
    typealias Measurement = Bool
    typealias Aggregate = Int64
    typealias Element = Field64

    let gadget = Multiplication<Field64>()
    let shape = ProofShape<Field64>(arity: 2, degree: 2, calls: 1)
    var measurementLength: Int { 1 }
    var jointRandomnessLength: Int { 0 }
    var evaluationLength: Int { 1 }
    var outputLength: Int { 1 }
    var largestEntry: UInt64 { 1 }
    var parameters: [UInt64] { [] }

    func encode(_ measurement: Bool) -> [Field64] { [Field64(measurement ? 1 : 0)] }

    func fillWires(_ rows: UnsafeMutablePointer<Field64>, _ input: CircuitInput<Field64>) {
        rows[0] = input.measurement[0]
        rows[1] = input.measurement[0]
    }

    func outputs(_ gadgetOutputs: [Field64], _ input: CircuitInput<Field64>) -> [Field64] {
        [gadgetOutputs[0] - input.measurement[0]]
    }

    func truncate(_ measurement: [Field64]) -> [Field64] { measurement }
    func decode(_ sums: [Int64]) -> Int64 { sums[0] }
}
