/// Prio3MultihotCountVec (VDAF draft, section 7.4.5): each measurement is a vector of yes and no with a bounded number of
/// yes, and the sum is how many are yes, entry by entry. The encoded vector ends with its weight, in a code that cannot
/// say more than the bound.
struct MultihotCountVecCircuit: ValidityCircuit {
    typealias Measurement = [Bool]
    typealias Aggregate = [Int64]
    typealias Element = Field128

    let gadget: BitCheck<Field128>.ChunkGadget
    let shape: ProofShape<Field128>
    private let vectorLength: Int
    private let code: RangeCode<Field128>
    private let check: BitCheck<Field128>

    /// The maximum weight is from 1 to the length.
    init(length: Int, maximumWeight: Int, chunkLength: Int) {
        vectorLength = length
        code = RangeCode(maximum: UInt64(maximumWeight))
        check = BitCheck(length: length + code.length, chunkLength: chunkLength)
        gadget = check.gadget
        shape = check.shape
    }

    var measurementLength: Int { check.length }
    var jointRandomnessLength: Int { check.chunks }
    var evaluationLength: Int { 2 }
    var outputLength: Int { vectorLength }
    var largestEntry: UInt64 { 1 }
    var parameters: [UInt64] { [UInt64(vectorLength), code.maximum, UInt64(check.chunkLength)] }

    func encode(_ measurement: [Bool]) throws(Prio3Error) -> [Field128] {
        var weight: UInt64 = 0
        for entry in measurement { weight += entry ? 1 : 0 }
        guard measurement.count == vectorLength, weight <= code.maximum else {
            throw .measurement(expected: "\(vectorLength) entries, of which at most \(code.maximum) are true")
        }
        var elements = measurement.map { Field128($0 ? 1 : 0) }
        code.encode(weight, into: &elements)
        return elements
    }

    func fillWires(_ rows: UnsafeMutablePointer<Field128>, _ input: CircuitInput<Field128>) {
        check.fillWires(rows, input)
    }

    func outputs(_ gadgetOutputs: [Field128], _ input: CircuitInput<Field128>) -> [Field128] {
        let weight = BitCheck.sum(input.measurement[..<vectorLength])
        return [BitCheck.sum(gadgetOutputs), weight - code.decode(input.measurement[vectorLength...])]
    }

    func truncate(_ measurement: [Field128]) -> [Field128] { Array(measurement[..<vectorLength]) }
    func decode(_ sums: [Int64]) -> [Int64] { sums }
}
