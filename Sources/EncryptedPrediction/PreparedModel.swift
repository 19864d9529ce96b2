public import Learning
public import ModularArithmetic
public import SecureComputation

/// The model owner's side: terms for all, and weights as integers for the owner alone.
public struct PreparedModel: Sendable, CustomStringConvertible, CustomReflectable {
    /// What is public.
    public let terms: PredictionTerms
    /// In the program's order.
    public let weights: [RingTensor]

    /// Chooses bits and limits so that no number can pass the ring, whatever the rows and within the terms' bounds, and states how far scores can be from the model's own.
    ///
    /// Each ReLU is held to twice the largest value that calibration saw, rounded up to a power of two, or, without calibration, to 1024 where the worst case could pass it and the ring has no room.
    /// ``PredictionTerms/errorBound`` is proven (``PredictionTerms/isErrorProven``) unless that bound is above 1 and there is a calibration: then it is eight times the largest error of its first rows, which
    /// is an estimate.
    ///
    /// - Parameters:
    ///   - inputBound: The largest magnitude of an input, above 0 and at most 2^24: what is beyond is held to it.
    ///   - inputsAreNonNegative: Whether inputs below 0 are held to 0, as pixels are: bounds of errors are smaller.
    ///   - calibration: Public rows, one behind the other: never private ones, since limits are public and follow from them.
    ///   - fractionBits: Behind the point of what goes into each linear step, 8 to 20; nil: the most that fit.
    ///   - threads: 1 or 2, for the estimate.
    /// - Throws: ``PredictionError``: layers that have no form on shares, ranges that do not fit, each with the layer.
    public init(
        _ model: Model, _ parameters: Parameters, inputBound: Double,
        inputsAreNonNegative: Bool = false, calibration: [Float]? = nil, output: PredictionTerms.Output,
        comparison: ComparisonForm = .oneRound, fractionBits: Int? = nil,
        threads: Int = 1
    ) throws(PredictionError) {
        do { try model.check(parameters) } catch { throw .model(error) }
        guard inputBound > 0, inputBound <= 0x1p24 else {
            throw .parameter("the bound of inputs", expected: "above 0 and at most 2^24")
        }
        guard fractionBits == nil || (8...20).contains(fractionBits ?? 0) else {
            throw .parameter("\(fractionBits ?? 0) bits behind the point", expected: "8 to 20")
        }
        let plan = try PredictionPlan(model)
        var folded: [FoldedLayer] = []
        for step in plan.linears { folded.append(try FoldedLayer(step, parameters)) }
        let wish = PredictionWish(
            inputs: (inputsAreNonNegative ? 0 : -inputBound)...inputBound, output: output, comparison: comparison,
            fractionBits: fractionBits)
        let seen = try calibration.map { (values) throws(PredictionError) in
            try plan.largestActivations(folded, values, wish)
        }
        let chosen = try plan.range(folded, seen: seen, wish)
        weights = try Self.weights(plan, chosen.integers)
        let architecture = Architecture.json(model)
        func terms(_ output: PredictionTerms.Output, _ error: Double, isProven: Bool) -> PredictionTerms {
            PredictionTerms(
                output: output, plan: plan, architecture: architecture, range: chosen.range,
                error: (Self.roundedUp(error), isProven))
        }
        let proven = try plan.error(folded, chosen, wish)
        guard proven > 1, let calibration else {
            self.terms = terms(output, proven, isProven: true)
            return
        }
        let trial = ErrorTrial(model: model, parameters: parameters, weights: weights, threads: threads)
        let rows = calibration.prefix(4 * plan.inputCount)
        let seenError = try trial.error(terms(.scores, 0, isProven: false), Array(rows), wish)
        self.terms = terms(output, 8 * seenError, isProven: false)
    }

    /// The owner again, under terms that were published: the same weights, without the calibration.
    ///
    /// - Throws: ``PredictionError`` where the model is not the terms', or weights are beyond their bounds.
    public init(_ model: Model, _ parameters: Parameters, terms: PredictionTerms) throws(PredictionError) {
        do { try model.check(parameters) } catch { throw .model(error) }
        guard Architecture.json(model) == terms.architecture else {
            throw .input("the model", expected: "the one of the terms")
        }
        let plan = try terms.plan()
        var folded: [FoldedLayer] = []
        for step in plan.linears { folded.append(try FoldedLayer(step, parameters)) }
        self.terms = terms
        weights = try Self.weights(plan, try terms.range(encoding: folded).integers)
    }

    /// The twin: the same integers without cryptography.
    ///
    /// - Throws: ``PredictionError`` for rows that do not fit.
    public func clear(_ values: [Float], rows: Int, threads: Int = 1) throws(PredictionError) -> PredictionResults {
        let program = try terms.program(rows: rows)
        let inputs = try terms.inputs(values, rows: rows)
        let outputs = try computing("the model") { () throws(ComputationError) in
            try ClearText.run(program, inputs: inputs, weights: weights, threads: threads).outputs
        }
        return try terms.results(outputs, rows: rows)
    }

    private static func weights(
        _ plan: PredictionPlan, _ integers: [LayerIntegers]
    ) throws(PredictionError) -> [RingTensor] {
        var tensors: [RingTensor] = []
        for (step, layer) in zip(plan.linears, integers) {
            do {
                tensors.append(
                    try RingTensor(shape: step.weightShape, words: layer.weights.map { UInt64(bitPattern: $0) }))
                if step.hasBias {
                    tensors.append(
                        try RingTensor(shape: [1, step.outputs], words: layer.bias.map { UInt64(bitPattern: $0) }))
                }
            } catch { throw .input("weights of \(step.name)", expected: "\(error)") }
        }
        return tensors
    }

    /// With two digits, so that it tells little of the weights.
    static func roundedUp(_ bound: Double) -> Double {
        guard bound > 0 else { return 0 }
        var exponent = -320
        var power = Double("1e\(exponent)") ?? 0
        while bound / power > 99, exponent < 300 {
            exponent += 1
            power = Double("1e\(exponent)") ?? 0
        }
        return Double("\(Int((bound / power).rounded(.up)))e\(exponent)") ?? bound
    }

    /// The shape of the terms alone: weights are the owner's.
    public var description: String { "PreparedModel(\(terms.inputShape) to \(terms.classes))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
