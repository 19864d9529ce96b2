/// What is public of a step's weights: bits behind the point, and powers of two that no weight passes.
struct LayerTerms: Sendable, Hashable {
    /// Bits behind the point.
    let bits: Int
    /// The largest magnitude of a weight is at most 2^bound, as an integer.
    let bound: Int
    /// The largest sum of magnitudes that meet in an output is at most 2^sum.
    let sum: Int
    /// The largest magnitude of what is added is at most 2^bias; nil where nothing is.
    let bias: Int?

    static func power(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }
}

/// How large integers can become, as a ``ProgramBuilder`` says, from bounds alone.
struct BoundArithmetic: PlanArithmetic {
    /// What no magnitude reaches.
    static let limit = 0x1p62

    private(set) var layers: [LayerTerms]
    private(set) var limits: [Int?]
    /// Weights as integers, where there are weights.
    private(set) var integers: [LayerIntegers] = []
    /// Who chooses terms of layers, and limits, as they come; nil where they are given.
    private let choice: RangeChoice?
    /// Weights to encode, and the bits behind the point that they meet.
    private let encoded: (layers: [FoldedLayer], fractionBits: Int)?

    /// - Parameter encoded: Weights, and the bits behind the point that they meet; nil: none.
    init(layers: [LayerTerms], limits: [Int?], encoding encoded: (layers: [FoldedLayer], fractionBits: Int)? = nil) {
        (self.layers, self.limits, choice, self.encoded) = (layers, limits, nil, encoded)
    }

    init(choosing choice: RangeChoice) {
        (layers, limits, self.choice) = ([], [], choice)
        encoded = (choice.folded, choice.fractionBits)
    }

    private func checked(_ bound: Double, _ title: String, room: Double = 0) throws(PredictionError) -> Double {
        guard bound + room < Self.limit else {
            throw .overflow(layer: title, bits: bound.isFinite ? (bound + room).exponent + 2 : 1024)
        }
        return bound
    }

    mutating func linear(
        _ bound: Double, _ step: PlannedLinear, divisor: Int
    ) throws(PredictionError) -> (value: Double, bits: Int) {
        if let chosen = try choice?.terms(step, bound: bound, divisor: divisor) { layers.append(chosen) }
        let terms = layers[step.number]
        if let encoded {
            let scale = LayerTerms.power(terms.bits)
            integers.append(
                try LayerIntegers(
                    encoded.layers[step.number], step, terms,
                    scale: (scale / Double(divisor), scale * LayerTerms.power(encoded.fractionBits))))
        }
        let product = bound * min(LayerTerms.power(terms.sum), LayerTerms.power(terms.bound) * Double(step.terms))
        let bias = terms.bias.map(LayerTerms.power) ?? 0
        return (try checked(product + bias, step.title), terms.bits)
    }

    mutating func relu(_ bound: Double, number: Int, _ scaling: Scaling) throws(PredictionError) -> Double {
        let quotient =
            scaling.bits > 0 ? (bound / LayerTerms.power(scaling.bits)).rounded(.up) + 1 : bound
        if let choice { limits.append(choice.limit(number, bound: quotient, unit: scaling.unit)) }
        _ = try checked(bound, scaling.title, room: limits[number].map { LayerTerms.power($0 + scaling.bits) } ?? 0)
        return min(quotient, limits[number].map(LayerTerms.power) ?? quotient)
    }

    mutating func truncated(_ bound: Double, exactly: Bool, _ scaling: Scaling) throws(PredictionError) -> Double {
        _ = try checked(bound, scaling.title, room: 0x1p60)
        return (bound / LayerTerms.power(scaling.bits)).rounded(.up) + 1
    }

    mutating func maximum(_ bound: Double, _ windows: PlannedWindows) throws(PredictionError) -> Double {
        if windows.area > 1 { _ = try checked(2 * bound, windows.title) }
        return bound
    }

    mutating func sum(_ bound: Double, _ windows: PlannedWindows) throws(PredictionError) -> Double {
        try checked(bound * Double(windows.area), windows.title)
    }

    mutating func shaped(_ bound: Double, _ shape: [Int]) throws(PredictionError) -> Double { bound }

    mutating func added(
        _ a: (value: Double, shift: Int), _ b: (value: Double, shift: Int), title: String
    ) throws(PredictionError) -> Double {
        try checked(a.value * LayerTerms.power(a.shift) + b.value * LayerTerms.power(b.shift), title)
    }
}
