/// Prio3Histogram (VDAF draft, section 7.4.4): each measurement is one of several buckets, and the sum is how many are in
/// each. The encoded bucket is a vector of zeros and ones that sums to 1.
struct HistogramCircuit: ValidityCircuit {
    typealias Measurement = Int
    typealias Aggregate = [Int64]
    typealias Element = Field128

    let gadget: BitCheck<Field128>.ChunkGadget
    let shape: ProofShape<Field128>
    private let check: BitCheck<Field128>

    init(length: Int, chunkLength: Int) {
        check = BitCheck(length: length, chunkLength: chunkLength)
        gadget = check.gadget
        shape = check.shape
    }

    var measurementLength: Int { check.length }
    var jointRandomnessLength: Int { check.chunks }
    var evaluationLength: Int { 2 }
    var outputLength: Int { check.length }
    var largestEntry: UInt64 { 1 }
    var parameters: [UInt64] { [UInt64(check.length), UInt64(check.chunkLength)] }

    /// Visits every bucket alike: which one is counted must not be seen from outside.
    func encode(_ measurement: Int) throws(Prio3Error) -> [Field128] {
        guard measurement >= 0, measurement < check.length else {
            throw .measurement(expected: "a bucket from 0 to \(check.length - 1)")
        }
        return (0..<check.length).map { bucket in
            let difference = UInt64(bitPattern: Int64(bucket ^ measurement))
            // The upper bit of the difference, or of minus the difference, is set unless it is zero.
            return Field128(1 ^ (difference | (0 &- difference)) >> 63)
        }
    }

    func fillWires(_ rows: UnsafeMutablePointer<Field128>, _ input: CircuitInput<Field128>) {
        check.fillWires(rows, input)
    }

    func outputs(_ gadgetOutputs: [Field128], _ input: CircuitInput<Field128>) -> [Field128] {
        [BitCheck.sum(gadgetOutputs), BitCheck.sum(input.measurement) - input.sharesInverse]
    }

    func truncate(_ measurement: [Field128]) -> [Field128] { measurement }
    func decode(_ sums: [Int64]) -> [Int64] { sums }
}
