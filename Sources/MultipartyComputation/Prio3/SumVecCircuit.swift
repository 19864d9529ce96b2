/// Prio3SumVec (VDAF draft, section 7.4.3): each measurement is a vector of integers from 0 to a maximum, and the sum is
/// theirs, entry by entry.
///
/// A circuit is of one field, so that it is compiled for it; what both share stands here.
protocol SumVecValidity: ValidityCircuit
where Measurement == [UInt64], Aggregate == [Int64], CircuitGadget == BitCheck<Element>.ChunkGadget {
    var vectorLength: Int { get }
    var code: RangeCode<Element> { get }
    var check: BitCheck<Element> { get }
}

extension SumVecValidity {
    var measurementLength: Int { check.length }
    var jointRandomnessLength: Int { check.chunks }
    var evaluationLength: Int { 1 }
    var outputLength: Int { vectorLength }
    var largestEntry: UInt64 { code.maximum }
    var parameters: [UInt64] { [UInt64(vectorLength), code.maximum, UInt64(check.chunkLength)] }

    func encode(_ measurement: [UInt64]) throws(Prio3Error) -> [Element] {
        guard measurement.count == vectorLength, measurement.allSatisfy({ $0 <= code.maximum }) else {
            throw .measurement(expected: "\(vectorLength) integers from 0 to \(code.maximum)")
        }
        var elements: [Element] = []
        elements.reserveCapacity(measurementLength)
        for value in measurement {
            code.encode(value, into: &elements)
        }
        return elements
    }

    func fillWires(_ rows: UnsafeMutablePointer<Element>, _ input: CircuitInput<Element>) {
        check.fillWires(rows, input)
    }

    func outputs(_ gadgetOutputs: [Element], _ input: CircuitInput<Element>) -> [Element] {
        [BitCheck.sum(gadgetOutputs)]
    }

    func truncate(_ measurement: [Element]) -> [Element] {
        var entries: [Element] = []
        entries.reserveCapacity(vectorLength)
        for entry in 0..<vectorLength {
            entries.append(code.decode(measurement[entry * code.length..<(entry + 1) * code.length]))
        }
        return entries
    }

    func decode(_ sums: [Int64]) -> [Int64] { sums }
}

/// Prio3SumVec as the draft has it: over the larger field, where one proof is enough.
struct SumVecCircuit: SumVecValidity {
    let vectorLength: Int
    let code: RangeCode<Field128>
    let check: BitCheck<Field128>
    let gadget: BitCheck<Field128>.ChunkGadget
    let shape: ProofShape<Field128>

    /// The maximum is from 1 to 2^62.
    init(length: Int, maximum: UInt64, chunkLength: Int) {
        vectorLength = length
        code = RangeCode(maximum: maximum)
        check = BitCheck(length: length * code.length, chunkLength: chunkLength)
        gadget = check.gadget
        shape = check.shape
    }
}

/// The draft's experimental variant over the smaller field, where three proofs are needed (section 9.7): its test vectors
/// are the only ones with more than one proof.
struct SumVecField64Circuit: SumVecValidity {
    let vectorLength: Int
    let code: RangeCode<Field64>
    let check: BitCheck<Field64>
    let gadget: BitCheck<Field64>.ChunkGadget
    let shape: ProofShape<Field64>

    /// The maximum is from 1 to 2^62.
    init(length: Int, maximum: UInt64, chunkLength: Int) {
        vectorLength = length
        code = RangeCode(maximum: maximum)
        check = BitCheck(length: length * code.length, chunkLength: chunkLength)
        gadget = check.gadget
        shape = check.shape
    }
}
