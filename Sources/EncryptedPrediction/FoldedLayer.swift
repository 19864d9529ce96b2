internal import Learning

/// A linear step's weights as real numbers, with batch normalisation folded in: the owner's alone.
struct FoldedLayer: Sendable {
    /// As the program has them: [inputs, outputs], or [outputs, channels, kernel, kernel].
    let weights: [Double]
    /// One an output; zeros where nothing is added.
    let bias: [Double]
    /// Magnitudes of what the model adds and takes away again, one an output: the model's own arithmetic rounds by them.
    let offsets: [Double]
    /// The largest magnitude of a weight.
    let largest: Double
    /// The largest sum of magnitudes that meet in an output.
    let largestSum: Double

    /// - Throws: ``PredictionError/input(_:expected:)`` for a weight that is no finite number.
    init(_ step: PlannedLinear, _ parameters: Parameters) throws(PredictionError) {
        let outputs = step.outputs
        func values(_ name: String) throws(PredictionError) -> [Double] {
            guard let values = parameters[name]?.values.map(Double.init), values.allSatisfy(\.isFinite) else {
                throw .input("the parameter \(name)", expected: "finite numbers")
            }
            return values
        }
        var bias =
            try step.bias.map { (name) throws(PredictionError) in try values(name) }
            ?? [Double](repeating: 0, count: outputs)
        var offsets = bias.map(abs)
        var factors = [Double](repeating: 1, count: outputs)
        if let normalization = step.normalization {
            let mean = try values("\(normalization.name).running_mean")
            let variance = try values("\(normalization.name).running_var")
            let weight = try values("\(normalization.name).weight")
            let shift = try values("\(normalization.name).bias")
            for output in 0..<outputs {
                factors[output] = weight[output] / (variance[output] + Double(normalization.epsilon)).squareRoot()
                offsets[output] = (offsets[output] + abs(mean[output])) * abs(factors[output]) + abs(shift[output])
                bias[output] = (bias[output] - mean[output]) * factors[output] + shift[output]
            }
            guard factors.allSatisfy(\.isFinite) else {
                throw .input("the running variance of \(normalization.name)", expected: "0 and more")
            }
        }
        let weights = try Self.weights(
            step, factors, step.weight.map { (name) throws(PredictionError) in try values(name) })
        var sums = [Double](repeating: 0, count: outputs)
        for (place, weight) in weights.enumerated() { sums[Self.output(of: place, step)] += abs(weight) }
        (self.weights, self.bias, self.offsets) = (weights, bias, offsets)
        (largest, largestSum) = (weights.reduce(0) { max($0, abs($1)) }, sums.max() ?? 0)
    }

    /// The output that a weight belongs to.
    private static func output(of place: Int, _ step: PlannedLinear) -> Int {
        if case .dense = step.form { place % step.outputs } else { place / step.terms }
    }

    private static func weights(
        _ step: PlannedLinear, _ factors: [Double], _ values: [Double]?
    ) throws(PredictionError) -> [Double] {
        let (outputs, terms) = (step.outputs, step.terms)
        guard let values else {
            // Batch normalisation by itself: each channel times its factor.
            return (0..<outputs * terms).map { $0 / terms == $0 % terms ? factors[$0 / terms] : 0 }
        }
        guard values.count == outputs * terms else {
            throw .input("weights of \(step.name)", expected: "\(outputs * terms) values")
        }
        return (0..<outputs * terms).map { place in
            guard case .dense = step.form else { return values[place] * factors[place / terms] }
            let (input, output) = (place / outputs, place % outputs)
            return values[output * terms + input] * factors[output]
        }
    }
}

/// A linear step's weights as integers.
struct LayerIntegers: Sendable {
    let weights: [Int64]
    let bias: [Int64]
}

/// Chooses bits of weights and limits of ReLU so that nothing can pass the ring, and encodes.
struct RangeChoice {
    let folded: [FoldedLayer]
    let fractionBits: Int
    /// The fewest bits behind the point of weights.
    let leastBits: Int
    /// The largest values that were seen behind each ReLU; nil where there was no calibration.
    let seen: [Double]?
    /// Without calibration, ReLU is held to 2^this where it could pass it; nil: it is not held.
    let clamp: Int?
    private(set) var integers: [LayerIntegers] = []

    /// The exponent of what ReLU is held to where nothing is known and the ring has no room.
    static let clamp = 10
    /// The most bits behind the point of weights: those of a float32 below 1.
    static let mostBits = 24
    /// What no result of a linear step passes: maxima, limits and sums of two have room above it.
    private static let target = 0x1p59

    init(
        folded: [FoldedLayer], fractionBits: Int, leastBits: Int, seen: [Double]?, clamp: Int?
    ) {
        (self.folded, self.fractionBits, self.leastBits) = (folded, fractionBits, leastBits)
        (self.seen, self.clamp) = (seen, clamp)
    }

    /// The step's terms, with as many bits as fit.
    ///
    /// - Parameter bound: Of the integers that arrive, which have ``fractionBits`` behind the point.
    mutating func terms(_ step: PlannedLinear, bound: Double, divisor: Int) throws(PredictionError) -> LayerTerms {
        let layer = folded[step.number]
        var bits = Self.mostBits
        while true {
            let scale = LayerTerms.power(bits)
            let largest = Self.exponent(layer.largest / Double(divisor) * scale + 1)
            let sum = Self.exponent(layer.largestSum / Double(divisor) * scale + Double(step.terms))
            let added = layer.bias.reduce(0) { max($0, abs($1)) } * scale * LayerTerms.power(fractionBits) + 1
            let bias = step.hasBias ? Self.exponent(added) : nil
            let product = bound * min(LayerTerms.power(sum), LayerTerms.power(largest) * Double(step.terms))
            let needed = (product + (bias.map(LayerTerms.power) ?? 0)) * Double(step.growth)
            if needed <= Self.target {
                let terms = LayerTerms(bits: bits, bound: largest, sum: sum, bias: bias)
                encode(layer, step, terms, divisor)
                return terms
            }
            guard bits > leastBits else {
                throw .overflow(layer: step.title, bits: needed.isFinite ? max(63, needed.exponent + 4) : 1024)
            }
            bits -= 1
        }
    }

    private mutating func encode(_ layer: FoldedLayer, _ step: PlannedLinear, _ terms: LayerTerms, _ divisor: Int) {
        let scale = LayerTerms.power(terms.bits) / Double(divisor)
        let biasScale = LayerTerms.power(terms.bits + fractionBits)
        integers.append(
            LayerIntegers(
                weights: layer.weights.map { Int64(($0 * scale).rounded()) },
                bias: step.hasBias ? layer.bias.map { Int64(($0 * biasScale).rounded()) } : []))
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
