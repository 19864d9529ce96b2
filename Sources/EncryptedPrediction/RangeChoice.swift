/// Chooses bits of weights and limits of ReLU so that nothing can pass the ring.
struct RangeChoice {
    let folded: [FoldedLayer]
    let fractionBits: Int
    /// The fewest bits behind the point of weights.
    let leastBits: Int
    /// The largest values that were seen behind each ReLU; nil where there was no calibration.
    let seen: [Double]?
    /// Without calibration, ReLU is held to 2^this where it could pass it; nil: it is not held.
    let clamp: Int?
    /// No result of a linear step passes 2^this: maxima, limits and sums behind it have what is left.
    let room: Int

    /// The exponent of what ReLU is held to where nothing is known and the ring has no room.
    static let clamp = 10
    /// The most bits behind the point of weights: those of a float32 below 1.
    static let mostBits = 24

    init(folded: [FoldedLayer], seen: [Double]?, _ attempt: Attempt) {
        (self.folded, self.seen) = (folded, seen)
        (fractionBits, leastBits, clamp, room) = (attempt.fractionBits, attempt.leastBits, attempt.clamp, attempt.room)
    }

    /// What is tried.
    struct Attempt {
        let fractionBits: Int
        let leastBits: Int
        let clamp: Int?
        let room: Int
    }

    /// The step's terms, with as many bits as fit.
    ///
    /// - Parameter bound: Of the integers that arrive, which have ``fractionBits`` behind the point.
    func terms(_ step: PlannedLinear, bound: Double, divisor: Int) throws(PredictionError) -> LayerTerms {
        let layer = folded[step.number]
        var bits = Self.mostBits
        while true {
            let scale = LayerTerms.power(bits)
            let largest = Self.exponent(layer.largest / Double(divisor) * scale + 1)
            let sum = Self.exponent(layer.largestSum / Double(divisor) * scale + Double(step.terms))
            let added = layer.bias.reduce(0) { max($0, abs($1)) } * scale * LayerTerms.power(fractionBits) + 1
            let bias = step.hasBias ? Self.exponent(added) : nil
            let product = bound * min(LayerTerms.power(sum), LayerTerms.power(largest) * Double(step.terms))
            let needed = product + (bias.map(LayerTerms.power) ?? 0)
            if needed <= LayerTerms.power(room) {
                return LayerTerms(bits: bits, bound: largest, sum: sum, bias: bias)
            }
            guard bits > leastBits else {
                // What the room is for is needed above it.
                let bits = needed.isFinite ? needed.exponent + 1 + 62 - room : 1024
                throw .overflow(layer: step.title, bits: max(63, bits))
            }
            bits -= 1
        }
    }

    /// The power of two that a ReLU is held to, as an integer's exponent; nil where it cannot pass it anyhow.
    func limit(_ number: Int, bound: Double, unit: Double) -> Int? {
        let real: Double
        // Of a ReLU behind which nothing was seen, nothing is known.
        let unknown = LayerTerms.power(clamp ?? Self.clamp)
        if let seen {
            real = seen[number] > 0 ? 2 * seen[number] : unknown
        } else if clamp != nil {
            real = unknown
        } else {
            return nil
        }
        let exponent = max(4, Self.exponent(real / unit))
        return LayerTerms.power(exponent) < bound ? exponent : nil
    }

    /// The least power of two that is not below the number.
    private static func exponent(_ number: Double) -> Int {
        guard number > 1 else { return 0 }
        guard number.isFinite else { return 1023 }
        return LayerTerms.power(number.exponent) == number ? number.exponent : number.exponent + 1
    }
}
