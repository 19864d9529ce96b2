/// The check that all elements of a vector are zeros and ones, as the draft's vector circuits do it (sections 7.4.3 to
/// 7.4.5): each x gives r^j x (x - 1), with r random and j its place in its chunk, and a gadget sums a chunk's. Where one
/// is not zero or one, the sum is not zero but with a probability of the chunk's length over the field's size.
struct BitCheck<Element: NTTField>: Sendable {
    typealias ChunkGadget = ParallelSum<Multiplication<Element>>

    let length: Int
    let chunkLength: Int

    /// Chunks, the last of which may be padded with zeros: calls of the gadget, and elements of joint randomness.
    var chunks: Int { (length + chunkLength - 1) / chunkLength }
    var gadget: ChunkGadget { ParallelSum(part: Multiplication(), count: chunkLength) }
    var shape: ProofShape<Element> { ProofShape(arity: gadget.arity, degree: gadget.degree, calls: chunks) }

    func fillWires(_ rows: UnsafeMutablePointer<Element>, _ input: CircuitInput<Element>) {
        let minusOne = -input.sharesInverse
        input.measurement.withUnsafeBufferPointer { measurement in
            for chunk in 0..<chunks {
                let random = input.jointRandomness[input.jointRandomness.startIndex + chunk]
                var power = random
                let row = rows + 2 * chunk * chunkLength
                let filled = min(chunkLength, length - chunk * chunkLength)
                for place in 0..<filled {
                    let element = measurement[chunk * chunkLength + place]
                    row[2 * place] = power * element
                    row[2 * place + 1] = element + minusOne
                    power *= random
                }
                for place in filled..<chunkLength {
                    row[2 * place] = Element.zero
                    row[2 * place + 1] = minusOne
                }
            }
        }
    }

    static func sum(_ elements: some Sequence<Element>) -> Element {
        var sum = Element.zero
        for element in elements {
            sum += element
        }
        return sum
    }
}
